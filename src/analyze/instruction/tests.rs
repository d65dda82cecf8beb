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
        surcharges: crate::chat::Surcharges::default(),
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

/// One message of the assistant with these calls, then their results.
fn rounds(rounds: &[&[(&str, &str, &str)]]) -> Vec<Message> {
    let mut messages = request(&[(Role::User, "fix it in a.rs please")]).messages;
    for (round, calls) in rounds.iter().enumerate() {
        let id = |at: usize| format!("call_{round}_{at}");
        let call = |(at, (name, arguments, _)): (usize, &(&str, &str, &str))| {
            Part::ToolCall(ToolCall {
                id: id(at),
                name: (*name).into(),
                arguments: (*arguments).into(),
            })
        };
        let parts = calls.iter().enumerate().map(call).collect();
        messages.push(Message { role: Role::Assistant, parts });
        for (at, (_, _, result)) in calls.iter().enumerate() {
            let content = vec![Part::text(*result)];
            let part = Part::ToolResult { call_id: id(at), content, is_error: false };
            messages.push(Message { role: Role::Tool, parts: vec![part] });
        }
    }
    messages
}

#[rstest]
#[case::edits_that_miss(&[("edit", "a", "Error: text not found"), ("edit", "b", "Error: no match"), ("edit", "c", "Error: text not found")], true)]
#[case::commands_that_fail(&[("run", "a", "Exit code: 2\nOutput:\nerror: no target"), ("run", "b", "Exit code: 1\nOutput:\nfailed"), ("run", "c", "Exit code: 101\nOutput:\npanicked at")], true)]
#[case::searches_that_find_nothing(&[("grep", "a", "Exit code: 1\nOutput:\n"), ("grep", "b", "Exit code: 1\nOutput:\n"), ("grep", "c", "Exit code: 1\nOutput:\n")], false)]
#[case::nothing_found_and_no_error(&[("run", "a", "Output: (empty)\nError: (none)\nExit Code: 1"), ("run", "b", "Output: (empty)\nError: (none)\nExit Code: 1"), ("run", "c", "Output: (empty)\nError: (none)\nExit Code: 1")], false)]
#[case::success_between(&[("edit", "a", "Error: no match"), ("edit", "b", "ok"), ("edit", "c", "Error: no match"), ("edit", "d", "Error: no match")], false)]
#[case::files_that_speak_of_errors(&[("read", "a", "fn error() {}"), ("read", "b", "// may fail"), ("read", "c", "struct Error;")], false)]
fn three_failed_rounds_in_a_row_are_a_loop_whatever_was_called(
    #[case] results: &[(&str, &str, &str)],
    #[case] escalate: bool,
) {
    let each: Vec<_> = results.iter().map(std::slice::from_ref).collect();
    assert_eq!(find_instruction(&with(rounds(&each))).escalate, escalate);
}

#[test]
fn parallel_calls_are_one_round() {
    let missing: &[_] = &[
        ("read", "a", "Error: no such file"),
        ("read", "b", "Error: no such file"),
        ("read", "c", "Error: no such file"),
    ];
    let mixed: &[_] = &[("read", "a", "Error: no such file"), ("read", "b", "text")];
    let other: &[_] = &[("read", "c", "text")];
    let escalates = |all: &[&[_]]| find_instruction(&with(rounds(all))).escalate;
    assert!(!escalates(&[missing]));
    assert!(!escalates(&[missing, missing, other, missing]));
    assert!(escalates(&[missing, missing, missing]));
    assert!(escalates(&[mixed, mixed, mixed]));
    assert!(!escalates(&[mixed, mixed, other, mixed]));
}

#[test]
fn three_complaints_of_the_client_are_a_loop_whatever_they_say() {
    let complaint = |n: u32| format!("[ERROR] Reply {n} had no tool use in it.\n{}", "x".repeat(9));
    let mut texts: Vec<(Role, String)> = vec![(Role::User, "<task>\nfix a.rs\n</task>".into())];
    for n in 0..3 {
        texts.push((Role::Assistant, format!("I would change line {n}.")));
        texts.push((Role::User, complaint(n) + &"!".repeat(n as usize)));
    }
    let escalates = |texts: &[(Role, String)]| {
        let texts: Vec<_> = texts.iter().map(|(role, text)| (*role, text.as_str())).collect();
        find_instruction(&request(&texts)).escalate
    };
    assert!(!escalates(&texts[..5]));
    assert!(escalates(&texts));
}

#[test]
fn guidance_that_a_stuck_client_asked_for_belongs_to_the_task_and_raises_it() {
    let found = find_instruction(&request(&[
        (Role::User, "<task>\nport the ingest path to tokio\n</task>"),
        (Role::Assistant, "hm"),
        (
            Role::User,
            "You seem to be having trouble proceeding. The person says:\n<feedback>\nlook at the ring buffer in ring.rs first\n</feedback>",
        ),
    ]));
    assert_eq!(found.text, "look at the ring buffer in ring.rs first");
    assert_eq!(found.continues, ["port the ingest path to tokio"]);
    assert!(found.escalate);
}

#[test]
fn a_remark_that_refuses_a_call_belongs_to_the_task() {
    let found = find_instruction(&request(&[
        (Role::User, "<task>\nport the ingest path to tokio\n</task>"),
        (Role::Assistant, "<execute_command>…</execute_command>"),
        (
            Role::User,
            "[execute_command for 'rm a'] Result:\nThe user denied this operation.\n<feedback>\nnever delete files, move them into old/\n</feedback>",
        ),
    ]));
    assert_eq!(found.text, "never delete files, move them into old/");
    assert_eq!(found.continues, ["port the ingest path to tokio"]);
    assert!(!found.escalate);
}

#[test]
fn the_humans_third_complaint_in_a_row_raises_the_task() {
    let mut texts = vec![(Role::User, "write a parser for OBX segments with tests")];
    for complaint in ["still fails", "that's wrong, the dates are off", "doesn't work either"] {
        texts.extend([(Role::Assistant, "Done."), (Role::User, complaint)]);
    }
    assert!(!find_instruction(&request(&texts[..5])).escalate);
    assert!(find_instruction(&request(&texts)).escalate);
    texts.extend([(Role::Assistant, "Done."), (Role::User, "rename usrCnt to userCount")]);
    assert!(!find_instruction(&request(&texts)).escalate);
}

#[test]
fn a_short_answer_to_a_question_belongs_to_the_task() {
    let asked = |question: &str| {
        find_instruction(&request(&[
            (Role::User, "store the bookings in a database, with migrations and a rollback"),
            (Role::Assistant, question),
            (Role::User, "postgres"),
        ]))
    };
    assert_eq!(asked("Which database should it be?").continues.len(), 1);
    assert!(asked("I made the tables.").continues.is_empty());
}

#[test]
fn thanks_close_the_talk() {
    let closes = |words: &str| {
        let task = (Role::User, "port the ingest path to tokio");
        let texts = [task, (Role::Assistant, "Done."), (Role::User, words)];
        find_instruction(&request(&texts)).closing
    };
    assert!(closes("perfect, thanks!"));
    assert!(!closes("perfect, now the tests"));
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
