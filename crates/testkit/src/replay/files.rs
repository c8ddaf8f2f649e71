//! Every file that both sides of a merge changed, merged by Instep and by `git merge-file`, and compared.
//!
//! No machine is started and nothing is checked out: three contents at a time, straight from the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use instep_core::merge::{Merged, Reason, Terms, Versions, contents};
use instep_core::path::Name;

use super::checkout::{History, git, lines};

/// How many differences are told.
const TOLD_MAX: usize = 20;
/// How many merges are asked for at once.
const CHUNK: usize = 200;

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    /// Merges that were looked at.
    pub merges: usize,
    /// Files that both sides changed, each another way, once for each three contents.
    pub files: usize,
    /// Merged by both, to the same bytes.
    pub same: usize,
    /// In conflict for both.
    pub asked: usize,
    /// No text for either.
    pub binary: usize,
    /// Too large, or too different, for Instep: it asks and says so.
    pub too_much: usize,
    /// In conflict for Instep alone.
    pub asked_more: usize,
    /// In conflict for git alone.
    pub merged_more: usize,
    /// Merged by both, to other bytes.
    pub differ: usize,
    /// The first of those that are not the same.
    pub told: Vec<String>,
}

impl Compared {
    /// Answers whether Instep says what git says, wherever it says anything.
    pub fn is_clean(&self) -> bool {
        self.asked_more + self.merged_more + self.differ == 0
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compared { merges, files, same, asked, binary, .. } = self;
        write!(
            f,
            "{merges} merges, {files} files that both sides changed: {same} merge to the same bytes, "
        )?;
        write!(f, "{asked} asked by both, {binary} no text; {} too large or too different; ", self.too_much)?;
        write!(f, "{} asked by Instep alone, {} by git alone, ", self.asked_more, self.merged_more)?;
        write!(f, "{} merged otherwise", self.differ)?;
        self.told.iter().try_for_each(|one| write!(f, "\n  {one}"))
    }
}

/// One file of a merge: the path, and the names of the three contents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Case {
    blobs: [String; 3],
    path: String,
}

/// Compares the merges of a repository, all that any of its branches and tags hold, the newest first.
pub fn run(repository: &Path, merges: usize, time_max: Option<Duration>) -> io::Result<Compared> {
    let began = Instant::now();
    let area = tempfile::tempdir()?;
    let history = History::open(repository, &area.path().join("history.git"))?;
    // What both of a merge come from is found by walking: with this file it takes a hundredth of the time.
    history.git().args(["commit-graph", "write", "--reachable", "--no-progress"]).status()?;
    let mut store = Store::open(&history)?;
    let (mut compared, mut seen) = (Compared::default(), BTreeSet::new());
    let limit = format!("--max-count={merges}");
    let all = ["rev-list", "--all", "--parents", "--min-parents=2", "--max-parents=2", &limit];
    for chunk in lines(history.git().args(all))?.chunks(CHUNK) {
        let parents: Vec<Vec<&str>> = chunk.iter().map(|line| line.split(' ').skip(1).collect()).collect();
        for case in cases(&history, &parents)? {
            // Many a merge repeats another.
            if seen.insert(case.blobs.clone()) {
                compare(&case, &mut store, area.path(), &mut compared)?;
            }
        }
        compared.merges += chunk.len();
        if time_max.is_some_and(|limit| began.elapsed() > limit) {
            break;
        }
    }
    Ok(compared)
}

