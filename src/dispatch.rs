//! Tries the plan: reserve, pick a key, call, and on failure follow the provider's advice to the
//! next key or candidate. Ends when a first byte has arrived. It decides nothing about models,
//! prices or status codes; what it learns goes into [`Tries`]. A call that failed and may have been
//! billed all the same ([`billing`]) is charged as a line of its own.

mod billing;

pub use billing::{BYTES_PER_TOKEN, Expectation, probable_usage};

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::catalog::Model;
use crate::chat::{ChatRequest, Usage};
use crate::clock::Clock;
use crate::ids::{KeyId, ProviderId, RequestId};
use crate::ledger::{Ask, BudgetError, KeyBudget, Ledger, Reservation};
use crate::limits::{Buckets, Health, Outcome, Pass};
use crate::money::NanoUsd;
use crate::providers::{
    Advice, Billed, ProviderCall, ProviderError, ProviderErrorKind, ProviderReply,
};
use crate::state::ProviderEntry;
use crate::strategy::{Candidate, GaveOut};
use crate::telemetry;

/// What every call of one request shares.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    pub ledger: &'a Ledger,
    pub health: &'a Health,
    pub buckets: &'a Buckets,
    pub clock: &'a dyn Clock,
    pub providers: &'a HashMap<ProviderId, ProviderEntry>,
}

/// One request as dispatch sees it.
#[derive(Clone, Debug)]
pub struct Order {
    pub id: RequestId,
    pub key: KeyId,
    /// The limits of a client key.
    pub budget: Option<Arc<KeyBudget>>,
    pub project: Option<String>,
    pub request: Arc<ChatRequest>,
    /// Client headers that belong to the provider's protocol.
    pub forwarded: Vec<(String, String)>,
    /// When it came: the moment of the prices.
    pub received_at: Timestamp,
    /// Counted high.
    pub prompt_tokens: u64,
    /// The best guess of the prompt, in tokens.
    pub likely_prompt: u32,
    /// The usual length of an answer to such work, in tokens.
    pub usual_answer: u32,
    /// The whole request ends here.
    pub deadline: Instant,
    /// Most targets that are called after the first.
    pub max_fallbacks: u32,
}

/// A call that has begun to answer.
pub struct Dispatched {
    pub candidate: Candidate,
    pub reply: ProviderReply,
    /// `None` for a model that costs nothing.
    pub reservation: Option<Reservation>,
    /// What was taken from the rate-limit buckets, to be corrected by what was used.
    pub pass: Option<Pass>,
}

/// One target that failed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Attempt {
    pub model_id: String,
    /// The upstream's status; `null` if it gave none.
    pub status: Option<u16>,
    pub reason: String,
    /// What the call has probably cost though it failed: a line of the same request, part of its
    /// cost. In USD; absent if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// What has been tried so far for the request.
#[derive(Debug, Default)]
pub struct Tries {
    pub attempts: Vec<Attempt>,
    /// The kind of each failure, in the order of `attempts`.
    pub kinds: Vec<ProviderErrorKind>,
    /// Set when a reservation was refused: what costs money is out of reach.
    pub budget: Option<BudgetError>,
    /// The smallest wait that some limited target named.
    pub retry_after: Option<Duration>,
    /// A prompt that was too long for a window of this size, and the error that said so.
    pub overflow: Option<(u32, ProviderError)>,
    /// Targets that a full bucket kept from being called, and why.
    pub limited: Vec<String>,
    /// The call that runs now: kept here so that its account can be closed when the caller leaves.
    pub open: Option<OpenCall>,
    /// What the calls that failed have probably cost together.
    pub spent: NanoUsd,
    /// The answer is there and being settled: from here on the account closes itself.
    pub settling: bool,
}

/// A call without an answer yet, and what it holds from buckets and ledger.
#[derive(Debug)]
pub struct OpenCall {
    pub candidate: Candidate,
    pub pass: Option<Pass>,
    pub reservation: Option<Reservation>,
}

impl OpenCall {
    /// What the call cost if it was billed for `usage`: never more than was reserved.
    pub fn cost(&self, usage: Option<&Usage>, at: Timestamp) -> NanoUsd {
        match (usage, &self.candidate.model.price, &self.reservation) {
            (Some(usage), Some(price), Some(reservation)) => {
                price.cost(at, usage).min(reservation.ceiling())
            }
            _ => NanoUsd::ZERO,
        }
    }

