//! A git repository as a remote: one branch of it, file for file, with nothing of ours in it.
//!
//! All is done by the `git` program, in a bare repository of our own that can be lost: what was fetched, what is
//! offered, and the contents that merges need. Nothing is ever checked out.
//!
//! ```text
//! head      for-each-ref | ls-remote
//! snapshot  fetch, cat-file --batch        upload   fast-import
//! fetch     cat-file --batch               prepare  index-pack, of a pack of our own making
//! tidy      repack --geometric             commit   push, on the expected head or not at all
//! ```

mod commit;
mod contents;
mod failure;
mod history;
mod local;
mod locks;
mod mend;
mod notes;
mod objects;
mod ours;
mod pack;
mod parts;
mod program;
mod push;
mod quote;
mod settings;
mod shelf;
mod tidy;
mod tree;
mod visibility;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use instep_core::clock::Clock;
use instep_core::content::ContentId;
use instep_core::mutant;
use instep_core::note::Notes;
use instep_core::path::{TreePath, escape, is_reserved};
use instep_core::progress::Observer;
use instep_core::remote::{
    Committed, Description, Draft, Lineage, ObjectId, Refusal, Remote, RemoteError, RemoteErrorKind,
    Revision, Sink, Snapshot, Source,
};
use instep_core::renames::Renames;

pub use program::Environment;
pub use visibility::Visibility;

use crate::address::{Address, Place};
use commit::{Commit, Trailers};
use history::Between;
use objects::{Kind, Objects, Oid};
use ours::{is_whole, make_missing, make_ours, not_here, not_there};
use pack::Pack;
use parts::Parts;
use program::{Program, Scope};
use shelf::Shelf;

/// What we fetched last; its log keeps what it was before. Of further remotes, each has one of its own beside it.
const HEAD: &str = "refs/instep/head";
/// The largest commit object that is read.
const COMMIT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a git remote needs beside its address.
pub struct GitOptions {
    /// The directory of our own bare repository; made when missing.
    pub directory: PathBuf,
    /// The branch.
    pub branch: String,
    /// A person asked for this branch, or this is the first contact with a new repository: a missing branch is made by
    /// the first commit, and a missing repository on a path now.
    pub create: bool,
    /// For all remotes but one that share the directory: a word of letters and digits, another for each.
    pub slot: Option<String>,
    /// The variables that git sees.
    pub environment: Environment,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

/// One branch of a git repository.
pub struct GitRemote {
    program: Program,
    address: String,
    /// Where a person put it, if it is on a path.
    path: Option<PathBuf>,
    /// The repository's own directory there, once it was found.
    git_dir: OnceLock<PathBuf>,
    branch: String,
    reference: String,
    /// Our own note of its head.
    noted: String,
    create: bool,
    /// Another process may work with our repository: it is read as it is, and nothing is brought, repaired or tidied.
    beside: bool,
    content_bytes_max: Option<u64>,
    is_http: bool,
    /// What goes to a host at once, in bytes.
    part_bytes_max: u64,
    /// The contents that were sent since the last commit, with their lengths.
    sent: Mutex<Vec<(Oid, u64)>>,
    /// The commit that was written last.
    written: Mutex<Option<Written>>,
    /// The notes that stood beside the head when it was asked for.
    listed: Mutex<Option<notes::Listed>>,
    clock: Arc<dyn Clock>,
}

/// A commit that we wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    oid: Oid,
    parent: Option<Oid>,
    machine: String,
}

/// What there is to know before a repository is used for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Its branches.
    pub branches: Vec<String>,
    /// The directory of its own hooks, where it sets one: these would run on our pushes.
    pub hooks: Option<String>,
}

impl fmt::Debug for GitRemote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitRemote").field("address", &self.address).field("branch", &self.branch).finish()
    }
}

impl GitRemote {
    /// Opens it. Nobody outside is asked; our own repository is made, and a missing one on a path if it may be. A path
    /// that is not there now fails when it is first needed: what was fetched can be read without it.
    pub fn open(address: &Address, options: GitOptions) -> Result<Self, RemoteError> {
        let create = options.create;
        let remote = GitRemote::assemble(address, options)?;
        make_ours(&remote.program)?;
        if let (Some(path), true) = (&remote.path, create) {
            make_missing(&remote.program, path, &remote.branch)?;
        }
        Ok(remote)
    }

