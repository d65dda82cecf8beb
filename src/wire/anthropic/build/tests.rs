use super::*;
use crate::catalog::ParamRules;
use crate::chat::Dialect;
use crate::wire::encode_request;
use crate::wire::fixtures::{chat, model, patch};
use rstest::rstest;

fn built(rules: ParamRules, body: &str) -> (Value, Vec<String>) {
    let model = model("anthropic", rules);
    let encoded = encode_request(Dialect::Anthropic, &chat(body), &patch(&model)).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped)
}

const OLD: ParamRules = ParamRules {
    rejects_sampling: false,
    rejects_forced_tool_choice: false,
    max_completion_tokens: false,
    rejects_prefill: false,
};

const NEW: ParamRules = ParamRules {
    rejects_sampling: true,
    rejects_forced_tool_choice: true,
    rejects_prefill: true,
    ..OLD
};

const FULL: &str = r#"{
  "model": "auto", "stream": true, "max_tokens": 500, "temperature": 1.5, "top_p": 0.9, "seed": 3,
  "stop": ["END", "\n"], "reasoning_effort": "xhigh", "logit_bias": {"1": 2}, "n": 1, "user": "u",
  "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
  "messages": [
    {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
    {"role": "developer", "content": "Rules"},
    {"role": "user", "content": [
      {"type": "text", "text": "Look"},
      {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
      {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    ]},
    {"role": "assistant", "content": "", "reasoning_content": "Hm", "tool_calls": [
      {"id": "call:1", "type": "function", "function": {"name": "read", "arguments": "{\"a\": 1.0}"}},
      {"id": "call_2", "type": "function", "function": {"name": "list", "arguments": ""}},
      {"id": "call_3", "type": "function", "function": {"name": "list", "arguments": "{broken"}}
    ]},
    {"role": "tool", "tool_call_id": "call:1", "content": [{"type": "text", "text": "file", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
    {"role": "user", "content": "and quickly"},
    {"role": "tool", "tool_call_id": "call_2", "content": ""},
    {"role": "tool", "tool_call_id": "call_3", "content": "dir"}
  ],
  "tools": [{"type": "function", "function": {"name": "read", "description": "Reads", "parameters": {"properties": {}}, "strict": true}},
            {"type": "function", "function": {"name": "list"}}],
  "tool_choice": {"type": "function", "function": {"name": "read"}}, "parallel_tool_calls": false
}"#;

#[test]
fn a_request_is_converted_for_an_older_model() {
    insta::assert_json_snapshot!(built(OLD, FULL));
}

#[test]
fn a_newer_model_gets_effort_but_no_sampling_and_no_forced_choice() {
    let (body, dropped) = built(NEW, FULL);
    assert_eq!(body["output_config"]["effort"], "xhigh");
    assert_eq!(body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert_eq!(body.get("temperature"), None);
    for name in ["temperature", "top_p", "tool_choice", "seed", "logit_bias", "user"] {
        assert!(dropped.iter().any(|one| one == name), "{name} in {dropped:?}");
    }
    assert!(!dropped.iter().any(|one| one == "reasoning_effort" || one == "n"), "{dropped:?}");
}

fn roles(rules: ParamRules, messages: &str) -> Vec<String> {
    let (body, _) = built(rules, &format!(r#"{{"messages":{messages}}}"#));
    let messages = body["messages"].as_array().unwrap().clone();
    messages.iter().map(|message| message["role"].as_str().unwrap().to_owned()).collect()
}

#[rstest]
#[case::same_roles_are_joined(OLD, r#"[{"role":"user","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"}]"#, &["user", "assistant"])]
#[case::a_prefill_is_kept_where_it_may_be(OLD, r#"[{"role":"user","content":"a"},{"role":"assistant","content":"{ "}]"#, &["user", "assistant"])]
#[case::and_answered_where_not(NEW, r#"[{"role":"user","content":"a"},{"role":"assistant","content":"{ "}]"#, &["user", "assistant", "user"])]
#[case::the_first_is_the_users(OLD, r#"[{"role":"assistant","content":"a"},{"role":"user","content":"b"}]"#, &["user", "assistant", "user"])]
#[case::instructions_alone_are_the_question(OLD, r#"[{"role":"system","content":"a"}]"#, &["user"])]
#[case::empty_messages_vanish(OLD, r#"[{"role":"user","content":"a"},{"role":"assistant","content":" \n"},{"role":"user","content":"b"}]"#, &["user"])]
#[case::nothing_at_all(OLD, r#"[{"role":"user","content":""}]"#, &["user"])]
fn roles_take_turns(#[case] rules: ParamRules, #[case] messages: &str, #[case] expected: &[&str]) {
    assert_eq!(roles(rules, messages), expected);
}

#[test]
fn a_prefill_does_not_end_in_white_space() {
    let body =
        r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"{ \n"}]}"#;
    assert_eq!(built(OLD, body).0["messages"][1]["content"][0]["text"], "{");
}

#[test]
fn no_more_than_four_cache_marks_are_sent_and_the_latest_stay() {
    let part = r#"{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}"#;
    let body = format!(r#"{{"messages":[{{"role":"user","content":[{}]}}]}}"#, [part; 6].join(","));
    let (body, dropped) = built(OLD, &body);
    let content = body["messages"][0]["content"].as_array().unwrap().clone();
    let marked: Vec<bool> = content.iter().map(|b| b.get("cache_control").is_some()).collect();
    assert_eq!(marked, [false, false, true, true, true, true]);
    assert_eq!(dropped, ["cache_control"]);
}

#[rstest]
#[case::the_routers_cap_is_lower("\"max_tokens\":5000,", 1000)]
#[case::the_clients_cap_is_lower("\"max_tokens\":50,", 50)]
#[case::only_the_router_has_one("", 1000)]
fn max_tokens_is_the_smaller_cap(#[case] field: &str, #[case] expected: u32) {
    let body = format!(r#"{{{field}"messages":[{{"role":"user","content":"a"}}]}}"#);
    assert_eq!(built(OLD, &body).0["max_tokens"], expected);
}

#[test]
fn a_thinking_block_goes_back_with_its_signature() {
    let body = r#"{"system":"s","max_tokens":9,"messages":[{"role":"assistant","content":[
        {"type":"thinking","thinking":"Hm","signature":"sig"},{"type":"redacted_thinking","data":"x"},
        {"type":"text","text":"a"}]}]}"#;
    let mut request =
        crate::wire::decode_request(Dialect::Anthropic, bytes::Bytes::from(body)).unwrap();
    // As if another client had sent it, so that it is built and not patched.
    request.origin.dialect = Dialect::Responses;
    let model = model("anthropic", OLD);
    let encoded = encode_request(Dialect::Anthropic, &request, &patch(&model)).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "Hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "a"}
        ])
    );
}
