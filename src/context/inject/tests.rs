use bytes::Bytes;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::analyze::find_instruction;
use crate::chat::Dialect;
use crate::conversation::fingerprint;

#[rstest]
#[case::nothing_said(None, None, None, Inject::OnHeader, false)]
#[case::asked_for(Some(true), None, None, Inject::OnHeader, true)]
#[case::always(None, Some("aider/1"), None, Inject::Always, true)]
#[case::always_but_not_here(Some(false), None, None, Inject::Always, false)]
#[case::the_key_decides_before_the_configuration(
    None,
    None,
    Some(Inject::Always),
    Inject::Never,
    true
)]
#[case::never_means_never(Some(true), None, Some(Inject::Never), Inject::Always, false)]
#[case::the_client_does_it_itself(None, Some("claude-cli/2.1 (cli)"), None, Inject::Always, false)]
#[case::unless_it_asks(Some(true), Some("claude-cli/2.1"), None, Inject::Always, true)]
fn who_is_given_context_is_decided_by_header_client_key_and_configuration(
    #[case] asked: Option<bool>,
    #[case] agent: Option<&str>,
    #[case] own: Option<Inject>,
    #[case] general: Inject,
    #[case] expected: bool,
) {
    assert_eq!(wanted(asked, agent, own, general), expected);
}

fn read(dialect: Dialect, body: &str) -> ChatRequest {
    wire::decode_request(dialect, Bytes::from(body.to_owned())).unwrap()
}

fn chat(messages: &Value) -> ChatRequest {
    read(Dialect::OpenAi, &json!({"messages": messages}).to_string())
}

/// Whether a request is open for a new block, and in which message.
fn open_at(request: &ChatRequest) -> Option<usize> {
    let instruction = find_instruction(request);
    let reader = Reader { key: "k".into(), admin: true, allowed: None };
    let ask = ask(request, &instruction, &reader);
    open(&ask, &spots(&request.messages)).map(|spot| spot.at)
}

fn ask<'a>(request: &'a ChatRequest, instruction: &'a Instruction, reader: &'a Reader) -> Ask<'a> {
    Ask {
        request,
        instruction,
        conversation: fingerprint("k", None, request),
        reader,
        project: None,
        max_tokens: 8000,
        placement: Placement::User,
    }
}

#[test]
fn only_the_humans_last_words_are_open_for_a_new_block() {
    let user = |text: &str| json!({"role": "user", "content": text});
    let system = json!({"role": "system", "content": "You are helpful."});
    let answer = json!({"role": "assistant", "content": "Done."});
    let call = json!({"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "read", "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "c", "content": "text"});
    let fix = || user("Fix the parser in src/a.rs, please");
    let title = json!({"role": "system", "content": "You are a title generator. You output only a thread title."});
    let report = user("[read_file for 'src/a.rs'] Result:\nfn main() {}");
    for (messages, expected) in [
        (json!([system, fix()]), Some(1)),
        (json!([system, fix(), answer, user("Now add tests for it")]), Some(3)),
        (json!([system, fix(), system]), Some(1)),
        (json!([system, fix(), call, result]), None),
        (json!([system, fix(), answer, report]), None),
        (json!([title, fix()]), None),
        (json!([system, fix(), answer]), None),
        (json!([system, fix(), answer, user("Thanks!")]), None),
    ] {
        assert_eq!(open_at(&chat(&messages)), expected, "{messages}");
    }
}

fn block(spot: Spot, text: &str) -> Block {
    Block {
        message: spot.message,
        occurrence: spot.occurrence,
        text: text.into(),
        tokens: 10,
        project: "shop".into(),
        shown: BTreeMap::new(),
    }
}

/// One request on its way through, as [`give`] treats it, with a block made up; freezes it.
fn sent(request: &ChatRequest, blocks: &mut Vec<Block>, text: &str) -> String {
    let instruction = find_instruction(request);
    let reader = Reader { key: "k".into(), admin: true, allowed: None };
    let ask = ask(request, &instruction, &reader);
    let spots = spots(&request.messages);
    let frozen = blocks.clone();
    let told = replayed(&frozen, &spots);
    let open = open(&ask, &spots).filter(|open| !told.iter().any(|(at, _)| *at == open.at));
    let fresh = open.map(|spot| (spot, block(spot, text)));
    blocks.extend(fresh.iter().map(|(_, block)| block.clone()));
    let given = with_blocks(&ask, &told, fresh);
    let body = given
        .map_or_else(|| request.origin.body.clone(), |given| given.request.origin.body.clone());
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn the_same_words_said_twice_keep_their_own_blocks() {
    let user = |text: &str| json!({"role": "user", "content": text});
    let answer = json!({"role": "assistant", "content": "Done."});
    let mut blocks = Vec::new();
    let words = "Run the tests and fix what fails";
    let mut messages = vec![user(words)];
    for text in ["<1>", "<2>", "<3>"] {
        sent(&chat(&json!(messages)), &mut blocks, text);
        messages.extend([answer.clone(), user(words)]);
    }
    let body = sent(&chat(&json!(messages)), &mut blocks, "<4>");
    let at: Vec<_> = ["<1>", "<2>", "<3>", "<4>"].map(|text| body.find(text).unwrap()).to_vec();
    assert!(at.is_sorted(), "{body}");
}

#[test]
fn a_message_keeps_its_block_when_the_client_leaves_its_own_additions_out() {
    let mut blocks = Vec::new();
    let first = json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": "<system-reminder>\ntoday is Monday\n</system-reminder>"},
        {"type": "text", "text": "Fix the parser in src/a.rs"}]}]});
    sent(&read(Dialect::Anthropic, &first.to_string()), &mut blocks, "<1>");
    let later = json!({"messages": [
        {"role": "user", "content": "Fix the parser in src/a.rs"},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "Now add tests"}]});
    let body = sent(&read(Dialect::Anthropic, &later.to_string()), &mut blocks, "<2>");
    assert!(body.find("<1>").unwrap() < body.find("Done.").unwrap(), "{body}");
}

