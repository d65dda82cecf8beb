//! The engine's behaviour on a model of a few kilobytes. What the real weights say is tested in
//! `tests/it/embedded.rs`.

use std::path::PathBuf;

use futures_util::StreamExt;
use rstest::rstest;
use tempfile::TempDir;

use super::tiny::{self, Tiny};
use super::*;
use crate::chat::{StopReason, Usage};

fn model(tiny: &Tiny) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    tiny::write(&path, tiny);
    (dir, path)
}

fn engine(tiny: &Tiny, settings: EngineSettings) -> Engine {
    let (_dir, path) = model(tiny);
    Engine::load_with(&path, settings).unwrap()
}

fn settings() -> EngineSettings {
    EngineSettings { system: None, ..EngineSettings::default() }
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
    pieces: usize,
    usage: Usage,
    stop: StopReason,
}

async fn answer(engine: &Engine, request: GenerateRequest) -> Result<Answer, InferenceError> {
    let events: Vec<_> = engine.generate(request)?.collect().await;
    let events = events.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert!(matches!(events.first(), Some(ChatEvent::Start { .. })));
    let [.., ChatEvent::Usage(usage), ChatEvent::Stop(stop)] = events.as_slice() else {
        panic!("{events:?}");
    };
    let pieces: Vec<&str> = events
        .iter()
        .filter_map(
            |event| if let ChatEvent::Text(text) = event { Some(text.as_str()) } else { None },
        )
        .collect();
    Ok(Answer { text: pieces.concat(), pieces: pieces.len(), usage: *usage, stop: *stop })
}

fn load_error(tiny: &Tiny) -> String {
    let (_dir, path) = model(tiny);
    Engine::load(&path).unwrap_err().to_string()
}

#[rstest]
#[case("llama", "smollm")]
#[case("llama", "llama-bpe")]
#[case("qwen2", "qwen2")]
#[case("qwen3", "qwen2")]
#[tokio::test]
async fn every_supported_architecture_answers_to_its_cap(
    #[case] architecture: &'static str,
    #[case] pre: &'static str,
) {
    let engine = engine(&Tiny { architecture, pre, ..Tiny::default() }, settings());
    let answer = answer(&engine, ask("hello", 12)).await.unwrap();
    assert_eq!(answer.stop, StopReason::Length);
    assert_eq!(answer.usage.output, 12);
    // One token per byte of `<user>hello\n<assistant>`.
    assert_eq!(answer.usage.input, 23);
    assert_eq!(engine.context_window(), 512);
}

#[tokio::test]
async fn the_prompt_is_read_the_same_in_one_piece_and_in_many() {
    let long = "x".repeat(200);
    let mut texts = Vec::new();
    for prefill_chunk in [1, 7, 128, 1000] {
        let engine = engine(&Tiny::default(), EngineSettings { prefill_chunk, ..settings() });
        texts.push(answer(&engine, ask(&long, 20)).await.unwrap().text);
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
}

#[tokio::test]
async fn requests_do_not_see_each_other() {
    let engine = engine(&Tiny::default(), settings());
    let first = answer(&engine, ask("one", 20)).await.unwrap().text;
    answer(&engine, ask("something else entirely", 20)).await.unwrap();
    assert_eq!(answer(&engine, ask("one", 20)).await.unwrap().text, first);
}

#[tokio::test]
async fn a_prompt_over_the_window_is_an_error_with_both_numbers() {
    let engine = engine(&Tiny { context: 64, ..Tiny::default() }, settings());
    let error = answer(&engine, ask(&"x".repeat(100), 5)).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "This model's maximum context length is 64 tokens. However, your messages resulted in 118 tokens."
    );
    let huge = answer(&engine, ask(&"x".repeat(5_000_000), 5)).await.err().unwrap();
    assert!(matches!(huge, InferenceError::ContextOverflow { window: 64, tokens } if tokens > 64));
}

#[tokio::test]
async fn an_answer_ends_where_the_window_ends() {
    let engine = engine(&Tiny { context: 64, ..Tiny::default() }, settings());
    let answer = answer(&engine, ask("hello", 1000)).await.unwrap();
    assert_eq!(answer.stop, StopReason::Length);
    assert_eq!(answer.usage.input + answer.usage.output, 64);
}

#[tokio::test]
async fn the_model_ends_its_turn_with_its_end_mark() {
    // Hot enough that each of the 257 words comes up sooner or later.
    let tiny = Tiny { end: Some("<|im_end|>"), ..Tiny::default() };
    let engine = engine(&tiny, EngineSettings { default_output: 400, ..settings() });
    let mut ended = 0;
    for seed in 0..12 {
        let mut request = ask("hello", 400);
        request.sampling = Sampling {
            temperature: Some(10.0),
            top_p: Some(1.0),
            top_k: Some(0),
            seed: Some(seed),
            ..Sampling::default()
        };
        let answer = answer(&engine, request).await.unwrap();
        assert!(!answer.text.contains("<|im_end|>"));
        ended += usize::from(answer.stop == StopReason::End);
    }
    assert!(ended > 0);
}

