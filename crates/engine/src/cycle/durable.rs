//! Durable before recorded: what a person's programs wrote and did not wait for.
//!
//! A row says that both sides agree on a content. If a power cut took that content away afterwards, the next cycle would
//! read its absence as a deletion, or what is left of it as an edit, and carry the damage everywhere. So what a plan
//! newly takes for agreed is made durable here before anything is offered to the remote.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::mutant;
use instep_core::node::{NodeId, Row, Side, Value};
use instep_core::plan::Change;
use instep_core::tree::{Entry, Key, LeafKind, Place, Tree};

use super::PassEnd;
use super::merging::open_parent;
use super::think::Thought;
use crate::failure::EngineError;
use crate::folder::Folder;

/// Up to so many entries, each is made durable by itself: the disk may hold much that is none of ours.
const HANDFUL: usize = 8;

/// Makes durable what the folder here, seen as this tree, holds and a plan will write down as agreed. Where something is
/// gone, or another thing stands there, it ends the pass: it may be back before a row is written, and durable nowhere.
pub(super) fn make_durable<F: Folder>(folder: &F, tree: &Tree, thought: &Thought) -> Result<(), PassEnd> {
    if mutant::is_on("agreed-not-durable") {
        return Ok(());
    }
    let new = newly_agreed(thought);
    if new.len() > HANDFUL {
        return Ok(folder.sync_all()?);
    }
    let mut gone = Vec::new();
    let is_file =
        |place: &&Place| matches!(tree.at(**place).entry, Entry::Leaf(leaf) if leaf.kind == LeafKind::File);
    for place in new.iter().filter(is_file) {
        let synced =
            open_parent(folder, tree, *place).and_then(|(dir, name)| Ok(folder.sync_file(&dir, &name)?));
        if !unless_gone(synced)?.is_some_and(|key| was_seen(tree, *place, key)) {
            gone.push(*place);
        }
    }
    if !mutant::is_on("agreed-names-not-durable") {
        gone.append(&mut sync_names(folder, tree, new)?);
    }
    if gone.is_empty() || mutant::is_on("gone-is-durable") {
        return Ok(());
    }
    Err(PassEnd::Changed(gone.into_iter().map(|place| tree.path(place)).collect()))
}

/// Makes the names of these durable, and those of the folders on the way to them; answers those of which the folder is
/// gone.
pub(crate) fn sync_names<F: Folder>(
    folder: &F,
    tree: &Tree,
    places: impl IntoIterator<Item = Place>,
) -> Result<Vec<Place>, EngineError> {
    let (mut folders, mut gone) = (BTreeMap::new(), Vec::new());
    for mut at in places {
        while at != Place::ROOT && !folders.contains_key(&tree.at(at).parent) {
            let Some((dir, _)) = unless_gone(open_parent(folder, tree, at))? else {
                gone.push(at);
                break;
            };
            at = tree.at(at).parent;
            folders.insert(at, dir);
        }
    }
    for (place, dir) in folders {
        let synced = folder.sync_folder(&dir).and_then(|()| folder.folder_metadata(&dir));
        let found = unless_gone(synced.map_err(EngineError::from))?;
        if !found.is_some_and(|found| was_seen(tree, place, found.key)) {
            gone.push(place);
        }
    }
    Ok(gone)
}

/// Answers whether this is the file or folder that stood there when it was looked at. Two that change places meanwhile
/// would else be one that was made durable twice.
fn was_seen(tree: &Tree, place: Place, key: Key) -> bool {
    mutant::is_on("swapped-is-durable") || tree.at(place).key.is_none_or(|seen| seen == key)
}

/// Where the things stand of which a plan says something new, but for those that it writes itself. What it only moves,
/// or makes executable, holds what a person's program wrote. What is known and [unsure](Thought::unsure) counts as new.
pub(super) fn newly_agreed(thought: &Thought) -> BTreeSet<Place> {
    let plan = &thought.plan;
    let changes: BTreeMap<NodeId, &Change> =
        plan.changes.local.iter().map(|change| (change.node, change)).collect();
    let content = |value: Option<&Value>| value.and_then(|value| value.body.content());
    let key = |row: Option<&Row>| row.and_then(|row| row.keys.local);
    let is_new = |row: &&Row| {
        let known = thought.known.row(row.id).and_then(|known| known.views.side(Side::Local));
        let agreed = row.views.side(Side::Local);
        match changes.get(&row.id) {
            Some(change) => {
                let stays = content(change.before.as_ref()) == content(change.after.as_ref());
                // It may be a copy, or was saved anew as it was: the file that was durable may be gone.
                let by_content = mutant::is_on("copy-is-the-original");
                stays && !(by_content && content(known) == content(agreed))
            }
            // Another file under the name may hold the same.
            None => known != agreed || key(thought.known.row(row.id)) != key(Some(row)),
        }
    };
    let new = plan.rows.iter().filter(is_new).map(|row| row.id);
    let unsure = thought.unsure.iter().copied().filter(|id| !changes.contains_key(id));
    let unsure = unsure.filter(|_| !mutant::is_on("unsure-is-durable"));
    new.chain(unsure).filter_map(|id| plan.places.local.of(id)).collect()
}

