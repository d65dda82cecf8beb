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
