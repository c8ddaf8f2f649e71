//! What the disk may have dropped is written anew before a row claims it; see [`doubt`](crate::doubt).

use std::collections::{BTreeMap, BTreeSet};

use instep_core::content::ContentId;
use instep_core::mutant;
use instep_core::node::{Body, Side, Value};
use instep_core::path::TreePath;
use instep_core::plan::Change;
use instep_core::tree::{Entry, Key, LeafKind, Place, Tree};

use super::durable::{newly_agreed, unless_gone};
use super::merging::open_parent;
use super::outcome::Held;
use super::think::Thought;
use super::{Cycle, Look, PassEnd, Tools};
use crate::apply::{self, Setting};
use crate::doubt::is_doubtful;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::history::wish;

/// What was written anew, and what could not be.
#[derive(Debug, Clone, Default)]
pub(super) struct Anew {
    /// The files that hold what was written: it is durable, however close to the refusal.
    written: BTreeSet<Key>,
    /// The paths that could not be written, each with the reason: they wait.
    pub unsure: BTreeMap<TreePath, Held>,
}

impl<F: Folder> Cycle<'_, F> {
    /// Writes anew what the plan takes for agreed and the disk may not have, and ends the pass if there was any: each is
    /// another file then.
    pub(super) fn write_anew(
        &mut self,
        look: &Look,
        thought: &Thought,
        tools: &mut Tools<'_, F>,
    ) -> Result<(), PassEnd> {
        let doubt = self.workspace.doubt()?;
        if doubt.is_none() {
            return Ok(());
        }
        let tree = &look.scan.tree;
        let (mut changes, mut unsure, mut gone) = (Vec::new(), BTreeMap::new(), Vec::new());
        for place in newly_agreed(thought) {
            let Some((value, content)) = file(tree, place) else { continue };
            let seen = open_parent(tools.folder, tree, place).and_then(|(dir, name)| {
                Ok(tools.folder.metadata(&dir, &name)?.map(|found| (dir, name, found)))
            });
            // It may be back before a row is written.
            let Some((dir, name, found)) = unless_gone(seen)?.flatten() else {
                gone.push(tree.path(place));
                continue;
            };
            if !is_doubtful(&found, doubt) || self.anew.written.contains(&found.key) {
                continue;
            }
            let path = tree.path(place);
            if look.scan.forms.contains_key(&place) {
                unsure.insert(path.clone(), waits(path));
                continue;
            }
            let staged = tools.staging.stage_copy((&dir, &name), content).map_err(EngineError::from);
            if unless_gone(staged)?.unwrap_or(false) {
                let (node, before, path) = (wish::node(place), Some(value.clone()), Some(path));
                changes.push(Change { node, before, after: Some(value), from: path.clone(), to: path });
            } else {
                gone.push(path);
            }
        }
        if !gone.is_empty() && !mutant::is_on("gone-is-durable") {
            return Err(PassEnd::Changed(gone));
        }
        if changes.is_empty() && unsure.is_empty() {
            return Ok(());
        }
        let now = self.workspace.clock.now();
        let setting = Setting {
            folder: tools.folder,
            state: &mut self.workspace.state,
            contents: &tools.contents,
            staging: &mut tools.staging,
            tree,
            forms: &look.scan.forms,
            places: &wish::places(tree),
            groups: &look.scan.groups,
            operation: &self.operation,
            now,
            doubt,
            observer: self.observer,
        };
        let applied = apply::apply(setting, &changes)?;
        self.workspace.state.transact(|write| {
            write.digests(&applied.fresh)?;
            write.kept(&applied.kept)?;
            write.clear_journal()
        })?;
        let mut anew = std::mem::take(&mut self.anew);
        anew.unsure.append(&mut unsure);
        anew.written.extend(applied.keys.values());
        for change in changes {
            let path = change.path().clone();
            match applied.failed.get(&change.node) {
                Some(held) => drop(anew.unsure.insert(path, held.clone())),
                None => self.notices.push(format!(
                    "the file {path} was written anew: the disk had refused to keep it, and may have kept nothing of it"
                )),
            }
        }
        Err(PassEnd::Anew(anew))
    }
}

/// Why a file waits of which not what lies there travels: a database with its log beside it, or one with keys that stay here.
fn waits(path: TreePath) -> Held {
    let why = "the disk refused to keep it; it waits until its program has written it anew, or the machine was started again"
        .to_owned();
    Held { path, side: Side::Local, code: "E-IO", why }
}

