//! Which model serves, and the reasons.

use std::sync::Arc;
use std::time::Duration;

use edge_router::clock::ManualClock;
use serde_json::{Value, json};

use crate::fallback::three_prices;
use crate::support::{TestRouter, Upstream};

async fn three() -> ([Upstream; 3], TestRouter) {
    let upstreams = [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    let router =
        TestRouter::start(&three_prices([&upstreams[0], &upstreams[1], &upstreams[2]])).await;
    (upstreams, router)
}

#[tokio::test]
async fn easy_and_hard_prompts_go_to_different_models_with_readable_reasons() {
    let (_upstreams, router) = three().await;
    let prompts = [
        ("thanks, that's all", "p-cheap/cheap"),
        ("fix the typo in README: 'recieve'", "p-cheap/cheap"),
        (
            "Our lock-free MPMC queue loses an element about once in 10^9 operations on ARM but never on x86. Prove which memory ordering is too weak and give the minimal fix with an argument that covers every interleaving.",
            "p-dear/dear",
        ),
    ];
    for (prompt, model) in prompts {
        let body = json!({"model": "auto", "messages": [{"role": "user", "content": prompt}]});
        let answer: Value = router.chat(&body).await.json().await.unwrap();
        assert_eq!(answer["_proxy"]["model_id"], model, "{prompt}: {answer}");
        let reason = answer["_proxy"]["routing_reason"].as_str().unwrap();
        assert!(reason.contains("work") && reason.len() > 40, "{reason}");
    }
}

#[tokio::test]
async fn route_explains_without_calling_or_spending() {
    let (upstreams, router) = three().await;
    let body = json!({"model": "auto", "messages": [{"role": "user", "content": "rename this variable"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]});
    let route: Value = router.post("/v1/route", &body).send().await.unwrap().json().await.unwrap();
    assert_eq!(route["instruction"], "rename this variable");
    assert_eq!(route["required"], json!(["tools"]));
    assert_eq!(route["candidates"].as_array().unwrap().len(), 3);
    assert!(route["model_id"].is_string());
    for upstream in &upstreams {
        assert!(upstream.received().is_empty());
    }
    let unknown = json!({"model": "nobody", "messages": [{"role": "user", "content": "x"}]});
    let response = router.post("/v1/route", &unknown).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.json::<Value>().await.unwrap()["model_id"], Value::Null);
}

#[tokio::test]
async fn route_reads_messages_and_responses_bodies() {
    let (_upstreams, router) = three().await;
    let messages = json!({"model": "auto", "system": "be brief", "max_tokens": 5,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "sort the imports"}]}]});
    let responses = json!({"model": "auto", "input": "sort the imports"});
    for body in [messages, responses] {
        let route: Value =
            router.post("/v1/route", &body).send().await.unwrap().json().await.unwrap();
        assert_eq!(route["instruction"], "sort the imports", "{route}");
    }
}

#[tokio::test]
async fn a_tasks_tool_rounds_stay_with_its_model() {
    let (_upstreams, router) = three().await;
    let mut messages = vec![
        json!({"role": "system", "content": "agent"}),
        json!({"role": "user", "content": "refactor the payment module across its services"}),
    ];
    let first = router.chat(&json!({"messages": messages})).await;
    let model = first.headers()["x-edge-model"].clone();
    for round in 0..3 {
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": [{"id": format!("c{round}"), "type": "function", "function": {"name": "read", "arguments": format!("{{\"n\":{round}}}")}}]}));
        messages.push(json!({"role": "tool", "tool_call_id": format!("c{round}"), "content": format!("file {round}: hi thanks ok")}));
        let response = router.chat(&json!({"messages": messages})).await;
        assert_eq!(response.headers()["x-edge-model"], model, "round {round}");
    }
}

#[tokio::test]
async fn follow_ups_stay_with_the_model_of_their_task_and_its_tier_never_falls() {
    let (_upstreams, router) = three().await;
    let task = "Prove which memory ordering is too weak in our lock-free MPMC queue and give the minimal fix with an argument that covers every interleaving.";
    let mut messages = vec![json!({"role": "user", "content": task})];
    let ask = async |messages: &[Value]| router.chat(&json!({"messages": messages})).await;
    let first = ask(&messages).await;
    let of = |response: &reqwest::Response| {
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        (header("x-edge-model"), header("x-edge-tier"))
    };
    let (model, tier) = of(&first);
    assert_eq!(model, "p-dear/dear");
    for words in ["continue", "still wrong", "yes, go ahead"] {
        messages.push(json!({"role": "assistant", "content": "Part one is done."}));
        messages.push(json!({"role": "user", "content": words}));
        assert_eq!(of(&ask(&messages).await), (model.clone(), tier.clone()), "{words}");
    }
    messages.push(json!({"role": "assistant", "content": "All done."}));
    messages.push(json!({"role": "user", "content": "thanks, that's all"}));
    assert_eq!(of(&ask(&messages).await), ("p-cheap/cheap".into(), "trivial".into()));
}

