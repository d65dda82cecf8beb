//! By whatever exit a request ends, it is settled once, with the right amount, and on record.

use std::sync::Arc;
use std::time::Duration;

use edge_router::app::{ProviderEntry, Snapshot};
use edge_router::chat::Dialect;
use edge_router::clock::{Clock, SystemClock};
use edge_router::pipeline::{self, Caller, ReplyContent, RequestContext};
use edge_router::providers::{Provider, ProviderCall, ProviderError, ProviderReply, ReplyBody};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};

use crate::budget::nanos;
use crate::disconnect::eventually;
use crate::fallback::three_prices;
use crate::openai::one_provider;
use crate::support::{Books, Script, Tail, TestRouter, Upstream, chunk, sse_events};

/// Nano-USD for a token at the prices of [`one_provider`].
const INPUT: i64 = 2_000;
const OUTPUT: i64 = 8_000;

fn ask(stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": "go on for a while"}]);
    json!({"model": "auto:trivial", "stream": stream, "messages": messages})
}

/// As many frames of text, each with `tick N `.
fn ticks(count: usize) -> (String, i64) {
    let texts: Vec<_> = (0..count).map(|n| format!("tick {n} ")).collect();
    let frames = texts.iter().map(|text| String::from_utf8(chunk(text).to_vec()).unwrap());
    let bytes: usize = texts.iter().map(String::len).sum();
    (frames.collect(), i64::try_from(bytes.div_ceil(4)).unwrap())
}