    /// Opens it to read beside another process that may work with our repository just now. The head can be asked for;
    /// what is not in our copy is not brought there, and fails.
    pub fn open_beside(address: &Address, options: GitOptions) -> Result<Self, RemoteError> {
        Ok(GitRemote { beside: true, ..GitRemote::assemble(address, options)? })
    }

    fn assemble(address: &Address, options: GitOptions) -> Result<Self, RemoteError> {
        crate::address::check_branch(&options.branch)?;
        let (url, protocols) = match address.place() {
            Place::Path(path) => (path_url(path)?, "file"),
            Place::Url(url) if url.starts_with("http://") => (url.clone(), "http"),
            Place::Url(url) => (url.clone(), "https:ssh"),
        };
        let program = Program::new(options.directory, options.environment, url, protocols);
        let path = match address.place() {
            Place::Path(path) => Some(path.clone()),
            Place::Url(_) => None,
        };
        Ok(GitRemote {
            program,
            address: address.to_string(),
            path,
            git_dir: OnceLock::new(),
            reference: format!("refs/heads/{}", options.branch),
            noted: options.slot.map_or_else(|| HEAD.to_owned(), |slot| format!("{HEAD}-{slot}")),
            branch: options.branch,
            create: options.create,
            beside: false,
            content_bytes_max: address.content_bytes_max(),
            is_http: matches!(address.place(), Place::Url(url) if url.starts_with("http")),
            part_bytes_max: parts::BYTES_MAX,
            sent: Mutex::default(),
            written: Mutex::new(None),
            listed: Mutex::new(None),
            clock: options.clock,
        })
    }

    /// Takes no content above this length, whatever is known of the host.
    pub fn limited(self, content_bytes_max: u64) -> Self {
        GitRemote { content_bytes_max: Some(content_bytes_max), ..self }
    }

    /// Sends what is more than so many bytes in parts of that size.
    pub fn with_part_bytes_max(mut self, max: u64) -> Self {
        self.part_bytes_max = max;
        self
    }

    /// Looks at the repository before it is used for the first time, and refuses what can't be: a branch that a work
    /// tree shows, or one that is missing beside others.
    pub fn survey(&self) -> Result<Survey, RemoteError> {
        let branches = self.branches()?;
        let missing = !branches.contains(&self.branch);
        if missing && !branches.is_empty() && !self.create {
            return Err(self.no_branch(&branches));
        }
        let mut hooks = None;
        if let Some(git_dir) = self.git_dir()? {
            if local::is_checked_out(&self.program, git_dir, &self.branch)? {
                return Err(local::checked_out(&self.reference));
            }
            hooks = local::own_hooks(&self.program, git_dir)?;
        }
        Ok(Survey { branches, hooks })
    }

    /// Looks whether a repository on a path is there: its disk may not be mounted. No host is asked.
    pub fn check_place(&self) -> Result<(), RemoteError> {
        self.git_dir().map(drop)
    }

    /// Answers whether anybody may read the repository: it is asked once, as a stranger. Only a host that speaks HTTP
    /// lets strangers in; what else there is was not asked, and the answer says so. A host that can't be reached is
    /// `Unknown`; one that keeps silent is an error, or the next question would wait as long again.
    pub fn visibility(&self) -> Result<Visibility, RemoteError> {
        if self.is_http {
            return visibility::probe(&self.program);
        }
        let why = match &self.path {
            Some(_) => "a path on this machine shows itself to whoever may read its files",
            None => "a host behind ssh asks everybody for a key",
        };
        Ok(Visibility::Unknown(why.to_owned()))
    }

    /// How long its host may keep us waiting for nothing.
    pub fn patience(&self) -> Duration {
        self.program.patience()
    }

    /// The version of the installed program, such as `(2, 47)`.
    pub fn program_version(&self) -> Result<(u32, u32), RemoteError> {
        self.program.version()
    }

    /// The repository's own directory, if it is on a path.
    fn git_dir(&self) -> Result<Option<&Path>, RemoteError> {
        let Some(path) = &self.path else { return Ok(None) };
        if let Some(found) = self.git_dir.get() {
            return Ok(Some(found));
        }
        let found = local::git_dir(path).ok_or_else(|| not_there(path))?;
        Ok(Some(self.git_dir.get_or_init(|| found)))
    }

