//! A person settles a conflict: what is to be seen here changes at once, what the other machines see with the next sync.

use instep_core::conflict::{Conflict, ConflictKind, Version};
use instep_core::content::ContentId;
use instep_core::filter::Groups;
use instep_core::node::{Known, Row, Side, Views};
use instep_core::operation::{Held, HeldKind, OperationId, OperationKind};
use instep_core::path::TreePath;
use instep_core::policy::Strategy;
use instep_core::progress::Observer;
use instep_core::remote::Remote;
use instep_core::tree::LeafKind;

use super::marked::{self, Met};
use super::open;
use crate::cycle::outcome::OpenConflict;
use crate::cycle::rules;
use crate::cycle::settings::SettingsSource;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::form::keys;
use crate::history::act::{Acted, Deed, Sources, act, scan};
use crate::history::restore::read_version;
use crate::history::wish::Wishes;
use crate::state::Settlement;
use crate::workspace::Workspace;

/// What a person chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The version here.
    Here,
    /// The version there.
    There,
    /// Both: the other becomes a copy beside.
    Both,
    /// The one that was modified later.
    Newest,
    /// What both last agreed on.
    Base,
    /// A content of its own.
    Content(Vec<u8>),
}

/// The contents of a conflict's versions, as far as they are files and can still be had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConflictContents {
    /// What both last agreed on.
    pub base: Option<Vec<u8>>,
    /// The version here.
    pub local: Option<Vec<u8>>,
    /// The version there.
    pub remote: Option<Vec<u8>>,
}

/// Finds an open conflict by its number.
pub fn find<F: Folder>(
    workspace: &Workspace<F>,
    remote: &dyn Remote,
    number: u64,
) -> Result<OpenConflict, EngineError> {
    let id = workspace.state.remote(&remote.describe().address)?.id;
    let found = open(&workspace.state, id)?.into_iter().find(|conflict| conflict.number == number);
    found.ok_or_else(|| EngineError::NotFound(format!("there is no open conflict c{number}")))
}

/// Reads the contents of a conflict's versions.
pub fn contents<F: Folder>(
    workspace: &Workspace<F>,
    remote: &dyn Remote,
    conflict: &Conflict,
    observer: &dyn Observer,
) -> Result<ConflictContents, EngineError> {
    let read = |version: &Option<Version>| match version.as_ref().and_then(|version| version.leaf) {
        Some(leaf) => read_version(workspace, Some(remote), leaf.content, observer),
        None => Ok(None),
    };
    Ok(ConflictContents {
        base: read(&conflict.base)?,
        local: read(&conflict.local)?,
        remote: read(&conflict.remote)?,
    })
}

/// What came of settling.
#[derive(Debug, Default)]
pub struct Settled {
    /// What changed here; what was held keeps its conflict open.
    pub acted: Acted,
    /// The numbers of those that are settled.
    pub numbers: Vec<u64>,
    /// Those that can't be settled so, each with the reason.
    pub refused: Vec<(u64, EngineError)>,
}

