//! What the disk refused to keep: after a wait for it has failed, the next one may succeed with nothing written.
//!
//! Linux tells of such a failure once, and takes what it could not write for clean. So once a wait has failed, no later
//! one is believed for what was written before: that is written anew, in a file of ours, before a row claims it or a step
//! displaces it. The doubt lasts until the machine starts again: then all that is read comes from the disk itself.

use instep_core::clock::Timestamp;
use instep_core::mutant;

use crate::failure::EngineError;
use crate::folder::{Folder, Metadata};
use crate::workspace::Workspace;

/// The note of the last refusal: the system's start, and the moment by the disk's clock.
const NOTE: &str = "refused";

impl<F: Folder> Workspace<F> {
    /// The moment up to which nothing that was written is believed to be durable; none if the disk refused nothing since
    /// the machine was started. What it refused is written down here.
    pub(crate) fn doubt(&mut self) -> Result<Option<Timestamp>, EngineError> {
        let boot = self.boot.clone().unwrap_or_default();
        let refusals = self.folder.refusals();
        if refusals != self.refusals {
            let now = self.folder.now()?;
            // A power cut may take the note: it ends the doubt.
            self.state.transact_soon(|write| write.note(NOTE, &format!("{} {boot}", now.ns())))?;
            self.refusals = refusals;
        }
        let note = self.state.note(NOTE)?;
        let noted = note.as_deref().and_then(|note| note.split_once(' ')).filter(|noted| noted.1 == boot);
        let since = noted.and_then(|(ns, _)| ns.parse().ok()).map(Timestamp::from_ns);
        Ok(since.filter(|_| !mutant::is_on("refusal-forgotten")))
    }

    /// Writes down what the disk refused, at the end of an act. Where that can't be written, the act's own failure is what
    /// counts.
    pub(crate) fn note_refusals(&mut self) {
        if self.folder.refusals() != self.refusals
            && let Err(error) = self.doubt()
        {
            tracing::warn!(%error, "what the disk refused could not be written down");
        }
    }
}

/// Answers whether a file was written, named or changed up to this moment. One that was only renamed since still shows
/// when it was modified.
pub(crate) fn is_doubtful(found: &Metadata, since: Option<Timestamp>) -> bool {
    since.is_some_and(|since| found.modified.min(found.changed) <= since)
}
