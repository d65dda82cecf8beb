//! The only place that reads the time. Everything else is given a [`Clock`] or a moment.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;

/// Wall time for days, months and records; monotonic time for waits and ages.
pub trait Clock: Send + Sync + Debug {
    fn now(&self) -> Timestamp;
    fn instant(&self) -> Instant;
}

#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock {
    start: Instant,
    now: Mutex<(Timestamp, Duration)>,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> Self {
        Self { start: SystemClock.instant(), now: Mutex::new((now, Duration::ZERO)) }
    }

    /// Moves both wall and monotonic time forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock();
        now.0 = now.0.checked_add(by).unwrap_or(Timestamp::MAX);
        now.1 += by;
    }

    /// Sets the wall time back, as a human or a time server may; monotonic time goes on.
    pub fn set_back(&self, by: Duration) {
        let mut now = self.now.lock();
        now.0 = now.0.checked_sub(by).unwrap_or(Timestamp::MIN);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.now.lock().0
    }
    fn instant(&self) -> Instant {
        self.start + self.now.lock().1
    }
}
