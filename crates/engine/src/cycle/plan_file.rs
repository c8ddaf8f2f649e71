//! A plan on paper: what `sync -n --json` prints and `sync --plan` takes back.

use serde::{Deserialize, Serialize};

/// One planned change of one path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlannedChange {
    /// `here` or `there`: the side that changes.
    pub side: String,
    /// `create`, `write`, `move`, `move-and-write`, `remove`.
    pub action: String,
    /// The path, escaped for reading.
    pub path: String,
    /// The path's bytes, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path_base64: Option<String>,
    /// Where it stood, if it moves.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// What that side was seen to hold: `folder`, `file:HASH`, `link:HASH`, with `+x`; `None` for nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<String>,
    /// What it is to hold.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub becomes: Option<String>,
    /// The content's length in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
}

/// A whole plan, bound to what it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// The form's number.
    pub schema: u32,
    /// The workspace's id.
    pub workspace: String,
    /// The remote's head it was made from; `None` where nothing was there.
    pub remote_head: Option<String>,
    /// The hash of the rules it was made by.
    pub rules: String,
    /// `both`, `pull` or `push`.
    pub direction: String,
    /// Whether one side was to be made equal to the other.
    pub mirror: bool,
    /// The changes, in order of path.
    pub changes: Vec<PlannedChange>,
    /// The conflicts' full ids.
    pub conflicts: Vec<String>,
}
