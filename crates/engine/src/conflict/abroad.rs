//! Conflicts of other machines: what each laid down of its own beside the snapshots, and what is answered from here.
//!
//! A conflict is shown from where a person sits. What stands at the remote, and so in the folder here, is *here*; what
//! stands on the machine that has the conflict is *there*. All that comes from another machine is its word: paths are
//! checked, contents are named anew when they are read, and what makes no sense is left out.

use std::collections::BTreeMap;

use instep_core::conflict::{Conflict, ConflictKind, Version, copy_name};
use instep_core::content::ContentId;
use instep_core::node::{PerSide, Side};
use instep_core::note::{Note, Notes, TEXT_BYTES_MAX, is_author};
use instep_core::operation::{Held, HeldKind, OperationId, OperationKind};
use instep_core::path::{TreePath, is_reserved};
use instep_core::policy::Strategy;
use instep_core::progress::Observer;
use instep_core::remote::{MachineStamp, ObjectId, Remote};
use instep_core::tree::{Entry, LeafKind, Tree};
use serde::{Deserialize, Serialize};

use super::resolve::{Choice, answer, decide, travelling};
use super::{open, read};
use crate::cycle::outcome::OpenConflict;
use crate::cycle::rules;
use crate::cycle::settings::SettingsSource;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::history::act::{Acted, Deed, Sources, act, scan};
use crate::history::restore::read_version;
use crate::history::wish::Wishes;
use crate::state::{ConflictRecord, RemoteRecord, State};
use crate::workspace::Workspace;

/// The form of the text. Another one is of a newer program, and is not read.
const FORM: u32 = 1;
/// How many conflicts are told to others, or taken from one of them.
const CONFLICTS_MAX: usize = 1_000;

/// What one machine tells the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    version: u32,
    machine: String,
    #[serde(default)]
    conflicts: Vec<ToldConflict>,
    #[serde(default)]
    answers: Vec<Answer>,
}

/// One of its conflicts, as it has it on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ToldConflict {
    id: String,
    number: u64,
    since: instep_core::clock::Timestamp,
    here: String,
    there: String,
    value: serde_json::Value,
}

/// A person's answer to a conflict of another machine. It is the version that was seen, and what the path holds at the
/// remote if the answer is carried out; nobody need know the conflict itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The id of the machine that has the conflict.
    machine: String,
    /// Where its version stands.
    path: Vec<u8>,
    /// What it holds; nothing if it is deleted there.
    version: Option<String>,
    /// What the remote is to hold; nothing if it is to go.
    result: Option<String>,
    /// The operation here.
    operation: String,
    /// Where the conflict is not one of contents: its id, and the strategy by which the machine is to settle it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    choice: Option<(String, String)>,
    /// The undo that took it back: it is no answer, until that is taken back itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    withdrawn: Option<String>,
}

impl Answer {
    /// Answers whether it speaks of the version of a conflict here.
    fn is_about(&self, conflict: &Conflict) -> bool {
        if let Some((id, _)) = &self.choice {
            return *id == conflict.id.0.to_string();
        }
        self.path == conflict.path_on(Side::Local).as_bytes()
            && self.version == content(&conflict.local).map(|content| content.to_string())
    }
}

fn content(version: &Option<Version>) -> Option<ContentId> {
    version.as_ref()?.leaf.map(|leaf| leaf.content)
}

/// What other machines laid down, as it was heard last.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// The mark of the notes.
    pub mark: String,
    notes: Vec<HeardNote>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct HeardNote {
    author: String,
    text: String,
    objects: BTreeMap<String, Vec<u8>>,
}

impl HeardNote {
    fn of(note: Note) -> Option<Self> {
        if note.text.len() as u64 > TEXT_BYTES_MAX {
            return None;
        }
        let text = String::from_utf8(note.text).ok()?;
        let objects = note.contents.into_iter();
        let objects =
            objects.map(|(content, object)| (content.to_string(), object.as_bytes().to_vec())).collect();
        Some(HeardNote { author: note.author, text, objects })
    }

    fn told(&self) -> Option<Told> {
        let mut told: Told = serde_json::from_str(&self.text).ok()?;
        told.conflicts.truncate(CONFLICTS_MAX);
        (told.version == FORM).then_some(told)
    }
}

impl Heard {
    /// Takes what was read; what is no text of ours is left out.
    pub fn of(notes: Notes) -> Self {
        Heard { mark: notes.mark, notes: notes.notes.into_iter().filter_map(HeardNote::of).collect() }
    }

