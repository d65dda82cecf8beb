//! A [`Reply`] as an HTTP response: its headers and the way its body is sent.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures_util::StreamExt;

use crate::pipeline::{Reply, ReplyContent, ReplyMeta};

pub(super) fn respond(reply: Reply) -> Response {
    let Reply { meta, body } = reply;
    let mut response = match body {
        ReplyContent::Whole(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            set(response.headers_mut(), header::CONTENT_TYPE, "application/json");
            response
        }
        ReplyContent::Stream(stream) => {
            let mut response = Response::new(Body::from_stream(stream.map(Ok::<_, Infallible>)));
            let headers = response.headers_mut();
            set(headers, header::CONTENT_TYPE, "text/event-stream");
            set(headers, header::CACHE_CONTROL, "no-cache");
            // nginx and its kin would hold chunks back
            set(headers, HeaderName::from_static("x-accel-buffering"), "no");
            response
        }
    };
    describe(response.headers_mut(), &meta);
    response
}

fn describe(headers: &mut HeaderMap, meta: &ReplyMeta) {
    let named = HeaderName::from_static;
    set(headers, named("x-edge-model"), meta.model.as_str());
    set(headers, named("x-edge-tier"), meta.tier.as_str());
    headers.insert(named("x-edge-fallback-index"), HeaderValue::from(meta.fallback_index));
    set(headers, named("x-edge-cache"), "off");
    if let Some(left) = meta.budget_remaining {
        set(headers, named("x-edge-budget-remaining-usd"), &left.to_string());
    }
    if !meta.dropped.is_empty() {
        set(headers, named("x-edge-dropped"), &meta.dropped.join(", "));
    }
    if let Some(cost) = meta.cost {
        set(headers, named("x-edge-cost-usd"), &cost.to_string());
    }
}

/// Sets a header; characters that a header cannot hold become `?`.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).or_else(|_| {
        let safe = |c: char| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' };
        HeaderValue::from_str(&value.chars().map(safe).collect::<String>())
    });
    if let Ok(value) = value {
        headers.insert(name, value);
    }
}
