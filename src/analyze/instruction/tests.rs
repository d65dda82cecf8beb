use bytes::Bytes;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;

use crate::chat::{Dialect, Origin, Part, Sampling, ToolCall};
use crate::wire::decode_request;

use super::*;

mod recorded;

const CONVERSATIONS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/conversations/train.jsonl"));

struct Record {
    id: String,
    case: String,
    request: ChatRequest,
    instruction: Option<String>,
    side: bool,
    note: String,
    tier: String,
}

fn records() -> Vec<Record> {
    CONVERSATIONS
        .lines()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            Record {
                id: text("id"),
                case: text("case"),
                request: decoded(&text("api"), &record["body"]),
                instruction: record["instruction"].as_str().map(str::to_owned),
                side: record["side"].as_bool().unwrap(),
                note: text("note"),
                tier: text("tier"),
            }
        })
        .collect()
}

fn decoded(api: &str, body: &Value) -> ChatRequest {
    let dialect = match api {
        "chat" => Dialect::OpenAi,
        "messages" => Dialect::Anthropic,
        "responses" => Dialect::Responses,
        other => panic!("unknown api {other}"),
    };
    decode_request(dialect, Bytes::from(serde_json::to_vec(body).unwrap())).unwrap()
}

fn share(found: usize, all: usize) -> f64 {
    f64::from(u32::try_from(found).unwrap()) / f64::from(u32::try_from(all).unwrap())
}

#[test]
fn the_humans_words_are_found_in_every_clients_envelope() {
    let records = records();
    let typed: Vec<&Record> = records.iter().filter(|record| !record.side).collect();
    let mut misses = 0;
    for record in &typed {
        let found = find_instruction(&record.request);
        if Some(found.text.trim()) != record.instruction.as_deref().map(str::trim) {
            misses += 1;
            println!(
                "{} ({}): found {:?}, wanted {:?}",
                record.id, record.case, found.text, record.instruction
            );
        }
    }
    assert!(share(typed.len() - misses, typed.len()) >= 0.95, "{misses} of {}", typed.len());
}

#[test]
fn requests_that_nobody_typed_are_told_apart() {
    let records = records();
    let mut misses = 0;
    for record in &records {
        let found = find_instruction(&record.request);
        let tier = found.side.map_or(record.tier.clone(), |tier| tier.to_string());
        if found.side.is_some() != record.side || tier != record.tier {
            misses += 1;
            println!(
                "{}: side {:?}, wanted {} {}",
                record.id, found.side, record.side, record.tier
            );
        }
    }
    assert!(share(records.len() - misses, records.len()) >= 0.95, "{misses}");
}

#[test]
fn agents_that_run_in_circles_are_noticed_and_others_are_not() {
    for record in records() {
        let found = find_instruction(&record.request);
        assert_eq!(found.escalate, record.case == "failing_loop", "{}: {}", record.id, record.note);
    }
}

#[test]
fn follow_ups_lean_on_the_task_they_belong_to() {
    for record in records().iter().filter(|record| !record.side) {
        let found = find_instruction(&record.request);
        let note = &record.note;
        match record.case.as_str() {
            "context_dependent" => assert!(!found.continues.is_empty(), "{}: {note}", record.id),
            "acknowledgement" if record.tier != "trivial" => {
                assert!(!found.continues.is_empty(), "{}: {note}", record.id);
            }
            "followup" | "second_instruction" | "acknowledgement" => {
                assert!(found.continues.is_empty(), "{}: {note}: {:?}", record.id, found.continues);
            }
            _ => {}
        }
    }
}

fn request(texts: &[(Role, &str)]) -> ChatRequest {
    let message =
        |(role, text): &(Role, &str)| Message { role: *role, parts: vec![Part::text(*text)] };
    with(texts.iter().map(message).collect())
}

fn with(messages: Vec<Message>) -> ChatRequest {
    ChatRequest {
        model: String::new(),
        stream: false,
        include_usage: false,
        messages,
        tools: Vec::new(),
        tool_choice: None,
        parallel_tool_calls: None,
        max_output_tokens: None,
        sampling: Sampling::default(),
        output_format: None,
        reasoning_effort: None,
        origin: Origin { dialect: Dialect::OpenAi, body: Bytes::new() },
    }
}

#[test]
fn a_chain_of_follow_ups_ends_at_the_task() {
    let found = find_instruction(&request(&[
        (Role::User, "rename a to b"),
        (Role::Assistant, "done"),
        (Role::User, "port the ingest path to tokio and keep the api"),
        (Role::Assistant, "Shall I begin with the ring?"),
        (Role::User, "yes"),
        (Role::Assistant, "Stage one is done."),
        (Role::User, "continue"),
    ]));
    assert_eq!(found.text, "continue");
    assert_eq!(found.continues, ["yes", "port the ingest path to tokio and keep the api"]);
    assert_eq!(found.turn, 4);
}

#[rstest]
#[case::roo("ask_followup_question", "<user_message>\nthe second\n</user_message>", "the second")]
#[case::cline("attempt_completion", "Words:\n<feedback>\nalso a.rs\n</feedback>", "also a.rs")]
#[case::output_of_another_tool("read_file", "<user_message>\nport it\n</user_message>", "fix it")]
fn answers_to_native_tools_that_ask_are_heard(
    #[case] tool: &str,
    #[case] result: &str,
    #[case] text: &str,
) {
    let mut messages = request(&[(Role::User, "fix it")]).messages;
    let call = ToolCall { id: "1".into(), name: tool.into(), arguments: "{}".into() };
    messages.push(Message { role: Role::Assistant, parts: vec![Part::ToolCall(call)] });
    let result = Part::ToolResult {
        call_id: "1".into(),
        content: vec![Part::text(result)],
        is_error: false,
    };
    messages.push(Message { role: Role::Tool, parts: vec![result] });
    assert_eq!(find_instruction(&with(messages)).text, text);
}

