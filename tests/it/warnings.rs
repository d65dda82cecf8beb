//! What owners and clients are told before a budget is spent: a header, a line of the log, a post.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::{edge_router, text};
use crate::disconnect::eventually;
use crate::openai::one_provider;
use crate::support::{Process, Script, TestRouter, Upstream};

const HEADER: &str = "x-edge-budget-warning";

fn ask(stream: bool) -> Value {
    json!({"model": "solid", "max_tokens": 1024, "stream": stream, "messages": [{"role": "user", "content": "say ok"}]})
}

fn warning(response: &reqwest::Response) -> Option<&str> {
    response.headers().get(HEADER).map(|value| value.to_str().unwrap())
}

/// An upstream whose every answer costs $0.0082.
async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Answer { text: "ok".into(), usage: (100, 0, 1_000) });
    upstream
}

fn create(router: &TestRouter, args: &[&str]) -> String {
    let output = edge_router(router.dir.path(), &[&["keys", "create"], args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

#[tokio::test]
async fn answers_name_the_highest_step_that_has_been_passed() {
    let upstream = upstream().await;
    let budget = "[budget]\ndaily_usd = 0.03\nmonthly_usd = 0.05\nwait_s = 0\n";
    let router = TestRouter::start(&format!("{budget}{}", one_provider(&upstream))).await;
    let first = router.chat(&ask(false)).await;
    assert_eq!((first.status().as_u16(), warning(&first)), (200, None));
    let second = router.chat(&ask(false)).await;
    let said = warning(&second).unwrap();
    assert!(said.starts_with("daily 50% of $0.03 spent; resets 20"), "{said}");
    assert!(said.ends_with("T00:00:00Z"), "{said}");
    let third = router.chat(&ask(true)).await;
    assert!(warning(&third).unwrap().starts_with("daily 50%"), "as of the stream's beginning");
    third.bytes().await.unwrap();
    let refused = router.chat(&ask(false)).await;
    assert_eq!(refused.status(), 402);
    assert!(warning(&refused).unwrap().starts_with("daily 80%"));
    assert!(warning(&router.get("/v1/models").await).is_some());
    assert_eq!(warning(&router.get("/health").await), None, "those without a key see no budget");
}

#[tokio::test]
async fn a_client_key_is_warned_of_its_own_budget_only() {
    let upstream = upstream().await;
    let budget = "[budget]\ndaily_usd = 0.03\nwarn_at = [20, 60]\n";
    let router = TestRouter::start(&format!("{budget}{}", one_provider(&upstream))).await;
    let free = create(&router, &["--name", "free"]);
    let tight = create(&router, &["--name", "tight", "--monthly-usd", "0.0125"]);
    let chat = async |key: &str| {
        let request = router.post("/v1/chat/completions", &ask(false)).bearer_auth(key);
        request.send().await.unwrap()
    };
    assert_eq!(warning(&chat(&free).await), None);
    let own = chat(&tight).await;
    assert!(warning(&own).unwrap().starts_with("monthly 60% of $0.0125 spent"));
    let owner = router.get("/v1/budget").await;
    assert!(warning(&owner).unwrap().starts_with("daily 20% of $0.03"));
}

#[tokio::test]
async fn each_step_is_posted_once_and_again_until_it_arrives() {
    let upstream = upstream().await;
    let receiver = Upstream::start().await;
    let busy = json!({"error": "busy"});
    receiver.script("", Script::Status(503, busy, Vec::new()));
    receiver.script("", Script::Whole("ok".into()));
    let budget = format!(
        "[budget]\ndaily_usd = 0.016\nwait_s = 0\nwarn_webhook = \"{}/hooks/s3cret\"\n",
        receiver.base
    );
    let router = TestRouter::start(&format!("{budget}{}", one_provider(&upstream))).await;
    for _ in 0..4 {
        router.chat(&ask(false)).await.bytes().await.unwrap();
    }
    eventually(async || receiver.received().len() >= 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let posts = receiver.received();
    assert_eq!(posts.len(), 2, "the first one failed, and nothing is told twice");
    assert_eq!(posts[0].json(), posts[1].json());
    assert_eq!(posts[1].path, "/hooks/s3cret");
    let body = posts[1].json();
    let expected = [
        ("event", json!("budget_warning")),
        ("scope", json!("global")),
        ("key", Value::Null),
        ("window", json!("daily")),
        ("percent", json!(50)),
        ("limit_usd", json!(0.016)),
        ("spent_usd", json!(0.0082)),
    ];
    for (name, value) in expected {
        assert_eq!(body[name], value, "{name}: {body}");
    }
    assert!(body["text"].as_str().unwrap().contains("50 %"), "{body}");
    assert!(!posts[1].text().contains("sk-test") && !posts[1].text().contains("say ok"));
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_no_answer() {
    let upstream = upstream().await;
    let receiver = Upstream::start().await;
    receiver.script("", Script::Stall(Duration::from_secs(60)));
    let budget = format!("[budget]\ndaily_usd = 0.01\nwarn_webhook = \"{}/\"\n", receiver.base);
    let router = TestRouter::start(&format!("{budget}{}", one_provider(&upstream))).await;
    let answer = tokio::time::timeout(Duration::from_secs(5), router.chat(&ask(false))).await;
    assert_eq!(answer.unwrap().status(), 200);
    eventually(async || receiver.received().len() == 1).await;
    let stopped = tokio::time::timeout(Duration::from_secs(5), router.stop()).await;
    assert!(stopped.is_ok(), "nor the end of the router");
}

#[tokio::test]
async fn the_log_has_one_line_for_each_step_also_over_a_restart() {
    let upstream = upstream().await;
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "[server]\ndata_dir = \"data\"\n[catalog]\nbuiltin = false\n[budget]\ndaily_usd = 0.02\nmonthly_usd = 5\nwait_s = 0\n{}",
        one_provider(&upstream)
    );
    std::fs::write(dir.path().join("edge-router.toml"), config).unwrap();
    let mut all = String::new();
    for _ in 0..2 {
        let router = Process::start(dir.path()).await;
        for _ in 0..2 {
            router.chat(&ask(false)).await.unwrap().bytes().await.unwrap();
        }
        router.stop().await;
        all += &std::fs::read_to_string(dir.path().join("log")).unwrap();
    }
    let lines: Vec<&str> = all.lines().filter(|line| line.contains("budget is spent to")).collect();
    assert_eq!(lines.len(), 1, "{all}");
    assert!(lines[0].contains("WARN") && lines[0].contains("80 %: $0.0164 of $0.02"), "{all}");
}

#[test]
fn a_webhook_is_https_or_on_this_machine_and_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let check = |budget: &str| {
        let config = format!("[catalog]\nbuiltin = false\n[budget]\n{budget}\n");
        std::fs::write(dir.path().join("edge-router.toml"), config).unwrap();
        let output = edge_router(dir.path(), &["check"]);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    for good in [
        "https://hooks.example/T0/s3cret",
        "http://127.0.0.1:9000/hook",
        "http://localhost/hook",
        "http://[::1]:9/",
        "",
    ] {
        assert_eq!(check(&format!("warn_webhook = \"{good}\"")).0, Some(0), "{good}");
    }
    for bad in ["http://hooks.example/s3cret", "ftp://127.0.0.1/s3cret", "s3cret", "https://"] {
        let (code, said) = check(&format!("warn_webhook = \"{bad}\""));
        assert_eq!(code, Some(2), "{bad}");
        assert!(said.contains("budget.warn_webhook") && !said.contains("s3cret"), "{said}");
    }
    let (code, said) = check("warn_at = [50, 0]");
    assert_eq!(code, Some(2));
    assert!(said.contains("budget.warn_at") && said.contains("1 to 100"), "{said}");
    assert_eq!(check("warn_at = []").0, Some(0));
}

#[tokio::test]
async fn doctor_tries_the_webhook_only_when_asked() {
    let receiver = Upstream::start().await;
    receiver.script("", Script::Whole("ok".into()));
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "[catalog]\nbuiltin = false\n[budget]\nwarn_webhook = \"{}/hook/s3cret\"\n",
        receiver.base
    );
    std::fs::write(dir.path().join("edge-router.toml"), config).unwrap();
    let doctor = async |args: &'static [&'static str]| {
        let path = dir.path().to_owned();
        let run = move || edge_router(&path, &[&["doctor", "--offline"], args].concat());
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        text(&output.stdout) + &text(&output.stderr)
    };
    let said = doctor(&[]).await;
    assert!(said.contains("--webhook") && !said.contains("s3cret"), "{said}");
    assert!(receiver.received().is_empty());
    let said = doctor(&["--webhook"]).await;
    assert!(said.contains("took a test message"), "{said}");
    assert_eq!(receiver.last().json()["event"], "test");
    receiver.stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let said = doctor(&["--webhook"]).await;
    assert!(said.contains("no connection") && !said.contains("s3cret"), "{said}");
}
