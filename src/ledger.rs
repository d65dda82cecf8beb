//! The budget's rules: nothing is dispatched that has not been reserved, and at every instant
//! `settled + reserved ≤ limit` for the day and for the month. Holds rules and no SQL (`store` has it).
//!
//! - The check is made inside the write transaction, against what the file says: several processes
//!   may share one ledger, and no balance in memory can disagree with it.
//! - One task per process writes ([`writer`]); it commits together whatever has gathered meanwhile.
//! - A reservation belongs to the day and the month in which it was made, and so does its cost,
//!   whenever it settles. A new day therefore begins at zero, and stays exact.
//! - A reservation of a client key counts in two scopes, everybody's and the key's own, each with a day
//!   and a month of its own; it is admitted only if every one has room, in one transaction.
//! - Whoever passes a step of a limit is told so once: by the transaction that passes it
//!   ([`Warning`]).
//! - A provider that reports more than the reserved ceiling is recorded truthfully; that alone can
//!   take a window over its limit.
//! - A reservation is `held` until [`Reservation::dispatched`] has put its number into the file
//!   that this process holds locked ([`marks`]): one small write instead of a transaction, which
//!   survives a crash of the process like a commit does. Recovery reads it.

mod account;
mod books;
mod error;
mod handle;
mod marks;
mod record;
mod recovery;
mod reservation;
mod since;
mod standby;
mod usage;
mod view;
mod warning;
mod window;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::chat::Usage;
use crate::ids::{KeyId, ModelId, RequestId};
use crate::money::NanoUsd;

pub use crate::store::StoreError;
pub use error::{BudgetError, Exceeded};
pub use handle::{Ledger, open_beside};
pub use reservation::Reservation;
pub use since::{SINCE, since};
pub use usage::{
    Charge, Figures, Group, GroupKey, Period, RequestFilter, UsagePart, sum_by, total,
};
pub use view::{LedgerView, Loose};
pub use warning::Warning;

#[derive(Clone, Debug)]
pub struct BudgetSettings {
    /// `None`: no limit.
    pub daily: Option<NanoUsd>,
    pub monthly: Option<NanoUsd>,
    pub per_request: Option<NanoUsd>,
    /// Assumed and sent upstream where the client sets no cap on the answer.
    pub default_output_tokens: u32,
    /// Longest wait when only other requests' reservations are in the way.
    pub wait: Duration,
    /// When a day and a month begin.
    pub timezone: TimeZone,
    pub when_exhausted: WhenExhausted,
    /// Percents of a limit at which a warning is due.
    pub warn_at: Vec<u8>,
}

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Deserialize,
    serde::Serialize,
    strum::Display,
    strum::VariantNames,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum WhenExhausted {
    /// Free models go on serving.
    #[default]
    Local,
    /// Every request that would have cost money is a 402.
    Reject,
}

/// What one client key may spend. Its windows are counted also where it has no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBudget {
    pub id: KeyId,
    /// For messages.
    pub name: Arc<str>,
    /// `None`: no limit.
    pub daily: Option<NanoUsd>,
    pub monthly: Option<NanoUsd>,
}

/// A wish to spend.
#[derive(Clone, Debug)]
pub struct Ask {
    pub request: RequestId,
    /// Says by itself in which scopes the money counts.
    pub key: KeyId,
    /// The limits of a client key.
    pub budget: Option<Arc<KeyBudget>>,
    pub project: Option<String>,
    pub model: ModelId,
    /// 0 for the first call of a request.
    pub attempt: u32,
    /// The most that this call can cost.
    pub ceiling: NanoUsd,
}

/// One window (day or month) at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub limit: Option<NanoUsd>,
    pub spent: NanoUsd,
    pub reserved: NanoUsd,
    pub resets_at: Timestamp,
}

impl Window {
    /// What a new reservation may take; `None`: no limit.
    pub fn remaining(&self) -> Option<NanoUsd> {
        self.limit.map(|limit| limit.minus_or_zero(self.spent + self.reserved))
    }
}

/// Both windows of everybody, read in one transaction, and those of the caller's key. Serialises as `/v1/budget` (CONTRACT section 3).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(into = "view::BudgetJson")]
pub struct Headroom {
    pub daily: Window,
    pub monthly: Window,
    pub per_request: Option<NanoUsd>,
    pub key: Option<KeyHeadroom>,
}

/// The windows of one client key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHeadroom {
    pub name: Arc<str>,
    pub daily: Window,
    pub monthly: Window,
}

impl Headroom {
    /// Of a ledger in which nothing has happened.
    pub fn untouched(settings: &BudgetSettings, now: Timestamp) -> Self {
        let [day, month] = window::current(now, &settings.timezone);
        account::headroom([&day, &month], settings)
    }

    /// The least that any window leaves; `None` if none has a limit.
    pub fn remaining(&self) -> Option<NanoUsd> {
        self.windows().filter_map(Window::remaining).min()
    }

    /// Whether anything limits what may be spent.
    pub fn is_limited(&self) -> bool {
        self.per_request.is_some() || self.windows().any(|window| window.limit.is_some())
    }

    fn windows(&self) -> impl Iterator<Item = &Window> {
        let own = self.key.iter().flat_map(|key| [&key.daily, &key.monthly]);
        [&self.daily, &self.monthly].into_iter().chain(own)
    }
}

/// What a finished request was, for the record. No prompt text.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestRecord {
    pub id: RequestId,
    pub key: KeyId,
    pub project: Option<String>,
    pub started_at: Timestamp,
    pub elapsed: Duration,
    /// From receiving the request to the first byte of the answer.
    pub first_byte: Option<Duration>,
    /// The name that the client asked for.
    pub asked_model: String,
    /// The model that answered; `None` if none did.
    pub model: Option<ModelId>,
    pub tier: Option<crate::catalog::Tier>,
    pub tier_source: Option<crate::analyze::Source>,
    pub confidence: f32,
    pub reason: String,
    pub stream: bool,
    /// HTTP status that the client saw.
    pub status: u16,
    /// Error code, if it failed; `client_gone` if the client hung up.
    pub error: Option<String>,
    pub fallback_index: u32,
    /// JSON list of the calls that failed before: `[{"model_id","status","reason"}]`.
    pub attempts: String,
    pub usage: Usage,
    /// The provider reported no usage: it was counted from the text.
    pub estimated: bool,
    pub cost: NanoUsd,
    /// How `cost` came about; `None` where it is zero.
    pub receipt: Option<crate::catalog::Receipt>,
    /// Tokens of project context that were put into the prompt, as estimated.
    pub context_tokens: u32,
}
