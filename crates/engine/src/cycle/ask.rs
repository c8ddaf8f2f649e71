//! Is the remote's head one that follows from what is known? A remote that was put back or made anew must never look
//! like a person who deleted things.

use instep_core::mutant;
use instep_core::remote::{Class, Lineage, Remote, Revision};

use super::{Cycle, Look};
use crate::failure::{Danger, EngineError};
use crate::folder::Folder;
use crate::state::{Offered, RemoteRecord, State};

impl<F: Folder> Cycle<'_, F> {
    /// Settles what the last commit offered, and halts if the head found does not follow from the one known, unless a
    /// person allowed it.
    pub(super) fn trust_head(
        &mut self,
        record: &mut RemoteRecord,
        look: &mut Look,
    ) -> Result<(), EngineError> {
        if settle_offer(&mut self.workspace.state, self.remote, record, look.head.as_ref())? {
            look.known = None;
        }
        match danger(self.remote, record, look.head.as_ref())? {
            Some(danger) => self.allow_rewind(record, look, danger),
            None => Ok(()),
        }
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
        (look.known, look.objects) = (None, None);
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

/// Answers what is wrong with a head that does not follow from the one known.
pub(crate) fn danger(
    remote: &dyn Remote,
    record: &RemoteRecord,
    head: Option<&Revision>,
) -> Result<Option<Danger>, EngineError> {
    let Some(known) = record.head.as_ref().filter(|known| head != Some(*known)) else { return Ok(None) };
    let (known_text, found_text) = (known.0.clone(), head.map(|found| found.0.clone()));
    let rewritten =
        |unrelated| Danger::Rewritten { known: known_text.clone(), found: found_text.clone(), unrelated };
    let Some(found) = head else { return Ok(Some(rewritten(false))) };
    Ok(match remote.lineage(known, found)? {
        Lineage::Same | Lineage::Ahead => None,
        _ if mutant::is_on("rewound-is-trusted") => None,
        Lineage::Rewound => {
            Some(Danger::Rewound { known: known.0.clone(), found: found.0.clone(), seen: record.synced })
        }
        lineage => Some(rewritten(lineage == Lineage::Unrelated)),
    })
}

/// A cycle that died between commit and apply left a note of what it offered. If the remote took it, that is what both
/// sides agree on, as if the cycle had ended. What made the commit may outlive its cycle: until the head has moved on
/// without it, the offer may still be taken. Answers whether anything was.
pub(crate) fn settle_offer(
    state: &mut State,
    remote: &dyn Remote,
    record: &mut RemoteRecord,
    head: Option<&Revision>,
) -> Result<bool, EngineError> {
    let offers = state.offered(record.id)?;
    let Some(head) = head.filter(|_| !offers.is_empty()) else { return Ok(false) };
    let mut taken: Vec<Offered> = Vec::new();
    for offered in offers {
        let follows = || match remote.lineage(&offered.revision, head) {
            Ok(lineage) => Ok(matches!(lineage, Lineage::Same | Lineage::Ahead)),
            // Who can't be asked has not said no.
            Err(error) if matches!(error.class(), Class::Retry(_)) => Err(error),
            Err(_) => Ok(false),
        };
        if mutant::is_on("offered-is-taken")
            || *head == offered.revision
            || (offered.expected.as_ref() != Some(head) && follows()?)
        {
            taken.push(offered);
        }
    }
    let id = record.id;
    let mut late = state.taken_late(id)?;
    late.extend(taken.iter().flat_map(|offered| &offered.rows).map(|row| row.id));
    state.transact(|write| {
        for offered in &taken {
            write.nodes(id, &offered.rows, &offered.forgotten, offered.next)?;
            write.head(id, Some(&offered.revision), None)?;
        }
        write.taken_late(id, &late)?;
        write.settle_offers(id, Some(head))
    })?;
    let Some(newest) = taken.into_iter().next_back() else { return Ok(false) };
    record.head = Some(newest.revision);
    record.quiet = None;
    Ok(true)
}
