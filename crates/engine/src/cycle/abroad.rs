//! What machines tell each other beside the snapshots, as far as a cycle has to do with it: it hears what others laid
//! down, believes their answers to conflicts here, and lays down its own.
//!
//! An answer is believed only if this machine's version still is the one that was seen, and the remote holds what the
//! answer says. Then the version at the remote counts as a change of the one here, and comes as any change does; the one
//! here goes to the history. Nothing of this may fail a cycle: conflicts that can't travel wait on their own machine, as ever.

use std::collections::BTreeSet;

use instep_core::conflict::ConflictKind;
use instep_core::content::ContentId;
use instep_core::node::{Known, NodeId, Side, Views};
use instep_core::path::{TreePath, escape};
use instep_core::policy::Direction;
use instep_core::remote::RemoteErrorKind;
use instep_core::tree::Tree;

use super::outcome::{OpenConflict, Outcome};
use super::settings::SyncSettings;
use super::{Cycle, Look};
use crate::conflict::{self, abroad};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::history::contents::{Contents, Kept};
use crate::state::{ConflictRecord, RemoteRecord};

/// The largest content that is laid down with a note, in bytes.
const CONTENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What stands before the digest of a text that the host refused.
const REFUSED: &str = "refused ";

/// A conflict here that was answered elsewhere, as this cycle goes by it.
#[derive(Debug, Clone)]
pub(super) struct Believed {
    number: u64,
    path: TreePath,
    who: String,
}

fn laid_note(remote: i64) -> String {
    format!("laid-{remote}")
}