#[rstest::rstest]
#[tokio::test]
async fn who_hangs_up_at_chunk_k_pays_for_the_prompt_and_k_chunks(
    #[values(1, 2, 7, 40)] count: usize,
) {
    let upstream = Upstream::start().await;
    let (frames, tokens) = ticks(count);
    upstream.script("solid", Script::Stream(frames, Tail::Hang));
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let mut stream = router.chat(&ask(true)).await.bytes_stream();
    let mut seen = String::new();
    while !seen.contains(&format!("tick {} ", count - 1)) {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    let left = SystemClock.instant();
    drop(stream);
    eventually(async || upstream.abandoned() == 1).await;
    assert!(
        (SystemClock.instant() - left) < Duration::from_secs(1),
        "{:?}",
        (SystemClock.instant() - left)
    );
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    let row = &books.requests[0];
    assert_eq!((row.error.as_deref(), row.status), (Some("client_gone"), 499));
    assert_eq!(row.output, tokens);
    assert_eq!(row.cost, row.input * INPUT + tokens * OUTPUT);
    assert!(row.estimated && row.input > 0);
}

#[tokio::test]
async fn a_stream_that_the_upstream_breaks_costs_what_came_of_it() {
    let upstream = Upstream::start().await;
    let (frames, tokens) = ticks(5);
    upstream.script("solid", Script::Stream(frames, Tail::Break));
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let text = router.chat(&ask(true)).await.text().await.unwrap();
    assert!(text.contains("stream_broken") && !text.contains("[DONE]"), "{text}");
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    let row = &books.requests[0];
    assert_eq!(row.error.as_deref(), Some("stream_broken"));
    assert_eq!(row.cost, row.input * INPUT + tokens * OUTPUT);
    assert!(row.estimated);
}

#[rstest::rstest]
#[case::too_many(Script::status(429), 429)]
#[case::overloaded(Script::status(529), 502)]
#[case::server_error(Script::status(500), 502)]
#[case::refused(Script::status(400), 400)]
#[case::wrong_key(Script::status(401), 502)]
#[case::error_with_status_200(Script::Whole(r#"{"error":{"message":"overloaded","code":503}}"#.into()), 502)]
#[case::page_of_a_proxy(Script::Whole("<html>sign in</html>".into()), 502)]
#[tokio::test]
async fn what_no_provider_bills_costs_nothing_and_is_on_record(
    #[case] script: Script,
    #[case] status: u16,
    #[values(false, true)] stream: bool,
) {
    let upstream = Upstream::start().await;
    upstream.script("solid", script);
    let router = TestRouter::start(&one_provider(&upstream)).await;
    assert_eq!(router.chat(&ask(stream)).await.status(), status);
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    assert_eq!((books.requests.len(), books.cost()), (1, 0));
    assert_eq!(books.requests[0].status, i64::from(status));
    assert!(!books.requests[0].estimated);
}

#[rstest::rstest]
#[case::nobody_listens("http")]
#[case::no_tls("https")]
#[tokio::test]
async fn a_provider_that_is_not_reached_costs_nothing(#[case] scheme: &str) {
    let upstream = Upstream::start().await;
    let toml = one_provider(&upstream).replace("http://", &format!("{scheme}://"));
    if scheme == "http" {
        upstream.stop();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let router = TestRouter::start(&toml).await;
    assert_eq!(router.chat(&ask(false)).await.status(), 502);
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    assert_eq!((books.cost(), books.charges.len()), (0, 0));
    assert_eq!(books.requests[0].error.as_deref(), Some("all_backends_failed"));
}

#[rstest::rstest]
#[tokio::test]
async fn a_silent_provider_costs_what_is_likely_as_a_line_of_the_request(
    #[values(false, true)] stream: bool,
) {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    cheap.script("cheap", Script::Stall(Duration::from_secs(30)));
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    let response = router
        .post("/v1/chat/completions", &ask(stream))
        .header("x-task-tier", "trivial")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["x-edge-fallback-index"], "1");
    let text = response.text().await.unwrap();
    let proxy: Value = if stream {
        let events = sse_events(&text);
        let comment = events.iter().find_map(|e| e.strip_prefix(": edge-router ")).unwrap();
        serde_json::from_str(comment).unwrap()
    } else {
        serde_json::from_str::<Value>(&text).unwrap()["_proxy"].clone()
    };
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    let [row] = &books.requests[..] else { panic!("{books:#?}") };
    let [line] = &books.unconfirmed()[..] else { panic!("{books:#?}") };
    assert_eq!(line.model, "p-cheap/cheap");
    assert!(0 < line.cost && line.cost < line.ceiling, "{line:?}");
    // 100 tokens at $1 and 20 at $4 per million, for the one that answered.
    assert_eq!(row.cost, line.cost + 180_000);
    assert!(row.estimated);
    // What the client is told is what is in the books.
    assert_eq!(nanos(&proxy["cost_usd"]), row.cost);
    assert_eq!(nanos(&proxy["attempts"][0]["cost_usd"]), line.cost);
    assert_eq!(nanos(&router.budget().await["daily"]["spent_usd"]), row.cost);
}

#[tokio::test]
async fn when_all_are_silent_every_one_is_charged_to_the_request_that_failed() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    for (upstream, name) in [(&cheap, "cheap"), (&solid, "solid"), (&dear, "dear")] {
        upstream.script(name, Script::Stall(Duration::from_secs(30)));
    }
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    assert_eq!(router.chat(&ask(true)).await.status(), 504);
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    assert_eq!(books.unconfirmed().len(), 3);
    let row = &books.requests[0];
    assert_eq!((row.error.as_deref(), row.status), (Some("upstream_timeout"), 504));
    assert!(row.cost > 0 && row.estimated);
}

#[rstest::rstest]
#[tokio::test]
async fn at_the_requests_deadline_the_call_that_runs_is_charged(
    #[values(false, true)] stream: bool,
) {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Stall(Duration::from_secs(30)));
    let server = "[server]\ndata_dir = \"data\"\nrequest_timeout_s = 1\n";
    let router = TestRouter::start(&format!("{server}{}", one_provider(&upstream))).await;
    assert_eq!(router.chat(&ask(stream)).await.status(), 504);
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    let [line] = &books.unconfirmed()[..] else { panic!("{books:#?}") };
    assert!(0 < line.cost && line.cost < line.ceiling, "{line:?}");
    let row = &books.requests[0];
    assert_eq!((row.error.as_deref(), row.status), (Some("upstream_timeout"), 504));
    assert!(row.attempts.contains("up/solid") && row.estimated, "{row:?}");
}

