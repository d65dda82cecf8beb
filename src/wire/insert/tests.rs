use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::wire::decode_request;

fn read(dialect: Dialect, body: &str) -> ChatRequest {
    decode_request(dialect, Bytes::from(body.to_owned())).unwrap()
}

fn inserted(dialect: Dialect, body: &str, insertions: &[(Place, &str)]) -> Option<String> {
    let request = read(dialect, body);
    let insertions: Vec<_> =
        insertions.iter().map(|(place, text)| Insertion { place: *place, text }).collect();
    let changed = with_context(&request, &insertions)?;
    let again = decode_request(dialect, changed.origin.body.clone()).unwrap();
    assert_eq!(again.messages, changed.messages, "bytes and canonical form are alike");
    Some(String::from_utf8(changed.origin.body.to_vec()).unwrap())
}

#[rstest]
#[case::chat_string(
    Dialect::OpenAi,
    r#"{ "messages" : [ {"role":"user", "content": "a\u00e9"} ], "n":1.0}"#,
    r#"{ "messages" : [ {"role":"user", "content": "a\u00e9\n\n<x a=\"1\">\n\\"} ], "n":1.0}"#
)]
#[case::chat_empty_string(
    Dialect::OpenAi,
    r#"{"messages":[{"role":"user","content":""}]}"#,
    r#"{"messages":[{"role":"user","content":"<x a=\"1\">\n\\"}]}"#
)]
#[case::chat_parts(
    Dialect::OpenAi,
    r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"} ]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"} ,{"type":"text","text":"<x a=\"1\">\n\\"}]}]}"#
)]
#[case::messages_string(
    Dialect::Anthropic,
    r#"{"messages":[{"role":"user","content":"a"}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"<x a=\"1\">\n\\"}]}]}"#
)]
#[case::messages_blocks_after_results_and_marks(
    Dialect::Anthropic,
    r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"r"},{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"r"},{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"<x a=\"1\">\n\\"}]}]}"#
)]
#[case::responses_text(
    Dialect::Responses,
    r#"{"input":"a"}"#,
    r#"{"input":"a\n\n<x a=\"1\">\n\\"}"#
)]
#[case::responses_parts(
    Dialect::Responses,
    r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a"}]}]}"#,
    r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"<x a=\"1\">\n\\"}]}]}"#
)]
fn a_text_goes_to_the_end_of_a_message_and_all_else_keeps_its_bytes(
    #[case] dialect: Dialect,
    #[case] body: &str,
    #[case] expected: &str,
) {
    let place = Place::Message(0);
    assert_eq!(inserted(dialect, body, &[(place, "<x a=\"1\">\n\\")]).unwrap(), expected);
}

#[test]
fn messages_are_counted_past_system_prompts_results_and_reasoning() {
    let body = r#"{"system":"s","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}"#;
    let json = inserted(Dialect::Anthropic, body, &[(Place::Message(3), "X")]).unwrap();
    assert!(json.contains(r#"[{"type":"text","text":"c"},{"type":"text","text":"X"}]"#), "{json}");
    let body = r#"{"instructions":"s","input":[{"role":"user","content":"a"},{"type":"reasoning","summary":[]},{"type":"function_call","call_id":"1","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"1","output":"r"},{"type":"message","role":"user","content":"c"}]}"#;
    let json = inserted(Dialect::Responses, body, &[(Place::Message(4), "X")]).unwrap();
    assert!(json.contains(r#""content":"c\n\nX""#), "{json}");
}

#[test]
fn several_texts_keep_their_order_and_their_messages() {
    let body = r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":[]}]}"#;
    let places = [(Place::Message(2), "3"), (Place::Message(0), "1"), (Place::Message(0), "2")];
    assert_eq!(
        inserted(Dialect::OpenAi, body, &places).unwrap(),
        r#"{"messages":[{"role":"user","content":"a\n\n1\n\n2"},{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"text","text":"3"}]}]}"#
    );
}

#[rstest]
#[case::chat(
    Dialect::OpenAi,
    r#"{"messages":[{"role":"system","content":"s"},{"role":"developer","content":"d"},{"role":"user","content":"a"}]}"#,
    r#"{"messages":[{"role":"system","content":"s"},{"role":"developer","content":"d\n\nX"},{"role":"user","content":"a"}]}"#
)]
#[case::chat_without(
    Dialect::OpenAi,
    r#"{"messages":[{"role":"user","content":"a"}]}"#,
    r#"{"messages":[{"role":"system","content":"X"},{"role":"user","content":"a"}]}"#
)]
#[case::messages(
    Dialect::Anthropic,
    r#"{"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":"a"}]}"#,
    r#"{"system":[{"type":"text","text":"s"},{"type":"text","text":"X"}],"messages":[{"role":"user","content":"a"}]}"#
)]
#[case::messages_without(
    Dialect::Anthropic,
    r#"{"system":null,"messages":[{"role":"user","content":"a"}]}"#,
    r#"{"system":"X","messages":[{"role":"user","content":"a"}]}"#
)]
#[case::responses(
    Dialect::Responses,
    r#"{"instructions":"s","input":"a"}"#,
    r#"{"instructions":"s\n\nX","input":"a"}"#
)]
#[case::responses_without(
    Dialect::Responses,
    r#"{"input":"a"}"#,
    r#"{"input":"a","instructions":"X"}"#
)]
#[case::codex(
    Dialect::Responses,
    r#"{"input":[{"role":"developer","content":[{"type":"input_text","text":"d"}]},{"role":"user","content":"a"}]}"#,
    r#"{"input":[{"role":"developer","content":[{"type":"input_text","text":"d"},{"type":"input_text","text":"X"}]},{"role":"user","content":"a"}]}"#
)]
fn the_system_prompt_can_be_the_place_and_is_made_where_there_is_none(
    #[case] dialect: Dialect,
    #[case] body: &str,
    #[case] expected: &str,
) {
    assert_eq!(inserted(dialect, body, &[(Place::System, "X")]).unwrap(), expected);
}

