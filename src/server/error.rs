//! The one place where a failure becomes a status, a code, headers and a body, in the form of the
//! client's protocol, and where it is logged, once. Texts come from the errors themselves; none of
//! them holds a prompt or a key.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::auth::AuthError;
use super::routes::under_v1;
use crate::context::DeltaError;
use crate::delta::ProjectPath;
use crate::ids::RequestId;
use crate::keys::NotAllowed;
use crate::pipeline::{Attempt, ChatError};
use crate::providers::ProviderErrorKind;
use crate::store::StoreError;
use crate::wire::WireError;

/// When to ask again after the ledger's file, or that of the projects, could not be used.
const FILE_RETRY: Duration = Duration::from_secs(5);

/// Whose error form a path answers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    OpenAi,
    Anthropic,
}

impl Protocol {
    pub(super) fn of_path(path: &str) -> Self {
        if !path.contains("/messages") {
            return Self::OpenAi;
        }
        let path = under_v1(path);
        let anthropic = path == "/v1/messages" || path.starts_with("/v1/messages/");
        if anthropic { Self::Anthropic } else { Self::OpenAi }
    }
}

/// Why there is no answer, as the client will be told. Handlers return it; [`finish`] renders it.
#[derive(Clone, Debug)]
pub struct Failure(Box<Facts>);

