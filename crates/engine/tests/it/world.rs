//! A world of machines: each a folder on the disk, all round one remote in memory.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use instep_core::clock::{Clock, Timestamp};
use instep_core::content::ContentId;
use instep_core::progress::Silent;
use instep_core::remote::MachineStamp;
use instep_engine::cycle::outcome::Outcome;
use instep_engine::cycle::request::Request;
use instep_engine::cycle::settings::SyncSettings;
use instep_engine::cycle::{self};
use instep_engine::failure::EngineError;
use instep_engine::folder::disk::DiskFolder;
use instep_engine::folder::placed::Placed;
use instep_engine::state::State;
use instep_engine::workspace::Workspace;
use instep_remote::memory::MemoryPlace;

use crate::line::Line;

/// The machine's own time, which a test may set ahead, and numbers in a row for chance.
pub struct Ticking {
    ahead_seconds: AtomicI64,
    next: AtomicU64,
}

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let ahead = self.ahead_seconds.load(Ordering::Relaxed) * 1_000_000_000;
        Timestamp::from_ns(since.as_nanos() as i64 + ahead)
    }

    fn random(&self) -> u64 {
        self.next.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }
}

/// One machine.
pub struct Machine {
    _home: tempfile::TempDir,
    pub root: PathBuf,
    pub workspace: Workspace,
    pub remote: Line,
    clock: Arc<Ticking>,
    pub settings: SyncSettings,
}

impl Machine {
    /// A machine with an empty folder, at a place.
    pub fn new(name: &str, place: &MemoryPlace) -> Self {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("work");
        let folder = Arc::new(Placed::new(DiskFolder::create(&root).unwrap()));
        let seed = name.bytes().fold(7_u64, |sum, byte| sum * 31 + u64::from(byte));
        let clock = Arc::new(Ticking { ahead_seconds: AtomicI64::new(0), next: AtomicU64::new(seed) });
        let stamp = MachineStamp { name: name.to_owned(), id: format!("{seed:016x}") };
        let state = State::in_memory().unwrap();
        let workspace = Workspace::assemble(folder, state, stamp, clock.clone(), root.clone());
        let remote = Line::to(place.open());
        Machine { _home: home, root, workspace, remote, clock, settings: SyncSettings::default() }
    }

    pub fn write(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn remove(&self, path: &str) {
        let path = self.root.join(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::create_dir_all(self.root.join(to).parent().unwrap()).unwrap();
        fs::rename(self.root.join(from), self.root.join(to)).unwrap();
    }

    /// Answers whether a file in its history holds this.
    pub fn keeps(&self, content: ContentId) -> bool {
        let mut files = fs::read_dir(self.root.join(".instep/history")).unwrap();
        files.any(|file| ContentId::of(&fs::read(file.unwrap().path()).unwrap()) == content)
    }

    /// Lets days go by.
    pub fn wait_days(&self, days: i64) {
        self.clock.ahead_seconds.fetch_add(days * 24 * 3_600, Ordering::Relaxed);
    }

    /// Lets days go by, with a sync on each.
    pub fn live_days(&mut self, days: i64) {
        for _ in 0..days {
            self.wait_days(1);
            self.sync();
        }
    }

    pub fn try_sync(&mut self, request: Request) -> Result<Outcome, EngineError> {
        cycle::run(&mut self.workspace, &self.remote, &self.settings, &request, &Silent)
    }

    pub fn sync(&mut self) -> Outcome {
        self.try_sync(Request { explicit: true, ..Request::default() }).unwrap()
    }

    /// All that stands in the folder, our own state left out: `path=content`, `path/` for an empty folder, in order.
    pub fn drawing(&self) -> String {
        let mut lines = Vec::new();
        self.draw("", &mut lines);
        lines.sort_by_key(|line| line.split('=').next().map(str::to_owned));
        lines.join(";")
    }

    fn draw(&self, below: &str, lines: &mut Vec<String>) {
        let mut empty = true;
        for entry in fs::read_dir(self.root.join(below)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name == ".instep" {
                continue;
            }
            empty = false;
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                self.draw(&path, lines);
            } else if kind.is_symlink() {
                lines.push(format!("{path}->{}", fs::read_link(entry.path()).unwrap().display()));
            } else {
                lines.push(format!("{path}={}", fs::read_to_string(entry.path()).unwrap()));
            }
        }
        if empty && !below.is_empty() {
            lines.push(format!("{below}/"));
        }
    }
}

/// Two machines in step on the same files.
pub fn pair(files: &[(&str, &str)]) -> (Machine, Machine) {
    let place = MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
    for (path, content) in files {
        left.write(path, content);
    }
    left.sync();
    right.sync();
    assert_eq!(left.drawing(), right.drawing());
    (left, right)
}

/// The left one has replaced a version of `f` that a program had open, has a conflict over `g`, which holds the same, and
/// the program went on writing.
pub fn written_to_after_it_was_replaced() -> (Machine, Machine) {
    let (mut left, mut right) = pair(&[("f", "the same")]);
    let mut program = fs::OpenOptions::new().append(true).open(left.root.join("f")).unwrap();
    right.write("f", "new");
    right.sync();
    left.sync();
    right.write("g", "another");
    right.sync();
    left.write("g", "the same");
    assert_eq!(left.sync().conflicts.len(), 1);
    program.write_all(b" file goes on").unwrap();
    (left, right)
}
