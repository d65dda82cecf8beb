//! What users see of their money, from outside: rows over HTTP, and the program's report and
//! explanations beside a router that runs.

use serde_json::{Value, json};

use crate::budget::nanos;
use crate::cli::{edge_router, text};
use crate::fallback::three_prices;
use crate::openai::one_provider;
use crate::support::{Script, TestRouter, Upstream};

/// Three models of rising price behind one router; asks each `n` times and the dear one first fails.
async fn spent(router: &TestRouter, tiers: &[(&str, usize)]) -> Vec<String> {
    let mut ids = Vec::new();
    for (tier, times) in tiers {
        for n in 0..*times {
            let words = json!([{"role": "user", "content": format!("{tier} task {n}")}]);
            let response = router
                .post("/v1/chat/completions", &json!({"messages": words}))
                .header("x-task-tier", *tier)
                .header("x-project", if n % 2 == 0 { "shop" } else { "blog" })
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 200);
            ids.push(response.headers()["x-request-id"].to_str().unwrap().to_owned());
        }
    }
    ids
}

async fn three() -> (TestRouter, [Upstream; 3]) {
    let upstreams = [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    let [cheap, solid, dear] = &upstreams;
    let usage = |n: u64| Script::Answer { text: "ok".into(), usage: (1_000 + n, 0, 100 + n) };
    cheap.script("cheap", usage(1));
    solid.script("solid", usage(2));
    dear.script("dear", usage(3));
    let toml = format!(
        "[budget]\ndaily_usd = 5\n[report]\nbaseline = \"p-dear/dear\"\n{}",
        three_prices([cheap, solid, dear])
    );
    let router = TestRouter::start(&toml).await;
    (router, upstreams)
}

async fn json_of(router: &TestRouter, path: &str) -> Value {
    let response = router.get(path).await;
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

#[tokio::test]
async fn usage_rows_add_up_to_what_the_budget_has_spent() {
    let (router, _upstreams) = three().await;
    spent(&router, &[("trivial", 3), ("complex", 2), ("deep", 1)]).await;
    let budget = nanos(&router.budget().await["daily"]["spent_usd"]);
    for query in ["", "?group_by=model", "?group_by=tier,project&since=1h", "?group_by=day,key"] {
        let usage = json_of(&router, &format!("/v1/usage{query}")).await;
        let rows = usage["rows"].as_array().unwrap();
        let sum: i64 = rows.iter().map(|row| nanos(&row["cost_usd"])).sum();
        assert_eq!(sum, budget, "{query}");
        assert_eq!(nanos(&usage["total"]["cost_usd"]), budget);
        assert_eq!(usage["total"]["requests"], 6);
        assert_eq!(usage["truncated"], false);
    }
    let by_model = json_of(&router, "/v1/usage?group_by=model").await;
    let cheap = &by_model["rows"][0];
    assert_eq!(cheap["model"], "p-cheap/cheap");
    assert_eq!(cheap["requests"], 3);
    assert_eq!(cheap["tokens"]["input"], 3 * 1_001);
    assert_eq!(cheap["tokens"]["output"], 3 * 101);
    let both = json_of(&router, "/usage?group_by=tier,project").await;
    let names: Vec<(&str, &str)> = both["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["tier"].as_str().unwrap(), row["project"].as_str().unwrap()))
        .collect();
    assert!(names.contains(&("trivial", "blog")) && names.contains(&("deep", "shop")), "{names:?}");
}

#[tokio::test]
async fn a_wrong_question_about_usage_is_told_what_is_allowed() {
    let (router, _upstreams) = three().await;
    for (query, param, allowed) in [
        ("group_by=colour", "group_by", "model, tier, key, project, day"),
        ("since=yesterday", "since", "30m, 12h or 30d"),
        ("groupby=model", "query", "since, group_by"),
    ] {
        let response = router.get(&format!("/v1/usage?{query}")).await;
        assert_eq!(response.status(), 400, "{query}");
        let error: Value = response.json().await.unwrap();
        assert_eq!(error["error"]["code"], "invalid_request");
        assert_eq!(error["error"]["param"], param);
        assert!(error["error"]["message"].as_str().unwrap().contains(allowed), "{error}");
    }
    let moment = router.get("/v1/usage?since=2026-11-20T08:00:00+02:00").await;
    assert_eq!(moment.status(), 200);
}

#[tokio::test]
async fn every_answer_says_what_is_left_of_the_budget() {
    let upstream = Upstream::start().await;
    let toml = format!("[budget]\ndaily_usd = 0.07\n{}", one_provider(&upstream));
    let router = TestRouter::start(&toml).await;
    let words = json!([{"role": "user", "content": "hi"}]);
    let left = |response: &reqwest::Response| -> f64 {
        let header = response.headers().get("x-edge-budget-remaining-usd");
        let header = header.unwrap_or_else(|| panic!("no header on {}", response.url()));
        header.to_str().unwrap().parse().unwrap()
    };
    let whole = router.chat(&json!({"messages": words})).await;
    assert_eq!((whole.status(), left(&whole) < 0.07), (reqwest::StatusCode::OK, true));
    let stream = router.chat(&json!({"stream": true, "messages": words})).await;
    assert!(left(&stream) < 0.07);
    stream.text().await.unwrap();
    let long = json!([{"role": "user", "content": "long ".repeat(45_000)}]);
    for (expected, body) in [
        (404, json!({"model": "no-such-model", "messages": words})),
        (400, json!({"messages": 7})),
        (402, json!({"model": "solid", "messages": long})),
    ] {
        let response = router.chat(&body).await;
        assert_eq!(response.status().as_u16(), expected);
        left(&response);
    }
    upstream.script("solid", Script::status(500));
    let failed = router.chat(&json!({"messages": words})).await;
    assert_eq!(failed.status(), 502);
    left(&failed);
    for path in
        ["/v1/models", "/v1/models/solid", "/v1/budget", "/v1/usage", "/v1/usage?since=x", "/stats"]
    {
        left(&router.get(path).await);
    }
    left(&router.post("/v1/route", &json!({"messages": words})).send().await.unwrap());
}

#[tokio::test]
async fn the_report_says_where_the_money_went_beside_a_running_router() {
    let (router, _upstreams) = three().await;
    spent(&router, &[("trivial", 4), ("complex", 1), ("deep", 1)]).await;
    let dir = router.dir.path();
    let run = |args: &[&str]| {
        let output = edge_router(dir, args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let report: Value = serde_json::from_str(&run(&["report", "--json"])).unwrap();
    let budget = nanos(&router.budget().await["monthly"]["spent_usd"]);
    assert_eq!(nanos(&report["total"]["cost_usd"]), budget);
    // Every request at $10 and $40 per million.
    let baseline: i64 = [(4, 1), (1, 2), (1, 3)]
        .iter()
        .map(|(times, n)| times * ((1_000 + n) * 10_000 + (100 + n) * 40_000))
        .sum();
    assert_eq!(nanos(&report["savings"]["baseline_usd"]), baseline);
    assert_eq!(nanos(&report["savings"]["saved_usd"]), baseline - budget);
    assert_eq!(report["dearest"][0]["model"], "p-dear/dear");
    assert_eq!(report["quality"]["configured"], 0.5);
    assert_eq!(report["quality"]["curve"].as_array().unwrap().len(), 11);

    let words = run(&["report"]);
    for part in
        ["Spent", "At the baseline", "Saved", "p-dear/dear", "trivial", "DEAREST", "Assumed"]
    {
        assert!(words.contains(part), "{part} in:\n{words}");
    }
    assert!(!words.contains('\u{1b}'), "no colours where nobody looks");
    let by_key = run(&["report", "--by", "key"]);
    assert!(by_key.contains("KEY") && by_key.contains("local") && !by_key.contains("MODEL"));

    run(&["report", "--html", "r.html"]);
    let page = std::fs::read_to_string(dir.join("r.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("p-dear/dear"));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
    assert_eq!(run(&["report", "--html", "-"]).len() / 1_000, page.len() / 1_000);
}

#[test]
fn a_report_without_a_ledger_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let output = edge_router(dir.path(), &["report"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), ""));
    assert!(text(&output.stderr).contains("no request since"), "{output:?}");
    let report = edge_router(dir.path(), &["report", "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["total"]["requests"], 0);
}

#[tokio::test]
async fn any_request_is_explained_also_after_its_prices_have_changed() {
    let (router, _upstreams) = three().await;
    let ids = spent(&router, &[("trivial", 1), ("deep", 1)]).await;
    let config = router.source.path.clone().unwrap();
    let toml = std::fs::read_to_string(&config).unwrap();
    assert!(toml.contains("input_usd_per_mtok = 10\n"));
    std::fs::write(&config, toml.replace("input_usd_per_mtok = 10\n", "input_usd_per_mtok = 77\n"))
        .unwrap();
    let dir = router.dir.path();
    let explained = |id: &str, args: &[&str]| edge_router(dir, &[&["requests", id], args].concat());
    let (id, short) = (&ids[1], &ids[1][4..20]);
    for asked in [id.as_str(), short] {
        let output = explained(asked, &[]);
        let words = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        for part in [
            id.as_str(),
            "p-dear/dear",
            "deep, by header",
            "project shop",
            "10.00",
            "40.00",
            "$0.01415",
        ] {
            assert!(words.contains(part), "{part} in:\n{words}");
        }
        assert!(!words.contains("77.00"), "{words}");
    }
    let whole: Value = serde_json::from_slice(&explained(id, &["--json"]).stdout).unwrap();
    assert_eq!(whole["id"], id.as_str());
    assert_eq!(whole["charges"].as_array().unwrap().len(), 1);
    assert_eq!(whole["charged_usd"], whole["cost_usd"]);
    assert_eq!(whole["price"]["lines"][0]["usd_per_mtok"], 10.0);

    let nothing = explained("ffffffff", &[]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains("no request has an id"), "{nothing:?}");
    let several = explained("0", &[]);
    assert_eq!(several.status.code(), Some(1));
    let message = text(&several.stderr);
    assert!(ids.iter().all(|id| message.contains(id)), "{message}");
}

#[tokio::test]
async fn the_list_of_requests_can_be_narrowed() {
    let (router, upstreams) = three().await;
    spent(&router, &[("trivial", 2), ("deep", 1)]).await;
    upstreams[0].script("cheap", Script::status(500));
    let body = json!({"model": "p-cheap/cheap", "messages": [{"role": "user", "content": "hi"}]});
    for status in [200, 502] {
        assert_eq!(router.chat(&body).await.status(), status);
    }
    // Records of requests without cost are written a moment later.
    router.state.runtime.ledger.requests(jiff::Timestamp::UNIX_EPOCH, 1).await.unwrap();
    let count = |args: &[&str]| {
        let output = edge_router(router.dir.path(), &[&["requests", "--json"], args].concat());
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        list.as_array().unwrap().len()
    };
    assert_eq!(count(&[]), 5);
    assert_eq!(count(&["--failed"]), 1);
    assert_eq!(count(&["--model", "p-cheap/cheap"]), 4);
    assert_eq!(count(&["--key", "local"]), 5);
    assert_eq!(count(&["--key", "nobody"]), 0);
    let list = edge_router(router.dir.path(), &["requests"]);
    assert!(text(&list.stdout).starts_with("ID "), "{list:?}");
}

#[tokio::test]
async fn the_budget_names_the_models_of_the_day_and_says_when_it_begins_anew() {
    let (router, _upstreams) = three().await;
    spent(&router, &[("trivial", 2), ("deep", 1)]).await;
    let output = edge_router(router.dir.path(), &["budget"]);
    let words = text(&output.stdout);
    for part in ["TODAY", "p-dear/dear", "% spent", "in "] {
        assert!(words.contains(part), "{part} in:\n{words}");
    }
    let report = edge_router(router.dir.path(), &["budget", "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["models_today"].as_array().unwrap().len(), 2);
}
