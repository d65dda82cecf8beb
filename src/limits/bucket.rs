//! One rate-limit bucket: so many requests and tokens in a window. What was taken can be given back
//! or corrected. Within any window of the configured length no more than the limit is ever taken.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::LimitWindow;

/// A rolling window is counted in this many steps; what was taken in a step comes back at its end, so
/// at most this fraction of the window too late and never too early.
const STEPS: u64 = 60;

/// What one request took, to give it back or correct it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what was taken is to be corrected or refunded when the call has ended"]
pub struct Ticket {
    /// Number of the step.
    step: i64,
    tokens: u64,
}

/// Nothing was taken: there is no room for it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// When there will be room; `None`: never, it is more than the whole limit.
    pub retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Taken {
    step: i64,
    requests: u64,
    tokens: u64,
}

#[derive(Clone, Debug)]
pub struct Bucket {
    requests: Option<u64>,
    tokens: Option<u64>,
    window: LimitWindow,
    timezone: TimeZone,
    /// Oldest first; all within the window as of the last call.
    taken: VecDeque<Taken>,
}

impl Bucket {
    /// `timezone` decides when a calendar month begins.
    pub fn new(
        requests: Option<u64>,
        tokens: Option<u64>,
        window: LimitWindow,
        timezone: TimeZone,
    ) -> Self {
        Self { requests, tokens, window, timezone, taken: VecDeque::new() }
    }

    /// Takes one request of `tokens` tokens, or nothing.
    ///
    /// # Errors
    /// [`Full`] if there is no room.
    pub fn take(&mut self, tokens: u64, now: Timestamp) -> Result<Ticket, Full> {
        self.forget(now);
        if let Some(retry_after) = self.next_free(tokens, now) {
            return Err(Full { retry_after });
        }
        let step = self.step(now);
        let slot = self.slot(step);
        slot.requests += 1;
        slot.tokens = slot.tokens.saturating_add(tokens);
        Ok(Ticket { step, tokens })
    }

    /// The call was not made: it counts neither as a request nor in tokens.
    pub fn refund(&mut self, ticket: &Ticket) {
        if let Some(slot) = self.taken.iter_mut().find(|slot| slot.step == ticket.step) {
            slot.requests = slot.requests.saturating_sub(1);
            slot.tokens = slot.tokens.saturating_sub(ticket.tokens);
        }
    }

    /// The call used `tokens` tokens, more or fewer than were taken for it. What is more counts in
    /// the step in which it was taken, and may exceed the limit: it happened.
    pub fn correct(&mut self, ticket: &mut Ticket, tokens: u64) {
        if let Some(slot) = self.taken.iter_mut().find(|slot| slot.step == ticket.step) {
            slot.tokens = slot.tokens.saturating_sub(ticket.tokens).saturating_add(tokens);
        }
        ticket.tokens = tokens;
    }

    /// When a request of `tokens` tokens has room: `None` now, `Some(None)` never.
    pub fn next_free(&self, tokens: u64, now: Timestamp) -> Option<Option<Duration>> {
        let begin = self.begin(now);
        let live = self.taken.iter().filter(|slot| slot.step >= begin);
        let (mut requests, mut used) =
            live.clone().fold((0_u64, 0_u64), |(requests, used), slot| {
                (requests + slot.requests, used.saturating_add(slot.tokens))
            });
        let fits = |requests: u64, used: u64| {
            self.requests.is_none_or(|most| requests < most)
                && self.tokens.is_none_or(|most| used.saturating_add(tokens) <= most)
        };
        if fits(requests, used) {
            return None;
        }
        for slot in live {
            requests -= slot.requests;
            used = used.saturating_sub(slot.tokens);
            if fits(requests, used) {
                return Some(Some(self.until_gone(slot.step, now)));
            }
        }
        Some(None)
    }

    /// The share of the limit that is left, 0 to 1; of the tighter of requests and tokens.
    #[expect(clippy::cast_precision_loss, reason = "a share for weighing, not for counting")]
    pub fn remaining(&self, now: Timestamp) -> f64 {
        let begin = self.begin(now);
        let live = self.taken.iter().filter(|slot| slot.step >= begin);
        let (requests, tokens) = live.fold((0_u64, 0_u64), |(requests, tokens), slot| {
            (requests + slot.requests, tokens.saturating_add(slot.tokens))
        });
        let share = |used: u64, most: Option<u64>| match most {
            None => 1.0,
            Some(0) => 0.0,
            Some(most) => most.saturating_sub(used) as f64 / most as f64,
        };
        share(requests, self.requests).min(share(tokens, self.tokens))
    }

    /// Takes over what an earlier bucket of the same window had counted.
    pub(super) fn adopt(&mut self, earlier: &Self) {
        if self.window == earlier.window {
            self.taken.clone_from(&earlier.taken);
        }
    }

    fn slot(&mut self, step: i64) -> &mut Taken {
        // A clock that was set back finds its later steps in place: keep the order.
        let at = self.taken.partition_point(|slot| slot.step < step);
        if self.taken.get(at).is_none_or(|slot| slot.step != step) {
            self.taken.insert(at, Taken { step, ..Taken::default() });
        }
        &mut self.taken[at]
    }

    fn forget(&mut self, now: Timestamp) {
        let begin = self.begin(now);
        while self.taken.front().is_some_and(|slot| slot.step < begin) {
            self.taken.pop_front();
        }
    }

    /// Length of a step in milliseconds.
    fn step_ms(window: Duration) -> i64 {
        let ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        i64::try_from(ms.div_ceil(STEPS)).unwrap_or(i64::MAX).max(1)
    }

    /// The step that `now` is in: counted from 1970 for rolling windows, months for the month.
    fn step(&self, now: Timestamp) -> i64 {
        match self.window {
            LimitWindow::Rolling(window) => now.as_millisecond().div_euclid(Self::step_ms(window)),
            LimitWindow::CalendarMonth => {
                let date = now.to_zoned(self.timezone.clone()).date();
                i64::from(date.year()) * 12 + i64::from(date.month())
            }
        }
    }

    /// The oldest step that still counts at `now`.
    fn begin(&self, now: Timestamp) -> i64 {
        match self.window {
            LimitWindow::Rolling(window) => {
                let step = Self::step_ms(window);
                let ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
                // A step counts until its last millisecond has left the window.
                now.as_millisecond().saturating_sub(ms).div_euclid(step)
            }
            LimitWindow::CalendarMonth => self.step(now),
        }
    }

    /// How long until what was taken in `step` counts no more.
    fn until_gone(&self, step: i64, now: Timestamp) -> Duration {
        let at = match self.window {
            LimitWindow::Rolling(window) => {
                let length = Self::step_ms(window);
                let ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
                let end = step.saturating_add(1).saturating_mul(length).saturating_add(ms);
                end.saturating_sub(now.as_millisecond())
            }
            LimitWindow::CalendarMonth => {
                let here = now.to_zoned(self.timezone.clone());
                let next = here
                    .date()
                    .first_of_month()
                    .checked_add(jiff::Span::new().months(1))
                    .and_then(|date| date.to_zoned(self.timezone.clone()));
                next.map_or(86_400_000, |next| {
                    next.timestamp().as_millisecond().saturating_sub(now.as_millisecond())
                })
            }
        };
        Duration::from_millis(u64::try_from(at).unwrap_or(0).max(1))
    }
}

#[cfg(test)]
mod tests;
