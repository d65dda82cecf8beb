//! Transport to the models: HTTP providers in every dialect and the engine inside the router.
//! A provider is transport, credentials and limits; what the bytes mean is `wire`'s. It knows no
//! tiers, prices or budgets, and never decides whether to try again: it only advises.

mod echo;
pub mod embedded;
pub mod http;
pub mod ollama;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use secrecy::SecretString;

use crate::catalog::Model;
use crate::chat::{ChatEvent, ChatRequest, Dialect};
use crate::ids::ProviderId;
use crate::limits::Outcome;

/// A provider as configured.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    pub id: ProviderId,
    pub kind: ProviderKind,
    /// OpenAI kinds: up to and including `/v1`; others: the host root. No trailing slash.
    pub base_url: String,
    /// In order of preference. Empty: no key is sent.
    pub api_keys: Vec<SecretString>,
    /// The kind needs a key and none is there: the provider is known but not enabled.
    pub enabled: bool,
    /// Longest wait for a stream to begin.
    pub first_byte_timeout: Duration,
    /// Longest wait for an answer that is not streamed; the same where the owner set one.
    pub whole_answer_timeout: Duration,
    /// Extra request headers.
    pub headers: Vec<(String, String)>,
}

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    serde::Deserialize,
    serde::Serialize,
    strum::Display,
    strum::IntoStaticStr,
    strum::VariantNames,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ProviderKind {
    #[serde(rename = "openai")]
    #[strum(serialize = "openai")]
    OpenAi,
    Anthropic,
    Ollama,
    Embedded,
}

impl ProviderKind {
    /// The protocol on its wire; `None` for the engine inside the router.
    pub fn dialect(self) -> Option<Dialect> {
        match self {
            Self::OpenAi => Some(Dialect::OpenAi),
            Self::Anthropic => Some(Dialect::Anthropic),
            Self::Ollama => Some(Dialect::Ollama),
            Self::Embedded => None,
        }
    }
}

/// One call to one model.
#[derive(Clone)]
pub struct ProviderCall {
    pub request: Arc<ChatRequest>,
    pub model: Arc<Model>,
    /// The cap on the answer to send upstream, in tokens.
    pub output_cap: Option<u32>,
    pub key: Option<SecretString>,
    /// Client headers that belong to the provider's protocol (`anthropic-beta`, ...).
    pub headers: Vec<(String, String)>,
}

/// What a provider answered, after its first byte.
pub struct ProviderReply {
    /// How to read `Whole` and `Bytes`.
    pub dialect: Dialect,
    pub body: ReplyBody,
    /// What the conversion had no place for.
    pub dropped: Vec<String>,
}

pub enum ReplyBody {
    /// A whole JSON answer.
    Whole(Bytes),
    /// A stream in the wire form of `dialect`; the first item has arrived already.
    Bytes(BoxStream<'static, Result<Bytes, ProviderError>>),
    /// A stream of canonical events (embedded engine), for streamed and whole answers alike.
    Events(BoxStream<'static, Result<ChatEvent, ProviderError>>),
}

pub trait Provider: Send + Sync + fmt::Debug {
    /// Returns once the first byte of the answer is there. Dropping the future or the reply cancels
    /// the call upstream.
    fn call(&self, call: ProviderCall) -> BoxFuture<'_, Result<ProviderReply, ProviderError>>;
}

/// Why a call failed, and what that means for the next step.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    pub kind: ProviderErrorKind,
    /// The upstream's status, if it got so far.
    pub status: Option<u16>,
    /// Safe to show: no key, no prompt.
    pub message: String,
    /// The upstream's error body, handed to the client when the error is the client's.
    pub body: Option<Bytes>,
    pub retry_after: Option<Duration>,
    /// Whether the provider may have billed the call all the same.
    pub billed: Billed,
}

/// What a provider had done when a call to it failed, as far as that costs money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Billed {
    /// It was not reached, refused the call, or failed itself: providers bill answers only.
    #[default]
    Nothing,
    /// It had taken the prompt and was at work when it was left.
    AtWork,
    /// It had sent so many bytes of an answer, which could not be used.
    Bytes(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum ProviderErrorKind {
    /// 429.
    RateLimited,
    /// 5xx, 408, 409.
    Server,
    /// Could not connect, or the connection broke.
    Network,
    /// No first byte in time.
    Timeout,
    /// 401, 403.
    Auth,
    /// 402, or words about billing and quota.
    Billing,
    /// 404: the provider does not have this model.
    ModelNotFound,
    /// 400, 413, 422 and other 4xx.
    Request,
    /// The prompt is longer than the model's window.
    ContextOverflow,
    /// The answer cannot be understood.
    Protocol,
    /// The embedded engine is busy or not loaded.
    Unavailable,
}

impl ProviderError {
    /// The same without what its message repeats of the request. The body stays as it is: only
    /// the client gets to see it.
    #[must_use]
    pub fn without_echo_of(mut self, request: &ChatRequest) -> Self {
        self.message = echo::without_echo(&self.message, request);
        self
    }

    /// What the failure tells of its target's health.
    pub fn outcome(&self) -> Outcome {
        let retry_after = self.retry_after;
        match self.kind {
            ProviderErrorKind::RateLimited => Outcome::Limited { retry_after },
            ProviderErrorKind::Server => Outcome::ServerFault { retry_after },
            ProviderErrorKind::Timeout | ProviderErrorKind::Protocol => {
                Outcome::ServerFault { retry_after: None }
            }
            ProviderErrorKind::Network => Outcome::Unreachable,
            ProviderErrorKind::Auth if self.status == Some(403) => Outcome::Forbidden,
            ProviderErrorKind::Auth => Outcome::BadKey,
            ProviderErrorKind::Billing => Outcome::Billing { retry_after },
            ProviderErrorKind::ModelNotFound => Outcome::NoModel,
            ProviderErrorKind::Request | ProviderErrorKind::ContextOverflow => {
                Outcome::RequestFault
            }
            ProviderErrorKind::Unavailable => Outcome::Abandoned,
        }
    }
}

/// What to do after a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The same target may work at once (the next key, if there is one).
    NextKey,
    /// Go on to the next candidate.
    NextCandidate,
    /// Only a candidate with a larger window can help.
    LargerWindow,
    /// The client's error: hand it back.
    Stop,
}

impl ProviderErrorKind {
    pub fn advice(self) -> Advice {
        match self {
            Self::RateLimited | Self::Auth => Advice::NextKey,
            Self::Server
            | Self::Network
            | Self::Timeout
            | Self::Billing
            | Self::ModelNotFound
            | Self::Protocol
            | Self::Unavailable => Advice::NextCandidate,
            Self::ContextOverflow => Advice::LargerWindow,
            Self::Request => Advice::Stop,
        }
    }
}
