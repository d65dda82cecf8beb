//! Makes a [`RequestContext`] from a request's headers: which of them count, and what they may say.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use super::edge::Arrival;
use super::error::Failure;
use crate::catalog::Tier;
use crate::context;
use crate::pipeline::{Caller, RequestContext};
use crate::state::{AppState, Snapshot};

/// Names of the conversation, ours first, then what clients send on their own (opencode and Kilo,
/// Codex, Claude Code). The first one present counts.
const SESSION_HEADERS: [&str; 5] =
    ["x-session-id", "session-id", "x-session-affinity", "x-claude-code-session-id", "thread-id"];

/// Headers that belong to a provider's protocol and are handed on to a provider of it.
const FORWARDED_HEADERS: [&str; 2] = ["anthropic-beta", "anthropic-version"];

/// Longest project or session name in bytes.
const LONGEST_NAME: usize = 256;

/// A request whose caller is known and whose headers are sound.
#[derive(Debug)]
pub(super) struct Incoming(pub(super) RequestContext);

impl FromRequestParts<AppState> for Incoming {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let Ok(Arrival { id, at, wall }) = Arrival::from_request_parts(parts, state).await;
        let snapshot = state.current();
        let headers = &parts.headers;
        let asked = flag(headers, "x-inject-context")?;
        Ok(Self(RequestContext {
            id,
            inject: inject(headers, asked, &caller, &snapshot),
            project: project(&caller, name(headers, "x-project")?)?,
            caller,
            received: at,
            received_at: wall,
            deadline: at + snapshot.config.server.request_timeout,
            snapshot,
            forced_tier: forced_tier(headers)?,
            session: session(headers)?,
            forwarded: forwarded(headers),
        }))
    }
}

/// The project of the request, within those of the caller's key.
fn project(caller: &Caller, asked: Option<String>) -> Result<Option<String>, Failure> {
    match &caller.client {
        Some(client) => client.project(asked).map_err(|error| Failure::forbidden_project(&error)),
        None => Ok(asked),
    }
}

fn forced_tier(headers: &HeaderMap) -> Result<Option<Tier>, Failure> {
    let Some(value) = headers.get("x-task-tier") else { return Ok(None) };
    let tier = value.to_str().ok().and_then(|text| text.trim().to_ascii_lowercase().parse().ok());
    tier.map(Some).ok_or_else(|| {
        let allowed = Tier::ALL.map(Tier::as_str).join(", ");
        Failure::invalid(format!(
            "the header X-Task-Tier has an unknown value; allowed are {allowed}"
        ))
        .with_param("X-Task-Tier")
    })
}

fn inject(headers: &HeaderMap, asked: Option<bool>, caller: &Caller, now: &Snapshot) -> bool {
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let own = caller.client.as_ref().and_then(|client| client.grants.inject);
    context::wanted(asked, user_agent, own, now.config.context.inject)
}

fn flag(headers: &HeaderMap, name: &'static str) -> Result<Option<bool>, Failure> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let value = value.as_bytes().trim_ascii();
    if value.eq_ignore_ascii_case(b"true") {
        return Ok(Some(true));
    }
    if value.eq_ignore_ascii_case(b"false") {
        return Ok(Some(false));
    }
    Err(Failure::invalid(format!("the header {name} must be true or false")).with_param(name))
}

fn session(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    for header in SESSION_HEADERS {
        if let Some(found) = name(headers, header)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A name that the client gives; empty counts as absent.
fn name(headers: &HeaderMap, header: &'static str) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(header) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map(str::trim).unwrap_or("\u{0}");
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > LONGEST_NAME || text.chars().any(char::is_control) {
        let message = format!(
            "the header {header} must be readable text of at most {LONGEST_NAME} bytes in UTF-8"
        );
        return Err(Failure::invalid(message).with_param(header));
    }
    Ok(Some(text.to_owned()))
}

fn forwarded(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in FORWARDED_HEADERS {
        for value in headers.get_all(name) {
            if let Ok(value) = value.to_str() {
                found.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    found
}
