//! A tree: what one side holds at one moment, every path of it.
//!
//! It is an arena: entries stand parents first, the children of a folder side by side and sorted by name. A tree of a
//! hundred thousand entries is one allocation and the names.

use std::ops::Range;

use crate::clock::Timestamp;
use crate::content::ContentId;
use crate::path::{Name, TreePath};

/// Where an entry stands in its [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u32);

impl Place {
    /// The workspace itself, in every tree.
    pub const ROOT: Place = Place(0);

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A file or a symbolic link: the two kinds that have content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeafKind {
    /// A regular file.
    File,
    /// A symbolic link; its content is its target.
    Link,
}

/// What a path with content holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// File or link.
    pub kind: LeafKind,
    /// The content's name.
    pub content: ContentId,
    /// The content's length in bytes.
    pub size: u64,
    /// Whether the owner may execute it; always false for a link.
    pub exec: bool,
}

/// Why an entry takes no part: it is there, it is not to be opened, moved alone or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Unknown {
    /// A rule leaves it out; the text names the rule and where it stands.
    Excluded(String),
    /// A rule of this machine alone leaves it out.
    ExcludedHere(String),
    /// A name that never travels (`.git`, our own state).
    Reserved,
    /// It could not be read.
    Unreadable(String),
    /// It changed while it was read.
    Changing,
    /// A socket, device, pipe or the like.
    Special,
    /// Another workspace, or another file system.
    Foreign(String),
    /// A link that the links policy does not carry.
    LinkOutside,
    /// The other side can't hold it (name, size, kind); the text says why, the code is searchable.
    Unfit {
        /// The stable code, such as `E-SIZE-REMOTE`.
        code: &'static str,
        /// One sentence.
        why: String,
    },
}

/// What one path holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A folder.
    Folder,
    /// A file or link.
    Leaf(Leaf),
    /// Something that takes no part.
    Unknown(Unknown),
}

/// What makes a file or folder itself, whatever its name: the file system's own number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The file system.
    pub device: u64,
    /// The number in it.
    pub inode: u64,
    /// When it was born, in nanoseconds since 1970; 0 where that is not known. Tells a reused number from the old one.
    pub birth_ns: i64,
}

/// One entry of a tree.
#[derive(Debug, Clone)]
pub struct TreeEntry {
    /// The folder that holds it; the root's is itself.
    pub parent: Place,
    /// Its name; the root's is of no meaning.
    pub name: Name,
    /// What it is.
    pub entry: Entry,
    /// Its identity, on sides that have one.
    pub key: Option<Key>,
    /// When its content was last modified, where that is known.
    pub modified: Option<Timestamp>,
    children: Range<u32>,
}

/// One entry on its way into a tree: see [`TreeBuilder::fill`].
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Its name, unique in its folder.
    pub name: Name,
    /// What it is.
    pub entry: Entry,
    /// Its identity, on sides that have one.
    pub key: Option<Key>,
    /// When its content was last modified, where that is known.
    pub modified: Option<Timestamp>,
}

/// What one side holds.
#[derive(Debug, Clone)]
pub struct Tree {
    entries: Vec<TreeEntry>,
}

/// Builds a [`Tree`], one folder after the other.
#[derive(Debug)]
pub struct TreeBuilder {
    tree: Tree,
}

impl TreeBuilder {
    /// Starts with an empty root.
    pub fn new(root_key: Option<Key>) -> Self {
        let name = Name::new(b"root").expect("because the bytes are a valid name");
        let root = TreeEntry {
            parent: Place::ROOT,
            name,
            entry: Entry::Folder,
            key: root_key,
            modified: None,
            children: 0..0,
        };
        TreeBuilder { tree: Tree { entries: vec![root] } }
    }

    /// Makes room for so many more entries.
    pub fn reserve(&mut self, entries: usize) {
        self.tree.entries.reserve_exact(entries);
    }