#[rstest]
#[case::not_a_users(1)]
#[case::no_content(2)]
#[case::no_message(9)]
fn a_place_that_does_not_exist_gets_nothing(#[case] at: usize) {
    let body = r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user"}]}"#;
    assert_eq!(inserted(Dialect::OpenAi, body, &[(Place::Message(at), "X")]), None);
}

fn content(dialect: Dialect, text: &str, list: bool) -> Value {
    let kind = if dialect == Dialect::Responses { "input_text" } else { "text" };
    if list { json!([{"type": kind, "text": text}]) } else { json!(text) }
}

fn conversation(dialect: Dialect, turns: &[(String, bool)]) -> String {
    let messages: Vec<Value> = turns
        .iter()
        .enumerate()
        .map(|(at, (text, list))| {
            let role = if at % 2 == 0 { "user" } else { "assistant" };
            json!({"role": role, "content": content(dialect, text, *list)})
        })
        .collect();
    let name = if dialect == Dialect::Responses { "input" } else { "messages" };
    let list = serde_json::to_string_pretty(&messages).unwrap();
    format!("{{ \"temperature\" : 1.0 ,\"{name}\":\t{list} , \"x\":[1e5, \"\\u00e9\\/\"] }}")
}

fn dialects() -> impl Strategy<Value = Dialect> {
    prop::sample::select(vec![Dialect::OpenAi, Dialect::Anthropic, Dialect::Responses])
}

proptest! {
    #[test]
    fn parsing_gives_the_original_and_the_text_and_other_bytes_stay(
        dialect in dialects(),
        turns in prop::collection::vec((".{1,12}", any::<bool>()), 1..7),
        place in any::<prop::sample::Index>(),
        text in "[ -~\n\u{e9}\u{1F600}]{1,40}",
    ) {
        let body = conversation(dialect, &turns);
        let at = place.index(turns.len().div_ceil(2)) * 2;
        let after = inserted(dialect, &body, &[(Place::Message(at), &text)]).unwrap();
        let own = read(dialect, &body);
        let changed = read(dialect, &after);
        for (index, (was, is)) in own.messages.iter().zip(&changed.messages).enumerate() {
            if index != at {
                prop_assert_eq!(was, is);
            }
        }
        let all = |message: &Message| -> String {
            let texts = message.parts.iter().map(|part| match part {
                Part::Text { text, .. } => text.as_str(),
                _ => "",
            });
            texts.collect::<Vec<_>>().join("\n\n")
        };
        let expected = format!("{}\n\n{text}", all(&own.messages[at]));
        prop_assert_eq!(all(&changed.messages[at]), expected);
        // What was put in stands in one piece, or round the string that became a list.
        let same = |a: &mut dyn Iterator<Item = u8>, b: &mut dyn Iterator<Item = u8>| {
            a.zip(b).take_while(|(a, b)| a == b).count()
        };
        let head = same(&mut body.bytes(), &mut after.bytes());
        let tail = same(&mut body.bytes().rev(), &mut after.bytes().rev());
        let string = if turns[at].1 { 0 } else { turns[at].0.len() * 6 + 2 };
        let wrapped = if dialect == Dialect::Anthropic { string } else { 0 };
        prop_assert!(head + tail + wrapped >= body.len(), "{body}\n{after}");
    }
}