    fn branches(&self) -> Result<Vec<String>, RemoteError> {
        if let Some(git_dir) = self.git_dir()? {
            let found = local::branches(&self.program, git_dir, &["refs/heads/"])?;
            return Ok(found.into_iter().map(|branch| branch.name).collect());
        }
        let heads = self.ls_remote(&["refs/heads/*"])?;
        if heads.is_empty() && self.is_http {
            self.check_that_git_answers()?;
        }
        Ok(heads.into_iter().map(|(name, _)| name.trim_start_matches("refs/heads/").to_owned()).collect())
    }

    fn ls_remote(&self, patterns: &[&str]) -> Result<Vec<(String, Oid)>, RemoteError> {
        self.check_copy()?;
        let mut call = self.program.call(Scope::Talking)?;
        call.args(["ls-remote", "--quiet", "--refs", "--", "instep"]).args(patterns).as_question();
        let text = call.answer()?;
        let lines = text.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        let pairs = lines.map(|line| {
            let text = String::from_utf8_lossy(line);
            let (oid, name) = text.split_once('\t').unwrap_or((&text, ""));
            Ok((name.to_owned(), Oid::told(oid.as_bytes())?))
        });
        pairs.collect()
    }

    /// A login page of some network answers everything with success, and git takes it for a repository without
    /// branches, served as plain files.
    fn check_that_git_answers(&self) -> Result<(), RemoteError> {
        let mut call = self.program.call(Scope::Talking)?;
        call.args(["ls-remote", "--quiet", "--", "instep", "HEAD"]).as_question();
        let outcome = call.env("GIT_TRACE_PACKET", "1").run(&[])?;
        if visibility::answers_as_git(&outcome.stderr) { Ok(()) } else { Err(failure::no_git_host()) }
    }

    /// The head, where there is one; whether a missing branch is an error is not asked here.
    fn found_head(&self) -> Result<Option<Oid>, RemoteError> {
        if let Some(git_dir) = self.git_dir()? {
            let found = local::branch_and_notes(&self.program, git_dir, &self.reference)?;
            self.note_listed(found.iter().map(|found| (found.name.as_str(), found.head)));
            return Ok(found.into_iter().find(|found| found.name == self.branch).map(|found| found.head));
        }
        let heads = self.ls_remote(&[&self.reference, notes::PATTERN])?;
        self.note_listed(heads.iter().map(|(name, oid)| (name.as_str(), *oid)));
        Ok(heads.into_iter().find(|(name, _)| *name == self.reference).map(|(_, oid)| oid))
    }

    fn no_branch(&self, others: &[String]) -> RemoteError {
        let shown = others.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
        RemoteError::new(
            RemoteErrorKind::NotFound,
            "E-GIT-BRANCH",
            format!("The repository has no branch {}; found {shown}.", self.branch),
        )
        .hinted(format!("name one with --branch, or make it: --branch {}", self.branch))
    }

    /// Looks whether our copy is there to be read: beside another process nothing makes it.
    fn check_copy(&self) -> Result<(), RemoteError> {
        if self.beside && !is_whole(self.program.directory()) { Err(not_here()) } else { Ok(()) }
    }

    /// Brings the branch, whatever it is now, into our repository.
    fn fetch_branch(&self) -> Result<(), RemoteError> {
        self.bring(&[], &[format!("+{}:{}", self.reference, self.noted)])
    }

    /// Brings all of it, as if nothing of it were here: git takes it for granted that with a commit all stands here that
    /// the commit names, and so would never ask for what our copy has lost.
    fn refetch_branch(&self) -> Result<(), RemoteError> {
        self.bring(&["--refetch"], &[format!("+{}:{}", self.reference, self.noted)])
    }

    fn bring(&self, how: &[&str], refs: &[String]) -> Result<(), RemoteError> {
        if self.beside {
            return Err(not_here());
        }
        let mut call = self.program.call(Scope::Talking)?;
        call.args([
            "-c",
            "core.logAllRefUpdates=always",
            "-c",
            "core.bigFileThreshold=16m",
            "fetch",
            "--quiet",
        ]);
        call.args(how.iter().copied());
        call.args(["--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"]);
        call.args(["--no-show-forced-updates", "--", "instep"]);
        call.args(refs).answer()?;
        self.tidy();
        Ok(())
    }

