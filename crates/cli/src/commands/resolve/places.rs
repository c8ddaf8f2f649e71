//! Settling a conflict of lines place by place, at the prompt.

use instep_core::filter::Values;
use instep_core::merge::{self, Pick, Region};
use instep_core::path::escape;
use instep_engine::conflict::resolve::{Choice, ConflictContents};
use instep_engine::cycle::outcome::OpenConflict;

use super::{Answer, edited};
use crate::commands::Context;
use crate::failure::CommandError;
use crate::render::difference::{self, Pair};
use crate::render::places::{self, Names};
use crate::render::{conflict as render, count};
use crate::terminal::prompt::{self, Question};

/// The same without being asked.
pub(super) const OPTION: &str = "--keep here|there|both|newest|base";

/// What a person did with a place.
pub(super) enum Step {
    Pick(Pick),
    Back,
    Leave,
    Whole,
}

/// Takes the versions apart; nothing if they are no text, or one of them is gone.
pub(super) fn regions(contents: &ConflictContents) -> Option<Vec<Region>> {
    let (local, remote) = (contents.local.as_ref()?, contents.remote.as_ref()?);
    let regions = match &contents.base {
        Some(base) => merge::regions(base, local, remote),
        None => merge::differences(local, remote),
    };
    regions.ok().filter(|regions| merge::overlaps(regions) > 0)
}

/// Asks about each place. Nothing if the person wants to decide about the file as a whole.
pub(super) fn ask(
    context: &Context,
    open: &OpenConflict,
    contents: &ConflictContents,
    regions: &[Region],
) -> Result<Option<Answer>, CommandError> {
    let terminal = &context.terminal;
    let at: Vec<usize> =
        (0..regions.len()).filter(|&at| matches!(regions[at], Region::Overlap { .. })).collect();
    let mut picks: Vec<Pick> = Vec::new();
    loop {
        while let Some(&place) = at.get(picks.len()) {
            terminal.data(&render::place_head(&terminal.look, open, (picks.len() + 1, at.len())));
            terminal.data(&places::place(&terminal.look, regions, place, names(open).borrowed()));
            match ask_one(context, open, &regions[place], picks.len())? {
                Step::Pick(pick) => picks.push(pick),
                Step::Back => _ = picks.pop(),
                Step::Leave => return Ok(Some(Answer::Skip)),
                Step::Whole => return Ok(None),
            }
        }
        let result = merge::put_together(regions, &picks);
        match ask_whole(context, open, contents, Some(&result), at.len())? {
            Step::Back => _ = picks.pop(),
            Step::Leave => return Ok(Some(Answer::Skip)),
            Step::Pick(_) | Step::Whole => return Ok(Some(Answer::Settle(Choice::Content(result)))),
        }
    }
}

fn ask_one(
    context: &Context,
    open: &OpenConflict,
    place: &Region,
    picked: usize,
) -> Result<Step, CommandError> {
    let names = names(open);
    let mut choices = vec![
        prompt::Choice { key: "s", words: "skip the file" },
        prompt::Choice { key: "a", words: &names.here },
        prompt::Choice { key: "b", words: &names.there },
        prompt::Choice { key: "2", words: "both" },
        prompt::Choice { key: "o", words: "last agreed" },
        prompt::Choice { key: "e", words: "edit" },
        prompt::Choice { key: "w", words: "the whole file" },
    ];
    if open.conflict.base.is_none() {
        choices.retain(|choice| choice.key != "o");
    }
    if picked > 0 {
        choices.push(prompt::Choice { key: "u", words: "undo the last" });
    }
    let question = Question { text: "keep", option: OPTION };
    Ok(match choices[context.terminal.choose_inline(question, &choices)?].key {
        "a" => Step::Pick(Pick::Here),
        "b" => Step::Pick(Pick::There),
        "2" => Step::Pick(Pick::Both),
        "o" => Step::Pick(Pick::Base),
        "e" => Step::Pick(Pick::Lines(edited(open, &both(place))?)),
        "w" => Step::Whole,
        "u" => Step::Back,
        _ => Step::Leave,
    })
}

/// Shows what came of it, if that may be shown, and asks once more.
pub(super) fn ask_whole(
    context: &Context,
    open: &OpenConflict,
    contents: &ConflictContents,
    result: Option<&[u8]>,
    places: usize,
) -> Result<Step, CommandError> {
    let terminal = &context.terminal;
    let text = format!("{} settled:", count(places as u64, "place"));
    let mut choices = vec![
        prompt::Choice { key: "y", words: "save" },
        prompt::Choice { key: "p", words: "preview" },
        prompt::Choice { key: "u", words: "undo the last" },
        prompt::Choice { key: "s", words: "skip the file" },
    ];
    if result.is_none() {
        choices.retain(|choice| choice.key != "p");
    }
    loop {
        let question = Question { text: &text, option: OPTION };
        return Ok(match choices[terminal.choose_inline(question, &choices)?].key {
            "p" => {
                let pair = Pair {
                    path: open.conflict.path.to_string(),
                    old_name: format!("{} (here)", names(open).here),
                    new_name: "result".to_owned(),
                    old: contents.local.clone(),
                    new: result.map(<[u8]>::to_vec),
                    values: Values::Shown,
                };
                terminal.data(&difference::unified(&terminal.look, &pair));
                continue;
            }
            "u" => Step::Back,
            "s" => Step::Leave,
            _ => Step::Whole,
        });
    }
}

/// What an editor begins with: both versions, one after the other.
fn both(place: &Region) -> Vec<u8> {
    merge::put_together(std::slice::from_ref(place), &[Pick::Both])
}

pub(super) struct OwnedNames {
    pub here: String,
    pub there: String,
}

impl OwnedNames {
    pub fn borrowed(&self) -> Names<'_> {
        Names { here: &self.here, there: &self.there }
    }
}

pub(super) fn names(open: &OpenConflict) -> OwnedNames {
    let name = |name: &str| escape(name.as_bytes());
    OwnedNames { here: name(&open.machines.local), there: name(&open.machines.remote) }
}