    /// What was heard last.
    pub fn last(state: &State, remote: i64) -> Result<Self, EngineError> {
        let noted = state.note(&heard_note(remote))?;
        // What can't be read is heard again.
        Ok(noted.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// As it is noted.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("because it is plain data")
    }

    /// The digest of what this machine laid down, as the remote has it; empty if there is nothing.
    pub fn digest_of(&self, me: &str) -> String {
        let own = self.notes.iter().find(|note| note.author == me);
        own.map_or_else(String::new, |note| ContentId::of(note.text.as_bytes()).to_string())
    }

    /// The conflicts of others, answered or not.
    fn conflicts(&self, me: &MachineStamp) -> Vec<OpenConflict> {
        let own = author(me);
        let mut all = Vec::new();
        for note in self.notes.iter().filter(|note| note.author != own) {
            let Some(told) = note.told() else { continue };
            let machine = MachineStamp { name: told.machine, id: note.author.clone() };
            all.extend(told.conflicts.into_iter().filter_map(|one| one.seen_from(me, &machine)));
        }
        all.sort_by(|a, b| (machine_of(a), a.number).cmp(&(machine_of(b), b.number)));
        all
    }

    /// The answers that others gave, each with the name of its machine.
    fn answers(&self, me: &str) -> Vec<(String, Answer)> {
        let others = self.notes.iter().filter(|note| note.author != me);
        let told = others.filter_map(HeardNote::told);
        told.flat_map(|told| {
            told.answers.into_iter().take(CONFLICTS_MAX).map(move |answer| (told.machine.clone(), answer))
        })
        .collect()
    }

    /// Who chose how a conflict of names that this machine has is to be settled.
    pub fn choice_for(&self, me: &str, conflict: &Conflict) -> Option<(String, Strategy)> {
        let mine = self.answers(me).into_iter().filter(|(_, answer)| answer.machine == me);
        let mut mine = mine.filter(|(_, answer)| answer.is_about(conflict));
        mine.find_map(|(who, answer)| {
            let (_, word) = answer.choice?;
            let known = CHOICES.iter().find(|(_, strategy)| strategy.word() == word);
            known.map(|(_, strategy)| (who, *strategy))
        })
    }

    /// Who answered a conflict that this machine has, with the content that the remote is to hold.
    pub fn answers_to(&self, me: &str, conflict: &Conflict) -> Vec<(String, Option<ContentId>)> {
        let mine = self.answers(me).into_iter();
        let mine = mine.filter(|(_, answer)| answer.machine == me && answer.is_about(conflict));
        let mine = mine.filter(|(_, answer)| answer.choice.is_none());
        mine.filter_map(|(who, answer)| match answer.result {
            None => Some((who, None)),
            Some(result) => Some((who, Some(ContentId::parse(&result)?))),
        })
        .collect()
    }
}

/// The strategies by which a conflict can be settled from another machine, as that one and as the one with the conflict
/// says it.
static CHOICES: [(Choice, Strategy); 3] = [
    (Choice::Here, Strategy::KeepRemote),
    (Choice::There, Strategy::KeepLocal),
    (Choice::Both, Strategy::Both),
];

fn machine_of(open: &OpenConflict) -> (&str, &str) {
    open.abroad.as_ref().map_or(("", ""), |machine| (&machine.name, &machine.id))
}

impl ToldConflict {
    fn of(record: ConflictRecord) -> Option<Self> {
        let ConflictRecord { id, number, since, here, there, value } = record;
        let value = serde_json::from_str(&value).ok()?;
        Some(ToldConflict { id: id.to_string(), number, since, here, there, value })
    }

