//! Settles what dead instances left open: what was only held is released, what was dispatched is
//! charged in full and marked `unconfirmed`, and its request gets the record that its own process
//! could not write any more.

use super::books::Books;
use super::handle::Common;
use super::marks::{self, Fate, Remains};
use super::reservation::Outcome;
use super::window;
use crate::money::NanoUsd;
use crate::store::ledger::{Changes, ChargeRow, Committed, OpenRow, Opened, Start, Wanted};
use crate::store::{StoreError, Writer};

/// Looks at every instance with open reservations except this one, and touches only those whose lock
/// is free.
pub(super) async fn recover(store: &mut Writer, common: &Common) -> Result<(), StoreError> {
    for (instance, oldest) in store.other_instances(common.instance).await? {
        let remains = match marks::inspect(&common.directory, instance)? {
            Fate::Alive => continue,
            Fate::Dead(remains) => remains,
        };
        let result = bury(store, (instance, oldest), &remains, common).await;
        if result.is_err() {
            store.rollback().await;
        }
        let (released, charged) = result?;
        tracing::warn!(released, charged, "settled the reservations of a process that ended early");
        marks::remove(&common.directory, instance);
    }
    Ok(())
}

/// Returns how many were released and how many charged.
async fn bury(
    store: &mut Writer,
    (instance, oldest): (i64, i64),
    remains: &Remains,
    common: &Common,
) -> Result<(usize, usize), StoreError> {
    let moment = common.clock.now();
    let now = window::micros(moment);
    let Opened { version, windows, open } = store.begin(&[], oldest, instance, Wanted::All).await?;
    let mut books = Books::found(windows, oldest);
    let mut changes = Changes { version, instance, ..Changes::default() };
    for (seq, row) in open {
        let outcome =
            if remains.was_dispatched(seq) { Outcome::Unconfirmed } else { Outcome::Release };
        changes.gone.push(seq);
        changes.charged.extend(apply(&mut books, (seq, &row), outcome, now));
    }
    changes.windows = books.changed();
    let settings = common.settings.load();
    // The limits of client keys are not known here: their callers see it in the header.
    let warnings = books.warnings(&window::current(moment, &settings.timezone), [], &settings);
    store.record_interrupted(instance, &changes.charged).await?;
    if store.commit(&changes, Start::Begun).await? == Committed::Stale {
        return Err(StoreError::Closed);
    }
    common.warn(warnings);
    Ok((changes.gone.len() - changes.charged.len(), changes.charged.len()))
}

/// Ends one open reservation in the books; the row of its charge, if it cost anything.
pub(super) fn apply(
    books: &mut Books,
    (seq, open): (i64, &OpenRow),
    outcome: Outcome,
    now: i64,
) -> Option<ChargeRow> {
    let (cost, unconfirmed) = match outcome {
        Outcome::Release => {
            books.close(open, NanoUsd::ZERO);
            return None;
        }
        Outcome::Charge(cost) => (NanoUsd(cost.0.max(0)), 0),
        Outcome::Probable(cost) => (NanoUsd(cost.0.max(0)), 1),
        Outcome::Unconfirmed => (NanoUsd(open.ceiling), 1),
    };
    books.close(open, cost);
    Some((seq, cost.0, now, unconfirmed))
}
