//! What the client sends to an OpenAI-kind provider arrives as it was sent.

use serde_json::Value;

use crate::openai::one_provider;
use crate::support::{TestRouter, Upstream};

#[tokio::test]
async fn unknown_fields_reach_the_upstream_unchanged_and_in_order() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let sent = r#"{"x_custom": {"a":[1,2],"f":1.0,"big":12345678901234567890123},"model":"auto","reasoning_effort":"low","messages":[{"role":"user","content":[{"type":"text","text":"caf\u00e9 hi","cache_control":{"type":"ephemeral"}}],"x_inner":null}],"temperature":1e0,"max_tokens":50,"x_last":"\/"}"#;
    let response = router
        .http
        .post(format!("{}/v1/chat/completions", router.base))
        .header("content-type", "application/json")
        .body(sent)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let arrived = upstream.last().text();
    let without_space = |text: &str| text.replace(": ", ":");
    let expected = without_space(sent).replace("\"model\":\"auto\"", "\"model\":\"solid\"");
    assert_eq!(without_space(&arrived), expected);
}

#[tokio::test]
async fn the_clients_cap_is_never_raised_and_a_missing_one_is_added_last() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    router.chat(&serde_json::json!({"messages": [{"role": "user", "content": "hi"}]})).await;
    let arrived: Value = upstream.last().json();
    let keys: Vec<&String> = arrived.as_object().unwrap().keys().collect();
    assert_eq!(keys[0], "messages");
    assert_eq!(arrived["model"], "solid");
    let cap = arrived["max_tokens"].as_u64().or(arrived["max_completion_tokens"].as_u64());
    assert_eq!(cap, Some(8192));
}

#[tokio::test]
async fn the_providers_key_is_sent_and_the_clients_is_not() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let body = serde_json::json!({"messages": [{"role": "user", "content": "hi"}]});
    router
        .post("/v1/chat/completions", &body)
        .header("authorization", "Bearer sk-the-clients-own")
        .send()
        .await
        .unwrap();
    let headers = upstream.last().headers;
    assert_eq!(headers["authorization"], "Bearer sk-test");
    assert!(!headers.contains_key("x-project"));
}
