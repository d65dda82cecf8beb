//! Steps 8 to 10: reserve, call, relay; then the next candidate, in the end the last resort.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::decide::Decision;
use super::{ChatError, Reply, ReplyContent, ReplyMeta, failure};
use crate::conversation::Turn;
use crate::dispatch::{self, Desk, Dispatched, Halt, OpenCall, Order, Tries};
use crate::ids::ModelId;
use crate::ledger::RequestRecord;
use crate::providers::ReplyBody;
use crate::relay::{self, BYTES_PER_TOKEN, CLIENT_GONE, Closing, KEEPALIVE, StreamJob};
use crate::state::AppState;
use crate::strategy::estimate;
use crate::telemetry;
use crate::wire::{Observed, StreamRelay};

/// Answers through `tell`; a receiver that is gone cancels everything.
pub(super) async fn run(
    app: AppState,
    decision: Decision,
    mut tell: oneshot::Sender<Result<Reply, ChatError>>,
) {
    let mut tries = Tries::default();
    let result = tokio::select! {
        biased;
        result = answer(&app, &decision, &mut tries) => Some(result),
        () = tell.closed() => None,
    };
    match result {
        Some(Ok(reply)) => {
            let _ = tell.send(Ok(reply));
        }
        Some(Err(error)) => {
            let why = (error.code(), error.status(), error.to_string());
            record_unanswered(&app, &decision, &tries, why).await;
            let _ = tell.send(Err(error));
        }
        None => client_gone(&app, &decision, &mut tries).await,
    }
}

/// Closes the account of a request whose client left before an answer began.
async fn client_gone(app: &AppState, decision: &Decision, tries: &mut Tries) {
    let Some(OpenCall { candidate, pass, reservation }) = tries.open.take() else {
        let why = ("client_gone", CLIENT_GONE, String::new());
        return record_unanswered(app, decision, tries, why).await;
    };
    let mut observed = Observed::default();
    if !decision.request.stream {
        // Nobody saw how far a whole answer had come: charged like a usual one.
        let usual = estimate::expected_output(decision.verdict.tier).min(candidate.output_cap);
        observed.output_bytes = u64::from(usual) * BYTES_PER_TOKEN;
    }
    let record = draft(decision, Some(&candidate), tries);
    let closing = Closing::new(
        app.runtime.clone(),
        (candidate, reservation, pass),
        record,
        tries.attempts.clone(),
        (decision.context.received, decision.prompt.likely),
    );
    closing.close(&observed, Some("client_gone")).await;
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
        project: decision.context.project.clone(),
        request: decision.request.clone(),
        forwarded: decision.context.forwarded.clone(),
        prompt_tokens: u64::from(decision.prompt.ceiling),
        deadline: decision.context.deadline,
        max_fallbacks: snapshot.config.routing.max_fallbacks,
    };
    let mut queue = VecDeque::from(decision.plan.candidates.clone());
    let mut last_resort = false;
    loop {
        match dispatch::run(desk, &order, &mut queue, tries).await {
            Ok(done) => {
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
    let record = draft(decision, Some(&candidate), tries);
    let received = decision.context.received;
    let mut meta = ReplyMeta {
        model: candidate.model.id.clone(),
        fallback_index: tries.fallback_index(),
        dropped: reply.dropped,
        ..decision.preview()
    };
    let model = candidate.model.clone();
    let mut closing = Closing::new(
        app.runtime.clone(),
        (candidate, reservation, pass),
        record,
        tries.attempts.clone(),
        (received, decision.prompt.likely),
    );
    let to = request.origin.dialect;
    if matches!(reply.body, ReplyBody::Whole(_)) || !request.stream {
        let deadline = Instant::from_std(decision.context.deadline);
        let answer = match relay::read_whole((reply.dialect, to), reply.body, deadline).await {
            Ok(answer) => answer,
            Err(error) => {
                let now = app.runtime.clock.instant();
                app.runtime.health.report(&model, 0, error.outcome(), now);
                closing.release().await;
                tries.fail(&model, &error);
                return None;
            }
        };
        remember(app, decision, &model.id);
        closing.first_byte();
        let (body, closed) = relay::finish_whole(closing, answer, request).await;
        meta.cost = Some(closed.cost);
        meta.budget_remaining = app.runtime.ledger.recent_headroom().remaining();
        return Some(Reply { meta, body: ReplyContent::Whole(body) });
    }
    remember(app, decision, &model.id);
    let (id, name) = (closing.id().as_str(), model.id.as_str());
    let relay = StreamRelay::new(reply.dialect, request, id, name).created_at(closing.created());
    let (sender, receiver) = relay::channel();
    let deadline = Instant::from_std(decision.context.deadline);
    let job = StreamJob { closing, relay, body: reply.body, deadline };
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
fn draft(
    decision: &Decision,
    candidate: Option<&crate::strategy::Candidate>,
    tries: &Tries,
) -> RequestRecord {
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
    }
}

fn reason(decision: &Decision, candidate: &crate::strategy::Candidate) -> String {
    format!("{}; {}", super::explain::why_tier(&decision.verdict), candidate.reason)
}

/// Records and counts a request without an answer: its error code, status and why.
async fn record_unanswered(
    app: &AppState,
    decision: &Decision,
    tries: &Tries,
    (code, status, why): (&str, u16, String),
) {
    let mut record = draft(decision, None, tries);
    record.elapsed =
        app.runtime.clock.instant().saturating_duration_since(decision.context.received);
    record.error = Some(code.to_owned());
    record.status = status;
    record.reason = why;
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
