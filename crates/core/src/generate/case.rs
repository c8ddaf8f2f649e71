//! One life of two sides, from a seed: build, edit, reconcile, carry out, and look whether every promise held.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::Random;
use super::disk::{Disk, Id, Listing};
use super::draw::draw;
use super::edit::{Editor, Effect};
use super::rows::record;
use crate::config::{FileKind, Group};
use crate::conflict::{Conflict, ConflictId, ConflictKind};
use crate::content::ContentId;
use crate::filter::Groups;
use crate::node::{Known, NodeId, PerSide, Row, Side, Views};
use crate::path::{Name, TreePath};
use crate::plan::{MergeAnswer, MergeInput, Plan};
use crate::policy::{Direction, Fold, Policy, Strategy};
use crate::reconcile::reconcile;
use crate::renames::{Rename, Renames};
use crate::tree::Leaf;

/// What a seed found, with all that is needed to understand it.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was broken.
    pub why: String,
    /// The trees and edits up to there.
    pub story: String,
}

/// Runs the life that a seed stands for; answers how many cycles it had.
pub fn run(seed: u64) -> Result<u32, Failure> {
    let mut life = Life::new(seed);
    life.live().map_err(|why| Failure { seed, why, story: life.story.join("\n") })?;
    Ok(life.cycles)
}

struct Life {
    random: Random,
    disks: PerSide<Disk>,
    known: Known,
    policy: Policy,
    groups: Vec<Group>,
    story: Vec<String>,
    cycles: u32,
    merges: RefCell<BTreeMap<ContentId, [ContentId; 2]>>,
}

