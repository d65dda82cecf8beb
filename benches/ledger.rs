//! The ledger after years of use: what `/v1/budget`, a reservation and a start take with ten million
//! charges and ten million requests in the file, and whether a million requests leave memory flat.
//!
//! `cargo bench --bench ledger`. The file (some 4 GB) is made at the first run, in a few minutes, and
//! kept in the build's `target` folder. `EDGE_ROUTER_BENCH_ROWS=100000` makes a smaller one,
//! `EDGE_ROUTER_BENCH_REQUESTS=10000` runs fewer requests.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a measurement that cannot be made ends"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use edge_router::clock::{Clock, SystemClock};
use edge_router::ids::RequestId;
use edge_router::ledger::{Ask, BudgetSettings, Ledger, RequestRecord, WhenExhausted};
use edge_router::money::NanoUsd;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

/// Rows in one transaction of the filling.
const CHUNK: u64 = 500_000;
/// Requests that run side by side while memory is watched.
const TOGETHER: u64 = 64;
/// Between two rows: ten million of them go back a year.
const STEP_US: i64 = 3_155_760;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn settings() -> BudgetSettings {
    BudgetSettings {
        daily: Some(NanoUsd(1_000_000_000_000)),
        monthly: Some(NanoUsd(30_000_000_000_000)),
        per_request: None,
        default_output_tokens: 8192,
        wait: Duration::ZERO,
        timezone: jiff::tz::TimeZone::UTC,
        warn_at: vec![50, 80, 95],
        when_exhausted: WhenExhausted::Local,
    }
}

async fn open(file: &Path) -> Ledger {
    Ledger::open(file, Arc::new(SystemClock), settings()).await.expect("the ledger opens")
}

/// The place of a ledger with so many charges and as many requests, made if it is not there.
async fn filled(rows: u64) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ledger-{rows}"));
    let (file, done) = (dir.join("ledger.sqlite"), dir.join("filled"));
    if done.exists() {
        return file;
    }
    let _ = std::fs::remove_dir_all(&dir);
    open(&file).await.close().await;
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off);
    let mut to = SqliteConnection::connect_with(&options).await.expect("the file opens");
    let newest = SystemClock.now().as_microsecond();
    let oldest = newest - i64::try_from(rows).expect("a count") * STEP_US;
    let began = SystemClock.instant();
    for first in (0..rows).step_by(usize::try_from(CHUNK).expect("a count")) {
        fill(&mut to, (first, CHUNK.min(rows - first)), oldest).await;
        eprintln!("{} of {rows} rows after {:?}", first + CHUNK, (SystemClock.instant() - began));
    }
    // What the windows of today and this month hold, as the router would have left it.
    sqlx::query("DELETE FROM window_totals").execute(&mut to).await.expect("rows go");
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut to).await.expect("a checkpoint");
    to.close().await.expect("the file closes");
    std::fs::write(done, "").expect("a mark");
    file
}

async fn fill(to: &mut SqliteConnection, (first, count): (u64, u64), oldest: i64) {
    const NUMBERS: &str =
        "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1 + ?2)";
    let charges = format!(
        "{NUMBERS} INSERT INTO charges (reserved_at, instance, seq, request, attempt, key, project, model, ceiling, cost, settled_at, unconfirmed)
         SELECT ?3 + i * {STEP_US}, 1, i, printf('req_%032x', i), 0, 'local', NULL, 'openai/gpt-4.1-mini', 5000000, 12345 + i % 1000, ?3 + i * {STEP_US} + 900000, i % 1000 = 0 FROM n"
    );
    let requests = format!(
        "{NUMBERS} INSERT INTO requests (id, started_at, elapsed_us, first_byte_us, key, project, asked_model, model, tier, tier_source, confidence, reason, stream, status, error, fallback_index, attempts, input, cache_read, cache_write, cache_write_1h, output, reasoning, audio_input, reported_cost, estimated, cost)
         SELECT printf('req_%032x', i), ?3 + i * {STEP_US}, 900000, 300000, 'local', NULL, 'auto', 'openai/gpt-4.1-mini', 'standard', 'classifier', 0.8, 'standard work by the classifier (80 % sure); the cheapest of four', 1, 200, NULL, 0, '[]', 1000, 200, 0, 0, 300, 0, 0, NULL, 0, 12345 + i % 1000 FROM n"
    );
    let mut transaction = to.begin().await.expect("a transaction");
    for sql in [charges, requests] {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(i64::try_from(first).expect("a count"))
            .bind(i64::try_from(count).expect("a count"))
            .bind(oldest)
            .execute(&mut *transaction)
            .await
            .expect("rows are written");
    }
    transaction.commit().await.expect("rows are kept");
}