/// A file, as a value, and what it holds.
fn file(tree: &Tree, place: Place) -> Option<(Value, ContentId)> {
    let entry = tree.at(place);
    match &entry.entry {
        Entry::Leaf(leaf) if leaf.kind == LeafKind::File => {
            let value =
                Value { parent: wish::node(entry.parent), name: entry.name.clone(), body: Body::Leaf(*leaf) };
            Some((value, leaf.content))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::sync::Arc;

    use instep_core::content::ContentId;
    use instep_core::progress::Silent;
    use instep_core::remote::MachineStamp;
    use instep_remote::memory::MemoryPlace;
    use rustix::io::Errno;

    use crate::cycle::outcome::Outcome;
    use crate::cycle::request::Request;
    use crate::cycle::settings::SyncSettings;
    use crate::failure::EngineError;
    use crate::folder::Folder;
    use crate::folder::disk::DiskFolder;
    use crate::folder::faulty::{Fault, Faulty};
    use crate::state::State;
    use crate::still::Still;
    use crate::workspace::Workspace;

    /// A program of its own each time: what it knows is what it wrote down.
    fn sync(
        (root, place, boot): (&Path, &MemoryPlace, &str),
        state: State,
        faults: Vec<(&str, Fault)>,
    ) -> (State, Result<Outcome, EngineError>) {
        let folder = Arc::new(Faulty::new(DiskFolder::create(root).unwrap(), faults));
        let stamp = MachineStamp { name: "left".to_owned(), id: "left".to_owned() };
        let mut workspace = Workspace::assemble(folder, state, stamp, Arc::new(Still(7)), root.to_owned());
        workspace.boot = Some(boot.to_owned());
        let settings = SyncSettings { workers: 1, ..SyncSettings::default() };
        let (remote, request) = (place.open(), Request { explicit: true, ..Request::default() });
        let outcome = crate::cycle::run(&mut workspace, &remote, &settings, &request, &Silent);
        (workspace.state, outcome)
    }

    /// Lets the disk's clock go on, so that what is written now is later than all before.
    fn tick(root: &Path) {
        let folder = DiskFolder::open(root).unwrap();
        let before = folder.now().unwrap();
        while folder.now().unwrap() == before {}
    }

    fn inode(path: &Path) -> u64 {
        fs::metadata(path).unwrap().ino()
    }

    fn refused_once(root: &Path, place: &MemoryPlace) -> State {
        fs::write(root.join("f"), "not on the disk").unwrap();
        let faults = vec![("f", Fault::SyncOnce(Errno::IO))];
        let (state, outcome) = sync((root, place, "first"), State::in_memory().unwrap(), faults);
        assert!(matches!(outcome, Err(EngineError::Folder(_))), "{outcome:?}");
        tick(root);
        state
    }

    #[test]
    fn what_the_disk_refused_is_written_anew_before_a_row_claims_it() {
        let (home, place) = (tempfile::tempdir().unwrap(), MemoryPlace::new());
        let root = home.path();
        let state = refused_once(root, &place);
        let (refused, later) = (root.join("f"), root.join("g"));
        let before = inode(&refused);
        fs::write(&later, "written later").unwrap();
        let written_later = inode(&later);
        let (state, outcome) = sync((root, &place, "first"), state, Vec::new());
        let notices = outcome.unwrap().notices;
        assert!(
            notices.iter().any(|notice| notice.starts_with("the file f was written anew")),
            "{notices:?}"
        );
        assert_eq!(fs::read_to_string(&refused).unwrap(), "not on the disk");
        assert_ne!(inode(&refused), before, "the file of which the disk may have nothing still stands there");
        assert_eq!(inode(&later), written_later, "what was written after the refusal was written twice");
        let kept = ContentId::of(b"not on the disk");
        let own = root.join(".instep/history").join(format!("{kept}.own"));
        assert_ne!(inode(&own), before, "only what may not be there is kept");
        let (_, outcome) = sync((root, &place, "first"), state, Vec::new());
        assert_eq!(outcome.unwrap().notices, Vec::<String>::new());
    }

    #[test]
    fn a_restart_ends_the_doubt_in_what_the_disk_refused() {
        let (home, place) = (tempfile::tempdir().unwrap(), MemoryPlace::new());
        let root = home.path();
        let state = refused_once(root, &place);
        let before = inode(&root.join("f"));
        let (_, outcome) = sync((root, &place, "second"), state, Vec::new());
        assert_eq!(outcome.unwrap().notices, Vec::<String>::new());
        assert_eq!(inode(&root.join("f")), before);
    }
}
