//! Real history, played again: the commits of any git repository as the edits of two machines that sync.
//!
//! A walk along the first parents puts each commit's files on one machine or the other, lets both sync, and compares
//! both folders with git's own tree. A merge puts the two parents on the two machines, which agreed on their merge base
//! before, and compares with what git's own merge makes of them.

mod checkout;
pub mod files;

use std::fmt;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::machine::{Machine, Pair};
use checkout::{Checkout, History};

/// What to play.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// How many commits along the first parents, from the oldest of them.
    pub commits: usize,
    /// How many merges, the newest first.
    pub merges: usize,
    /// Stop after this long, even if some are left.
    pub time_max: Option<Duration>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Commits after which both folders held what git holds.
    pub commits: usize,
    /// Merges where Instep made what git made.
    pub same: usize,
    /// Merges that git made, where Instep asks: renames that it can't know of, files that it does not merge by line.
    pub asked: Vec<String>,
    /// Merges where git asks, and so does Instep.
    pub both_asked: usize,
    /// Merges where git asks and Instep merges, by the kind of the file.
    pub merged_more: Vec<String>,
    /// Files in conflict that were settled on the way.
    pub conflicts: usize,
    /// What must not be: a folder that differs from git's tree, a merge that differs from git's, a run that failed.
    pub failures: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { commits, same, both_asked, conflicts, .. } = self;
        write!(f, "{commits} commits held; merges: {same} as git, {both_asked} asked by both, ")?;
        write!(f, "{} asked by Instep alone, {} by git alone", self.asked.len(), self.merged_more.len())?;
        write!(f, "; {conflicts} files in conflict; {} failures", self.failures.len())?;
        self.asked.iter().try_for_each(|one| write!(f, "\n  Instep asks: {one}"))?;
        self.merged_more.iter().try_for_each(|one| write!(f, "\n  git asks: {one}"))?;
        self.failures.iter().try_for_each(|one| write!(f, "\n  failed: {one}"))
    }
}

/// Plays a repository's history; stops at the first failure, and says where the folders were left.
pub fn run(program: &Path, repository: &Path, request: Request) -> io::Result<Report> {
    let began = Instant::now();
    let over = || request.time_max.is_some_and(|limit| began.elapsed() > limit);
    let mut report = Report::default();
    let world = World::new(program, repository)?;
    let commits = world.history.first_parents(request.commits)?;
    for (at, commit) in commits.iter().enumerate() {
        if over() || !report.failures.is_empty() {
            break;
        }
        world.step(at, commit, &mut report)?;
    }
    for merge in world.history.merges(request.merges)? {
        if over() || !report.failures.is_empty() {
            break;
        }
        world.merge(&merge, &mut report)?;
    }
    if !report.failures.is_empty() {
        let area = world.pair.keep();
        report.failures.push(format!("the folders are left in {}", area.display()));
    }
    Ok(report)
}

struct World {
    pair: Pair,
    history: History,
}

/// What a run of both machines came to.
enum Ended {
    Quiet,
    Conflicts(usize),
    Failed(String),
}

impl World {
    fn new(program: &Path, repository: &Path) -> io::Result<Self> {
        let pair = Pair::new(program);
        let history = History::open(repository, &pair.area().join("history.git"))?;
        pair.connect();
        Ok(World { pair, history })
    }

    fn folder<'w>(&'w self, machine: &'w Machine) -> Checkout<'w> {
        Checkout { history: &self.history, folder: machine.folder() }
    }

    /// One commit on one machine; the other gets it.
    fn step(&self, at: usize, commit: &str, report: &mut Report) -> io::Result<()> {
        let machines = self.pair.machines();
        let (first, second) = (machines[at % 2], machines[(at + 1) % 2]);
        self.folder(first).put(commit)?;
        match self.sync([first, second]) {
            Ended::Quiet => {}
            Ended::Conflicts(count) => report.failures.push(format!("{commit}: {count} conflicts of nobody")),
            Ended::Failed(why) => report.failures.push(format!("{commit}: {why}")),
        }
        for machine in machines {
            if let Some(differs) = self.folder(machine).differs(commit)? {
                report.failures.push(format!("{commit}: {} differs: {differs}", machine.name()));
            }
        }
        report.commits += usize::from(report.failures.is_empty());
        Ok(())
    }

    /// Both parents of a merge, one a machine.
    fn merge(&self, merge: &str, report: &mut Report) -> io::Result<()> {
        let Some(parents) = self.history.parents_of_merge(merge)? else { return Ok(()) };
        let [left, right] = self.pair.machines();
        self.folder(left).put(&parents.base)?;
        if let Ended::Failed(why) = self.sync([left, right]) {
            report.failures.push(format!("{merge}, its base: {why}"));
            return Ok(());
        }
        self.folder(left).put(&parents.first)?;
        self.folder(right).put(&parents.second)?;
        let git = self.history.merge(&parents)?;
        match (self.sync([left, right]), git) {
            (Ended::Failed(why), _) => report.failures.push(format!("{merge}: {why}")),
            (Ended::Quiet, Some(tree)) => {
                for machine in [left, right] {
                    if let Some(differs) = self.folder(machine).differs(&tree)? {
                        report.failures.push(format!("{merge}: {} is not git's: {differs}", machine.name()));
                    }
                }
                report.same += usize::from(report.failures.is_empty());
            }
            (Ended::Quiet, None) => report.merged_more.push(merge.to_owned()),
            (Ended::Conflicts(count), Some(_)) => {
                report.conflicts += count;
                let open = self.settle(report)?;
                report.asked.push(format!("{merge}: {open}"));
            }
            (Ended::Conflicts(count), None) => {
                report.conflicts += count;
                report.both_asked += 1;
                self.settle(report)?;
            }
        }
        Ok(())
    }

    /// Lets one machine sync, then the other, then the first again.
    fn sync(&self, [first, second]: [&Machine; 2]) -> Ended {
        let mut conflicts = 0;
        for machine in [first, second, first] {
            let output = machine.run(["sync", "--allow", "delete"]);
            match output.code {
                0 => {}
                4 => conflicts = output.stdout.lines().filter(|line| line.contains('⚠')).count(),
                _ => return Ended::Failed(format!("sync on {}: {output}", machine.name())),
            }
        }
        if conflicts == 0 { Ended::Quiet } else { Ended::Conflicts(conflicts) }
    }

    /// Settles what is open, so that the next merge begins clean; answers what it was.
    fn settle(&self, report: &mut Report) -> io::Result<String> {
        let mut open = String::new();
        for machine in self.pair.machines() {
            open.push_str(&machine.run(["conflicts"]).stdout);
            machine.run(["resolve", "--all", "--keep", "here"]);
        }
        if let Ended::Failed(why) = self.sync(self.pair.machines()) {
            report.failures.push(format!("after the conflicts were settled: {why}"));
        }
        Ok(open.lines().filter(|line| !line.contains("No conflicts")).collect::<Vec<_>>().join("; "))
    }
}
