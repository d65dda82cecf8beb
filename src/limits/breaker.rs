//! A circuit breaker: opens after failures in a row, lets one probe through when its time is up, and
//! closes when a call succeeds.

use std::time::{Duration, Instant};

/// Failures in a row that open the breaker.
const OPENS_AFTER: u32 = 3;
/// It stays open for this long, twice as long after every failed probe, and never longer than the last.
const FIRST: Duration = Duration::from_secs(10);
const LAST: Duration = Duration::from_secs(300);
/// A probe that was not reported by then counts as lost, and another may go.
const PROBE_LOST_AFTER: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// How often it opened without a success in between.
    opened: u32,
    open_until: Option<Instant>,
    probe_since: Option<Instant>,
}

impl Breaker {
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.probe_since = None;
        self.failures = self.failures.saturating_add(1);
        let still_open = self.open_until.is_some_and(|until| now < until);
        // A call that began before the breaker opened must not keep it open for longer.
        if self.failures >= OPENS_AFTER && !still_open {
            let open = FIRST.saturating_mul(1 << self.opened.min(5)).min(LAST);
            self.opened = self.opened.saturating_add(1);
            self.open_until = Some(now + open);
        }
    }

    /// The call ended without telling anything of the target (the client left).
    pub(super) fn abandoned(&mut self) {
        self.probe_since = None;
    }

    /// How long no call may be made; `None`: one may be made now.
    pub(super) fn blocked(&self, now: Instant) -> Option<Duration> {
        let until = self.open_until?;
        if now < until {
            return Some(until - now);
        }
        let lost = self.probe_since? + PROBE_LOST_AFTER;
        lost.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// A call begins. While half open, it is the probe.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.open_until.is_some() {
            self.probe_since = Some(now);
        }
    }
}
