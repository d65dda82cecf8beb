//! The ledger beside a provider's export, through the program.

use std::path::Path;

use serde_json::{Value, json};

use crate::budget::nanos;
use crate::cli::{edge_router, text};
use crate::openai::one_provider;
use crate::support::{Script, TestRouter, Upstream, connect};

/// A router that has spent $0.0082 twice today on `up/solid`.
async fn spent() -> (TestRouter, String) {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Answer { text: "ok".into(), usage: (100, 0, 1_000) });
    let budget = "[budget]\ntimezone = \"Pacific/Apia\"\n";
    let router = TestRouter::start(&format!("{budget}{}", one_provider(&upstream))).await;
    for _ in 0..2 {
        let body = json!({"model": "solid", "messages": [{"role": "user", "content": "say ok"}]});
        assert_eq!(router.chat(&body).await.status(), 200);
    }
    let mut file = connect(router.dir.path()).await;
    let (at,): (i64,) =
        sqlx::query_as("SELECT MAX(reserved_at) FROM charges").fetch_one(&mut file).await.unwrap();
    let today = jiff::Timestamp::from_microsecond(at).unwrap().strftime("%Y-%m-%d").to_string();
    (router, today)
}

fn reconcile(dir: &Path, csv: &str, args: &[&str]) -> (Option<i32>, String, String) {
    std::fs::write(dir.join("costs.csv"), csv).unwrap();
    let output = edge_router(dir, &[&["budget", "reconcile", "costs.csv"], args].concat());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn json_of(dir: &Path, csv: &str, args: &[&str]) -> (Option<i32>, Value) {
    let (code, out, err) = reconcile(dir, csv, &[&["--json"], args].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}")))
}

#[tokio::test]
async fn an_export_that_says_the_same_agrees() {
    let (router, today) = spent().await;
    let csv = format!(
        "\u{feff}start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item\r\n\
         1,2,{today}T00:00:00+00:00,x,0.0004000000000000,usd,\"solid-2026-01-15, input\"\r\n\
         1,2,{today}T00:00:00+00:00,x,1.6e-2,usd,\"solid-2026-01-15, output\"\r\n"
    );
    let (code, found) = json_of(router.dir.path(), &csv, &["--tolerance", "0"]);
    assert_eq!(code, Some(0), "{found}");
    assert_eq!(found["form"], "OpenAI costs");
    assert_eq!(found["within_tolerance"], true);
    let rows = found["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{found}");
    assert_eq!((&rows[0]["model"], &rows[0]["day"]), (&json!("up/solid"), &json!(today)));
    assert_eq!(nanos(&rows[0]["ours_usd"]), 16_400_000);
    assert_eq!(rows[0]["likely_cause"], Value::Null);
    let (code, out, err) = reconcile(router.dir.path(), &csv, &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("1 of 1 rows agree") && out.contains("UTC days"), "{out}");
}

#[tokio::test]
async fn differences_are_listed_by_day_and_model_and_fail_beyond_the_tolerance() {
    let (router, today) = spent().await;
    let dir = router.dir.path();
    let csv = format!(
        "date,model,cost_usd\n{today},solid,\"$0.0163\"\n2026-01-02,other-model,\"$1,000.50\"\n"
    );
    let (code, out, err) = reconcile(dir, &csv, &[]);
    assert_eq!(code, Some(1), "{out}");
    assert!(err.contains("more than 1 %"), "{err}");
    let line = |start: &str| out.lines().find(|line| line.contains(start)).unwrap().to_owned();
    assert!(line("up/solid").contains("+$0.0001") && line("up/solid").contains("+0.61 %"), "{out}");
    assert!(
        line("other-model").contains("-$1000.50")
            && line("other-model").contains("past the router")
    );
    let near = format!("date,model,cost_usd\n{today},solid,0.0163\n");
    assert_eq!(reconcile(dir, &near, &[]).0, Some(0));
    assert_eq!(reconcile(dir, &near, &["--tolerance", "0.5%"]).0, Some(1));
    assert_eq!(reconcile(dir, &near, &["--tolerance", "half"]).0, Some(2));
}

#[tokio::test]
async fn unconfirmed_money_is_named_and_a_bad_line_settles_nothing() {
    let (router, today) = spent().await;
    let dir = router.dir.path();
    let mut file = connect(dir).await;
    let sql = "INSERT INTO charges SELECT reserved_at, instance, seq + 1000, request, attempt, key, project, model,
        ceiling, 5000000, settled_at, 1 FROM charges LIMIT 1";
    sqlx::query(sql).execute(&mut file).await.unwrap();
    let good = format!("date,model,cost\n{today},solid,0.0164\n");
    let (code, found) = json_of(dir, &good, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(found["rows"][0]["likely_cause"], "$0.005 is unconfirmed");
    assert_eq!(nanos(&found["total"]["unconfirmed_usd"]), 5_000_000);
    let bad = format!("{good}{today},solid,\"0,005\"\n21/11/2026,solid,1\n");
    let (code, found) = json_of(dir, &bad, &["--tolerance", "100"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        (&found["bad_lines"][0]["line"], &found["bad_lines"][1]["line"]),
        (&json!(3), &json!(4))
    );
    assert_eq!(
        nanos(&found["total"]["theirs_usd"]),
        16_400_000,
        "what cannot be read is not guessed"
    );
}

#[tokio::test]
async fn only_the_models_of_one_provider_are_compared() {
    let (router, today) = spent().await;
    let dir = router.dir.path();
    let csv = format!("date,cost\n{today},0.0164\n");
    assert_eq!(reconcile(dir, &csv, &["--provider", "up"]).0, Some(0));
    let (code, _, err) = reconcile(dir, &csv, &["--provider", "upp"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("there are up"), "{err}");
}

#[test]
fn a_file_that_is_no_export_is_refused_with_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    for (csv, word) in [
        ("date,model,input_tokens\n", "export costs, not usage"),
        ("name,amount\n", "no column with a date"),
        ("", "empty"),
    ] {
        let (code, _, err) = reconcile(dir.path(), csv, &[]);
        assert_eq!(code, Some(2), "{csv}");
        assert!(err.contains("costs.csv") && err.contains(word), "{err}");
    }
    let output = edge_router(dir.path(), &["budget", "reconcile", "nothing.csv"]);
    assert_eq!(output.status.code(), Some(1));
    let (code, out, _) = reconcile(dir.path(), "date,cost\n2026-11-20,1\n", &["--json"]);
    assert_eq!(code, Some(1), "a ledger that is not there has nothing: {out}");
}
