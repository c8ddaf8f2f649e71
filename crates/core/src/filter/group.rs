//! Named sets of paths: which of them a path belongs to, and what that one says of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::GlobError;
use super::pattern::Probe;
use super::rule::{Kind, Rule, RuleText};
use crate::config::{FileKind, Group, Unit};
use crate::merge::is_dotenv;
use crate::node::{PerSide, Side};
use crate::path::TreePath;
use crate::places::Places;
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

/// What of a file stays on each machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staying {
    /// How the file's group says that it merges.
    pub kind: Option<FileKind>,
    /// The keys, in order.
    pub keys: Vec<String>,
    /// The places in whose stead their names travel; none if paths travel as they are.
    pub places: Option<Arc<Places>>,
}

/// How much of a file's contents is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Values {
    /// All of it.
    #[default]
    Shown,
    /// The names of its variables.
    Named,
    /// Nothing.
    Hidden,
}

/// The groups of a workspace, ready to be asked for one path. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    own: Arc<Own>,
    /// Those of the other version of the settings, while two are in conflict.
    other: Option<Arc<Own>>,
    /// The places of this machine.
    places: Arc<Places>,
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
        let own = Arc::new(Own { sets, groups: groups.to_vec() });
        Ok(Groups { own, other: None, places: Arc::default() })
    }

    /// The same, on a machine that has these places.
    pub fn at(self, places: Places) -> Groups {
        Groups { places: Arc::new(places), ..self }
    }

    /// The places of this machine, if paths of some group travel by their names. Names of files and folders do so in the
    /// whole workspace then.
    pub fn places(&self) -> Option<&Arc<Places>> {
        let remaps = self.owns().flat_map(|own| &own.groups).any(|group| group.remap_paths);
        (remaps && !self.places.is_empty()).then_some(&self.places)
    }

    fn owns(&self) -> impl Iterator<Item = &Arc<Own>> {
        [Some(&self.own), self.other.as_ref()].into_iter().flatten()
    }

    /// Both of two versions of the settings that are in conflict: a side changes only if both let it.
    pub fn and(&self, other: &Groups) -> Groups {
        Groups { other: Some(Arc::clone(&other.own)), ..self.clone() }
    }

    /// The same, without a standing answer for conflicts of their own: a person gave one for everything.
    pub fn without_strategies(&self) -> Groups {
        let groups = self.own.groups.iter().cloned().map(|group| Group { strategy: None, ..group });
        let groups: Vec<Group> = groups.collect();
        let own = Groups::new(&groups).expect("because the same patterns were read before").own;
        Groups { own, ..self.clone() }
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

    /// What of a file stays on each machine; `None` if all of it travels as it is. While two versions of the settings are
    /// in conflict, what either names stays.
    pub fn staying(&self, path: &TreePath) -> Option<Staying> {
        let mut staying = Staying { kind: None, keys: Vec::new(), places: None };
        for group in self.owns().filter_map(|own| own.of(path, false)) {
            if !group.keep_local_keys.is_empty() {
                staying.kind = staying.kind.or(group.kind);
                staying.keys.extend(group.keep_local_keys.iter().cloned());
            }
            if group.remap_paths && !self.places.is_empty() {
                staying.places = Some(Arc::clone(&self.places));
            }
        }
        staying.keys.sort();
        staying.keys.dedup();
        (!staying.keys.is_empty() || staying.places.is_some()).then_some(staying)
    }

    /// Answers whether something of some files stays on each machine.
    pub fn have_staying(&self) -> bool {
        let keys = |group: &Group| !group.keep_local_keys.is_empty();
        self.places().is_some() || self.owns().flat_map(|own| &own.groups).any(keys)
    }

    /// Whether the values of a file are shown to people who did not ask for them: as its group says, else those of
    /// variables are not.
    pub fn values(&self, path: &TreePath) -> Values {
        let values = self.owns().map(|own| {
            let group = own.of(path, false);
            let is_dotenv =
                path.name().is_some_and(|name| is_dotenv(&name, group.and_then(|group| group.kind)));
            match (group.and_then(|group| group.show_values), is_dotenv) {
                (Some(true), _) | (None, false) => Values::Shown,
                (_, true) => Values::Named,
                (Some(false), false) => Values::Hidden,
            }
        });
        values.max().unwrap_or(Values::Shown)
    }

    /// All that a plan depends on, as text: equal words, equal plans.
    pub fn words(&self) -> String {
        let word = |group: &Group| {
            let Group { paths, direction, kind, id, strategy, style, keep_local_keys: keys, .. } = group;
            let paths: Vec<&str> = paths.iter().map(|rule| rule.text.as_str()).collect();
            let remap = if group.remap_paths { " remap" } else { "" };
            format!("{paths:?} {direction:?} {kind:?} {id:?} {strategy:?} {style:?} {keys:?}{remap}; ")
        };
        let owns = self.owns().map(|own| own.groups.iter().map(word).collect::<String>());
        let places = self.places().map(|places| format!("{places:?}"));
        owns.chain(places).collect::<Vec<_>>().join(" and ")
    }
}