    /// Gives back what the call did not use; without `usage`, all of it.
    pub async fn close(self, buckets: &Buckets, usage: Option<&Usage>, cost: NanoUsd) {
        match (self.pass, usage) {
            (Some(pass), None) => buckets.refund(pass),
            (Some(pass), Some(usage)) => {
                buckets.correct(pass, usage.prompt_tokens() + usage.output);
            }
            (None, _) => {}
        }
        match (self.reservation, usage) {
            (Some(reservation), None) => reservation.release().await,
            (Some(reservation), Some(_)) => {
                if let Err(error) = reservation.charge_unconfirmed(cost).await {
                    tracing::error!(%error, "the ledger took a failed call's charge late or not at all");
                }
            }
            (None, _) => {}
        }
    }
}

impl Order {
    /// What is known of a call to `candidate` before it is made.
    pub fn expectation(&self, candidate: &Candidate) -> Expectation {
        Expectation {
            prompt: self.likely_prompt,
            answer: self.usual_answer,
            cap: candidate.output_cap,
            stream: self.request.stream,
        }
    }
}

impl Tries {
    /// How many targets were tried and failed: the contract's `fallback_index`.
    pub fn fallback_index(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX)
    }

    /// Why the candidates came to nothing.
    pub fn gave_out(&self) -> GaveOut {
        let only_money = self.attempts.is_empty() && self.budget.is_some();
        if only_money { GaveOut::Money } else { GaveOut::Calls }
    }

    /// Notes that a full bucket stood in the way; the target was not called.
    fn skip_limited(&mut self, model: &Model, why: &str, retry_after: Option<Duration>) {
        self.limited.push(format!("{}: {why}", model.id));
        if let Some(wait) = retry_after {
            self.retry_after = Some(self.retry_after.map_or(wait, |known| known.min(wait)));
        }
    }

    /// Ends the open call, which has failed. Returns what it has probably cost.
    async fn close(&mut self, desk: Desk<'_>, order: &Order, billed: Billed) -> NanoUsd {
        let Some(call) = self.open.take() else { return NanoUsd::ZERO };
        let usage = probable_usage(billed, order.expectation(&call.candidate));
        let cost = call.cost(usage.as_ref(), order.received_at);
        // Before anybody can leave: the charge is on its way with the first step of what follows.
        self.spent += cost;
        call.close(desk.buckets, usage.as_ref(), cost).await;
        cost
    }

    /// Notes that a target failed, and what that has probably cost.
    pub fn fail(&mut self, model: &Model, error: &ProviderError, cost: NanoUsd) {
        self.attempts.push(Attempt {
            model_id: model.id.to_string(),
            status: error.status,
            reason: error.message.clone(),
            cost_usd: (!cost.is_zero()).then(|| cost.to_usd_f64()),
        });
        self.kinds.push(error.kind);
        if let Some(wait) = error.retry_after {
            self.retry_after = Some(self.retry_after.map_or(wait, |known| known.min(wait)));
        }
    }
}

/// Why no candidate answered.
#[derive(Debug)]
pub enum Halt {
    /// All candidates of this plan were tried or skipped.
    Exhausted,
    /// The provider says that the request itself is wrong.
    Refused(ProviderError),
    /// No time is left.
    Deadline,
}

/// Calls the candidates one after the other until one begins to answer; those not reached stay in
/// `queue`.
pub async fn run(
    desk: Desk<'_>,
    order: &Order,
    queue: &mut VecDeque<Candidate>,
    tries: &mut Tries,
) -> Result<Dispatched, Halt> {
    while let Some(candidate) = queue.pop_front() {
        let model = &candidate.model;
        let too_small = tries.overflow.as_ref().is_some_and(|(w, _)| model.context_window <= *w);
        let too_dear = tries.budget.is_some() && !candidate.ceiling.is_zero();
        // The machine's own models stay reachable past the limit: they are the last line.
        let too_many = tries.fallback_index() > order.max_fallbacks && !model.local;
        if too_small || too_dear || too_many {
            continue;
        }
        if desk.clock.instant() >= order.deadline {
            return Err(Halt::Deadline);
        }
        tries.open = hold(desk, order, &candidate, tries).await;
        if tries.open.is_none() {
            continue;
        }
        if let Some(done) = call_with_keys(desk, order, &candidate, tries).await? {
            return Ok(done);
        }
    }
    Err(Halt::Exhausted)
}

