use super::*;
use rstest::rstest;

/// After the documented shape of what Claude Code sends.
const FULL: &str = r#"{
  "model": "claude-x", "max_tokens": 32000, "stream": true, "temperature": 1,
  "system": [{"type": "text", "text": "version"}, {"type": "text", "text": "Rules", "cache_control": {"type": "ephemeral"}}],
  "messages": [
    {"role": "user", "content": [{"type": "text", "text": "<system-reminder>x</system-reminder>"}, {"type": "text", "text": "Fix it"},
      {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
      {"type": "image", "source": {"type": "file", "file_id": "f"}},
      {"type": "document", "source": {"type": "text", "data": "d"}, "title": "t"}]},
    {"role": "system", "content": "agents and skills"},
    {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm", "signature": "sig"}, {"type": "redacted_thinking", "data": "x"},
      {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.rs", "n": 1.0}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [{"type": "text", "text": "gone"}]}]}
  ],
  "tools": [{"name": "Read", "description": "Reads", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}],
  "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
  "stop_sequences": ["END"], "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"},
  "metadata": {"user_id": "u"}, "context_management": {}
}"#;

#[test]
fn a_coding_agents_request_is_read() {
    let mut request = decode(Bytes::from(FULL)).unwrap();
    request.origin.body = Bytes::new();
    insta::assert_debug_snapshot!(request);
}

#[rstest]
#[case::no_messages(r#"{"system":"a"}"#, "missing field `messages`")]
#[case::empty_messages(r#"{"messages":[]}"#, "`messages`: must hold at least one message")]
#[case::role(
    r#"{"messages":[{"role":"tool","content":"a"}]}"#,
    "`messages[0].role`: expected one of `system`, `user`, `assistant`"
)]
#[case::a_call_without_id(
    r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","name":"f"}]}]}"#,
    "`messages[0].content[0]`: `id` is missing"
)]
fn a_bad_body_is_refused_with_its_place(#[case] body: &str, #[case] expected: &str) {
    assert_eq!(decode(Bytes::from(body.to_owned())).unwrap_err().to_string(), expected);
}

#[test]
fn the_same_protocol_is_edited_in_place() {
    let rules = crate::catalog::ParamRules {
        rejects_sampling: true,
        rejects_forced_tool_choice: true,
        ..crate::catalog::ParamRules::default()
    };
    let model = crate::wire::fixtures::model("anthropic", rules);
    let body = r#"{"model":"x","x":1.0,"max_tokens":32000,"temperature":1,"stream":true,"messages":[{"role":"user","content":"a"}],"tool_choice":{"type":"any"}}"#;
    let request = decode(Bytes::from(body)).unwrap();
    let encoded = super::super::patch(&request, &crate::wire::fixtures::patch(&model)).unwrap();
    assert_eq!(
        String::from_utf8(encoded.body.to_vec()).unwrap(),
        r#"{"model":"wire-name","x":1.0,"max_tokens":1000,"stream":true,"messages":[{"role":"user","content":"a"}],"tool_choice":{"type":"auto"}}"#
    );
    assert_eq!(encoded.dropped, ["temperature", "tool_choice"]);
}