impl Own {
    fn of(&self, path: &TreePath, is_folder: bool) -> Option<&Group> {
        if self.groups.is_empty() {
            return None;
        }
        let found = probes(path.as_bytes(), is_folder).fold(None, |above, probe| self.sets.of(probe, above));
        found.map(|at| &self.groups[at])
    }
}

/// What people count in. A thing of a unit is whatever its patterns name: mostly a folder, with all that stands in it.
#[derive(Debug, Clone, Default)]
pub struct Units(Arc<Vec<(String, Vec<Arc<Rule>>)>>);

/// How many of each unit: its name, and a number that is never zero, in the order of the settings.
pub type UnitCounts = Vec<(String, u64)>;

impl Units {
    /// Reads the units; the first pattern that is none is the error.
    pub fn new(units: &[Unit]) -> Result<Self, GlobError> {
        let sets = Sets::read(units.iter().map(|unit| (unit.name.as_str(), &unit.paths[..])))?;
        let names = units.iter().map(|unit| unit.name.clone());
        Ok(Units(Arc::new(names.zip(sets.0).collect())))
    }

    /// Answers whether nobody counts in anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts the things that these paths are, or stand in; a path comes with whether it is a folder.
    pub fn count<'p>(&self, paths: impl Iterator<Item = (&'p TreePath, bool)>) -> UnitCounts {
        let mut found = vec![BTreeSet::new(); self.0.len()];
        for (path, is_folder) in paths.filter(|_| !self.is_empty()) {
            for probe in probes(path.as_bytes(), is_folder) {
                for ((_, rules), things) in self.0.iter().zip(&mut found) {
                    if !things.contains(probe.path) && rules.iter().any(|rule| rule.pattern.matches(probe)) {
                        things.insert(probe.path.to_vec());
                    }
                }
            }
        }
        let counts = self.0.iter().zip(found).map(|((name, _), things)| (name.clone(), things.len() as u64));
        counts.filter(|(_, count)| *count > 0).collect()
    }
}

