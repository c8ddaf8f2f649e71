//! What came before: how two commits relate, what the commits between them say, and the newest ones.

use std::collections::BTreeMap;

use instep_core::clock::Timestamp;
use instep_core::path::TreePath;
use instep_core::remote::{Committed, Lineage, RemoteError, Revision};
use instep_core::renames::Renames;

use super::commit::{Commit, Trailers, parse_date, shown_author};
use super::objects::Oid;
use super::program::{Program, Scope};

/// How many commits are read at most, to know what came between.
const COMMITS_MAX: &str = "10000";

/// A commit in the fields that [`parse_commit`] reads; the message last, so that it may hold anything.
const FORMAT: &str = "--format=%x01%H%x02%P%x02%at%x02%an%x02%ae%x02%B";

/// What the commits between two others say.
#[derive(Debug, Default)]
pub(super) struct Between {
    /// Instep wrote all of them.
    pub all_ours: bool,
    /// When each file that they touched was modified.
    pub times: BTreeMap<TreePath, Timestamp>,
    /// Who wrote each of them.
    pub writers: BTreeMap<TreePath, String>,
    /// What those of Instep say they renamed.
    pub renames: Renames,
}

/// A commit of a log, and the paths that it touched.
struct Logged<'a> {
    oid: &'a str,
    commit: Commit,
    paths: Vec<&'a [u8]>,
}

/// Answers whether one commit is in another's past; both must be here.
fn is_ancestor(program: &Program, old: Oid, new: Oid) -> Result<bool, RemoteError> {
    let mut call = program.call(Scope::Ours)?;
    let outcome = call.args(["merge-base", "--is-ancestor", &old.to_string(), &new.to_string()]).run(&[])?;
    match outcome.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(super::failure::of(&outcome)),
    }
}

/// How `head` relates to `known`; both must be here.
pub(super) fn lineage(program: &Program, known: Oid, head: Oid) -> Result<Lineage, RemoteError> {
    if is_ancestor(program, known, head)? {
        return Ok(Lineage::Ahead);
    }
    if is_ancestor(program, head, known)? {
        return Ok(Lineage::Rewound);
    }
    let mut call = program.call(Scope::Ours)?;
    let outcome = call.args(["merge-base", &known.to_string(), &head.to_string()]).run(&[])?;
    match outcome.status.code() {
        Some(0) => Ok(Lineage::Diverged),
        Some(1) => Ok(Lineage::Unrelated),
        _ => Err(super::failure::of(&outcome)),
    }
}

/// Reads the commits after `known`, up to `head`; both must be here.
pub(super) fn between(program: &Program, known: Oid, head: Oid) -> Result<Between, RemoteError> {
    let mut call = program.call(Scope::Ours)?;
    call.args(["log", "-z", "--first-parent", "-m", "--raw", "--no-abbrev", "--no-renames", "--no-color"]);
    call.args(["--max-count", COMMITS_MAX, FORMAT]).args([format!("{known}..{head}")]).args(["--"]);
    let text = call.answer()?;
    let commits = parse(&text);
    let mut between = Between { all_ours: true, ..Between::default() };
    between.all_ours &= commits.len() < 10_000 && commits.iter().all(|logged| logged.commit.is_ours());
    let mut told = Vec::new();
    // Oldest first, so that a newer commit's word on a file stays.
    for logged in commits.iter().rev() {
        let trailers = Trailers::of(&logged.commit.message);
        let writer = logged.commit.stamp(&trailers, true).writer().to_owned();
        for path in logged.paths.iter().filter_map(|path| TreePath::new(path).ok()) {
            let time = trailers.times.get(&path).copied().unwrap_or(logged.commit.time);
            between.writers.insert(path.clone(), writer.clone());
            between.times.insert(path, time);
        }
        if logged.commit.is_ours() {
            told.push(trailers.renames);
        }
    }
    between.renames = Renames::through(told.iter().map(Vec::as_slice));
    Ok(between)
}

/// The newest commits of a ref, newest first.
pub(super) fn newest(
    program: &Program,
    reference: &str,
    limit: usize,
) -> Result<Vec<Committed>, RemoteError> {
    let mut call = program.call(Scope::Ours)?;
    call.args(["log", "-z", "--first-parent", "--no-color", "--max-count", &limit.to_string()]);
    let outcome = call.args([FORMAT, reference, "--"]).run(&[])?;
    if !outcome.status.success() {
        let unknown = String::from_utf8_lossy(&outcome.stderr).contains("bad revision");
        return if unknown { Ok(Vec::new()) } else { Err(super::failure::of(&outcome)) };
    }
    let commits = parse(&outcome.stdout).into_iter().map(|logged| {
        let speaks = logged.commit.is_ours();
        let stamp = logged.commit.stamp(&Trailers::of(&logged.commit.message), speaks);
        Committed { revision: Revision(logged.oid.to_owned()), stamp }
    });
    Ok(commits.collect())
}

/// Commits start with a byte of ours; a path follows a field that starts with a colon, so that no name is taken for
/// a commit.
fn parse(text: &[u8]) -> Vec<Logged<'_>> {
    let mut commits: Vec<Logged<'_>> = Vec::new();
    let mut fields = text.split(|&b| b == 0);
    while let Some(field) = fields.next() {
        match field.trim_ascii_start() {
            [1, rest @ ..] => commits.extend(parse_commit(rest)),
            [b':', ..] => {
                if let (Some(path), Some(commit)) = (fields.next(), commits.last_mut()) {
                    commit.paths.push(path);
                }
            }
            _ => {}
        }
    }
    commits
}

fn parse_commit(text: &[u8]) -> Option<Logged<'_>> {
    let mut parts = text.splitn(6, |&b| b == 2);
    let oid = std::str::from_utf8(parts.next()?).ok()?;
    let parents = parts.next()?.split(|&b| b == b' ').filter_map(Oid::parse).collect();
    let time = parse_date(&String::from_utf8_lossy(parts.next()?));
    let name = String::from_utf8_lossy(parts.next()?);
    let email = String::from_utf8_lossy(parts.next()?);
    let message = String::from_utf8_lossy(parts.next()?).into_owned();
    let author = shown_author(&name, &email);
    Some(Logged { oid, commit: Commit { tree: None, parents, author, time, message }, paths: Vec::new() })
}