#[test]
fn a_message_that_the_client_drops_takes_its_block_away() {
    let mut blocks = Vec::new();
    sent(&chat(&json!([{"role": "user", "content": "Fix the parser"}])), &mut blocks, "<1>");
    let later = json!([{"role": "user", "content": "Now add tests for the lexer"}]);
    let body = sent(&chat(&later), &mut blocks, "<2>");
    assert!(!body.contains("<1>") && body.contains("<2>"), "{body}");
}

#[test]
fn later_knowledge_replaces_earlier_in_the_order_of_the_conversation() {
    use crate::delta::ContentHash;
    let path = ProjectPath::parse("src/a.rs").unwrap();
    let shown = |text: &str| Shown { hash: Some(ContentHash::of(text.as_bytes())), whole: true };
    let request = chat(&json!([
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "v2 read"},
        {"role": "user", "content": "two"}]));
    let spots = spots(&request.messages);
    let mut one = block(spots[0], "<1>");
    one.shown.insert(path.clone(), shown("v1"));
    let two = block(spots[1], "<2>");
    let sent = Sent::of(&request.messages);
    // The client's own reading stands between the two blocks.
    let seen = |texts: &[&str]| -> BTreeMap<ProjectPath, Shown> {
        let read = texts.iter().any(|text| text.contains("v2"));
        read.then(|| (path.clone(), shown("v2"))).into_iter().collect()
    };
    let known = timeline(&[(0, &one), (2, &two)], &sent, seen);
    assert_eq!(known[&path], shown("v2"));
    let mut two = two;
    two.shown.insert(path.clone(), shown("v3"));
    assert_eq!(timeline(&[(0, &one), (2, &two)], &sent, seen)[&path], shown("v3"));
}

#[rstest]
#[case("cwd: /home/ann/shop\n", true)]
#[case("see /home/ann/shop/src/a.rs", true)]
#[case("/home/ann/shop", true)]
#[case("/home/ann/shop2/src", false)]
#[case("/home/ann/shop-old and /home/ann/shop.", true)]
#[case("/home/ann/", false)]
fn a_directory_is_named_by_its_whole_name(#[case] text: &str, #[case] expected: bool) {
    let request = chat(&json!([{"role": "user", "content": text}]));
    assert_eq!(Sent::of(&request.messages).mentions("/home/ann/shop"), expected);
    assert!(!Sent::of(&request.messages).mentions("/"));
}

/// What happens next in a conversation.
#[derive(Clone, Debug)]
enum Step {
    Human { text: String, parts: bool },
    Tool(String),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let words = prop::sample::select(vec![
        "Fix the parser",
        "Now add tests",
        "continue",
        "Fix the parser",
        "why?",
        "Use /tmp \"x\" é",
    ]);
    let human = (words, any::<bool>())
        .prop_map(|(text, parts)| Step::Human { text: text.to_owned(), parts });
    let step = prop_oneof![2 => human, 1 => "[a-z \n]{0,20}".prop_map(Step::Tool)];
    prop::collection::vec(step, 1..9)
}

fn human(dialect: Dialect, text: &str, parts: bool) -> Value {
    let kind = if dialect == Dialect::Responses { "input_text" } else { "text" };
    let content = if parts { json!([{"type": kind, "text": text}]) } else { json!(text) };
    json!({"role": "user", "content": content})
}

/// A call and its result.
fn tool(dialect: Dialect, id: &str, output: &str) -> Vec<Value> {
    match dialect {
        Dialect::Anthropic => vec![
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "read", "input": {}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": output}]}),
        ],
        Dialect::Responses => vec![
            json!({"type": "function_call", "call_id": id, "name": "read", "arguments": "{}"}),
            json!({"type": "function_call_output", "call_id": id, "output": output}),
        ],
        Dialect::OpenAi | Dialect::Ollama => vec![
            json!({"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": {"name": "read", "arguments": "{}"}}]}),
            json!({"role": "tool", "tool_call_id": id, "content": output}),
        ],
    }
}

proptest! {
    #[test]
    fn what_went_upstream_in_one_turn_begins_what_goes_in_the_next(
        steps in steps(),
        dialect in prop::sample::select(vec![Dialect::OpenAi, Dialect::Anthropic, Dialect::Responses]),
    ) {
        let name = if dialect == Dialect::Responses { "input" } else { "messages" };
        let mut messages = vec![human(dialect, "Write a calculator in src/calc.rs", false)];
        let mut blocks = Vec::new();
        let mut before: Option<String> = None;
        let all = std::iter::once(None).chain(steps.into_iter().map(Some));
        for (turn, step) in all.enumerate() {
            match step {
                None => {}
                Some(Step::Human { text, parts }) => {
                    messages.push(json!({"role": "assistant", "content": "Done."}));
                    messages.push(human(dialect, &text, parts));
                }
                Some(Step::Tool(output)) => messages.extend(tool(dialect, &turn.to_string(), &output)),
            }
            let list = serde_json::to_string(&messages).unwrap();
            let request = read(dialect, &format!("{{\"{name}\":{list}}}"));
            let text = format!("<context_delta turn=\"{turn}\">\n+ x\n</context_delta>");
            let body = sent(&request, &mut blocks, &text);
            if let Some(before) = &before {
                let prefix = before.strip_suffix("]}").unwrap();
                prop_assert!(body.starts_with(prefix), "{}\n{}", before, body);
            }
            before = Some(body);
        }
    }
}
