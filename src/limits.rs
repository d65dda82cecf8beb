//! Rate-limit buckets and cooldowns: state machines that are given `now`. No clock, no I/O.

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
