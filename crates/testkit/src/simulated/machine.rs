//! One simulated machine with the real engine on it, and what a person asks of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use instep_core::content::ContentId;
use instep_core::node::{Body, Known, NodeId, Row, Side, Value, Views};
use instep_core::operation::OperationKind;
use instep_core::path::TreePath;
use instep_core::policy::{Direction, Strategy};
use instep_core::progress::Silent;
use instep_core::remote::{Class, MachineStamp, Remote};
use instep_core::retention::Retention;
use instep_core::tree::LeafKind;
use instep_engine::conflict::{self, resolve};
use instep_engine::cycle::outcome::{OpenConflict, Outcome};
use instep_engine::cycle::request::Request;
use instep_engine::cycle::settings::SyncSettings;
use instep_engine::cycle::{self};
use instep_engine::failure::{Danger, EngineError};
use instep_engine::history::restore::{Moment, RestoreRequest, restore};
use instep_engine::history::undo::{UndoRequest, undo};
use instep_engine::history::{act::Acted, log};
use instep_engine::reach::Reach;
use instep_engine::state::State;
use instep_engine::workspace::Workspace;
use rustix::io::Errno;

use super::chaos::{Chaos, Layer};
use super::disk::{self, Disk, Number};
use super::folder::SimulatedFolder;
use super::ledger::Reason;
use super::remote::{Place, SimulatedRemote};
use super::station::{Crash, Does, Fault, Shared, SimulatedClock, Station, lock};
use instep_core::generate::Random;

/// One machine.
pub struct Machine {
    /// What is below the engine.
    pub shared: Shared,
    /// The engine's view of it.
    pub workspace: Workspace<SimulatedFolder>,
    /// Its way to the remote.
    pub remote: SimulatedRemote,
    /// Its settings.
    pub settings: SyncSettings,
    /// It has not joined yet.
    pub is_away: bool,
    boots: u32,
    set_ups: u64,
}

/// What stands at a path: `None` for a folder.
pub type Drawn = BTreeMap<Vec<u8>, Option<(LeafKind, ContentId, bool)>>;

const NAMES: [&str; 5] = ["left", "right", "third", "fourth", "fifth"];

/// The engine on a machine that was set up so many times before, in its so many-th run.
fn set_up(shared: &Shared, index: usize, set_ups: u64, boots: u32) -> Workspace<SimulatedFolder> {
    let seed = index as u64 + 1 + 100 * set_ups;
    let clock = SimulatedClock { shared: shared.clone(), chance: Mutex::new(Random::new(seed)) };
    let stamp = MachineStamp { name: NAMES[index].to_owned(), id: format!("{set_ups:08x}{index:08x}") };
    let folder = Arc::new(SimulatedFolder { shared: shared.clone() });
    let root = PathBuf::from("/simulated").join(NAMES[index]);
    let mut workspace = Workspace::assemble(folder, open_state(shared), stamp, Arc::new(clock), root);
    workspace.wait = |_| {};
    workspace.boot = Some(format!("boot {boots}"));
    workspace.refusals = shared.enter().station.refusals;
    workspace
}

fn open_state(shared: &Shared) -> State {
    let shared = shared.clone();
    State::in_memory_refusing(move || shared.refuses_commit()).unwrap()
}

/// A world in which something is not as promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(pub String);

impl Machine {
    /// A machine with an empty folder.
    pub fn new(
        index: usize,
        disk: Disk,
        strategy: Strategy,
        place: &Place,
        chaos: &Arc<Mutex<Chaos>>,
        world: Weak<Vec<Mutex<Machine>>>,
    ) -> Self {
        let name = NAMES[index];
        let station = Station {
            index,
            name: name.to_owned(),
            disk,
            handles: Vec::new(),
            offset: 0,
            down: false,
            crash_in: None,
            crashed: Crash::Kill,
            fault: None,
            refusals: 0,
            placed: BTreeSet::new(),
            acting: false,
            began: 0,
            faulted: false,
            edited: false,
            touched: BTreeSet::new(),
        };
        let shared = Shared { station: Arc::new(Mutex::new(station)), chaos: Arc::clone(chaos) };
        let workspace = set_up(&shared, index, 0, 0);
        // A world lives for less, however its clocks leap.
        let month = Duration::from_secs(30 * 24 * 3_600);
        let retention = Retention { keep_last: 0, keep_within: month, deleted: month };
        let settings = SyncSettings { workers: 1, strategy, retention, ..SyncSettings::default() };
        let remote = SimulatedRemote::new(place, shared.clone(), world);
        Machine { shared, workspace, remote, settings, is_away: false, boots: 0, set_ups: 0 }
    }

