//! What was spent: the budget as one consistent snapshot of the ledger.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::auth::AuthError;
use super::error::Failure;
use super::json::Usd;
use crate::keys::ClientKey;
use crate::ledger::{Headroom, Window};
use crate::pipeline::Caller;
use crate::state::AppState;

/// `GET /v1/budget`. Amounts are exact decimal numbers in USD; a limit that is not set is `null`.
#[derive(Debug, Serialize)]
pub(super) struct BudgetReport {
    /// The client key whose windows these are.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
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

/// `?key=`, the name or id of a client key.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    key: Option<String>,
}

/// The owner sees everybody's windows, or with `?key=` those of one key. A client key sees its own,
/// under the same names, and nothing of what others spend.
pub(super) async fn budget(
    State(state): State<AppState>,
    caller: Caller,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<BudgetReport>, Failure> {
    let Query(Asked { key }) = asked.map_err(|_| {
        Failure::invalid("the query cannot be read: /v1/budget?key=NAME").with_param("key")
    })?;
    let ledger = &state.runtime.ledger;
    let (client, key) = match (caller.client, key) {
        (None, None) => return Ok(Json(BudgetReport::from(&ledger.headroom().await?))),
        (None, Some(_)) if !caller.admin => return Err(AuthError::NotAdmin.into()),
        (None, Some(name)) => (named(&state, &name).await?, Some(name)),
        (Some(own), key) => (own, key),
    };
    let own_name = |key: &String| key == client.name() || key == client.id.as_str();
    if !key.as_ref().is_none_or(own_name) {
        return Err(AuthError::OtherKey.into());
    }
    let own = ledger.key_headroom(&client.budget).await?;
    Ok(Json(BudgetReport {
        key: Some(client.name().to_owned()),
        daily: WindowReport::from(&own.daily),
        monthly: WindowReport::from(&own.monthly),
        per_request_limit_usd: state.current().config.budget.per_request.map(Usd),
    }))
}

/// The key that the owner asks for, revoked ones too.
async fn named(state: &AppState, name: &str) -> Result<Arc<ClientKey>, Failure> {
    let keys = &state.runtime.keys;
    let find = || keys.current().named(name).cloned();
    if let Some(key) = find() {
        return Ok(key);
    }
    let clock = state.runtime.clock.as_ref();
    keys.look_again(clock, |keys| keys.named(name).is_some()).await;
    find().ok_or_else(|| {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        Failure::unknown_key(format!(
            "there is no client key `{shown}`; `edge-router keys list` shows those there are"
        ))
    })
}

impl From<&Headroom> for BudgetReport {
    fn from(headroom: &Headroom) -> Self {
        Self {
            key: None,
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