/// What the edits of one round were.
#[derive(Default)]
struct Edited {
    sides: BTreeSet<Side>,
    only_moves: bool,
    unrelated: Option<(Side, Name)>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let births = random.percent(70);
        let mut disk = |keyed: usize| {
            let case = random.percent(12);
            Disk::new(random.percent(keyed), births, Fold { case, unicode: false })
        };
        let disks = PerSide { local: disk(75), remote: disk(25) };
        let strategies = [
            Strategy::Merge,
            Strategy::AskUser,
            Strategy::LastWriteWins,
            Strategy::KeepLocal,
            Strategy::KeepRemote,
            Strategy::Both,
        ];
        let directions = [
            Direction::Both,
            Direction::Both,
            Direction::Both,
            Direction::Both,
            Direction::Push,
            Direction::Pull,
        ];
        let groups =
            if random.percent(25) { some_groups(&mut random, &directions, &strategies) } else { vec![] };
        let (direction, mirror) = (directions[random.below(6)], random.percent(50));
        let limited = direction == Direction::Both && random.percent(20);
        let limit = match (mirror, limited) {
            (true, false) => direction,
            (_, true) => directions[4 + random.below(2)],
            (false, false) => Direction::Both,
        };
        let mirror = mirror && !limited;
        let policy = Policy {
            direction,
            limit,
            mirror,
            strategy: strategies[random.below(6)],
            groups: Groups::new(&groups).expect("because they are good patterns"),
            fold: PerSide::from_fn(|side| disks[side].fold),
            machines: PerSide { local: "here".to_owned(), remote: "there".to_owned() },
            ..Policy::default()
        };
        Life {
            random,
            disks,
            known: Known::default(),
            policy,
            groups,
            story: Vec::new(),
            cycles: 0,
            merges: RefCell::default(),
        }
    }

    fn live(&mut self) -> Result<(), String> {
        self.build()?;
        let rounds = if self.random.percent(25) { 2 } else { 1 };
        for round in 0..rounds {
            let edited = self.edit(round);
            self.cycle(&edited)?;
        }
        if self.random.percent(30) {
            self.choose()?;
        }
        if self.random.percent(20) {
            self.policy.strategy =
                if self.random.percent(50) { Strategy::KeepLocal } else { Strategy::KeepRemote };
            self.cycle(&Edited::default())?;
        }
        if self.random.percent(15) {
            (self.policy.direction, self.policy.limit) = (Direction::Push, Direction::Push);
            self.policy.mirror = true;
            self.cycle(&Edited::default())?;
        }
        Ok(())
    }

    /// A person settles each open conflict, one way or another.
    fn choose(&mut self) -> Result<(), String> {
        let seen = PerSide::from_fn(|side| self.disks[side].list(&mut self.random));
        let plan = self.plan(&self.known, PerSide { local: &seen.local, remote: &seen.remote }, &self.policy);
        let mut contents = BTreeSet::new();
        for conflict in plan.conflicts.iter().filter(|conflict| !conflict.settled) {
            let choices = [Strategy::KeepLocal, Strategy::KeepRemote, Strategy::Both];
            let choice = choices[self.random.below(3)];
            self.policy.chosen.extend(conflict.nodes.iter().map(|&node| (node, choice)));
            let two_way = self.goes_both_ways() && !self.policy.groups.have_directions();
            let settles = two_way || choice != Strategy::Both;
            if conflict.kind == ConflictKind::Content && settles {
                contents.insert(conflict.node);
            }
        }
        if self.policy.chosen.is_empty() {
            return Ok(());
        }
        self.story.push(format!("chosen {:?}", self.policy.chosen));
        let plan = self.cycle(&Edited::default())?;
        self.policy.chosen.clear();
        let open =
            plan.conflicts.iter().find(|c| c.kind == ConflictKind::Content && contents.contains(&c.node));
        open.map_or(Ok(()), |conflict| Err(format!("{} is still open", told(conflict))))
    }

    /// Both sides hold the same and know it; half of the time one of them was empty at first.
    fn build(&mut self) -> Result<(), String> {
        let strategy = std::mem::replace(&mut self.policy.strategy, Strategy::AskUser);
        let direction = std::mem::replace(&mut self.policy.direction, Direction::Both);
        let limit = std::mem::take(&mut self.policy.limit);
        let groups = std::mem::take(&mut self.policy.groups);
        let fold = self.policy.fold.local.or(self.policy.fold.remote);
        let own = std::mem::replace(&mut self.disks.local.fold, fold);
        let most = if self.random.percent(30) { 29 } else { 10 };
        let entries = 2 + self.random.below(most);
        self.editor(Side::Local, "base".to_owned(), None).fill(entries);
        self.disks.local.fold = own;
        if self.random.percent(50) {
            let (keyed, fold) = (self.disks.remote.keyed, self.disks.remote.fold);
            self.disks.remote = self.disks.local.clone();
            self.disks.remote.keyed = keyed;
            self.disks.remote.fold = fold;
        }
        self.tell("base");
        let edited = Edited { sides: [Side::Local].into(), ..Edited::default() };
        self.cycle(&edited)?;
        (self.policy.strategy, self.policy.direction) = (strategy, direction);
        (self.policy.limit, self.policy.groups) = (limit, groups);
        for group in &self.groups {
            self.story.push(format!("{}: {:?} {:?}", group.name, group.direction, group.strategy));
        }
        self.story.push(format!(
            "{:?} limit={:?} mirror={} {:?} keyed={:?}/{:?} births={} fold={:?}/{:?}",
            self.policy.direction,
            self.policy.limit,
            self.policy.mirror,
            self.policy.strategy,
            self.disks.local.keyed,
            self.disks.remote.keyed,
            self.disks.local.births,
            self.policy.fold.local.case,
            self.policy.fold.remote.case,
        ));
        Ok(())
    }

    fn editor(&mut self, side: Side, mark: String, aim: Option<Name>) -> Editor<'_> {
        Editor { disk: &mut self.disks[side], random: &mut self.random, mark, aim, made: 0, log: Vec::new() }
    }

    fn edit(&mut self, round: u32) -> Edited {
        let mut edited = Edited { only_moves: true, ..Edited::default() };
        let top: Vec<Name> =
            self.disks.local.all().filter(|t| t.1.parent == 0).map(|t| t.1.name.clone()).collect();
        let aim = if self.random.percent(40) { self.random.pick(&top).cloned() } else { None };
        let sides = match self.random.below(8) {
            0 => vec![Side::Local],
            1 => vec![Side::Remote],
            _ => vec![Side::Local, Side::Remote],
        };
        for side in sides {
            let later = self.random.below(40) as i64;
            self.disks[side].wait(later);
            let most = if self.random.percent(40) { 10 } else { 3 };
            let edits = 1 + self.random.below(most);
            let stood = self.paths(side);
            let mark = format!("{}{round}-", if side == Side::Local { "l" } else { "r" });
            let mut editor = self.editor(side, mark, aim.clone());
            for _ in 0..edits {
                if let Some(effect) = editor.edit() {
                    edited.only_moves &= effect == Effect::Moved;
                    edited.sides.insert(side);
                }
            }
            let log = std::mem::take(&mut editor.log);
            self.story.push(format!("{side:?}: {}", log.join(", ")));
            self.tell_renames(side, &stood);
        }
        if self.random.percent(25) {
            let side = if self.random.percent(50) { Side::Local } else { Side::Remote };
            let name = Name::new(format!("unrelated{round}").as_bytes()).expect("because it is a good name");
            let folder = self.disks[side].create(0, name.clone(), None);
            let leaf = super::disk::file(&format!("unrelated {round}"));
            self.disks[side].create(folder, name.clone(), Some(leaf));
            edited.unrelated = Some((side, name));
            edited.sides.insert(side);
            edited.only_moves = false;
        }
        for side in Side::BOTH {
            if !self.disks[side].births {
                self.disks[side].renumber();
            }
        }
        self.tell("edited");
        edited
    }

    fn paths(&self, side: Side) -> BTreeMap<Id, TreePath> {
        self.disks[side].all().map(|(id, _)| (id, self.disks[side].path(id))).collect()
    }

    /// A side may say what it renamed; it may say other things too, which must harm nobody.
    fn tell_renames(&mut self, side: Side, stood: &BTreeMap<Id, TreePath>) {
        let stands = self.paths(side);
        let mut told = Vec::new();
        if self.random.percent(50) {
            let both = stood.iter().filter_map(|(id, from)| Some((from, stands.get(id)?)));
            told.extend(both.map(|(from, to)| Rename { from: from.clone(), to: to.clone() }));
        }
        if self.random.percent(30) {
            let (from, to): (Vec<&TreePath>, Vec<&TreePath>) =
                (stood.values().collect(), stands.values().collect());
            for _ in 0..1 + self.random.below(5) {
                if let (Some(from), Some(to)) = (self.random.pick(&from), self.random.pick(&to)) {
                    told.push(Rename { from: (*from).clone(), to: (*to).clone() });
                }
            }
        }
        self.policy.renames[side] = Renames::through([told.as_slice()]);
        self.story.push(format!("{side:?} tells {:?}", self.policy.renames[side].all()));
    }

    fn tell(&mut self, what: &str) {
        let drawings = Side::BOTH.map(|side| draw(&self.disks[side], &[]));
        self.story.push(format!("{what}\n  L {}\n  R {}", drawings[0], drawings[1]));
    }

    fn plan(&self, known: &Known, seen: PerSide<&Listing>, policy: &Policy) -> Plan {
        let answer = |input: &MergeInput| self.answer(input);
        reconcile(known, PerSide::from_fn(|side| &seen[side].tree), policy, &answer)
    }

    /// A merge that can be sure about half of all contents, whichever side they come from.
    fn answer(&self, input: &MergeInput) -> MergeAnswer {
        let mut both = [input.local, input.remote];
        both.sort();
        let content = ContentId::of(&[&both[0].as_bytes()[..], &both[1].as_bytes()[..]].concat());
        if content.as_bytes()[0] < 128 {
            return MergeAnswer::Undecided;
        }
        self.merges.borrow_mut().insert(content, both);
        MergeAnswer::Clean { content, size: 100 }
    }

    /// The present moment: the later of what both sides' clocks say.
    fn now(&self) -> i64 {
        self.disks.local.now().max(self.disks.remote.now())
    }

    /// One cycle, and one more that must find nothing to do.
    fn cycle(&mut self, edited: &Edited) -> Result<Plan, String> {
        self.cycles += 1;
        let seen = PerSide::from_fn(|side| self.disks[side].list(&mut self.random));
        let seen = PerSide { local: &seen.local, remote: &seen.remote };
        let plan = self.plan(&self.known, seen, &self.policy);
        self.check_order(&plan)?;
        self.check_exchange(&plan, seen)?;
        let before = self.disks.clone_both();
        let mut things = PerSide::<BTreeMap<NodeId, Id>>::default();
        let at = self.now();
        for side in Side::BOTH {
            things[side] = self.disks[side].apply(side, &plan, seen[side], at)?;
        }
        self.tell("done");
        let conflicts: Vec<String> = plan.conflicts.iter().map(told).collect();
        self.story.push(format!("  {}", conflicts.join(", ")));
        self.check_unknown(&before)?;
        self.check_contents(&before)?;
        self.check_directions(&before)?;
        self.check_one_sided(&before, edited, &plan)?;
        self.check_moves(&before, edited)?;
        self.check_unrelated(edited)?;
        let disks = PerSide { local: &self.disks.local, remote: &self.disks.remote };
        let things = PerSide { local: &things.local, remote: &things.remote };
        self.known = record(&self.known, &plan, disks, things);
        self.policy.renames = PerSide::default();
        self.check_quiet(&plan)?;
        Ok(plan)
    }

    /// The order in which a scan lists folders tells nothing.
    fn check_order(&mut self, plan: &Plan) -> Result<(), String> {
        let seen = PerSide::from_fn(|side| self.disks[side].list(&mut self.random));
        let other =
            self.plan(&self.known, PerSide { local: &seen.local, remote: &seen.remote }, &self.policy);
        let same = plan.changes == other.changes
            && plan.rows == other.rows
            && plan.forgotten == other.forgotten
            && plan.conflicts == other.conflicts
            && plan.notes == other.notes
            && plan.next == other.next;
        if same { Ok(()) } else { Err("another order of listing gives another plan".to_owned()) }
    }

    /// Exchanged sides give exchanged results, where the strategy knows no side.
    fn check_exchange(&self, plan: &Plan, seen: PerSide<&Listing>) -> Result<(), String> {
        let policy = &self.policy;
        let exchange = |strategy: &Strategy| match strategy {
            Strategy::KeepLocal => Strategy::KeepRemote,
            Strategy::KeepRemote => Strategy::KeepLocal,
            other => *other,
        };
        let own = self.groups.iter().filter_map(|group| group.strategy.as_ref());
        if policy
            .chosen
            .values()
            .chain([&policy.strategy])
            .chain(own)
            .any(|strategy| *strategy == Strategy::Both)
        {
            return Ok(());
        }
        let turn = |direction: Direction| match direction {
            Direction::Both => Direction::Both,
            Direction::Pull => Direction::Push,
            Direction::Push => Direction::Pull,
        };
        let groups = self.groups.iter().cloned().map(|group| Group {
            direction: group.direction.map(turn),
            strategy: group.strategy.as_ref().map(exchange),
            ..group
        });
        let groups: Vec<Group> = if policy.groups.have_any() { groups.collect() } else { vec![] };
        let exchanged = Policy {
            direction: turn(policy.direction),
            limit: turn(policy.limit),
            groups: Groups::new(&groups).expect("because they are good patterns"),
            strategy: exchange(&policy.strategy),
            chosen: policy.chosen.iter().map(|(node, strategy)| (*node, exchange(strategy))).collect(),
            fold: PerSide { local: policy.fold.remote, remote: policy.fold.local },
            machines: PerSide {
                local: policy.machines.remote.clone(),
                remote: policy.machines.local.clone(),
            },
            renames: PerSide { local: policy.renames.remote.clone(), remote: policy.renames.local.clone() },
            ..policy.clone()
        };
        let rows = self.known.rows().iter().map(|row| Row {
            id: row.id,
            views: Views::of(
                row.views.base().cloned(),
                row.views.side(Side::Remote).cloned(),
                row.views.side(Side::Local).cloned(),
            ),
            keys: PerSide { local: row.keys.remote, remote: row.keys.local },
        });
        let known = Known::new(rows.collect(), self.known.next);
        let other = self.plan(&known, PerSide { local: seen.remote, remote: seen.local }, &exchanged);
        for side in Side::BOTH {
            let mut one = self.disks[side].clone();
            one.apply(side, plan, seen[side], self.now())?;
            let mut two = self.disks[side].clone();
            two.apply(side.other(), &other, seen[side], self.now())?;
            let (one, two) = (draw(&one, &[]), draw(&two, &[]));
            if one != two {
                let told = |plan: &Plan| plan.conflicts.iter().map(told).collect::<Vec<_>>().join(", ");
                return Err(format!(
                    "exchanged sides differ on {side:?}:\n  {one}\n  {two}\n  {}\n  {}",
                    told(plan),
                    told(&other)
                ));
            }
        }
        let ids = |plan: &Plan| plan.conflicts.iter().map(|c| c.id).collect::<BTreeSet<ConflictId>>();
        if ids(plan) == ids(&other) {
            Ok(())
        } else {
            let told = |plan: &Plan| plan.conflicts.iter().map(told).collect::<Vec<_>>().join(", ");
            Err(format!("exchanged sides have other conflicts:\n  {}\n  {}", told(plan), told(&other)))
        }
    }

    fn check_unknown(&self, before: &PerSide<Disk>) -> Result<(), String> {
        for side in Side::BOTH {
            for (id, was) in before[side].all().filter(|(_, thing)| thing.unknown.is_some()) {
                let path = before[side].path(id);
                if !self.disks[side].has(id) {
                    return Err(format!("{side:?}: {path} takes no part, and is gone"));
                }
                let is = self.disks[side].at(id);
                if (is.parent, &is.name, &is.leaf) != (was.parent, &was.name, &was.leaf) {
                    return Err(format!("{side:?}: {path} takes no part, and was moved or changed"));
                }
            }
        }
        Ok(())
    }

    /// No content that only one side knows may be gone, unless a standing answer said so.
    fn check_contents(&self, before: &PerSide<Disk>) -> Result<(), String> {
        let keeps =
            |strategy: &Strategy| matches!(strategy, Strategy::Merge | Strategy::AskUser | Strategy::Both);
        let keeps_all = self.policy.chosen.is_empty()
            && self.groups.iter().filter_map(|group| group.strategy.as_ref()).all(keeps)
            && match self.policy.direction {
                _ if self.policy.groups.have_any() => keeps(&self.policy.strategy) && !self.policy.mirror,
                Direction::Both => keeps(&self.policy.strategy),
                _ => !self.policy.mirror,
            };
        if !keeps_all {
            return Ok(());
        }
        let agreed: BTreeSet<ContentId> =
            self.known.rows().iter().filter_map(|row| row.views.base()?.body.content()).collect();
        let mut kept = BTreeSet::new();
        for side in Side::BOTH {
            for content in self.disks[side].contents() {
                self.keep_with_parts(content, &mut kept);
            }
        }
        for side in Side::BOTH {
            if let Some(content) = before[side]
                .contents()
                .into_iter()
                .find(|content| !agreed.contains(content) && !kept.contains(content))
            {
                return Err(format!("{side:?}: the new content {content:?} is nowhere"));
            }
        }
        Ok(())
    }

    fn keep_with_parts(&self, content: ContentId, kept: &mut BTreeSet<ContentId>) {
        if kept.insert(content)
            && let Some(parts) = self.merges.borrow().get(&content)
        {
            parts.iter().for_each(|&part| self.keep_with_parts(part, kept));
        }
    }

    /// What goes only one way is never changed on the side that it comes from, nor sent to the side that it never goes
    /// to: whatever strategy, mirror or move is on its way.
    fn check_directions(&self, before: &PerSide<Disk>) -> Result<(), String> {
        if !self.policy.chosen.is_empty() {
            return Ok(());
        }
        let fixed = |side: Side, disk: &Disk| -> BTreeMap<String, Option<Leaf>> {
            // What takes no part travels with its folder, whatever stands in it.
            let unseen = disk.all().filter(|(_, thing)| thing.unknown.is_some()).map(|(id, _)| disk.path(id));
            let unseen: Vec<TreePath> = unseen.collect();
            let seen = disk.all().filter(|(id, _)| !unseen.iter().any(|path| disk.path(*id).is_within(path)));
            let paths = seen.map(|(id, thing)| (disk.path(id), thing.leaf));
            let fixed = paths.filter(|(path, leaf)| !self.policy.ways(path, leaf.is_none())[side]);
            fixed.map(|(path, leaf)| (path.to_string(), leaf)).collect()
        };
        for side in Side::BOTH {
            let (was, is) = (fixed(side, &before[side]), fixed(side, &self.disks[side]));
            let mut paths = was.keys().chain(is.keys());
            if let Some(path) = paths.find(|path| was.get(*path) != is.get(*path)) {
                return Err(format!("{side:?}: {path} goes only the other way, and was changed"));
            }
        }
        Ok(())
    }

    fn all_seen(disks: &PerSide<Disk>) -> bool {
        Side::BOTH.iter().all(|&side| disks[side].all().all(|(_, thing)| thing.unknown.is_none()))
    }

    fn is_plain(&self, before: &PerSide<Disk>) -> bool {
        let held = self.known.rows().iter().any(|row| matches!(row.views, Views::Held(_)));
        let folds = self.policy.fold.local.or(self.policy.fold.remote) != Fold::default();
        let directions = self.policy.groups.have_directions();
        self.goes_both_ways() && !directions && Self::all_seen(before) && !held && !folds
    }

    fn goes_both_ways(&self) -> bool {
        [self.policy.direction, self.policy.limit] == [Direction::Both; 2]
    }

    /// What one side alone did is what both have then.
    fn check_one_sided(&self, before: &PerSide<Disk>, edited: &Edited, plan: &Plan) -> Result<(), String> {
        let [Some(&side), None] = [edited.sides.first(), edited.sides.iter().nth(1)] else { return Ok(()) };
        if !self.is_plain(before) || (self.known.is_first_contact() && !plan.changes[side].is_empty()) {
            return Ok(());
        }
        let wanted = draw(&before[side], &[]);
        for to in Side::BOTH {
            let is = draw(&self.disks[to], &[]);
            if is != wanted {
                return Err(format!("only {side:?} was edited, yet {to:?} is\n  {is}\nnot\n  {wanted}"));
            }
        }
        if plan.conflicts.is_empty() { Ok(()) } else { Err("a conflict where one side acted".to_owned()) }
    }

    /// Where every inode tells what it is, moves on both sides make no duplicates and lose nothing.
    fn check_moves(&self, before: &PerSide<Disk>, edited: &Edited) -> Result<(), String> {
        let sure = Side::BOTH.iter().all(|&side| before[side].keyed && before[side].births);
        if !edited.only_moves || !sure || !self.is_plain(before) || self.known.is_first_contact() {
            return Ok(());
        }
        for side in Side::BOTH {
            let count = |disk: &Disk| disk.all().filter(|(_, thing)| thing.leaf.is_some()).count();
            if count(&before[side]) != count(&self.disks[side]) {
                return Err(format!("{side:?}: moves alone changed the number of files"));
            }
        }
        Ok(())
    }

    fn check_unrelated(&self, edited: &Edited) -> Result<(), String> {
        let Some((from, name)) = &edited.unrelated else { return Ok(()) };
        let goes = [self.policy.direction, self.policy.limit].iter().all(|way| way.changes(from.other()));
        let stands = |side: Side| {
            let disk = &self.disks[side];
            disk.child(0, name).and_then(|folder| disk.child(folder, name)).is_some()
        };
        if !goes || (stands(Side::Local) && stands(Side::Remote)) {
            Ok(())
        } else {
            Err("an unrelated folder did not arrive".to_owned())
        }
    }

    /// The next cycle has nothing to do and tells the same conflicts.
    fn check_quiet(&mut self, plan: &Plan) -> Result<(), String> {
        let seen = PerSide::from_fn(|side| self.disks[side].list(&mut self.random));
        let next = self.plan(&self.known, PerSide { local: &seen.local, remote: &seen.remote }, &self.policy);
        if !next.is_quiet() {
            let all =
                Side::BOTH.into_iter().flat_map(|side| next.changes[side].iter().map(move |c| (side, c)));
            let told: Vec<String> = all
                .map(|(side, c)| format!("{side:?} {:?} {:?} {:?} -> {:?}", c.kind(), c.node.0, c.from, c.to))
                .collect();
            return Err(format!("the next cycle is not quiet:\n  {}", told.join("\n  ")));
        }
        if !next.rows.is_empty() || !next.forgotten.is_empty() {
            return Err(format!("the next cycle has rows: {:#?} {:?}", next.rows, next.forgotten));
        }
        // Which of several that can't go one way is told may change with what the others did.
        let is_one_way = |c: &Conflict| c.why.ends_with("goes only the other way.");
        // So do the paths that wait for the one or the other.
        let any_one_way = [plan, &next].iter().any(|plan| plan.conflicts.iter().any(is_one_way));
        let shown = |c: &Conflict| {
            let waiting = if any_one_way { Vec::new() } else { c.waiting.clone() };
            told(&Conflict { waiting, ..c.clone() })
        };
        let is_told = |c: &&Conflict| !c.settled && !is_one_way(c);
        let open =
            |plan: &Plan| -> Vec<String> { plan.conflicts.iter().filter(is_told).map(shown).collect() };
        // A choice that settled one record may bring another to light.
        if open(plan) == open(&next) || !self.policy.chosen.is_empty() {
            Ok(())
        } else {
            Err(format!("the next cycle has other conflicts:\n  {:?}\n  {:?}", open(plan), open(&next)))
        }
    }
}

/// One to three groups over some of the names that edits use, each with a way of its own.
fn some_groups(random: &mut Random, directions: &[Direction], strategies: &[Strategy]) -> Vec<Group> {
    let patterns = ["a/**", "b", "**/c", "d/e", "n/**", "*.txt", "e/a/**"];
    (0..1 + random.below(3))
        .map(|number| {
            let text = patterns[random.below(patterns.len())];
            Group {
                direction: random.percent(80).then(|| directions[random.below(directions.len())]),
                strategy: random.percent(40).then(|| strategies[random.below(strategies.len())]),
                kind: random.percent(20).then_some(FileKind::Text),
                ..Group::of(&format!("{number} {text}"), &[text])
            }
        })
        .collect()
}

impl PerSide<Disk> {
    fn clone_both(&self) -> Self {
        PerSide::from_fn(|side| self[side].clone())
    }
}

fn told(conflict: &Conflict) -> String {
    let settled = if conflict.settled { " settled" } else { "" };
    let short = &conflict.id.to_string()[..8];
    format!(
        "conf({} {} {short}{settled}; waiting {:?}; {})",
        conflict.kind.word(),
        conflict.path,
        conflict.waiting,
        conflict.why
    )
}
