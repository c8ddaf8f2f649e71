//! Conflicts and notes: what people are told, and why.

use super::hash::Map;
use super::value::{Idx, Stand, Val};
use super::world::{World, climb};
use crate::conflict::{Conflict, ConflictId, ConflictKind, Version, VersionLeaf};
use crate::content::{ContentHasher, ContentId};
use crate::mutant;
use crate::node::Side;
use crate::path::{Name, TreePath};
use crate::plan::{Note, NoteKind};
use crate::tree::LeafKind;

/// Why a node is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Something unknown stands where it was on that side.
    Frozen(Side),
    /// It is known to exist on that side, under something unknown.
    Lost(Side),
    /// Both sides changed its content.
    Content,
    /// Several nodes want one name: a group.
    Name(usize),
    /// One-way: only the target has it, or changed it. Nobody is told.
    Left,
    /// Its group goes one way, and this would change that side.
    OneWay(Side),
    /// It would go, and something unknown stands in it on that side.
    UnknownInside(Side),
    /// Folders would stand in a circle: a group.
    Cycle(usize),
    /// Something unknown has its name on that side.
    UnknownName(Side),
    /// Another node makes it wait.
    Because(Idx),
}

impl Why {
    /// What is told first where several reasons come to light at once: a cause that stands by itself goes before a mere
    /// consequence.
    pub(crate) fn order(self) -> u8 {
        match self {
            Why::Frozen(_) | Why::Lost(_) => 0,
            Why::Content | Why::Left | Why::OneWay(_) => 1,
            Why::UnknownInside(_) => 2,
            Why::UnknownName(_) => 3,
            Why::Cycle(_) => 4,
            Why::Name(_) => 5,
            Why::Because(_) => 6,
        }
    }
}

/// What one record is about.
struct Case {
    kind: ConflictKind,
    node: Idx,
    nodes: Vec<Idx>,
    /// Which node's version speaks for each side.
    versions: [Idx; 2],
    path: TreePath,
    why: String,
}

impl<'a> World<'a> {
    /// Leaves a note on a node that goes out if the node is not held in the end.
    pub(crate) fn note(&mut self, node: Idx, side: Side, kind: NoteKind) {
        let path = self.path(side, node);
        self.pending_notes.push((node, Note { path, kind }));
    }

    /// Records a disagreement about places that is settled at once.
    pub(crate) fn record_move(&mut self, nodes: Vec<Idx>, node: Idx) {
        let why = if nodes.len() > 1 {
            "Both sides moved folders into each other; one of the moves is undone."
        } else {
            "Both sides moved it, to different places."
        };
        let path = self.path(Side::Local, node);
        let case =
            Case { kind: ConflictKind::Move, node, nodes, versions: [node, node], path, why: why.to_owned() };
        let conflict = self.conflict(case, true);
        self.pending_moves.push((node, conflict));
    }

    /// The settled moves and the notes of this round come to stay, except where the node is held after all.
    pub(crate) fn keep_records(&mut self) {
        for (node, mut conflict) in std::mem::take(&mut self.pending_moves) {
            if !self.is_held(node) {
                conflict.path = self.goal_path(node);
                self.settled.push(conflict);
            }
        }
        for (node, note) in std::mem::take(&mut self.pending_notes) {
            if !self.is_held(node) {
                self.notes.push(note);
            }
        }
    }

    /// One record for each cause of a hold, with what waits because of it.
    pub(crate) fn conflicts(&self) -> Vec<Conflict> {
        let mut waiting: Map<Idx, Vec<TreePath>> = Map::default();
        let mut causes: Vec<Idx> = Vec::new();
        let mut nodes: Vec<Idx> = self.why.keys().copied().collect();
        nodes.sort_unstable();
        for &node in &nodes {
            let cause = self.cause(node);
            if cause == node {
                causes.push(node);
            } else if !self.is_agreed(node) && self.why.contains_key(&cause) {
                waiting.entry(cause).or_default().extend(self.paths(node));
            }
        }
        let mut conflicts = Vec::new();
        for node in causes {
            let mut waits = Vec::new();
            for member in self.members(node) {
                waits.extend(waiting.get(&member).into_iter().flatten().cloned());
            }
            waits.sort();
            waits.dedup();
            if let Some(case) = self.case(node, !waits.is_empty()) {
                let mut conflict = self.conflict(case, false);
                conflict.waiting = waits;
                conflicts.push(conflict);
            }
        }
        conflicts
    }

    /// The known folders that wait for one of these nodes and that a side has.
    pub(crate) fn folders_waiting(&self, nodes: &[Idx], side: Side) -> Vec<Idx> {
        let waits = |node: &Idx| {
            let is_folder = self.val(side, *node).is_some_and(|val| val.is_folder());
            is_folder && (*node as usize) < self.index.len() && nodes.contains(&self.cause(*node))
        };
        let mut folders: Vec<Idx> = self.why.keys().copied().filter(waits).collect();
        folders.sort_unstable();
        folders
    }

