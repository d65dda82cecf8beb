//! Whatever comes in, the answer is a clear error or a service; never a panic, never a leak.

use serde_json::{Value, json};

use crate::openai::one_provider;
use crate::support::{TestRouter, Upstream};

async fn send(router: &TestRouter, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let response = router
        .http
        .post(format!("{}/v1/chat/completions", router.base))
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .unwrap();
    assert!(response.headers().contains_key("x-request-id"));
    (response.status().as_u16(), response.json().await.unwrap())
}

fn message(body: &Value) -> &str {
    body["error"]["message"].as_str().unwrap()
}

#[rstest::rstest]
#[case::not_json("{\"messages\": [", "line 1")]
#[case::empty("", "")]
#[case::a_list("[1,2]", "object")]
#[case::no_messages("{\"model\":\"auto\"}", "messages")]
#[case::messages_not_a_list("{\"messages\":\"hi\"}", "messages")]
#[case::content_a_number(
    "{\"messages\":[{\"role\":\"user\",\"content\":7}]}",
    "messages[0].content"
)]
#[case::unknown_role("{\"messages\":[{\"role\":\"wizard\",\"content\":\"x\"}]}", "role")]
#[case::stream_a_string(
    "{\"stream\":\"yes\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
    "stream"
)]
#[case::cap_a_string(
    "{\"max_tokens\":\"many\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
    "max_tokens"
)]
#[tokio::test]
async fn malformed_bodies_are_400_and_say_where(#[case] body: &'static str, #[case] names: &str) {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let (status, error) = send(&router, body).await;
    assert_eq!(status, 400, "{error}");
    assert_eq!(error["error"]["code"], "invalid_request");
    assert!(message(&error).contains(names), "{error}");
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn invalid_utf8_is_a_400() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let mut body = br#"{"messages":[{"role":"user","content":""#.to_vec();
    body.extend([0xff, 0xfe]);
    body.extend(br#""}]}"#);
    let (status, error) = send(&router, body).await;
    assert_eq!((status, &error["error"]["code"]), (400, &json!("invalid_request")));
}

#[tokio::test]
async fn an_unknown_tier_header_names_the_allowed_ones() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let response = router
        .post("/v1/chat/completions", &json!({"messages": [{"role": "user", "content": "x"}]}))
        .header("x-task-tier", "herculean")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    let error: Value = response.json().await.unwrap();
    assert!(message(&error).contains("operational"), "{error}");
}

#[tokio::test]
async fn an_unknown_model_is_404_with_the_nearest_names() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let body = json!({"model": "up/solidd", "messages": [{"role": "user", "content": "x"}]});
    let (status, error) = send(&router, body.to_string()).await;
    assert_eq!(status, 404);
    assert_eq!(error["error"]["code"], "model_not_found");
    assert!(message(&error).contains("up/solid"), "{error}");
}

#[tokio::test]
async fn an_oversized_body_is_413_and_names_the_limit() {
    let upstream = Upstream::start().await;
    let toml =
        format!("[server]\ndata_dir = \"data\"\nmax_body_mb = 1\n{}", one_provider(&upstream));
    let router = TestRouter::start(&toml).await;
    let huge = json!({"messages": [{"role": "user", "content": "x".repeat(2 << 20)}]});
    let (status, error) = send(&router, huge.to_string()).await;
    assert_eq!(status, 413);
    assert_eq!(error["error"]["code"], "request_too_large");
    assert!(message(&error).contains("max_body_mb"), "{error}");
}

#[tokio::test]
async fn a_prompt_longer_than_every_window_is_told_in_the_words_that_clients_parse() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let body = json!({"messages": [{"role": "user", "content": "word ".repeat(400_000)}]});
    let (status, error) = send(&router, body.to_string()).await;
    assert_eq!(status, 400);
    assert_eq!(error["error"]["code"], "context_length_exceeded");
    assert!(message(&error).starts_with(
        "This model's maximum context length is 128000 tokens. However, your messages resulted in"
    ));
}

#[tokio::test]
async fn empty_and_odd_prompts_are_served() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    for content in [json!(""), json!([]), json!("\u{0}\u{202e}🦀"), json!("x".repeat(200_000))] {
        let body = json!({"messages": [{"role": "user", "content": content}]});
        let (status, answer) = send(&router, body.to_string()).await;
        assert_eq!(status, 200, "{answer}");
    }
}

#[tokio::test]
async fn a_capability_that_no_model_has_is_named() {
    let upstream = Upstream::start().await;
    let toml = one_provider(&upstream).replace("\"tools\", ", "");
    let router = TestRouter::start(&toml).await;
    let body = json!({"messages": [{"role": "user", "content": "x"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]});
    let (status, error) = send(&router, body.to_string()).await;
    assert_eq!((status, &error["error"]["code"]), (400, &json!("unsupported_capability")));
    assert!(message(&error).contains("tools"), "{error}");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_json_errors() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let missing = router.get("/v1/chatter").await;
    assert_eq!(missing.status(), 404);
    assert!(missing.json::<Value>().await.unwrap()["error"]["message"].is_string());
    let wrong = router.get("/v1/chat/completions").await;
    assert_eq!(wrong.status(), 405);
}