    /// As a person at this machine sees it; `None` if it makes no sense or names what never travels.
    fn seen_from(self, me: &MachineStamp, machine: &MachineStamp) -> Option<OpenConflict> {
        let record = ConflictRecord {
            id: ContentId::parse(&self.id)?,
            number: self.number,
            since: self.since,
            here: self.here,
            there: self.there,
            value: self.value.to_string(),
        };
        let OpenConflict { number, since, mut conflict, .. } = read(record).ok()?;
        if conflict.settled || !may_travel(&conflict) {
            return None;
        }
        std::mem::swap(&mut conflict.local, &mut conflict.remote);
        Some(OpenConflict {
            number,
            since,
            machines: PerSide { local: me.name.clone(), remote: machine.name.clone() },
            conflict,
            abroad: Some(machine.clone()),
        })
    }
}

/// Answers whether all paths of a conflict are such as travel.
fn may_travel(conflict: &Conflict) -> bool {
    let versions = [&conflict.base, &conflict.local, &conflict.remote].into_iter().flatten();
    let mut paths = versions.map(|version| &version.path).chain([&conflict.path]);
    paths.all(|path| !path.is_root() && !path.parts().any(is_reserved))
}

/// The name under which a machine lays down notes.
pub(crate) fn author(machine: &MachineStamp) -> String {
    let id: String = machine.id.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    if is_author(&id) { id } else { "unnamed".to_owned() }
}

pub(crate) fn heard_note(remote: i64) -> String {
    format!("abroad-{remote}")
}

pub(crate) fn answers_note(remote: i64) -> String {
    format!("answers-{remote}")
}

/// The open conflicts of other machines, as they were heard last, in order of machine and number. One that somebody
/// answered is not among them.
pub fn list(state: &State, remote: i64, me: &MachineStamp) -> Result<Vec<OpenConflict>, EngineError> {
    let heard = Heard::last(state, remote)?;
    let mut answers: Vec<Answer> = heard.answers(&author(me)).into_iter().map(|(_, answer)| answer).collect();
    answers.extend(answers_from_here(state, remote)?);
    let mut open = heard.conflicts(me);
    open.retain(|one| !answers.iter().any(|answer| is_answer(answer, one)));
    Ok(open)
}

/// Answers whether an answer is one to a conflict of another machine.
fn is_answer(answer: &Answer, open: &OpenConflict) -> bool {
    let machine = open.abroad.as_ref().map(|machine| machine.id.as_str());
    if machine == Some(&answer.machine) && answer.choice.is_some() {
        return answer.is_about(&open.conflict);
    }
    machine == Some(&answer.machine)
        && answer.path == open.conflict.path_on(Side::Remote).as_bytes()
        && answer.version == content(&open.conflict.remote).map(|content| content.to_string())
}

/// The name at the remote of a content that came with a note.
pub(crate) fn object_of(
    state: &State,
    remote: i64,
    content: ContentId,
) -> Result<Option<ObjectId>, EngineError> {
    let name = content.to_string();
    let heard = Heard::last(state, remote)?;
    Ok(heard.notes.iter().find_map(|note| ObjectId::new(note.objects.get(&name)?)))
}

/// What was answered from here, and holds.
pub(crate) fn answers_from_here(state: &State, remote: i64) -> Result<Vec<Answer>, EngineError> {
    let mut answers = all_answers_from_here(state, remote)?;
    answers.retain(|answer| answer.withdrawn.is_none());
    Ok(answers)
}

/// What was answered from here, and what of that was taken back.
pub(crate) fn all_answers_from_here(state: &State, remote: i64) -> Result<Vec<Answer>, EngineError> {
    let noted = state.note(&answers_note(remote))?.filter(|text| !text.is_empty());
    let Some(noted) = noted else { return Ok(Vec::new()) };
    serde_json::from_str(&noted).map_err(|error| EngineError::StateCorrupt(error.to_string()))
}

/// As they are noted.
pub(crate) fn text_of(answers: &[Answer]) -> String {
    serde_json::to_string(answers).expect("because it is plain data")
}

/// The answers from here that the machines with the conflicts have not heard yet, after something new was heard.
pub(crate) fn unheard(answers: Vec<Answer>, heard: &Heard, me: &MachineStamp) -> Vec<Answer> {
    let open = heard.conflicts(me);
    answers.into_iter().filter(|answer| open.iter().any(|one| is_answer(answer, one))).collect()
}

/// What this machine lays down.
pub(crate) struct Text {
    /// The text.
    pub bytes: Vec<u8>,
    /// The contents that go with it.
    pub contents: Vec<ContentId>,
}

/// What this machine has to tell the others; `None` if that is nothing.
pub(crate) fn text(state: &State, remote: i64, me: &MachineStamp) -> Result<Option<Text>, EngineError> {
    let answers = answers_from_here(state, remote)?;
    let mut contents = Vec::new();
    let mut conflicts = Vec::new();
    for record in state.conflicts(remote)?.into_iter().take(CONFLICTS_MAX) {
        let conflict = read(record.clone())?.conflict;
        if !conflict.settled {
            contents.extend(content(&conflict.local));
            contents.extend(content(&conflict.base));
            conflicts.extend(ToldConflict::of(record));
        }
    }
    if conflicts.is_empty() && answers.is_empty() {
        return Ok(None);
    }
    contents.sort();
    contents.dedup();
    let mut told = Told { version: FORM, machine: me.name.clone(), conflicts, answers };
    loop {
        let bytes = serde_json::to_vec(&told).expect("because it is plain data");
        if bytes.len() as u64 <= TEXT_BYTES_MAX {
            return Ok(Some(Text { bytes, contents }));
        }
        // What does not fit waits until some of the others are settled.
        let (conflicts, answers) = (told.conflicts.len() / 2, told.answers.len() / 2);
        told.conflicts.truncate(conflicts);
        told.answers.truncate(answers);
    }
}

/// The text of a machine that has nothing to tell any more.
pub(crate) fn nothing(me: &MachineStamp) -> Text {
    let told = Told { version: FORM, machine: me.name.clone(), conflicts: Vec::new(), answers: Vec::new() };
    Text { bytes: serde_json::to_vec(&told).expect("because it is plain data"), contents: Vec::new() }
}

/// Answers a conflict of another machine: the result stands in the folder here, and goes out with the next sync as any
/// change does; the answer goes beside it, and closes the conflict there.
pub fn settle<F: Folder>(
    workspace: &mut Workspace<F>,
    remote: &dyn Remote,
    source: &dyn SettingsSource,
    open: &OpenConflict,
    choice: &Choice,
    observer: &dyn Observer,
) -> Result<Acted, EngineError> {
    crate::cycle::recover(workspace)?;
    let (conflict, who) = (&open.conflict, &open.machines.remote);
    let Some(machine) = &open.abroad else {
        return Err(EngineError::Refused(format!("{} is no conflict of another machine", conflict.path)));
    };
    let record = workspace.state.remote(&remote.describe().address)?;
    if conflict.kind != ConflictKind::Content {
        let Some((_, strategy)) = CHOICES.iter().find(|(known, _)| known == choice) else {
            return Err(EngineError::Refused(format!(
                "{} is no conflict of contents; from here it can be settled by `--keep here`, `there` or `both`, and on \
                 {who}",
                conflict.path
            )));
        };
        return choose(workspace, remote, &record, source, (open, machine), *strategy, observer);
    }
    let settings = rules::now(&workspace.state, &*workspace.folder, source, Some(&record))?;
    let seen = scan(workspace, &settings, observer)?;
    let path = conflict.path_on(Side::Local);
    if standing(&seen.tree, path) != Some(content(&conflict.local)) {
        return Err(EngineError::Refused(format!(
            "{path} here is not the version that is in conflict on {}; `instep sync` first",
            machine.name
        )));
    }
    let choice = decide(conflict, &travelling(conflict, choice.clone(), &settings.groups)?)?;
    let mut wishes = Wishes::new(&seen.tree);
    let (needed, result) = match &choice {
        Choice::Here | Choice::Newest => (None, content(&conflict.local)),
        Choice::There => (content(&conflict.remote), content(&conflict.remote)),
        Choice::Base => (content(&conflict.base), content(&conflict.base)),
        Choice::Both => (content(&conflict.remote), content(&conflict.local)),
        Choice::Content(bytes) => (None, Some(ContentId::of(bytes))),
    };
    let mut bytes = Vec::new();
    if let Some(needed) = needed {
        bytes.extend(read_version(workspace, Some(remote), needed, observer)?);
        if bytes.is_empty() {
            return Err(EngineError::Refused(format!(
                "that version of {path} did not travel; it can be settled on {} only",
                machine.name
            )));
        }
    }
    match (&choice, &conflict.remote) {
        (Choice::There, None) => drop(wishes.remove(path)),
        (Choice::Both, Some(version)) => copy_beside(version, path, &machine.name, &mut wishes)?,
        (Choice::Both, None) => {
            return Err(EngineError::Refused(format!("{path} has one version only: the other is deleted")));
        }
        _ => bytes.extend(answer(conflict, &choice, &mut wishes)?.content),
    }
    let id = OperationId(workspace.clock.random());
    let message = Some(format!("{} {}", open.short(), conflict.path));
    // It is to be told to the machine that has the conflict.
    let address = Some(remote.describe().address);
    let deed = Deed { id, kind: OperationKind::Resolve, undoes: None, message, address, waits: true };
    let sources = Sources { remotes: Vec::new(), bytes };
    let acted = act(workspace, &seen, &wishes.finish(), &deed, &sources, Vec::new(), observer)?;
    if !acted.held.is_empty() {
        return Ok(acted);
    }
    let mut answers = all_answers_from_here(&workspace.state, record.id)?;
    answers.retain(|answer| !is_answer(answer, open));
    answers.push(Answer {
        machine: machine.id.clone(),
        path: conflict.path_on(Side::Remote).as_bytes().to_vec(),
        version: content(&conflict.remote).map(|content| content.to_string()),
        result: result.map(|content| content.to_string()),
        choice: None,
        operation: id.to_string(),
        withdrawn: None,
    });
    workspace.state.transact(|write| write.note(&answers_note(record.id), &text_of(&answers)))?;
    Ok(acted)
}

/// Answers a conflict that is not one of contents: nothing changes here, and the machine that has it settles it by that.
fn choose<F: Folder>(
    workspace: &mut Workspace<F>,
    remote: &dyn Remote,
    record: &RemoteRecord,
    source: &dyn SettingsSource,
    (open, machine): (&OpenConflict, &MachineStamp),
    strategy: Strategy,
    observer: &dyn Observer,
) -> Result<Acted, EngineError> {
    let settings = rules::now(&workspace.state, &*workspace.folder, source, Some(record))?;
    let seen = scan(workspace, &settings, observer)?;
    let id = OperationId(workspace.clock.random());
    let message = Some(format!("{} {}", open.short(), open.conflict.path));
    let address = Some(remote.describe().address);
    let deed = Deed { id, kind: OperationKind::Resolve, undoes: None, message, address, waits: true };
    let sources = Sources { remotes: Vec::new(), bytes: Vec::new() };
    let acted = act(workspace, &seen, &[], &deed, &sources, Vec::new(), observer)?;
    let mut answers = all_answers_from_here(&workspace.state, record.id)?;
    answers.retain(|answer| !is_answer(answer, open));
    answers.push(Answer {
        machine: machine.id.clone(),
        path: Vec::new(),
        version: None,
        result: None,
        choice: Some((open.conflict.id.0.to_string(), strategy.word().to_owned())),
        operation: id.to_string(),
        withdrawn: None,
    });
    workspace.state.transact(|write| write.note(&answers_note(record.id), &text_of(&answers)))?;
    Ok(acted)
}

/// What a path holds: a content, or nothing; `None` if it is something else.
pub(crate) fn standing(tree: &Tree, path: &TreePath) -> Option<Option<ContentId>> {
    match tree.find(path).map(|place| &tree.at(place).entry) {
        None => Some(None),
        Some(Entry::Leaf(leaf)) => Some(Some(leaf.content)),
        Some(_) => None,
    }
}

/// The other version gets a name of its own, as if the conflict had been settled where it is.
fn copy_beside(
    version: &Version,
    path: &TreePath,
    machine: &str,
    wishes: &mut Wishes<'_>,
) -> Result<(), EngineError> {
    let refused = || EngineError::Refused(format!("{path} has no room beside it for the other version"));
    let (leaf, parent, name) = match (version.leaf, path.parent(), path.name()) {
        (Some(leaf), Some(parent), Some(name)) => (leaf, parent, name),
        _ => return Err(refused()),
    };
    let kind = if leaf.kind == LeafKind::Link { HeldKind::Link } else { HeldKind::File };
    let held = Held { kind, content: Some(leaf.content), size: leaf.size, exec: leaf.exec };
    let mut copies = (1..100).map(|number| parent.join(&copy_name(&name, machine, leaf.content, number)));
    let free = copies.find(|copy| wishes.at(copy).is_none()).ok_or_else(refused)?;
    if wishes.put(&free, &held) { Ok(()) } else { Err(refused()) }
}

/// What an undo makes of answers: the one that its target gave is taken back, and those that its target took back hold
/// again. Answers what is to be noted then; nothing if it has to do with none.
pub(crate) fn withdraw(
    state: &State,
    target: &str,
    undo: &str,
) -> Result<Vec<(String, String)>, EngineError> {
    let mut notes = Vec::new();
    for remote in state.remotes()? {
        let before = all_answers_from_here(state, remote)?;
        let mut after = before.clone();
        for answer in &mut after {
            if answer.withdrawn.as_deref() == Some(target) {
                answer.withdrawn = None;
            } else if answer.operation == target && answer.withdrawn.is_none() {
                answer.withdrawn = Some(undo.to_owned());
            }
        }
        if after != before {
            notes.push((answers_note(remote), text_of(&after)));
        }
    }
    Ok(notes)
}

/// The open conflicts here that somebody answered elsewhere.
pub(crate) fn answered_here(
    state: &State,
    remote: i64,
    heard: &Heard,
    me: &MachineStamp,
) -> Result<bool, EngineError> {
    let me = author(me);
    let is_answered = |conflict: &Conflict| match conflict.kind {
        ConflictKind::Content => !heard.answers_to(&me, conflict).is_empty(),
        _ => heard.choice_for(&me, conflict).is_some(),
    };
    Ok(open(state, remote)?.iter().any(|open| is_answered(&open.conflict)))
}
