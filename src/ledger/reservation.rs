//! Money taken out of the budget for one upstream call, until it is settled.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::handle::Common;
use super::{KeyBudget, RequestRecord};
use crate::ids::KeyId;
use crate::money::NanoUsd;
use crate::store::StoreError;
use crate::store::requests::RequestRow;

/// Ends exactly once: by [`settle`](Self::settle), [`charge`](Self::charge) or
/// [`release`](Self::release), or, if it is dropped, by itself: released while it was only held,
/// charged in full and marked `unconfirmed` once the request had been sent.
#[must_use = "a reservation that is dropped is released, or charged in full once dispatched"]
#[derive(Debug)]
pub struct Reservation {
    common: Arc<Common>,
    finishes: mpsc::UnboundedSender<Finish>,
    grant: Grant,
    /// Set when dispatched.
    slot: Option<u32>,
    ended: bool,
}

/// What the writer gave.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub seq: i64,
    pub key: KeyId,
    /// The limits of a client key.
    pub budget: Option<Arc<KeyBudget>>,
    /// Microseconds.
    pub reserved_at: i64,
    pub ceiling: NanoUsd,
}

/// The end of a reservation, on its way to the writer.
#[derive(Debug)]
pub(super) struct Finish {
    pub seq: i64,
    pub key: KeyId,
    pub budget: Option<Arc<KeyBudget>>,
    pub reserved_at: i64,
    pub ceiling: NanoUsd,
    pub slot: Option<u32>,
    pub outcome: Outcome,
    pub record: Option<Box<RequestRow>>,
    /// `None` where nobody waits.
    pub reply: Option<oneshot::Sender<Result<(), StoreError>>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Release,
    Charge(NanoUsd),
    /// So much, but nobody could say for certain.
    Probable(NanoUsd),
    /// In full: nobody knows what it cost.
    Unconfirmed,
}

impl Reservation {
    pub(super) fn new(
        common: Arc<Common>,
        finishes: mpsc::UnboundedSender<Finish>,
        grant: Grant,
    ) -> Self {
        Self { common, finishes, grant, slot: None, ended: false }
    }

    /// The most that the call may cost.
    pub fn ceiling(&self) -> NanoUsd {
        self.grant.ceiling
    }

    /// To be called before the first byte goes to the provider: from here on the money counts as
    /// spent until somebody says otherwise, also after a crash. Microseconds, no transaction.
    ///
    /// # Errors
    /// The mark cannot be written; the request must not be sent.
    #[expect(clippy::unused_async, reason = "callers need not know that this does not wait")]
    pub async fn dispatched(&mut self) -> Result<(), StoreError> {
        if self.slot.is_none() {
            let marks = self.common.marks.get().ok_or(StoreError::Closed)?;
            self.slot = Some(marks.mark(self.grant.seq)?);
        }
        Ok(())
    }

    /// Gives the money back: the call was not made, or is known to have cost nothing.
    pub async fn release(self) {
        if let Err(error) = self.end(Outcome::Release, None).await {
            tracing::warn!(%error, "a reservation is released later: the ledger cannot be written");
        }
    }

    /// Replaces the reservation by what the call cost, and writes down the request, in one
    /// transaction. When this returns `Ok`, every reader sees the cost.
    ///
    /// # Errors
    /// It could not be written yet. It is tried again in the background, and until then the ceiling
    /// stays reserved: the answer to the client need not suffer.
    pub async fn settle(self, record: RequestRecord) -> Result<(), StoreError> {
        let cost = record.cost;
        self.settle_part(cost, record).await
    }

    /// [`settle`](Self::settle) of the last call of a request of which further ones were charged:
    /// `cost` is this call's, `record.cost` that of all of them.
    ///
    /// # Errors
    /// See [`settle`](Self::settle).
    pub async fn settle_part(self, cost: NanoUsd, record: RequestRecord) -> Result<(), StoreError> {
        self.end(Outcome::Charge(cost), Some(Box::new(record.into()))).await
    }

    /// Like [`settle`](Self::settle), for a call that cost money though another one answered: a
    /// further line of the same request.
    pub async fn charge(self, cost: NanoUsd) -> Result<(), StoreError> {
        self.end(Outcome::Charge(cost), None).await
    }

    /// Like [`charge`](Self::charge), where the cost is a guess: the line is marked `unconfirmed`.
    ///
    /// # Errors
    /// See [`settle`](Self::settle).
    pub async fn charge_unconfirmed(self, cost: NanoUsd) -> Result<(), StoreError> {
        self.end(Outcome::Probable(cost), None).await
    }

    /// Charges in full and marks as `unconfirmed`, like a drop, with a record of the request. Does
    /// not wait: for those who end without having been asked.
    pub fn abandon(mut self, record: RequestRecord) {
        if self.send(Outcome::Unconfirmed, Some(Box::new(record.into())), None).is_err() {
            tracing::debug!("the ledger is closed; its next opening settles an open reservation");
        }
    }

    async fn end(
        mut self,
        outcome: Outcome,
        record: Option<Box<RequestRow>>,
    ) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(outcome, record, Some(reply))?;
        drop(self);
        answer.await.map_err(|_| StoreError::Closed)?
    }

    fn send(
        &mut self,
        outcome: Outcome,
        record: Option<Box<RequestRow>>,
        reply: Option<oneshot::Sender<Result<(), StoreError>>>,
    ) -> Result<(), StoreError> {
        self.ended = true;
        let Grant { seq, key, budget, reserved_at, ceiling } = self.grant.clone();
        let slot = self.slot;
        let finish =
            Finish { seq, key, budget, reserved_at, ceiling, slot, outcome, record, reply };
        self.finishes.send(finish).map_err(|_| StoreError::Closed)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let outcome = match self.slot {
            None => Outcome::Release,
            Some(_) => Outcome::Unconfirmed,
        };
        if self.send(outcome, None, None).is_err() {
            tracing::debug!("the ledger is closed; its next opening settles an open reservation");
        }
    }
}
