//! The engine with its real weights. They are taken from `EDGE_ROUTER_TEST_MODELS` or fetched once into
//! `target/test-models`, so these tests always run.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use edge_router::catalog::{Capabilities, Model, ParamRules, Price, Tier};
use edge_router::chat::{
    ChatEvent, ChatRequest, Dialect, Message, Origin, Part, Role, Sampling, StopReason, Usage,
};
use edge_router::inference::InferenceError;
use edge_router::inference::generator::{Engine, EngineSettings, GenerateRequest, Turn};
use edge_router::providers::embedded::{EmbeddedProvider, Readiness};
use edge_router::providers::{Provider, ProviderCall, ReplyBody};
use edge_router::pull;
use futures_util::StreamExt;

/// The finished model file. Several test processes may ask at once: one of them fetches it.
pub(crate) fn model_file() -> PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let dir = std::env::var_os("EDGE_ROUTER_TEST_MODELS").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/test-models")),
            PathBuf::from,
        );
        pull::ensure("smollm2-135m", &dir, &pull::Silent).unwrap()
    })
    .clone()
}

fn engine() -> Engine {
    Engine::load(&model_file()).unwrap()
}

fn ask(text: &str, max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        turns: vec![Turn { role: "user", content: text.to_owned() }],
        max_tokens: Some(max_tokens),
        sampling: Sampling { temperature: Some(0.0), ..Sampling::default() },
    }
}

struct Answer {
    text: String,
    usage: Usage,
    stop: StopReason,
}

async fn answer(engine: &Engine, request: GenerateRequest) -> Result<Answer, InferenceError> {
    let mut events = engine.generate(request)?;
    let (mut text, mut usage, mut stop) = (String::new(), None, None);
    while let Some(event) = events.next().await {
        match event? {
            ChatEvent::Text(piece) => text.push_str(&piece),
            ChatEvent::Usage(found) => usage = Some(found),
            ChatEvent::Stop(found) => stop = Some(found),
            _ => {}
        }
    }
    Ok(Answer { text, usage: usage.unwrap(), stop: stop.unwrap() })
}

#[tokio::test]
async fn the_model_answers_a_short_question_and_ends_by_itself() {
    let engine = engine();
    assert_eq!(engine.context_window(), 4096);
    let answer = answer(&engine, ask("What is the capital of France?", 64)).await.unwrap();
    assert!(answer.text.contains("Paris"), "{}", answer.text);
    assert_eq!(answer.stop, StopReason::End);
    assert!(answer.usage.output > 0 && answer.usage.output < 64);
}

#[tokio::test]
async fn a_stop_sequence_over_several_tokens_is_not_shown() {
    let engine = engine();
    let mut request = ask("Count from one to five in digits, separated by commas: 1, 2,", 40);
    let whole = answer(&engine, request.clone()).await.unwrap().text;
    let stop = whole.chars().skip(4).take(5).collect::<String>();
    request.sampling.stop = vec![stop.clone()];
    let stopped = answer(&engine, request).await.unwrap();
    assert_eq!(stopped.stop, StopReason::StopSequence);
    assert_eq!(stopped.text, whole.split(&stop).next().unwrap());
}

#[tokio::test]
async fn characters_of_several_tokens_arrive_whole() {
    let engine = engine();
    let request = ask("Repeat exactly: 日本語 🦀 naïve café", 40);
    let answer = answer(&engine, request).await.unwrap();
    assert!(!answer.text.contains('\u{fffd}'), "{}", answer.text);
}

#[tokio::test]
async fn a_prompt_over_the_window_says_both_numbers() {
    let engine = engine();
    let error = answer(&engine, ask(&"word ".repeat(5000), 10)).await.err().unwrap();
    assert!(
        matches!(error, InferenceError::ContextOverflow { window: 4096, tokens } if tokens > 5000),
        "{error}"
    );
}

#[tokio::test]
async fn the_provider_streams_an_answer() {
    let provider = EmbeddedProvider::new(model_file(), EngineSettings::default());
    assert_eq!(provider.settled().await, Readiness::Ready(4096));
    let reply = provider.call(call("Say hello.")).await.unwrap();
    let ReplyBody::Events(events) = reply.body else { panic!("the engine streams events") };
    let events: Vec<ChatEvent> = events.map(Result::unwrap).collect().await;
    assert!(events.iter().any(|event| matches!(event, ChatEvent::Text(_))));
    assert!(matches!(events.last(), Some(ChatEvent::Stop(_))));
}

fn call(text: &str) -> ProviderCall {
    let model = Model {
        id: "embedded/smollm2-135m".into(),
        provider: "embedded".into(),
        upstream: "smollm2-135m".to_owned(),
        max_tier: Tier::Trivial,
        price: Some(Price::default()),
        context_window: 4096,
        max_output_tokens: 1024,
        capabilities: Capabilities::NONE,
        rules: ParamRules::default(),
        local: true,
        active: true,
        retires: None,
        replacement: None,
    };
    let request = ChatRequest {
        model: "local".to_owned(),
        stream: true,
        include_usage: false,
        messages: vec![Message { role: Role::User, parts: vec![Part::text(text)] }],
        tools: Vec::new(),
        tool_choice: None,
        parallel_tool_calls: None,
        max_output_tokens: Some(24),
        sampling: Sampling::default(),
        output_format: None,
        reasoning_effort: None,
        surcharges: edge_router::chat::Surcharges::default(),
        origin: Origin { dialect: Dialect::OpenAi, body: Bytes::new() },
    };
    ProviderCall {
        request: Arc::new(request),
        model: Arc::new(model),
        output_cap: None,
        key: None,
        headers: Vec::new(),
    }
}
