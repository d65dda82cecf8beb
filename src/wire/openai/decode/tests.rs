use super::*;
use crate::wire::fixtures::{OPENAI_STREAM, sse};
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
    insta::assert_debug_snapshot!(events(OPENAI_STREAM));
}

fn calls(deltas: &[&str]) -> Vec<(u32, String)> {
    let chunks: Vec<String> = deltas
        .iter()
        .map(|delta| format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{delta}]}}}}]}}"#))
        .collect();
    let mut chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    chunks.push("[DONE]");
    let mut all: Vec<(u32, String)> = Vec::new();
    for event in events(&sse(&chunks)).0 {
        match event {
            ChatEvent::ToolCall { index, name, .. } => all.push((index, name + ":")),
            ChatEvent::ToolArguments { index, delta } => all[index as usize].1.push_str(&delta),
            _ => {}
        }
    }
    all
}

#[rstest]
#[case::numbered(&[
    r#"{"index":0,"id":"a","function":{"name":"f","arguments":""}}"#,
    r#"{"index":1,"id":"b","function":{"name":"g","arguments":""}}"#,
    r#"{"index":0,"function":{"arguments":"1"}}"#,
    r#"{"index":1,"function":{"arguments":"2"}}"#,
])]
#[case::without_numbers(&[
    r#"{"id":"a","function":{"name":"f","arguments":"1"}}"#,
    r#"{"id":"b","function":{"name":"g","arguments":"2"}}"#,
])]
#[case::all_numbered_zero(&[
    r#"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}"#,
    r#"{"index":0,"id":"b","function":{"name":"g","arguments":"2"}}"#,
])]
#[case::ids_repeated(&[
    r#"{"index":0,"id":"a","function":{"name":"f","arguments":""}}"#,
    r#"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}"#,
    r#"{"index":1,"id":"b","function":{"name":"g","arguments":"2"}}"#,
])]
fn calls_are_told_apart(#[case] deltas: &[&str]) {
    assert_eq!(calls(deltas), [(0, "f:1".to_owned()), (1, "g:2".to_owned())]);
}

#[test]
fn a_whole_answer_is_read() {
    let body = r#"{"id":"c","model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","reasoning":"Hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    insta::assert_debug_snapshot!(read_whole(body.as_bytes()));
}
