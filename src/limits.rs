//! Rate-limit buckets, cooldowns and breakers: state machines that are given `now`. No clock, no I/O.
//! They know what was reported to them and nothing of requests, prices or transport.

mod breaker;
mod bucket;
mod buckets;
mod cooldown;
mod health;

pub use bucket::{Bucket, Full, Ticket};
pub use buckets::{Buckets, Limited, Pass};
pub use health::{Down, Health, Outcome};

use std::time::Duration;

use crate::ids::ProviderId;

/// A rate-limit bucket as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitSettings {
    pub name: String,
    pub provider: ProviderId,
    /// Globs over the models' wire names.
    pub models: Vec<String>,
    pub requests: Option<u64>,
    pub tokens: Option<u64>,
    pub window: LimitWindow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitWindow {
    Rolling(Duration),
    CalendarMonth,
}
