//! The walk of one chat request, in ten steps, and the vocabulary of its two ends.
//! It decides the order of the steps and nothing else: no HTTP, no SQL, no JSON shapes.

mod answer;
mod decide;
mod explain;
mod failure;
mod give;

pub use crate::dispatch::Attempt;
pub use explain::{ExplainedCandidate, ExplainedContext, Explanation, explain};

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::catalog::Tier;
use crate::chat::ChatRequest;
use crate::context;
use crate::dispatch::Tries;
use crate::ids::{KeyId, ModelId, RequestId};
use crate::keys::{ClientKey, Seat, Throttled};
use crate::ledger::KeyBudget;
use crate::money::NanoUsd;
use crate::providers::ProviderErrorKind;
use crate::relay::KEEPALIVE;
use crate::state::{AppState, Snapshot};
use crate::wire::StreamRelay;

/// Who sends the request.
#[derive(Clone, Debug)]
pub struct Caller {
    pub key: KeyId,
    /// May use `/metrics`, `/stats`, `/ui` and `/v1/admin/*`, and see every key's budget.
    pub admin: bool,
    /// What the caller is bound by, if it came with a client key.
    pub client: Option<Arc<ClientKey>>,
}

/// Whether a caller may do what only the owner may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    Owner,
    User,
}

impl Caller {
    /// A caller without a key.
    pub fn local(rights: Rights) -> Self {
        Self { key: KeyId::LOCAL.into(), admin: rights == Rights::Owner, client: None }
    }

    pub fn master() -> Self {
        Self { key: KeyId::MASTER.into(), admin: true, client: None }
    }

    pub fn client(key: Arc<ClientKey>) -> Self {
        Self { key: key.id.clone(), admin: false, client: Some(key) }
    }

    /// As who it asks for projects.
    pub fn reader(&self) -> context::Reader {
        let own = self.client.as_ref().map(|client| &client.grants.projects);
        let allowed = own.filter(|projects| !projects.is_empty()).cloned();
        context::Reader { key: self.key.clone(), admin: self.admin, allowed }
    }

    /// The budget of the client key.
    pub fn budget(&self) -> Option<&Arc<KeyBudget>> {
        self.client.as_ref().map(|client| &client.budget)
    }
}

/// What is known of a request besides its body.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub id: RequestId,
    pub caller: Caller,
    pub received: Instant,
    pub received_at: Timestamp,
    /// The whole request, retries and stream included, ends here.
    pub deadline: Instant,
    pub snapshot: Arc<Snapshot>,
    /// `X-Task-Tier`.
    pub forced_tier: Option<Tier>,
    /// `X-Project`.
    pub project: Option<String>,
    /// Whether project context may be put in.
    pub inject: bool,
    /// `X-Session-Id`, or a client's own header for the same.
    pub session: Option<String>,
    /// Headers that belong to the provider's protocol and are handed on to a provider of it.
    pub forwarded: Vec<(String, String)>,
}

/// The answer, ready to be sent.
pub struct Reply {
    pub meta: ReplyMeta,
    pub body: ReplyContent,
}

/// What the `x-edge-*` headers say.
#[derive(Clone, Debug)]
pub struct ReplyMeta {
    pub model: ModelId,
    pub tier: Tier,
    pub fallback_index: u32,
    pub budget_remaining: Option<NanoUsd>,
    pub dropped: Vec<String>,
    /// Known when the answer is not streamed.
    pub cost: Option<NanoUsd>,
}

impl Reply {
    /// Holds the client key's seat until the last byte of the answer has been taken or the client is
    /// gone.
    fn seated(self, seat: Option<Seat>) -> Self {
        let body = match (self.body, seat) {
            (ReplyContent::Stream(stream), Some(seat)) => {
                let held = stream.map(move |bytes| {
                    let _held = &seat;
                    bytes
                });
                ReplyContent::Stream(held.boxed())
            }
            (body, _) => body,
        };
        Self { body, ..self }
    }
}