/// Settles conflicts, each by its own choice, in one operation. One that can't be settled so keeps no other from it.
pub fn resolve<F: Folder>(
    workspace: &mut Workspace<F>,
    remote: &dyn Remote,
    source: &dyn SettingsSource,
    choices: &[(u64, Choice)],
    observer: &dyn Observer,
) -> Result<Settled, EngineError> {
    crate::cycle::recover(workspace)?;
    let record = workspace.state.remote(&remote.describe().address)?;
    let settings = rules::now(&workspace.state, &*workspace.folder, source, Some(&record))?;
    let seen = scan(workspace, &settings, observer)?;
    let shown = marked::meet(&*workspace.folder, &seen, marked::all(&workspace.state)?)?;
    let mut settled = Settled::default();
    let mut answered = Vec::new();
    let mut wishes = Wishes::new(&seen.tree);
    let mut bytes = Vec::new();
    for (number, choice) in choices {
        let conflict = find(workspace, remote, *number)?.conflict;
        let choice = travelling(&conflict, choice.clone(), &settings.groups);
        let answer = choice
            .and_then(|choice| decide(&conflict, &choice))
            .and_then(|choice| answer(&conflict, &choice, &mut wishes));
        if answer.is_ok() && is_shown(&shown, &conflict) && !wishes.is_changed(conflict.path_on(Side::Local))
        {
            // The version here is not what stands there.
            put(&conflict, conflict.local.as_ref(), &mut wishes)?;
        }
        if answer.is_ok() {
            // A copy that shows the other version has done its part, unless somebody wrote into it.
            let mut copies = shown.copies.iter().filter(|seen| seen.is_as_written);
            let of = Some(conflict.path_on(Side::Local));
            if let Some(copy) = copies.find(|seen| seen.marked.path().as_ref() == of) {
                wishes.remove(&copy.path);
            }
        }
        match answer {
            Ok(Answer { strategy, content }) => {
                bytes.extend(content);
                answered.push((*number, conflict, strategy));
            }
            Err(error) => settled.refused.push((*number, error)),
        }
    }
    let given_up = wishes.give_up_unsound();
    answered.retain(|(number, conflict, _)| {
        let collides = given_up.contains(conflict.path_on(Side::Local));
        if collides {
            let why = format!("{} can't be had together with the other choices", conflict.path);
            settled.refused.push((*number, EngineError::Refused(why)));
        }
        !collides
    });
    if answered.is_empty() {
        return Ok(settled);
    }
    let id = OperationId(workspace.clock.random());
    let message = Some(match &answered[..] {
        [(number, conflict, _)] => format!("c{number} {}", conflict.path),
        several => format!("{} conflicts", several.len()),
    });
    // It is done when a sync carries it out: also where nothing changes here, it can be taken back.
    let address = Some(remote.describe().address);
    let deed = Deed { id, kind: OperationKind::Resolve, undoes: None, message, address, waits: true };
    let sources = Sources { remotes: vec![(remote, record.id)], bytes };
    let acted = act(workspace, &seen, &wishes.finish(), &deed, &sources, Vec::new(), observer)?;
    let failed = |conflict: &Conflict| {
        acted.held.iter().any(|held| Side::BOTH.iter().any(|&side| *conflict.path_on(side) == held.path))
    };
    answered.retain(|(_, conflict, _)| !failed(conflict));
    let known = workspace.state.known(record.id)?;
    workspace.state.transact(|write| {
        let mut agreed = Settlement { remote: record.id, before: Vec::new(), after: Vec::new() };
        for (number, conflict, strategy) in &answered {
            match strategy {
                Some(strategy) => {
                    write.choose(record.id, &conflict.nodes, strategy.word(), &id.to_string())?;
                }
                None => agree_on_theirs(&known, conflict, &mut agreed),
            }
            write.close_conflict(record.id, *number)?;
        }
        if agreed.before.is_empty() { Ok(()) } else { write.settle(&id.to_string(), &agreed) }
    })?;
    settled.numbers = answered.into_iter().map(|(number, ..)| number).collect();
    settled.acted = acted;
    Ok(settled)
}

/// Answers whether the text here shows a conflict between markers.
fn is_shown(met: &Met, conflict: &Conflict) -> bool {
    let path = conflict.path_on(Side::Local);
    met.shown.iter().any(|seen| seen.path == *path)
}

/// A content of a person's own as it travels: without the keys that stay on each machine.
pub(super) fn travelling(
    conflict: &Conflict,
    choice: Choice,
    groups: &Groups,
) -> Result<Choice, EngineError> {
    let Choice::Content(bytes) = choice else { return Ok(choice) };
    let travels = keys::travelling(groups, conflict.path_on(Side::Local), bytes);
    travels.map(Choice::Content).map_err(|reason| {
        let path = &conflict.path;
        let why = format!("some keys of {path} are to stay on each machine, and in this content {reason}");
        EngineError::Refused(why)
    })
}

/// The version there was seen and answered: what stands here is a change of it now. A newer one that comes meanwhile
/// meets it as any change does.
fn agree_on_theirs(known: &Known, conflict: &Conflict, agreed: &mut Settlement) {
    let before = conflict.nodes.iter().filter_map(|node| known.row(*node));
    let theirs = |row: &Row| {
        let there = row.views.side(Side::Remote)?.clone();
        Some(Row { views: Views::of(Some(there.clone()), Some(there.clone()), Some(there)), ..row.clone() })
    };
    agreed.after.extend(before.clone().filter_map(theirs));
    agreed.before.extend(before.cloned());
}

/// What a choice means, beside what it wishes of the folder here.
pub(super) struct Answer {
    /// The answer for the conflict's nodes in the next cycle; none if what stands here says it all.
    strategy: Option<Strategy>,
    /// Bytes that are new.
    pub(super) content: Option<Vec<u8>>,
}