#[tokio::test]
async fn a_stream_that_outlives_its_deadline_costs_what_came_of_it() {
    let upstream = Upstream::start().await;
    let (frames, tokens) = ticks(6);
    upstream.script("solid", Script::Stream(frames, Tail::Hang));
    let server = "[server]\ndata_dir = \"data\"\nrequest_timeout_s = 1\n";
    let router = TestRouter::start(&format!("{server}{}", one_provider(&upstream))).await;
    let text = router.chat(&ask(true)).await.text().await.unwrap();
    assert!(text.contains("request_timeout_s"), "{text}");
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    let row = &books.requests[0];
    assert_eq!(row.cost, row.input * INPUT + tokens * OUTPUT);
    eventually(async || upstream.abandoned() == 1).await;
}

#[rstest::rstest]
#[tokio::test]
async fn an_answer_that_cannot_be_read_costs_the_prompt_and_what_came(
    #[values(false, true)] stream: bool,
) {
    let upstream = Upstream::start().await;
    let body = r#"{"object":"something else","words":"twelve bytes"}"#;
    upstream.script("solid", Script::Whole(body.into()));
    let router = TestRouter::start(&one_provider(&upstream)).await;
    assert_eq!(router.chat(&ask(stream)).await.status(), 502);
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    let [line] = &books.unconfirmed()[..] else { panic!("{books:#?}") };
    let output = i64::try_from(body.len().div_ceil(4)).unwrap();
    assert!(line.cost > output * OUTPUT && (line.cost - output * OUTPUT) % INPUT == 0, "{line:?}");
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_on_record() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let body = json!({"model": "gpt-9000", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(router.chat(&body).await.status(), 404);
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    let row = &books.requests[0];
    assert_eq!((row.error.as_deref(), row.status), (Some("model_not_found"), 404));
    assert_eq!((row.model.as_deref(), row.cost), (None, 0));
}

#[tokio::test]
async fn a_stream_that_outlives_the_shutdowns_grace_is_cut_and_costs_what_came() {
    let upstream = Upstream::start().await;
    let (frames, tokens) = ticks(9);
    upstream.script("solid", Script::Stream(frames, Tail::Hang));
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let mut stream = router.chat(&ask(true)).await.bytes_stream();
    let mut seen = String::new();
    while !seen.contains("tick 8 ") {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    router.state.runtime.cut.cancel();
    while let Some(Ok(more)) = stream.next().await {
        seen.push_str(std::str::from_utf8(&more).unwrap());
    }
    assert!(seen.contains(r#""code":"shutdown""#) && !seen.contains("[DONE]"), "{seen}");
    let dir = router.stop().await;
    let books = Books::read(dir.path()).await;
    books.assert_they_agree();
    let row = &books.requests[0];
    assert_eq!(row.error.as_deref(), Some("shutdown"));
    assert_eq!(row.cost, row.input * INPUT + tokens * OUTPUT);
    assert!(books.unconfirmed().is_empty());
}

#[rstest::rstest]
#[tokio::test]
async fn a_request_that_waits_when_the_grace_is_over_is_settled_by_an_estimate(
    #[values(false, true)] stream: bool,
) {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Stall(Duration::from_secs(60)));
    let router = TestRouter::start(&one_provider(&upstream)).await;
    let asking = tokio::spawn(router.post("/v1/chat/completions", &ask(stream)).send());
    eventually(async || !upstream.received().is_empty()).await;
    router.state.runtime.cut.cancel();
    assert_eq!(asking.await.unwrap().unwrap().status(), 503);
    let dir = router.stop().await;
    let books = Books::read(dir.path()).await;
    books.assert_they_agree();
    let row = &books.requests[0];
    assert_eq!((row.error.as_deref(), row.status), (Some("shutdown"), 503));
    assert!(row.cost > 0 && row.cost < books.charges[0].ceiling && row.estimated);
}

/// A provider with a bug.
#[derive(Clone, Copy, Debug)]
enum Faulty {
    /// Panics when it is called.
    Call,
    /// Panics after two chunks of the stream.
    Stream,
    /// Sends two chunks and then nothing more.
    Hang,
}

impl Provider for Faulty {
    fn call(&self, _: ProviderCall) -> BoxFuture<'_, Result<ProviderReply, ProviderError>> {
        let kind = *self;
        async move {
            assert!(!matches!(kind, Self::Call), "a bug");
            let chunks = ["tick ", "tock "].map(|text| Ok(chunk(text)));
            let rest = futures_util::stream::once(async move {
                match kind {
                    Self::Hang => std::future::pending().await,
                    Self::Call | Self::Stream => panic!("a bug"),
                }
            });
            let stream = futures_util::stream::iter(chunks).chain(rest).boxed();
            let body = ReplyBody::Bytes(stream);
            Ok(ProviderReply { dialect: Dialect::OpenAi, body, dropped: Vec::new() })
        }
        .boxed()
    }
}

/// Puts `faulty` in the place of every provider.
fn replace_providers(router: &TestRouter, faulty: Faulty) {
    let now = router.state.current();
    let providers = now.providers.iter().map(|(id, entry)| {
        let transport = Arc::new(faulty);
        (id.clone(), ProviderEntry { transport, settings: entry.settings.clone() })
    });
    let snapshot = Snapshot {
        config: now.config.clone(),
        catalog: now.catalog.clone(),
        providers: providers.collect(),
    };
    router.state.snapshot.store(Arc::new(snapshot));
}

#[rstest::rstest]
#[tokio::test]
async fn a_panic_before_the_answer_is_settled_by_an_estimate(#[values(false, true)] stream: bool) {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    replace_providers(&router, Faulty::Call);
    assert_eq!(router.chat(&ask(stream)).await.status(), 503);
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    let row = &books.requests[0];
    assert_eq!((row.error.as_deref(), row.status), (Some("internal_error"), 503));
    assert!(row.cost > 0 && row.cost < books.charges[0].ceiling && row.estimated);
}

#[tokio::test]
async fn a_panic_in_the_relay_costs_what_came_and_the_client_is_told() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&one_provider(&upstream)).await;
    replace_providers(&router, Faulty::Stream);
    let text = router.chat(&ask(true)).await.text().await.unwrap();
    assert!(text.contains("tock") && text.contains("internal_error"), "{text}");
    let books = Books::settled(router.dir.path(), 1).await;
    books.assert_they_agree();
    let row = &books.requests[0];
    assert_eq!(row.error.as_deref(), Some("internal_error"));
    assert_eq!(row.cost, row.input * INPUT + 3 * OUTPUT);
}

#[test]
fn a_relay_that_is_torn_down_is_charged_in_full_and_on_record() {
    let books_runtime = tokio::runtime::Runtime::new().unwrap();
    let relays = tokio::runtime::Runtime::new().unwrap();
    let (router, _upstream) = books_runtime.block_on(async {
        let upstream = Upstream::start().await;
        let router = TestRouter::start(&one_provider(&upstream)).await;
        replace_providers(&router, Faulty::Hang);
        (router, upstream)
    });
    let body = serde_json::to_vec(&ask(true)).unwrap();
    let request = edge_router::wire::decode_request(Dialect::OpenAi, body.into()).unwrap();
    let context = RequestContext {
        id: edge_router::ids::RequestId::fresh(),
        caller: Caller { key: "local".into(), admin: true, client: None },
        received: SystemClock.instant(),
        received_at: SystemClock.now(),
        deadline: SystemClock.instant() + Duration::from_secs(60),
        snapshot: router.state.current(),
        forced_tier: None,
        project: None,
        inject: false,
        session: None,
        forwarded: Vec::new(),
    };
    let state = router.state.clone();
    let stream = relays.block_on(async move {
        let Ok(reply) = pipeline::handle(&state, context, request).await else { panic!("refused") };
        let ReplyContent::Stream(mut stream) = reply.body else { panic!("not a stream") };
        stream.next().await.unwrap();
        stream
    });
    relays.shutdown_background();
    let books = books_runtime.block_on(Books::settled(router.dir.path(), 1));
    drop(stream);
    books.assert_they_agree();
    let row = &books.requests[0];
    assert_eq!(
        (row.error.as_deref(), row.model.as_deref()),
        (Some("interrupted"), Some("up/solid"))
    );
    assert_eq!(row.cost, books.charges[0].ceiling);
    assert!(books.charges[0].unconfirmed && row.estimated);
}
