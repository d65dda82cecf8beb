//! Posts the budget's warnings to the address that the configuration names. Decides the form of the
//! message and how often it is tried; when a warning is due is the ledger's matter, whose address it is
//! the configuration's. The address is a secret: no error and no log line holds it.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::ledger::Warning;
use crate::money::NanoUsd;
use crate::providers::http::HttpClient;

/// Longest time for one attempt.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Before each further attempt.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(60),
];

/// The body of a post. Amounts in USD.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// `budget_warning`, or `test`.
    event: &'static str,
    /// `global`, or `key` for the budget of one client key.
    scope: Option<&'static str>,
    /// The name of that key.
    key: Option<String>,
    /// `daily` or `monthly`.
    window: Option<&'static str>,
    /// The step that has been passed.
    percent: Option<u8>,
    limit_usd: Option<f64>,
    spent_usd: Option<f64>,
    resets_at: Option<Timestamp>,
    /// The sentence for people, as Slack, Mattermost, Teams and their like want it.
    text: String,
    /// The same, as Discord wants it.
    content: String,
}

/// Why a message did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    #[error("the address cannot be used")]
    Address,
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("no connection: {0}")]
    Connection(String),
    #[error("the receiver answers {0}")]
    Status(u16),
}

impl AlertError {
    /// Whether another attempt may end otherwise.
    fn may_pass(&self) -> bool {
        match self {
            Self::Timeout | Self::Connection(_) | Self::Status(408 | 429 | 500..) => true,
            Self::Address | Self::Status(_) => false,
        }
    }
}

impl Message {
    pub fn about(warning: &Warning) -> Self {
        let text = format!("edge-router: {warning}");
        Self {
            event: "budget_warning",
            scope: Some(if warning.key.is_some() { "key" } else { "global" }),
            key: warning.key.as_deref().map(str::to_owned),
            window: Some(warning.window()),
            percent: Some(warning.percent),
            limit_usd: Some(NanoUsd::to_usd_f64(warning.limit)),
            spent_usd: Some(NanoUsd::to_usd_f64(warning.spent)),
            resets_at: Some(warning.resets_at),
            content: text.clone(),
            text,
        }
    }

    /// To find out whether messages arrive.
    pub fn test() -> Self {
        let text = "edge-router: a test; warnings of the budget will come here".to_owned();
        Self {
            event: "test",
            scope: None,
            key: None,
            window: None,
            percent: None,
            limit_usd: None,
            spent_usd: None,
            resets_at: None,
            content: text.clone(),
            text,
        }
    }
}

/// Posts once.
///
/// # Errors
/// Why it did not arrive.
pub async fn post(
    client: &HttpClient,
    address: &SecretString,
    message: &Message,
) -> Result<(), AlertError> {
    let url = Url::parse(address.expose_secret()).map_err(|_| AlertError::Address)?;
    let request = client.plainly(&url).post(url).json(message).timeout(TIMEOUT);
    let response = request.send().await.map_err(|error| failure(&error))?;
    match response.status() {
        status if status.is_success() => Ok(()),
        status => Err(AlertError::Status(StatusCode::as_u16(&status))),
    }
}

/// What is known of a failure without its address.
fn failure(error: &reqwest::Error) -> AlertError {
    if error.is_timeout() {
        return AlertError::Timeout;
    }
    let mut cause: &dyn std::error::Error = error;
    let mut why = "the request was not sent".to_owned();
    while let Some(inner) = cause.source() {
        why = inner.to_string();
        cause = inner;
    }
    AlertError::Connection(why)
}

/// Posts, and tries again with growing pauses where that may help: up to two and a half minutes. That
/// it did not arrive at last is logged.
pub async fn deliver(client: &HttpClient, address: &SecretString, message: &Message) {
    let mut pauses = PAUSES.into_iter();
    loop {
        let Err(error) = post(client, address, message).await else { return };
        let pause = pauses.next().filter(|_| error.may_pass());
        let Some(pause) = pause else {
            tracing::error!(%error, "a budget warning did not reach budget.warn_webhook");
            return;
        };
        tracing::debug!(%error, "a budget warning is posted again");
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_happened_to_programs_and_to_people() {
        let warning = Warning {
            key: Some("ci".into()),
            period: crate::store::ledger::Period::Day,
            percent: 80,
            limit: NanoUsd(3_000_000_000),
            spent: NanoUsd(2_410_000_001),
            resets_at: "2026-11-22T00:00:00Z".parse().unwrap(),
        };
        let text = "edge-router: the daily budget of the key `ci` is spent to 80 %: $2.410000001 of $3.00, resets at 2026-11-22T00:00:00Z";
        assert_eq!(
            serde_json::to_value(Message::about(&warning)).unwrap(),
            serde_json::json!({
                "event": "budget_warning", "scope": "key", "key": "ci", "window": "daily",
                "percent": 80, "limit_usd": 3.0, "spent_usd": 2.410_000_001,
                "resets_at": "2026-11-22T00:00:00Z", "text": text, "content": text,
            })
        );
        let everybody = serde_json::to_value(Message::about(&Warning { key: None, ..warning }));
        assert_eq!(everybody.unwrap()["scope"], "global");
    }

    #[tokio::test]
    async fn an_address_is_in_no_error() {
        let client = HttpClient::new(None, None).unwrap();
        for address in ["http://127.0.0.1:1/secret", "no address: secret"] {
            let error = post(&client, &address.into(), &Message::test()).await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, again) in [(429, true), (503, true), (408, true), (404, false), (302, false)] {
            assert_eq!(AlertError::Status(status).may_pass(), again, "{status}");
        }
        assert!(!AlertError::Address.may_pass());
    }
}