/// A path as patterns look at it: each folder on the way, then itself.
fn probes(path: &[u8], is_folder: bool) -> impl Iterator<Item = Probe<'_>> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    let mut name_at = 0;
    ends.chain([path.len()]).map(move |end| {
        let probe = Probe { path: &path[..end], name_at, is_folder: is_folder || end < path.len() };
        name_at = end + 1;
        probe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_path_belongs_to_the_last_group_that_names_it_or_a_folder_above_it() {
        let list = [Group::of("all", &["d/**"]), Group::of("in", &["in/"]), Group::of("texts", &["*.txt"])];
        let groups = Groups::new(&list).unwrap();
        for (text, name) in [
            ("d/x", "all"),
            ("d/in/x", "in"),
            ("d/in/deep/x", "in"),
            ("d/in/x.txt", "texts"),
            ("x.txt/y", "texts"),
            ("d", "none"),
            ("in", "none"),
            ("x", "none"),
        ] {
            let found = groups.of(&path(text), false).map_or("none", |group| &group.name);
            assert_eq!(found, name, "{text}");
        }
        assert_eq!(groups.of(&path("in"), true).map(|group| &group.name[..]), Some("in"));
    }

    #[test]
    fn two_versions_of_the_settings_must_both_let_a_side_change() {
        let group = |direction| Group { direction, ..Group::of("g", &["d/**"]) };
        let groups = |direction| Groups::new(&[group(direction)]).unwrap();
        for (mine, other, local, remote) in [
            (Some(Direction::Push), None, false, true),
            (None, Some(Direction::Push), false, true),
            (Some(Direction::Push), Some(Direction::Pull), false, false),
            (Some(Direction::Both), Some(Direction::Pull), true, false),
        ] {
            let both = groups(mine).and(&groups(other));
            assert_eq!(both.ways(&path("d/f"), false, Direction::Both), PerSide { local, remote });
            assert_eq!(both.ways(&path("f"), false, Direction::Pull), PerSide { local: true, remote: false });
        }
    }

    #[test]
    fn while_two_versions_of_the_settings_are_in_conflict_what_either_keeps_here_stays() {
        let group = |keys: &[&str]| {
            let keep_local_keys = keys.iter().map(|key| (*key).to_owned()).collect();
            Group { keep_local_keys, ..Group::of("g", &["d/*.json"]) }
        };
        let groups = |keys| Groups::new(&[group(keys)]).unwrap();
        let staying =
            |groups: &Groups, text| groups.staying(&path(text)).map(|staying| staying.keys.join(" "));
        let both = groups(&["b", "a"]).and(&groups(&["c", "a"]));
        assert_eq!(staying(&both, "d/x.json").as_deref(), Some("a b c"));
        assert_eq!(staying(&both, "x.json"), None);
        assert_eq!(staying(&groups(&[]).and(&groups(&["c"])), "d/x.json").as_deref(), Some("c"));
        assert_eq!(staying(&groups(&[]), "d/x.json"), None);
        assert_ne!(groups(&["a"]).words(), groups(&["b"]).words(), "a plan depends on them");
    }

    #[test]
    fn values_of_variables_are_shown_only_where_somebody_says_so() {
        let group = |name: &str, show_values, kind, paths: &[&str]| Group {
            show_values,
            kind,
            ..Group::of(name, paths)
        };
        let dotenv = Some(FileKind::Dotenv);
        let groups = Groups::new(&[
            group("a", Some(true), None, &["shown/"]),
            group("b", Some(false), None, &["hidden/"]),
            group("c", None, dotenv, &["*.conf"]),
        ])
        .unwrap();
        for (text, values) in [
            (".env", Values::Named),
            ("x/.env.production", Values::Named),
            ("shown/.env", Values::Shown),
            ("service.conf", Values::Named),
            ("settings.json", Values::Shown),
            ("hidden/settings.json", Values::Hidden),
            ("hidden/.env", Values::Named),
        ] {
            assert_eq!(groups.values(&path(text)), values, "{text}");
        }
        let both = Groups::default().and(&Groups::new(&[group("b", Some(false), None, &["x"])]).unwrap());
        assert_eq!(both.values(&path("x")), Values::Hidden, "two versions of the settings are in conflict");
    }

    #[test]
    fn a_thing_counts_once_however_much_of_it_changed() {
        let unit =
            |name: &str, text: &str| Unit { name: name.to_owned(), paths: Group::of("", &[text]).paths };
        let units =
            [unit("workspaces", "/*/"), unit("scenarios", "scenarios/*/"), unit("runs", "**/runs/*/")];
        let units = [
            &units[0],
            &Unit { paths: Group::of("", &["*/scenarios/*/"]).paths, ..units[1].clone() },
            &units[2],
        ];
        let units = Units::new(&units.map(Clone::clone)).unwrap();
        let paths = [
            "w/workspace.json",
            "w/scenarios/a/config.yaml",
            "w/scenarios/a/scenario.json",
            "w/scenarios/b/runs/1/run_metadata.json",
            "v/x",
            "loose",
        ]
        .map(path);
        let counts = units.count(paths.iter().map(|path| (path, false)));
        let expected = [("workspaces", 2), ("scenarios", 2), ("runs", 1)];
        assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
        assert_eq!(units.count([(&path("w"), true)].into_iter()), [("workspaces".to_owned(), 1)]);
        assert_eq!(units.count(std::iter::empty()), []);
    }
}
