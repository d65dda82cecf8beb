//! What could not be written yet, and when to try again. The answers to clients do not wait for it.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::KeyId;
use crate::ledger::reservation::{Finish, Outcome};
use crate::money::NanoUsd;
use crate::store::StoreError;
use crate::store::requests::RequestRow;

/// Entries of each kind. A settlement beyond it stays reserved until the next start.
const ROOM: usize = 10_000;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Backlog {
    finishes: VecDeque<Finish>,
    records: VecDeque<RequestRow>,
    delay: Duration,
    next: Option<Instant>,
}

impl Backlog {
    /// When to try again; `None` if there is nothing to try.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.len() > 0).then_some(self.next).flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.finishes.len() + self.records.len()
    }

    /// Tells those who wait, and keeps the work. Returns how many records had to be dropped.
    pub(super) fn keep(
        &mut self,
        finishes: Vec<Finish>,
        records: Vec<RequestRow>,
        error: &StoreError,
    ) -> u64 {
        for mut finish in finishes {
            if let Some(reply) = finish.reply.take() {
                let _ = reply.send(Err(error.clone()));
            }
            if self.finishes.len() < ROOM {
                self.finishes.push_back(finish);
            } else {
                tracing::error!("too many settlements wait for the ledger: one stays reserved");
            }
        }
        let mut lost = 0;
        for record in records {
            if self.records.len() < ROOM {
                self.records.push_back(record);
            } else {
                lost += 1;
            }
        }
        self.later();
        lost
    }

    /// Releases reservations that were made in a transaction of unknown outcome. Releasing what
    /// does not exist does nothing; whose they are only the file knows.
    pub(super) fn undo(&mut self, seqs: RangeInclusive<i64>, reserved_at: i64) {
        let outcome = Outcome::Release;
        self.finishes.extend(seqs.map(|seq| Finish {
            seq,
            key: KeyId::LOCAL.into(),
            budget: None,
            reserved_at,
            ceiling: NanoUsd::ZERO,
            slot: None,
            outcome,
            record: None,
            reply: None,
        }));
        if self.next.is_none() {
            self.later();
        }
    }

    pub(super) fn take(&mut self, most: usize) -> Option<(Vec<Finish>, Vec<RequestRow>)> {
        let finishes: Vec<_> = self.finishes.drain(..most.min(self.finishes.len())).collect();
        let records: Vec<_> = self.records.drain(..most.min(self.records.len())).collect();
        if finishes.is_empty() && records.is_empty() {
            (self.next, self.delay) = (None, Duration::ZERO);
            return None;
        }
        Some((finishes, records))
    }

    pub(super) fn put_back(&mut self, finishes: Vec<Finish>, records: Vec<RequestRow>) {
        for finish in finishes.into_iter().rev() {
            self.finishes.push_front(finish);
        }
        for record in records.into_iter().rev() {
            self.records.push_front(record);
        }
        self.later();
    }

    /// A write has succeeded: no need to wait any longer.
    pub(super) fn the_file_works(&mut self) {
        if self.next.is_some() {
            self.next = Some(Instant::now());
        }
    }

    fn later(&mut self) {
        self.delay = (self.delay * 2).clamp(FIRST_DELAY, LONGEST_DELAY);
        self.next = Some(Instant::now() + self.delay);
    }
}
