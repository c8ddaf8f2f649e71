//! Settling a conflict key by key, or record by record, at the prompt: of a file that merges so.

use instep_core::filter::{Groups, Values};
use instep_core::merge::{self, Clash, Joined, Terms, Versions};
use instep_core::node::Side;
use instep_core::path::Name;
use instep_engine::conflict::resolve::{Choice, ConflictContents};
use instep_engine::cycle::outcome::OpenConflict;

use super::Answer;
use super::places::{Step, ask_whole, names};
use crate::commands::Context;
use crate::failure::CommandError;
use crate::opening::Opened;
use crate::render::conflict as render;
use crate::render::places as drawing;
use crate::terminal::prompt::{self, Question};

/// A file whose versions differ in the values of keys alone.
pub(super) struct Keys<'c> {
    terms: Terms<'c>,
    versions: Versions<'c>,
    clashes: Vec<Clash>,
    /// Whether they are shown; if not, a person may ask for them.
    values: Values,
}

/// What a person did with a key.
enum Did {
    Pick(Side),
    Back,
    Show,
    Leave,
    /// By lines, or as a whole.
    Otherwise,
}

/// How an open conflict's file merges.
pub(super) fn terms<'t>(
    opened: &Opened,
    open: &OpenConflict,
    name: &'t Name,
    id: &'t mut Option<String>,
) -> Terms<'t> {
    let groups = Groups::new(&opened.loaded.settings.config().groups).ok();
    let group = groups.as_ref().and_then(|groups| groups.of(&open.conflict.path, false));
    let kind = group.and_then(|group| group.kind);
    *id = group.and_then(|group| group.id.clone());
    Terms { kind, id: id.as_deref(), ..Terms::of(name) }
}

impl<'c> Keys<'c> {
    /// None if more than the values of keys is in question, or if not even the keys are to be seen.
    pub fn of(terms: Terms<'c>, contents: &'c ConflictContents, values: Values) -> Option<Self> {
        if values == Values::Hidden {
            return None;
        }
        let versions = Versions {
            base: contents.base.as_deref(),
            local: contents.local.as_deref()?,
            remote: contents.remote.as_deref()?,
        };
        let clashes = merge::by_picks(&terms, &versions, &[])?.summary.clashes;
        Some(Keys { terms, versions, clashes, values })
    }

    /// Asks about each key. Nothing if the person wants to decide in another way.
    pub fn ask(
        mut self,
        context: &Context,
        open: &OpenConflict,
        contents: &ConflictContents,
    ) -> Result<Option<Answer>, CommandError> {
        let terminal = &context.terminal;
        let mut picks: Vec<Side> = Vec::new();
        loop {
            while let Some(clash) = self.clashes.get(picks.len()) {
                let of = (picks.len() + 1, self.clashes.len());
                terminal.data(&render::place_head(&terminal.look, open, of));
                terminal.data(&drawing::key(&terminal.look, clash, self.values, names(open).borrowed()));
                match self.ask_one(context, open, picks.len())? {
                    Did::Pick(side) => picks.push(side),
                    Did::Back => _ = picks.pop(),
                    Did::Show => self.values = Values::Shown,
                    Did::Leave => return Ok(Some(Answer::Skip)),
                    Did::Otherwise => return Ok(None),
                }
            }
            let Some(Joined { content, .. }) = merge::by_picks(&self.terms, &self.versions, &picks) else {
                return Ok(None);
            };
            let preview = (self.values == Values::Shown).then_some(&content[..]);
            match ask_whole(context, open, contents, preview, self.clashes.len())? {
                Step::Back => _ = picks.pop(),
                Step::Leave => return Ok(Some(Answer::Skip)),
                Step::Pick(_) | Step::Whole => return Ok(Some(Answer::Settle(Choice::Content(content)))),
            }
        }
    }

    fn ask_one(&self, context: &Context, open: &OpenConflict, picked: usize) -> Result<Did, CommandError> {
        let names = names(open);
        let mut choices = vec![
            prompt::Choice { key: "s", words: "skip the file" },
            prompt::Choice { key: "a", words: &names.here },
            prompt::Choice { key: "b", words: &names.there },
        ];
        if self.values != Values::Shown {
            choices.push(prompt::Choice { key: "v", words: "show the values" });
        }
        choices.push(prompt::Choice { key: "l", words: "line by line, or the whole file" });
        if picked > 0 {
            choices.push(prompt::Choice { key: "u", words: "undo the last" });
        }
        let question = Question { text: "keep", option: super::places::OPTION };
        Ok(match choices[context.terminal.choose_inline(question, &choices)?].key {
            "a" => Did::Pick(Side::Local),
            "b" => Did::Pick(Side::Remote),
            "v" => Did::Show,
            "l" => Did::Otherwise,
            "u" => Did::Back,
            _ => Did::Leave,
        })
    }
}