    /// Gives a folder its entries, in any order; answers their places in order of name. A folder is filled once.
    pub fn fill(&mut self, folder: Place, mut entries: Vec<NewEntry>) -> impl Iterator<Item = Place> + use<> {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        debug_assert!(entries.windows(2).all(|pair| pair[0].name != pair[1].name), "names are unique");
        let start = self.tree.entries.len() as u32;
        self.tree.entries.extend(entries.into_iter().map(|new| TreeEntry {
            parent: folder,
            name: new.name,
            entry: new.entry,
            key: new.key,
            modified: new.modified,
            children: 0..0,
        }));
        let end = self.tree.entries.len() as u32;
        self.tree.entries[folder.index()].children = start..end;
        (start..end).map(Place)
    }

    /// Borrows what is built so far.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Answers the tree.
    pub fn finish(self) -> Tree {
        self.tree
    }
}

impl Tree {
    /// A tree with nothing in it.
    pub fn empty() -> Self {
        TreeBuilder::new(None).finish()
    }

    /// How many entries there are, the root among them.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Answers whether there is nothing but the root.
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 1
    }

    /// Borrows one entry.
    pub fn at(&self, place: Place) -> &TreeEntry {
        &self.entries[place.index()]
    }

    /// Says what an entry is that could not be told before; it is no folder, now or then.
    pub fn tell(&mut self, place: Place, entry: Entry, modified: Option<Timestamp>) {
        let told = &mut self.entries[place.index()];
        debug_assert!(told.entry != Entry::Folder && entry != Entry::Folder, "a folder is told at once");
        told.entry = entry;
        told.modified = modified;
    }

    /// Says that what took no part is a folder after all, and what stands in it.
    pub fn tell_folder(&mut self, place: Place, inside: Vec<NewEntry>) {
        self.entries[place.index()].entry = Entry::Folder;
        let mut builder = TreeBuilder { tree: std::mem::replace(self, Tree { entries: Vec::new() }) };
        let _places = builder.fill(place, inside);
        *self = builder.finish();
    }

    /// All places, parents first.
    pub fn places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..self.entries.len() as u32).map(Place)
    }

    /// The places of a folder's entries, in order of name.
    pub fn children(
        &self,
        folder: Place,
    ) -> impl DoubleEndedIterator<Item = Place> + ExactSizeIterator + use<> {
        self.entries[folder.index()].children.clone().map(Place)
    }

    /// Finds an entry of a folder by name.
    pub fn child(&self, folder: Place, name: &Name) -> Option<Place> {
        let range = self.entries[folder.index()].children.clone();
        let slice = &self.entries[range.start as usize..range.end as usize];
        let at = slice.binary_search_by(|entry| entry.name.cmp(name)).ok()?;
        Some(Place(range.start + at as u32))
    }

    /// Finds an entry by path.
    pub fn find(&self, path: &TreePath) -> Option<Place> {
        path.names().try_fold(Place::ROOT, |folder, name| self.child(folder, &name))
    }

    /// The path of an entry.
    pub fn path(&self, place: Place) -> TreePath {
        let mut names = Vec::new();
        let mut at = place;
        while at != Place::ROOT {
            names.push(&self.at(at).name);
            at = self.at(at).parent;
        }
        names.into_iter().rev().fold(TreePath::root(), |path, name| path.join(name))
    }

    /// How many files and links there are.
    pub fn leaf_count(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry.entry, Entry::Leaf(_))).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> NewEntry {
        NewEntry {
            name: Name::new(name.as_bytes()).unwrap(),
            entry: Entry::Folder,
            key: None,
            modified: None,
        }
    }

    #[test]
    fn entries_are_found_by_path_and_name_their_path() {
        let mut builder = TreeBuilder::new(None);
        let places: Vec<Place> = builder.fill(Place::ROOT, vec![folder("b"), folder("a")]).collect();
        let _ = builder.fill(places[0], vec![folder("x")]);
        let tree = builder.finish();
        let path = TreePath::new(b"a/x").unwrap();
        let found = tree.find(&path).unwrap();
        assert_eq!(tree.path(found), path);
        assert_eq!(tree.find(&TreePath::new(b"b/x").unwrap()), None);
        assert_eq!(tree.children(Place::ROOT).count(), 2);
    }
}