/// The files that both sides changed. Where two histories part in several places, the first stands for all.
fn cases(history: &History, merges: &[Vec<&str>]) -> io::Result<Vec<Case>> {
    let mut pairs = String::new();
    for sides in merges {
        let [first, second] = sides[..] else { continue };
        let found = history.git().args(["merge-base", first, second]).output()?;
        // Histories may have nothing in common.
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        let Some(base) = found.lines().next() else { continue };
        // As if the base were their only parent.
        pairs.push_str(&format!("{first} {base}\n{second} {base}\n"));
    }
    let options = ["--stdin", "-r", "--raw", "--no-abbrev", "--no-renames", "--diff-filter=M", "--always"];
    let mut asked = history.git();
    asked.arg("diff-tree").args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = asked.spawn()?;
    let mut stdin = child.stdin.take().expect("because it is piped");
    let writer = std::thread::spawn(move || stdin.write_all(pairs.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut diffs: Vec<BTreeMap<&str, [&str; 2]>> = Vec::new();
    for line in text.lines() {
        let Some(fields) = line.strip_prefix(':') else {
            diffs.push(BTreeMap::new());
            continue;
        };
        let (fields, path) = fields.split_once('\t').unwrap_or_default();
        // Modes, contents and a letter: links and submodules have no lines.
        if let [old, new, before, after, _] = fields.split(' ').collect::<Vec<_>>()[..]
            && [old, new].iter().all(|mode| mode.starts_with("100"))
            && let Some(diff) = diffs.last_mut()
        {
            diff.insert(path, [before, after]);
        }
    }
    let mut cases = Vec::new();
    for sides in diffs.chunks_exact(2) {
        for (path, [base, local]) in &sides[0] {
            if let Some([_, remote]) = sides[1].get(path).filter(|[_, remote]| remote != local) {
                let blobs = [base, local, remote].map(|blob| (*blob).to_owned());
                cases.push(Case { blobs, path: (*path).to_owned() });
            }
        }
    }
    Ok(cases)
}

fn compare(case: &Case, store: &mut Store, area: &Path, compared: &mut Compared) -> io::Result<()> {
    let [base, local, remote] = &case.blobs;
    let [base, local, remote] = [store.read(base)?, store.read(local)?, store.read(remote)?];
    let files = [("local", &local), ("base", &base), ("remote", &remote)];
    files.iter().try_for_each(|(name, bytes)| fs::write(area.join(name), bytes))?;
    let output = git().current_dir(area).args(["merge-file", "-p", "local", "base", "remote"]).output()?;
    // The number of conflicts, or 255 where it can't.
    let theirs = match output.status.code() {
        Some(0) => Some(output.stdout),
        Some(255) => {
            compared.files += 1;
            compared.binary += 1;
            return Ok(());
        }
        _ => None,
    };
    let name = Name::new(b"file.txt").expect("because it is a name");
    let ours = contents(&Terms::of(&name), &Versions { base: Some(&base), local: &local, remote: &remote });
    compared.files += 1;
    let what = match (ours, theirs) {
        (Merged::Clean(joined), Some(theirs)) if joined.content == theirs => {
            compared.same += 1;
            return Ok(());
        }
        (Merged::Clean(_), Some(_)) => {
            compared.differ += 1;
            "merged otherwise"
        }
        (Merged::Clean(_), None) => {
            compared.merged_more += 1;
            "asked by git alone"
        }
        (Merged::Undecided(Reason::TooLarge | Reason::TooDifferent), _) => {
            compared.too_much += 1;
            "too large or too different"
        }
        (Merged::Undecided(_) | Merged::Marked { .. }, None) => {
            compared.asked += 1;
            return Ok(());
        }
        (Merged::Undecided(_) | Merged::Marked { .. }, Some(_)) => {
            compared.asked_more += 1;
            "asked by Instep alone"
        }
    };
    if compared.told.len() < TOLD_MAX {
        compared.told.push(format!("{what}: {} {}", case.blobs.join(" "), case.path));
    }
    Ok(())
}

/// The contents of a repository, by name.
struct Store {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Store {
    fn open(history: &History) -> io::Result<Self> {
        let mut command: Command = history.git();
        command.args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let answers = BufReader::new(child.stdout.take().expect("because it is piped"));
        Ok(Store { child, answers })
    }

    fn read(&mut self, blob: &str) -> io::Result<Vec<u8>> {
        let stdin = self.child.stdin.as_mut().expect("because it is piped");
        writeln!(stdin, "{blob}")?;
        let mut header = String::new();
        self.answers.read_line(&mut header)?;
        let size = header.trim_end().rsplit(' ').next().and_then(|size| size.parse().ok());
        let size: usize = size.ok_or_else(|| io::Error::other(format!("{blob}: {header}")))?;
        let mut bytes = vec![0; size + 1];
        self.answers.read_exact(&mut bytes)?;
        bytes.truncate(size);
        Ok(bytes)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        _ = self.child.wait();
    }
}
