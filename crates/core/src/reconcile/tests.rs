//! Small worlds that must come out right: three drawings, a strategy, and what both sides are in the end.
#![allow(clippy::unwrap_used)]

use crate::config::{FileKind, Group};
use crate::conflict::ConflictId;
use crate::content::ContentId;
use crate::filter::Groups;
use crate::generate::Random;
use crate::generate::disk::{Disk, Listing};
use crate::generate::draw::{build, draw, texts};
use crate::generate::rows::record;
use crate::node::{Known, PerSide, Side};
use crate::path::TreePath;
use crate::plan::{MergeAnswer, Plan};
use crate::policy::{Direction, Fold, Policy, Strategy};
use crate::reconcile::reconcile;

const STRATEGIES: [Strategy; 6] = [
    Strategy::Merge,
    Strategy::AskUser,
    Strategy::LastWriteWins,
    Strategy::KeepLocal,
    Strategy::KeepRemote,
    Strategy::Both,
];

fn policy(words: &str) -> Policy {
    let mut policy = Policy {
        strategy: Strategy::AskUser,
        machines: PerSide { local: "here".to_owned(), remote: "there".to_owned() },
        ..Policy::default()
    };
    let mut groups = Vec::new();
    for word in words.split_whitespace().flat_map(options) {
        match word {
            "kind" | "both-ways" => {}
            "push" => policy.direction = Direction::Push,
            "pull" => policy.direction = Direction::Pull,
            "only-push" => policy.limit = Direction::Push,
            "only-pull" => policy.limit = Direction::Pull,
            "mirror" => (policy.mirror, policy.limit) = (true, policy.direction),
            word if word.contains(':') => {
                let (text, own) = word.split_once(':').unwrap();
                let of = self::policy(own);
                let strategy = STRATEGIES.into_iter().find(|s| own.split(',').any(|word| word == s.word()));
                let direction = (of.direction != Direction::Both).then_some(of.direction);
                let kind = own.contains("kind").then_some(FileKind::Text);
                groups.push(Group { direction, strategy, kind, ..Group::of(text, &[text]) });
            }
            "fold" => policy.fold.local = Fold { case: true, unicode: true },
            "fold-there" => policy.fold.remote = Fold { case: true, unicode: true },
            word => policy.strategy = *STRATEGIES.iter().find(|s| s.word() == word).unwrap(),
        }
    }
    policy.groups = Groups::new(&groups).unwrap();
    policy
}

/// `push,keep-local` are two words; `a/**:push,keep-local` is one, a group with its answers.
fn options(word: &str) -> Vec<&str> {
    if word.contains(':') { vec![word] } else { word.split(',').collect() }
}

/// Two sides without keys that agreed on `base` once; each cycle lists them from drawings.
struct World {
    known: Known,
    policy: Policy,
    disks: PerSide<Disk>,
    /// What each merge comes to; undecided if nothing.
    joined: Option<&'static str>,
}

impl World {
    fn new(base: &str, policy: Policy) -> Self {
        let fold = policy.fold;
        let disks = PerSide::from_fn(|side| {
            let mut disk = Disk::new(false, false, fold[side]);
            build(&mut disk, base);
            disk
        });
        let agreeing = Policy { fold, ..self::policy("") };
        let mut world = World { known: Known::default(), policy: agreeing, disks, joined: None };
        world.cycle();
        world.policy = policy;
        world
    }

    fn edit(&mut self, side: Side, drawing: &str) {
        if drawing != "^" {
            self.disks[side] = Disk::new(false, false, self.policy.fold[side]);
            build(&mut self.disks[side], drawing);
        }
    }

    fn list(&self) -> PerSide<Listing> {
        PerSide::from_fn(|side| self.disks[side].list(&mut Random::new(1)))
    }

    fn plan(&self) -> Plan {
        let seen = self.list();
        let trees = PerSide { local: &seen.local.tree, remote: &seen.remote.tree };
        reconcile(&self.known, trees, &self.policy, &|_| match self.joined {
            Some(text) => {
                MergeAnswer::Clean { content: ContentId::of(text.as_bytes()), size: text.len() as u64 }
            }
            None => MergeAnswer::Undecided,
        })
    }

    /// Carries out a plan; the next one must be quiet, and tell the same of what is open.
    fn cycle(&mut self) -> Plan {
        let (seen, plan) = (self.list(), self.plan());
        let at = self.disks.local.now().max(self.disks.remote.now());
        let things = PerSide::from_fn(|side| {
            self.disks[side].apply(side, &plan, [&seen.local, &seen.remote][side as usize], at).unwrap()
        });
        let disks = PerSide { local: &self.disks.local, remote: &self.disks.remote };
        self.known =
            record(&self.known, &plan, disks, PerSide { local: &things.local, remote: &things.remote });
        let next = self.plan();
        assert!(next.is_quiet(), "the next cycle changes {:#?}", next.changes);
        assert_eq!(next.rows, vec![]);
        assert_eq!(open(&next), open(&plan));
        plan
    }
}

/// The open conflicts, each with what waits for it.
fn open(plan: &Plan) -> Vec<(ConflictId, &[TreePath])> {
    let open = plan.conflicts.iter().filter(|conflict| !conflict.settled);
    open.map(|conflict| (conflict.id, &*conflict.waiting)).collect()
}

fn outcome(base: &str, local: &str, remote: &str, words: &str) -> String {
    let mut world = World::new(base, policy(words));
    world.edit(Side::Local, local);
    world.edit(Side::Remote, remote);
    let plan = world.cycle();
    let mut told = draw_both(&world, &[base, local, remote]);
    for conflict in &plan.conflicts {
        let settled = if conflict.settled { "settled " } else { "" };
        told.push_str(&format!(" {settled}conf({} {})", conflict.kind.word(), conflict.path));
        for path in &conflict.waiting {
            told.push_str(&format!(" waits({path})"));
        }
    }
    told
}

/// What both sides hold, of texts in these drawings.
fn draw_both(world: &World, drawings: &[&str]) -> String {
    let known: Vec<&str> = drawings.iter().flat_map(|drawing| texts(drawing)).collect();
    let [here, there] = Side::BOTH.map(|side| draw(&world.disks[side], &known));
    let mut told = if here == there { format!("= {here}") } else { format!("L {here} R {there}") };
    // Names of copies tell the content's hash: drawn as `#` and the content.
    for text in known {
        told = told.replace(&ContentId::of(text.as_bytes()).short(), &format!("#{text}"));
    }
    told
}

/// The name of a conflict copy of `stem` with a content.
fn copy_of(stem: &str, machine: &str, text: &str) -> String {
    format!("{stem}.{machine}-{}", ContentId::of(text.as_bytes()).short())
}

/// Draws base, local and remote, and expects what both sides are in the end, and the conflicts.
#[track_caller]
fn check(base: &str, local: &str, remote: &str, words: &str, expected: &str) {
    assert_eq!(outcome(base, local, remote, words), expected, "{base} | {local} | {remote} | {words}");
}

/// The same outcome under every strategy of a two-way workspace.
#[track_caller]
fn check_all(base: &str, local: &str, remote: &str, expected: &str) {
    for strategy in STRATEGIES {
        check(base, local, remote, strategy.word(), expected);
    }
}

mod agreed;
mod conflicts;
mod directions;
mod groups;
mod keys;
mod moves;
mod random;
mod told;
mod unseen;