    /// What a node waits for in the end: itself, if it stands for itself.
    fn cause(&self, node: Idx) -> Idx {
        let mut at = node;
        for _ in 0..self.why.len() {
            match self.why.get(&at) {
                Some(&Why::Because(other)) => at = other,
                _ => return at,
            }
        }
        // They wait for each other.
        let circle = self.why.keys().copied().filter(|&other| self.reaches(node, other));
        circle.min_by_key(|&other| (self.fingerprint(other), other)).unwrap_or(node)
    }

    fn reaches(&self, from: Idx, to: Idx) -> bool {
        let mut at = from;
        for _ in 0..self.why.len() * 2 {
            match self.why.get(&at) {
                Some(&Why::Because(other)) => at = other,
                _ => return false,
            }
        }
        // Now inside the circle: once round.
        let start = at;
        loop {
            if at == to {
                return true;
            }
            match self.why.get(&at) {
                Some(&Why::Because(other)) if other != start => at = other,
                _ => return false,
            }
        }
    }

    fn members(&self, node: Idx) -> Vec<Idx> {
        match self.why.get(&node) {
            Some(&(Why::Name(group) | Why::Cycle(group))) => {
                let mut nodes = self.groups[group].clone();
                nodes.sort_unstable();
                nodes
            }
            _ => vec![node],
        }
    }

    /// What a record about a node says; `None` if nobody need be told, or another node tells it.
    fn case(&self, node: Idx, waited_for: bool) -> Option<Case> {
        let members = self.members(node);
        let path = self.shown_path(node);
        let one = |kind, why: &str| {
            Some(Case {
                kind,
                node,
                nodes: vec![node],
                versions: [node, node],
                path: path.clone(),
                why: why.into(),
            })
        };
        match *self.why.get(&node)? {
            Why::Left => None,
            Why::Content => one(ConflictKind::Content, self.content_why(node)),
            Why::Name(_) => self.name_case(members),
            Why::Cycle(_) if members[0] != node => None,
            Why::Cycle(_) => {
                let why = "Folders would stand inside each other.".to_owned();
                let versions = [node, node];
                Some(Case { kind: ConflictKind::Held, node, nodes: members, versions, path, why })
            }
            Why::UnknownInside(side) => one(
                ConflictKind::Held,
                &format!(
                    "Deleted {}, but something that is not synced stands inside {}.",
                    there(side.other()),
                    there(side)
                ),
            ),
            Why::UnknownName(side) => one(
                ConflictKind::Held,
                &format!("Something that is not synced has this name {}.", there(side)),
            ),
            Why::OneWay(side) => one(
                ConflictKind::Held,
                &format!("This would change {} what goes only the other way.", there(side)),
            ),
            Why::Frozen(side) | Why::Lost(side) => {
                let changed = !self.hidden[side.other()].contains_key(&node)
                    && self.val(side.other(), node) != self.val(Stand::Base, node);
                let why =
                    format!("It can't be seen {}, and it changed {}.", there(side), there(side.other()));
                if changed || waited_for { one(ConflictKind::Problem, &why) } else { None }
            }
            Why::Because(_) => one(ConflictKind::Held, "It waits for others that wait for it."),
        }
    }

