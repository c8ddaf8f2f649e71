//! The settings that a cycle works by, as values; who reads them from files is not its concern.

use instep_core::filter::{Filter, Groups, Units};
use instep_core::path::TreePath;
use instep_core::policy::{Direction, Links, Strategy};
use instep_core::retention::Retention;
use instep_core::safety::Limits;
use instep_core::tree::Unknown;

use super::rules::{Invalid, Rules, SETTINGS};
use crate::failure::EngineError;

/// What a cycle must know besides what it sees.
#[derive(Debug, Clone)]
pub struct SyncSettings {
    /// Which paths take part.
    pub filter: Filter,
    /// Which links travel.
    pub links: Links,
    /// The standing answer for conflicts, where a path's group has none.
    pub strategy: Strategy,
    /// Which way changes go, where a path's group does not say it.
    pub direction: Direction,
    /// Which way changes go at most, whatever a path's group says.
    pub limit: Direction,
    /// What holds for some paths only.
    pub groups: Groups,
    /// What people count in.
    pub units: Units,
    /// The largest file that takes part, in bytes.
    pub file_bytes_max: Option<u64>,
    /// Beyond which deletions are asked about.
    pub limits: Limits,
    /// How long displaced versions are kept.
    pub retention: Retention,
    /// How many threads look at files.
    pub workers: usize,
    /// The texts of shared rules that decide without standing here.
    pub rules: Rules,
    /// What is wrong with the shared settings that stand here, if they are not valid: these are the last good ones then.
    pub invalid: Option<Invalid>,
}

impl Default for SyncSettings {
    fn default() -> Self {
        SyncSettings {
            filter: Filter::default(),
            links: Links::default(),
            strategy: Strategy::default(),
            direction: Direction::default(),
            limit: Direction::default(),
            groups: Groups::default(),
            units: Units::default(),
            file_bytes_max: None,
            limits: Limits::default(),
            retention: Retention::default(),
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            rules: Rules::default(),
            invalid: None,
        }
    }
}

impl SyncSettings {
    /// Which way changes go at all.
    pub fn way(&self) -> Direction {
        if self.limit == Direction::Both { self.direction } else { self.limit }
    }

    /// What a path is if it is that of shared settings that are not valid: it stays as it is, on either side.
    pub fn invalid_at(&self, path: &TreePath) -> Option<Unknown> {
        let invalid = self.invalid.as_ref().filter(|_| path.as_bytes() == SETTINGS.as_bytes())?;
        Some(invalid.entry())
    }
}

/// Reads the settings, and reads them again when a cycle brought new ones.
pub trait SettingsSource {
    /// The settings as they are now. An error says what is not valid: the last good ones stay in force then.
    fn read(&self) -> Result<SyncSettings, EngineError>;

    /// The text of the shared settings as it stands here, empty where there is none; `None` where they do not count.
    fn shared(&self) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(None)
    }

    /// The settings as they would be if the shared ones held this text.
    fn read_as(&self, _shared: &[u8]) -> Result<SyncSettings, EngineError> {
        self.read()
    }
}

impl SettingsSource for SyncSettings {
    fn read(&self) -> Result<SyncSettings, EngineError> {
        Ok(self.clone())
    }
}
