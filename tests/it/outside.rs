//! The program itself, over real sockets: many streams at once, hang-ups, and `kill -9`.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use edge_router::clock::{Clock, SystemClock};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::budget::nanos;
use crate::disconnect::eventually;
use crate::openai::one_provider;
use crate::support::{Books, Process, SLOW_CHUNK, SLOW_PROMPT, Script, Upstream, program};

/// The configuration of a program: what the in-process routers are given by their harness.
pub fn serving(toml: &str) -> String {
    format!("[server]\ndata_dir = \"data\"\n[catalog]\nbuiltin = false\n{toml}")
}

/// What a [`Script::Slow`] answer of so many chunks costs at the prices of [`one_provider`].
pub fn slow_cost(chunks: u64) -> i64 {
    i64::try_from(SLOW_PROMPT * 2_000 + chunks * SLOW_CHUNK * 8_000).unwrap()
}

fn configure(dir: &Path, upstream: &Upstream, budget: &str) {
    let toml = serving(&format!("[budget]\n{budget}\n{}", one_provider(upstream)));
    std::fs::write(dir.join("edge-router.toml"), toml).unwrap();
}

fn ask(number: usize) -> Value {
    json!({"model": "up/solid", "stream": true, "max_tokens": 1_000,
        "messages": [{"role": "user", "content": format!("count to {number}")}]})
}

/// Sends one request and reads its stream to the end, whatever that is. Returns the status.
async fn stream(router: Arc<Process>, number: usize) -> Option<u16> {
    let response = router.chat(&ask(number)).await.ok()?;
    let status = response.status().as_u16();
    let _ = response.bytes().await;
    Some(status)
}

/// Asks for the budget until told to stop; the most that was ever spent and reserved.
async fn highest(router: Arc<Process>, stop: Arc<AtomicBool>) -> (i64, u32) {
    let (mut highest, mut looks) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let Ok(budget) = router.budget().await else { break };
        for window in ["daily", "monthly"] {
            let sum = nanos(&budget[window]["spent_usd"]) + nanos(&budget[window]["reserved_usd"]);
            highest = highest.max(sum);
        }
        looks += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (highest, looks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_streams_at_once_never_pass_a_small_limit() {
    const LIMIT: i64 = 100_000_000;
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Slow { chunks: 10, pause: Duration::from_millis(10) });
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), &upstream, "daily_usd = 0.1\nmonthly_usd = 0.1\nwait_s = 2");
    let router = Arc::new(Process::start(dir.path()).await);
    let stop = Arc::new(AtomicBool::new(false));
    let watcher = tokio::spawn(highest(router.clone(), stop.clone()));
    let streams: Vec<_> = (0..500).map(|n| tokio::spawn(stream(router.clone(), n))).collect();
    let mut statuses = Vec::new();
    for one in streams {
        statuses.push(one.await.unwrap().unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    let (highest, looks) = watcher.await.unwrap();
    assert!(highest <= LIMIT, "{highest} of {LIMIT}");
    // How often it can look while five hundred streams run is the machine's affair.
    assert!(looks > 0);
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!(statuses.iter().all(|status| matches!(status, 200 | 402)), "{statuses:?}");
    // Each costs 4.04 millions: 24 fit, if the waiting ones get what the early ones did not use.
    assert!(served >= 12, "{served}");
    let books = Books::settled(dir.path(), 500).await;
    books.assert_they_agree();
    assert_eq!(books.requests.len(), 500);
    assert_eq!(books.cost(), slow_cost(10) * i64::try_from(served).unwrap());
    assert_eq!(upstream.invoice().finished, served as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_up_at_any_chunk_is_charged_for_what_was_sent_and_ends_the_call() {
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Endless { pause: Duration::from_millis(10) });
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), &upstream, "daily_usd = 1");
    let router = Process::start(dir.path()).await;
    for (done, k) in [1_usize, 3, 10, 30].into_iter().enumerate() {
        let mut stream = router.chat(&ask(k)).await.unwrap().bytes_stream();
        let mut seen = String::new();
        while !seen.contains(&format!("tick {} ", k - 1)) {
            seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
        }
        let left = SystemClock.instant();
        drop(stream);
        eventually(async || upstream.abandoned() == done + 1).await;
        assert!(
            (SystemClock.instant() - left) < Duration::from_secs(1),
            "{:?}",
            (SystemClock.instant() - left)
        );
        let books = Books::settled(dir.path(), done + 1).await;
        books.assert_they_agree();
        let row = books.requests.last().unwrap();
        assert_eq!(row.error.as_deref(), Some("client_gone"));
        // `tick N ` is seven or eight bytes; a few more may have passed before the hang-up was seen.
        let least = i64::try_from(k * 7 / 4).unwrap();
        assert!((least..least + 40).contains(&row.output), "{k} chunks: {row:?}");
        assert_eq!(row.cost, row.input * 2_000 + row.output * 8_000);
    }
    assert_eq!(router.budget().await.unwrap()["daily"]["reserved_usd"], 0);
    router.stop().await;
}

