use super::*;
use rstest::rstest;

/// After the documented shape of what Codex sends.
const FULL: &str = r#"{
  "model": "gpt-x", "stream": true, "store": false, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k",
  "instructions": "You are terse.",
  "input": [
    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rules"}]},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "<environment_context>x</environment_context>"}]},
    {"role": "user", "content": [{"type": "input_text", "text": "Fix it"}, {"type": "input_image", "image_url": "data:image/png;base64,QUJD"}]},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "x"},
    {"type": "function_call", "call_id": "call_1", "name": "shell", "arguments": "{\"a\": 1}"},
    {"type": "function_call", "call_id": "call_2", "name": "shell", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "Exit code: 0"},
    {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "ok"}]},
    {"type": "custom_tool_call", "call_id": "call_3", "name": "apply_patch", "input": "*** Begin"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done", "annotations": []}]}
  ],
  "tools": [
    {"type": "function", "name": "shell", "description": "Runs", "parameters": {"type": "object"}, "strict": false},
    {"type": "namespace", "name": "files", "tools": [{"type": "function", "name": "read", "parameters": {"type": "object"}}]},
    {"type": "web_search"}
  ],
  "tool_choice": "auto", "parallel_tool_calls": false, "reasoning": {"effort": "medium", "summary": "auto"},
  "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}}
}"#;

#[test]
fn a_coding_agents_request_is_read() {
    let mut request = decode(Bytes::from(FULL)).unwrap();
    request.origin.body = Bytes::new();
    insta::assert_debug_snapshot!(request);
}

#[test]
fn a_bare_string_is_the_users() {
    let request = decode(Bytes::from(r#"{"input":"hi"}"#)).unwrap();
    let message = Message { role: Role::User, parts: vec![Part::text("hi")] };
    assert_eq!(request.messages, [message]);
}

#[rstest]
#[case::no_input("{}", "missing field `input`")]
#[case::empty(r#"{"input":[]}"#, "`input`: must hold at least one item")]
#[case::another_type(r#"{"input":5}"#, "`input`: expected a string or a list of items")]
#[case::role(
    r#"{"input":[{"role":"boss","content":"a"}]}"#,
    "`input[0].role`: expected one of `user`, `assistant`, `system`, `developer`"
)]
fn a_bad_body_is_refused_with_its_place(#[case] body: &str, #[case] expected: &str) {
    assert_eq!(decode(Bytes::from(body.to_owned())).unwrap_err().to_string(), expected);
}
