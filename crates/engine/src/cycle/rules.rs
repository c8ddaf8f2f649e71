//! The shared rules in force: which text of `instep.yaml` and of each `.instepignore` decides.
//!
//! Mostly what stands here. But a text that arrives decides before it has arrived, so that all of a cycle is planned by
//! it; while two versions are in conflict, both decide; and when the settings here are not valid, the last good ones do.

use std::collections::BTreeMap;

use instep_core::conflict::{Conflict, ConflictKind};
use instep_core::content::ContentId;
use instep_core::filter::IgnoreFiles;
use instep_core::node::{Known, NodeId};
use instep_core::path::TreePath;
use instep_core::tree::{Entry, Leaf, Tree, Unknown};

use super::settings::{SettingsSource, SyncSettings};
use super::think::Thought;
use super::{Cycle, Look, Tools, naming};
use crate::conflict;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::history::contents::Contents;
use crate::state::{RemoteRecord, State};

/// The name of the shared settings, at the root of a workspace.
pub const SETTINGS: &str = "instep.yaml";
const IGNORE: &[u8] = b".instepignore";

/// A text of shared rules that decides without standing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arriving {
    /// It takes the place of what stands here.
    Text(Vec<u8>),
    /// What stands here goes.
    Gone,
    /// It is in conflict with what stands here: both decide.
    Contested(Vec<u8>),
}

/// The texts that decide without standing here, by the path of their file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules(BTreeMap<TreePath, Arriving>);

/// The shared settings as they stand here, or arrive, are not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The stable code, such as `E-CONF-PARSE`.
    pub code: &'static str,
    /// What is wrong, and where.
    pub why: String,
}

impl Invalid {
    /// What such a file is for a cycle: it stays where it is, on either side, until it is valid.
    pub fn entry(&self) -> Unknown {
        let why = format!("{}; the last good settings stay in force", self.why.trim_end_matches('.'));
        Unknown::Unfit { code: self.code, why }
    }
}

impl Rules {
    /// The other versions of the rules that are in open conflict with a remote.
    pub fn contested<F: Folder>(
        state: &State,
        remote: i64,
        contents: &Contents<'_, F>,
    ) -> Result<Self, EngineError> {
        let mut rules = Rules::default();
        for open in conflict::open(state, remote)? {
            let Some(content) = contested_content(&open.conflict) else { continue };
            let mut bytes = Vec::new();
            if contents.copy_to(content, &mut bytes)? {
                rules.0.insert(open.conflict.path, Arriving::Contested(bytes));
            }
        }
        Ok(rules)
    }

    /// Answers what the ignore file of a folder is to say, if that is not what stands there.
    pub fn ignore_of(&self, folder: &TreePath) -> Option<&Arriving> {
        if self.0.is_empty() {
            return None;
        }
        let name = instep_core::path::Name::new(IGNORE).ok()?;
        self.0.get(&folder.join(&name))
    }

    /// Adds the ignore files of folders that do not stand here yet.
    pub fn complete(&self, files: &mut IgnoreFiles) {
        for (path, arriving) in &self.0 {
            let (Some(folder), Some(name)) = (path.parent(), path.name()) else { continue };
            if name.as_bytes() != IGNORE {
                continue;
            }
            match arriving {
                Arriving::Text(bytes) => drop(files.instepignore.insert(folder, bytes.clone())),
                Arriving::Gone => drop(files.instepignore.remove(&folder)),
                Arriving::Contested(bytes) => drop(files.contested.insert(folder, bytes.clone())),
            }
        }
    }

    fn settings(&self) -> Option<&Arriving> {
        self.0.iter().find(|(path, _)| is_settings(path)).map(|(_, arriving)| arriving)
    }
}

/// The settings in force, by these texts. If what stands here is not valid, by the last good ones. The folder's names are
/// by them from now on.
pub fn in_force<F: Folder>(
    state: &State,
    folder: &F,
    source: &dyn SettingsSource,
    rules: Rules,
) -> Result<SyncSettings, EngineError> {
    let mut settings = match source.read() {
        Ok(settings) => settings,
        // The last good text of the shared file helps only if it is the shared file that is wrong.
        Err(EngineError::Settings { code, why, hint }) => {
            let invalid = EngineError::Settings { code, why: why.clone(), hint };
            let Some(good) = state.good_settings()? else { return Err(invalid) };
            let Ok(settings) = source.read_as(&good) else { return Err(invalid) };
            SyncSettings { invalid: Some(Invalid { code, why }), ..settings }
        }
        Err(error) => return Err(error),
    };
    match rules.settings() {
        Some(Arriving::Text(text)) => settings = source.read_as(text).unwrap_or(settings),
        Some(Arriving::Gone) => settings = source.read_as(b"").unwrap_or(settings),
        Some(Arriving::Contested(text)) => {
            if let Ok(other) = source.read_as(text) {
                settings.filter = settings.filter.and(&other.filter);
                settings.groups = settings.groups.and(&other.groups);
            }
        }
        None => {}
    }
    settings.rules = rules;
    settings.groups = naming::with_former(state, settings.groups)?;
    folder.name_by(settings.groups.places().cloned());
    Ok(settings)
}

