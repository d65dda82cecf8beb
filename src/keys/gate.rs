//! How many requests of a key may come and run: its bucket of requests per minute, and the seats that
//! running requests take. Given `now`; survives every change of the other keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use parking_lot::Mutex;

use super::ClientKey;
use crate::limits::{Bucket, LimitWindow};

const MINUTE: Duration = Duration::from_secs(60);
/// When to try again after every seat was taken: nobody knows when a request ends.
const SEAT_RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Gate {
    bucket: Option<Mutex<Bucket>>,
    running: AtomicU32,
}

/// The place of a running request; free again when dropped.
#[derive(Debug)]
#[must_use = "the place is free again when this is dropped"]
pub struct Seat(Arc<Gate>);

/// A request that comes too early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Throttled {
    #[error("The key `{name}` may send {rpm} requests a minute and has sent them; try again in {} s.", .retry_after.as_secs() + u64::from(.retry_after.subsec_nanos() > 0))]
    TooOften { name: String, rpm: u32, retry_after: Duration },
    #[error(
        "The key `{name}` may have {most} requests running at a time and has them; try again when one has ended."
    )]
    TooMany { name: String, most: u32 },
}

impl Throttled {
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::TooOften { retry_after, .. } => *retry_after,
            Self::TooMany { .. } => SEAT_RETRY,
        }
    }
}

impl Gate {
    pub(super) fn new(rpm: Option<u32>) -> Self {
        let bucket = rpm.map(|rpm| {
            let window = LimitWindow::Rolling(MINUTE);
            Mutex::new(Bucket::new(Some(rpm.into()), None, window, TimeZone::UTC))
        });
        Self { bucket, running: AtomicU32::new(0) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ClientKey {
    /// Lets a request in, until the seat is dropped.
    ///
    /// # Errors
    /// Too many run, which takes nothing, or too many came within a minute.
    pub fn enter(&self, now: Timestamp) -> Result<Seat, Throttled> {
        let before = self.gate.running.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(Arc::clone(&self.gate));
        let name = || self.name().to_owned();
        if let Some(most) = self.grants.concurrent
            && before >= most
        {
            return Err(Throttled::TooMany { name: name(), most });
        }
        if let (Some(bucket), Some(rpm)) = (&self.gate.bucket, self.grants.rpm)
            && let Err(full) = bucket.lock().take(0, now)
        {
            let retry_after = full.retry_after.unwrap_or(MINUTE);
            return Err(Throttled::TooOften { name: name(), rpm, retry_after });
        }
        Ok(seat)
    }
}