    /// Reads a commit, from the remote if it is not here.
    fn commit_at(
        &self,
        objects: &mut Objects<'_>,
        shelf: &mut Shelf,
        oid: Oid,
    ) -> Result<Commit, RemoteError> {
        if let Some(raw) = shelf.get(oid, Kind::Commit) {
            return Commit::parse(raw);
        }
        let raw = match objects.read(oid, Kind::Commit, COMMIT_BYTES_MAX)? {
            Some(raw) => raw,
            None => {
                self.fetch_branch()?;
                objects.read(oid, Kind::Commit, COMMIT_BYTES_MAX)?.ok_or_else(push::stale)?
            }
        };
        shelf.put(oid, Kind::Commit, &raw);
        Commit::parse(&raw)
    }

    fn has(&self, objects: &mut Objects<'_>, oid: Oid) -> Result<bool, RemoteError> {
        Ok(objects.read(oid, Kind::Commit, COMMIT_BYTES_MAX)?.is_some())
    }

    /// Sends ahead what a host would not take at once; answers what is to be removed then. A path has no such limit.
    fn send_parts(&self, push: &push::Push<'_>) -> Result<Option<Parts<'_>>, RemoteError> {
        let mut sent = locked(&self.sent).clone();
        // What was sent again counts once.
        sent.sort_unstable();
        sent.dedup();
        let bytes: u64 = sent.iter().map(|(_, size)| size).sum();
        let written = locked(&self.written).clone().filter(|written| written.oid == push.new);
        let Some(written) = written.filter(|_| push.git_dir.is_none() && bytes > self.part_bytes_max) else {
            return Ok(None);
        };
        let parts = Parts::of(&self.program, &written.machine);
        Ok(parts.send(&sent, self.part_bytes_max)?.then_some(parts))
    }

    /// A lease alone would let a commit replace the head that is no child of it.
    fn check_parent(&self, push: &push::Push<'_>) -> Result<(), RemoteError> {
        let written = locked(&self.written).clone();
        if written.is_some_and(|written| (written.oid, written.parent) == (push.new, push.expected)) {
            return Ok(());
        }
        let raw = Objects::of(&self.program).read(push.new, Kind::Commit, COMMIT_BYTES_MAX)?;
        let parents = match raw {
            Some(raw) => Commit::parse(&raw)?.parents,
            None => return Err(objects::missing(push.new)),
        };
        if parents.iter().eq(&push.expected) || mutant::is_on("any-parent-will-do") {
            return Ok(());
        }
        Err(failure::protocol("A draft was made for another head", push.new.to_string().as_bytes()))
    }

    /// What can't be put together now is the next time; real damage shows where objects are read.
    fn tidy(&self) {
        let _ = tidy::tidy(&self.program);
    }

    /// Hands over what stands in our copy, after bringing it there where it does not; answers what nobody has.
    fn receive(
        &self,
        wanted: &[Oid],
        into: &mut dyn Sink,
        observer: &dyn Observer,
    ) -> Result<Vec<Oid>, RemoteError> {
        let mut receive = |wanted: &[Oid]| contents::receive(&self.program, wanted, into, observer);
        let mut absent = receive(wanted)?;
        for bring in [GitRemote::fetch_branch, GitRemote::refetch_branch] {
            if absent.is_empty() {
                return Ok(absent);
            }
            bring(self)?;
            absent = receive(&absent)?;
        }
        if !absent.is_empty() {
            // It may have come with a note, and our copy was made anew since.
            self.bring_listed_notes()?;
            absent = receive(&absent)?;
        }
        Ok(absent)
    }

    fn hold(&self, reference: &str, oid: Oid) -> Result<(), RemoteError> {
        let mut call = self.program.call(Scope::Ours)?;
        call.args(["-c", "core.logAllRefUpdates=always", "-c", "core.fsync=none", "update-ref", reference]);
        call.args([oid.to_string()]).answer().map(drop)
    }
}

/// Notes what a sink has taken.
struct Noting<'s> {
    into: &'s mut dyn Sink,
    received: BTreeSet<ObjectId>,
}

impl Sink for Noting<'_> {
    fn receive(&mut self, object: ObjectId, size: u64, content: &mut dyn Read) -> Result<(), RemoteError> {
        self.into.receive(object, size, content)?;
        self.received.insert(object);
        Ok(())
    }
}

