//! The account of one answered request: what it used, what that cost, and the `_proxy` object. An
//! account that nobody closes (a task that panics or is aborted) closes itself: charged in full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::catalog::{Charge, Kinds, Model, Receipt};
use crate::chat::{Surcharges, Usage};
use crate::dispatch::{Attempt, BYTES_PER_TOKEN, Expectation, OpenCall, Tries, probable_usage};
use crate::ids::RequestId;
use crate::ledger::{RequestRecord, Reservation};
use crate::limits::Pass;
use crate::money::NanoUsd;
use crate::providers::ProviderError;
use crate::state::Runtime;
use crate::strategy::Candidate;
use crate::telemetry;
use crate::wire::Observed;

/// How an answer ended that did not end well: the error code and the status on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: &'static str,
    pub status: u16,
}

impl Ended {
    /// The client hung up. 499 is what nginx logs for it; no client ever sees it.
    pub const CLIENT_GONE: Self = Self { code: "client_gone", status: 499 };
    /// The upstream broke off, or time was up, after the client had seen a part of the stream.
    pub const BROKEN: Self = Self { code: "stream_broken", status: 200 };
    /// The router stopped while the stream went on.
    pub const CUT: Self = Self { code: "shutdown", status: 200 };
    /// The router stopped before an answer began.
    pub const SHUTDOWN: Self = Self { code: "shutdown", status: 503 };
    /// A part of the router panicked while the stream went on.
    pub const PANIC_IN_STREAM: Self = Self { code: "internal_error", status: 200 };
    /// A part of the router panicked before an answer began.
    pub const PANIC: Self = Self { code: "internal_error", status: 503 };
    /// Nobody closed the account.
    const ABANDONED: Self = Self { code: "interrupted", status: 0 };
}

/// What is needed to settle and record a request once its answer has ended.
pub struct Closing {
    runtime: Arc<Runtime>,
    /// `None` for a model that costs nothing, and once the account is closed.
    reservation: Option<Reservation>,
    pass: Option<Pass>,
    record: RequestRecord,
    candidate: Candidate,
    attempts: Vec<Attempt>,
    /// What the calls before this one have cost.
    spent: NanoUsd,
    /// Charged where the provider reports nothing.
    expected: Expectation,
    surcharges: Surcharges,
    received: Instant,
    first_byte: Option<Instant>,
}

/// A settled request.
#[derive(Debug)]
pub struct Closed {
    pub usage: Usage,
    /// Of all calls of the request.
    pub cost: NanoUsd,
    /// The `_proxy` object.
    pub proxy: Value,
}

impl Closing {
    /// `record` holds everything but the outcome.
    pub fn new(
        runtime: Arc<Runtime>,
        (candidate, reservation, pass): (Candidate, Option<Reservation>, Option<Pass>),
        record: RequestRecord,
        tries: &Tries,
        (received, expected, surcharges): (Instant, Expectation, Surcharges),
    ) -> Self {
        Self {
            runtime,
            reservation,
            pass,
            record,
            candidate,
            attempts: tries.attempts.clone(),
            spent: tries.spent,
            expected,
            surcharges,
            received,
            first_byte: None,
        }
    }

    pub fn id(&self) -> &RequestId {
        &self.record.id
    }

    /// The model name that a whole answer carries: what the client asked for, the chosen id where
    /// it left the choice to the router.
    pub fn shown_model(&self) -> String {
        match self.record.asked_model.as_str() {
            "" | "auto" | "edge-router" => self.model().id.to_string(),
            asked => asked.to_owned(),
        }
    }

    /// Unix seconds for the answer's `created`.
    pub fn created(&self) -> i64 {
        self.record.started_at.as_second()
    }

    pub fn model(&self) -> &Model {
        &self.candidate.model
    }

    /// The first byte of the answer has come.
    pub fn first_byte(&mut self) {
        if self.first_byte.is_none() {
            self.first_byte = Some(self.runtime.clock.instant());
        }
    }

    /// The call has brought no answer that could be used: ends the account for the next candidate to
    /// take over. What it has probably cost, a line of its own, is noted in `tries`.
    pub async fn fail(mut self, error: &ProviderError, tries: &mut Tries) {
        let usage = probable_usage(error.billed, self.expected);
        let call = OpenCall {
            candidate: self.candidate.clone(),
            pass: self.pass.take(),
            reservation: self.reservation.take(),
        };
        let cost = call.cost(usage.as_ref(), self.record.started_at);
        tries.spent += cost;
        tries.fail(&self.candidate.model, error, cost);
        call.close(&self.runtime.buckets, usage.as_ref(), cost).await;
    }

