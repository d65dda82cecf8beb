//! Why money may not be spent.

use std::sync::Arc;

use jiff::Timestamp;

use super::StoreError;
use crate::money::NanoUsd;

/// A window without room for what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The name of the client key whose window it is; `None`: everybody's.
    pub key: Option<Arc<str>>,
    pub limit: NanoUsd,
    pub spent: NanoUsd,
    /// Held by requests that are still running.
    pub reserved: NanoUsd,
    pub asked: NanoUsd,
    pub resets_at: Timestamp,
}

impl Exceeded {
    /// What a smaller ask could have had.
    pub fn remaining(&self) -> NanoUsd {
        self.limit.minus_or_zero(self.spent + self.reserved)
    }

    /// Other requests' reservations are the only obstacle: waiting may help.
    pub fn by_reservations_only(&self) -> bool {
        self.spent + self.asked <= self.limit
    }
}

impl Exceeded {
    /// The sentence about the `daily` or `monthly` window.
    fn sentence(&self, period: &str) -> String {
        let Self { key, limit, spent, reserved, asked, resets_at } = self;
        let rest = format!(
            "reserved by running requests ${reserved}, needed up to ${asked}; resets at {resets_at:.0}"
        );
        match key {
            None => format!(
                "the {period} budget has no room for this request: limit ${limit}, spent ${spent}, {rest}"
            ),
            Some(name) => format!(
                "the key `{name}` has spent ${spent} of its {period} limit of ${limit}, which has no \
                 room for this request: {rest}"
            ),
        }
    }
}

/// Why a reservation was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BudgetError {
    #[error("{}", .0.sentence("daily"))]
    Daily(Exceeded),
    #[error("{}", .0.sentence("monthly"))]
    Monthly(Exceeded),
    #[error(
        "this request could cost up to ${asked}, more than the limit of ${limit} per request; \
         shorten it, lower its max_tokens, or raise budget.per_request_usd"
    )]
    PerRequest { limit: NanoUsd, asked: NanoUsd },
    /// Not a matter of money: the ledger cannot be written. Ends as 503.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BudgetError {
    /// When the window in the way begins anew; `None` where no window is.
    pub fn resets_at(&self) -> Option<Timestamp> {
        self.exceeded().map(|exceeded| exceeded.resets_at)
    }

    /// The largest ceiling that could have been reserved; `None` where money is not the matter.
    pub fn remaining(&self) -> Option<NanoUsd> {
        match self {
            Self::Daily(exceeded) | Self::Monthly(exceeded) => Some(exceeded.remaining()),
            Self::PerRequest { limit, .. } => Some(*limit),
            Self::Store(_) => None,
        }
    }

    /// The figures of the window in the way.
    pub fn exceeded(&self) -> Option<&Exceeded> {
        match self {
            Self::Daily(exceeded) | Self::Monthly(exceeded) => Some(exceeded),
            Self::PerRequest { .. } | Self::Store(_) => None,
        }
    }
}
