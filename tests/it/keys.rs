//! Keys for clients: the program makes and revokes them beside a running router, which holds each to
//! its own budget, models, providers, projects and rate.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::budget::nanos;
use crate::fallback::three_prices;
use crate::openai::one_provider;
use crate::support::{Script, TestRouter, Upstream};

fn program(dir: &std::path::Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_edge-router"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Makes a key; its secret.
fn create(router: &TestRouter, args: &[&str]) -> String {
    let all = [&["keys", "create"], args].concat();
    let secret = said(&program(router.dir.path(), &all)).trim_end().to_owned();
    assert!(secret.starts_with("er-") && secret.len() == 46, "{secret}");
    secret
}

fn ask(model: &str) -> Value {
    json!({"model": model, "max_tokens": 1024, "messages": [{"role": "user", "content": "say ok"}]})
}

async fn chat_as(router: &TestRouter, key: &str, body: &Value) -> reqwest::Response {
    router.post("/v1/chat/completions", body).bearer_auth(key).send().await.unwrap()
}

async fn get_as(router: &TestRouter, key: &str, path: &str) -> reqwest::Response {
    let url = format!("{}{path}", router.base);
    router.http.get(url).header("x-api-key", key).send().await.unwrap()
}

async fn error_of(response: reqwest::Response, status: u16, code: &str) -> String {
    let seen = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert_eq!((seen, &body["error"]["code"]), (status, &json!(code)), "{body}");
    body["error"]["message"].as_str().unwrap().to_owned()
}

async fn router_of(upstream: &Upstream, budget: &str) -> TestRouter {
    TestRouter::start(&format!("[budget]\nwait_s = 0\n{budget}\n{}", one_provider(upstream))).await
}

#[tokio::test]
async fn a_key_works_as_soon_as_it_is_made_and_is_refused_within_a_second_of_its_end() {
    let upstream = Upstream::start().await;
    let router = router_of(&upstream, "").await;
    let key = create(&router, &["--name", "ci"]);
    assert_eq!(chat_as(&router, &key, &ask("solid")).await.status(), 200);
    assert_eq!(get_as(&router, &key, "/v1/models").await.status(), 200);
    let message = error_of(get_as(&router, &key, "/metrics").await, 403, "invalid_api_key").await;
    assert!(message.contains("master key"), "{message}");
    said(&program(router.dir.path(), &["keys", "revoke", "ci"]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let refused = chat_as(&router, &key, &ask("solid")).await;
    let message = error_of(refused, 401, "invalid_api_key").await;
    assert!(message.contains("revoked") && !message.contains(&key[3..]), "{message}");
    assert_eq!(upstream.received().len(), 1);
    let again = program(router.dir.path(), &["keys", "revoke", "ci"]);
    assert_eq!(again.status.code(), Some(1));
}

#[tokio::test]
async fn without_a_master_key_only_a_call_without_any_key_is_the_owner_s() {
    let upstream = Upstream::start().await;
    let router = router_of(&upstream, "").await;
    // Clients insist on sending something.
    assert_eq!(get_as(&router, "unused", "/metrics").await.status(), 200);
    let invented = format!("er-{}", "x".repeat(43));
    error_of(get_as(&router, &invented, "/v1/models").await, 401, "invalid_api_key").await;
    create(&router, &["--name", "ci"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    error_of(get_as(&router, "unused", "/v1/models").await, 401, "invalid_api_key").await;
    assert_eq!(router.get("/metrics").await.status(), 200);
    said(&program(router.dir.path(), &["keys", "revoke", "ci"]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    error_of(get_as(&router, "unused", "/v1/models").await, 401, "invalid_api_key").await;
}

#[tokio::test]
async fn with_a_master_key_both_open_the_door_and_no_key_does_not() {
    let upstream = Upstream::start().await;
    let toml = format!(
        "[server]\ndata_dir = \"data\"\nmaster_key = \"sk-master\"\n{}",
        one_provider(&upstream)
    );
    let router = TestRouter::start(&toml).await;
    let key = create(&router, &["--name", "ci"]);
    for valid in ["sk-master", &key] {
        assert_eq!(get_as(&router, valid, "/v1/budget").await.status(), 200);
    }
    error_of(router.get("/v1/budget").await, 401, "invalid_api_key").await;
    error_of(get_as(&router, "sk-other", "/v1/budget").await, 401, "invalid_api_key").await;
    assert_eq!(get_as(&router, "sk-master", "/stats").await.status(), 200);
    error_of(get_as(&router, &key, "/stats").await, 403, "invalid_api_key").await;
}

#[tokio::test]
async fn a_key_has_its_own_budget_and_sees_no_other() {
    let upstream = Upstream::start().await;
    // 100 × $2 + 1000 × $8 per million
    upstream.script("solid", Script::Answer { text: "ok".into(), usage: (100, 0, 1_000) });
    let router = router_of(&upstream, "daily_usd = 1").await;
    let limits = ["--daily-usd", "0.0101", "--monthly-usd", "0.5"];
    let ci = create(&router, &[&["--name", "ci"], &limits[..]].concat());
    let me = create(&router, &["--name", "me"]);
    let first = chat_as(&router, &ci, &ask("solid")).await;
    assert_eq!(first.status(), 200);
    assert_eq!(first.headers()["x-edge-budget-remaining-usd"], "0.0019");
    let second = chat_as(&router, &ci, &ask("solid")).await;
    assert_eq!(second.headers()["x-edge-budget-remaining-usd"], "0.0019");
    let message = error_of(second, 402, "budget_exceeded").await;
    assert!(message.contains("the key `ci` has spent $0.0082"), "{message}");
    assert!(message.contains("daily") && message.contains("0.0101"), "{message}");
    let others = chat_as(&router, &me, &ask("solid")).await;
    assert_eq!(others.headers()["x-edge-budget-remaining-usd"], "0.9836");

    let own: Value = get_as(&router, &ci, "/v1/budget").await.json().await.unwrap();
    assert_eq!(own["key"], "ci");
    assert_eq!(nanos(&own["daily"]["spent_usd"]), 8_200_000);
    assert_eq!(nanos(&own["daily"]["limit_usd"]), 10_100_000);
    assert_eq!(nanos(&own["monthly"]["remaining_usd"]), 491_800_000);
    let named: Value = get_as(&router, &ci, "/v1/budget?key=ci").await.json().await.unwrap();
    assert_eq!(named, own);
    error_of(get_as(&router, &ci, "/v1/budget?key=me").await, 403, "invalid_api_key").await;

    let all = router.budget().await;
    assert_eq!(nanos(&all["daily"]["spent_usd"]), 16_400_000);
    assert_eq!(all.get("key"), None);
    let asked: Value = router.get("/v1/budget?key=ci").await.json().await.unwrap();
    assert_eq!(asked, own);
    error_of(router.get("/v1/budget?key=nobody").await, 404, "key_not_found").await;

    let printed = said(&program(router.dir.path(), &["budget", "--key", "ci", "--json"]));
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["daily"]["spent_usd"], own["daily"]["spent_usd"]);
    assert_eq!(program(router.dir.path(), &["budget", "--key", "nobody"]).status.code(), Some(1));
    let list = said(&program(router.dir.path(), &["keys", "list", "--json"]));
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((&list[0]["name"], &list[1]["name"]), (&json!("ci"), &json!("me")));
    assert_eq!(nanos(&list[1]["spent_this_month_usd"]), 8_200_000);
    assert!(list[0].get("key").is_none() && ci.starts_with(list[0]["prefix"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_at_once_pass_neither_the_key_s_limit_nor_everybody_s() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Answer { text: "ok".into(), usage: (20, 0, 900) });
    let router = Arc::new(router_of(&upstream, "daily_usd = 0.05").await);
    let keys = [
        create(&router, &["--name", "small", "--daily-usd", "0.02"]),
        create(&router, &["--name", "month", "--monthly-usd", "0.03"]),
    ];
    let limits = [("/v1/budget", 50_000_000), ("/v1/budget?key=small", 20_000_000)];
    let watcher = tokio::spawn({
        let router = router.clone();
        async move {
            let mut highest = [0; 2];
            for _ in 0..60 {
                for (high, (path, _)) in highest.iter_mut().zip(limits) {
                    let budget: Value = router.get(path).await.json().await.unwrap();
                    let day = &budget["daily"];
                    *high = (*high).max(nanos(&day["spent_usd"]) + nanos(&day["reserved_usd"]));
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            highest
        }
    });
    let requests = (0..100).map(|n: usize| {
        let (router, key) = (router.clone(), keys[n % 2].clone());
        tokio::spawn(async move {
            let mut body = ask("solid");
            body["stream"] = json!(n.is_multiple_of(3));
            let response = chat_as(&router, &key, &body).await;
            let status = response.status().as_u16();
            response.bytes().await.unwrap();
            (n % 2, status)
        })
    });
    let mut served = [0_i64; 2];
    for request in requests.collect::<Vec<_>>() {
        let (who, status) = request.await.unwrap();
        assert!(matches!(status, 200 | 402), "{status}");
        served[who] += i64::from(status == 200);
    }
    for (high, (path, limit)) in watcher.await.unwrap().into_iter().zip(limits) {
        assert!(high <= limit, "{path}: {high}");
    }
    // 20 × $2 + 900 × $8 per million each
    for (who, name, limit) in [(0, "small", 20_000_000), (1, "month", 30_000_000)] {
        let budget: Value =
            router.get(&format!("/v1/budget?key={name}")).await.json().await.unwrap();
        let spent = nanos(&budget["monthly"]["spent_usd"]);
        assert_eq!(spent, 7_240_000 * served[who], "{name}");
        assert!(served[who] >= 1 && spent <= limit, "{name}: {served:?}");
        assert_eq!(nanos(&budget["daily"]["reserved_usd"]), 0);
    }
    let all = router.budget().await;
    assert_eq!(nanos(&all["daily"]["spent_usd"]), 7_240_000 * (served[0] + served[1]));
}

#[tokio::test]
async fn a_key_is_served_only_by_what_it_may_use_and_told_what_that_is() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    let aliases = "[aliases]\nwork = [\"p-solid/solid\"]\nbest = [\"p-dear/dear\"]\n";
    let toml = three_prices([&cheap, &solid, &dear]) + aliases;
    let router = TestRouter::start(&toml).await;
    let key = create(&router, &["--name", "ci", "--models", "work, cheap"]);
    let message =
        error_of(chat_as(&router, &key, &ask("best")).await, 403, "model_not_allowed").await;
    assert_eq!(message, "The key `ci` may not use `best`; it may use: work, cheap.");
    error_of(chat_as(&router, &key, &ask("p-dear/dear")).await, 403, "model_not_allowed").await;
    let work = chat_as(&router, &key, &ask("work")).await;
    assert_eq!(work.headers()["x-edge-model"], "p-solid/solid");

    let narrow = create(&router, &["--name", "narrow", "--models", "work"]);
    let deep = router.post("/v1/chat/completions", &ask("auto")).bearer_auth(&narrow);
    let deep = deep.header("x-task-tier", "complex").send().await.unwrap();
    assert_eq!(deep.headers()["x-edge-model"], "p-solid/solid");
    let list: Value = get_as(&router, &narrow, "/v1/models").await.json().await.unwrap();
    let names: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["auto", "work"]);
    let one = get_as(&router, &narrow, "/v1/models/p-dear/dear").await;
    error_of(one, 403, "model_not_allowed").await;
    assert_eq!(get_as(&router, &narrow, "/v1/models/work").await.status(), 200);
    let route = router.post("/v1/route", &ask("auto")).bearer_auth(&narrow);
    let route: Value = route.send().await.unwrap().json().await.unwrap();
    let candidates = route["candidates"].as_array().unwrap();
    assert!(candidates.iter().all(|one| one["model_id"] == "p-solid/solid"), "{route}");
    let route = router.post("/v1/route", &ask("best")).bearer_auth(&narrow);
    let route: Value = route.send().await.unwrap().json().await.unwrap();
    assert_eq!(route["model_id"], Value::Null);
    assert!(route.to_string().contains("may not use"), "{route}");
    assert!(dear.received().is_empty());
}

#[tokio::test]
async fn an_unknown_name_on_a_key_s_list_opens_no_other_model() {
    let upstream = Upstream::start().await;
    let toml = format!("[routing]\nunknown_model = \"auto\"\n{}", one_provider(&upstream));
    let router = TestRouter::start(&toml).await;
    let key = create(&router, &["--name", "ci", "--models", "not-there-yet"]);
    for model in ["not-there-yet", "something-else", "auto"] {
        error_of(chat_as(&router, &key, &ask(model)).await, 403, "model_not_allowed").await;
    }
    assert_eq!(router.chat(&ask("not-there-yet")).await.status(), 200);
}

#[tokio::test]
async fn nothing_leaves_the_providers_of_a_key_whatever_fails_there() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    cheap.script("cheap", Script::status(500));
    let aliases = "[aliases]\nany = [\"p-solid/solid\", \"p-cheap/cheap\", \"p-dear/dear\"]\n";
    let router = TestRouter::start(&(three_prices([&cheap, &solid, &dear]) + aliases)).await;
    let key = create(&router, &["--name", "home", "--providers", "p-cheap"]);
    for model in ["auto", "any", "p-cheap/cheap"] {
        let failed = router.post("/v1/chat/completions", &ask(model)).bearer_auth(&key);
        let failed = failed.header("x-task-tier", "trivial").send().await.unwrap();
        assert!(matches!(failed.status().as_u16(), 502 | 503), "{model}: {}", failed.status());
    }
    error_of(chat_as(&router, &key, &ask("solid")).await, 403, "model_not_allowed").await;
    assert!(!cheap.received().is_empty());
    assert!(solid.received().is_empty() && dear.received().is_empty());
    let wrong =
        program(router.dir.path(), &["keys", "create", "--name", "x", "--providers", "p-cheep"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("p-cheap"));
}

#[tokio::test]
async fn a_key_works_on_its_projects() {
    let upstream = Upstream::start().await;
    let router = router_of(&upstream, "").await;
    let key = create(&router, &["--name", "ci", "--projects", "shop"]);
    assert_eq!(chat_as(&router, &key, &ask("solid")).await.status(), 200);
    let bank = router.post("/v1/chat/completions", &ask("solid")).bearer_auth(&key);
    let bank = bank.header("x-project", "bank").send().await.unwrap();
    let message = error_of(bank, 403, "project_not_allowed").await;
    assert!(message.contains("shop"), "{message}");
    let requests = said(&program(router.dir.path(), &["requests", "--json"]));
    let requests: Value = serde_json::from_str(&requests).unwrap();
    assert_eq!(requests.as_array().unwrap().len(), 1);
    assert_eq!(requests[0]["project"], "shop");
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_come_again() {
    let upstream = Upstream::start().await;
    let router = router_of(&upstream, "").await;
    let key = create(&router, &["--name", "ci", "--rpm", "2"]);
    for _ in 0..2 {
        assert_eq!(chat_as(&router, &key, &ask("solid")).await.status(), 200);
    }
    let third = chat_as(&router, &key, &ask("solid")).await;
    let wait: u64 = third.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((50..=62).contains(&wait), "{wait}");
    let message = error_of(third, 429, "rate_limited").await;
    assert!(message.contains("`ci`") && message.contains("2 requests a minute"), "{message}");
    assert_eq!(get_as(&router, &key, "/v1/models").await.status(), 200);
    assert_eq!(router.chat(&ask("solid")).await.status(), 200, "others are not held up");
    assert_eq!(upstream.received().len(), 3);
}

#[tokio::test]
async fn a_question_about_a_route_counts_among_a_key_s_requests() {
    let upstream = Upstream::start().await;
    let router = router_of(&upstream, "").await;
    let key = create(&router, &["--name", "ci", "--rpm", "2"]);
    let route = async || {
        let request = router.post("/v1/route", &ask("auto")).bearer_auth(&key);
        request.send().await.unwrap()
    };
    assert_eq!(route().await.status(), 200);
    assert_eq!(chat_as(&router, &key, &ask("solid")).await.status(), 200);
    let third = route().await;
    assert!(third.headers().contains_key("retry-after"));
    error_of(third, 429, "rate_limited").await;
}

#[tokio::test]
async fn a_key_for_cheap_models_is_not_served_by_dear_ones() {
    let [cheap, solid, dear] =
        [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    let router = TestRouter::start(&three_prices([&cheap, &solid, &dear])).await;
    let key = create(&router, &["--name", "ci", "--models", "cheap"]);
    for model in ["cheap", "auto"] {
        let request = router.post("/v1/chat/completions", &ask(model)).bearer_auth(&key);
        let request = request.header("x-task-tier", "deep").send().await.unwrap();
        request.bytes().await.unwrap();
    }
    assert!(dear.received().is_empty());
}

#[tokio::test]
async fn a_key_has_as_many_requests_running_as_it_may() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Endless { pause: Duration::from_millis(20) });
    let router = router_of(&upstream, "").await;
    let key = create(&router, &["--name", "ci", "--max-concurrent", "1"]);
    let mut body = ask("solid");
    body["stream"] = json!(true);
    let mut running = chat_as(&router, &key, &body).await;
    assert_eq!(running.status(), 200);
    running.chunk().await.unwrap();
    let second = chat_as(&router, &key, &body).await;
    assert_eq!(second.headers()["retry-after"], "1");
    error_of(second, 429, "rate_limited").await;
    drop(running);
    let mut status = 429;
    for _ in 0..100 {
        let next = chat_as(&router, &key, &body).await;
        status = next.status().as_u16();
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status, 200, "the seat of the client that left is free");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_in_no_file_no_log_and_no_error() {
    use std::io::{BufRead, BufReader, Read};

    let upstream = Upstream::start().await;
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "[server]\ndata_dir = \"data\"\n[catalog]\nbuiltin = false\n{}",
        one_provider(&upstream)
    );
    std::fs::write(dir.path().join("edge-router.toml"), config).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_edge-router"))
        .args(["serve", "--port", "0"])
        .current_dir(dir.path())
        .env("RUST_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = child.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut all = Vec::new();
        log.read_to_end(&mut all).unwrap();
        all
    });
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let base = ready.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let secret = said(&program(dir.path(), &["keys", "create", "--name", "ci", "--rpm", "1"]));
    let secret = secret.trim_end();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut texts = Vec::new();
    let url = format!("{base}/v1/chat/completions");
    for wanted in [200, 429] {
        let response =
            http.post(&url).bearer_auth(secret).json(&ask("solid")).send().await.unwrap();
        assert_eq!(response.status(), wanted);
        texts.push(response.bytes().await.unwrap().to_vec());
    }
    let list = program(dir.path(), &["keys", "list"]);
    texts.extend([list.stdout, list.stderr]);
    said(&program(dir.path(), &["keys", "revoke", "ci"]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let response = http.post(&url).bearer_auth(secret).json(&ask("solid")).send().await.unwrap();
    assert_eq!(response.status(), 401);
    texts.push(response.bytes().await.unwrap().to_vec());
    // While it runs, so that the write-ahead log is looked at too.
    for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
        texts.push(std::fs::read(dir.path().join("data").join(name)).unwrap());
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    child.wait().unwrap();
    texts.push(log.join().unwrap());
    let beginning = &secret.as_bytes()[..20];
    for text in texts {
        let found = text.windows(beginning.len()).any(|part| part == beginning);
        assert!(!found, "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["--name", "local"][..],
        &["--name", "a b"],
        &["--name", ""],
        &["--name", "x", "--daily-usd", "0"],
        &["--name", "x", "--daily-usd", "much"],
        &["--name", "x", "--rpm", "0"],
        &["--name", "x", "--models", " , "],
        &[],
    ] {
        let output = program(dir.path(), &[&["keys", "create"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}");
    }
    assert!(!dir.path().join("data/ledger.sqlite").exists());
    assert_eq!(said(&program(dir.path(), &["keys", "list", "--json"])).trim(), "[]");
    let made = said(&program(dir.path(), &["keys", "create", "--name", "x", "--json"]));
    let made: Value = serde_json::from_str(&made).unwrap();
    assert!(made["key"].as_str().unwrap().starts_with(made["prefix"].as_str().unwrap()));
    let twice = program(dir.path(), &["keys", "create", "--name", "x"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("exists"));
}

#[tokio::test]
async fn lists_and_reports_call_a_key_by_its_name() {
    let upstream = Upstream::start().await;
    let router = router_of(&upstream, "").await;
    let first = create(&router, &["--name", "ci"]);
    assert_eq!(chat_as(&router, &first, &ask("auto")).await.status(), 200);
    said(&program(router.dir.path(), &["keys", "revoke", "ci"]));
    let second = create(&router, &["--name", "ci"]);
    assert_eq!(chat_as(&router, &second, &ask("auto")).await.status(), 200);

    let usage: Value =
        get_as(&router, &second, "/v1/usage?group_by=key").await.json().await.unwrap();
    assert_eq!(usage["rows"][0]["key"], "ci", "{usage}");
    let list = said(&program(router.dir.path(), &["requests", "--key", "ci", "--json"]));
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1, "only the live key of that name: {list}");
    assert_eq!(list[0]["key"], "ci");
    let explained =
        said(&program(router.dir.path(), &["requests", list[0]["id"].as_str().unwrap()]));
    assert!(explained.lines().any(|line| line.split_whitespace().eq(["key", "ci"])), "{explained}");
    let report = said(&program(router.dir.path(), &["report", "--by", "key"]));
    let rows = |what: &str| report.lines().filter(|line| line.starts_with(what)).count();
    assert_eq!((rows("ci "), rows("ci (key_")), (2, 1), "{report}");
}