#[test]
fn a_history_shortened_by_the_program_shows_the_goal_of_its_summary() {
    let summary = "## Objective\n- Port the lexer\n\n## Work State\n### Active\n- tests";
    let mut texts = vec![
        (Role::User, "What did we do so far?"),
        (Role::Assistant, summary),
        (Role::User, "Continue if you have next steps, or stop and ask for clarification."),
    ];
    assert_eq!(find_instruction(&request(&texts)).text, "Port the lexer");
    texts.extend([(Role::Assistant, "Done."), (Role::User, "rename a to b")]);
    let found = find_instruction(&request(&texts));
    assert_eq!((found.text.as_str(), found.turn), ("rename a to b", 1));
}

#[test]
fn a_human_may_ask_what_was_done() {
    let texts = [
        (Role::User, "What did we do so far?"),
        (Role::Assistant, "We fixed the lexer."),
        (Role::User, "and before that?"),
    ];
    assert_eq!(find_instruction(&request(&texts[..1])).text, "What did we do so far?");
    assert_eq!(find_instruction(&request(&texts)).turn, 2);
}

#[test]
fn a_system_message_after_the_humans_changes_nothing() {
    let found = find_instruction(&request(&[
        (Role::User, "fix it in a.rs please"),
        (Role::System, "Agents: Plan (design of larger changes)"),
    ]));
    assert_eq!((found.text.as_str(), found.turn), ("fix it in a.rs please", 1));
}

#[test]
fn without_a_human_the_newest_user_text_is_taken() {
    let found =
        find_instruction(&request(&[(Role::User, "<environment_context>x</environment_context>")]));
    assert_eq!(found.text, "<environment_context>x</environment_context>");
    assert_eq!(find_instruction(&request(&[])).text, "");
}

#[rstest]
#[case::three_times_the_same(["a", "a", "a"], ["x", "x", "x"], true)]
#[case::only_numbers_of_a_failure_differ(["a", "a", "a"], ["error after 1 s", "error after 2 s", "error after 13 s"], true)]
#[case::progress(["a", "a", "a"], ["10 done", "20 done", "30 done"], false)]
#[case::other_calls(["a", "b", "c"], ["x", "x", "x"], false)]
#[case::twice(["a", "a", "b"], ["x", "x", "x"], false)]
fn three_equal_rounds_are_a_loop(
    #[case] arguments: [&str; 3],
    #[case] results: [&str; 3],
    #[case] escalate: bool,
) {
    let mut messages = request(&[(Role::User, "fix it in a.rs please")]).messages;
    for (round, (arguments, result)) in arguments.iter().zip(results).enumerate() {
        let id = format!("call_{round}");
        let call = ToolCall { id: id.clone(), name: "run".into(), arguments: (*arguments).into() };
        messages.push(Message { role: Role::Assistant, parts: vec![Part::ToolCall(call)] });
        let result =
            Part::ToolResult { call_id: id, content: vec![Part::text(result)], is_error: false };
        messages.push(Message { role: Role::Tool, parts: vec![result] });
    }
    assert_eq!(find_instruction(&with(messages)).escalate, escalate);
}

fn any_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<task>",
        "</task>",
        "<system-reminder>",
        "</system-reminder>",
        "<file_content path=\"a\">",
        "</file_content>",
        "[ERROR] tool",
        "[a for 'b'] Result:",
        "<feedback>",
        "</feedback>",
        "\"",
        "\n",
        "\n\n",
        " ",
        "é",
        "继续",
        "Ok.",
        "fix",
        "# *SEARCH/REPLACE block* Rules:",
        "## My request for ",
        "# Context from my IDE setup:",
        "```",
        "<",
        ">",
        "</",
        "[",
        "]",
        "# USER\n",
        "--- Content from",
        "--- End of content",
        "[TASK RESUMPTION]",
        "<user_message>",
        "</user_message>",
        "?",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

fn any_message() -> impl Strategy<Value = Message> {
    let role = prop::sample::select(vec![
        Role::System,
        Role::Developer,
        Role::User,
        Role::User,
        Role::Assistant,
        Role::Tool,
    ]);
    let part = prop_oneof![
        4 => any_text().prop_map(Part::text),
        1 => any_text().prop_map(|text| Part::ToolResult {
            call_id: "1".into(), content: vec![Part::text(text)], is_error: true,
        }),
        1 => any_text().prop_map(|text| Part::ToolCall(ToolCall {
            id: "1".into(), name: "run".into(), arguments: text,
        })),
    ];
    (role, prop::collection::vec(part, 0..4)).prop_map(|(role, parts)| Message { role, parts })
}

proptest! {
    #[test]
    fn any_messages_are_read(messages in prop::collection::vec(any_message(), 0..8)) {
        let request = with(messages);
        let found = find_instruction(&request);
        prop_assert!(found.side.is_none() || found.text.is_empty());
    }

    #[test]
    fn a_plain_sentence_comes_back_as_it_is(text in "[a-z]{3,9}( [a-z]{3,9}){2,8}") {
        let found = find_instruction(&request(&[(Role::System, "Be kind."), (Role::User, &text)]));
        prop_assert_eq!(found.text, text);
    }
}