fn locked<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

fn path_url(path: &Path) -> Result<String, RemoteError> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        RemoteError::new(RemoteErrorKind::Invalid, "E-PATH-UTF8", "The path of the repository is not UTF-8.")
    })
}

fn oid_of(revision: &Revision) -> Result<Oid, RemoteError> {
    Oid::parse(revision.0.as_bytes())
        .ok_or_else(|| failure::protocol("A revision is not one of git's", revision.0.as_bytes()))
}

impl Remote for GitRemote {
    fn describe(&self) -> Description {
        Description { kind: "git", address: self.address.clone(), content_bytes_max: self.content_bytes_max }
    }

    fn head(&self) -> Result<Option<Revision>, RemoteError> {
        if let Some(oid) = self.found_head()? {
            return Ok(Some(Revision(oid.to_string())));
        }
        let others = self.branches()?;
        if others.is_empty() || self.create || mutant::is_on("no-branch-is-empty") {
            Ok(None)
        } else {
            Err(self.no_branch(&others))
        }
    }

    fn lineage(&self, known: &Revision, head: &Revision) -> Result<Lineage, RemoteError> {
        if known == head {
            return Ok(Lineage::Same);
        }
        let (known, head) = (oid_of(known)?, oid_of(head)?);
        self.mended(|| {
            let mut objects = Objects::of(&self.program);
            let newest = self.commit_at(&mut objects, &mut Shelf::open(self.program.directory()), head)?;
            if newest.parents == [known] {
                return Ok(Lineage::Ahead);
            }
            if !self.has(&mut objects, known)? {
                // All of the head's past is here, so that the known one is not in it.
                return Ok(Lineage::Diverged);
            }
            history::lineage(&self.program, known, head)
        })
    }

    fn snapshot(&self, at: &Revision, known: Option<&Revision>) -> Result<Snapshot, RemoteError> {
        let oid = oid_of(at)?;
        let known = known.map(oid_of).transpose()?;
        self.mended(|| {
            let mut objects = Objects::of(&self.program);
            let mut shelf = Shelf::open(self.program.directory());
            let commit = self.commit_at(&mut objects, &mut shelf, oid)?;
            let root = commit.tree.expect("because a parsed commit object has a tree");
            let entries = tree::list(&mut objects, &mut shelf, root)?;
            shelf.close();
            let trailers = Trailers::of(&commit.message);
            let Between { all_ours, times, writers, renames } = match known {
                Some(known) if known != oid && commit.parents != [known] => {
                    if self.has(&mut objects, known)? {
                        history::between(&self.program, known, oid)?
                    } else {
                        Between::default()
                    }
                }
                _ => {
                    let is_next = known.is_some_and(|known| known != oid) && commit.is_ours();
                    let told = if is_next { trailers.renames.as_slice() } else { &[] };
                    Between {
                        all_ours: commit.is_ours(),
                        times: trailers.times.clone(),
                        writers: BTreeMap::new(),
                        renames: Renames::through([told]),
                    }
                }
            };
            let stamp = commit.stamp(&trailers, all_ours);
            Ok(Snapshot { revision: at.clone(), entries, root: root.into(), stamp, times, writers, renames })
        })
    }

    fn fetch(
        &self,
        wanted: &[ObjectId],
        into: &mut dyn Sink,
        observer: &dyn Observer,
    ) -> Result<(), RemoteError> {
        let wanted = wanted.iter().map(Oid::of).collect::<Result<Vec<_>, _>>()?;
        self.check_copy()?;
        let mut noting = Noting { into, received: BTreeSet::new() };
        let absent = match self.receive(&wanted, &mut noting, observer) {
            // Nobody who reads begins again for our copy's sake: what came has come, and the rest is brought.
            Err(error) if self.remake(&error)? => {
                let is_left = |oid: &&Oid| !noting.received.contains(&(**oid).into());
                let left: Vec<Oid> = wanted.iter().filter(is_left).copied().collect();
                self.receive(&left, &mut noting, observer)?
            }
            received => received?,
        };
        // All that the remote has is here now: to make our copy anew would bring no more.
        absent.first().map_or(Ok(()), |&oid| Err(objects::missing(oid)))
    }

