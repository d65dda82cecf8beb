//! The outermost layer: what every answer gets, whatever happens inside. Names the request, turns
//! foreign pages and panics into failures, renders failures, and counts.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use jiff::Timestamp;

use super::error::{Failure, Protocol, finish};
use super::{guard, routes};
use crate::ids::RequestId;
use crate::state::AppState;
use crate::telemetry;

/// The moment a request came, and its name from then on. The name is always ours: it is the key of
/// the ledger's record, so a client may not choose it.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) id: RequestId,
    pub(super) at: Instant,
    pub(super) wall: Timestamp,
}

impl Arrival {
    fn now(state: &AppState) -> Self {
        let clock = &state.runtime.clock;
        Self { id: RequestId::fresh(), at: clock.instant(), wall: clock.now() }
    }
}

impl FromRequestParts<AppState> for Arrival {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Self::now(state)))
    }
}

/// Runs the request inside everything that no handler should have to think of.
pub(super) async fn observe(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let arrival = Arrival::now(&state);
    let protocol = Protocol::of_path(request.uri().path());
    let route = routes::canonical(request.extensions().get::<MatchedPath>());
    let method = request.method().clone();
    let from_page = request.headers().contains_key(header::ORIGIN);
    request.extensions_mut().insert(arrival.clone());
    let in_flight = telemetry::in_flight();
    let answer = match guard::check(&state, &request) {
        Ok(()) => AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|_panic| Failure::internal().into_response()),
        Err(refused) => refused.into_response(),
    };
    drop(in_flight);
    let mut answer = finish(answer, protocol, &arrival.id);
    if !from_page {
        remove_cors(&mut answer);
    }
    name(&mut answer, &arrival.id);
    let elapsed = state.runtime.clock.instant().saturating_duration_since(arrival.at);
    telemetry::http_answered(route, &method, answer.status(), elapsed);
    answer
}

/// What the CORS layer says to everyone, and only web pages need.
fn remove_cors(answer: &mut Response) {
    answer.headers_mut().remove(header::ACCESS_CONTROL_EXPOSE_HEADERS);
    answer.headers_mut().remove(header::VARY);
}

fn name(answer: &mut Response, id: &RequestId) {
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        answer.headers_mut().insert("x-request-id", id);
    }
}
