//! Money: what was used is what is spent, and no number of requests at once passes the limit.

use serde_json::{Value, json};

use crate::fallback::three_prices;
use crate::openai::one_provider;
use crate::support::{Script, TestRouter, Upstream};

#[expect(clippy::cast_possible_truncation, reason = "test amounts are small")]
pub fn nanos(value: &Value) -> i64 {
    (value.as_f64().unwrap() * 1e9).round() as i64
}

#[tokio::test]
async fn spent_equals_the_sum_of_usage_times_price_to_the_nano_dollar() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    let mut expected = 0;
    for (n, (upstream, name, tier, price)) in [
        (&cheap, "cheap", "trivial", 100_000_000_i64),
        (&solid, "solid", "complex", 1_000_000_000),
        (&dear, "dear", "deep", 10_000_000_000),
    ]
    .into_iter()
    .enumerate()
    {
        let usage = (1_237 + n as u64, 0, 311 + n as u64);
        upstream.script(name, Script::Answer { text: "x".into(), usage });
        let response = router
            .post(
                "/v1/chat/completions",
                &json!({"messages": [{"role": "user", "content": format!("task {n}")}]}),
            )
            .header("x-task-tier", tier)
            .send()
            .await
            .unwrap();
        assert_eq!(response.headers()["x-edge-model"], format!("p-{name}/{name}"));
        let exact =
            i128::from(usage.0) * i128::from(price) + i128::from(usage.2) * i128::from(price) * 4;
        expected += i64::try_from((exact + 999_999) / 1_000_000).unwrap();
    }
    let budget = router.budget().await;
    assert_eq!(nanos(&budget["daily"]["spent_usd"]), expected);
    assert_eq!(nanos(&budget["monthly"]["spent_usd"]), expected);
    assert_eq!(nanos(&budget["daily"]["reserved_usd"]), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_requests_at_once_never_pass_a_limit_of_one_cent() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Answer { text: "ok".into(), usage: (20, 0, 900) });
    let toml = format!(
        "[budget]\ndaily_usd = 0.01\nwait_s = 0\ndefault_output_tokens = 1024\n{}",
        one_provider(&upstream)
    );
    let router = std::sync::Arc::new(TestRouter::start(&toml).await);
    let watcher = tokio::spawn({
        let router = router.clone();
        async move {
            let mut highest = 0;
            for _ in 0..60 {
                let day = router.budget().await["daily"].clone();
                highest = highest.max(nanos(&day["spent_usd"]) + nanos(&day["reserved_usd"]));
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            highest
        }
    });
    let requests = (0..200).map(|n| {
        let router = router.clone();
        tokio::spawn(async move {
            router.chat(&json!({"model": "solid", "messages": [{"role": "user", "content": format!("say ok {n}")}]})).await.status().as_u16()
        })
    });
    let mut statuses = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        statuses.push(request.await.unwrap());
    }
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!(served >= 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 402)), "{statuses:?}");
    assert!(watcher.await.unwrap() <= 10_000_000);
    let day = router.budget().await["daily"].clone();
    assert!(nanos(&day["spent_usd"]) <= 10_000_000);
    // 20 × $2 + 900 × $8 per million each
    assert_eq!(nanos(&day["spent_usd"]), 7_240_000 * i64::try_from(served).unwrap());
    assert_eq!(nanos(&day["reserved_usd"]), 0);
}

#[tokio::test]
async fn an_exhausted_budget_says_which_limit_and_when_it_resets() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Answer { text: "ok".into(), usage: (100, 0, 1_000) });
    let toml = format!("[budget]\ndaily_usd = 0.0101\nwait_s = 0\n{}", one_provider(&upstream));
    let router = TestRouter::start(&toml).await;
    let body = json!({"model": "solid", "max_tokens": 1200, "messages": [{"role": "user", "content": "go"}]});
    let first = router.chat(&body).await;
    assert_eq!(first.status(), 200);
    assert!(first.headers().contains_key("x-edge-budget-remaining-usd"));
    let second = router.chat(&body).await;
    assert_eq!(second.status(), 402);
    let error: Value = second.json().await.unwrap();
    assert_eq!(error["error"]["code"], "budget_exceeded");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("daily") && message.contains("0.0101"), "{message}");
    assert_eq!(upstream.received().len(), 1);
}

#[tokio::test]
async fn spending_survives_a_restart() {
    let upstream = Upstream::start().await;
    let toml = one_provider(&upstream);
    let router = TestRouter::start(&toml).await;
    router.chat(&json!({"messages": [{"role": "user", "content": "hi"}]})).await;
    let before = router.budget().await["monthly"]["spent_usd"].clone();
    assert!(before.as_f64().unwrap() > 0.0);
    let dir = router.stop().await;
    let clock = std::sync::Arc::new(edge_router::clock::SystemClock);
    let router = TestRouter::start_in(dir, &toml, clock).await;
    assert_eq!(router.budget().await["monthly"]["spent_usd"], before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_budget_refuses_goes_local_or_gets_402_also_when_the_engine_is_full() {
    let upstream = Upstream::start().await;
    let toml = format!(
        "[budget]\ndaily_usd = 0.000001\nwait_s = 0\n{}\n[[providers]]\nid = \"embedded\"\nkind = \"embedded\"\n\
         [[models]]\nid = \"embedded/smollm2-135m\"\nprovider = \"embedded\"\nmax_tier = \"trivial\"\ncontext_window = 4096\n",
        one_provider(&upstream)
    );
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("data/models");
    std::fs::create_dir_all(&models).unwrap();
    let file = tokio::task::spawn_blocking(crate::embedded::model_file).await.unwrap();
    std::os::unix::fs::symlink(file, models.join("smollm2-135m.gguf")).unwrap();
    let clock = std::sync::Arc::new(edge_router::clock::SystemClock);
    let router = std::sync::Arc::new(TestRouter::start_in(dir, &toml, clock).await);
    router.state.runtime.embedded.as_ref().unwrap().settled().await;
    let requests = (0..40).map(|n| {
        let router = router.clone();
        tokio::spawn(async move {
            let words = json!([{"role": "user", "content": format!("say {n}")}]);
            router.chat(&json!({"max_tokens": 2, "messages": words})).await.status().as_u16()
        })
    });
    let mut statuses = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        statuses.push(request.await.unwrap());
    }
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 402)), "{statuses:?}");
    assert!(upstream.received().is_empty());
}
