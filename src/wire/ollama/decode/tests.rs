use super::*;
use crate::wire::fixtures::OLLAMA_STREAM;
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
    insta::assert_debug_snapshot!(events(OLLAMA_STREAM));
}

#[test]
fn an_error_line_ends_the_stream() {
    let (_, result) = events("{\"error\":\"model runner has stopped\"}\n");
    let message = "model runner has stopped".to_owned();
    assert_eq!(result, Err(StreamFault::Error { message, status: None }));
}

#[rstest]
#[case::cut_off("{\"message\":{\"content\":\"a\"},\"done\":false}\n")]
#[case::cut_in_a_line("{\"message\":{\"content\":\"a\"},\"do")]
#[case::nothing("")]
fn a_broken_stream_is_told(#[case] upstream: &str) {
    assert!(matches!(events(upstream).1, Err(StreamFault::Broken(_))));
}

#[test]
fn a_whole_answer_is_read() {
    let body = r#"{"model":"qwen3","message":{"role":"assistant","content":"Hi","thinking":"Hm","tool_calls":[{"id":"c","function":{"name":"f","arguments":{"a":1}}}]},"done":true,"done_reason":"length","prompt_eval_count":5,"eval_count":2}"#;
    insta::assert_debug_snapshot!(read_whole(body.as_bytes()));
}
