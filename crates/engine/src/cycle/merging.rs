//! Merges of contents: three versions are read, one is staged.

use std::cmp::Ordering;

use instep_core::content::ContentId;
use instep_core::merge::{self, Merged, Terms, Versions};
use instep_core::node::{PerSide, Side};
use instep_core::path::Name;
use instep_core::plan::{MergeAnswer, MergeInput};
use instep_core::policy::{Policy, Strategy};
use instep_core::remote::Class;
use instep_core::tree::{Entry, Place, Tree};

use super::rules::SETTINGS;
use super::{Cycle, Look, Tools};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::form::{self, Way, keys};
use crate::history::contents::content_of;
use crate::state::RemoteRecord;

/// What came of a merge.
pub(super) struct Tried {
    pub answer: MergeAnswer,
    /// What it did, in words, where there is something to say; or why it stayed undecided.
    pub words: String,
}

impl Tried {
    fn undecided(why: &str) -> Self {
        Tried { answer: MergeAnswer::Undecided, words: why.to_owned() }
    }
}

impl<F: Folder> Cycle<'_, F> {
    /// Merges one file's three versions.
    pub(super) fn merge(
        &mut self,
        input: &MergeInput,
        look: &Look,
        far: &Tree,
        policy: &Policy,
        record: &RemoteRecord,
        tools: &mut Tools<'_, F>,
    ) -> Result<Tried, EngineError> {
        let Some(name) = input.path.name() else { return Ok(Tried::undecided("the root is no file")) };
        let mut versions = Vec::new();
        for content in input.base.into_iter().chain([input.local, input.remote]) {
            match self.read_content(content, look, record, tools)? {
                // Who sent it may not have known yet that some of its keys stay on each machine.
                Some(bytes) => match keys::travelling(&policy.groups, &input.path, bytes) {
                    Ok(bytes) => versions.push(bytes),
                    Err(reason) => return Ok(Tried::undecided(&reason.to_string())),
                },
                // Nothing can be sure, both versions stay.
                None => return Ok(Tried::undecided("what both last agreed on is not to be had any more")),
            }
        }
        let trees = PerSide { local: &look.scan.tree, remote: far };
        let versions = match &versions[..] {
            [base, local, remote] => Versions { base: Some(base), local, remote },
            [local, remote] => Versions { base: None, local, remote },
            _ => unreachable!("because two or three versions were read"),
        };
        let is_settings = input.path.as_bytes() == SETTINGS.as_bytes();
        let group = policy.groups.of(&input.path, false);
        let terms = Terms {
            kind: group.and_then(|group| group.kind),
            id: group.and_then(|group| group.id.as_deref()),
            newest: group.and_then(|group| group.strategy) == Some(Strategy::LastWriteWins),
            // Rules of ours that clash are a person's to settle: a clock must not decide what leaves this machine.
            later: if is_settings { None } else { later(input, trees) },
            ..Terms::of(&name)
        };
        self.join(&terms, is_settings, versions, tools)
    }

    fn join(
        &self,
        terms: &Terms<'_>,
        is_settings: bool,
        versions: Versions<'_>,
        tools: &mut Tools<'_, F>,
    ) -> Result<Tried, EngineError> {
        match merge::contents(terms, &versions) {
            Merged::Clean(joined) if is_settings && self.source.read_as(&joined.content).is_err() => {
                Ok(Tried::undecided("line by line, the settings would not be valid"))
            }
            Merged::Clean(joined) => {
                let (content, metadata) = tools.staging.write(&mut joined.content.as_slice())?;
                let answer = MergeAnswer::Clean { content, size: metadata.size };
                Ok(Tried { answer, words: joined.summary.to_string() })
            }
            Merged::Marked { .. } => unreachable!("because no markers were asked for"),
            Merged::Undecided(reason) => Ok(Tried::undecided(&reason.to_string())),
        }
    }

    /// Reads a content from wherever it stands: staged, in the folder here, kept, or at the remote.
    pub(super) fn read_content(
        &self,
        content: ContentId,
        look: &Look,
        record: &RemoteRecord,
        tools: &mut Tools<'_, F>,
    ) -> Result<Option<Vec<u8>>, EngineError> {
        if let Some(bytes) = tools.staging.read(content)? {
            return Ok(Some(bytes));
        }
        let local = &look.scan.tree;
        if let Some(place) = place_of(local, content) {
            let (dir, name) = open_parent(tools.folder, local, place)?;
            let mut bytes = Vec::new();
            if content_of(tools.folder, &dir, &name, &mut bytes)? == content {
                return Ok(Some(bytes));
            }
            let is_keyed = look.scan.forms.get(&place).is_some_and(|formed| formed.way == Way::Keys);
            if is_keyed && form::stage(tools.folder, &look.scan, place, content, &mut tools.staging)? {
                return Ok(tools.staging.read(content)?);
            }
        }
        let object = self.workspace.state.object_of(record.id, content)?;
        match object.map(|object| self.fetch(&[object], tools)) {
            Some(Ok(_)) => {}
            // What the remote has lost may have been kept here; if not, nobody has it.
            Some(Err(EngineError::Remote(error))) if error.class() == Class::Corrupt => {
                tools.staging.stage_kept(&tools.contents, content)?;
            }
            Some(Err(error)) => return Err(error),
            None => {
                tools.staging.stage_kept(&tools.contents, content)?;
            }
        }
        Ok(tools.staging.read(content)?)
    }
}

/// The side whose version was modified later, if both times are known.
fn later(input: &MergeInput, trees: PerSide<&Tree>) -> Option<Side> {
    let time = |tree: &Tree, content: ContentId| {
        let here = tree.find(&input.path).filter(|place| holds(tree, *place, content));
        tree.at(here.or_else(|| place_of(tree, content))?).modified
    };
    let (local, remote) = (time(trees.local, input.local)?, time(trees.remote, input.remote)?);
    match local.cmp(&remote) {
        Ordering::Less => Some(Side::Remote),
        Ordering::Equal => None,
        Ordering::Greater => Some(Side::Local),
    }
}

/// Stages what travels of a file here, if that still is this content; answers whether it is staged.
pub(super) fn stage_here<F: Folder>(
    look: &Look,
    place: Place,
    content: ContentId,
    tools: &mut Tools<'_, F>,
) -> Result<bool, EngineError> {
    let tree = &look.scan.tree;
    let (dir, name) = open_parent(tools.folder, tree, place)?;
    if tools.staging.stage_copy((&dir, &name), content)? {
        return Ok(true);
    }
    if look.scan.forms.contains_key(&place) {
        return form::stage(tools.folder, &look.scan, place, content, &mut tools.staging);
    }
    Ok(false)
}

/// The first file of a tree with a content.
pub(crate) fn place_of(tree: &Tree, content: ContentId) -> Option<Place> {
    tree.places().find(|place| holds(tree, *place, content))
}

fn holds(tree: &Tree, place: Place, content: ContentId) -> bool {
    matches!(tree.at(place).entry, Entry::Leaf(leaf) if leaf.content == content)
}

/// Opens the folder in which an entry of the local tree stands.
pub(crate) fn open_parent<F: Folder>(
    folder: &F,
    tree: &Tree,
    place: Place,
) -> Result<(F::Dir, Name), EngineError> {
    let path = tree.path(place);
    let mut dir = folder.root();
    for name in path.parent().iter().flat_map(|parent| parent.names().collect::<Vec<_>>()) {
        dir = folder.open_folder(&dir, &name)?;
    }
    Ok((dir, tree.at(place).name.clone()))
}
