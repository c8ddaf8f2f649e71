//! A repository's past, and folders that are given the files of a commit, touching only what differs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What belongs to Instep in a workspace: git's view of the folder leaves it out.
const OURS: [&str; 4] = [".instep", ".instepignore", "instep.local.yaml", "instep.yaml"];

/// The two sides of a merge, and where they part.
#[derive(Debug)]
pub(super) struct Parents {
    pub base: String,
    pub first: String,
    pub second: String,
}

/// A repository of the harness's own that borrows the objects of the one to be played.
#[derive(Debug)]
pub(super) struct History(PathBuf);

impl History {
    pub(super) fn open(repository: &Path, copy: &Path) -> io::Result<Self> {
        let history = History(copy.to_owned());
        let repository = repository.canonicalize()?;
        let made =
            git().args(["clone", "--quiet", "--bare", "--shared"]).arg(repository).arg(copy).status()?;
        if made.success() { Ok(history) } else { Err(io::Error::other("git can't clone the repository")) }
    }

    pub(super) fn git(&self) -> Command {
        let mut git = git();
        git.arg("--git-dir").arg(&self.0);
        git
    }

    /// The first commits along the first parents, oldest first.
    pub(super) fn first_parents(&self, limit: usize) -> io::Result<Vec<String>> {
        let mut all = lines(self.git().args(["rev-list", "--first-parent", "--reverse", "HEAD"]))?;
        all.truncate(limit);
        Ok(all)
    }

    /// The newest merges.
    pub(super) fn merges(&self, limit: usize) -> io::Result<Vec<String>> {
        let limit = format!("--max-count={limit}");
        lines(self.git().args(["rev-list", "--min-parents=2", "--max-parents=2", &limit, "HEAD"]))
    }

    /// The sides of a merge; nothing if they part in more than one place.
    pub(super) fn parents_of_merge(&self, merge: &str) -> io::Result<Option<Parents>> {
        let sides = lines(self.git().args(["rev-parse", &format!("{merge}^1"), &format!("{merge}^2")]))?;
        let [first, second] = &sides[..] else { return Ok(None) };
        let bases = lines(self.git().args(["merge-base", "--all", first, second]))?;
        let [base] = &bases[..] else { return Ok(None) };
        Ok(Some(Parents { base: base.clone(), first: first.clone(), second: second.clone() }))
    }

    /// The tree that git's own merge makes; nothing if it is in conflict.
    pub(super) fn merge(&self, parents: &Parents) -> io::Result<Option<String>> {
        let Parents { first, second, .. } = parents;
        let output = self.git().args(["merge-tree", "--write-tree", first, second]).output()?;
        let tree = String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned);
        Ok(tree.filter(|_| output.status.success()))
    }
}

/// One machine's folder.
pub(super) struct Checkout<'h> {
    pub history: &'h History,
    pub folder: &'h Path,
}

impl Checkout<'_> {
    /// Makes the folder hold what a commit or tree holds; what is the same already is not touched.
    pub(super) fn put(&self, tree: &str) -> io::Result<()> {
        self.index(tree)?;
        for path in self.strangers()? {
            let path = self.folder.join(path);
            fs::remove_file(&path)?;
            let mut above = path.parent();
            while let Some(folder) = above.filter(|folder| *folder != self.folder) {
                // One that still holds something stays.
                above = fs::remove_dir(folder).ok().and_then(|()| folder.parent());
            }
        }
        run(self.git().args(["checkout-index", "--all", "--force", "--quiet"]))
    }

    /// Says how the folder differs from what git holds, if it does.
    pub(super) fn differs(&self, tree: &str) -> io::Result<Option<String>> {
        self.index(tree)?;
        let mut all = self.missing()?;
        all.extend(self.strangers()?);
        all.truncate(10);
        Ok((!all.is_empty()).then(|| all.join(", ")))
    }

    /// Tells git what the folder should hold, and lets it look which files do.
    fn index(&self, tree: &str) -> io::Result<()> {
        run(self.git().args(["read-tree", "--reset", tree]))?;
        // It answers 1 where files differ, which is what is asked for.
        self.git().args(["update-index", "-q", "--refresh"]).status().map(|_| ())
    }

    /// The files of the index that the folder holds otherwise, or not at all.
    fn missing(&self) -> io::Result<Vec<String>> {
        paths(self.git().args(["diff-files", "--name-only", "-z"]))
    }

    /// The files of the folder that the index does not name.
    fn strangers(&self) -> io::Result<Vec<String>> {
        let mut git = self.git();
        git.args(["ls-files", "--others", "-z"]);
        let all = paths(&mut git)?;
        let ours = |path: &String| OURS.iter().any(|own| path.split('/').next() == Some(own));
        Ok(all.into_iter().filter(|path| !ours(path)).collect())
    }

    fn git(&self) -> Command {
        let mut git = self.history.git();
        git.arg("--work-tree").arg(self.folder).current_dir(self.folder);
        git.env("GIT_INDEX_FILE", self.folder.with_extension("index"));
        git
    }
}

pub(super) fn git() -> Command {
    let mut git = Command::new("git");
    git.args(["-c", "safe.directory=*", "-c", "core.autocrlf=false", "-c", "core.bare=false"]);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_ATTR_NOSYSTEM", "1");
    git
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))))
}

fn output(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}

pub(super) fn lines(command: &mut Command) -> io::Result<Vec<String>> {
    Ok(output(command)?.lines().map(str::to_owned).collect())
}

fn paths(command: &mut Command) -> io::Result<Vec<String>> {
    Ok(output(command)?.split_terminator('\0').map(str::to_owned).collect())
}
