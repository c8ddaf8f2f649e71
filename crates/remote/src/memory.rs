//! A remote in memory: the reference for what the trait means, and the fast one for tests.
//!
//! A [`MemoryPlace`] stands for the place outside; any number of machines open their own [`MemoryRemote`] on it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::note::{Note, Notes};
use instep_core::path::{Name, TreePath};
use instep_core::progress::{Event, Observer, Phase, Silent};
use instep_core::remote::{
    Committed, Description, Draft, Lineage, Listed, ListedKind, ObjectId, Refusal, Remote, RemoteError,
    RemoteErrorKind, Revision, Sink, Snapshot, Source, Stamp,
};
use instep_core::renames::{Rename, Renames};

/// A place outside that several machines share.
#[derive(Debug, Clone, Default)]
pub struct MemoryPlace(Arc<Mutex<Held>>);

/// One machine's way to a [`MemoryPlace`].
#[derive(Debug, Clone)]
pub struct MemoryRemote {
    place: MemoryPlace,
    foreign: bool,
    content_bytes_max: Option<u64>,
}

#[derive(Debug, Default)]
struct Held {
    contents: HashMap<ObjectId, Arc<[u8]>>,
    folders: HashMap<ObjectId, Arc<Vec<Item>>>,
    commits: HashMap<Revision, Arc<Commit>>,
    head: Option<Revision>,
    notes: BTreeMap<String, Note>,
}

#[derive(Debug, Clone)]
struct Item {
    name: Name,
    kind: ListedKind,
    object: ObjectId,
}

#[derive(Debug)]
struct Commit {
    parent: Option<Revision>,
    root: ObjectId,
    stamp: Stamp,
    times: BTreeMap<TreePath, Timestamp>,
    renames: Vec<Rename>,
}

impl MemoryPlace {
    /// An empty place.
    pub fn new() -> Self {
        MemoryPlace::default()
    }

    /// Opens it for one machine.
    pub fn open(&self) -> MemoryRemote {
        MemoryRemote { place: self.clone(), foreign: false, content_bytes_max: None }
    }

    /// Opens it for one that writes as plain git does: its commits say nothing of machines, and hold no empty folder.
    pub fn open_foreign(&self) -> MemoryRemote {
        MemoryRemote { foreign: true, ..self.open() }
    }

    /// Puts the head elsewhere, as an owner of the place may.
    pub fn put_back(&self, to: Option<&Revision>) {
        self.held().head = to.cloned();
    }

    /// Drops every content that the head does not hold, as an owner does who has no use for the past.
    pub fn drop_past_contents(&self) {
        let Some(head) = self.held().head.clone() else { return };
        let root = self.held().commits[&head].root;
        let listed = self.held().list(root).unwrap_or_default();
        let here: BTreeSet<ObjectId> = listed.into_iter().map(|entry| entry.object).collect();
        self.held().contents.retain(|object, _| here.contains(object));
    }

    /// Puts other bytes in the place of a content, or nothing, as a failing disk does.
    pub fn damage(&self, content: ContentId, instead: Option<&[u8]>) {
        let object = ObjectId::from(content);
        match instead {
            Some(bytes) => self.held().contents.insert(object, bytes.into()),
            None => self.held().contents.remove(&object),
        };
    }