    fn upload(
        &self,
        offered: &[ContentId],
        from: &dyn Source,
        observer: &dyn Observer,
    ) -> Result<Vec<ObjectId>, RemoteError> {
        let sent = std::thread::scope(|scope| {
            // The push will need it: a program of its own, read meanwhile. Should it fail, the push says so.
            scope.spawn(|| self.program.settings().is_ok());
            self.mended(|| contents::send(&self.program, offered, from, observer))
        })?;
        let mut all = locked(&self.sent);
        for (object, size) in sent.named.iter().zip(&sent.sizes) {
            all.push((Oid::of(object)?, *size));
        }
        Ok(sent.named)
    }

    fn prepare(&self, expected: Option<&Revision>, draft: &Draft) -> Result<Revision, RemoteError> {
        let parent = expected.map(oid_of).transpose()?;
        let oid = self.mended_from_start(|| {
            let mut pack = Pack::new();
            let tree = tree::write(&mut pack, draft)?;
            if let Some(parent) = parent
                && !self.has(&mut Objects::of(&self.program), parent)?
            {
                // It was lost with our copy, and what the draft takes over from it too.
                self.fetch_branch()?;
            }
            commit::write(&self.program, pack, draft, tree, parent, self.clock.now())
        })?;
        let machine = draft.machine.id.clone();
        *locked(&self.written) = Some(Written { oid, parent, machine });
        Ok(Revision(oid.to_string()))
    }

    fn commit(&self, expected: Option<&Revision>, prepared: &Revision) -> Result<(), RemoteError> {
        let push = push::Push {
            reference: &self.reference,
            noted: &self.noted,
            expected: expected.map(oid_of).transpose()?,
            new: oid_of(prepared)?,
            git_dir: self.git_dir()?,
            as_pack: locked(&self.sent).iter().any(|(_, size)| *size >= contents::LARGE_BYTES_MIN),
        };
        let mut parts = None;
        self.mended_from_start(|| {
            self.check_parent(&push)?;
            parts = self.send_parts(&push)?;
            let pushed = push.run(&self.program, || self.found_head());
            pushed.map_err(|error| match error.code {
                "E-GIT-CORRUPT" | "E-GIT-FAILED" if !self.is_all_here(&push) => objects::missing(push.new),
                _ => error,
            })
        })?;
        parts.iter().for_each(Parts::remove);
        locked(&self.sent).clear();
        // It is committed, whatever becomes of our own note of it, which the push has written as a rule.
        let noted = fs::read_to_string(self.program.directory().join(&self.noted)).unwrap_or_default();
        if noted.trim_ascii_end() != push.new.to_string() {
            let _ = self.hold(&self.noted, push.new);
        }
        self.tidy();
        Ok(())
    }

    fn history(&self, limit: usize) -> Result<Vec<Committed>, RemoteError> {
        self.mended(|| history::newest(&self.program, &self.noted, limit))
    }

    fn lay_down(
        &self,
        author: &str,
        text: &[u8],
        contents: &[ContentId],
        from: &dyn Source,
    ) -> Result<bool, RemoteError> {
        let git_dir = self.git_dir()?;
        self.mended(|| notes::lay_down(&self.program, git_dir, author, (text, contents), from))
    }

    fn notes(&self, known: Option<&str>) -> Result<Option<Notes>, RemoteError> {
        self.notes_since(known)
    }

    fn refuses(&self, path: &TreePath, size: u64) -> Option<Refusal> {
        let refusal = |code, why| Some(Refusal { code, why });
        if let Some(name) = path.parts().find(|name| is_reserved(name)) {
            return refusal("E-PATH-RESERVED", format!("{} is a name that git does not take", escape(name)));
        }
        if path.parts().any(|name| name.len() > tree::NAME_BYTES_MAX) {
            return refusal("E-PATH-LONG", "a name is longer than 255 bytes".to_owned());
        }
        if path.depth() > tree::DEPTH_MAX {
            return refusal("E-PATH-DEEP", format!("it lies more than {} folders deep", tree::DEPTH_MAX));
        }
        match self.content_bytes_max {
            Some(max) if size > max => refusal(
                "E-SIZE-REMOTE",
                format!("{size} bytes are more than the {max} that the remote takes"),
            ),
            _ => None,
        }
    }
}
