use super::*;
use crate::wire::fixtures::proxy;
use rstest::rstest;

fn shell() -> AnswerShell {
    AnswerShell { id: "chatcmpl-1".to_owned(), model_name: "cheap".to_owned(), created: 7 }
}

fn read(from: Dialect, body: &str) -> Result<Answer, WireError> {
    Answer::read(from, Dialect::OpenAi, Bytes::from(body.to_owned()))
}

#[test]
fn the_same_protocol_keeps_all_but_the_model_and_adds_the_routers_figures() {
    let body = r#" {"id":"c","model":"up","x":1.0,"choices":[{"index":0,"message":{"content":"Hi","odd":1e5},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"cost":0.001}}"#;
    let answer = read(Dialect::OpenAi, body).unwrap();
    let written = answer.write(Dialect::OpenAi, &shell(), &proxy());
    assert_eq!(
        String::from_utf8(written.to_vec()).unwrap(),
        r#"{"id":"c","model":"cheap","x":1.0,"choices":[{"index":0,"message":{"content":"Hi","odd":1e5},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"cost":0.001},"_proxy":{"model_id":"m"}}"#
    );
    let observed = answer.observed();
    assert_eq!((observed.output_bytes, observed.stop), (2, Some(StopReason::End)));
    let usage = observed.usage.unwrap();
    assert_eq!((usage.input, usage.output), (3, 2));
    assert_eq!(usage.reported_cost, Some(crate::money::NanoUsd(1_000_000)));
}

#[rstest]
#[case::an_error_object(r#"{"error":{"message":"no","code":"429"}}"#, "no", Some(429))]
#[case::no_choices(r#"{"id":"c"}"#, "the upstream's answer has no choices", None)]
#[case::not_json("<html>", "the upstream's answer is not JSON", None)]
#[case::another_shape(r#"["a"]"#, "the upstream's answer has another shape", None)]
fn what_is_no_answer_is_refused(
    #[case] body: &str,
    #[case] message: &str,
    #[case] status: Option<u16>,
) {
    let error = read(Dialect::OpenAi, body).unwrap_err();
    assert_eq!(error, WireError::Answer { message: message.to_owned(), status });
}

#[test]
fn another_protocols_answer_is_converted() {
    let body = r#"{"id":"msg_1","model":"claude-x","content":[{"type":"text","text":"Hi"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}],"stop_reason":"tool_use","usage":{"input_tokens":7,"cache_read_input_tokens":100,"output_tokens":3}}"#;
    let answer = read(Dialect::Anthropic, body).unwrap();
    let written = answer.write(Dialect::OpenAi, &shell(), &proxy());
    let written: Value = serde_json::from_slice(&written).unwrap();
    insta::assert_json_snapshot!(written);
}

#[test]
fn events_are_put_together() {
    let mut answer = Answer::from_events(vec![
        ChatEvent::Start { id: None, model: None },
        ChatEvent::Thinking("H".to_owned()),
        ChatEvent::Thinking("m".to_owned()),
        ChatEvent::ThinkingSignature("sig".to_owned()),
        ChatEvent::Text("a".to_owned()),
        ChatEvent::ToolCall { index: 0, id: "x".to_owned(), name: "f".to_owned() },
        ChatEvent::ToolCall { index: 1, id: "y".to_owned(), name: "g".to_owned() },
        ChatEvent::ToolArguments { index: 1, delta: "{".to_owned() },
        ChatEvent::ToolArguments { index: 0, delta: "1".to_owned() },
        ChatEvent::ToolArguments { index: 1, delta: "}".to_owned() },
        ChatEvent::Stop(StopReason::ToolCalls),
    ]);
    assert_eq!((answer.observed().output_bytes, answer.observed().usage), (6, None));
    answer.set_usage(Usage { input: 1, output: 2, ..Usage::default() });
    let written = answer.write(Dialect::OpenAi, &shell(), &proxy());
    let written: Value = serde_json::from_slice(&written).unwrap();
    insta::assert_json_snapshot!(written);
}
