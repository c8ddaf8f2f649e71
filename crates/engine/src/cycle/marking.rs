//! Conflicts that are shown in the folder here, because their group asks for it: one that is left open is shown in the text
//! or beside it, and one that a person settled there is taken for settled. See [`marked`].

use std::collections::BTreeMap;

use instep_core::config::Style as Wanted;
use instep_core::conflict::{Conflict, ConflictKind, Version, VersionLeaf, copy_name};
use instep_core::merge::{self, Merged, Style, Terms, Versions};
use instep_core::node::{Body, Known, NodeId, PerSide, Row, Side, Value, Views};
use instep_core::path::{Name, TreePath};
use instep_core::plan::{Change, ChangeKind, Places, Plan};
use instep_core::policy::Policy;
use instep_core::tree::{Leaf, LeafKind, Place};

use super::think::Thought;
use super::{Cycle, Look, Tools};
use crate::apply::Applied;
use crate::conflict;
use crate::conflict::marked::{self, Marked, Seen, Text};
use crate::cycle::outcome::OpenConflict;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::state::{ConflictRecord, RemoteRecord};

/// What a cycle does with what shows conflicts.
#[derive(Debug, Default)]
pub(super) struct Marking {
    /// The conflicts that are on record.
    pub open: Vec<OpenConflict>,
    /// Who wrote what stands at the remote, where that may be another than who wrote its head.
    pub writers: BTreeMap<TreePath, String>,
    /// The texts that get markers, and the copies that are written.
    pub shown: Vec<(NodeId, Marked)>,
    /// What goes because the conflict is over, with the path of the text.
    pub cleared: Vec<(NodeId, TreePath)>,
    /// Those that a person settled.
    pub settled: Vec<(NodeId, Marked)>,
}

impl Marking {
    /// Answers whether a change of this node ends that a conflict is shown.
    pub fn clears(&self, node: NodeId) -> bool {
        self.cleared.iter().any(|one| one.0 == node)
    }

    /// A node for a copy, which no row ever knows.
    fn next_node(&self) -> NodeId {
        NodeId(u64::MAX - (self.shown.len() + self.cleared.len()) as u64)
    }

    /// Answers whether a change of this node only shows a conflict, or ends that.
    pub fn is_of(&self, node: NodeId) -> bool {
        self.clears(node) || self.shown.iter().any(|one| one.0 == node)
    }
}

