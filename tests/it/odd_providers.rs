//! Providers that do not keep to their own protocol, or say too much.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fallback::three_prices;
use crate::openai::one_provider;
use crate::support::{Script, Tail, TestRouter, Upstream, frames};

fn stream() -> Value {
    json!({"stream": true, "messages": [{"role": "user", "content": "hi"}]})
}

#[rstest::rstest]
#[case::broken_after_the_usage("", Tail::Break)]
#[case::broken_after_the_end_marker("data: [DONE]\n\n", Tail::Break)]
#[case::closed_without_an_end_marker("", Tail::Close)]
#[case::open_after_the_end_marker("data: [DONE]\n\n", Tail::Hang)]
#[tokio::test]
async fn a_whole_stream_ends_well_whatever_becomes_of_the_connection(
    #[case] marker: &str,
    #[case] tail: Tail,
) {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Stream(format!("{}{marker}", frames()), tail));
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let response = router.chat(&stream()).await;
    let text = tokio::time::timeout(Duration::from_secs(10), response.text()).await;
    let text = text.expect("the stream ends though the connection stays open").unwrap();
    assert!(text.trim_end().ends_with("data: [DONE]"), "{text}");
    assert!(!text.contains("stream_broken"), "{text}");
    // 100 tokens at $2 and 20 at $8 per million.
    assert_eq!(router.budget().await["daily"]["spent_usd"], json!(0.00036));
}

#[rstest::rstest]
#[case::end_marker_alone(Script::Stream("data: [DONE]\n\n".into(), Tail::Close))]
#[case::comments_alone(Script::Stream(": working\n\n".into(), Tail::Close))]
#[case::no_events_at_all(Script::Stream("\u{1f}\u{8b}binary".into(), Tail::Close))]
#[case::a_long_whole_answer(Script::Whole(format!("{{\"choices\":[{{\"message\":\"{}\"}}]}}", "x".repeat(100_000))))]
#[tokio::test]
async fn a_stream_without_an_answer_moves_to_the_next_provider(#[case] script: Script) {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    cheap.script("cheap", script);
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    let response = router
        .post("/v1/chat/completions", &stream())
        .header("x-task-tier", "trivial")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["x-edge-fallback-index"], "1");
    assert!(response.text().await.unwrap().trim_end().ends_with("data: [DONE]"));
}

#[tokio::test]
async fn an_answer_without_choices_moves_to_the_next_provider() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    cheap.script("cheap", Script::Whole(r#"{"id":"x","choices":[]}"#.into()));
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    let body = json!({"messages": [{"role": "user", "content": "hi"}]});
    let response = router
        .post("/v1/chat/completions", &body)
        .header("x-task-tier", "trivial")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["x-edge-fallback-index"], "1");
}

#[tokio::test]
async fn a_provider_that_repeats_the_prompt_in_its_error_puts_it_on_no_record() {
    let upstream = Upstream::start().await;
    let prompt = "the hidden treasure lies under the old oak";
    let error = json!({"error": {"message": format!("cannot answer \"{prompt}\" today")}});
    upstream.script("solid", Script::Status(500, error, vec![]));
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let response = router.chat(&json!({"messages": [{"role": "user", "content": prompt}]})).await;
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("cannot answer \"[...]\" today"));
    // The record is written behind the answer.
    let since = jiff::Timestamp::UNIX_EPOCH;
    let mut rows = Vec::new();
    while rows.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        rows = router.state.runtime.ledger.requests(since, 10).await.unwrap();
    }
    assert!(!format!("{rows:?}").contains("treasure"), "{rows:?}");
}
