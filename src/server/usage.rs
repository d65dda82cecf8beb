//! What was spent: the budget as one consistent snapshot of the ledger.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;

use super::error::Failure;
use super::json::Usd;
use crate::ledger::{Headroom, Window};
use crate::state::AppState;

/// `GET /v1/budget`. Amounts are exact decimal numbers in USD; a limit that is not set is `null`.
#[derive(Debug, Serialize)]
pub(super) struct BudgetReport {
    daily: WindowReport,
    monthly: WindowReport,
    per_request_limit_usd: Option<Usd>,
}

#[derive(Debug, Serialize)]
struct WindowReport {
    limit_usd: Option<Usd>,
    spent_usd: Usd,
    reserved_usd: Usd,
    remaining_usd: Option<Usd>,
    resets_at: String,
}

pub(super) async fn budget(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Json<BudgetReport>, Failure> {
    if query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("key="))) {
        let message = "this version has no client keys: leave the parameter key out";
        return Err(Failure::invalid(message).with_param("key"));
    }
    Ok(Json(BudgetReport::from(&state.runtime.ledger.headroom().await?)))
}

impl From<&Headroom> for BudgetReport {
    fn from(headroom: &Headroom) -> Self {
        Self {
            daily: WindowReport::from(&headroom.daily),
            monthly: WindowReport::from(&headroom.monthly),
            per_request_limit_usd: headroom.per_request.map(Usd),
        }
    }
}

impl From<&Window> for WindowReport {
    fn from(window: &Window) -> Self {
        Self {
            limit_usd: window.limit.map(Usd),
            spent_usd: Usd(window.spent),
            reserved_usd: Usd(window.reserved),
            remaining_usd: window.remaining().map(Usd),
            resets_at: window.resets_at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::NanoUsd;

    #[test]
    fn amounts_are_written_to_the_nano_dollar() {
        let resets_at = "2026-11-22T00:00:00Z".parse().unwrap();
        let headroom = Headroom {
            daily: Window {
                limit: Some(NanoUsd(3_000_000_000)),
                spent: NanoUsd(1_000_000_001),
                reserved: NanoUsd(250_000_000),
                resets_at,
            },
            monthly: Window { limit: None, spent: NanoUsd(7), reserved: NanoUsd(0), resets_at },
            per_request: Some(NanoUsd(2_000_000_000)),
            key: None,
        };
        assert_eq!(
            serde_json::to_string(&BudgetReport::from(&headroom)).unwrap(),
            concat!(
                r#"{"daily":{"limit_usd":3,"spent_usd":1.000000001,"reserved_usd":0.25,"#,
                r#""remaining_usd":1.749999999,"resets_at":"2026-11-22T00:00:00Z"},"#,
                r#""monthly":{"limit_usd":null,"spent_usd":0.000000007,"reserved_usd":0,"#,
                r#""remaining_usd":null,"resets_at":"2026-11-22T00:00:00Z"},"#,
                r#""per_request_limit_usd":2}"#,
            )
        );
    }
}
