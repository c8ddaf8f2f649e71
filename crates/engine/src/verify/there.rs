//! The remote: its head is known, it lists what is remembered of it, and it has what it lists.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use instep_core::content::{ContentHasher, ContentId};
use instep_core::node::{Body, Side};
use instep_core::path::TreePath;
use instep_core::progress::{Event, Observer, Phase};
use instep_core::remote::{
    Class, Lineage, ObjectId, Remote, RemoteError, RemoteErrorKind, Revision, Sink, Snapshot,
};
use instep_core::tree::Entry;

use super::{Check, FaultKind, HeadFault, Looked, Met, is_same, meet, path};
use crate::cycle::far::{Far, Objects, View};
use crate::cycle::{settled_at, settled_note};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::reach::Reach;

impl<F: Folder> Check<'_, F> {
    /// Looks at the remote as the last sync left it. If it can't be asked, that is said.
    pub(super) fn remote(&mut self, reach: &Reach<'_>) -> Result<(), EngineError> {
        let Some(record) = self.record.clone() else { return Ok(()) };
        let Some(known) = &record.head else { return Ok(()) };
        let Some(remote) = reach.remote() else {
            self.found.remote = Looked::Away("It can't be opened now.".to_owned());
            return Ok(());
        };
        match self.look_there(remote, record.id, known) {
            Ok(()) => Ok(()),
            Err(EngineError::Remote(error)) if error.kind == RemoteErrorKind::Cancelled => {
                Err(EngineError::Cancelled)
            }
            Err(EngineError::Remote(error)) if matches!(error.class(), Class::Corrupt | Class::Stale) => {
                let fault = HeadFault::Unreadable(error.code, error.message, error.hint);
                self.fault(None, FaultKind::Head(fault));
                Ok(())
            }
            Err(EngineError::Remote(error)) => {
                self.found.remote = Looked::Away(error.message);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn look_there(&mut self, remote: &dyn Remote, id: i64, known: &Revision) -> Result<(), EngineError> {
        self.observer.observe(Event::Began { phase: Phase::Ask, files: None, bytes: None });
        let lineage = match remote.head()? {
            None => {
                self.fault(None, FaultKind::Head(HeadFault::Gone));
                return Ok(());
            }
            Some(head) => remote.lineage(known, &head)?,
        };
        if !matches!(lineage, Lineage::Same | Lineage::Ahead) {
            self.fault(None, FaultKind::Head(HeadFault::Lineage(lineage)));
            return Ok(());
        }
        let snapshot = remote.snapshot(known, Some(known))?;
        self.observer.observe(Event::Ended { phase: Phase::Ask });
        let objects = self.workspace.state.objects(id)?;
        let targets = self.workspace.state.targets()?;
        let listed = snapshot.entries.iter().filter_map(|entry| objects.get(&entry.object));
        self.there = listed.map(|(content, _)| *content).collect();
        let view = View {
            snapshot: Some(&snapshot),
            known: &self.known,
            settings: &self.settings,
            ignore: &self.scan.ignore,
            local: &self.scan.tree,
            abilities: self.workspace.folder.abilities(),
            targets: &targets,
            invalid: None,
        };
        let built = view.build(&objects);
        let unread: HashSet<ObjectId> = built.missing.iter().map(|(object, _)| *object).collect();
        let settled = self.workspace.state.note(&settled_note(id))?;
        if settled == Some(settled_at(&self.settings, known)) {
            self.compare(&built.far, &snapshot, &unread, &objects);
        }
        self.found.remote = Looked::Whole { ahead: lineage == Lineage::Ahead };
        self.objects(remote, &built.far, &snapshot)
    }

    /// Holds what is remembered of the remote against what it lists. Folders alone are not asked for: programs that know
    /// only files can't speak of them.
    fn compare(&mut self, far: &Far, snapshot: &Snapshot, unread: &HashSet<ObjectId>, objects: &Objects) {
        let known = std::mem::take(&mut self.known);
        let mut faults = Vec::new();
        for row in known.rows() {
            let Some(Body::Leaf(leaf)) = row.views.side(Side::Remote).map(|value| value.body) else {
                continue;
            };
            let Some(path) = path(&known, row, Side::Remote).filter(|path| self.request.covers(path)) else {
                continue;
            };
            let copy = self.copy(leaf.content);
            let never_read = || {
                let place = far.tree.find(&path)?;
                let index = far.listed.get(place.0 as usize).copied().flatten()?;
                let object = snapshot.entries.get(index as usize)?.object;
                // Of a link that went out from here it is known what it is, though it never came in.
                let is_known = objects.get(&object).is_some_and(|(content, _)| *content == leaf.content);
                Some(unread.contains(&object) && !is_known)
            };
            match meet(&far.tree, &path) {
                Met::At(place) if is_same(&far.tree.at(place).entry, &leaf) => {}
                Met::At(_) => faults.push((path, FaultKind::Differs { copy })),
                Met::Unknown if never_read() == Some(true) => {
                    faults.push((path, FaultKind::Differs { copy }))
                }
                Met::Unknown => {}
                Met::Nothing => faults.push((path, FaultKind::Unlisted { copy })),
            }
        }
        self.known = known;
        faults.into_iter().for_each(|(path, kind)| self.fault(Some(path), kind));
    }

    /// Counts the contents that the remote lists for this folder; fetches and reads them if that is asked for.
    fn objects(&mut self, remote: &dyn Remote, far: &Far, snapshot: &Snapshot) -> Result<(), EngineError> {
        let mut wanted: BTreeMap<ObjectId, (ContentId, TreePath)> = BTreeMap::new();
        for place in far.tree.places() {
            let (Entry::Leaf(leaf), Some(index)) = (&far.tree.at(place).entry, far.listed[place.0 as usize])
            else {
                continue;
            };
            let path = far.tree.path(place);
            if self.request.covers(&path) {
                wanted.entry(snapshot.entries[index as usize].object).or_insert((leaf.content, path));
            }
        }
        self.found.counts.objects = wanted.len() as u64;
        if !self.request.read_data {
            return Ok(());
        }
        let names: Vec<ObjectId> = wanted.keys().copied().collect();
        let mut reader =
            Reader { observer: self.observer, read: BTreeMap::new(), bytes: 0, failed: Vec::new() };
        let all = names.len() as u64;
        self.observer.observe(Event::Began { phase: Phase::Receive, files: Some(all), bytes: None });
        let answer = reader.read(remote, &names);
        self.observer.observe(Event::Ended { phase: Phase::Receive });
        let Reader { read, bytes, failed, .. } = reader;
        self.found.counts.objects_read = read.len() as u64;
        self.found.counts.object_bytes_read = bytes;
        let damaged = read.iter().filter(|(object, content)| wanted[object].0 != **content);
        let damaged = damaged.map(|(object, _)| {
            let message = "The remote holds another content than the one that was sent or received.";
            (*object, RemoteError::new(RemoteErrorKind::Corrupt, "E-STORE-DAMAGED", message))
        });
        let bad: Vec<(ObjectId, RemoteError)> = damaged.chain(failed).collect();
        bad.iter().for_each(|(object, _)| {
            self.there.remove(&wanted[object].0);
            self.past.remove(&wanted[object].0);
        });
        for (object, RemoteError { code, message, hint, .. }) in bad {
            let (content, path) = wanted[&object].clone();
            let copy = self.copy(content);
            self.fault(Some(path), FaultKind::Object { code, message, hint, copy });
        }
        Ok(answer?)
    }
}

/// Reads contents as a remote hands them over, and keeps nothing but what they are.
struct Reader<'a> {
    observer: &'a dyn Observer,
    read: BTreeMap<ObjectId, ContentId>,
    bytes: u64,
    failed: Vec<(ObjectId, RemoteError)>,
}

impl Reader<'_> {
    /// Asks for all at once. One that is missing fails them all: then for each half of what is left, so that the bad ones
    /// are found.
    fn read(&mut self, remote: &dyn Remote, wanted: &[ObjectId]) -> Result<(), RemoteError> {
        let observer = self.observer;
        let error = match remote.fetch(wanted, self, observer) {
            Ok(()) => match wanted.iter().find(|object| !self.read.contains_key(object)) {
                Some(_) => RemoteError::new(
                    RemoteErrorKind::Corrupt,
                    "E-STORE-MISSING",
                    "The remote did not hand over a content that it lists.",
                ),
                None => return Ok(()),
            },
            // It is there or it is not: anything but an answer to that is no verdict on a content.
            Err(error) if !matches!(error.kind, RemoteErrorKind::Corrupt | RemoteErrorKind::NotFound) => {
                return Err(error);
            }
            Err(error) => error,
        };
        let left: Vec<ObjectId> =
            wanted.iter().copied().filter(|object| !self.read.contains_key(object)).collect();
        match left.as_slice() {
            [] => Ok(()),
            [one] => {
                self.failed.push((*one, error));
                Ok(())
            }
            left => {
                let (first, second) = left.split_at(left.len() / 2);
                self.read(remote, first)?;
                self.read(remote, second)
            }
        }
    }
}

impl Sink for Reader<'_> {
    fn receive(&mut self, object: ObjectId, size: u64, content: &mut dyn Read) -> Result<(), RemoteError> {
        if self.observer.is_cancelled() {
            return Err(RemoteError::new(RemoteErrorKind::Cancelled, "E-CANCELLED", "interrupted"));
        }
        let mut hasher = ContentHasher::new();
        let mut buffer = [0; 64 * 1024];
        loop {
            let count = content.read(&mut buffer).map_err(|error| {
                let message = "A content could not be read to its end.";
                RemoteError::new(RemoteErrorKind::Corrupt, "E-STORE-DAMAGED", message).caused_by(error)
            })?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
        }
        self.read.insert(object, hasher.finish());
        self.bytes += size;
        Ok(())
    }
}
