//! The places by which this machine's disk is named, and those by which it once was.
//!
//! A place that changes its folder must not look like a rename of all that belongs to it, nor like an edit of every file
//! that says its path. So each folder that a place ever had here is remembered, and understood.

use std::sync::Arc;

use instep_core::filter::Groups;
use instep_core::places::{Places, Spot};
use serde::{Deserialize, Serialize};

use crate::failure::EngineError;
use crate::state::State;

/// The note's name.
const NOTE: &str = "places";

/// What is noted: a name and a folder each.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    /// Those by which the disk is named; none if its names are what they are.
    used: Vec<(String, String)>,
    /// All that ever were.
    ever: Vec<(String, String)>,
}

fn noted(state: &State) -> Result<Noted, EngineError> {
    let text = state.note(NOTE)?;
    // What can't be read is as good as none: former names are understood for convenience.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

fn spots(noted: &[(String, String)]) -> Vec<Spot> {
    noted.iter().filter_map(|(name, folder)| Spot::new(name, folder).ok()).collect()
}

/// The places by which the disk was named when it was changed last.
pub(crate) fn in_use(state: &State) -> Result<Option<Arc<Places>>, EngineError> {
    let noted = noted(state)?;
    Ok((!noted.used.is_empty()).then(|| Arc::new(Places::new(spots(&noted.used), spots(&noted.ever)))))
}

/// The same groups, which also understand the folders that places once had.
pub(crate) fn with_former(state: &State, groups: Groups) -> Result<Groups, EngineError> {
    let Some(now) = groups.places().map(|places| places.now().to_vec()) else { return Ok(groups) };
    let noted = noted(state)?;
    Ok(groups.at(Places::new(now, spots(&noted.ever))))
}

/// Notes the places of these groups, before the disk is changed by them.
pub(crate) fn remember(state: &mut State, groups: &Groups) -> Result<(), EngineError> {
    let before = noted(state)?;
    let pair = |spot: &Spot| (spot.name.clone(), spot.folder.clone());
    let used: Vec<_> = groups.places().into_iter().flat_map(|places| places.now()).map(pair).collect();
    let mut ever = before.ever.clone();
    ever.extend(used.iter().filter(|pair| !before.ever.contains(pair)).cloned());
    let now = Noted { used, ever };
    if now == before {
        return Ok(());
    }
    let text = serde_json::to_string(&now).expect("because pairs of texts are plain data");
    state.transact(|write| write.note(NOTE, &text))
}