impl<F: Folder> Cycle<'_, F> {
    /// Notes what other machines laid down since it was last heard.
    pub(super) fn hear(&mut self, record: &mut RemoteRecord) -> Result<(), EngineError> {
        let (state, me) = (&self.workspace.state, &self.workspace.machine);
        let before = abroad::Heard::last(state, record.id)?;
        let heard = match self.remote.notes(Some(&before.mark)) {
            Ok(None) => return Ok(()),
            Ok(Some(notes)) => abroad::Heard::of(notes),
            Err(error) if error.kind == RemoteErrorKind::Cancelled => return Err(error.into()),
            Err(error) => {
                self.notices.push(format!("what other machines laid down could not be read: {error}"));
                return Ok(());
            }
        };
        let answers = abroad::unheard(abroad::all_answers_from_here(state, record.id)?, &heard, me);
        let is_answered = abroad::answered_here(state, record.id, &heard, me)?;
        // What the remote has of ours is what it has: a note that was lost is laid down again.
        let laid = state.note(&laid_note(record.id))?.unwrap_or_default();
        let laid = if laid.starts_with(REFUSED) { laid } else { heard.digest_of(&abroad::author(me)) };
        let (id, head) = (record.id, record.head.clone());
        self.workspace.state.transact(|write| {
            write.note(&abroad::heard_note(id), &heard.text())?;
            write.note(&abroad::answers_note(id), &abroad::text_of(&answers))?;
            write.note(&laid_note(id), &laid)?;
            // It is not over, though nothing else may have changed.
            if is_answered { write.head(id, head.as_ref(), None) } else { Ok(()) }
        })?;
        if is_answered {
            record.quiet = None;
        }
        Ok(())
    }

    /// Takes what was answered elsewhere for granted: what stands here was seen, and what the remote holds is a change of
    /// it. Answers what is known then, and the nodes that are given up because they are deleted here.
    pub(super) fn believe(
        &mut self,
        known: Known,
        record: &RemoteRecord,
        look: &Look,
        far: &Tree,
    ) -> Result<(Known, Vec<NodeId>), EngineError> {
        self.believed.clear();
        self.believed_choices.clear();
        let state = &self.workspace.state;
        let open = conflict::open(state, record.id)?;
        if open.is_empty() {
            return Ok((known, Vec::new()));
        }
        let heard = abroad::Heard::last(state, record.id)?;
        let me = abroad::author(&self.workspace.machine);
        let mut nodes = BTreeSet::new();
        for OpenConflict { number, conflict, .. } in open {
            if conflict.kind != ConflictKind::Content {
                // The id stands for what was seen: another conflict has another.
                let choice = heard.choice_for(&me, &conflict).filter(|_| !conflict.settled);
                if let Some((who, strategy)) = choice {
                    self.believed_choices.extend(conflict.nodes.iter().map(|node| (*node, strategy)));
                    self.believed.push(Believed { number, path: conflict.path, who });
                }
                continue;
            }
            let here = abroad::standing(&look.scan.tree, conflict.path_on(Side::Local));
            let there = abroad::standing(far, conflict.path_on(Side::Remote));
            let seen = conflict.local.as_ref().and_then(|version| version.leaf).map(|leaf| leaf.content);
            let mut answers = heard.answers_to(&me, &conflict).into_iter();
            if let Some((who, _)) = answers.find(|(_, result)| there == Some(*result) && here == Some(seen)) {
                nodes.extend(conflict.nodes);
                self.believed.push(Believed { number, path: conflict.path, who });
            }
        }
        if nodes.is_empty() {
            return Ok((known, Vec::new()));
        }
        let mut rows = known.rows().to_vec();
        let mut given_up = Vec::new();
        rows.retain_mut(|row| {
            if nodes.contains(&row.id) {
                let Some(here) = row.views.side(Side::Local).cloned() else {
                    given_up.push(row.id);
                    return false;
                };
                row.views = Views::Agreed(here);
            }
            true
        });
        Ok((Known::new(rows, known.next), given_up))
    }

    /// The conflicts that closed because somebody answered them elsewhere, in words.
    pub(super) fn settled_elsewhere(&self, open: &[ConflictRecord]) -> Vec<String> {
        let closed = self.believed.iter().filter(|one| open.iter().all(|record| record.number != one.number));
        let words = |one: &Believed| {
            format!("c{} {} was settled on {}", one.number, one.path, escape(one.who.as_bytes()))
        };
        closed.map(words).collect()
    }

    /// Lays down what this machine has to tell the others, if it is not what it told last.
    pub(super) fn lay_down(&mut self, settings: &SyncSettings, record: &RemoteRecord, outcome: &mut Outcome) {
        if self.request.dry_run || settings.way() == Direction::Pull {
            return;
        }
        match self.tell(record) {
            Ok(None) => {}
            Ok(Some(notice)) => outcome.notices.push(notice),
            Err(error) => outcome
                .notices
                .push(format!("the conflicts here could not be told to the other machines: {error}")),
        }
    }

    fn tell(&mut self, record: &RemoteRecord) -> Result<Option<String>, EngineError> {
        let (state, me) = (&self.workspace.state, &self.workspace.machine);
        let laid = state.note(&laid_note(record.id))?.unwrap_or_default();
        let text = match abroad::text(state, record.id, me)? {
            Some(text) => text,
            None if laid.is_empty() => return Ok(None),
            None => abroad::nothing(me),
        };
        let digest = ContentId::of(&text.bytes).to_string();
        if laid.ends_with(&digest) {
            return Ok(None);
        }
        let kept = Kept { contents: Contents::open(&*self.workspace.folder)? };
        let max = self.remote.describe().content_bytes_max.unwrap_or(u64::MAX).min(CONTENT_BYTES_MAX);
        let mut offered = Vec::with_capacity(text.contents.len());
        for content in text.contents {
            if kept.contents.look(content)?.is_some_and(|found| found.size <= max) {
                offered.push(content);
            }
        }
        let is_taken = self.remote.lay_down(&abroad::author(me), &text.bytes, &offered, &kept)?;
        let laid_now = if is_taken { digest } else { format!("{REFUSED}{digest}") };
        let id = record.id;
        self.workspace.state.transact(|write| write.note(&laid_note(id), &laid_now))?;
        let is_news = !is_taken && !laid.starts_with(REFUSED);
        Ok(is_news.then(|| {
            "the remote takes nothing beside its branch, so that conflicts here can be settled on this machine only"
                .to_owned()
        }))
    }
}
