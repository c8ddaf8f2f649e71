//! Keys that stay on this machine: what arrives gets them from what lies there, and what travelled of a version that goes is
//! kept beside it, so that it can be brought back without asking anybody.

use std::borrow::Cow;
use std::collections::BTreeMap;

use instep_core::content::ContentId;
use instep_core::filter::Staying;
use instep_core::mutant;
use instep_core::node::{Body, NodeId, Side};
use instep_core::path::{Name, TreePath};
use instep_core::plan::Change;
use instep_core::tree::{Leaf, LeafKind};

use super::{Setting, StepError, Work};
use crate::cycle::merging::open_parent;
use crate::cycle::outcome::Held;
use crate::failure::EngineError;
use crate::folder::{Folder, FolderError};
use crate::form::{Way, keys};
use crate::history::contents::content_of;
use crate::state::Kept;

/// The code of a file in which this machine's keys find no place.
const UNJOINED: &str = "E-KEYS-UNJOINED";
/// How many kept versions of a file are looked at for keys of this machine.
const KEPT_MAX: usize = 20;

/// The changes as they are to be carried out.
pub(super) struct Arriving<'c> {
    /// Each with the content that is to lie on the disk.
    pub changes: Cow<'c, [Change]>,
    /// Those that can't be.
    pub failed: BTreeMap<NodeId, Held>,
}

/// Puts this machine's keys into what arrives, before any step is taken: the journal knows what will lie on the disk.
pub(super) fn arriving<'c, F: Folder>(
    setting: &mut Setting<'_, '_, F>,
    changes: &'c [Change],
) -> Result<Arriving<'c>, EngineError> {
    let mut arriving = Arriving { changes: Cow::Borrowed(changes), failed: BTreeMap::new() };
    if !setting.groups.have_staying() {
        return Ok(arriving);
    }
    for change in changes {
        let Some((path, leaf)) = brought(change) else { continue };
        let Some(staying) = keys::staying(setting.groups, path) else { continue };
        // What is not staged fails in its own step.
        let Some(travels) = setting.staging.read(leaf.content)? else { continue };
        match lies_then(setting, change, path, &staying, &travels) {
            Ok(Some(lies)) => {
                let (content, metadata) = setting.staging.write(&mut lies.as_slice())?;
                let changes = arriving.changes.to_mut().iter_mut();
                for after in changes.filter(|one| one.node == change.node).flat_map(|one| &mut one.after) {
                    after.body = Body::Leaf(Leaf { content, size: metadata.size, ..leaf });
                }
            }
            Ok(None) => {
                let why = "the keys that stay on this machine can't be put into what came; take them out of the file \
                           here, `instep sync`, and put them in again"
                    .to_owned();
                let held = Held { path: path.clone(), side: Side::Local, code: UNJOINED, why };
                arriving.failed.insert(change.node, held);
            }
            Err(EngineError::Folder(error)) => {
                let why = format!("{error}: {}", error.source);
                let held = Held { path: path.clone(), side: Side::Local, code: error.code(), why };
                arriving.failed.insert(change.node, held);
            }
            Err(error) => return Err(error),
        }
    }
    let failed = &arriving.failed;
    if !failed.is_empty() {
        arriving.changes.to_mut().retain(|change| !failed.contains_key(&change.node));
    }
    Ok(arriving)
}

/// The file that a change brings, and its content.
fn brought(change: &Change) -> Option<(&TreePath, Leaf)> {
    let (path, after) = (change.to.as_ref()?, change.after.as_ref()?);
    let Body::Leaf(leaf) = after.body else { return None };
    let before = change.before.as_ref().and_then(|value| value.body.kind_and_content());
    (leaf.kind == LeafKind::File && before != Some((leaf.kind, leaf.content))).then_some((path, leaf))
}

/// What is to lie there; `None` if the keys find no place in it.
fn lies_then<F: Folder>(
    setting: &Setting<'_, '_, F>,
    change: &Change,
    path: &TreePath,
    staying: &Staying,
    travels: &[u8],
) -> Result<Option<Vec<u8>>, EngineError> {
    if mutant::is_on("arriving-takes-our-keys") {
        return Ok(Some(travels.to_vec()));
    }
    let join = |disk: Option<&[u8]>| keys::arriving(staying, path, travels, disk).ok();
    // Of what a power cut left empty or full of zeros no key is left.
    let is_whole = |disk: &Vec<u8>| disk.iter().any(|byte| *byte != 0);
    if let Some(disk) = standing(setting, change)?.filter(is_whole) {
        return Ok(join(Some(&disk)));
    }
    // It comes back: with the keys that it had here.
    for kept in setting
        .state
        .kept(path.as_bytes())?
        .into_iter()
        .filter(|kept| kept.path == path.as_bytes())
        .take(KEPT_MAX)
    {
        let mut bytes = Vec::new();
        if setting.contents.copy_to(kept.content, &mut bytes)?
            && keys::travelling(setting.groups, path, bytes.clone()).is_ok_and(|travelled| travelled != bytes)
            && let Some(lies) = join(Some(&bytes))
        {
            return Ok(Some(lies));
        }
    }
    Ok(join(None))
}

/// The file that stands there now. Whether it still is what the scan saw is asked when its turn comes.
fn standing<F: Folder>(
    setting: &Setting<'_, '_, F>,
    change: &Change,
) -> Result<Option<Vec<u8>>, EngineError> {
    let is_file = matches!(change.before.as_ref().map(|value| value.body), Some(Body::Leaf(leaf)) if leaf.kind == LeafKind::File);
    let Some(place) = setting.places.of(change.node).filter(|_| is_file) else { return Ok(None) };
    let (dir, name) = open_parent(setting.folder, setting.tree, place)?;
    let mut bytes = Vec::new();
    content_of(setting.folder, &dir, &name, &mut bytes)?;
    Ok(Some(bytes))
}

impl<F: Folder> Work<'_, '_, F> {
    /// Keeps what travelled of a file that is about to be displaced, if that is not what lies there.
    pub(super) fn keep_travelling(&mut self, change: &Change, at: (&F::Dir, &Name)) -> Result<(), StepError> {
        let formed = self.ground.place(change.node).and_then(|place| self.setting.forms.get(&place));
        let (Some(formed), Some(from)) = (formed, change.from.as_ref()) else { return Ok(()) };
        if formed.way != Way::Keys
            || self.setting.contents.holds_own(formed.name).map_err(|error| self.held(change, &error))?
        {
            return Ok(());
        }
        let content = formed.name;
        let kept = self.stage_travelling(from, at, content);
        let Some(size) = kept.map_err(|error| self.held(change, &error))? else {
            return Err(self.raced(change));
        };
        self.applied.kept.push(Kept {
            content,
            path: from.as_bytes().to_vec(),
            operation: self.setting.operation.to_owned(),
            time: self.setting.now,
            size,
            kind: "file".to_owned(),
        });
        Ok(())
    }

    fn stage_travelling(
        &mut self,
        path: &TreePath,
        (dir, name): (&F::Dir, &Name),
        content: ContentId,
    ) -> Result<Option<u64>, FolderError> {
        let mut bytes = Vec::new();
        content_of(self.setting.folder, dir, name, &mut bytes)?;
        let Ok(travels) = keys::travelling(self.setting.groups, path, bytes) else { return Ok(None) };
        let (found, metadata) = self.setting.staging.write(&mut travels.as_slice())?;
        self.setting.staging.keep(found, self.setting.contents)?;
        Ok((found == content).then_some(metadata.size))
    }
}
