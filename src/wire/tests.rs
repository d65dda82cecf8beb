use super::fixtures::chat;
use super::*;
use rstest::rstest;

#[rstest]
#[case::input(r#"{"input":"hi"}"#, Dialect::Responses)]
#[case::system(r#"{"system":"x","messages":[]}"#, Dialect::Anthropic)]
#[case::version(r#"{"anthropic_version":"x","messages":[]}"#, Dialect::Anthropic)]
#[case::blocks(
    r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x"}]}]}"#,
    Dialect::Anthropic
)]
#[case::chat(r#"{"messages":[{"role":"system","content":"x"}]}"#, Dialect::OpenAi)]
#[case::not_json("{", Dialect::OpenAi)]
fn the_kind_of_a_body_is_told_by_its_fields(#[case] body: &str, #[case] expected: Dialect) {
    assert_eq!(detect_dialect(body.as_bytes()), expected);
}

#[rstest]
#[case::nothing(r#""model":"x""#, &[])]
#[case::tools(r#""tools":[{"type":"function","function":{"name":"f"}}]"#, &[Capability::Tools])]
#[case::a_schema(r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}"#, &[Capability::JsonSchema])]
#[case::any_json(r#""response_format":{"type":"json_object"}"#, &[])]
#[case::effort(r#""reasoning_effort":"low""#, &[Capability::Reasoning])]
#[case::no_effort(r#""reasoning_effort":"none""#, &[])]
fn what_a_request_uses_is_required(#[case] field: &str, #[case] expected: &[Capability]) {
    let body = format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],{field}}}"#);
    assert_eq!(required(&chat(&body)).iter().collect::<Vec<_>>(), expected);
}

#[test]
fn an_image_requires_vision_also_inside_a_tool_result() {
    let image = r#"[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]"#;
    for message in [
        format!(r#"{{"role":"user","content":{image}}}"#),
        format!(r#"{{"role":"tool","tool_call_id":"c","content":{image}}}"#),
    ] {
        let request = chat(&format!(r#"{{"messages":[{message}]}}"#));
        assert!(required(&request).has(Capability::Vision));
    }
}
