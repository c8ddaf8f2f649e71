//! Is the remote's head one that follows from what is known? A remote that was put back or made anew must never look
//! like a person who deleted things.

use instep_core::remote::{Lineage, Revision};

use super::{Cycle, Look};
use crate::failure::{Danger, EngineError};
use crate::folder::Folder;
use crate::state::{Offered, RemoteRecord};

impl<F: Folder> Cycle<'_, F> {
    /// Settles what the last commit offered, and halts if the head found does not follow from the one known, unless a
    /// person allowed it.
    pub(super) fn trust_head(
        &mut self,
        record: &mut RemoteRecord,
        look: &mut Look,
    ) -> Result<(), EngineError> {
        self.settle_offer(record, look)?;
        let Some(known) = record.head.clone() else { return Ok(()) };
        if look.head.as_ref() == Some(&known) {
            return Ok(());
        }
        let Some(found) = &look.head else {
            let danger = Danger::Rewritten { known: known.0, found: None, unrelated: false };
            return self.allow_rewind(record, look, danger);
        };
        match self.remote.lineage(&known, found)? {
            Lineage::Same | Lineage::Ahead => Ok(()),
            Lineage::Rewound => {
                let (known, found) = (known.0, found.0.clone());
                self.allow_rewind(record, look, Danger::Rewound { known, found, seen: record.synced })
            }
            lineage => {
                let (known, found) = (known.0, Some(found.0.clone()));
                let unrelated = lineage == Lineage::Unrelated;
                self.allow_rewind(record, look, Danger::Rewritten { known, found, unrelated })
            }
        }
    }

    /// A cycle that died between commit and apply left a note of what it offered. If the remote took it, that is what
    /// both sides agree on, as if the cycle had ended. What made the commit may outlive its cycle: until the head has
    /// moved on without it, the offer may still be taken.
    fn settle_offer(&mut self, record: &mut RemoteRecord, look: &mut Look) -> Result<(), EngineError> {
        let offers = self.workspace.state.offered(record.id)?;
        let Some(head) = look.head.as_ref().filter(|_| !offers.is_empty()) else { return Ok(()) };
        let is_taken = |offered: &Offered| {
            head == &offered.revision
                || offered.expected.as_ref() != Some(head)
                    && matches!(
                        self.remote.lineage(&offered.revision, head),
                        Ok(Lineage::Same | Lineage::Ahead)
                    )
        };
        let taken: Vec<Offered> = offers.into_iter().filter(is_taken).collect();
        let id = record.id;
        self.workspace.state.transact(|write| {
            for offered in &taken {
                write.nodes(id, &offered.rows, &offered.forgotten, offered.next)?;
                write.head(id, Some(&offered.revision), None)?;
            }
            write.settle_offers(id, Some(head))
        })?;
        if let Some(newest) = taken.into_iter().next_back() {
            record.head = Some(newest.revision);
            record.quiet = None;
            look.known = None;
        }
        Ok(())
    }

    /// With a person's leave, what the remote holds now is taken for what both sides agreed on wherever something stands
    /// here, and all else is new: what is newer here goes there, what is missing there goes there, nothing is deleted.
    fn allow_rewind(
        &mut self,
        record: &mut RemoteRecord,
        look: &mut Look,
        danger: Danger,
    ) -> Result<(), EngineError> {
        if !self.request.allow_rewind {
            return Err(EngineError::Halted(danger));
        }
        let keeps_lineage = matches!(danger, Danger::Rewound { .. });
        if self.request.dry_run {
            return Err(EngineError::Refused(
                "a remote that was put back can't be previewed; `instep sync --allow rewind` deletes nothing"
                    .into(),
            ));
        }
        let id = record.id;
        self.workspace.state.transact(|write| write.forget_remote(id))?;
        record.head = None;
        record.quiet = None;
        look.known = None;
        self.rewound = keeps_lineage;
        Ok(())
    }

    /// Notes a head that a preview saw.
    pub(super) fn note_seen(
        &mut self,
        record: &RemoteRecord,
        head: Option<&Revision>,
        look: &Look,
    ) -> Result<(), EngineError> {
        let (id, asked) = (record.id, look.asked);
        self.workspace.state.transact(|write| write.seen(id, head, asked))
    }
}
