//! An OpenAI client in front of Anthropic's Messages API.

use serde_json::{Value, json};

use crate::support::{Script, TestRouter, Upstream, sse_events};

fn claude(upstream: &Upstream) -> String {
    format!(
        r#"
[[providers]]
id = "anthropic"
kind = "anthropic"
base_url = "{}/v1/"
api_keys = ["sk-ant"]
[[models]]
id = "anthropic/claude-test"
provider = "anthropic"
upstream = "claude-test"
max_tier = "deep"
input_usd_per_mtok = 3
output_usd_per_mtok = 15
cache_read_usd_per_mtok = 0.3
cache_write_usd_per_mtok = 3.75
context_window = 200000
max_output_tokens = 64000
capabilities = ["chat", "tools", "vision"]
"#,
        upstream.base
    )
}

#[tokio::test]
async fn a_chat_request_becomes_a_messages_request_and_the_answer_comes_back() {
    let upstream = Upstream::start().await;
    upstream.script("claude-test", Script::Answer { text: "fine".into(), usage: (1_000, 400, 50) });
    let router = TestRouter::start(&claude(&upstream)).await;
    let body = json!({"model": "claude-test", "max_tokens": 99, "stop": ["END"], "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "a cat"}],
        "tools": [{"type": "function", "function": {"name": "look", "description": "d", "parameters": {"type": "object"}}}]});
    let response = router.chat(&body).await;
    assert_eq!(response.status(), 200);
    let cost = response.headers()["x-edge-cost-usd"].to_str().unwrap().to_owned();
    let answer: Value = response.json().await.unwrap();
    let sent = upstream.last();
    assert_eq!(sent.path, "/v1/messages");
    assert_eq!(sent.headers["x-api-key"], "sk-ant");
    assert_eq!(sent.headers["anthropic-version"], "2023-06-01");
    let sent = sent.json();
    assert_eq!(sent["max_tokens"], 99);
    assert_eq!(sent["stop_sequences"], json!(["END"]));
    assert_eq!(sent["messages"][0]["content"][1]["source"]["media_type"], "image/png");
    assert_eq!(sent["messages"][1]["content"][0]["input"], json!({"at": 1}));
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "c1");
    assert_eq!(sent["tools"][0]["input_schema"], json!({"type": "object"}));
    assert_eq!(answer["choices"][0]["message"]["content"], "fine");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["model"], "claude-test");
    assert_eq!(answer["usage"]["prompt_tokens"], 1_000);
    assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 400);
    // 600 × $3 + 400 × $0.30 + 50 × $15 per million
    assert_eq!(cost, "0.00267");
}

#[tokio::test]
async fn its_stream_becomes_chat_chunks() {
    let upstream = Upstream::start().await;
    upstream.script("claude-test", Script::Answer { text: "one two".into(), usage: (10, 0, 2) });
    let router = TestRouter::start(&claude(&upstream)).await;
    let body = json!({"stream": true, "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "count"}]});
    let events = sse_events(&router.chat(&body).await.text().await.unwrap());
    let text: String = events
        .iter()
        .filter_map(|event| serde_json::from_str::<Value>(event).ok())
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(text, "one two");
    assert!(events.iter().any(|event| event.contains("\"finish_reason\":\"stop\"")));
    let usage: Value = serde_json::from_str(&events[events.len() - 2]).unwrap();
    assert_eq!(usage["usage"]["total_tokens"], 12);
    assert_eq!(usage["_proxy"]["model_id"], "anthropic/claude-test");
    assert_eq!(events.last().unwrap(), "[DONE]");
}
