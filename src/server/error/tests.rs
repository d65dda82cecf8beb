use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use rstest::rstest;

use super::*;

async fn rendered(failure: Failure, protocol: Protocol) -> (Response<Body>, Value) {
    let response = finish(failure.into_response(), protocol, &RequestId::from("req_1"));
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let value = serde_json::from_slice(&bytes).unwrap();
    (Response::from_parts(parts, Body::empty()), value)
}

fn attempts() -> Vec<Attempt> {
    vec![
        Attempt {
            model_id: "a/b".into(),
            status: Some(500),
            reason: "upstream error".into(),
            cost_usd: None,
        },
        Attempt {
            model_id: "c/d".into(),
            status: None,
            reason: "cannot connect".into(),
            cost_usd: None,
        },
    ]
}

fn text() -> String {
    "words".to_owned()
}

#[rstest]
#[case(ChatError::InvalidRequest { message: text(), param: Some("n".into()) }, 400, "invalid_request", "invalid_request_error")]
#[case(ChatError::ModelNotFound { message: text(), nearest: vec![] }, 404, "model_not_found", "invalid_request_error")]
#[case(ChatError::ModelNotAllowed { message: text() }, 403, "model_not_allowed", "permission_error")]
#[case(ChatError::UnsupportedCapability { message: text() }, 400, "unsupported_capability", "invalid_request_error")]
#[case(ChatError::ContextLengthExceeded { window: 10, tokens: 20 }, 400, "context_length_exceeded", "invalid_request_error")]
#[case(ChatError::BudgetExceeded { message: text(), resets_at: None }, 402, "budget_exceeded", "billing_error")]
#[case(ChatError::RateLimited { message: text(), retry_after: Duration::ZERO, attempts: vec![] }, 429, "rate_limited", "rate_limit_error")]
#[case(ChatError::AllBackendsFailed { message: text(), attempts: vec![] }, 502, "all_backends_failed", "server_error")]
#[case(ChatError::NoBackend { message: text(), retry_after: Duration::ZERO }, 503, "no_backend", "server_error")]
#[case(ChatError::UpstreamTimeout { message: text(), attempts: vec![] }, 504, "upstream_timeout", "server_error")]
#[case(ChatError::LedgerUnavailable { message: text() }, 503, "no_backend", "server_error")]
#[tokio::test]
async fn every_error_has_its_status_and_code(
    #[case] error: ChatError,
    #[case] status: u16,
    #[case] code: &str,
    #[case] kind: &str,
) {
    let (response, body) = rendered(error.into(), Protocol::OpenAi).await;
    assert_eq!(response.status(), status);
    assert_eq!(body["error"]["code"], code);
    assert_eq!(body["error"]["type"], kind);
    assert!(body["error"]["message"].is_string());
    assert!(body["error"].as_object().unwrap().contains_key("param"));
    let waits = response.headers().contains_key("retry-after");
    assert_eq!(waits, status == 429 || status == 503);
}

#[tokio::test]
async fn what_was_tried_is_there_as_data() {
    let error = ChatError::AllBackendsFailed { message: text(), attempts: attempts() };
    let (_, body) = rendered(error.into(), Protocol::OpenAi).await;
    assert_eq!(body["error"]["message"], "words");
    assert_eq!(body["error"]["attempts"][0]["model_id"], "a/b");
    assert_eq!(body["error"]["attempts"][1]["status"], Value::Null);
}

#[tokio::test]
async fn retry_after_is_whole_seconds_rounded_up() {
    let retry_after = Duration::from_millis(2_001);
    let error = ChatError::RateLimited { message: text(), retry_after, attempts: vec![] };
    let (response, _) = rendered(error.into(), Protocol::OpenAi).await;
    assert_eq!(response.headers()["retry-after"], "3");
}

#[tokio::test]
async fn a_context_overflow_is_told_in_the_words_that_clients_parse() {
    let error = || ChatError::ContextLengthExceeded { window: 1000, tokens: 1500 };
    let (_, body) = rendered(error().into(), Protocol::OpenAi).await;
    assert_eq!(
        body["error"]["message"],
        "This model's maximum context length is 1000 tokens. However, your messages resulted in 1500 tokens."
    );
    let (_, body) = rendered(error().into(), Protocol::Anthropic).await;
    assert_eq!(body["error"]["message"], "prompt is too long: 1500 tokens > 1000 maximum");
    assert_eq!(body["error"]["type"], "invalid_request_error");
}

#[tokio::test]
async fn the_providers_own_error_passes_unchanged() {
    let own = r#"{"error":{"message":"bad `n`","type":"x","code":null},"extra":1}"#;
    let error = ChatError::Upstream {
        status: 422,
        body: Bytes::from_static(own.as_bytes()),
        message: text(),
        kind: ProviderErrorKind::Request,
    };
    let (response, body) = rendered(error.into(), Protocol::OpenAi).await;
    assert_eq!(response.status(), 422);
    assert_eq!(body.to_string(), own);
}

#[tokio::test]
async fn a_providers_error_page_is_put_into_our_form() {
    let body = Bytes::from_static(b"<html>no</html>");
    let error = ChatError::Upstream {
        status: 400,
        body,
        message: "the provider said no".into(),
        kind: ProviderErrorKind::Request,
    };
    let (response, body) = rendered(error.into(), Protocol::OpenAi).await;
    assert_eq!(response.status(), 400);
    assert_eq!(body["error"]["message"], "the provider said no");
}

#[tokio::test]
async fn another_protocols_error_is_told_in_the_clients_form_and_a_full_window_has_its_code() {
    let own = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#;
    let error = || ChatError::Upstream {
        status: 400,
        body: Bytes::from_static(own.as_bytes()),
        message: "prompt is too long: 9 tokens > 8 maximum".into(),
        kind: ProviderErrorKind::ContextOverflow,
    };
    let (_, body) = rendered(error().into(), Protocol::OpenAi).await;
    assert_eq!(body["error"]["code"], "context_length_exceeded");
    assert_eq!(body["error"]["message"], "prompt is too long: 9 tokens > 8 maximum");
    assert!(body["error"].as_object().unwrap().contains_key("param"));
    let (_, body) = rendered(error().into(), Protocol::Anthropic).await;
    assert_eq!(body.to_string(), own);
}

#[rstest]
#[case("/v1/messages", Protocol::Anthropic)]
#[case("/anthropic/v1/messages/count_tokens", Protocol::Anthropic)]
#[case("/messages", Protocol::Anthropic)]
#[case("/v1/messages-of-mine", Protocol::OpenAi)]
#[case("/v1/chat/completions", Protocol::OpenAi)]
#[case("/anthropic/v1/models", Protocol::OpenAi)]
fn the_path_says_whose_form_an_error_has(#[case] path: &str, #[case] protocol: Protocol) {
    assert_eq!(Protocol::of_path(path), protocol);
}