#[derive(Clone, Debug)]
struct Facts {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// The Anthropic protocol's own words, where clients parse them.
    anthropic_message: Option<String>,
    param: Option<String>,
    retry_after: Option<Duration>,
    /// Further members of the error object.
    details: Map<String, Value>,
    /// The provider's own error body.
    upstream: Option<Bytes>,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Facts {
            status,
            code,
            message: message.into(),
            anthropic_message: None,
            param: None,
            retry_after: None,
            details: Map::new(),
            upstream: None,
        }))
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// The field, header or query parameter that is wrong.
    pub(super) fn with_param(mut self, param: impl Into<String>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    pub(super) fn too_large(limit_bytes: usize) -> Self {
        let limit = match limit_bytes % (1 << 20) {
            0 => format!("{} MB", limit_bytes >> 20),
            _ => format!("{limit_bytes} bytes"),
        };
        let message = format!(
            "the request body is larger than the limit of {limit}; send less, or raise `server.max_body_mb`"
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message)
    }

    pub(super) fn too_slow(limit: Duration) -> Self {
        let message = format!(
            "the request body did not arrive within {} s (`server.request_timeout_s`)",
            limit.as_secs()
        );
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message)
    }

    pub(super) fn forbidden_page(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden_origin", message)
    }

    pub(super) fn forbidden_project(error: &NotAllowed) -> Self {
        Self::new(StatusCode::FORBIDDEN, "project_not_allowed", error.to_string())
            .with_param("X-Project")
    }

    pub(super) fn unknown_file(path: &ProjectPath) -> Self {
        let message = format!("the project has no file `{path}`");
        Self::new(StatusCode::NOT_FOUND, "file_not_found", message).with_param("content")
    }

    pub(super) fn unknown_key(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "key_not_found", message).with_param("key")
    }

    pub(super) fn unknown_path(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown_url", message)
    }

    pub(super) fn wrong_method(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    pub(super) fn internal() -> Self {
        let message = "the router failed on this request; this is a bug, its log has the place";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }

    /// Adds what was tried to the error object; the message has it in words.
    fn with_attempts(self, attempts: &[Attempt]) -> Self {
        if attempts.is_empty() { self } else { self.detail("attempts", json!(attempts)) }
    }

    fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    fn detail(mut self, name: &str, value: Value) -> Self {
        self.0.details.insert(name.to_owned(), value);
        self
    }

    /// Seconds for `Retry-After`: whole, at least one, and always there on 429 and 503.
    fn retry_after_secs(&self) -> Option<u64> {
        let needed = matches!(
            self.0.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        let wait = self.0.retry_after.or_else(|| needed.then_some(Duration::from_secs(1)))?;
        Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
    }
}

impl From<ChatError> for Failure {
    fn from(error: ChatError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut failure = Self::new(status, error.code(), error.to_string());
        match error {
            ChatError::InvalidRequest { param, .. } => {
                failure.0.param = param;
                failure
            }
            ChatError::ModelNotFound { nearest, .. } => {
                failure.with_param("model").detail("nearest", json!(nearest))
            }
            ChatError::ModelNotAllowed { .. } => failure.with_param("model"),
            ChatError::ContextLengthExceeded { window, tokens } => {
                let message = format!("prompt is too long: {tokens} tokens > {window} maximum");
                failure.0.anthropic_message = Some(message);
                failure.with_param("messages")
            }
            ChatError::BudgetExceeded { resets_at, .. } => {
                let resets_at = resets_at.map(|moment| moment.to_string());
                failure.detail("resets_at", json!(resets_at))
            }
            ChatError::RateLimited { retry_after, attempts, .. } => {
                failure.with_attempts(&attempts).retry_after(retry_after)
            }
            ChatError::AllBackendsFailed { attempts, .. }
            | ChatError::UpstreamTimeout { attempts, .. } => failure.with_attempts(&attempts),
            ChatError::NoBackend { retry_after, .. } => failure.retry_after(retry_after),
            ChatError::Upstream { body, message, kind, .. } => {
                failure.0.message = message;
                if kind == ProviderErrorKind::ContextOverflow {
                    failure.0.code = "context_length_exceeded";
                }
                failure.0.upstream = Some(body);
                failure
            }
            ChatError::LedgerUnavailable { .. } => failure.retry_after(FILE_RETRY),
            ChatError::UnsupportedCapability { .. } => failure,
        }
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        let status = match error {
            AuthError::Missing | AuthError::Wrong | AuthError::Revoked => StatusCode::UNAUTHORIZED,
            AuthError::NotAdmin | AuthError::OtherKey => StatusCode::FORBIDDEN,
        };
        Self::new(status, "invalid_api_key", error.to_string())
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        let failure = Self::invalid(error.to_string());
        match error {
            WireError::Field { path, .. } => failure.with_param(path),
            WireError::Malformed { .. } | WireError::Unsupported(_) | WireError::Answer { .. } => {
                failure
            }
        }
    }
}

impl From<DeltaError> for Failure {
    fn from(error: DeltaError) -> Self {
        let (status, code) = match &error {
            DeltaError::Invalid { .. } => (StatusCode::BAD_REQUEST, "invalid_request"),
            DeltaError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large"),
            DeltaError::OutOfSync { .. } => (StatusCode::CONFLICT, "context_out_of_sync"),
            DeltaError::NotAllowed { .. } => (StatusCode::FORBIDDEN, "project_not_allowed"),
            DeltaError::Unknown => (StatusCode::NOT_FOUND, "project_not_found"),
            DeltaError::Unavailable { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "context_unavailable")
            }
        };
        let failure = Self::new(status, code, error.to_string());
        match error {
            DeltaError::Invalid { param, .. } => failure.with_param(param),
            DeltaError::OutOfSync { server_version, .. } => {
                failure.detail("server_version", json!(server_version))
            }
            DeltaError::NotAllowed { .. } | DeltaError::Unknown => failure.with_param("project"),
            DeltaError::Unavailable { .. } => failure.retry_after(FILE_RETRY),
            DeltaError::TooLarge { .. } => failure,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        ChatError::LedgerUnavailable { message }.into()
    }
}

/// Carries the failure to [`finish`], which knows the protocol and the request's id.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Renders a [`Failure`] that a handler left in `response`, and logs it; other answers pass.
pub(super) fn finish(mut response: Response, protocol: Protocol, id: &RequestId) -> Response {
    let Some(failure) = response.extensions_mut().remove::<Failure>() else { return response };
    log(&failure.0, id);
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = failure.retry_after_secs() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    *response.body_mut() = Body::from(body(*failure.0, protocol, id));
    response
}

fn log(failure: &Facts, id: &RequestId) {
    let (status, code, error) = (failure.status.as_u16(), failure.code, failure.message.as_str());
    if failure.status.is_server_error() {
        tracing::warn!(request = %id, status, code, error, "request failed");
    } else {
        tracing::info!(request = %id, status, code, error, "request refused");
    }
}

fn body(failure: Facts, protocol: Protocol, id: &RequestId) -> Bytes {
    if let Some(upstream) = failure.upstream.as_ref().filter(|body| is_error_of(protocol, body)) {
        return upstream.clone();
    }
    let value = match protocol {
        Protocol::OpenAi => {
            let mut error = Map::new();
            error.insert("message".to_owned(), failure.message.into());
            error.insert("type".to_owned(), openai_type(failure.status).into());
            error.insert("param".to_owned(), failure.param.into());
            error.insert("code".to_owned(), failure.code.into());
            error.extend(failure.details);
            json!({ "error": error })
        }
        Protocol::Anthropic => {
            let message = failure.anthropic_message.unwrap_or(failure.message);
            json!({
                "type": "error",
                "error": {"type": anthropic_type(failure.status), "message": message},
                "request_id": id.as_str(),
            })
        }
    };
    Bytes::from(value.to_string())
}

/// `{"error":{"message":..}}`, with `"type":"error"` beside it in Anthropic's protocol only: a
/// provider's own body that the client can read. Others are told in our form, with their words.
fn is_error_of(protocol: Protocol, body: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return false };
    let anthropic = value.get("type").is_some_and(|kind| kind == "error");
    anthropic == (protocol == Protocol::Anthropic)
        && value.pointer("/error/message").is_some_and(Value::is_string)
}

/// The `type` of an OpenAI error object.
fn openai_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

/// The `type` of an Anthropic error object (docs.anthropic.com, "Errors").
fn anthropic_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        503 => "overloaded_error",
        504 => "timeout_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests;