    fn content_why(&self, node: Idx) -> &'static str {
        match self.val(Stand::Base, node) {
            Some(_) => "Both sides changed it.",
            None => "Both sides created it, differently.",
        }
    }

    /// A contested name is one record, shown at that name, and lists its claimants.
    fn name_case(&self, members: Vec<Idx>) -> Option<Case> {
        let goals: Vec<(Idx, Val<'a>)> =
            members.iter().filter_map(|&node| Some((node, self.goal[node as usize]?))).collect();
        let seat = goals.first().map(|(_, goal)| self.seat(None, goal.parent, goal.name))?;
        let stands = |side: Side| {
            let at = |node: &Idx| {
                self.val(side, *node).is_some_and(|val| self.seat(None, val.parent, val.name) == seat)
            };
            members.iter().copied().find(at)
        };
        let (local, remote) = (stands(Side::Local), stands(Side::Remote));
        let node = local.or(remote).unwrap_or(members[0]);
        let other = |taken: Idx| members.iter().copied().find(|&node| node != taken).unwrap_or(taken);
        let versions = match (local, remote) {
            // One thing stands at the name on both sides: the other one is in a folder that is to become this one's.
            (Some(same), Some(remote)) if same == remote => match self.val(Side::Remote, other(same)) {
                Some(_) => [same, other(same)],
                None => [other(same), same],
            },
            (Some(local), Some(remote)) => [local, remote],
            (Some(local), None) => [local, other(local)],
            (None, Some(remote)) => [other(remote), remote],
            (None, None) => [members[0], members[1]],
        };
        let name = self.goal[node as usize]?.name;
        let path = self.goal_path(seat.0).join(name);
        let why = "Different things want the same name.".to_owned();
        Some(Case { kind: ConflictKind::Name, node, nodes: members, versions, path, why })
    }

    fn conflict(&self, case: Case, settled: bool) -> Conflict {
        let [here, there] = case.versions;
        // What stands where nobody can look may be another version by now, and nobody could give the last one back.
        let seen = |side: Side, node| {
            if self.is_frozen(side, node) { None } else { self.version(side.into(), node) }
        };
        let (local, remote) = match mutant::is_on("conflict-swaps-sides") {
            true => (seen(Side::Remote, there), seen(Side::Local, here)),
            false => (seen(Side::Local, here), seen(Side::Remote, there)),
        };
        let mut nodes: Vec<_> = case.nodes.iter().map(|&node| self.id(node)).collect();
        nodes.sort_unstable();
        Conflict {
            id: self.conflict_id(&case),
            kind: case.kind,
            node: self.id(case.node),
            nodes,
            base: self.version(Stand::Base, case.node),
            local,
            remote,
            path: case.path,
            why: case.why,
            waiting: Vec::new(),
            settled,
        }
    }

    fn version(&self, stand: Stand, node: Idx) -> Option<Version> {
        let val = self.val(stand, node)?;
        let leaf = val.leaf.map(|leaf| VersionLeaf {
            kind: leaf.kind,
            content: leaf.content,
            size: leaf.size,
            exec: leaf.exec,
        });
        let modified = stand.side().and_then(|side| self.modified(side, node));
        Some(Version { path: self.path(stand, node), leaf, modified })
    }

    /// Where people may look for it: here and there, where these differ, else where it was.
    fn paths(&self, node: Idx) -> Vec<TreePath> {
        let stands = [Stand::Local, Stand::Remote];
        let mut paths: Vec<TreePath> = stands
            .into_iter()
            .filter(|&stand| self.val(stand, node).is_some())
            .map(|stand| self.path(stand, node))
            .collect();
        paths.dedup();
        if paths.is_empty() { vec![self.shown_path(node)] } else { paths }
    }

    /// Where people find it: here, or where it was seen last if that is out of sight; else there, else where it was.
    fn shown_path(&self, node: Idx) -> TreePath {
        let mut stands = [Stand::Local, Stand::Remote, Stand::Base].into_iter();
        let stand = stands.find(|&stand| self.to_remember(stand, node).is_some()).unwrap_or(Stand::Base);
        climb(node, |at| self.to_remember(stand, at)).unwrap_or_default()
    }

    /// The same on every machine, and while parents move: kind, own name, and the values without their folders.
    fn conflict_id(&self, case: &Case) -> ConflictId {
        let mut parts: Vec<Vec<u8>> = case.nodes.iter().map(|&node| self.fingerprint(node)).collect();
        parts.sort();
        let mut hasher = ContentHasher::new();
        hasher.update(case.kind.word().as_bytes());
        hasher.update(&[0]);
        // Of several spellings of one name the first, so that it does not matter who holds which.
        let goals = case.nodes.iter().filter_map(|&node| self.goal[node as usize]);
        if case.kind == ConflictKind::Name
            && let Some(name) = goals.map(|goal| goal.name).min()
        {
            hasher.update(name.as_bytes());
        }
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(&part);
        }
        ConflictId(hasher.finish())
    }

    pub(crate) fn fingerprint(&self, node: Idx) -> Vec<u8> {
        // Out of sight is out of sight, wherever it went.
        let [base, local, remote] = Stand::ALL.map(|stand| encode(self.to_remember(stand, node)));
        let mut sides = [local, remote];
        sides.sort();
        let mut bytes = base;
        bytes.extend(sides.concat());
        bytes
    }
}

fn encode(val: Option<Val<'_>>) -> Vec<u8> {
    let Some(val) = val else { return vec![0] };
    let mut bytes = vec![1];
    let add_name = |bytes: &mut Vec<u8>, name: &Name| {
        bytes.extend((name.as_bytes().len() as u32).to_le_bytes());
        bytes.extend(name.as_bytes());
    };
    add_name(&mut bytes, val.name);
    match val.leaf {
        None => bytes.push(0),
        Some(leaf) => {
            bytes.push(if leaf.kind == LeafKind::File { 1 } else { 2 });
            bytes.push(leaf.exec.into());
            let content: &ContentId = &leaf.content;
            bytes.extend(content.as_bytes());
        }
    }
    bytes
}

fn there(side: Side) -> &'static str {
    match side {
        Side::Local => "here",
        Side::Remote => "at the remote",
    }
}