/// `None` if it has gone since it was seen.
pub(super) fn unless_gone<T>(done: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match done {
        Err(EngineError::Folder(error)) if error.is_gone() => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use instep_core::node::Row;
    use instep_core::policy::Strategy;
    use instep_core::progress::Silent;
    use instep_core::remote::{MachineStamp, Remote};
    use instep_remote::memory::MemoryPlace;
    use rustix::io::Errno;

    use crate::cycle::request::Request;
    use crate::cycle::settings::SyncSettings;
    use crate::folder::disk::DiskFolder;
    use crate::folder::faulty::{Fault, Faulty};
    use crate::history::undo::{UndoRequest, undo};
    use crate::reach::Reach;
    use crate::state::{Offered, State, Write};
    use crate::still::Still;
    use crate::workspace::Workspace;

    /// Answers the names of the files that were made durable.
    fn sync(root: &Path, place: &MemoryPlace, name: &str, state: State) -> (State, Vec<String>) {
        sync_with((root, Vec::new()), place, name, state)
    }

    fn sync_with(
        (root, faults): (&Path, Vec<(&str, Fault)>),
        place: &MemoryPlace,
        name: &str,
        state: State,
    ) -> (State, Vec<String>) {
        let mut workspace = assemble((root, faults), name, state);
        let (remote, request) = (place.open(), Request { explicit: true, ..Request::default() });
        crate::cycle::run(&mut workspace, &remote, &settings(), &request, &Silent).unwrap();
        let synced = workspace.folder.synced.lock().unwrap().clone();
        (workspace.state, synced)
    }

    fn assemble((root, faults): (&Path, Vec<(&str, Fault)>), name: &str, state: State) -> Workspace<Faulty> {
        let folder = Arc::new(Faulty::new(DiskFolder::create(root).unwrap(), faults));
        let stamp = MachineStamp { name: name.to_owned(), id: name.to_owned() };
        Workspace::assemble(folder, state, stamp, Arc::new(Still(7)), root.to_owned())
    }

    fn settings() -> SyncSettings {
        SyncSettings { workers: 1, strategy: Strategy::Both, ..SyncSettings::default() }
    }

    struct Pair {
        left: PathBuf,
        right: PathBuf,
        place: MemoryPlace,
        ours: State,
        theirs: State,
        _home: tempfile::TempDir,
    }

    /// Two machines that agree on the file `a`.
    fn agreed() -> Pair {
        let home = tempfile::tempdir().unwrap();
        let [left, right] = ["left", "right"].map(|name| home.path().join(name));
        let (place, new) = (MemoryPlace::new(), || State::in_memory().unwrap());
        fs::create_dir(&left).unwrap();
        fs::write(left.join("a"), "content of both").unwrap();
        let (ours, _) = sync(&left, &place, "left", new());
        let (theirs, _) = sync(&right, &place, "right", new());
        Pair { left, right, place, ours, theirs, _home: home }
    }

    #[test]
    fn a_copy_that_is_moved_on_is_durable_as_its_original_was() {
        let Pair { left, right, place, ours, theirs, _home } = agreed();
        fs::write(right.join("b"), "another content").unwrap();
        sync(&right, &place, "right", theirs);
        // By content, the copy is the file that was agreed on; to the disk, it is new.
        fs::copy(left.join("a"), left.join("b")).unwrap();
        fs::remove_file(left.join("a")).unwrap();
        let (_, synced) = sync(&left, &place, "left", ours);
        assert_eq!(fs::read_to_string(left.join("b")).unwrap(), "another content", "it was not moved on");
        assert!(synced.contains(&"b".to_owned()), "{synced:?}");
    }

    #[test]
    fn what_was_saved_anew_as_it_was_is_durable_before_it_counts_as_moved() {
        let Pair { left, right, place, ours, theirs, _home } = agreed();
        fs::rename(right.join("a"), right.join("b")).unwrap();
        sync(&right, &place, "right", theirs);
        fs::write(left.join("a"), "content of both").unwrap();
        let (_, synced) = sync(&left, &place, "left", ours);
        assert!(left.join("b").exists() && synced.contains(&"a".to_owned()), "{synced:?}");
    }

    #[test]
    fn what_a_late_commit_agreed_on_is_durable_though_it_was_saved_anew_as_it_was() {
        let Pair { left, place, ours: mut state, _home, .. } = agreed();
        let (remote, before) = (state.remotes().unwrap()[0], place.open().head().unwrap());
        let known = state.known(remote).unwrap();
        fs::write(left.join("n"), "new").unwrap();
        (state, _) = sync(&left, &place, "left", state);
        // As if the commit had arrived after its cycle gave up.
        let (after, now) = (place.open().head().unwrap(), state.known(remote).unwrap());
        let is_new = |row: &&Row| known.row(row.id).is_none();
        let rows: Vec<Row> = now.rows().iter().filter(is_new).cloned().collect();
        let offered = Offered {
            expected: before.clone(),
            revision: after.unwrap(),
            rows: rows.clone(),
            forgotten: Vec::new(),
            next: now.next,
        };
        let late = |write: &Write<'_>| {
            write.nodes(remote, &[], &rows.iter().map(|row| row.id).collect::<Vec<_>>(), known.next)?;
            write.head(remote, before.as_ref(), None)?;
            write.offer(remote, &offered)
        };
        state.transact(late).unwrap();
        fs::write(left.join("n"), "new").unwrap();
        let (_, synced) = sync(&left, &place, "left", state);
        assert!(synced.contains(&"n".to_owned()), "{synced:?}");
    }

    #[test]
    fn another_file_of_the_same_content_is_durable_before_it_is_known_by_its_number() {
        let Pair { left, place, ours, _home, .. } = agreed();
        fs::write(left.join("new"), "content of both").unwrap();
        fs::rename(left.join("new"), left.join("a")).unwrap();
        fs::write(left.join("z"), "a change").unwrap();
        let (_, synced) = sync(&left, &place, "left", ours);
        assert!(synced.contains(&"a".to_owned()), "{synced:?}");
    }

    #[test]
    fn what_an_undo_brought_back_there_is_durable_before_it_is_agreed_with_what_a_person_wrote_here() {
        let Pair { left, place, ours, _home, .. } = agreed();
        fs::write(left.join("a"), "a change").unwrap();
        let (state, _) = sync(&left, &place, "left", ours);
        let (mut workspace, remote) = (assemble((&left, Vec::new()), "left", state), place.open());
        let (reach, request) = (Reach::open(&remote), UndoRequest::default());
        undo(&mut workspace, Some(&reach), &settings(), &request, &Silent).unwrap();
        assert_eq!(fs::read_to_string(left.join("a")).unwrap(), "a change", "one's own edit stays");
        fs::write(left.join("a"), "content of both").unwrap();
        let (_, synced) = sync(&left, &place, "left", workspace.state);
        assert!(synced.contains(&"a".to_owned()), "{synced:?}");
    }

    #[test]
    fn of_two_that_change_places_meanwhile_both_are_durable_before_they_are_agreed() {
        let Pair { left, right, place, ours, theirs, _home } = agreed();
        for root in [&left, &right] {
            fs::write(root.join("m"), "of both, too").unwrap();
            fs::write(root.join("n"), "of both, too").unwrap();
        }
        sync(&left, &place, "left", ours);
        let (one, other, aside) = (right.join("m"), right.join("n"), right.join("aside"));
        let swap = move || {
            let (from, to) = (fs::rename(&one, &aside), fs::rename(&other, &one));
            from.and(to).and(fs::rename(&aside, &other)).unwrap();
        };
        let once = std::sync::Once::new();
        let swap = move || once.call_once(&swap);
        let swapped = vec![("n", Fault::Synced(Box::new(swap)))];
        let (_, synced) = sync_with((&right, swapped), &place, "right", theirs);
        let files: Vec<&str> =
            synced.iter().map(String::as_str).filter(|name| !name.ends_with('/')).collect();
        assert_eq!(files, ["m", "n", "m", "n"]);
    }

    #[test]
    fn what_was_away_when_it_was_to_be_made_durable_is_not_agreed_before_it_is() {
        let Pair { left, right, place, ours, theirs, _home } = agreed();
        fs::write(left.join("n"), "of both, too").unwrap();
        sync(&left, &place, "left", ours);
        fs::write(right.join("n"), "of both, too").unwrap();
        // As if it was renamed just then, and back.
        let away = vec![("n", Fault::SyncOnce(Errno::NOENT))];
        let (_, synced) = sync_with((&right, away), &place, "right", theirs);
        assert!(synced.contains(&"n".to_owned()), "{synced:?}");
    }
}