/// How often the router is killed: 3 times, or as `EDGE_ROUTER_TEST_KILLS` says.
fn rounds() -> u32 {
    std::env::var("EDGE_ROUTER_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_has_charged_what_the_provider_served() {
    const LIMIT: i64 = 2_000_000_000;
    let upstream = Upstream::start().await;
    upstream.script("solid", Script::Slow { chunks: 6, pause: Duration::from_millis(8) });
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), &upstream, "daily_usd = 2\nmonthly_usd = 2\nwait_s = 1");
    let mut interrupted = 0;
    for round in 0..rounds() {
        let router = Arc::new(Process::start(dir.path()).await);
        let before = router.budget().await.unwrap();
        assert_eq!(before["daily"]["reserved_usd"], 0, "the start settles what the kill left");
        let stop = Arc::new(AtomicBool::new(false));
        let watcher = tokio::spawn(highest(router.clone(), stop.clone()));
        let streams: Vec<_> = (0..60).map(|n| tokio::spawn(stream(router.clone(), n))).collect();
        let moment = Duration::from_millis(20 + u64::from(rand::random::<u8>()));
        tokio::time::sleep(moment).await;
        router.kill_nine();
        for one in streams {
            let _ = one.await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(watcher.await.unwrap().0 <= LIMIT, "round {round}");
    }
    let router = Process::start(dir.path()).await;
    let budget = router.budget().await.unwrap();
    let books = Books::settled(dir.path(), 1).await;
    books.assert_they_agree();
    assert_eq!(nanos(&budget["daily"]["spent_usd"]), books.cost());
    assert!(books.cost() <= LIMIT);
    let (mut confirmed, mut open) = (0, 0);
    for row in &books.requests {
        match row.error.as_deref() {
            None => {
                assert_eq!(row.cost, slow_cost(6), "{row:?}");
                confirmed += 1;
            }
            Some("interrupted") => {
                assert!(row.cost >= slow_cost(6), "the worst case: {row:?}");
                open += 1;
            }
            Some(_) => assert_eq!(row.cost, 0, "{row:?}"),
        }
        interrupted += usize::from(row.error.as_deref() == Some("interrupted"));
    }
    assert_eq!(books.unconfirmed().len(), interrupted);
    // Over many rounds some streams end before the kill and some do not.
    assert!(rounds() < 10 || (confirmed > 0 && open > 0), "{confirmed} settled, {open} open");
    let invoice = upstream.invoice();
    // Whatever the provider has finished and the router has not settled is among the interrupted.
    assert!(confirmed <= invoice.finished, "{confirmed} settled of {invoice:?}");
    assert!(invoice.finished <= confirmed + open, "{confirmed} and {open} open of {invoice:?}");
    // Nothing that it could bill is missing.
    let billable = invoice.begun * SLOW_PROMPT * 2_000 + invoice.chunks * SLOW_CHUNK * 8_000;
    assert!(
        i64::try_from(billable).unwrap() <= books.cost(),
        "{invoice:?} against {}",
        books.cost()
    );
    router.stop().await;
    assert_shown_by_the_command(dir.path(), &books);
}

/// `edge-router requests` shows every row of the ledger, with the same sum.
fn assert_shown_by_the_command(dir: &Path, books: &Books) {
    let output = Command::new(program())
        .args(["requests", "--since", "1d", "--limit", "100000", "--json"])
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.len(), books.requests.len());
    assert_eq!(rows.iter().map(|row| nanos(&row["cost_usd"])).sum::<i64>(), books.cost());
    let interrupted = |row: &&Value| row["error"] == "interrupted";
    assert_eq!(rows.iter().filter(interrupted).count(), books.unconfirmed().len());
}
