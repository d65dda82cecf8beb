//! The ledger on real SQLite files.

mod crash;
mod faults;
mod interleavings;
mod limits;
mod records;
mod scopes;
mod speed;
mod usage;
mod waiting;
mod warnings;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::*;
use crate::clock::{Clock, ManualClock};

/// One ledger file and the clock that its users share.
struct Place {
    dir: TempDir,
    clock: Arc<ManualClock>,
}

impl Place {
    fn new() -> Self {
        Self::at("2026-11-21T12:00:00Z")
    }

    fn at(now: &str) -> Self {
        let clock = Arc::new(ManualClock::at(now.parse().unwrap()));
        Self { dir: tempfile::tempdir().unwrap(), clock }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("data/ledger.sqlite")
    }

    async fn open(&self, settings: BudgetSettings) -> Ledger {
        Ledger::open(&self.path(), self.clock.clone(), settings).await.unwrap()
    }
}

fn no_limits() -> BudgetSettings {
    BudgetSettings {
        daily: None,
        monthly: None,
        per_request: None,
        default_output_tokens: 8192,
        wait: Duration::ZERO,
        timezone: TimeZone::UTC,
        when_exhausted: WhenExhausted::Local,
        warn_at: vec![50, 80, 95],
    }
}

fn daily(limit: i64) -> BudgetSettings {
    BudgetSettings { daily: Some(NanoUsd(limit)), ..no_limits() }
}

fn ask(ceiling: i64) -> Ask {
    Ask {
        request: RequestId::fresh(),
        key: "local".into(),
        budget: None,
        project: None,
        model: "openai/gpt-test".into(),
        attempt: 0,
        ceiling: NanoUsd(ceiling),
    }
}

/// A client key with these limits.
fn key(name: &str, daily: Option<i64>, monthly: Option<i64>) -> Arc<KeyBudget> {
    Arc::new(KeyBudget {
        id: format!("key_{name}").into(),
        name: name.into(),
        daily: daily.map(NanoUsd),
        monthly: monthly.map(NanoUsd),
    })
}

fn ask_as(own: &Arc<KeyBudget>, ceiling: i64) -> Ask {
    Ask { key: own.id.clone(), budget: Some(own.clone()), ..ask(ceiling) }
}

async fn figures_of(ledger: &Ledger, own: &KeyBudget) -> (i64, i64) {
    let daily = ledger.key_headroom(own).await.unwrap().daily;
    (daily.spent.0, daily.reserved.0)
}

fn record(cost: i64) -> RequestRecord {
    RequestRecord {
        id: RequestId::fresh(),
        key: "local".into(),
        project: Some("shop".into()),
        started_at: "2026-11-21T12:00:00Z".parse().unwrap(),
        elapsed: Duration::from_micros(1_234_567),
        first_byte: Some(Duration::from_millis(300)),
        asked_model: "auto".into(),
        model: Some("openai/gpt-test".into()),
        tier: Some(crate::catalog::Tier::Standard),
        tier_source: Some(crate::analyze::Source::SideRequest),
        confidence: 0.75,
        reason: "cheapest of three that can \"do\" it — naïve\n".into(),
        stream: true,
        status: 200,
        error: None,
        fallback_index: 1,
        attempts: r#"[{"model_id":"a/b","status":429,"reason":"limited"}]"#.into(),
        usage: Usage { input: 10, cache_read: 20, output: 30, reasoning: 5, ..Usage::default() },
        estimated: true,
        cost: NanoUsd(cost),
        receipt: Some(crate::catalog::Receipt {
            lines: vec![("input".to_owned(), 10, 25_000_000).into()],
            reported: None,
        }),
        context_tokens: 812,
    }
}

async fn figures(ledger: &Ledger) -> (i64, i64) {
    let daily = ledger.headroom().await.unwrap().daily;
    (daily.spent.0, daily.reserved.0)
}

async fn assert_totals_are_sums(ledger: &Ledger) {
    assert_eq!(ledger.view().reader.wrong_totals().await.unwrap(), vec![]);
}

/// Waits until what was sent to the writer without waiting has been written.
async fn flush(ledger: &Ledger) {
    ledger.requests(Timestamp::MAX, 1).await.unwrap();
}
