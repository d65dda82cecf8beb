//! A pause after a refusal that names its own end, or grows while refusals go on.

use std::time::{Duration, Instant};

/// No provider is believed that asks for more.
const LONGEST: Duration = Duration::from_secs(3600);
/// Without advice the pause begins here, doubles with every refusal in a row, and ends growing there.
const FIRST: Duration = Duration::from_secs(5);
const LAST: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cooldown {
    until: Option<Instant>,
    /// Refusals in a row that named no end.
    in_a_row: u32,
}

impl Cooldown {
    /// Pauses for the time that the provider named, else for a growing one.
    pub(super) fn refused(&mut self, retry_after: Option<Duration>, now: Instant) {
        let pause = retry_after.unwrap_or_else(|| {
            let pause = FIRST.saturating_mul(1 << self.in_a_row.min(6)).min(LAST);
            self.in_a_row = self.in_a_row.saturating_add(1);
            pause
        });
        self.pause(pause, now);
    }

    /// Pauses for a fixed time. A shorter pause never ends a longer one.
    pub(super) fn pause(&mut self, pause: Duration, now: Instant) {
        let until = now + pause.min(LONGEST);
        self.until = Some(self.until.map_or(until, |had| had.max(until)));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How long the pause goes on; `None`: it is over.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        self.until?.checked_duration_since(now).filter(|left| !left.is_zero())
    }
}
