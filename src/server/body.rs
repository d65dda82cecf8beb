//! Reads a request's body, up to the configured size and time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::error::Failure;
use crate::state::AppState;

/// A refused body is read to its end (clients that are still sending do not look for an answer),
/// but never more than this many times the limit.
const DRAIN_FACTOR: usize = 8;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// The whole body as sent.
#[derive(Debug)]
pub(super) struct Payload(pub(super) Bytes);

impl FromRequest<AppState> for Payload {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Failure> {
        let (limit, patience) = {
            let snapshot = state.snapshot.load();
            let server = &snapshot.config.server;
            (server.max_body_bytes, server.request_timeout)
        };
        let (parts, body) = request.into_parts();
        refuse_compressed(&parts.headers)?;
        let waits_for_go = parts.headers.contains_key(header::EXPECT);
        let reading = tokio::time::timeout(patience, read(body, limit));
        match reading.await.map_err(|_| Failure::too_slow(patience))? {
            Read::Whole(bytes) => Ok(Self(bytes)),
            Read::Broken => Err(Failure::invalid("the request body ended early")),
            Read::TooLarge(rest) => {
                if !waits_for_go {
                    let _ = tokio::time::timeout(DRAIN_TIME, drain(rest, limit)).await;
                }
                Err(Failure::too_large(limit))
            }
        }
    }
}

fn refuse_compressed(headers: &HeaderMap) -> Result<(), Failure> {
    let plain =
        |value: &axum::http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().all(plain) {
        return Ok(());
    }
    let message = "compressed request bodies are not read: send it without `content-encoding`";
    Err(Failure::invalid(message).with_param("content-encoding"))
}

enum Read {
    Whole(Bytes),
    TooLarge(Body),
    /// The client stopped in the middle.
    Broken,
}

async fn read(mut body: Body, limit: usize) -> Read {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Read::TooLarge(body);
    }
    let Some(first) = next_chunk(&mut body).await else { return Read::Whole(Bytes::new()) };
    let Ok(first) = first else { return Read::Broken };
    if first.len() > limit {
        return Read::TooLarge(body);
    }
    if body.is_end_stream() {
        return Read::Whole(first);
    }
    let mut whole = BytesMut::with_capacity(announced.max(first.len()));
    whole.extend_from_slice(&first);
    while let Some(chunk) = next_chunk(&mut body).await {
        let Ok(chunk) = chunk else { return Read::Broken };
        if whole.len() + chunk.len() > limit {
            return Read::TooLarge(body);
        }
        whole.extend_from_slice(&chunk);
    }
    Read::Whole(whole.freeze())
}

/// The next piece of data; trailers are passed over.
async fn next_chunk(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        match body.frame().await? {
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data));
                }
            }
            Err(error) => return Some(Err(error)),
        }
    }
}

async fn drain(mut body: Body, limit: usize) {
    let mut left = limit.saturating_mul(DRAIN_FACTOR);
    while let Some(Ok(chunk)) = next_chunk(&mut body).await {
        left = left.saturating_sub(chunk.len());
        if left == 0 {
            return;
        }
    }
}