    /// Joins at last, or is set up anew: by `clone`, or by `init` where its folder holds something already.
    pub fn join(&mut self) {
        self.is_away = false;
        self.restart();
        let kind = {
            let mut entered = self.shared.enter();
            entered.chaos.counts.joins += 1;
            let is_empty = entered.station.disk.walk().is_empty();
            let kind = if is_empty { OperationKind::Clone } else { OperationKind::Init };
            entered.tell(format_args!("joins by {}", kind.word()));
            kind
        };
        let _ = self.sync(&Request { explicit: true, kind: Some(kind), ..Request::default() });
    }

    /// A person removes what we know of the folder, with our history; half of the time the folder with it.
    pub fn give_up(&mut self) {
        self.restart();
        self.set_ups += 1;
        {
            let mut entered = self.shared.enter();
            let whole = entered.chaos.chance.percent(50);
            entered.tell(format_args!("person: removes {}", if whole { "the folder" } else { ".instep" }));
            entered.give_up(whole);
        }
        let index = self.shared.enter().station.index;
        self.workspace = set_up(&self.shared, index, self.set_ups, self.boots);
    }

    /// The files at rest of which a cycle knows what they hold, and that both sides agree on it.
    pub fn known_at_rest(&self) -> Vec<Number> {
        let state = &self.workspace.state;
        // What a commit on its way says of a file may be another thing than what is known of it now.
        let is_open = |remote: &i64| !state.offered(*remote).unwrap().is_empty();
        if state.remotes().unwrap().iter().any(is_open) {
            return Vec::new();
        }
        let (known, digests) = (self.known(), state.digests().unwrap());
        let entered = self.shared.enter();
        let disk = &entered.station.disk;
        let at_rest = |row: &Row| {
            let Views::Agreed(Value { body: Body::Leaf(leaf), .. }) = &row.views else { return None };
            let mut names: Vec<&[u8]> = Vec::new();
            let mut at = row.id;
            while at != NodeId::ROOT {
                let value = known.row(at)?.views.side(Side::Local)?;
                names.push(value.name.as_bytes());
                at = value.parent;
            }
            names.reverse();
            let number = disk.find_path(&names).ok()?;
            let is_known = digests.content(&disk.metadata(number).ok()?) == Some(leaf.content);
            let holds_it = ContentId::of(disk.data(number).ok()?) == leaf.content;
            (is_known && holds_it && leaf.kind == LeafKind::File).then_some(number)
        };
        known.rows().iter().filter_map(at_rest).collect()
    }

    /// Loses the database.
    pub fn drop_database(&mut self) {
        let mut entered = self.shared.enter();
        entered.tell(format_args!("the state database is dropped"));
        entered.station.disk.forget_refusals();
        entered.forget_rot();
        drop(entered);
        self.workspace.state = open_state(&self.shared);
    }

    /// Disconnects, as the command does: what both sides agreed on is forgotten. The next sync is a first contact.
    pub fn disconnect(&mut self) {
        self.restart();
        self.shared.enter().tell(format_args!("disconnects"));
        let forgotten = instep_engine::history::disconnect::disconnect(&mut self.workspace, &[]);
        if let Err(error) = forgotten {
            self.shared.enter().tell(format_args!("  {}", words(&error)));
        }
    }

    /// Starts again if it is down; answers whether it was.
    pub fn restart(&mut self) -> bool {
        let mut entered = self.shared.enter();
        if !entered.station.down {
            return false;
        }
        if entered.station.crashed == Crash::Power {
            self.boots += 1;
            self.workspace.boot = Some(format!("boot {}", self.boots));
        }
        entered.restart();
        true
    }

