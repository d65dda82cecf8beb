//! Brings the provider's answer to the client and closes the account, once, by whatever exit: the
//! normal end, a client that hangs up, an upstream that breaks, the deadline, a router that stops, a
//! panic. It decides nothing about models and writes no protocol of its own (`wire` does).

mod closing;

pub use closing::{Closed, Closing, Ended};

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::chat::{ChatEvent, ChatRequest, Dialect};
use crate::providers::{Billed, ProviderError, ProviderErrorKind, ReplyBody};
use crate::wire::{Answer, AnswerShell, StreamFault, StreamRelay};

/// Silence after which the client is told that the answer is still coming (CONTRACT section 3).
pub const KEEPALIVE: Duration = Duration::from_secs(15);

/// An upstream that has said its last word is given so long to close; a connection that is read to
/// its end can be used again.
const LINGER: Duration = Duration::from_millis(50);

/// Chunks that wait for a slow client before the upstream is no longer read.
const BACKLOG: usize = 64;

/// Reads a whole answer. An answer that cannot be read is the provider's failure: nothing has
/// reached the client yet, so another candidate may still serve.
///
/// # Errors
/// What the provider did wrong; a timeout where it has not ended by `deadline`.
pub async fn read_whole(
    (from, to): (Dialect, Dialect),
    body: ReplyBody,
    deadline: Instant,
) -> Result<Answer, ProviderError> {
    match body {
        ReplyBody::Whole(bytes) => {
            let length = bytes.len() as u64;
            Answer::read(from, to, bytes)
                .map_err(|error| protocol_error(&error.to_string(), length))
        }
        ReplyBody::Events(mut events) => {
            let mut all: Vec<ChatEvent> = Vec::new();
            while let Some(event) =
                tokio::time::timeout_at(deadline, events.next()).await.map_err(|_| out_of_time())?
            {
                all.push(event?);
            }
            Ok(Answer::from_events(all))
        }
        ReplyBody::Bytes(_) => {
            Err(protocol_error("a stream where a whole answer was asked for", 0))
        }
    }
}

/// Settles a whole answer and writes it in the client's form.
pub async fn finish_whole(
    closing: Closing,
    mut answer: Answer,
    request: &ChatRequest,
) -> (Bytes, Closed) {
    let shell = AnswerShell {
        id: closing.id().to_string(),
        model_name: closing.shown_model(),
        created: closing.created(),
    };
    let closed = closing.close(answer.observed(), None).await;
    if answer.observed().usage.is_none() {
        answer.set_usage(closed.usage);
    }
    let body = answer.write(request.origin.dialect, &shell, &closed.proxy);
    (body, closed)
}

fn out_of_time() -> ProviderError {
    ProviderError {
        kind: ProviderErrorKind::Timeout,
        status: None,
        message: "the answer was not complete within server.request_timeout_s".to_owned(),
        body: None,
        retry_after: None,
        billed: Billed::AtWork,
    }
}

/// `length`: bytes of the answer.
fn protocol_error(message: &str, length: u64) -> ProviderError {
    ProviderError {
        kind: ProviderErrorKind::Protocol,
        status: Some(200),
        message: format!("the answer cannot be read: {message}"),
        body: None,
        retry_after: None,
        billed: Billed::Bytes(length),
    }
}

/// One streamed answer on its way.
pub struct StreamJob {
    pub closing: Closing,
    pub relay: StreamRelay,
    pub body: ReplyBody,
    pub deadline: Instant,
    /// Cancelled when the router can wait no longer.
    pub cut: CancellationToken,
}

/// The client's end of a [`StreamJob`].
pub fn channel() -> (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>) {
    mpsc::channel(BACKLOG)
}

/// How a stream ended.
enum End {
    Complete,
    ClientGone,
    Fault { message: String },
    Cut,
    Panic,
}

impl End {
    fn on_record(&self) -> Option<Ended> {
        match self {
            Self::Complete => None,
            Self::ClientGone => Some(Ended::CLIENT_GONE),
            Self::Fault { .. } => Some(Ended::BROKEN),
            Self::Cut => Some(Ended::CUT),
            Self::Panic => Some(Ended::PANIC_IN_STREAM),
        }
    }
}

enum Item {
    Bytes(Bytes),
    Event(ChatEvent),
}

