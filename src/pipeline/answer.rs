//! Steps 8 to 10: reserve, call, relay; then the next candidate, in the end the last resort.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::decide::{self, Decision};
use super::{ChatError, Reply, ReplyContent, ReplyMeta, failure, give};
use crate::chat::Surcharges;
use crate::conversation::Turn;
use crate::dispatch::{
    self, BYTES_PER_TOKEN, Desk, Dispatched, Expectation, Halt, OpenCall, Order, Tries,
};
use crate::ids::ModelId;
use crate::ledger::{RequestRecord, Reservation};
use crate::limits::Pass;
use crate::providers::ReplyBody;
use crate::relay::{self, Closing, Ended, KEEPALIVE, StreamJob};
use crate::state::AppState;
use crate::strategy::{Candidate, estimate};
use crate::telemetry;
use crate::wire::{Observed, StreamRelay};

/// Answers through `tell`; a receiver that is gone cancels everything. By whatever exit it ends, the
/// account of the request is closed once and the request is on record.
pub(super) async fn run(
    app: AppState,
    decision: Decision,
    mut tell: oneshot::Sender<Result<Reply, ChatError>>,
) {
    let mut tries = Tries::default();
    let result = tokio::select! {
        biased;
        result = AssertUnwindSafe(answer(&app, &decision, &mut tries)).catch_unwind() => {
            result.map_err(|_| Ended::PANIC)
        }
        () = tell.closed() => Err(Ended::CLIENT_GONE),
        () = app.runtime.cut.cancelled() => Err(Ended::SHUTDOWN),
    };
    match result {
        Ok(Ok(reply)) => {
            let _ = tell.send(Ok(reply));
        }
        Ok(Err(error)) => {
            record_unanswered(&app, &decision, &tries, &error).await;
            let _ = tell.send(Err(error));
        }
        Err(ended) => stopped(&app, &decision, &mut tries, ended).await,
    }
}

/// Closes the account of a request that was stopped before an answer began.
async fn stopped(app: &AppState, decision: &Decision, tries: &mut Tries, ended: Ended) {
    if tries.settling {
        return;
    }
    let Some(OpenCall { candidate, pass, reservation }) = tries.open.take() else {
        return record_end(app, decision, tries, (ended, String::new())).await;
    };
    give::freeze(app, decision);
    let mut observed = Observed::default();
    if !decision.request.stream {
        // Nobody saw how far a whole answer had come: charged like a usual one.
        let usual = estimate::expected_output(decision.verdict.tier).min(candidate.output_cap);
        observed.output_bytes = u64::from(usual) * BYTES_PER_TOKEN;
    }
    let asked = decision.request.surcharges;
    account(app, decision, tries, (candidate, reservation, pass), asked)
        .close(&observed, Some(ended))
        .await;
}

/// The account of a call that answers.
fn account(
    app: &AppState,
    decision: &Decision,
    tries: &Tries,
    (candidate, reservation, pass): (Candidate, Option<Reservation>, Option<Pass>),
    surcharges: Surcharges,
) -> Closing {
    let record = draft(decision, Some(&candidate), tries);
    let expected = Expectation {
        prompt: decision.prompt.likely,
        answer: estimate::expected_output(decision.verdict.tier),
        cap: candidate.output_cap,
        stream: decision.request.stream,
    };
    let call = (candidate, reservation, pass);
    let charged = (decision.context.received, expected, surcharges);
    Closing::new(app.runtime.clone(), call, record, tries, charged)
}

