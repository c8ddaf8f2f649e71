//! Stands in for what the engine does not offer yet.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use instep_core::clock::{Clock, Timestamp};
use instep_core::remote::MachineStamp;
use instep_engine::failure::EngineError;
use instep_engine::folder::disk::DiskFolder;
use instep_engine::state::State;
use instep_engine::workspace::Workspace;

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ns(now.as_nanos() as i64)
    }
    fn random(&self) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    }
}

pub fn find(start: &Path, _home: &Path) -> Result<PathBuf, EngineError> {
    let found = start.ancestors().find(|folder| folder.join(".instep").is_dir());
    found.map(Path::to_path_buf).ok_or_else(|| EngineError::NoWorkspace(start.to_path_buf()))
}

pub fn create(root: &Path, _home: &Path, name: &str) -> Result<Workspace, EngineError> {
    let folder = DiskFolder::create(root)?;
    let id = format!("{:016x}", SystemClock.random());
    let _ = std::fs::write(root.join(".instep/machine"), format!("{name}\n{id}\n"));
    assemble(folder, root)
}

pub fn open(root: &Path, _home: &Path, _wait: Duration, _busy: &dyn Fn()) -> Result<Workspace, EngineError> {
    assemble(DiskFolder::open(root)?, root)
}

fn assemble(folder: DiskFolder, root: &Path) -> Result<Workspace, EngineError> {
    let state = State::open(&root.join(".instep/state.db"))?;
    let text = std::fs::read_to_string(root.join(".instep/machine")).unwrap_or_default();
    let (name, id) = text.trim().split_once('\n').unwrap_or(("x", "0"));
    let machine = MachineStamp { name: name.to_owned(), id: id.to_owned() };
    Ok(Workspace::assemble(Arc::new(folder), state, machine, Arc::new(SystemClock), root.to_path_buf()))
}
