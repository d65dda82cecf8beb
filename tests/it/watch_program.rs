//! The program `edge-watch` from outside.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use edge_router::clock::{Clock, SystemClock};
use serde_json::Value;

use crate::watch::Bench;

fn program() -> Command {
    let built = env!("CARGO_BIN_EXE_edge-watch");
    let path = std::env::var("NEXTEST_BIN_EXE_edge-watch").unwrap_or_else(|_| built.to_owned());
    let mut command = Command::new(path);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command
}

fn of(bench: &Bench) -> Command {
    let mut command = program();
    command
        .arg(bench.dir.path())
        .args(["--project", "shop", "--proxy", &bench.server.base])
        .env("EDGE_WATCH_STATE_DIR", bench.state.path());
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn once_brings_the_server_in_step_and_prints_a_line_for_each_batch() {
    let bench = Bench::new(&[("a", "a\n"), (".env", "A=1\n")]).await;
    let mut command = of(&bench);
    command.args(["--once", "--json"]).env("EDGE_ROUTER_KEY", "client-key");
    let output = output(command).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let line: Value = serde_json::from_str(&text(&output.stdout)).unwrap();
    let found = ["project", "base_version", "version", "added", "modified", "files_total"]
        .map(|key| line[key].clone());
    assert_eq!(Value::from(found.to_vec()), serde_json::json!(["shop", 0, 1, 1, 0, 1]));
    assert_eq!(text(&output.stderr), "withheld: .env (an environment file)\n");
    assert_eq!(bench.server.keys(), ["Bearer client-key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_would_be_sent_and_sends_nothing() {
    let bench = Bench::new(&[("a.rs", "a\n"), ("Cargo.lock", "x\n"), (".env", "A=1\n")]).await;
    let mut command = of(&bench);
    command.arg("--dry-run");
    let shown = text(&output(command).await.stdout);
    let mut lines: Vec<String> =
        shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    lines.sort();
    let wanted =
        ["added 116 a.rs", "skipped Cargo.lock (lock file)", "withheld .env (an environment file)"];
    assert_eq!(lines, wanted);
    assert_eq!(bench.server.sizes().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_use_ends_with_two_and_says_what_is_right() {
    let bench = Bench::new(&[]).await;
    for (arguments, says) in [
        (vec!["/no/such/directory"], "no directory"),
        (vec![".", "--project", "stats"], "reserved"),
        (vec![".", "--proxy", "nonsense"], "http://HOST:PORT"),
        (vec![".", "--proxy", "http://a:b@host"], "without a login"),
        (vec![".", "--nonsense"], "--help"),
    ] {
        let mut command = program();
        command.args(&arguments).arg("--once").current_dir(bench.dir.path());
        command.env("EDGE_WATCH_STATE_DIR", bench.state.path());
        let output = output(command).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = text(&output.stderr);
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_ends_with_one() {
    let bench = Bench::new(&[("a", "a\n")]).await;
    bench.server.will([crate::support::Mood::Refuses(401)]);
    let mut command = of(&bench);
    command.arg("--once");
    let output = output(command).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("EDGE_ROUTER_KEY"));
}

/// The figures of a large directory. Run with `--run-ignored only --no-capture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; takes half a minute"]
async fn ten_thousand_files() {
    let bench = Bench::new(&[]).await;
    for n in 0..10_000 {
        let line = format!("    let value_{n} = compute(input, {n})?; // {}\n", n * 7);
        bench.write(&format!("src/d{}/e{}/f{n}.rs", n % 40, n % 7), &line.repeat(40 + n % 160));
    }
    let began = SystemClock.instant();
    let mut child = of(&bench).stdout(Stdio::piped()).spawn().unwrap();
    while bench.server.count() < 10_000 {
        assert!(began.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    println!("first sync: {:.2} s", began.elapsed().as_secs_f64());
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("memory: {}, {}", status(child.id(), "VmRSS"), status(child.id(), "VmHWM"));
    let mut waits = Vec::new();
    for n in 0..11 {
        let text = format!("saved {n}\n");
        let began = SystemClock.instant();
        bench.write("src/d0/e0/f0.rs", &text);
        while bench.server.text("src/d0/e0/f0.rs").as_ref() != Some(&text) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waits.push(began.elapsed().as_millis());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    waits.sort_unstable();
    println!("a save reaches the server: median {} ms, most {} ms", waits[5], waits[10]);
    let before = ticks(child.id());
    tokio::time::sleep(Duration::from_secs(10)).await;
    println!("idle: {} hundredths of a second of CPU in 10 s", ticks(child.id()) - before);
    child.kill().unwrap();
    child.wait().unwrap();
    let began = SystemClock.instant();
    let mut command = of(&bench);
    command.arg("--once");
    assert!(output(command).await.status.success());
    println!("restart with nothing changed: {:.2} s", began.elapsed().as_secs_f64());
    assert!(waits[5] <= 300);
}

fn status(process: u32, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
