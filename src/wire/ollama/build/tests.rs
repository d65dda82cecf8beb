use super::*;
use crate::catalog::ParamRules;
use crate::wire::fixtures::{chat, model, patch};
use rstest::rstest;

fn built(body: &str) -> (Value, Vec<String>) {
    let model = model("ollama", ParamRules::default());
    let encoded = build(&chat(body), &patch(&model)).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped)
}

#[test]
fn a_request_is_converted() {
    insta::assert_json_snapshot!(built(
        r#"{
      "model": "auto", "stream": true, "max_tokens": 500, "temperature": 0.2, "seed": 3, "stop": ["END"], "logit_bias": {"1": 2},
      "reasoning_effort": "high", "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
      "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "text", "text": "here"},
          {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
          {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]},
        {"role": "assistant", "content": null, "reasoning_content": "Hm", "tool_calls": [
          {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": "{\"a\": 1}"}},
          {"id": "call_2", "type": "function", "function": {"name": "list", "arguments": "{broken"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "file"},
        {"role": "tool", "tool_call_id": "call_9", "content": "lost"}
      ],
      "tools": [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}],
      "tool_choice": "required", "parallel_tool_calls": false
    }"#
    ));
}

#[rstest]
#[case::no_effort("qwen3", None, Value::Null)]
#[case::on_and_off("qwen3", Some("high"), Value::from(true))]
#[case::off("qwen3", Some("none"), Value::from(false))]
#[case::levels("gpt-oss:20b", Some("minimal"), Value::from("low"))]
#[case::highest_level("gpt-oss:20b", Some("xhigh"), Value::from("high"))]
fn effort_becomes_think(#[case] name: &str, #[case] effort: Option<&str>, #[case] think: Value) {
    let mut model = model("ollama", ParamRules::default());
    model.upstream = name.to_owned();
    let effort = effort.map_or(String::new(), |e| format!(r#","reasoning_effort":"{e}""#));
    let request = chat(&format!(r#"{{"messages":[{{"role":"user","content":"a"}}]{effort}}}"#));
    let encoded = build(&request, &patch(&model)).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body.get("think").cloned().unwrap_or_default(), think);
}

#[test]
fn the_window_asked_for_is_never_larger_than_the_models_own() {
    let model = model("ollama", ParamRules::default());
    let request = chat(r#"{"messages":[{"role":"user","content":"a"}]}"#);
    let wish = |num_ctx| {
        let encoded = build(&request, &Patch { num_ctx, ..patch(&model) }).unwrap();
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        body["options"].get("num_ctx").cloned()
    };
    assert_eq!(wish(Some(100_000)), Some(Value::from(32_768)));
    assert_eq!(wish(None), None);
}

#[test]
fn a_forbidden_tool_is_not_offered() {
    let (body, _) = built(
        r#"{"messages":[{"role":"user","content":"a"}],"tool_choice":"none","tools":[{"type":"function","function":{"name":"f"}}]}"#,
    );
    assert_eq!(body.get("tools"), None);
}