impl<F: Folder> Cycle<'_, F> {
    /// Where a person took the markers out of a text, the version there was seen: what stands here is a change of it.
    pub(super) fn settle_marked(&mut self, known: Known, record: &RemoteRecord, look: &Look) -> Known {
        self.marking = Marking::default();
        let mine = look.scan.marked.settled.iter().filter(|one| one.remote == record.id);
        let mut rows = known.rows().to_vec();
        for one in mine {
            let found = one.path().and_then(|path| find(&known, &path)).zip(one.there());
            let Some((node, leaf)) = found else { continue };
            let Some(row) = rows.iter_mut().find(|row| row.id == node) else { continue };
            // Where it stands is no part of what was shown.
            let Some(base) = row.views.base().or(row.views.side(Side::Remote)).cloned() else { continue };
            row.views = Views::Agreed(Value { body: Body::Leaf(leaf), ..base });
            self.marking.settled.push((node, one.clone()));
        }
        if self.marking.settled.is_empty() { known } else { Known::new(rows, known.next) }
    }

    /// Who wrote the two versions of a conflict. The remote's may have come while its file could not be looked at here: the
    /// conflict was another one then, and knows it.
    pub(super) fn who(&self, policy: &Policy, conflict: &Conflict) -> PerSide<String> {
        let find = |is_it: &dyn Fn(&Conflict) -> bool| {
            let found = self.marking.open.iter().find(|open| is_it(&open.conflict));
            found.map(|open| &open.machines.remote)
        };
        let there = find(&|open| open.id == conflict.id)
            .or_else(|| self.marking.writers.get(conflict.path_on(Side::Remote)))
            .or_else(|| {
                find(&|open| version_there(open).is_some() && version_there(open) == version_there(conflict))
            });
        let PerSide { local, remote } = &policy.machines;
        PerSide { local: local.clone(), remote: there.unwrap_or(remote).clone() }
    }

    /// Adds to a plan what shows conflicts in texts, and what takes them out again.
    pub(super) fn mark(
        &mut self,
        plan: &mut Plan,
        known: &Known,
        policy: &Policy,
        record: &RemoteRecord,
        (look, tools): (&Look, &mut Tools<'_, F>),
    ) -> Result<(), EngineError> {
        self.note_settled(plan, known);
        self.copy_beside(plan, known, policy, record, look);
        self.clear_copies(plan, record, look);
        for conflict in plan.conflicts.clone() {
            let Some((base, here, there)) = texts(&conflict) else { continue };
            let path = conflict.path_on(Side::Local).clone();
            let wants = policy.groups.of(&path, false).is_some_and(|group| group.style == Wanted::Markers);
            let is_busy = plan.changes.local.iter().any(|change| change.node == conflict.node);
            let Some(place) = plan.places.local.of(conflict.node) else { continue };
            if !wants || is_busy || !self.is_asked_for(&path) || !policy.ways(&path, false).local {
                continue;
            }
            match shown_at(look, place) {
                Some(seen) if !seen.is_as_written || seen.marked.shows(here, there) => continue,
                None if look.scan.forms.contains_key(&place) => continue,
                _ => {}
            }
            let Some(text) =
                self.marked_text(&conflict, (base, here, there), policy, record, (look, tools))?
            else {
                continue;
            };
            let Some(value) = value_here(plan, known, conflict.node) else { continue };
            let (size, content) = (tools.staging.size(text.content).unwrap_or_default(), text.content);
            let after = Value {
                body: Body::Leaf(Leaf { kind: LeafKind::File, content, size, exec: here.exec }),
                ..value.clone()
            };
            let modified = conflict.local.as_ref().and_then(|version| version.modified);
            let one = Marked::new(record.id, &path, (here, there), modified, &text);
            plan.changes.local.push(Change {
                node: conflict.node,
                before: Some(value),
                after: Some(after),
                from: Some(path.clone()),
                to: Some(path),
            });
            self.marking.shown.push((conflict.node, one));
        }
        self.clear(plan, known, record, look);
        Ok(())
    }

    /// Writes the other version beside files whose group wants to see it there.
    fn copy_beside(
        &mut self,
        plan: &mut Plan,
        known: &Known,
        policy: &Policy,
        record: &RemoteRecord,
        look: &Look,
    ) {
        let tree = &look.scan.tree;
        for conflict in plan.conflicts.clone() {
            let Some((here, there)) = files(&conflict) else { continue };
            let path = conflict.path_on(Side::Local).clone();
            let wants = policy.groups.of(&path, false).is_some_and(|group| group.style == Wanted::Copy);
            let is_shown = copies_of(look, record, &path).any(|seen| seen.marked.there() == leaf_of(there));
            if !wants || is_shown || !self.is_asked_for(&path) || !policy.ways(&path, false).local {
                continue;
            }
            let place = plan.places.local.of(conflict.node);
            let (Some(place), Some(value)) = (place, value_here(plan, known, conflict.node)) else {
                continue;
            };
            let machine = self.who(policy, &conflict).remote;
            let mut names = (1..100).map(|number| copy_name(&value.name, &machine, there.content, number));
            let is_free = |name: &Name| tree.child(tree.at(place).parent, name).is_none();
            let Some((name, parent)) = names.find(is_free).zip(path.parent()) else { continue };
            let (copy, node) = (parent.join(&name), self.marking.next_node());
            let Some(leaf) = leaf_of(there) else { continue };
            let after = Some(Value { parent: value.parent, name, body: Body::Leaf(leaf) });
            plan.changes.local.push(Change { node, before: None, after, from: None, to: Some(copy.clone()) });
            let one = Marked::beside(record.id, &path, &copy, (here, there));
            self.marking.shown.push((node, one));
        }
    }

    /// Takes copies away whose conflict is over, if nobody wrote into them; else they are files like any other then.
    fn clear_copies(&mut self, plan: &mut Plan, record: &RemoteRecord, look: &Look) {
        for seen in look.scan.marked.copies.iter().filter(|seen| seen.marked.remote == record.id) {
            let Some(of) = seen.marked.path() else { continue };
            let is_open = plan.conflicts.iter().any(|conflict| {
                let there = files(conflict).and_then(|(_, there)| leaf_of(there));
                *conflict.path_on(Side::Local) == of && there.is_some() && there == seen.marked.there()
            });
            if is_open || !seen.is_as_written || !self.is_asked_for(&of) {
                continue;
            }
            let (node, entry) = (self.marking.next_node(), look.scan.tree.at(seen.place));
            let parent = plan.places.local.iter().find(|(_, at)| *at == entry.parent).map(|(node, _)| node);
            let parent = parent.unwrap_or(NodeId::ROOT);
            let before = Some(Value { parent, name: entry.name.clone(), body: Body::Leaf(seen.leaf) });
            plan.changes.local.push(Change {
                node,
                before,
                after: None,
                from: Some(seen.path.clone()),
                to: None,
            });
            let places = plan.places.local.iter().chain([(node, seen.place)]).collect();
            plan.places.local = Places::new(places);
            self.marking.cleared.push((node, of));
        }
    }

    /// What a person settled is agreed on as the version there, also where that is all there is to do.
    fn note_settled(&self, plan: &mut Plan, known: &Known) {
        for (node, _) in &self.marking.settled {
            if plan.rows.iter().all(|row| row.id != *node)
                && let Some(row) = known.row(*node)
            {
                plan.rows.push(row.clone());
            }
        }
        plan.rows.sort_by_key(|row| row.id);
    }

    /// Where a conflict is over and nothing comes, the version here gets its place back.
    fn clear(&mut self, plan: &mut Plan, known: &Known, record: &RemoteRecord, look: &Look) {
        for Seen { place, marked: one, path, is_as_written, .. } in &look.scan.marked.shown {
            let node = plan.places.local.iter().find(|(_, at)| at == place).map(|(node, _)| node);
            let (Some(node), Some(text)) = (node, one.text()) else { continue };
            let is_open = plan.conflicts.iter().any(|conflict| conflict.nodes.contains(&node));
            let comes = plan
                .changes
                .local
                .iter()
                .any(|change| change.node == node && change.kind() != ChangeKind::Move);
            if one.remote != record.id || is_open || comes || !is_as_written || !self.is_asked_for(path) {
                continue;
            }
            let at = plan.changes.local.iter().position(|change| change.node == node);
            let mut change = match at {
                Some(at) => plan.changes.local.remove(at),
                None => {
                    let Some(value) = value_here(plan, known, node) else { continue };
                    let path = Some(path.clone());
                    Change {
                        node,
                        before: Some(value.clone()),
                        after: Some(value),
                        from: path.clone(),
                        to: path,
                    }
                }
            };
            if let Some(Value { body: Body::Leaf(leaf), .. }) = &mut change.before {
                leaf.content = text;
            }
            plan.changes.local.push(change);
            self.marking.cleared.push((node, path.clone()));
        }
    }

    fn is_asked_for(&self, path: &TreePath) -> bool {
        let asked = &self.request.paths;
        (asked.is_empty() || asked.iter().any(|asked| path.is_within(asked)))
            && !self.held_back.contains(path)
    }

    fn marked_text(
        &self,
        conflict: &Conflict,
        (base, here, there): (&VersionLeaf, &VersionLeaf, &VersionLeaf),
        policy: &Policy,
        record: &RemoteRecord,
        (look, tools): (&Look, &mut Tools<'_, F>),
    ) -> Result<Option<Text>, EngineError> {
        let path = conflict.path_on(Side::Local);
        let Some(name) = path.name() else { return Ok(None) };
        let mut versions = Vec::new();
        for leaf in [base, here, there] {
            versions.extend(self.read_content(leaf.content, look, record, tools)?);
        }
        let [base, local, remote] = &versions[..] else { return Ok(None) };
        let who = self.who(policy, conflict);
        let names = PerSide::from_fn(|side: Side| who[side].as_str());
        let kind = policy.groups.of(path, false).and_then(|group| group.kind);
        let terms = Terms { kind, style: Style::Markers(names), ..Terms::of(&name) };
        match merge::contents(&terms, &Versions { base: Some(base), local, remote }) {
            Merged::Marked { content, signs, .. } => {
                let (content, _) = tools.staging.write(&mut content.as_slice())?;
                Ok(Some(Text { content, signs }))
            }
            Merged::Clean(_) | Merged::Undecided(_) => Ok(None),
        }
    }

    /// Notes what is about to be shown, before it is.
    pub(super) fn note_meant(&mut self) -> Result<(), EngineError> {
        if self.marking.shown.is_empty() && self.marking.cleared.is_empty() {
            return Ok(());
        }
        // What this cycle takes away is no answer of a person's, however it ends.
        let is_cleared = |path: &TreePath| self.marking.cleared.iter().any(|(_, cleared)| cleared == path);
        let meant =
            |one: Marked| if one.path().is_some_and(|path| is_cleared(&path)) { one.meant() } else { one };
        let mut all: Vec<Marked> = marked::all(&self.workspace.state)?.into_iter().map(meant).collect();
        for (_, one) in &self.marking.shown {
            all.retain(|other| other.path() != one.path());
            all.push(one.clone());
        }
        self.workspace.state.transact(|write| marked::note(write, &all))
    }

    /// The texts that show conflicts now that the cycle comes to its end.
    pub(super) fn marked_after(
        &self,
        record: &RemoteRecord,
        look: &Look,
        thought: &Thought,
        applied: &Applied,
        open: &[ConflictRecord],
    ) -> Result<Vec<Marked>, EngineError> {
        let open = open.iter().map(|record| Ok(conflict::read(record.clone())?.conflict));
        let open: Vec<Conflict> = open.collect::<Result<_, EngineError>>()?;
        let is_open = |path: &TreePath| {
            open.iter().any(|one| one.kind == ConflictKind::Content && one.path_on(Side::Local) == path)
        };
        let written = self.marking.shown.iter().filter(|(node, _)| !applied.failed.contains_key(node));
        let mut after: Vec<Marked> = written.map(|(_, one)| one.clone().placed()).collect();
        let goes_on = |node: &NodeId| thought.plan.rows.iter().all(|row| row.id != *node);
        let settled: Vec<Option<TreePath>> = self
            .marking
            .settled
            .iter()
            .filter(|(node, _)| !goes_on(node))
            .map(|(_, one)| one.path())
            .collect();
        for one in marked::all(&self.workspace.state)? {
            let met = &look.scan.marked;
            let seen = met.shown.iter().chain(&met.copies).find(|seen| seen.marked.is_that(&one));
            let Some(stood) = one.path() else { continue };
            let stands = seen.filter(|_| one.copy().is_none()).map_or(&stood, |seen| &seen.path);
            let path = moved(stands, &thought.plan, applied);
            let is_edited = one.copy().is_none() && seen.is_some_and(|seen| !seen.is_as_written);
            let stays = one.remote != record.id || is_edited || is_open(&path);
            let mut cleared = self.marking.cleared.iter();
            let is_gone = cleared.any(|(node, of)| *of == stood && !applied.failed.contains_key(node));
            let is_known = after.iter().any(|other| other.path().as_ref() == Some(&path));
            if stays && !is_gone && !is_known && !settled.contains(&Some(stood)) {
                let one = one.at(&path);
                after.push(if seen.is_some_and(|seen| seen.is_as_written) { one.placed() } else { one });
            }
        }
        Ok(after)
    }

    /// What there is to say of texts that got markers.
    pub(super) fn said_of_markers(&self, applied: &Applied) -> Vec<String> {
        let shown = self.marking.shown.iter().filter(|(node, _)| !applied.failed.contains_key(node));
        let (shows, stands) = match self.request.dry_run {
            true => ("would show", "would stand"),
            false => ("shows", "stands"),
        };
        let words = shown.filter_map(|(_, one)| {
            let path = one.path()?;
            Some(match one.copy() {
                None => format!(
                    "the file {path} {shows} both versions between markers on this machine; edit them away and sync, or \
                     `instep resolve` it"
                ),
                Some(copy) => format!(
                    "the other version of {path} {stands} beside it as {copy}, on this machine; delete that once yours \
                     is right, and sync, or `instep resolve` it"
                ),
            })
        });
        words.collect()
    }
}

/// The three files of a conflict of contents.
fn texts(conflict: &Conflict) -> Option<(&VersionLeaf, &VersionLeaf, &VersionLeaf)> {
    let (here, there) = files(conflict)?;
    Some((file(&conflict.base)?, here, there))
}

/// The two files of a conflict of contents.
fn files(conflict: &Conflict) -> Option<(&VersionLeaf, &VersionLeaf)> {
    if conflict.kind != ConflictKind::Content || conflict.settled {
        return None;
    }
    Some((file(&conflict.local)?, file(&conflict.remote)?))
}

fn file(version: &Option<Version>) -> Option<&VersionLeaf> {
    version.as_ref()?.leaf.as_ref().filter(|leaf| leaf.kind == LeafKind::File)
}

fn leaf_of(version: &VersionLeaf) -> Option<Leaf> {
    let VersionLeaf { kind, content, size, exec } = *version;
    (kind == LeafKind::File).then_some(Leaf { kind, content, size, exec })
}

/// The copies that show the other version of a file.
fn copies_of<'l>(
    look: &'l Look,
    record: &RemoteRecord,
    path: &TreePath,
) -> impl Iterator<Item = &'l Seen> + use<'l> {
    let (remote, path) = (record.id, path.clone());
    let copies = look.scan.marked.copies.iter();
    copies.filter(move |seen| seen.marked.remote == remote && seen.marked.path().as_ref() == Some(&path))
}