fn ask() -> Ask {
    Ask {
        request: RequestId::fresh(),
        key: "local".into(),
        project: None,
        model: "openai/gpt-4.1-mini".into(),
        attempt: 0,
        ceiling: NanoUsd(5_000_000),
        budget: None,
    }
}

fn record(id: RequestId) -> RequestRecord {
    RequestRecord {
        id,
        key: "local".into(),
        project: None,
        started_at: SystemClock.now(),
        elapsed: Duration::from_millis(900),
        first_byte: Some(Duration::from_millis(300)),
        asked_model: "auto".into(),
        model: Some("openai/gpt-4.1-mini".into()),
        tier: None,
        tier_source: None,
        confidence: 0.8,
        reason: "standard work by the classifier (80 % sure); the cheapest of four".into(),
        stream: true,
        status: 200,
        error: None,
        fallback_index: 0,
        attempts: "[]".into(),
        usage: edge_router::chat::Usage { input: 1000, output: 300, ..Default::default() },
        estimated: false,
        cost: NanoUsd(12_345),
        receipt: None,
        context_tokens: 0,
    }
}

async fn one_request(ledger: &Ledger) {
    let ask = ask();
    let id = ask.request.clone();
    let mut reservation = ledger.reserve(ask).await.expect("room in the budget");
    reservation.dispatched().await.expect("a mark");
    reservation.settle(record(id)).await.expect("a settlement");
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Runs so many requests in ten parts, and prints the memory after each.
async fn watch_memory(ledger: &Ledger, requests: u64) {
    eprintln!("memory before: {} KiB", resident());
    let began = SystemClock.instant();
    for part in 1..=10 {
        let each = requests / 10 / TOGETHER;
        let tasks = (0..TOGETHER).map(|_| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    one_request(&ledger).await;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("requests run");
        }
        let done = part * each * TOGETHER;
        eprintln!(
            "memory after {done} requests ({:?}): {} KiB",
            (SystemClock.instant() - began),
            resident()
        );
    }
}

fn ledger(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let rows = number("EDGE_ROUTER_BENCH_ROWS", 10_000_000);
    let file = runtime.block_on(filled(rows));
    let began = SystemClock.instant();
    // The first start sums up the windows: the worst case.
    let ledger = runtime.block_on(open(&file));
    eprintln!("first start with {rows} rows: {:?}", (SystemClock.instant() - began));
    let mut group = c.benchmark_group("ledger");
    group.sample_size(50);
    group.bench_function("budget", |bench| {
        bench.iter(|| runtime.block_on(ledger.headroom()).expect("the budget"));
    });
    group.bench_function("reserve", |bench| {
        bench.iter_custom(|count| {
            runtime.block_on(async {
                let mut taken = Duration::ZERO;
                for _ in 0..count {
                    let began = SystemClock.instant();
                    let reservation = ledger.reserve(ask()).await.expect("room in the budget");
                    taken += SystemClock.instant() - began;
                    reservation.release().await;
                }
                taken
            })
        });
    });
    group.bench_function("reserve_and_settle", |bench| {
        bench.iter(|| runtime.block_on(one_request(&ledger)));
    });
    group.bench_function("start", |bench| {
        bench.iter(|| {
            runtime.block_on(async { open(&file).await.close().await });
        });
    });
    group.finish();
    runtime.block_on(async {
        watch_memory(&ledger, number("EDGE_ROUTER_BENCH_REQUESTS", 1_000_000)).await;
        ledger.close().await;
    });
}

criterion_group!(benches, ledger);
criterion_main!(benches);
