//! Named sets of paths: which of them a path belongs to, and what that one says of it.

use std::sync::Arc;

use super::GlobError;
use super::pattern::Probe;
use super::rule::{Kind, Rule, RuleText};
use crate::config::Group;
use crate::node::{PerSide, Side};
use crate::path::TreePath;
use crate::policy::Direction;

/// The patterns of some groups, in order.
#[derive(Debug, Default)]
pub(super) struct Sets(Vec<Vec<Arc<Rule>>>);

impl Sets {
    pub(super) fn read<'g>(
        groups: impl Iterator<Item = (&'g str, &'g [RuleText])>,
    ) -> Result<Self, GlobError> {
        let read = |(name, paths): (&str, &[RuleText])| -> Result<Vec<Arc<Rule>>, GlobError> {
            let rule = |text| Ok(Arc::new(Rule::parse(text, Kind::Group(name.to_owned()))?));
            paths.iter().map(rule).collect()
        };
        Ok(Sets(groups.map(read).collect::<Result<_, _>>()?))
    }

    /// The group of a path: the last that names it, or a folder above it. `above` is the answer for its folder.
    pub(super) fn of(&self, probe: Probe<'_>, above: Option<usize>) -> Option<usize> {
        let named = self.0.iter().rposition(|rules| rules.iter().any(|rule| rule.pattern.matches(probe)));
        named.max(above)
    }

    /// The patterns of one group.
    pub(super) fn rules(&self, at: usize) -> &[Arc<Rule>] {
        &self.0[at]
    }

    /// All patterns, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.0.iter().flatten()
    }
}

/// The groups of a workspace, ready to be asked for one path. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    own: Arc<Own>,
    /// Those of the other version of the settings, while two are in conflict.
    other: Option<Arc<Own>>,
}

#[derive(Debug, Default)]
struct Own {
    sets: Sets,
    groups: Vec<Group>,
}

impl Groups {
    /// Reads the groups; the first pattern that is none is the error.
    pub fn new(groups: &[Group]) -> Result<Self, GlobError> {
        let sets = Sets::read(groups.iter().map(|group| (group.name.as_str(), &group.paths[..])))?;
        Ok(Groups { own: Arc::new(Own { sets, groups: groups.to_vec() }), other: None })
    }

    /// Both of two versions of the settings that are in conflict: a side changes only if both let it.
    pub fn and(&self, other: &Groups) -> Groups {
        Groups { own: Arc::clone(&self.own), other: Some(Arc::clone(&other.own)) }
    }

    /// The same, without a standing answer for conflicts of their own: a person gave one for everything.
    pub fn without_strategies(&self) -> Groups {
        let groups = self.own.groups.iter().cloned().map(|group| Group { strategy: None, ..group });
        let groups: Vec<Group> = groups.collect();
        let own = Groups::new(&groups).expect("because the same patterns were read before").own;
        Groups { own, other: self.other.clone() }
    }

    /// The group that a path belongs to.
    pub fn of(&self, path: &TreePath, is_folder: bool) -> Option<&Group> {
        self.own.of(path, is_folder)
    }

    /// Which sides a path may change on; `otherwise` is the direction of a path whose group names none.
    pub fn ways(&self, path: &TreePath, is_folder: bool, otherwise: Direction) -> PerSide<bool> {
        let direction = |own: &Own| own.of(path, is_folder).and_then(|group| group.direction);
        let mine = direction(&self.own).unwrap_or(otherwise);
        let other = self.other.as_deref().and_then(direction).unwrap_or_default();
        PerSide::from_fn(|side: Side| mine.changes(side) && other.changes(side))
    }

    /// Answers whether there are any.
    pub fn have_any(&self) -> bool {
        !self.own.groups.is_empty() || self.other.as_deref().is_some_and(|own| !own.groups.is_empty())
    }

    /// Answers whether some group says which way its paths go.
    pub fn have_directions(&self) -> bool {
        let own = |own: &Own| own.groups.iter().any(|group| group.direction.is_some());
        own(&self.own) || self.other.as_deref().is_some_and(own)
    }

    /// Answers whether some group has a standing answer of its own, or says how its files merge.
    pub fn have_answers(&self) -> bool {
        self.own.groups.iter().any(|group| group.strategy.is_some() || group.kind.is_some())
    }

    /// All that a plan depends on, as text: equal words, equal plans.
    pub fn words(&self) -> String {
        let word = |group: &Group| {
            let Group { paths, direction, kind, id, strategy, style, .. } = group;
            let paths: Vec<&str> = paths.iter().map(|rule| rule.text.as_str()).collect();
            format!("{paths:?} {direction:?} {kind:?} {id:?} {strategy:?} {style:?}; ")
        };
        let owns = [Some(&self.own), self.other.as_ref()].into_iter().flatten();
        owns.map(|own| own.groups.iter().map(word).collect::<String>()).collect::<Vec<_>>().join(" and ")
    }
}

impl Own {
    fn of(&self, path: &TreePath, is_folder: bool) -> Option<&Group> {
        if self.groups.is_empty() {
            return None;
        }
        let bytes = path.as_bytes();
        let mut found = None;
        let mut name_at = 0;
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in ends.chain([bytes.len()]) {
            let is_folder = is_folder || end < bytes.len();
            found = self.sets.of(Probe { path: &bytes[..end], name_at, is_folder }, found);
            name_at = end + 1;
        }
        found.map(|at| &self.groups[at])
    }
}