async fn answer(
    app: &AppState,
    decision: &Decision,
    tries: &mut Tries,
) -> Result<Reply, ChatError> {
    let runtime = &app.runtime;
    let snapshot = &decision.context.snapshot;
    let desk = Desk {
        ledger: &runtime.ledger,
        health: &runtime.health,
        buckets: &runtime.buckets,
        clock: runtime.clock.as_ref(),
        providers: &snapshot.providers,
    };
    let order = Order {
        id: decision.context.id.clone(),
        key: decision.context.caller.key.clone(),
        budget: decision.context.caller.budget().cloned(),
        project: decision.context.project.clone(),
        request: decision.request.clone(),
        forwarded: decision.context.forwarded.clone(),
        received_at: decision.context.received_at,
        prompt_tokens: u64::from(decision.prompt.ceiling),
        likely_prompt: decision.prompt.likely,
        usual_answer: estimate::expected_output(decision.verdict.tier),
        deadline: decision.context.deadline,
        max_fallbacks: snapshot.config.routing.max_fallbacks,
    };
    let mut queue = VecDeque::from(decision.plan.candidates.clone());
    let mut last_resort = false;
    loop {
        match dispatch::run(desk, &order, &mut queue, tries).await {
            Ok(done) => {
                give::freeze(app, decision);
                if let Some(reply) = relay(app, decision, tries, done).await {
                    return Ok(reply);
                }
            }
            Err(Halt::Exhausted) if last_resort => break,
            Err(Halt::Exhausted) => {
                last_resort = true;
                queue.extend(decision.plan.last_resort(tries.gave_out()).iter().cloned());
            }
            Err(halt) => return Err(failure::halted(halt, tries)),
        }
    }
    Err(failure::nothing_left(decision, tries))
}

/// Hands the answer on. `None`: it could not be read, and nothing has reached the client.
async fn relay(
    app: &AppState,
    decision: &Decision,
    tries: &mut Tries,
    done: Dispatched,
) -> Option<Reply> {
    let request = &decision.request;
    let Dispatched { candidate, reply, reservation, pass } = done;
    let mut meta = ReplyMeta {
        model: candidate.model.id.clone(),
        fallback_index: tries.fallback_index(),
        dropped: reply.dropped,
        ..decision.preview()
    };
    let to = request.origin.dialect;
    let asked = request.surcharges;
    let surcharges = if reply.dialect == to { asked } else { asked.converted() };
    let model = candidate.model.clone();
    let mut closing = account(app, decision, tries, (candidate, reservation, pass), surcharges);
    if matches!(reply.body, ReplyBody::Whole(_)) || !request.stream {
        let deadline = Instant::from_std(decision.context.deadline);
        let answer = match relay::read_whole((reply.dialect, to), reply.body, deadline).await {
            Ok(answer) => answer,
            Err(error) => {
                let now = app.runtime.clock.instant();
                app.runtime.health.report(&model, 0, error.outcome(), now);
                closing.fail(&error, tries).await;
                return None;
            }
        };
        remember(app, decision, &model.id);
        closing.first_byte();
        tries.settling = true;
        let (body, closed) = relay::finish_whole(closing, answer, request).await;
        meta.cost = Some(closed.cost);
        meta.budget_remaining = decide::headroom(&app.runtime, &decision.context).await.remaining();
        return Some(Reply { meta, body: ReplyContent::Whole(body) });
    }
    remember(app, decision, &model.id);
    let (id, name) = (closing.id().as_str(), model.id.as_str());
    let relay = StreamRelay::new(reply.dialect, request, id, name).created_at(closing.created());
    let (sender, receiver) = relay::channel();
    let deadline = Instant::from_std(decision.context.deadline);
    let cut = app.runtime.cut.clone();
    let job = StreamJob { closing, relay, body: reply.body, deadline, cut };
    app.runtime.tasks.spawn(relay::run(job, sender));
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver).boxed();
    Some(Reply { meta, body: ReplyContent::Stream(stream) })
}

/// What the client sends on its own (titles, summaries) leaves the task's memory as it is.
fn remember(app: &AppState, decision: &Decision, model: &ModelId) {
    if decision.instruction.side.is_some() {
        return;
    }
    let turn = Turn {
        instruction: decision.task,
        tier: decision.verdict.tier,
        height: decision.height,
        model: model.clone(),
        turn: decision.instruction.turn,
        prompt_tokens: decision.prompt.likely,
    };
    let now = app.runtime.clock.instant();
    app.runtime.conversations.remember(decision.conversation, turn, now);
}

