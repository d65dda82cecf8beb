//! Who calls: the master key or, on a server without one, whoever can reach it. Decides whether a
//! request may use a route; which models a key may use is the pipeline's.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::error::Failure;
use super::routes::{Access, access, canonical};
use crate::ids::KeyId;
use crate::pipeline::Caller;
use crate::state::AppState;

/// Why a caller is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error(
        "no API key was sent: send `Authorization: Bearer KEY` or `x-api-key: KEY`, where KEY is the router's `server.master_key` (not a provider's key)"
    )]
    Missing,
    #[error(
        "the API key is not valid: send the router's `server.master_key` as the client's API key (not a provider's key)"
    )]
    Wrong,
    #[error(
        "this path needs the master key, or a call from this machine to a server without a key"
    )]
    NotAdmin,
}

/// Lets through what [`access`] allows; everything that is not listed as open needs a key.
pub(super) async fn admit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let template = canonical(request.extensions().get::<MatchedPath>());
    let admitted = match access(template) {
        Access::Open => Ok(()),
        Access::Key => identify(&state, request.headers(), request.extensions()).map(drop),
        Access::Admin => identify(&state, request.headers(), request.extensions())
            .and_then(|caller| admin_only(&caller)),
    };
    match admitted {
        Ok(()) => next.run(request).await,
        Err(error) => Failure::from(error).into_response(),
    }
}

fn admin_only(caller: &Caller) -> Result<(), AuthError> {
    if caller.admin { Ok(()) } else { Err(AuthError::NotAdmin) }
}

/// Who this is, or why nobody we know.
fn identify(
    state: &AppState,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Caller, AuthError> {
    let snapshot = state.snapshot.load();
    let Some(master) = &snapshot.config.server.master_key else {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let admin = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
        return Ok(Caller { key: KeyId::from("local"), admin });
    };
    let mut sent = false;
    for key in keys(headers) {
        sent = true;
        if same(key, master) {
            return Ok(Caller { key: KeyId::from("master"), admin: true });
        }
    }
    Err(if sent { AuthError::Wrong } else { AuthError::Missing })
}

/// The keys that a request carries, in both forms that clients use.
fn keys(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers.get_all(header::AUTHORIZATION).into_iter().filter_map(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(key)
    });
    let plain = headers.get_all("x-api-key").into_iter().map(|value| value.as_bytes());
    bearer.chain(plain).map(<[u8]>::trim_ascii).filter(|key| !key.is_empty())
}

/// Compares digests in constant time, so that neither content nor length of the key shows.
fn same(sent: &[u8], master: &SecretString) -> bool {
    let sent = blake3::hash(sent);
    let master = blake3::hash(master.expose_secret().trim().as_bytes());
    sent.as_bytes().ct_eq(master.as_bytes()).into()
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Failure> {
        Ok(identify(state, &parts.headers, &parts.extensions)?)
    }
}