    fn make_trouble(&mut self, was_down: bool) {
        let mut entered = self.shared.enter();
        let chaos = &mut *entered.chaos;
        let mut crash = None;
        if chaos.strikes(Layer::Crashes, if was_down { 45 } else { 20 }) {
            let kind = if chaos.chance.percent(50) { Crash::Kill } else { Crash::Power };
            let reach = if chaos.chance.percent(50) { 40 } else { 250 };
            crash = Some((chaos.chance.below(reach) as u64, kind));
        }
        let mut fault = None;
        if chaos.strikes(Layer::Disk, 25) {
            let only =
                [None, Some(Does::Reads), Some(Does::Writes), Some(Does::Syncs)][chaos.chance.below(4)];
            let errnos = match only {
                Some(Does::Reads) => [Errno::IO, Errno::ACCESS, Errno::MFILE],
                Some(Does::Writes) => [Errno::NOSPC, Errno::IO, Errno::ROFS],
                _ => [Errno::IO, Errno::NOSPC, Errno::IO],
            };
            let errno = errnos[chaos.chance.below(3)];
            let count = [1, 1, 3, u64::MAX][chaos.chance.below(4)];
            let reach = if chaos.chance.percent(50) { 10 } else { 80 };
            fault = Some(Fault { only, errno, after: chaos.chance.below(reach) as u64, count });
        }
        (entered.station.crash_in, entered.station.fault) = (crash, fault);
        entered.station.placed.clear();
        (entered.station.faulted, entered.station.edited) = (false, false);
        entered.chaos.depth += 1;
        entered.chaos.counts.acts += 1;
    }