/// The record of a request, without its outcome.
fn draft(decision: &Decision, candidate: Option<&Candidate>, tries: &Tries) -> RequestRecord {
    let context = &decision.context;
    RequestRecord {
        id: context.id.clone(),
        key: context.caller.key.clone(),
        project: context.project.clone(),
        started_at: context.received_at,
        elapsed: Duration::ZERO,
        first_byte: None,
        asked_model: decision.request.model.chars().take(200).collect(),
        model: candidate.map(|candidate| candidate.model.id.clone()),
        tier: Some(decision.verdict.tier),
        tier_source: Some(decision.verdict.source),
        confidence: decision.verdict.confidence,
        reason: candidate.map(|candidate| reason(decision, candidate)).unwrap_or_default(),
        stream: decision.request.stream,
        status: 0,
        error: None,
        fallback_index: tries.fallback_index(),
        attempts: serde_json::to_string(&tries.attempts).unwrap_or_default(),
        usage: crate::chat::Usage::default(),
        estimated: false,
        cost: crate::money::NanoUsd::ZERO,
        receipt: None,
        context_tokens: decision.given.as_ref().map_or(0, |given| given.tokens),
    }
}

fn reason(decision: &Decision, candidate: &Candidate) -> String {
    format!("{}; {}", super::explain::why_tier(&decision.verdict), candidate.reason)
}

/// Records and counts a request that ends with an error.
pub(super) async fn record_unanswered(
    app: &AppState,
    decision: &Decision,
    tries: &Tries,
    error: &ChatError,
) {
    let ended = Ended { code: error.code(), status: error.status() };
    record_end(app, decision, tries, (ended, error.to_string())).await;
}

/// Records and counts a request without an answer, how it ended and why. What its failed calls have
/// cost is in the ledger already, and its cost.
async fn record_end(
    app: &AppState,
    decision: &Decision,
    tries: &Tries,
    (ended, why): (Ended, String),
) {
    let mut record = draft(decision, None, tries);
    record.elapsed =
        app.runtime.clock.instant().saturating_duration_since(decision.context.received);
    record.error = Some(ended.code.to_owned());
    record.status = ended.status;
    record.reason = why;
    record.cost = tries.spent;
    record.estimated = !tries.spent.is_zero();
    telemetry::request_finished(&record);
    app.runtime.ledger.record(record).await;
}

/// A stream that keeps the client waiting until the answer has begun, and then goes on as it. It
/// begins with a keepalive: the client has waited for [`KEEPALIVE`] already.
pub(super) fn late_stream(
    told: oneshot::Receiver<Result<Reply, ChatError>>,
    relay: StreamRelay,
) -> BoxStream<'static, Bytes> {
    enum Wait {
        Silent(oneshot::Receiver<Result<Reply, ChatError>>),
        Streaming(BoxStream<'static, Bytes>),
        Over,
    }
    let mut first = Vec::new();
    relay.keepalive(&mut first);
    let first = futures_util::stream::once(std::future::ready(Bytes::from(first)));
    let state = (Wait::Silent(told), relay);
    let rest = futures_util::stream::unfold(state, |(wait, mut relay)| async move {
        let mut out = Vec::new();
        let next = match wait {
            Wait::Silent(mut told) => match tokio::time::timeout(KEEPALIVE, &mut told).await {
                Err(_) => {
                    relay.keepalive(&mut out);
                    Wait::Silent(told)
                }
                Ok(Ok(Ok(Reply { body: ReplyContent::Stream(mut stream), .. }))) => {
                    let first = stream.next().await?;
                    return Some((first, (Wait::Streaming(stream), relay)));
                }
                Ok(told) => {
                    let error = told.ok().and_then(Result::err).unwrap_or_else(failure::internal);
                    relay.fail(&error.event(), &mut out);
                    Wait::Over
                }
            },
            Wait::Streaming(mut stream) => {
                let bytes = stream.next().await?;
                return Some((bytes, (Wait::Streaming(stream), relay)));
            }
            Wait::Over => return None,
        };
        Some((Bytes::from(out), (next, relay)))
    });
    first.chain(rest).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Dialect;
    use crate::wire;

    #[tokio::test]
    async fn a_client_that_waits_gets_a_data_event_with_the_head_of_the_answer() {
        let body =
            Bytes::from_static(br#"{"stream":true,"messages":[{"role":"user","content":"hi"}]}"#);
        let request = wire::decode_request(Dialect::OpenAi, body).unwrap();
        let relay = StreamRelay::new(Dialect::OpenAi, &request, "req_1", "a/b");
        let (_tell, told) = oneshot::channel();
        let mut stream = late_stream(told, relay);
        // Nothing else is ready for another 15 s.
        let first = stream.next().await.unwrap();
        assert!(first.starts_with(b"data: {"), "{first:?}");
    }
}
