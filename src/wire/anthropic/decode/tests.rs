use super::*;
use crate::wire::fixtures::{ANTHROPIC_STREAM, sse};
use rstest::rstest;

fn events(upstream: &str) -> (Vec<ChatEvent>, Result<(), StreamFault>) {
    let mut all = Vec::new();
    let mut decoder = Decoder::default();
    let mut emit = |event| all.push(event);
    let result =
        decoder.bytes(upstream.as_bytes(), &mut emit).and_then(|()| decoder.end(&mut emit));
    (all, result)
}

#[test]
fn a_stream_becomes_events() {
    insta::assert_debug_snapshot!(events(ANTHROPIC_STREAM));
}

#[rstest]
#[case::overloaded(
    r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    "Overloaded",
    Some(529)
)]
#[case::unknown(r#"{"type":"error","error":{"type":"odd","message":"no"}}"#, "no", None)]
fn an_error_event_ends_the_stream(
    #[case] event: &str,
    #[case] message: &str,
    #[case] status: Option<u16>,
) {
    let (_, result) = events(&sse(&[event]));
    assert_eq!(result, Err(StreamFault::Error { message: message.to_owned(), status }));
}

#[rstest]
#[case::cut_off(ANTHROPIC_STREAM.split("event: message_delta").next().unwrap())]
#[case::nothing("")]
#[case::not_json("data: oops\n\n")]
fn a_broken_stream_is_told(#[case] upstream: &str) {
    assert!(matches!(events(upstream).1, Err(StreamFault::Broken(_))));
}

#[test]
fn a_stream_that_closes_after_its_stop_reason_is_whole() {
    let upstream = ANTHROPIC_STREAM.split("event: message_stop").next().unwrap();
    assert_eq!(events(upstream).1, Ok(()));
}

#[test]
fn unknown_events_blocks_and_deltas_are_passed_over() {
    let (events, result) = events(&sse(&[
        r#"{"type":"brand_new","x":1}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q\":1}"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{}}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
    ]));
    assert_eq!((events, result), (vec![ChatEvent::Stop(StopReason::End)], Ok(())));
}

#[test]
fn arguments_that_come_with_the_start_of_the_block_are_not_lost() {
    let (events, _) = events(&sse(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{"x":1}}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_stop"}"#,
    ]));
    assert_eq!(events[1], ChatEvent::ToolArguments { index: 0, delta: "{\"x\":1}".to_owned() });
    assert_eq!(events[2], ChatEvent::Stop(StopReason::ToolCalls));
}

#[rstest]
#[case("end_turn", StopReason::End)]
#[case("stop_sequence", StopReason::StopSequence)]
#[case("max_tokens", StopReason::Length)]
#[case("model_context_window_exceeded", StopReason::Length)]
#[case("tool_use", StopReason::ToolCalls)]
#[case("refusal", StopReason::Refusal)]
#[case("pause_turn", StopReason::End)]
#[case("something_new", StopReason::End)]
fn stop_reasons_have_a_canonical_form(#[case] word: &str, #[case] expected: StopReason) {
    assert_eq!(stop_reason(word), expected);
}

#[test]
fn a_whole_answer_is_read() {
    let body = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[
        {"type":"thinking","thinking":"Hm","signature":"sig"},{"type":"redacted_thinking","data":"x"},
        {"type":"text","text":"Hi","citations":null},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1.0}},
        {"type":"server_tool_use","id":"s","name":"web_search","input":{}}],
        "stop_reason":"tool_use","usage":{"input_tokens":7,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,"output_tokens":3}}"#;
    insta::assert_debug_snapshot!(read_whole(body.as_bytes()));
}

#[rstest]
#[case::an_error(
    r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    "Overloaded"
)]
#[case::not_json("<html>", "the upstream's answer cannot be understood")]
#[case::another_shape("{}", "the upstream's answer has no content")]
fn what_is_no_answer_is_refused(#[case] body: &str, #[case] message: &str) {
    assert_eq!(read_whole(body.as_bytes()).unwrap_err().to_string(), message);
}