/// The settings in force between cycles: by what stands here, and by what is in conflict with it.
pub fn now<F: Folder>(
    state: &State,
    folder: &F,
    source: &dyn SettingsSource,
    remote: Option<&RemoteRecord>,
) -> Result<SyncSettings, EngineError> {
    let rules = match remote {
        Some(record) => Rules::contested(state, record.id, &Contents::open(folder)?)?,
        None => Rules::default(),
    };
    in_force(state, folder, source, rules)
}

/// Keeps the shared settings as they stand here, if they are valid: should they become invalid, these stay in force.
pub fn remember_good(state: &mut State, source: &dyn SettingsSource) -> Result<(), EngineError> {
    let Some(text) = source.shared()? else { return Ok(()) };
    if state.good_settings()?.as_ref() == Some(&text) || source.read_as(&text).is_err() {
        return Ok(());
    }
    state.transact(|write| write.good_settings(&text))
}

fn is_settings(path: &TreePath) -> bool {
    path.as_bytes() == SETTINGS.as_bytes()
}

fn is_rules(path: &TreePath) -> bool {
    is_settings(path) || path.name().is_some_and(|name| name.as_bytes() == IGNORE)
}

fn contested_content(conflict: &Conflict) -> Option<ContentId> {
    let open = conflict.kind == ConflictKind::Content && !conflict.settled && is_rules(&conflict.path);
    conflict.remote.as_ref().filter(|_| open)?.leaf.map(|leaf| leaf.content)
}

impl<F: Folder> Cycle<'_, F> {
    /// The texts that decide if a plan is carried out: those that it brings here, and those that it leaves in conflict.
    pub(super) fn rules_after(
        &self,
        thought: &Thought,
        look: &Look,
        record: &RemoteRecord,
        tools: &mut Tools<'_, F>,
    ) -> Result<Rules, EngineError> {
        let mut texts = BTreeMap::new();
        for change in &thought.plan.changes.local {
            if let Some(from) = change.from.as_ref().filter(|from| is_rules(from)) {
                texts.entry(from.clone()).or_insert((None, false));
            }
            let content = change.after.as_ref().and_then(|after| after.body.content());
            if let (Some(to), Some(content)) = (change.to.as_ref().filter(|to| is_rules(to)), content) {
                texts.insert(to.clone(), (Some(content), false));
            }
        }
        for conflict in &thought.plan.conflicts {
            if let Some(content) = contested_content(conflict) {
                texts.insert(conflict.path.clone(), (Some(content), true));
            }
        }
        let mut rules = Rules::default();
        for (path, (content, contested)) in texts {
            let arriving = match content {
                None => Arriving::Gone,
                Some(content) => match self.read_content(content, look, record, tools)? {
                    Some(bytes) if contested => Arriving::Contested(bytes),
                    Some(bytes) => Arriving::Text(bytes),
                    None => continue,
                },
            };
            rules.0.insert(path, arriving);
        }
        Ok(rules)
    }

    /// What is wrong with the shared settings that the remote holds, if they are not valid and would come here as they
    /// are. If a person changed them here, they meet in a merge or a conflict, as ever: that is how they are repaired.
    pub(super) fn invalid_there(
        &self,
        known: &Known,
        look: &Look,
        far: &Tree,
        record: &RemoteRecord,
        tools: &mut Tools<'_, F>,
    ) -> Result<Option<Invalid>, EngineError> {
        let path = TreePath::new(SETTINGS.as_bytes()).expect("because it is a plain name");
        let leaf = |tree: &Tree| match tree.find(&path).map(|place| &tree.at(place).entry) {
            Some(Entry::Leaf(leaf)) => Some(*leaf),
            _ => None,
        };
        let Some(there) = leaf(far) else { return Ok(None) };
        let here = leaf(&look.scan.tree);
        if here.is_some_and(|here| here.content == there.content || Some(here.content) != base(known)) {
            return Ok(None);
        }
        let Some(bytes) = self.read_content(there.content, look, record, tools)? else {
            return Ok(None);
        };
        Ok(match self.source.read_as(&bytes) {
            Err(EngineError::Settings { code, why, .. }) => Some(Invalid { code, why }),
            _ => None,
        })
    }
}

/// The content of the shared settings that both sides last agreed on.
fn base(known: &Known) -> Option<ContentId> {
    let bases = known.rows().iter().filter_map(|row| row.views.base());
    let mut found =
        bases.filter(|value| value.parent == NodeId::ROOT && value.name.as_bytes() == SETTINGS.as_bytes());
    found.next().and_then(|value| match value.body {
        instep_core::node::Body::Leaf(Leaf { content, .. }) => Some(content),
        instep_core::node::Body::Folder => None,
    })
}
