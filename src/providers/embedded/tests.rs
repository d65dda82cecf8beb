use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::catalog::{Capabilities, Model, ParamRules, Price, Tier};
use crate::chat::{ChatEvent, Image, Message, Origin, OutputFormat, Sampling, ToolCall};
use crate::inference::generator::tiny::{self, Tiny};

fn request(messages: Vec<Message>) -> ChatRequest {
    ChatRequest {
        model: "local".to_owned(),
        stream: false,
        include_usage: false,
        messages,
        tools: Vec::new(),
        tool_choice: None,
        parallel_tool_calls: None,
        max_output_tokens: Some(9),
        sampling: Sampling { temperature: Some(0.0), ..Sampling::default() },
        output_format: None,
        reasoning_effort: None,
        surcharges: crate::chat::Surcharges::default(),
        origin: Origin { dialect: Dialect::OpenAi, body: Bytes::new() },
    }
}

fn says(role: Role, text: &str) -> Message {
    Message { role, parts: vec![Part::text(text)] }
}

fn call(request: ChatRequest) -> ProviderCall {
    let model = Model {
        id: "embedded/tiny".into(),
        provider: "embedded".into(),
        upstream: "tiny".to_owned(),
        max_tier: Tier::Trivial,
        price: Some(Price::default()),
        context_window: 512,
        max_output_tokens: 256,
        capabilities: Capabilities::NONE,
        rules: ParamRules::default(),
        local: true,
        active: true,
        retires: None,
        replacement: None,
    };
    ProviderCall {
        request: Arc::new(request),
        model: Arc::new(model),
        output_cap: None,
        key: None,
        headers: Vec::new(),
    }
}

async fn ready() -> (TempDir, Arc<EmbeddedProvider>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    tiny::write(&path, &Tiny::default());
    let provider = EmbeddedProvider::new(path, EngineSettings::default());
    assert_eq!(provider.settled().await, Readiness::Ready(512));
    (dir, provider)
}

async fn refused(provider: &EmbeddedProvider, request: ChatRequest) -> ProviderError {
    provider.call(call(request)).await.err().unwrap()
}

#[tokio::test]
async fn a_request_is_answered_with_events() {
    let (_dir, provider) = ready().await;
    let reply = provider.call(call(request(vec![says(Role::User, "hi")]))).await.unwrap();
    let ReplyBody::Events(events) = reply.body else { panic!("the engine streams events") };
    let events: Vec<ChatEvent> = events.map(Result::unwrap).collect().await;
    assert!(matches!(events.first(), Some(ChatEvent::Start { .. })));
    assert!(matches!(&events[events.len() - 2], ChatEvent::Usage(usage) if usage.output == 9));
    assert!(matches!(events.last(), Some(ChatEvent::Stop(_))));
    assert!(reply.dropped.is_empty());
}

#[tokio::test]
async fn a_model_that_is_not_there_says_how_to_get_it_and_loads_once_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("smollm2-135m.gguf");
    let provider = EmbeddedProvider::new(path.clone(), EngineSettings::default());
    assert_eq!(provider.ready(), Readiness::Missing);
    let error = refused(&provider, request(vec![says(Role::User, "hi")])).await;
    assert_eq!(error.kind, ProviderErrorKind::Unavailable);
    assert!(error.message.contains("edge-router models pull smollm2-135m"), "{error}");

    tiny::write(&path, &Tiny::default());
    provider.load();
    assert_eq!(provider.settled().await, Readiness::Ready(512));
}

#[tokio::test]
async fn a_broken_file_is_a_failure_that_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broken.gguf");
    std::fs::write(&path, b"GGUF and then nothing").unwrap();
    let provider = EmbeddedProvider::new(path, EngineSettings::default());
    let Readiness::Failed(why) = provider.settled().await else { panic!("{provider:?}") };
    assert!(why.contains("broken.gguf"), "{why}");
    let error = refused(&provider, request(vec![says(Role::User, "hi")])).await;
    assert_eq!((error.kind, error.message), (ProviderErrorKind::Unavailable, why));
}

#[tokio::test]
async fn images_are_the_clients_error() {
    let (_dir, provider) = ready().await;
    let image = Part::Image(Image::Url("http://127.0.0.1/a.png".to_owned()));
    let error =
        refused(&provider, request(vec![Message { role: Role::User, parts: vec![image] }])).await;
    assert_eq!(error.kind, ProviderErrorKind::Request);
    assert!(error.message.contains("images"), "{error}");
}

#[tokio::test]
async fn too_long_a_prompt_asks_for_a_larger_window() {
    let (_dir, provider) = ready().await;
    let error = refused(&provider, request(vec![says(Role::User, &"x".repeat(600))])).await;
    assert_eq!(error.kind, ProviderErrorKind::ContextOverflow);
    assert!(error.message.starts_with("This model's maximum context length is 512 tokens."));
}

#[test]
fn without_a_cap_of_the_client_the_answer_stays_short() {
    let mut request = request(vec![says(Role::User, "hi")]);
    request.max_output_tokens = None;
    let mut call = call(request);
    let cap = |call: &ProviderCall| {
        convert(call, &EngineSettings::default()).unwrap().0.max_tokens.unwrap()
    };
    let own = EngineSettings::default().default_output;
    assert_eq!(cap(&call), own);
    call.output_cap = Some(8192);
    assert_eq!(cap(&call), own);
    call.output_cap = Some(7);
    assert_eq!(cap(&call), 7);
}

#[test]
fn the_conversation_becomes_turns_and_what_has_no_place_is_named() {
    let mut request = request(vec![
        says(Role::System, "be brief"),
        says(Role::Developer, "use Rust"),
        says(Role::User, "list the files"),
        Message {
            role: Role::Assistant,
            parts: vec![
                Part::Thinking { text: "hm".to_owned(), signature: None },
                Part::ToolCall(ToolCall {
                    id: "1".to_owned(),
                    name: "ls".to_owned(),
                    arguments: "{}".to_owned(),
                }),
            ],
        },
        Message {
            role: Role::Tool,
            parts: vec![Part::ToolResult {
                call_id: "1".to_owned(),
                content: vec![Part::text("a.rs")],
                is_error: false,
            }],
        },
    ]);
    request.output_format =
        Some(OutputFormat::Schema { name: None, schema: json!({}), strict: None });
    let mut call = call(request);
    call.output_cap = Some(5);

    let (converted, dropped) = convert(&call, &EngineSettings::default()).unwrap();
    let turns: Vec<(&str, &str)> =
        converted.turns.iter().map(|turn| (turn.role, turn.content.as_str())).collect();
    assert_eq!(
        turns,
        [
            ("system", "be brief\n\nuse Rust"),
            ("user", "list the files"),
            ("assistant", "[called ls with {}]"),
            ("user", "[result of the call]\na.rs"),
        ]
    );
    assert_eq!(converted.max_tokens, Some(5));
    assert_eq!(dropped, ["thinking", "tool_calls", "response_format"]);
}