    /// One act of the engine, with trouble, and judged.
    fn act<T>(
        &mut self,
        what: &str,
        act: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<Option<T>, EngineError> {
        let was_down = self.restart();
        self.make_trouble(was_down);
        self.shared.enter().tell(format_args!("{what}"));
        {
            let mut entered = self.shared.enter();
            (entered.station.acting, entered.station.began) = (true, entered.chaos.now);
            entered.station.touched.clear();
        }
        let answer = act(self);
        let mut entered = self.shared.enter();
        entered.station.acting = false;
        entered.chaos.depth -= 1;
        // The program ends with each act: what it could not write down of a refusal, nobody knows any more.
        let on_record = entered.station.refusals == self.workspace.refusals;
        entered.station.disk.end_act(on_record);
        entered.station.refusals = self.workspace.refusals;
        (entered.station.crash_in, entered.station.fault) = (None, None);
        if entered.station.down {
            return Ok(None);
        }
        match answer {
            Ok(done) => Ok(Some(done)),
            Err(error) => {
                entered.tell(format_args!("  {}", words(&error)));
                match excuse(&error, &entered.station, &entered.chaos) {
                    None => Err(error),
                    Some(why) => {
                        let broken = format!("{why}: {what} on {}: {}", entered.station.name, words(&error));
                        entered.chaos.broken.get_or_insert(broken);
                        Err(error)
                    }
                }
            }
        }
    }

    /// One cycle.
    pub fn sync(&mut self, request: &Request) -> Result<Option<Outcome>, EngineError> {
        let what = format!(
            "{:?}{}{}{}{}",
            request.direction,
            if request.mirror { " mirror" } else { "" },
            request.strategy.map_or_else(String::new, |strategy| format!(" {}", strategy.word())),
            if request.allow_delete { " allow delete" } else { "" },
            if request.allow_rewind { " allow rewind" } else { "" },
        );
        if self.is_away {
            return Ok(None);
        }
        let before = (self.known(), self.shared.enter().chaos.now);
        let answer = self.act(&format!("sync {what}"), |machine| {
            cycle::run(&mut machine.workspace, &machine.remote, &machine.settings, request, &Silent)
        });
        if let Ok(Some(outcome)) = &answer {
            self.after(outcome, before);
        }
        answer
    }

    /// What is known; read only, as the machine may be down.
    fn known(&self) -> Known {
        let state = &self.workspace.state;
        let remotes = state.remotes().unwrap();
        remotes.first().map_or_else(Known::default, |remote| state.known(*remote).unwrap())
    }

    fn after(&self, outcome: &Outcome, before: (Known, i64)) {
        let mut entered = self.shared.enter();
        let done: Vec<String> = outcome
            .done
            .iter()
            .map(|done| format!("{:?} {:?} {}", done.side, done.kind, done.path))
            .collect();
        let held: Vec<String> =
            outcome.held.iter().map(|held| format!("{} {} {}", held.path, held.code, held.why)).collect();
        let conflicts: Vec<String> =
            outcome.conflicts.iter().map(|c| format!("{} {:?}", c.conflict.path, c.conflict.kind)).collect();
        entered.tell(format_args!("  done {done:?} held {held:?} conflicts {conflicts:?}"));
        let machine = entered.station.index;
        for open in &outcome.conflicts {
            for side in Side::BOTH {
                let leaf = open.conflict.version(side).and_then(|version| version.leaf);
                if let Some(leaf) = leaf {
                    let what = format!("{side:?} version of {}", open.conflict.path);
                    entered.chaos.ledger.record(leaf.content, Reason::Conflict(machine), what);
                }
            }
        }
        drop(entered);
        self.check_rows(&outcome.held.iter().map(|held| &held.path).collect(), before);
    }

    /// What is known never claims what a power cut would take. What a cycle made known must be durable, but for what the
    /// person did since it began; what was known before is the person's to change, and where it could not be brought up
    /// to date, or its folder not be looked at, nothing is claimed of the present.
    fn check_rows(&self, held: &BTreeSet<&TreePath>, (before, began): (Known, i64)) {
        if !self.workspace.state.journal().unwrap().is_empty() {
            return;
        }
        let known = self.known();
        let mut entered = self.shared.enter();
        let live = &entered.station.disk;
        let fallen = [live.without_what_waits(i64::MIN), live.without_what_waits(began)];
        let mut lost = None;
        for row in known.rows() {
            let mut names: Vec<&[u8]> = Vec::new();
            let mut at = row.id;
            while at != NodeId::ROOT {
                let Some(value) = known.row(at).and_then(|row| row.views.side(Side::Local)) else { break };
                names.push(value.name.as_bytes());
                at = value.parent;
            }
            names.reverse();
            let Some(value) = row.views.side(Side::Local).filter(|_| at == NodeId::ROOT) else { continue };
            let holds = |disk: &Disk| {
                let Ok(number) = disk.find_path(&names) else { return false };
                match value.body {
                    Body::Folder => disk.entries(number).is_ok(),
                    Body::Leaf(leaf) => {
                        disk.data(number).is_ok_and(|data| ContentId::of(data) == leaf.content)
                    }
                }
            };
            let was_known = before.row(row.id).and_then(|row| row.views.side(Side::Local)) == Some(value);
            let is_spared = TreePath::new(&names.join(&b'/')).is_ok_and(|path| {
                let unseen = held.iter().any(|folder| path != **folder && path.is_within(folder));
                unseen || was_known && held.contains(&path)
            });
            if !is_spared && holds(live) && !holds(&fallen[usize::from(!was_known)]) {
                lost = Some(String::from_utf8_lossy(&names.join(&b'/')).into_owned());
            }
        }
        if let Some(path) = lost {
            let broken = format!("R4 a row claims what is not durable: {path} on {}", entered.station.name);
            entered.chaos.broken.get_or_insert(broken);
        }
    }

    /// The person edits and syncs, while another machine works.
    pub fn edit_and_sync(&mut self) {
        if self.is_away {
            return;
        }
        let edits = lock(&self.shared.chaos).chance.below(3);
        self.restart();
        for _ in 0..edits {
            self.shared.enter().edit();
        }
        let _ = self.sync(&Request { explicit: true, ..Request::default() });
    }

    /// A cycle of any kind.
    pub fn sync_somehow(&mut self) {
        let mut request = Request { explicit: true, ..Request::default() };
        {
            let mut chaos = lock(&self.shared.chaos);
            request.allow_delete = chaos.chance.percent(30);
            request.allow_rewind = chaos.put_back && chaos.chance.percent(50);
            request.explicit = chaos.chance.percent(80);
            if chaos.strikes(Layer::Policies, 30) {
                request.direction =
                    [Direction::Pull, Direction::Push, Direction::Both][chaos.chance.below(3)];
                request.mirror = request.direction != Direction::Both && chaos.chance.percent(15);
            }
            if chaos.strikes(Layer::Policies, 20) {
                request.strategy = Some(Strategy::ALL[chaos.chance.below(6)]);
            }
        }
        let _ = self.sync(&request);
    }

    /// Undo, redo, restore or resolve.
    pub fn use_history(&mut self) {
        let (kind, redo, here_only, pick) = {
            let mut chaos = lock(&self.shared.chaos);
            let chance = &mut chaos.chance;
            (chance.below(4), chance.percent(35), chance.percent(30), chance.number())
        };
        match kind {
            0 | 1 => {
                let request = UndoRequest { redo, here_only, ..UndoRequest::default() };
                // What stands here counts as a change made here then.
                self.shared.enter().excuse_rot();
                let _ = self.act(&format!("undo redo={redo} here={here_only}"), |machine| {
                    undo(
                        &mut machine.workspace,
                        Some(&Reach::open(&machine.remote)),
                        &machine.settings,
                        &request,
                        &Silent,
                    )
                });
            }
            2 => self.restore_somewhat(pick),
            _ => {
                let open = self.conflicts();
                if !open.is_empty() {
                    self.resolve(&open[pick as usize % open.len()], pick / 7);
                }
            }
        }
    }

    fn restore_somewhat(&mut self, pick: u64) {
        let operations = log::log(&self.workspace.state, None, 50).unwrap_or_default();
        let paths: Vec<(String, TreePath)> = operations
            .iter()
            .flat_map(|one| one.paths.iter().map(|record| (one.id.to_string(), record.path.clone())))
            .collect();
        if paths.is_empty() {
            return;
        }
        let (operation, path) = paths[pick as usize % paths.len()].clone();
        let moment = if pick.is_multiple_of(3) { Moment::Previous } else { Moment::After(operation) };
        let what = format!("restore {path} {moment:?}");
        let request = RestoreRequest { paths: vec![path], moment, to: None, dry_run: false };
        let _ = self.act(&what, |machine| {
            let reach = Reach::open(&machine.remote);
            restore(&mut machine.workspace, &[reach], &machine.settings, &request, &Silent)
        });
    }

    /// Settles one conflict.
    pub fn resolve(&mut self, open: &OpenConflict, pick: u64) -> Option<Acted> {
        use resolve::Choice::{Base, Both, Content, Here, Newest, There};
        let choice = [Here, There, Both, Newest, Base, Content(format!("by hand {pick}\n").into_bytes())]
            [pick as usize % 6]
            .clone();
        let number = open.number;
        let what = format!("resolve {} by {choice:?}", open.conflict.path);
        let answer = self.act(&what, |machine| {
            let Machine { workspace, remote, settings, .. } = machine;
            let choices = [(number, choice)];
            let mut settled = resolve::resolve(workspace, &*remote, settings, &choices, &Silent)?;
            settled.refused.pop().map_or(Ok(settled.acted), |(_, error)| Err(error))
        });
        answer.ok().flatten()
    }

    /// The open conflicts.
    pub fn conflicts(&self) -> Vec<OpenConflict> {
        let record = self.workspace.state.remote(&self.remote.describe().address);
        record.and_then(|record| conflict::open(&self.workspace.state, record.id)).unwrap_or_default()
    }

    /// Where nodes stand on either side, and stood: a conflict names nodes that wait at other paths.
    pub fn paths_of(&self, nodes: &[NodeId]) -> Vec<TreePath> {
        let known = self.known();
        let mut paths = Vec::new();
        for node in nodes {
            for side in Side::BOTH {
                let mut names = Vec::new();
                let mut at = *node;
                while let Some(value) = known.row(at).and_then(|row| row.views.side(side)) {
                    names.push(value.name.clone());
                    at = value.parent;
                }
                if !names.is_empty() && at == NodeId::ROOT {
                    paths.push(names.iter().rev().fold(TreePath::root(), |path, name| path.join(name)));
                }
            }
        }
        paths
    }

    /// Where that which waits at these paths stands on either side.
    pub fn paths_of_waiting(&self, waiting: &[TreePath]) -> Vec<TreePath> {
        let known = self.known();
        let all = known.rows().iter().map(|row| self.paths_of(&[row.id]));
        all.filter(|paths| paths.iter().any(|path| waiting.contains(path))).flatten().collect()
    }

    /// What a person sees in the folder.
    pub fn drawing(&self) -> Drawn {
        let entered = self.shared.enter();
        let disk = &entered.station.disk;
        let draw = |(path, number): (Vec<u8>, u64)| {
            let inode = disk.inode(number).unwrap();
            let exec = disk.metadata(number).unwrap().exec();
            let leaf = match &inode.body {
                disk::Body::Folder(_) => None,
                disk::Body::File(data) => Some((LeafKind::File, ContentId::of(data), exec)),
                disk::Body::Link(target) => Some((LeafKind::Link, ContentId::of(target), false)),
            };
            (path, leaf)
        };
        disk.walk().into_iter().map(draw).collect()
    }

    /// All files in its history and its staging folder.
    pub fn kept_files(&self) -> Vec<Number> {
        let entered = self.shared.enter();
        let disk = &entered.station.disk;
        let folders =
            [&b"history"[..], b"staging"].into_iter().filter_map(|name| disk.find(disk::STATE, name).ok());
        let files = folders.flat_map(|folder| disk.walk_from(folder)).map(|(_, number)| number);
        files
            .filter(|number| matches!(disk.inode(*number).map(|inode| &inode.body), Ok(disk::Body::File(_))))
            .collect()
    }

    /// All contents that stand in its history.
    pub fn kept(&self) -> Vec<ContentId> {
        let entered = self.shared.enter();
        let disk = &entered.station.disk;
        let history = disk.find(disk::STATE, b"history").unwrap();
        let all = disk.walk_from(history).into_iter();
        all.filter_map(|(_, number)| disk.data(number).ok().map(ContentId::of)).collect()
    }

    /// All contents that this machine has: in its tree, and whole in its history.
    pub fn contents(&self) -> Vec<ContentId> {
        let entered = self.shared.enter();
        let disk = &entered.station.disk;
        let history = disk.find(disk::STATE, b"history").unwrap();
        let all = disk.walk().into_iter().chain(disk.walk_from(history));
        all.filter_map(|(_, number)| disk.data(number).ok().map(ContentId::of)).collect()
    }
}

/// An error for people.
pub fn words(error: &EngineError) -> String {
    let mut text = format!("{error}");
    if let EngineError::Halted(danger) = error {
        text = format!("halted {}", danger.code());
    }
    if let EngineError::Remote(remote) = error {
        text = format!("{} {remote}", remote.code);
    }
    if let EngineError::Folder(folder) = error {
        text = format!("{} {folder}: {}", folder.code(), folder.source);
    }
    text
}

/// Answers why an error has no excuse, if it has none.
fn excuse(error: &EngineError, station: &Station, chaos: &Chaos) -> Option<&'static str> {
    let meanwhile = chaos.knows(Layer::Meanwhile);
    match error {
        EngineError::Halted(Danger::Deletions(_)) => None,
        EngineError::Halted(_) if chaos.put_back => None,
        EngineError::Halted(_) => Some("halted without cause"),
        EngineError::Remote(error) => match error.class() {
            Class::Bug | Class::Corrupt => Some("the remote was used wrongly"),
            Class::Retry(_) if chaos.has(Layer::Remote) => None,
            Class::Stale if meanwhile || chaos.has(Layer::Remote) => None,
            Class::Refused if station.faulted || station.edited || error.code == "E-HISTORY-MISSING" => None,
            _ => Some("failed without cause"),
        },
        EngineError::RemoteBusy(_) if meanwhile || station.edited => None,
        EngineError::Folder(_) if station.faulted => None,
        EngineError::Folder(_) if station.edited => None,
        EngineError::State(_) if station.faulted => None,
        EngineError::NotFound(_) | EngineError::Refused(_) => None,
        _ => Some("failed without cause"),
    }
}
