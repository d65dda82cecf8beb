//! Who calls: the master key, a client key or, on a server without a master key, whoever can reach it.
//! Decides whether a request may use a route; which models a key may use is the pipeline's.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::error::Failure;
use super::routes::{Access, access, canonical};
use crate::keys::{Digest, Found, Keys, digest, looks_like_key};
use crate::pipeline::{Caller, Rights};
use crate::state::AppState;

/// Why a caller is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error(
        "no API key was sent: send `Authorization: Bearer KEY` or `x-api-key: KEY`, where KEY is the router's `server.master_key` or a client key of `edge-router keys create` (not a provider's key)"
    )]
    Missing,
    #[error(
        "the API key is not valid: send the router's `server.master_key` or a client key of `edge-router keys create` as the client's API key (not a provider's key)"
    )]
    Wrong,
    #[error(
        "this client key has been revoked: ask the owner of the router for a new one (`edge-router keys create`)"
    )]
    Revoked,
    #[error(
        "this path needs the master key, or a call from this machine to a server without a key"
    )]
    NotAdmin,
    #[error("a client key sees its own budget only: leave the parameter key out")]
    OtherKey,
}

/// Lets through what [`access`] allows; everything that is not listed as open needs a key. Tells
/// whoever is let through what is left to spend.
pub(super) async fn admit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let template = canonical(request.extensions().get::<MatchedPath>());
    let needed = access(template);
    if needed == Access::Open {
        return next.run(request).await;
    }
    let caller = match identify(&state, request.headers(), request.extensions()).await {
        Ok(caller) if needed == Access::Admin && !caller.admin => Err(AuthError::NotAdmin),
        identified => identified,
    };
    match caller {
        Ok(caller) => {
            let mut answer = next.run(request).await;
            show_budget(&mut answer, &state, &caller).await;
            answer
        }
        Err(error) => Failure::from(error).into_response(),
    }
}

/// What is left to spend, where a limit is set: the least that any window of the caller leaves. And
/// the warning that stands, of the windows that the caller may see.
async fn show_budget(answer: &mut Response, state: &AppState, caller: &Caller) {
    const LEFT: HeaderName = HeaderName::from_static("x-edge-budget-remaining-usd");
    const WARNING: HeaderName = HeaderName::from_static("x-edge-budget-warning");
    let own = caller.budget().map(AsRef::as_ref);
    let Ok(headroom) = state.runtime.ledger.recent_headroom_of(own).await else { return };
    let mut show = |name: HeaderName, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            answer.headers_mut().entry(name).or_insert(value);
        }
    };
    if let Some(left) = headroom.remaining() {
        show(LEFT, left.to_string());
    }
    let warning = headroom.warning(&state.snapshot.load().config.budget.warn_at);
    if let Some(warning) = warning {
        show(WARNING, warning.short());
    }
}

/// Who this is, or why nobody we know. A client key that is not known may be new: the ledger's file is
/// looked into once more.
async fn identify(
    state: &AppState,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Caller, AuthError> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let known = who(state, headers, peer);
    if known.as_ref().err() != Some(&AuthError::Wrong) || !sent(headers).any(looks_like_key) {
        return known;
    }
    let runtime = &state.runtime;
    let found = |keys: &Keys| sent(headers).any(|key| keys.find(&digest(key)).is_some());
    runtime.keys.look_again(runtime.clock.as_ref(), found).await;
    who(state, headers, peer)
}

/// Who this is as far as is known now. On a server without a master key every caller may do all, on
/// loopback as its owner. A key that is sent all the same is ignored (clients insist on sending one)
/// only as long as no client key was ever given out: what has the form of one, or might be one that
/// was mistyped, must not open more than the real one.
fn who(
    state: &AppState,
    headers: &HeaderMap,
    peer: Option<&ConnectInfo<SocketAddr>>,
) -> Result<Caller, AuthError> {
    let snapshot = state.snapshot.load();
    let master = snapshot.config.server.master_key.as_ref();
    let keys = state.runtime.keys.current();
    let mut wrong = None;
    for key in sent(headers) {
        let digest = digest(key);
        if master.is_some_and(|master| same(&digest, master)) {
            return Ok(Caller::master());
        }
        match keys.find(&digest) {
            Some(Found::Live(client)) => return Ok(Caller::client(client)),
            Some(Found::Revoked) => wrong = Some(AuthError::Revoked),
            None if master.is_some() || keys.any() || looks_like_key(key) => {
                wrong = wrong.or(Some(AuthError::Wrong));
            }
            None => {}
        }
    }
    match (wrong, master) {
        (Some(wrong), _) => Err(wrong),
        (None, Some(_)) => Err(AuthError::Missing),
        (None, None) => {
            let here = peer.is_some_and(|ConnectInfo(at)| at.ip().to_canonical().is_loopback());
            Ok(Caller::local(if here { Rights::Owner } else { Rights::User }))
        }
    }
}

/// The keys that a request carries, in both forms that clients use.
fn sent(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers.get_all(header::AUTHORIZATION).into_iter().filter_map(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(key)
    });
    let plain = headers.get_all("x-api-key").into_iter().map(|value| value.as_bytes());
    bearer.chain(plain).map(<[u8]>::trim_ascii).filter(|key| !key.is_empty())
}

/// Compares digests in constant time, so that neither content nor length of the key shows.
fn same(sent: &Digest, master: &SecretString) -> bool {
    let master = digest(master.expose_secret().trim().as_bytes());
    sent.as_bytes().ct_eq(master.as_bytes()).into()
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Failure> {
        Ok(identify(state, &parts.headers, &parts.extensions).await?)
    }
}