    fn price(&self, usage: &Usage) -> Charge {
        let price = self.candidate.model.price.as_ref();
        price.map(|price| price.charge(self.record.started_at, usage)).unwrap_or_default()
    }

    /// Settles, records and counts. `ended`: the answer did not end well.
    pub async fn close(mut self, observed: &Observed, ended: Option<Ended>) -> Closed {
        let (usage, estimated) = self.usage(observed);
        let reservation = self.reservation.take();
        let charge = self.price(&usage);
        let mut cost = charge.cost;
        if estimated && let Some(reservation) = &reservation {
            // A guess is no reason to pass a limit.
            cost = cost.min(reservation.ceiling());
        }
        self.record.reason.push_str(&assumption(charge.assumed));
        let estimated = estimated || !charge.assumed.is_empty();
        let record = self.finished((usage, estimated), cost, ended);
        if let Some(pass) = self.pass.take() {
            let tokens = usage.prompt_tokens() + usage.output;
            self.runtime.buckets.correct(pass, tokens);
        }
        let proxy = proxy(&record, &self.candidate, &self.attempts);
        let total = record.cost;
        telemetry::request_finished(&record);
        match reservation {
            Some(reservation) => {
                if let Err(error) = reservation.settle_part(cost, record).await {
                    tracing::error!(%error, "the ledger took the settlement late or not at all");
                }
            }
            None => self.runtime.ledger.record(record).await,
        }
        Closed { usage, cost: total, proxy }
    }

    /// The record with its outcome; `cost` is that of the last call.
    fn finished(
        &self,
        (usage, estimated): (Usage, bool),
        cost: NanoUsd,
        ended: Option<Ended>,
    ) -> RequestRecord {
        let mut record = self.record.clone();
        let now = self.runtime.clock.instant();
        record.elapsed = now.saturating_duration_since(self.received);
        record.first_byte = self.first_byte.map(|at| at.saturating_duration_since(self.received));
        let price = self.candidate.model.price.as_ref();
        record.receipt = price.and_then(|price| Receipt::of(price, record.started_at, &usage));
        record.usage = usage;
        record.estimated = estimated || !self.spent.is_zero();
        record.cost = cost + self.spent;
        record.error = ended.map(|ended| ended.code.to_owned());
        record.status = ended.map_or(200, |ended| ended.status);
        record
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let Some(reservation) = self.reservation.take() else { return };
        let (usage, _) = self.usage(&Observed::default());
        let ceiling = reservation.ceiling();
        let record = self.finished((usage, true), ceiling, Some(Ended::ABANDONED));
        telemetry::request_finished(&record);
        reservation.abandon(record);
    }
}

/// That the cost rests on prices which nobody states, for the reason that is recorded.
fn assumption(assumed: Kinds) -> String {
    if assumed.is_empty() {
        return String::new();
    }
    format!("; no price is known for {assumed}, so the dearest that is likely was charged")
}

fn proxy(record: &RequestRecord, candidate: &Candidate, attempts: &[Attempt]) -> Value {
    json!({
        "model_id": candidate.model.id.as_str(),
        "tier": record.tier,
        "confidence": round(f64::from(record.confidence)),
        "cost_usd": record.cost.to_usd_f64(),
        "estimated_cost_usd": candidate.estimated.to_usd_f64(),
        "routing_reason": record.reason,
        "elapsed_ms": millis(record.elapsed),
        "fallback_index": record.fallback_index,
        "attempts": attempts,
        "context_tokens": record.context_tokens,
        "cache": "off",
    })
}

fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn millis(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1e5).round() / 100.0
}

impl Closing {
    /// What to charge, and whether it had to be counted: a provider that reports nothing, or a
    /// stream that broke before its last report.
    fn usage(&self, observed: &Observed) -> (Usage, bool) {
        let output = observed.output_bytes.div_ceil(BYTES_PER_TOKEN);
        let (usage, estimated) = match observed.usage {
            Some(usage) if observed.usage_complete => (usage, false),
            Some(usage) => (Usage { output: usage.output.max(output), ..usage }, true),
            None => {
                let input = u64::from(self.expected.prompt);
                (Usage { input, output, ..Usage::default() }, true)
            }
        };
        (self.surcharges.complete(usage), estimated)
    }
}