    /// Lays down a note as whoever may write to the place can: of any author, with any text.
    pub fn forge_note(&self, author: &str, text: &[u8]) {
        let note = Note { author: author.to_owned(), text: text.to_vec(), contents: Vec::new() };
        self.held().notes.insert(author.to_owned(), note);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryRemote {
    /// Takes no content above a size.
    pub fn with_content_bytes_max(mut self, max: u64) -> Self {
        self.content_bytes_max = Some(max);
        self
    }
}

impl Held {
    fn commit(&self, at: &Revision) -> Result<Arc<Commit>, RemoteError> {
        self.commits.get(at).cloned().ok_or_else(|| {
            RemoteError::new(RemoteErrorKind::Stale, "E-HEAD-MOVED", format!("There is no revision {at}."))
        })
    }

    /// The commits from `from` back to the first, newest first.
    fn past(&self, from: &Revision) -> Vec<(Revision, Arc<Commit>)> {
        let mut past = Vec::new();
        let mut next = Some(from.clone());
        while let Some(commit) = next.as_ref().and_then(|at| self.commits.get(at)).cloned() {
            let at = next.take().expect("because it was just found");
            next = commit.parent.clone();
            past.push((at, commit));
        }
        past
    }

    fn list(&self, root: ObjectId) -> Result<Vec<Listed>, RemoteError> {
        let mut entries = Vec::new();
        let mut folders = VecDeque::from([(None, root)]);
        while let Some((parent, object)) = folders.pop_front() {
            let items = self.folders.get(&object).ok_or_else(|| missing(object))?;
            for Item { name, kind, object } in items.iter().cloned() {
                if kind == ListedKind::Folder {
                    folders.push_back((Some(entries.len() as u32), object));
                }
                entries.push(Listed { parent, name, kind, object });
            }
        }
        Ok(entries)
    }

    fn leaves(&self, root: ObjectId) -> Result<BTreeMap<TreePath, (ListedKind, ObjectId)>, RemoteError> {
        let entries = self.list(root)?;
        let mut paths: Vec<TreePath> = Vec::with_capacity(entries.len());
        let mut leaves = BTreeMap::new();
        for entry in entries {
            let parent = entry.parent.map_or_else(TreePath::root, |at| paths[at as usize].clone());
            let path = parent.join(&entry.name);
            paths.push(path.clone());
            if entry.kind != ListedKind::Folder {
                leaves.insert(path, (entry.kind, entry.object));
            }
        }
        Ok(leaves)
    }

    /// When each file that these commits touched was modified, and who wrote it; a newer one's word over an older's.
    fn touched(
        &self,
        commits: &[Arc<Commit>],
    ) -> Result<BTreeMap<TreePath, (Timestamp, String)>, RemoteError> {
        let mut touched = BTreeMap::new();
        for commit in commits.iter().rev() {
            let before = match &commit.parent {
                Some(parent) => self.leaves(self.commit(parent)?.root)?,
                None => BTreeMap::new(),
            };
            for (path, leaf) in self.leaves(commit.root)? {
                if before.get(&path) != Some(&leaf) {
                    let time = commit.times.get(&path).copied().unwrap_or(commit.stamp.time);
                    touched.insert(path, (time, commit.stamp.writer().to_owned()));
                }
            }
        }
        Ok(touched)
    }

    fn keep_folder(&mut self, mut items: Vec<Item>) -> Result<ObjectId, RemoteError> {
        items.sort_by(|a, b| a.name.cmp(&b.name));
        if items.windows(2).any(|pair| pair[0].name == pair[1].name) {
            return Err(misuse("a draft holds a name twice"));
        }
        let mut bytes = Vec::new();
        for item in &items {
            bytes.extend_from_slice(format!("{:?} {} ", item.kind, item.object).as_bytes());
            bytes.extend_from_slice(item.name.as_bytes());
            bytes.push(0);
        }
        let object = ContentId::of(&bytes).into();
        self.folders.insert(object, Arc::new(items));
        Ok(object)
    }

    /// Names the folders of a draft, innermost first; answers the root's name.
    fn keep_draft(&mut self, draft: &Draft, foreign: bool) -> Result<ObjectId, RemoteError> {
        let mut items: Vec<Vec<Item>> = vec![Vec::new(); draft.entries.len() + 1];
        for (at, entry) in draft.entries.iter().enumerate().rev() {
            let below = std::mem::take(&mut items[at + 1]);
            let object = match (&entry.kind, entry.object) {
                (_, Some(object)) => object,
                (ListedKind::Folder, None) if foreign && below.is_empty() => continue,
                (ListedKind::Folder, None) => self.keep_folder(below)?,
                _ => return Err(misuse("a draft holds an entry without content")),
            };
            let known = match entry.kind {
                ListedKind::Folder => self.folders.contains_key(&object),
                ListedKind::Leaf { .. } => self.contents.contains_key(&object),
                ListedKind::Unfit { .. } => true,
            };
            if !known {
                return Err(missing(object));
            }
            let folder = entry.parent.map_or(0, |parent| parent as usize + 1);
            if folder > at {
                return Err(misuse("a draft's parents stand after their children"));
            }
            items[folder].push(Item { name: entry.name.clone(), kind: entry.kind.clone(), object });
        }
        let root = std::mem::take(&mut items[0]);
        self.keep_folder(root)
    }
}

fn missing(object: ObjectId) -> RemoteError {
    RemoteError::new(RemoteErrorKind::Corrupt, "E-MEMORY-OBJECT", format!("There is no object {object}."))
}

fn misuse(what: &str) -> RemoteError {
    RemoteError::new(RemoteErrorKind::Protocol, "E-MEMORY-DRAFT", what)
}

impl Remote for MemoryRemote {
    fn describe(&self) -> Description {
        Description {
            kind: "memory",
            address: "memory:".to_owned(),
            content_bytes_max: self.content_bytes_max,
        }
    }

    fn head(&self) -> Result<Option<Revision>, RemoteError> {
        Ok(self.place.held().head.clone())
    }

    fn lineage(&self, known: &Revision, head: &Revision) -> Result<Lineage, RemoteError> {
        if known == head {
            return Ok(Lineage::Same);
        }
        let held = self.place.held();
        held.commit(head)?;
        let revisions =
            |from| -> HashSet<Revision> { held.past(from).into_iter().map(|(at, _)| at).collect() };
        let (old, new) = (revisions(known), revisions(head));
        Ok(match () {
            () if new.contains(known) => Lineage::Ahead,
            () if old.contains(head) => Lineage::Rewound,
            () if old.is_empty() || !old.is_disjoint(&new) => Lineage::Diverged,
            () => Lineage::Unrelated,
        })
    }

    fn snapshot(&self, at: &Revision, known: Option<&Revision>) -> Result<Snapshot, RemoteError> {
        let held = self.place.held();
        let commit = held.commit(at)?;
        let entries = held.list(commit.root)?;
        let past = held.past(at);
        let mut stamp = commit.stamp.clone();
        let after = past.iter().take_while(|(revision, _)| Some(revision) != known);
        let after: Vec<Arc<Commit>> = after.map(|(_, commit)| Arc::clone(commit)).collect();
        let (times, writers) = if known.is_some_and(|known| known != at) {
            let is_past = after.len() < past.len();
            stamp.speaks_of_folders = is_past && after.iter().all(|commit| commit.stamp.speaks_of_folders);
            let touched = held.touched(&after)?.into_iter();
            touched.map(|(path, (time, writer))| ((path.clone(), time), (path, writer))).unzip()
        } else {
            (commit.times.clone(), BTreeMap::new())
        };
        let told = after.iter().rev().map(|commit| commit.renames.as_slice());
        let renames = if known.is_some() { Renames::through(told) } else { Renames::default() };
        Ok(Snapshot { revision: at.clone(), entries, root: commit.root, stamp, times, writers, renames })
    }

    fn fetch(
        &self,
        wanted: &[ObjectId],
        into: &mut dyn Sink,
        observer: &dyn Observer,
    ) -> Result<(), RemoteError> {
        for &object in wanted {
            let content = self.place.held().contents.get(&object).cloned().ok_or_else(|| missing(object))?;
            let size = content.len() as u64;
            into.receive(object, size, &mut &content[..])?;
            observer.observe(Event::Advanced { phase: Phase::Receive, files: 1, bytes: size });
        }
        Ok(())
    }

    fn upload(
        &self,
        offered: &[ContentId],
        from: &dyn Source,
        observer: &dyn Observer,
    ) -> Result<Vec<ObjectId>, RemoteError> {
        let mut named = Vec::with_capacity(offered.len());
        for &content in offered {
            if observer.is_cancelled() {
                let message = "Stopped on request.";
                return Err(RemoteError::new(RemoteErrorKind::Cancelled, "E-CANCELLED", message));
            }
            let mut opened = from.open(content)?;
            let mut bytes = Vec::new();
            let read = opened.bytes.read_to_end(&mut bytes);
            read.map_err(|error| {
                RemoteError::new(RemoteErrorKind::Local, "E-IO", "Reading a file failed.").caused_by(error)
            })?;
            if bytes.len() as u64 != opened.size {
                let message = "A file changed while it was read.";
                return Err(RemoteError::new(RemoteErrorKind::Local, "E-IO-CHANGED", message));
            }
            let object = ContentId::of(&bytes).into();
            self.place.held().contents.insert(object, bytes.into());
            named.push(object);
            observer.observe(Event::Advanced { phase: Phase::Send, files: 1, bytes: opened.size });
        }
        Ok(named)
    }

    fn prepare(&self, expected: Option<&Revision>, draft: &Draft) -> Result<Revision, RemoteError> {
        let mut held = self.place.held();
        let root = held.keep_draft(draft, self.foreign)?;
        let ours = !self.foreign;
        let stamp = Stamp {
            author: if ours { draft.machine.name.clone() } else { "someone".to_owned() },
            machine: ours.then(|| draft.machine.clone()),
            time: draft.time,
            message: draft.message.lines().next().unwrap_or("").to_owned(),
            operation: ours.then(|| draft.operation.clone()),
            allows_deletes: ours && draft.allows_deletes,
            speaks_of_folders: ours,
        };
        let times = if ours { draft.times.clone() } else { BTreeMap::new() };
        let renames = if ours { draft.renames.clone() } else { Vec::new() };
        let commit = Commit { parent: expected.cloned(), root, stamp, times, renames };
        let revision = Revision(ContentId::of(format!("{commit:?}").as_bytes()).to_string());
        held.commits.insert(revision.clone(), Arc::new(commit));
        Ok(revision)
    }

    fn commit(&self, expected: Option<&Revision>, prepared: &Revision) -> Result<(), RemoteError> {
        let mut held = self.place.held();
        if held.head.as_ref() == Some(prepared) {
            return Ok(());
        }
        if held.head.as_ref() != expected {
            return Err(RemoteError::new(
                RemoteErrorKind::Stale,
                "E-HEAD-MOVED",
                "Another machine committed first.",
            ));
        }
        if held.commit(prepared)?.parent.as_ref() != expected {
            return Err(misuse("a draft was made for another head"));
        }
        held.head = Some(prepared.clone());
        Ok(())
    }

    fn history(&self, limit: usize) -> Result<Vec<Committed>, RemoteError> {
        let held = self.place.held();
        let Some(head) = held.head.clone() else { return Ok(Vec::new()) };
        let past = held.past(&head).into_iter().take(limit);
        Ok(past.map(|(revision, commit)| Committed { revision, stamp: commit.stamp.clone() }).collect())
    }

    fn lay_down(
        &self,
        author: &str,
        text: &[u8],
        contents: &[ContentId],
        from: &dyn Source,
    ) -> Result<bool, RemoteError> {
        let objects = self.upload(contents, from, &Silent)?;
        let contents = contents.iter().copied().zip(objects).collect();
        let note = Note { author: author.to_owned(), text: text.to_vec(), contents };
        self.place.held().notes.insert(author.to_owned(), note);
        Ok(true)
    }

    fn notes(&self, known: Option<&str>) -> Result<Option<Notes>, RemoteError> {
        let notes: Vec<Note> = self.place.held().notes.values().cloned().collect();
        let mark = match notes.as_slice() {
            [] => String::new(),
            notes => ContentId::of(format!("{notes:?}").as_bytes()).to_string(),
        };
        Ok((known != Some(&mark)).then_some(Notes { mark, notes }))
    }

    fn refuses(&self, _path: &TreePath, size: u64) -> Option<Refusal> {
        let max = self.content_bytes_max.filter(|&max| size > max)?;
        let why = format!("{size} bytes are more than the {max} that this remote takes");
        Some(Refusal { code: "E-SIZE-REMOTE", why })
    }
}
