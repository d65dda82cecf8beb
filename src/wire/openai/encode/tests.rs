use super::*;
use crate::wire::fixtures::proxy;

fn encoded(events: &[ChatEvent]) -> String {
    let mut encoder = ChunkEncoder::new(true, "chatcmpl-1", "provider/chosen");
    encoder.created_at(7);
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    encoder.finish(&proxy(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn events_become_chunks_with_one_id_moment_and_model() {
    let usage = Usage {
        input: 5,
        cache_read: 3,
        cache_write: 2,
        output: 4,
        reasoning: 1,
        ..Usage::default()
    };
    insta::assert_snapshot!(encoded(&[
        ChatEvent::Start { id: Some("msg".to_owned()), model: Some("up".to_owned()) },
        ChatEvent::Thinking("Hm".to_owned()),
        ChatEvent::ThinkingSignature("sig".to_owned()),
        ChatEvent::Text("He said \"é\"\n".to_owned()),
        ChatEvent::ToolCall { index: 0, id: "toolu_1".to_owned(), name: "read".to_owned() },
        ChatEvent::ToolArguments { index: 0, delta: "{\"a\":".to_owned() },
        ChatEvent::ToolArguments { index: 0, delta: "1}".to_owned() },
        ChatEvent::ToolCall { index: 1, id: String::new(), name: "list".to_owned() },
        ChatEvent::Usage(usage),
        ChatEvent::Stop(StopReason::ToolCalls),
    ]));
}

#[test]
fn an_answer_without_a_word_still_has_role_and_finish_reason() {
    insta::assert_snapshot!(encoded(&[]));
}

#[test]
fn a_whole_answer_has_the_shape_of_the_protocol() {
    let call = |id: &str| {
        let (name, arguments) = ("read".to_owned(), "{\"a\": 1}".to_owned());
        Part::ToolCall(ToolCall { id: id.to_owned(), name, arguments })
    };
    let answer = ChatAnswer {
        id: None,
        model: None,
        parts: vec![
            Part::Thinking { text: "Hm".to_owned(), signature: None },
            Part::text("Hi"),
            call("toolu_1"),
            call(""),
        ],
        stop: StopReason::Length,
        usage: None,
    };
    let shell =
        AnswerShell { id: "chatcmpl-1".to_owned(), model_name: "cheap".to_owned(), created: 7 };
    let usage = Usage { input: 5, output: 4, ..Usage::default() };
    let body = write_whole(&answer, Some(&usage), &shell, &proxy());
    let body: Value = serde_json::from_slice(&body).unwrap();
    insta::assert_json_snapshot!(body);
}
