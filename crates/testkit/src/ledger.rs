//! The ledger of what must never be lost: each content that was ever written, and where it can still be found.
//!
//! A content is *kept* if it stands in a tree, lies whole under its name in a machine's `.instep/`, or is reached by a
//! ref of a git repository (the remote's, or a machine's own). A file named by a content id that holds other bytes is
//! not taken for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::Path;

use instep_core::content::ContentId;

use crate::bare::Bare;
use crate::drawing::Drawing;
use crate::drawing::disk;
use crate::machine::Machine;

/// All contents that were written so far, and what they were.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    written: BTreeMap<ContentId, String>,
    // What git calls an object and what it is never change: hashed once.
    known: HashMap<String, ContentId>,
}

impl Ledger {
    /// Begins with nothing.
    pub fn new() -> Self {
        Ledger::default()
    }

    /// Writes down one content.
    pub fn record(&mut self, what: &str, content: &[u8]) {
        self.record_id(what, ContentId::of(content));
    }

    /// Writes down one content by its name.
    pub fn record_id(&mut self, what: &str, content: ContentId) {
        self.written.entry(content).or_insert_with(|| what.to_owned());
    }

    /// Strikes out a content that a person destroyed.
    pub fn forget(&mut self, content: &[u8]) {
        self.written.remove(&ContentId::of(content));
    }

    /// Writes down all contents of a drawing.
    pub fn record_drawing(&mut self, where_: &str, drawing: &Drawing) {
        for (path, content) in drawing.contents() {
            self.record(&format!("{where_}/{}", String::from_utf8_lossy(path)), content);
        }
    }

    /// How many contents are written down.
    pub fn len(&self) -> usize {
        self.written.len()
    }

    /// Answers whether nothing is written down.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// What can't be found any more.
    pub fn missing(&mut self, machines: &[&Machine], bare: &Bare) -> io::Result<Vec<String>> {
        let mut kept = self.kept_apart(machines, bare)?;
        for machine in machines {
            // A row may have made the folder a file, or taken it away.
            if machine.folder().is_dir() {
                let tree = disk::read(machine.folder())?;
                kept.extend(tree.contents().map(|(_, content)| ContentId::of(content)));
            }
        }
        let lost = self.written.iter().filter(|(id, _)| !kept.contains(*id));
        Ok(lost.map(|(id, what)| format!("{what} ({})", id.short())).collect())
    }

    /// What is kept elsewhere than in the trees: in histories, records and repositories.
    pub fn kept_apart(&mut self, machines: &[&Machine], bare: &Bare) -> io::Result<BTreeSet<ContentId>> {
        let mut kept = self.kept_by_git(bare);
        for machine in machines {
            let state = machine.folder().join(".instep");
            if state.is_dir() {
                kept.extend(kept_whole(&state)?);
            }
            if state.join("git").is_dir() {
                kept.extend(self.kept_by_git(&Bare::open(&state.join("git"))));
            }
        }
        Ok(kept)
    }

    fn kept_by_git(&mut self, repository: &Bare) -> BTreeSet<ContentId> {
        let reachable = repository.reachable();
        let new: Vec<_> = reachable.iter().filter(|name| !self.known.contains_key(*name)).cloned().collect();
        for (name, bytes) in repository.blobs(&new) {
            self.known.insert(name, ContentId::of(&bytes));
        }
        reachable.iter().filter_map(|name| self.known.get(name).copied()).collect()
    }
}

/// The contents that lie as whole files below a folder, under a name that holds their id.
fn kept_whole(folder: &Path) -> io::Result<BTreeSet<ContentId>> {
    let mut kept = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(parent) = folders.pop() {
        for entry in fs::read_dir(&parent)? {
            let path = entry?.path();
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() && path != folder.join("git") {
                folders.push(path);
            } else if kind.is_symlink() {
                kept.insert(ContentId::of(fs::read_link(&path)?.as_os_str().as_encoded_bytes()));
            } else if kind.is_file() && names_content(&parent, &path) {
                kept.insert(ContentId::of(&fs::read(&path)?));
            }
        }
    }
    Ok(kept)
}

/// `ab/cd…`, `abcd…` and `abcd….2` are names of contents.
fn names_content(parent: &Path, path: &Path) -> bool {
    let text =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = text(path);
    let name = name.split('.').next().unwrap_or_default();
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let folder = text(parent);
    name.len() == 64 && is_hex(name)
        || name.len() == 62 && folder.len() == 2 && is_hex(name) && is_hex(&folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Pair;

    #[test]
    fn a_content_counts_as_kept_only_where_it_is_whole() {
        let pair = Pair::new(Path::new("/bin/true"));
        let history = pair.left.folder().join(".instep/history");
        fs::create_dir_all(history.join("ab")).unwrap();
        let mut ledger = Ledger::new();
        for content in ["in a tree", "in history", "in history twice", "in git", "cut", "gone"] {
            ledger.record(content, content.as_bytes());
        }
        let id = |content: &str| ContentId::of(content.as_bytes()).to_string();
        fs::write(pair.right.folder().join("file"), "in a tree").unwrap();
        fs::write(history.join(id("in history")), "in history").unwrap();
        fs::write(history.join(id("in history twice") + ".1"), "in history twice").unwrap();
        fs::write(history.join(id("cut")), "cu").unwrap();
        let blob = pair.bare.blob(b"in git");
        let commit = pair.bare.commit(&pair.bare.tree(&[("100644", b"f", &blob)]), None, "one");
        pair.bare.set_head(&commit);
        pair.bare.blob(b"gone");
        let missing: Vec<_> = ledger
            .missing(&pair.machines(), &pair.bare)
            .unwrap()
            .iter()
            .map(|line| line[..3].to_owned())
            .collect();
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(missing.contains(&"cut".to_owned()) && missing.contains(&"gon".to_owned()));
    }
}
