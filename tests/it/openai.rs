//! Chat completions against an OpenAI-kind provider: whole answers and streams.

use serde_json::{Value, json};

use crate::support::{Script, TestRouter, Upstream, sse_events};

pub fn one_provider(upstream: &Upstream) -> String {
    format!(
        r#"
[[providers]]
id = "up"
kind = "openai"
base_url = "{}/v1"
api_keys = ["sk-test"]

[[models]]
id = "up/solid"
provider = "up"
upstream = "solid"
max_tier = "deep"
input_usd_per_mtok = 2.00
output_usd_per_mtok = 8.00
cache_read_usd_per_mtok = 0.50
context_window = 128000
max_output_tokens = 16384
capabilities = ["chat", "tools", "vision", "json_schema", "reasoning"]
"#,
        upstream.base
    )
}

fn ask(text: &str) -> Value {
    json!({"model": "auto", "messages": [{"role": "user", "content": text}]})
}

#[tokio::test]
async fn a_whole_answer_carries_headers_and_proxy_and_keeps_the_upstreams_fields() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Answer { text: "hello".into(), usage: (1000, 200, 50) });
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let response = router.chat(&ask("write a parser for INI files")).await;
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    assert_eq!(headers["x-edge-model"], "up/solid");
    assert_eq!(headers["x-edge-fallback-index"], "0");
    assert_eq!(headers["x-edge-cache"], "off");
    assert!(headers["x-request-id"].to_str().unwrap().starts_with("req_"));
    // 800 × $2 + 200 × $0.50 + 50 × $8 per million
    assert_eq!(headers["x-edge-cost-usd"], "0.0021");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "hello");
    assert_eq!(body["x_upstream"], json!({"kept": [1, 2.50]}));
    assert_eq!(body["model"], "up/solid");
    assert_eq!(body["_proxy"]["model_id"], "up/solid");
    assert_eq!(body["_proxy"]["cost_usd"], 0.0021);
    assert!(body["_proxy"]["routing_reason"].as_str().unwrap().len() > 20);
}

#[tokio::test]
async fn an_explicit_name_is_answered_under_that_name() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    for name in ["up/solid", "solid"] {
        let mut body = ask("hi");
        body["model"] = json!(name);
        let body: Value = router.chat(&body).await.json().await.unwrap();
        assert_eq!(body["model"], name);
    }
}

#[tokio::test]
async fn a_stream_without_usage_asked_ends_with_a_comment_and_done() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::answer("one two three"));
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let mut body = ask("count");
    body["stream"] = json!(true);
    let response = router.chat(&body).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let events = sse_events(&response.text().await.unwrap());
    assert_eq!(events.last().unwrap(), "[DONE]");
    let comment = &events[events.len() - 2];
    let proxy: Value =
        serde_json::from_str(comment.strip_prefix(": edge-router ").unwrap()).unwrap();
    assert_eq!(proxy["model_id"], "up/solid");
    assert!(!events.iter().any(|event| event.contains("\"usage\":{")), "{events:#?}");
    assert!(upstream.last().json()["stream_options"]["include_usage"].as_bool().unwrap());
}

#[tokio::test]
async fn a_stream_with_usage_asked_carries_proxy_in_the_usage_chunk() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Answer { text: "a b".into(), usage: (10, 0, 2) });
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let mut body = ask("count");
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let events = sse_events(&router.chat(&body).await.text().await.unwrap());
    let usage: Value = serde_json::from_str(&events[events.len() - 2]).unwrap();
    assert_eq!(usage["usage"]["prompt_tokens"], 10);
    assert_eq!(usage["_proxy"]["cost_usd"], 0.000036);
    // The cost is in the budget when the last byte has arrived.
    assert_eq!(router.budget().await["daily"]["spent_usd"], 0.000036);
}

#[tokio::test]
async fn models_lists_auto_aliases_and_models_and_finds_one_by_raw_or_escaped_id() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let list: Value = router.get("/v1/models").await.json().await.unwrap();
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert!(
        ids.contains(&"auto") && ids.contains(&"up/solid") && ids.contains(&"cheap"),
        "{ids:?}"
    );
    for path in [
        "/v1/models/up/solid",
        "/v1/models/up%2Fsolid",
        "/openai/v1/models/up/solid",
        "/models/up/solid",
    ] {
        let model: Value = router.get(path).await.json().await.unwrap();
        assert_eq!(model["id"], "up/solid", "{path}");
        assert_eq!(model["context_window"], 128_000);
        assert_eq!(model["limit"]["context"], 128_000);
        assert_eq!(model["max_tier"], "deep");
        assert_eq!(model["available"], true);
    }
}

#[tokio::test]
async fn every_path_answers_under_each_base_that_clients_believe_in() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    for base in ["/v1", "/openai/v1", "/anthropic/v1", ""] {
        let response =
            router.post(&format!("{base}/chat/completions"), &ask("hi")).send().await.unwrap();
        assert_eq!(response.status(), 200, "{base}");
    }
    assert_eq!(router.get("/").await.status(), 200);
    assert_eq!(router.get("/health").await.status(), 200);
    assert_eq!(router.get("/health/ready").await.status(), 200);
    let metrics = router.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("edge_router_requests_total"), "{metrics}");
}
