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
    let plain = |c: char| c.is_ascii() && !c.is_ascii_control();
    let value = match value.chars().all(plain) {
        true => HeaderValue::from_str(value),
        false => {
            let safe: String = value.chars().map(|c| if plain(c) { c } else { '?' }).collect();
            HeaderValue::from_str(&safe)
        }
    };
    if let Ok(value) = value {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::BodyExt;

    use super::*;
    use crate::catalog::Tier;
    use crate::money::NanoUsd;

    fn meta() -> ReplyMeta {
        ReplyMeta {
            model: "acme/größer".into(),
            tier: Tier::Standard,
            fallback_index: 2,
            budget_remaining: Some(NanoUsd(1_500_000_000)),
            dropped: vec!["seed".to_owned(), "logit_bias".to_owned()],
            cost: Some(NanoUsd(45_000)),
        }
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn a_whole_answer_has_the_headers_of_the_contract() {
        let body = ReplyContent::Whole(Bytes::from_static(b"{}"));
        let response = respond(Reply { meta: meta(), body });
        assert_eq!(header(&response, "content-type"), "application/json");
        assert_eq!(header(&response, "x-edge-model"), "acme/gr??er");
        assert_eq!(header(&response, "x-edge-tier"), "standard");
        assert_eq!(header(&response, "x-edge-fallback-index"), "2");
        assert_eq!(header(&response, "x-edge-cache"), "off");
        assert_eq!(header(&response, "x-edge-budget-remaining-usd"), "1.5");
        assert_eq!(header(&response, "x-edge-dropped"), "seed, logit_bias");
        assert_eq!(header(&response, "x-edge-cost-usd"), "0.000045");
    }

    #[tokio::test]
    async fn a_stream_is_sent_chunk_by_chunk_and_never_buffered_or_cached() {
        let chunks =
            ["data: 1\n\n", "data: [DONE]\n\n"].map(|text| Bytes::from_static(text.as_bytes()));
        let body = ReplyContent::Stream(futures_util::stream::iter(chunks).boxed());
        let meta = ReplyMeta { cost: None, dropped: Vec::new(), budget_remaining: None, ..meta() };
        let response = respond(Reply { meta, body });
        assert_eq!(header(&response, "content-type"), "text/event-stream");
        assert_eq!(header(&response, "cache-control"), "no-cache");
        assert_eq!(header(&response, "x-accel-buffering"), "no");
        for absent in ["x-edge-cost-usd", "x-edge-dropped", "x-edge-budget-remaining-usd"] {
            assert_eq!(header(&response, absent), "");
        }
        let whole = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(whole, "data: 1\n\ndata: [DONE]\n\n");
    }
}