#[tokio::test]
async fn a_task_that_was_raised_stays_raised_when_its_history_is_cut() {
    let (_upstreams, router) = three().await;
    let task = json!({"role": "user", "content": "fix the typo in README: 'recieve'"});
    let mut messages = vec![task];
    for round in 0..3 {
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": [{"id": format!("c{round}"), "type": "function", "function": {"name": "edit", "arguments": format!("{{\"n\":{round}}}")}}]}));
        messages.push(json!({"role": "tool", "tool_call_id": format!("c{round}"), "content": "Error: text not found"}));
    }
    let tier = async |messages: &[Value]| {
        let response = router.chat(&json!({"messages": messages})).await;
        response.headers()["x-edge-tier"].to_str().unwrap().to_owned()
    };
    assert_eq!(tier(&messages[..3]).await, "trivial");
    assert_eq!(tier(&messages).await, "operational");
    assert_eq!(tier(&messages[..3]).await, "operational");
}

#[tokio::test]
async fn a_tier_that_a_header_forced_once_is_not_that_of_the_task() {
    let (_upstreams, router) = three().await;
    let mut messages =
        vec![json!({"role": "user", "content": "fix the typo in README: 'recieve'"})];
    let body = json!({"messages": messages});
    let forced = router.post("/v1/chat/completions", &body).header("x-task-tier", "deep");
    assert_eq!(forced.send().await.unwrap().headers()["x-edge-tier"], "deep");
    messages.push(json!({"role": "assistant", "content": "Which file?"}));
    messages.push(json!({"role": "user", "content": "README.md"}));
    let response = router.chat(&json!({"messages": messages})).await;
    assert_ne!(response.headers()["x-edge-tier"], "deep");
}

#[tokio::test]
async fn when_money_is_gone_a_free_model_serves_and_says_so() {
    let paid = Upstream::start().await;
    let free = Upstream::start().await;
    let toml = format!(
        "[budget]\ndaily_usd = 0.000001\nwait_s = 0\n{}\n[[providers]]\nid = \"home\"\nkind = \"openai\"\nbase_url = \"{}\"\n\
         [[models]]\nid = \"home/small\"\nprovider = \"home\"\nupstream = \"small\"\nmax_tier = \"trivial\"\ninput_usd_per_mtok = 0\noutput_usd_per_mtok = 0\ncontext_window = 32000\nmax_output_tokens = 4096\n",
        crate::openai::one_provider(&paid),
        free.base
    );
    let router = TestRouter::start(&toml).await;
    let body =
        json!({"messages": [{"role": "user", "content": "design the sharding of our ledger"}]});
    let response = router
        .post("/v1/chat/completions", &body)
        .header("x-task-tier", "complex")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["x-edge-model"], "home/small");
    let answer: Value = response.json().await.unwrap();
    let reason = answer["_proxy"]["routing_reason"].as_str().unwrap();
    assert!(reason.contains("budget") || reason.contains("free"), "{reason}");
    assert!(paid.received().is_empty());
}

#[tokio::test]
async fn asking_for_free_models_where_none_is_says_so_and_not_that_nothing_is_configured() {
    let upstream = Upstream::start().await;
    let router = TestRouter::start(&crate::openai::one_provider(&upstream)).await;
    let body = json!({"model": "local", "messages": [{"role": "user", "content": "hi"}]});
    let response = router.chat(&body).await;
    assert_eq!(response.status(), 503);
    let body: Value = response.json().await.unwrap();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("`local` stands for no model"), "{message}");
}

#[tokio::test]
async fn a_named_model_whose_provider_has_no_key_says_so() {
    let upstream = Upstream::start().await;
    let toml = crate::openai::one_provider(&upstream).replace("sk-test", "${NO_SUCH_VARIABLE}");
    let router = TestRouter::start(&toml).await;
    let body = json!({"model": "solid", "messages": [{"role": "user", "content": "hi"}]});
    let response = router.chat(&body).await;
    assert_eq!(response.status(), 503);
    let error: Value = response.json().await.unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("The provider `up` of `solid` has no key"), "{message}");
}

#[tokio::test]
async fn a_model_whose_last_day_comes_while_the_router_runs_is_refused_with_what_replaces_it() {
    let upstream = Upstream::start().await;
    let toml = format!(
        "[[providers]]\nid = \"p\"\nkind = \"openai\"\nbase_url = \"{}/v1\"\napi_keys = [\"k\"]\n\
         [[models]]\nid = \"p/old\"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n\
         deprecation_date = \"2026-11-30\"\nreplacement = \"p/new\"\n\
         [[models]]\nid = \"p/new\"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n\
         [aliases]\nwork = [\"p/old\", \"p/new\"]\n",
        upstream.base
    );
    let eve = "2026-11-29T23:59:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::at(eve));
    let router = TestRouter::start_at(&toml, clock.clone()).await;
    let ask = |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "x"}]});
    let before: Value = router.chat(&ask("work")).await.json().await.unwrap();
    assert_eq!(before["_proxy"]["model_id"], "p/old");
    clock.advance(Duration::from_secs(60));
    let response = router.chat(&ask("p/old")).await;
    assert_eq!(response.status(), 404);
    let error: Value = response.json().await.unwrap();
    assert_eq!(error["error"]["code"], "model_not_found");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("`p/old` was shut down on 2026-11-30; use `p/new`"), "{message}");
    let after: Value = router.chat(&ask("work")).await.json().await.unwrap();
    assert_eq!(after["_proxy"]["model_id"], "p/new", "{after}");
    let list: Value = router.get("/v1/models").await.json().await.unwrap();
    assert!(!list.to_string().contains("p/old"), "{list}");
}
