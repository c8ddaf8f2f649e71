//! A bare repository beside the machines: what a git host would be, and what plain git, or somebody hostile, writes
//! into it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A bare git repository on this disk.
#[derive(Debug, Clone)]
pub struct Bare(PathBuf);

/// One entry of a hand-made tree: mode, name and object, none of them checked.
pub type RawEntry<'a> = (&'a str, &'a [u8], &'a str);

impl Bare {
    /// Makes an empty one with `main` as its branch.
    pub fn create(path: &Path) -> Self {
        let bare = Bare(path.to_owned());
        fs::create_dir_all(path).expect("a folder can be made");
        bare.git(["init", "--quiet", "--bare", "--initial-branch=main"], b"");
        bare
    }

    /// Takes one that is there.
    pub fn open(path: &Path) -> Self {
        Bare(path.to_owned())
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Runs git in it; answers what it printed. Panics if git fails.
    pub fn git<'a>(&self, arguments: impl IntoIterator<Item = &'a str>, input: &[u8]) -> Vec<u8> {
        let arguments: Vec<_> = arguments.into_iter().collect();
        let (success, stdout, stderr) = self.try_git(&arguments, input);
        assert!(success, "git {arguments:?} in {} failed: {stderr}", self.0.display());
        stdout
    }

    fn try_git(&self, arguments: &[&str], input: &[u8]) -> (bool, Vec<u8>, String) {
        let mut command = Command::new("git");
        command.args(["-c", "safe.directory=*"]).args(arguments).env_clear().current_dir(&self.0);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", &self.0);
        command.env("GIT_DIR", &self.0).env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C.UTF-8");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Plain Git");
            command.env(format!("GIT_{role}_EMAIL"), "plain@example.org");
            command.env(format!("GIT_{role}_DATE"), "1700000000 +0000");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("git can be started");
        let mut stdin = child.stdin.take().expect("because it is piped");
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output().expect("git can be waited for")
        });
        (output.status.success(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The head of `main`.
    pub fn head(&self) -> Option<String> {
        let arguments = ["rev-parse", "--quiet", "--verify", "refs/heads/main"];
        let (success, stdout, _) = self.try_git(&arguments, b"");
        success.then(|| String::from_utf8_lossy(&stdout).trim().to_owned())
    }

    /// All refs with their objects, as text to compare.
    pub fn refs(&self) -> String {
        let (_, stdout, _) = self.try_git(&["for-each-ref", "--format=%(refname) %(objectname)"], b"");
        String::from_utf8_lossy(&stdout).into_owned()
    }

    /// Writes an object without looking at it.
    pub fn object(&self, kind: &str, bytes: &[u8]) -> String {
        let stdout = self.git(["hash-object", "-t", kind, "--literally", "--stdin", "-w"], bytes);
        String::from_utf8_lossy(&stdout).trim().to_owned()
    }

    /// Writes a file's content.
    pub fn blob(&self, bytes: &[u8]) -> String {
        self.object("blob", bytes)
    }

    /// Writes a tree of these entries in this order, whatever they are.
    pub fn tree(&self, entries: &[RawEntry<'_>]) -> String {
        let mut bytes = Vec::new();
        for (mode, name, object) in entries {
            bytes.extend_from_slice(mode.as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend(hex(object));
        }
        self.object("tree", &bytes)
    }

    /// The entries of a tree: mode, name and object.
    pub fn entries(&self, tree: &str) -> Vec<(String, Vec<u8>, String)> {
        let bytes = self.git(["cat-file", "tree", &format!("{tree}^{{tree}}")], b"");
        let (mut entries, mut rest) = (Vec::new(), &bytes[..]);
        while let Some(end) = rest.iter().position(|&byte| byte == 0) {
            let space = rest.iter().position(|&byte| byte == b' ').expect("a mode ends with a space");
            let mode = String::from_utf8_lossy(&rest[..space]).into_owned();
            let object = rest[end + 1..end + 21].iter().map(|byte| format!("{byte:02x}")).collect();
            entries.push((mode, rest[space + 1..end].to_vec(), object));
            rest = &rest[end + 21..];
        }
        entries
    }

    /// Puts more entries into the tree of the head, in git's order, and makes that the head, as somebody with plain git
    /// would.
    pub fn commit_onto_head(&self, more: &[RawEntry<'_>], message: &str) -> String {
        let head = self.head().expect("there is a head");
        let known = self.entries(&head);
        let known = known.iter().map(|(mode, name, object)| (&mode[..], &name[..], &object[..]));
        let mut entries: Vec<RawEntry<'_>> = known.chain(more.iter().copied()).collect();
        let key = |entry: &RawEntry<'_>| {
            if entry.0 == "40000" { [entry.1, b"/"].concat() } else { entry.1.to_vec() }
        };
        entries.sort_by_key(key);
        let commit = self.commit(&self.tree(&entries), Some(&head), message);
        self.set_head(&commit);
        commit
    }

    /// Writes a commit as plain git would.
    pub fn commit(&self, tree: &str, parent: Option<&str>, message: &str) -> String {
        let mut arguments = vec!["commit-tree", tree, "-m", message];
        if let Some(parent) = parent {
            arguments.extend(["-p", parent]);
        }
        String::from_utf8_lossy(&self.git(arguments, b"")).trim().to_owned()
    }

    /// Puts `main` on a commit, wherever it was.
    pub fn set_head(&self, commit: &str) {
        self.git(["update-ref", "refs/heads/main", commit], b"");
    }

    /// What git finds wrong with it, if anything.
    pub fn damage(&self) -> Option<String> {
        let (success, stdout, stderr) = self.try_git(&["fsck", "--no-dangling", "--no-progress"], b"");
        let said = format!("{}{stderr}", String::from_utf8_lossy(&stdout));
        // A repository in which nothing was committed yet has no branch to look at.
        let is_new = |line: &str| line.starts_with("notice: ");
        let said: Vec<&str> = said.lines().filter(|line| !is_new(line)).collect();
        (!success || !said.is_empty()).then(|| said.join("\n"))
    }

    /// The names of all objects that a ref reaches.
    pub fn reachable(&self) -> Vec<String> {
        let (_, stdout, _) = self.try_git(&["rev-list", "--objects", "--no-object-names", "--all"], b"");
        String::from_utf8_lossy(&stdout).lines().map(str::to_owned).collect()
    }

    /// Loses those of the named objects that it holds, as a failing disk does; answers how many.
    pub fn lose(&self, objects: &[String]) -> usize {
        let packs = self.0.join("objects/pack");
        for entry in fs::read_dir(&packs).into_iter().flatten().flatten() {
            let pack = entry.path();
            let bytes = fs::read(&pack).expect("a pack can be read");
            fs::remove_file(&pack).expect("a pack can be removed");
            if pack.extension().is_some_and(|extension| extension == "pack") {
                self.git(["unpack-objects", "-q"], &bytes);
            }
        }
        let files = objects.iter().map(|oid| self.0.join("objects").join(&oid[..2]).join(&oid[2..]));
        files.filter(|file| fs::remove_file(file).is_ok()).count()
    }

    /// The contents of those of the named objects that are blobs.
    pub fn blobs(&self, objects: &[String]) -> Vec<(String, Vec<u8>)> {
        if objects.is_empty() {
            return Vec::new();
        }
        let wanted = objects.join("\n") + "\n";
        let (_, stdout, _) = self.try_git(&["cat-file", "--batch"], wanted.as_bytes());
        split_batch(&stdout)
    }
}

/// Takes `cat-file --batch` apart: a line `NAME KIND LENGTH`, the bytes, a newline; or `NAME missing`.
fn split_batch(mut rest: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut blobs = Vec::new();
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 1..];
        let words: Vec<_> = line.split(' ').collect();
        let [name, kind, length] = words[..] else { continue };
        let length: usize = length.parse().expect("git says a length");
        if kind == "blob" {
            blobs.push((name.to_owned(), rest[..length].to_vec()));
        }
        rest = &rest[length + 1..];
    }
    blobs
}

fn hex(digits: &str) -> impl Iterator<Item = u8> + '_ {
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("an object name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_made_tree_is_taken_as_it_is() {
        let area = tempfile::tempdir().unwrap();
        let bare = Bare::create(&area.path().join("remote.git"));
        assert_eq!(bare.head(), None);
        let blob = bare.blob(b"content");
        let tree = bare.tree(&[("100644", b"..", &blob), ("100644", b"a/b", &blob)]);
        let commit = bare.commit(&tree, None, "hostile");
        bare.set_head(&commit);
        assert_eq!(bare.head(), Some(commit.clone()));
        assert_eq!(bare.entries(&commit)[1], ("100644".to_owned(), b"a/b".to_vec(), blob.clone()));
        assert_eq!(bare.blobs(&bare.reachable()), [(blob, b"content".to_vec())]);
    }
}
