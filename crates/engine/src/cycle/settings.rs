//! The settings that a cycle works by, as values; who reads them from files is not its concern.

use instep_core::filter::Filter;
use instep_core::policy::{Direction, Links, Strategy};
use instep_core::retention::Retention;
use instep_core::safety::Limits;

use crate::failure::EngineError;

/// What a cycle must know besides what it sees.
#[derive(Debug, Clone)]
pub struct SyncSettings {
    /// Which paths take part.
    pub filter: Filter,
    /// Which links travel.
    pub links: Links,
    /// The standing answer for conflicts.
    pub strategy: Strategy,
    /// Which way changes go.
    pub direction: Direction,
    /// The largest file that takes part, in bytes.
    pub file_bytes_max: Option<u64>,
    /// Beyond which deletions are asked about.
    pub limits: Limits,
    /// How long displaced versions are kept.
    pub retention: Retention,
    /// How many threads look at files.
    pub workers: usize,
}

impl Default for SyncSettings {
    fn default() -> Self {
        SyncSettings {
            filter: Filter::default(),
            links: Links::default(),
            strategy: Strategy::default(),
            direction: Direction::default(),
            file_bytes_max: None,
            limits: Limits::default(),
            retention: Retention::default(),
            workers: std::thread::available_parallelism().map_or(2, usize::from),
        }
    }
}

/// Reads the settings, and reads them again when a cycle brought new ones.
pub trait SettingsSource {
    /// The settings as they are now. An error says what is not valid: the last good ones stay in force then.
    fn read(&self) -> Result<SyncSettings, EngineError>;
}

impl SettingsSource for SyncSettings {
    fn read(&self) -> Result<SyncSettings, EngineError> {
        Ok(self.clone())
    }
}
