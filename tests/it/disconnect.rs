//! A client that hangs up cancels the upstream and is settled, once.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::openai::one_provider;
use crate::support::{Script, TestRouter, Upstream};

pub async fn eventually(mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("did not happen within five seconds");
}

#[tokio::test]
async fn leaving_a_stream_cancels_the_upstream_and_settles_what_was_used() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Endless { pause: Duration::from_millis(5) });
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let body = json!({"stream": true, "messages": [{"role": "user", "content": "go on for ever"}]});
    let mut stream = router.chat(&body).await.bytes_stream();
    for _ in 0..5 {
        stream.next().await.unwrap().unwrap();
    }
    drop(stream);
    eventually(async || upstream.abandoned() == 1).await;
    eventually(async || router.budget().await["daily"]["reserved_usd"] == json!(0)).await;
    let spent = router.budget().await["daily"]["spent_usd"].as_f64().unwrap();
    // Far less than the reserved worst case of 8,192 tokens at $8 per million.
    assert!(spent > 0.0 && spent < 0.01, "{spent}");
}

#[rstest::rstest]
#[tokio::test]
async fn leaving_before_the_answer_is_settled_once_by_an_estimate(
    #[values(false, true)] stream: bool,
) {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Stall(Duration::from_secs(60)));
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let body =
        json!({"stream": stream, "messages": [{"role": "user", "content": "write an essay"}]});
    let asking = tokio::spawn(router.post("/v1/chat/completions", &body).send());
    eventually(async || !upstream.received().is_empty()).await;
    let reserved = router.budget().await["daily"]["reserved_usd"].as_f64().unwrap();
    asking.abort();
    eventually(async || router.budget().await["daily"]["reserved_usd"] == json!(0)).await;
    let rows = router.state.runtime.ledger.requests(jiff::Timestamp::UNIX_EPOCH, 10).await.unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].error.as_deref(), Some("client_gone"));
    assert_eq!(rows[0].model.as_ref().unwrap().as_str(), "up/solid");
    assert!(rows[0].estimated);
    let spent = router.budget().await["daily"]["spent_usd"].as_f64().unwrap();
    assert!(spent > 0.0 && spent < reserved / 2.0, "{spent} of {reserved}");
    assert!((rows[0].cost.to_usd_f64() - spent).abs() < 1e-12);
}

#[tokio::test]
async fn shutting_down_lets_a_stream_finish() {
    let upstream = Upstream::start().await;
    let text = "word ".repeat(50);
    upstream.script("solid", Script::answer(&text));
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let body = json!({"stream": true, "messages": [{"role": "user", "content": "go"}]});
    let response = router.chat(&body).await;
    let reading = tokio::spawn(async move { response.text().await.unwrap() });
    let _dir = router.stop().await;
    assert!(reading.await.unwrap().trim_end().ends_with("[DONE]"));
}

#[tokio::test]
async fn requests_are_on_record_with_cost_and_without_their_text() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    router
        .chat(&json!({"messages": [{"role": "user", "content": "a very secret sentence"}]}))
        .await;
    let since = jiff::Timestamp::UNIX_EPOCH;
    let rows = router.state.runtime.ledger.requests(since, 10).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].model.as_ref().unwrap().as_str(), "up/solid");
    assert_eq!(rows[0].usage.prompt_tokens(), 100);
    let database = std::fs::read(router.dir.path().join("data/ledger.sqlite-wal")).unwrap();
    let database = String::from_utf8_lossy(&database).into_owned();
    assert!(!database.contains("secret sentence"));
    let _: Value = router.budget().await;
}