pub enum ReplyContent {
    /// JSON.
    Whole(Bytes),
    /// `text/event-stream` in the client's dialect, to its end marker.
    Stream(BoxStream<'static, Bytes>),
}

/// Why a chat request has no answer. Each ends as one status and code (CONTRACT section 4), which
/// `server/error.rs` decides.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ChatError {
    #[error("{message}")]
    InvalidRequest { message: String, param: Option<String> },
    #[error("{message}")]
    ModelNotFound { message: String, nearest: Vec<String> },
    #[error("{message}")]
    ModelNotAllowed { message: String },
    /// No configured model can do what the request needs.
    #[error("{message}")]
    UnsupportedCapability { message: String },
    #[error(
        "This model's maximum context length is {window} tokens. However, your messages resulted in {tokens} tokens."
    )]
    ContextLengthExceeded { window: u64, tokens: u64 },
    #[error("{message}")]
    BudgetExceeded { message: String, resets_at: Option<Timestamp> },
    /// Every candidate is limited.
    #[error("{message}")]
    RateLimited { message: String, retry_after: Duration, attempts: Vec<Attempt> },
    #[error("{message}")]
    AllBackendsFailed { message: String, attempts: Vec<Attempt> },
    /// None can serve now.
    #[error("{message}")]
    NoBackend { message: String, retry_after: Duration },
    #[error("{message}")]
    UpstreamTimeout { message: String, attempts: Vec<Attempt> },
    /// The provider says that the request is wrong: its status and body go to the client as they are.
    #[strum(serialize = "upstream_error")]
    #[error("{message}")]
    Upstream { status: u16, body: Bytes, message: String, kind: ProviderErrorKind },
    /// The ledger cannot be written; requests that cost money are refused.
    #[strum(serialize = "no_backend")]
    #[error("{message}")]
    LedgerUnavailable { message: String },
}

impl ChatError {
    /// The error code of CONTRACT section 4.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidRequest { .. }
            | Self::UnsupportedCapability { .. }
            | Self::ContextLengthExceeded { .. } => 400,
            Self::BudgetExceeded { .. } => 402,
            Self::ModelNotAllowed { .. } => 403,
            Self::ModelNotFound { .. } => 404,
            Self::RateLimited { .. } => 429,
            Self::AllBackendsFailed { .. } => 502,
            Self::NoBackend { .. } | Self::LedgerUnavailable { .. } => 503,
            Self::UpstreamTimeout { .. } => 504,
            Self::Upstream { status, .. } => *status,
        }
    }

    /// The error object for a stream that has begun.
    fn event(&self) -> serde_json::Value {
        serde_json::json!({"error": {"message": self.to_string(), "type": "server_error", "param": null, "code": self.code()}})
    }
}

/// Answers one chat request, if the caller's key has room for one more: that comes first, before
/// anything is judged or planned.
pub async fn handle(
    app: &AppState,
    context: RequestContext,
    request: ChatRequest,
) -> Result<Reply, ChatError> {
    let seat = enter(app, &context)?;
    Ok(answered(app, context, request).await?.seated(seat))
}

/// The seat of the caller's key, if it came with one.
fn enter(app: &AppState, context: &RequestContext) -> Result<Option<Seat>, Throttled> {
    let client = context.caller.client.as_ref();
    client.map(|client| client.enter(app.runtime.clock.now())).transpose()
}

impl From<Throttled> for ChatError {
    fn from(error: Throttled) -> Self {
        let (message, retry_after) = (error.to_string(), error.retry_after());
        Self::RateLimited { message, retry_after, attempts: Vec::new() }
    }
}

/// Steps 3 to 6 of the walk ([`decide`]) run in the caller's task; the
/// calls and the relay ([`answer`]) in a task of their own, so that a client that hangs up leaves an
/// account that is closed. Dropping the returned future or the reply's stream cancels the upstream.
async fn answered(
    app: &AppState,
    context: RequestContext,
    request: ChatRequest,
) -> Result<Reply, ChatError> {
    let counter = app.runtime.turn.fetch_add(1, Ordering::Relaxed);
    let mut decision = decide::decide(app, context, request, counter).await;
    if let Some(error) = decision.unresolved() {
        answer::record_unanswered(app, &decision, &Tries::default(), &error).await;
        return Err(error);
    }
    let first = decision.preview();
    let waiting = decision.request.stream.then(|| {
        let (id, model) = (decision.context.id.as_str(), first.model.as_str());
        StreamRelay::new(decision.request.origin.dialect, &decision.request, id, model)
            .created_at(decision.context.received_at.as_second())
    });
    let (tell, mut told) = oneshot::channel();
    let job = answer::run(app.clone(), decision, tell);
    app.runtime.tasks.spawn(job);
    let Some(waiting) = waiting else {
        return told.await.unwrap_or_else(|_| Err(failure::internal()));
    };
    match tokio::time::timeout(KEEPALIVE, &mut told).await {
        Ok(reply) => reply.unwrap_or_else(|_| Err(failure::internal())),
        Err(_) => Ok(Reply {
            meta: first,
            body: ReplyContent::Stream(answer::late_stream(told, waiting)),
        }),
    }
}
