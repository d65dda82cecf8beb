//! What happens when a provider fails: the next one serves, the client does not notice.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Script, TestRouter, Upstream, sse_events};

/// Three models at three prices, each at a provider of its own.
pub fn three_prices(upstreams: [&Upstream; 3]) -> String {
    let mut toml = String::new();
    let names = [("cheap", "operational", 0.1), ("solid", "complex", 1.0), ("dear", "deep", 10.0)];
    for (upstream, (name, tier, price)) in upstreams.iter().zip(names) {
        toml.push_str(&format!(
            "[[providers]]\nid = \"p-{name}\"\nkind = \"openai\"\nbase_url = \"{}/v1\"\napi_keys = [\"sk-{name}\"]\nfirst_byte_timeout_s = 1\n\
             [[models]]\nid = \"p-{name}/{name}\"\nprovider = \"p-{name}\"\nupstream = \"{name}\"\nmax_tier = \"{tier}\"\n\
             input_usd_per_mtok = {price}\noutput_usd_per_mtok = {}\ncontext_window = 200000\nmax_output_tokens = 8192\n\
             capabilities = [\"chat\", \"tools\"]\n",
            upstream.base,
            price * 4.0
        ));
    }
    toml
}

async fn trivial(router: &TestRouter, stream: bool) -> reqwest::Response {
    router
        .post("/v1/chat/completions", &json!({"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}))
        .header("x-task-tier", "trivial")
        .send()
        .await
        .unwrap()
}

#[rstest::rstest]
#[case::rate_limited(Script::status(429), 429)]
#[case::overloaded(Script::status(503), 503)]
#[case::server_error(Script::status(500), 500)]
#[tokio::test]
async fn a_failing_cheap_provider_moves_the_request_to_the_next(
    #[case] script: Script,
    #[case] status: u16,
    #[values(false, true)] stream: bool,
) {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    cheap.script("cheap", script);
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    let response = trivial(&router, stream).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-edge-fallback-index"], "1");
    assert_eq!(response.headers()["x-edge-model"], "p-solid/solid");
    let text = response.text().await.unwrap();
    let proxy: Value = if stream {
        let events = sse_events(&text);
        let comment = events.iter().find_map(|e| e.strip_prefix(": edge-router ")).unwrap();
        serde_json::from_str(comment).unwrap()
    } else {
        serde_json::from_str::<Value>(&text).unwrap()["_proxy"].clone()
    };
    assert_eq!(proxy["fallback_index"], 1);
    assert_eq!(proxy["attempts"][0]["model_id"], "p-cheap/cheap");
    assert_eq!(proxy["attempts"][0]["status"], status);
}

#[tokio::test]
async fn a_stopped_provider_and_a_silent_one_are_passed_over() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    cheap.stop();
    solid.script("solid", Script::Stall(Duration::from_secs(5)));
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    let response = trivial(&router, false).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-edge-fallback-index"], "2");
    assert_eq!(response.headers()["x-edge-model"], "p-dear/dear");
}

#[tokio::test]
async fn when_all_fail_every_attempt_is_listed() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    for (upstream, name) in [(&cheap, "cheap"), (&solid, "solid"), (&dear, "dear")] {
        upstream.script(name, Script::status(500));
    }
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    let response = trivial(&router, false).await;
    assert_eq!(response.status(), 502);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "all_backends_failed");
    for name in ["p-cheap/cheap", "p-solid/solid", "p-dear/dear"] {
        assert!(body["error"]["message"].as_str().unwrap().contains(name), "{body}");
    }
    assert_eq!(router.budget().await["daily"]["reserved_usd"], 0);
}

#[tokio::test]
async fn when_all_are_rate_limited_the_client_gets_429_with_the_smallest_wait() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    for (upstream, name, wait) in
        [(&cheap, "cheap", "30"), (&solid, "solid", "7"), (&dear, "dear", "60")]
    {
        let body = json!({"error": {"message": "slow down"}});
        upstream.script(name, Script::Status(429, body, vec![("retry-after", wait.to_owned())]));
    }
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    let response = trivial(&router, false).await;
    assert_eq!(response.status(), 429);
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((6..=7).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_client_error_is_handed_back_as_it_is_without_fallback() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    let body = json!({"error": {"message": "tool 3 has no name", "type": "invalid_request_error", "param": "tools", "code": null}});
    cheap.script("cheap", Script::Status(400, body.clone(), vec![]));
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    let response = trivial(&router, false).await;
    assert_eq!(response.status(), 400);
    assert_eq!(response.json::<Value>().await.unwrap(), body);
    assert!(solid.received().is_empty() && dear.received().is_empty());
}

#[tokio::test]
async fn a_stream_cut_after_the_first_byte_ends_with_an_error_event_and_is_not_retried() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    cheap.script("cheap", Script::Cut { chunks: 3 });
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    let events = sse_events(&trivial(&router, true).await.text().await.unwrap());
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert!(last["error"]["message"].is_string(), "{events:#?}");
    assert!(solid.received().is_empty());
    let budget = router.budget().await;
    assert_eq!(budget["daily"]["reserved_usd"], 0);
    assert!(budget["daily"]["spent_usd"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn every_key_of_a_provider_is_tried_before_the_next_and_counts_as_one_target() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    cheap.script("cheap", Script::status(429));
    let keys = "[\"k1\", \"k2\", \"k3\", \"k4\", \"k5\", \"k6\"]";
    let toml = three_prices([&cheap, &solid, &dear]).replace("[\"sk-cheap\"]", keys);
    let router = TestRouter::start(&toml).await;
    let response = trivial(&router, false).await;
    assert_eq!(response.headers()["x-edge-fallback-index"], "1");
    assert_eq!(response.headers()["x-edge-model"], "p-solid/solid");
    assert_eq!(cheap.received().len(), 6);
}