#[tokio::test]
async fn a_stop_sequence_ends_the_answer_and_is_not_shown() {
    let engine = engine(&Tiny::default(), settings());
    let whole = answer(&engine, ask("hello", 60)).await.unwrap().text;
    let characters: Vec<char> = whole.chars().collect();
    let stop: String = characters[characters.len() / 2..characters.len() / 2 + 3].iter().collect();
    let mut request = ask("hello", 60);
    request.sampling.stop = vec![stop.clone()];
    let stopped = answer(&engine, request).await.unwrap();
    assert_eq!(stopped.stop, StopReason::StopSequence);
    assert_eq!(stopped.text, whole[..whole.find(&stop).unwrap()]);
    assert!(stopped.usage.output < 60);
}

#[tokio::test]
async fn text_comes_in_pieces() {
    let engine = engine(&Tiny::default(), settings());
    assert!(answer(&engine, ask("hello", 60)).await.unwrap().pieces > 5);
}

#[tokio::test]
async fn a_full_queue_is_refused_and_an_abandoned_request_makes_room() {
    let tiny = Tiny { context: 4096, ..Tiny::default() };
    let engine = engine(&tiny, EngineSettings { queue: 1, ..settings() });
    let mut running = engine.generate(ask("hello", 4000)).unwrap();
    assert!(matches!(running.next().await, Some(Ok(ChatEvent::Start { .. }))));
    let waiting = engine.generate(ask("hello", 4000)).unwrap();
    assert!(matches!(engine.generate(ask("hello", 5)), Err(InferenceError::Saturated)));

    drop(waiting);
    drop(running);
    let last = loop {
        match engine.generate(ask("hello", 5)) {
            Ok(stream) => break stream,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert!(matches!(last.collect::<Vec<_>>().await.last(), Some(Ok(ChatEvent::Stop(_)))));
}

#[tokio::test]
async fn a_refusal_by_the_template_is_an_error_and_the_engine_goes_on() {
    let template = "{% if messages[0].content == 'no' %}{{ raise_exception('not this') }}{% endif %}{{ messages[0].content }}";
    let engine = engine(&Tiny { template: Some(template), ..Tiny::default() }, settings());
    let error = answer(&engine, ask("no", 5)).await.err().unwrap().to_string();
    assert!(error.contains("not this"), "{error}");
    assert!(answer(&engine, ask("yes", 5)).await.is_ok());
}

#[tokio::test]
async fn a_system_message_of_the_settings_is_used_where_the_client_sends_none() {
    let system = Some("be brief".to_owned());
    let engine = engine(&Tiny::default(), EngineSettings { system, ..settings() });
    let without = answer(&engine, ask("hello", 1)).await.unwrap().usage.input;
    let mut request = ask("hello", 1);
    request.turns.insert(0, Turn { role: "system", content: "x".to_owned() });
    let with = answer(&engine, request).await.unwrap().usage.input;
    assert_eq!(without, 23 + "<system>be brief\n".len() as u64);
    assert_eq!(with, 23 + "<system>x\n".len() as u64);
}

#[test]
fn one_core_is_left_free_unless_the_owner_says_otherwise() {
    let names = |cores, set: &'static str| thread_environment(cores, move |name| name == set);
    assert_eq!(names(8, "").len(), 2);
    assert_eq!(names(8, "RAYON_NUM_THREADS"), [("CANDLE_NUM_THREADS", "7".to_owned())]);
    assert_eq!(names(1, "RAYON_NUM_THREADS"), [("CANDLE_NUM_THREADS", "1".to_owned())]);
}

#[test]
fn unknown_kinds_are_refused_by_name() {
    let architecture = load_error(&Tiny { architecture: "mamba", ..Tiny::default() });
    assert!(architecture.contains("`mamba`") && architecture.contains("llama, qwen2 or qwen3"));
    let pre = load_error(&Tiny { pre: "gpt-4o", ..Tiny::default() });
    assert!(pre.contains("pre-tokenizer `gpt-4o`"), "{pre}");
    let template = load_error(&Tiny { template: None, ..Tiny::default() });
    assert!(template.contains("`tokenizer.chat_template`"), "{template}");
    let broken = load_error(&Tiny { template: Some("{% for %}"), ..Tiny::default() });
    assert!(broken.contains("chat template"), "{broken}");
}

#[test]
fn a_cut_or_missing_file_is_refused() {
    let (_dir, path) = model(&Tiny::default());
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 3, 100, bytes.len() / 2] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(matches!(Engine::load(&path), Err(InferenceError::Model(_))), "{length}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(Engine::load(&path).unwrap_err().to_string().contains("tiny.gguf"));
}