fn shown_at(look: &Look, place: Place) -> Option<&Seen> {
    look.scan.marked.shown.iter().find(|seen| seen.place == place)
}

/// What this side holds of a node, as the plan knows it.
fn value_here(plan: &Plan, known: &Known, node: NodeId) -> Option<Value> {
    let row: Option<&Row> = plan.rows.iter().find(|row| row.id == node).or_else(|| known.row(node));
    row?.views.side(Side::Local).cloned()
}

/// Where a path stands once a plan is carried out.
fn moved(path: &TreePath, plan: &Plan, applied: &Applied) -> TreePath {
    let moves = plan.changes.local.iter().filter(|change| !applied.failed.contains_key(&change.node));
    let above = moves.filter_map(|change| Some((change.from.as_ref()?, change.to.as_ref()?)));
    let found =
        above.filter(|(from, to)| from != to && path.is_within(from)).max_by_key(|(from, _)| from.depth());
    match found {
        Some((from, to)) => path.names().skip(from.depth()).fold(to.clone(), |path, name| path.join(&name)),
        None => path.clone(),
    }
}

/// The node that stood here at a path when the last cycle ended.
fn find(known: &Known, path: &TreePath) -> Option<NodeId> {
    path.names().try_fold(NodeId::ROOT, |folder, name| {
        let is_it = |row: &&Row| {
            row.views.side(Side::Local).is_some_and(|value| value.parent == folder && value.name == name)
        };
        Some(known.rows().iter().find(is_it)?.id)
    })
}

/// The remote's version in a conflict, whenever it was modified.
fn version_there(conflict: &Conflict) -> Option<(&TreePath, Option<VersionLeaf>)> {
    conflict.remote.as_ref().map(|version| (&version.path, version.leaf))
}