/// `None`: a bucket or the budget refused.
async fn hold(
    desk: Desk<'_>,
    order: &Order,
    candidate: &Candidate,
    tries: &mut Tries,
) -> Option<OpenCall> {
    let tokens = order.prompt_tokens + u64::from(candidate.output_cap);
    let pass = match desk.buckets.take(&candidate.model, tokens, desk.clock.now()) {
        Ok(pass) => pass,
        Err(limited) => {
            tries.skip_limited(&candidate.model, &limited.to_string(), limited.retry_after);
            return None;
        }
    };
    if candidate.ceiling.is_zero() {
        let candidate = candidate.clone();
        return Some(OpenCall { candidate, pass: Some(pass), reservation: None });
    }
    let ask = Ask {
        request: order.id.clone(),
        key: order.key.clone(),
        budget: order.budget.clone(),
        project: order.project.clone(),
        model: candidate.model.id.clone(),
        attempt: tries.fallback_index(),
        ceiling: candidate.ceiling,
    };
    match reserve(desk.ledger, ask).await {
        Ok(reservation) => {
            let candidate = candidate.clone();
            Some(OpenCall { candidate, pass: Some(pass), reservation: Some(reservation) })
        }
        Err(refused) => {
            desk.buckets.refund(pass);
            tries.budget = Some(refused);
            None
        }
    }
}

/// The call follows at once, so the reservation is marked as dispatched. A ledger that cannot be
/// written refuses like an exhausted budget: what is free goes on.
async fn reserve(ledger: &Ledger, ask: Ask) -> Result<Reservation, BudgetError> {
    let mut reservation = ledger.reserve(ask).await?;
    reservation.dispatched().await.map_err(BudgetError::Store)?;
    Ok(reservation)
}

/// Calls one target with each of its usable keys. `None`: it failed, go on.
async fn call_with_keys(
    desk: Desk<'_>,
    order: &Order,
    candidate: &Candidate,
    tries: &mut Tries,
) -> Result<Option<Dispatched>, Halt> {
    let model = &candidate.model;
    let Some(entry) = desk.providers.get(&model.provider) else {
        tries.close(desk, order, Billed::Nothing).await;
        return Ok(None);
    };
    let keys = &entry.settings.api_keys;
    let mut last = None;
    // One call for each key; a provider without keys is called once.
    for _ in 0..keys.len().max(1) {
        let now = desk.clock.instant();
        let Some(slot) = desk.health.pick_key(model, keys.len(), now) else { break };
        let call = ProviderCall {
            request: Arc::clone(&order.request),
            model: Arc::clone(model),
            output_cap: Some(candidate.output_cap),
            key: keys.get(slot).cloned(),
            headers: order.forwarded.clone(),
        };
        let left = order.deadline.saturating_duration_since(now);
        let Ok(result) = tokio::time::timeout(left, entry.transport.call(call)).await else {
            desk.health.report(model, slot, Outcome::Abandoned, desk.clock.instant());
            let cost = tries.close(desk, order, Billed::AtWork).await;
            tries.fail(model, &out_of_time(), cost);
            return Err(Halt::Deadline);
        };
        let now = desk.clock.instant();
        let error = match result {
            Ok(reply) => {
                desk.health.report(model, slot, Outcome::Success, now);
                let open = tries.open.take();
                let (pass, reservation) = open.map_or((None, None), |o| (o.pass, o.reservation));
                let candidate = candidate.clone();
                return Ok(Some(Dispatched { candidate, reply, reservation, pass }));
            }
            Err(error) => error.without_echo_of(&order.request),
        };
        desk.health.report(model, slot, error.outcome(), now);
        telemetry::attempt_failed(&model.id, error.kind);
        tracing::debug!(model = %model.id, status = error.status, kind = %error.kind, "call failed");
        let advice = error.kind.advice();
        if advice == Advice::Stop {
            tries.close(desk, order, error.billed).await;
            return Err(Halt::Refused(error));
        }
        if advice == Advice::LargerWindow {
            tries.overflow = Some((model.context_window, error.clone()));
        }
        last = Some(error);
        if advice != Advice::NextKey {
            break;
        }
    }
    let billed = last.as_ref().map_or(Billed::Nothing, |error| error.billed);
    let cost = tries.close(desk, order, billed).await;
    if let Some(error) = last {
        tries.fail(model, &error, cost);
    }
    Ok(None)
}

fn out_of_time() -> ProviderError {
    ProviderError {
        kind: ProviderErrorKind::Timeout,
        status: None,
        message: "no answer within server.request_timeout_s".to_owned(),
        body: None,
        retry_after: None,
        billed: Billed::AtWork,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refused_reservation_means_that_the_money_is_gone() {
        let mut tries = Tries::default();
        tries.limited.push("a/m: our own rate limit `minute cap` is used up".to_owned());
        assert_eq!(tries.gave_out(), GaveOut::Calls);
        let limit = NanoUsd(1);
        tries.budget = Some(BudgetError::PerRequest { limit, asked: limit });
        assert_eq!(tries.gave_out(), GaveOut::Money);
    }
}