/// What a choice comes to for a conflict: the newest version is one of the two, if anything tells which.
pub fn decide(conflict: &Conflict, choice: &Choice) -> Result<Choice, EngineError> {
    if *choice != Choice::Newest {
        return Ok(choice.clone());
    }
    let modified = |side| conflict.version(side).and_then(|version| version.modified);
    match (modified(Side::Local), modified(Side::Remote)) {
        (Some(here), Some(there)) if here > there => Ok(Choice::Here),
        (Some(here), Some(there)) if there > here => Ok(Choice::There),
        _ => Err(EngineError::Refused(format!(
            "nothing tells which version of {} is newer; choose `--keep here` or `--keep there`",
            conflict.path
        ))),
    }
}

pub(super) fn answer(
    conflict: &Conflict,
    choice: &Choice,
    wishes: &mut Wishes<'_>,
) -> Result<Answer, EngineError> {
    if conflict.kind == ConflictKind::Move {
        return settle_move(conflict, choice, wishes);
    }
    let plain = |strategy| Ok(Answer { strategy: Some(strategy), content: None });
    if conflict.kind != ConflictKind::Content {
        return match choice {
            Choice::Here => plain(Strategy::KeepLocal),
            Choice::There => plain(Strategy::KeepRemote),
            Choice::Both => plain(Strategy::Both),
            _ => Err(EngineError::Refused(format!(
                "{} is no conflict of contents; it can be settled by `--keep here`, `there` or `both`",
                conflict.path
            ))),
        };
    }
    match choice {
        Choice::Here | Choice::Newest => Ok(Answer { strategy: None, content: None }),
        Choice::Both => plain(Strategy::Both),
        Choice::There => put(conflict, conflict.remote.as_ref(), wishes),
        Choice::Base => put(conflict, conflict.base.as_ref(), wishes),
        Choice::Content(bytes) => {
            let exec = conflict.local.as_ref().and_then(|version| version.leaf).is_some_and(|leaf| leaf.exec);
            let content = Some(ContentId::of(bytes));
            let held = Held { kind: HeldKind::File, content, size: bytes.len() as u64, exec };
            wish(conflict, &held, wishes)?;
            Ok(Answer { strategy: None, content: Some(bytes.clone()) })
        }
    }
}

/// Gives the path here another version's content.
fn put(
    conflict: &Conflict,
    version: Option<&Version>,
    wishes: &mut Wishes<'_>,
) -> Result<Answer, EngineError> {
    let Some(leaf) = version.and_then(|version| version.leaf) else {
        return Err(EngineError::Refused(format!("{} has no such version to keep", conflict.path)));
    };
    let kind = match leaf.kind {
        LeafKind::File => HeldKind::File,
        LeafKind::Link => HeldKind::Link,
    };
    let held = Held { kind, content: Some(leaf.content), size: leaf.size, exec: leaf.exec };
    wish(conflict, &held, wishes)?;
    Ok(Answer { strategy: None, content: None })
}

fn wish(conflict: &Conflict, held: &Held, wishes: &mut Wishes<'_>) -> Result<(), EngineError> {
    let path = conflict.path_on(Side::Local);
    if !wishes.put(path, held) {
        return Err(EngineError::Refused(format!(
            "{path} can't take that version: something else stands there"
        )));
    }
    Ok(())
}

/// A move was settled when it was found: the one place holds, or the other is taken now.
fn settle_move(conflict: &Conflict, choice: &Choice, wishes: &mut Wishes<'_>) -> Result<Answer, EngineError> {
    let side = match choice {
        Choice::Here => Side::Local,
        Choice::There => Side::Remote,
        _ => {
            return Err(EngineError::Refused(
                "two places for one thing: choose `--keep here` or `--keep there`".to_owned(),
            ));
        }
    };
    let places: Vec<&TreePath> = Side::BOTH
        .into_iter()
        .filter_map(|side| conflict.version(side))
        .map(|version| &version.path)
        .collect();
    if let Some(wanted) = conflict.version(side).map(|version| &version.path)
        && wishes.at(wanted).is_none()
    {
        let stands = places.into_iter().find(|path| wishes.at(path).is_some());
        let moved = stands.is_some_and(|stands| wishes.relocate(stands, wanted));
        if !moved {
            return Err(EngineError::Refused(format!("nothing stands here that could move to {wanted}")));
        }
    }
    Ok(Answer { strategy: None, content: None })
}
