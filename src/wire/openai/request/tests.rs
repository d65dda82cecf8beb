use super::*;
use crate::wire::fixtures::chat;
use rstest::rstest;

const FULL: &str = r#"{
  "model": "auto", "stream": true, "stream_options": {"include_usage": true, "x": 1},
  "messages": [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": [{"type": "text", "text": "Rules", "cache_control": {"type": "ephemeral"}}]},
    {"role": "user", "name": "ann", "content": [
      {"type": "text", "text": "Look"},
      {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "low"}},
      {"type": "image_url", "image_url": "https://x/y.png"},
      {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}
    ]},
    {"role": "assistant", "content": null, "reasoning_content": "Hm", "tool_calls": [
      {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": "{\"a\": 1.0}"}},
      {"id": "call_2", "type": "function", "function": {"name": "list", "arguments": {"b": 2}}}
    ]},
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "file"}]},
    {"role": "tool", "tool_call_id": "call_2", "content": "dir"}
  ],
  "tools": [{"type": "function", "function": {"name": "read", "description": "Reads", "parameters": {"type": "object"}, "strict": true}},
            {"type": "custom", "custom": {"name": "grammar"}}],
  "tool_choice": {"type": "function", "function": {"name": "read"}},
  "parallel_tool_calls": false, "max_tokens": 100, "max_completion_tokens": 90.0,
  "temperature": 0, "top_p": 0.5, "seed": 7, "stop": "END", "presence_penalty": 0.1,
  "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": true}},
  "reasoning_effort": "high", "x_custom": {"a": [1, 2]}
}"#;

#[test]
fn every_known_field_is_read_and_unknown_ones_do_not_hurt() {
    let mut request = chat(FULL);
    request.origin.body = Bytes::new();
    insta::assert_debug_snapshot!(request);
}

#[rstest]
#[case::no_messages("{}", "missing field `messages`")]
#[case::empty_messages(r#"{"messages":[]}"#, "`messages`: must hold at least one message")]
#[case::messages_of_another_type(
    r#"{"messages":"hi"}"#,
    "`messages`: expected a list, got a string"
)]
#[case::content_is_a_number(
    r#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":12}]}"#,
    "`messages[1].content`: expected a string or a list of parts, got a number"
)]
#[case::no_role(r#"{"messages":[{"content":"a"}]}"#, "`messages[0]`: missing field `role`")]
#[case::unknown_role(
    r#"{"messages":[{"role":"my secret","content":"a"}]}"#,
    "`messages[0].role`: expected one of `system`, `developer`, `user`, `assistant`, `tool`, `function`"
)]
#[case::a_part_without_text(
    r#"{"messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
    "`messages[0].content[0]`: `text` is missing"
)]
#[case::an_image_without_address(
    r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"x":1}}]}]}"#,
    "`messages[0].content[0].image_url`: expected an address or an object with `url`"
)]
#[case::temperature(
    r#"{"messages":[{"role":"user","content":"a"}],"temperature":"hot"}"#,
    "`temperature`: expected a number, got a string"
)]
#[case::cap(
    r#"{"messages":[{"role":"user","content":"a"}],"max_tokens":1.5}"#,
    "`max_tokens`: expected a whole number, got a number"
)]
#[case::stop(
    r#"{"messages":[{"role":"user","content":"a"}],"stop":{"a":1}}"#,
    "`stop`: expected a string or a list of strings, got an object"
)]
#[case::tool_choice(
    r#"{"messages":[{"role":"user","content":"a"}],"tool_choice":"sometimes"}"#,
    "`tool_choice`: expected `auto`, `none`, `required` or an object that names a function"
)]
#[case::a_tool_without_name(
    r#"{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{}}]}"#,
    "`tools[0].function`: missing field `name`"
)]
#[case::not_an_object("[1]", "the body must be a JSON object")]
#[case::cut_off(
    r#"{"messages":["#,
    "the body is not valid JSON: EOF while parsing a list at line 1 column 13"
)]
#[case::empty("", "the body is not valid JSON: EOF while parsing a value at line 1 column 0")]
fn a_bad_body_is_refused_with_its_place(#[case] body: &str, #[case] expected: &str) {
    let error = decode(Bytes::from(body.to_owned())).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[rstest]
#[case::minus_one("-1")]
#[case::null("null")]
#[case::zero("0")]
fn a_cap_that_caps_nothing_is_none(#[case] cap: &str) {
    let request =
        chat(&format!(r#"{{"messages":[{{"role":"user","content":"a"}}],"max_tokens":{cap}}}"#));
    assert_eq!(request.max_output_tokens, None);
}

#[test]
fn legacy_functions_are_tools() {
    let request = chat(
        r#"{"messages":[{"role":"user","content":"a"},
        {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"done"}],
        "functions":[{"name":"f"}],"function_call":{"name":"f"}}"#,
    );
    assert_eq!(request.tools[0].name, "f");
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".to_owned())));
    let result = Part::ToolResult {
        call_id: "f".to_owned(),
        content: vec![Part::text("done")],
        is_error: false,
    };
    assert_eq!(request.messages[2].parts, [result]);
}
