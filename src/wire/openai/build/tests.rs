use super::*;
use crate::catalog::ParamRules;
use crate::chat::Dialect;
use crate::wire::decode_request;
use crate::wire::fixtures::{model, patch};
use bytes::Bytes;

fn built(from: Dialect, rules: ParamRules, body: &'static str) -> (Value, Vec<String>) {
    let model = model("openai", rules);
    let request = decode_request(from, Bytes::from(body)).unwrap();
    let encoded = crate::wire::encode_request(Dialect::OpenAi, &request, &patch(&model)).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped)
}

#[test]
fn a_messages_request_is_converted() {
    let body = r#"{
      "model": "claude-x", "max_tokens": 32000, "stream": true, "temperature": 1, "top_k": 4, "thinking": {"type": "adaptive"},
      "system": [{"type": "text", "text": "Rules", "cache_control": {"type": "ephemeral"}}],
      "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm", "signature": "sig"},
          {"type": "text", "text": "I read"}, {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"n": 1.0}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
          {"type": "text", "text": "go on"}, {"type": "document", "source": {}}]}
      ],
      "tools": [{"name": "Read", "input_schema": {"type": "object"}}],
      "tool_choice": {"type": "any", "disable_parallel_tool_use": true}, "stop_sequences": ["END"], "output_config": {"effort": "high"}
    }"#;
    let rules = ParamRules { max_completion_tokens: true, ..ParamRules::default() };
    insta::assert_json_snapshot!(built(Dialect::Anthropic, rules, body));
}

#[test]
fn a_responses_request_is_converted() {
    let body = r#"{"model": "x", "instructions": "Rules", "input": [
        {"role": "developer", "content": "More"},
        {"role": "user", "content": [{"type": "input_text", "text": "Fix"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "ok"}],
      "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}},
      "max_output_tokens": 50, "temperature": 0.5, "truncation": "auto"}"#;
    let rules = ParamRules { rejects_sampling: true, ..ParamRules::default() };
    insta::assert_json_snapshot!(built(Dialect::Responses, rules, body));
}