/// Relays one stream to its end and settles. Runs as a tracked task.
pub async fn run(job: StreamJob, client: mpsc::Sender<Bytes>) {
    let StreamJob { mut closing, mut relay, body, deadline, cut } = job;
    let Some(source) = source(body) else { return };
    let pumped = tokio::select! {
        biased;
        end = AssertUnwindSafe(pump(source, (&mut relay, &mut closing), &client, deadline)).catch_unwind() => end,
        () = cut.cancelled() => Ok(End::Cut),
    };
    let end = pumped.unwrap_or(End::Panic);
    let observed = relay.observed().clone();
    let closed = closing.close(&observed, end.on_record()).await;
    let mut out = Vec::new();
    match end {
        End::Complete => {
            if observed.usage.is_none() {
                relay.set_usage(closed.usage);
            }
            relay.finish(&closed.proxy, &mut out);
        }
        End::ClientGone => return,
        End::Fault { message } => fail(&mut relay, ("stream_broken", &message), &mut out),
        End::Cut => fail(&mut relay, ("shutdown", "the router is stopping"), &mut out),
        End::Panic => fail(&mut relay, ("internal_error", "a part of the router failed"), &mut out),
    }
    let _ =
        tokio::time::timeout_at(deadline.max(Instant::now() + KEEPALIVE), client.send(out.into()))
            .await;
}

fn fail(relay: &mut StreamRelay, (code, message): (&str, &str), out: &mut Vec<u8>) {
    let error = json!({"message": message, "type": "server_error", "param": null, "code": code});
    relay.fail(&json!({"error": error}), out);
}

fn source(body: ReplyBody) -> Option<BoxStream<'static, Result<Item, ProviderError>>> {
    match body {
        ReplyBody::Bytes(bytes) => Some(bytes.map(|item| item.map(Item::Bytes)).boxed()),
        ReplyBody::Events(events) => Some(events.map(|item| item.map(Item::Event)).boxed()),
        ReplyBody::Whole(_) => None,
    }
}

/// Moves chunks until the upstream ends, the client leaves or time is up. Dropping `source` at the
/// end cancels the upstream.
async fn pump(
    mut source: BoxStream<'static, Result<Item, ProviderError>>,
    (relay, closing): (&mut StreamRelay, &mut Closing),
    client: &mpsc::Sender<Bytes>,
    deadline: Instant,
) -> End {
    let silence = tokio::time::sleep(KEEPALIVE);
    tokio::pin!(silence);
    let mut last_word: Option<Instant> = None;
    loop {
        let mut out = Vec::new();
        let mut broken = None;
        let over = last_word.map_or(deadline, |at| at + LINGER);
        let item = tokio::select! {
            biased;
            () = client.closed() => return End::ClientGone,
            item = source.next() => Some(item),
            () = tokio::time::sleep_until(over), if last_word.is_some() => return ended(relay),
            () = tokio::time::sleep_until(deadline) => return End::Fault { message: "the request's time is up (server.request_timeout_s)".into() },
            () = &mut silence => None,
        };
        match item {
            None => relay.keepalive(&mut out),
            Some(None) => return ended(relay),
            // The answer was whole: what broke is only the goodbye.
            Some(Some(Err(_))) if relay.is_complete() => return End::Complete,
            Some(Some(Err(error))) => {
                return End::Fault { message: format!("the provider broke off: {error}") };
            }
            Some(Some(Ok(item))) => {
                closing.first_byte();
                let read = match item {
                    Item::Bytes(chunk) => relay.bytes(&chunk, &mut out),
                    Item::Event(event) => {
                        relay.event(event, &mut out);
                        Ok(())
                    }
                };
                // What was written before the fault is good.
                broken = read.err();
                last_word = last_word.or_else(|| relay.is_over().then(Instant::now));
            }
        }
        silence.as_mut().reset(Instant::now() + KEEPALIVE);
        if !out.is_empty() {
            match tokio::time::timeout_at(deadline, client.send(out.into())).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return End::ClientGone,
            }
        }
        if let Some(broken) = broken {
            return fault(&broken);
        }
    }
}

/// The upstream has closed, or has nothing more to say.
fn ended(relay: &mut StreamRelay) -> End {
    relay.end().map_or_else(|broken| fault(&broken), |()| End::Complete)
}

fn fault(fault: &StreamFault) -> End {
    End::Fault { message: fault.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_that_never_ends_is_left_at_the_deadline() {
        let body = ReplyBody::Events(futures_util::stream::pending().boxed());
        let dialects = (Dialect::OpenAi, Dialect::OpenAi);
        let error = read_whole(dialects, body, Instant::now()).await.unwrap_err();
        assert_eq!(error.kind, ProviderErrorKind::Timeout);
    }
}
