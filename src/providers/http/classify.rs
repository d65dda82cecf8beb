//! What a provider's error means, from its status, headers and body. The words and codes are those
//! that the ten providers of the facts file document.

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::retry_after;
use crate::ids::ProviderId;
use crate::providers::{Billed, ProviderError, ProviderErrorKind};

/// No more of an upstream's message is shown, in characters.
const LONGEST_MESSAGE: usize = 300;

/// Codes and types that mean an account without money, whatever the status.
const BILLING_CODES: [&str; 9] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "enforced_spend_limit_reached",
    "billing_error",
    "billing_not_active",
    "insufficient_balance",
];

/// Words that mean the same in a message (a 400 at Anthropic, for one).
const BILLING_WORDS: [&str; 8] = [
    "credit balance",
    "spend limit",
    "spending limit",
    "insufficient balance",
    "insufficient funds",
    "insufficient credit",
    "exceeded your current quota",
    "billing",
];

const OVERFLOW_WORDS: [&str; 16] = [
    "context_length_exceeded",
    "maximum context length",
    "context length",
    "context window",
    "context limit",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "input too long",
    "too many tokens",
    "too many input tokens",
    "maximum prompt length",
    "maximum number of tokens",
    "reduce the length of the messages",
    "exceeds the available context",
    "input token count",
];

const NO_MODEL_CODES: [&str; 5] = [
    "model_not_found",
    "model_decommissioned",
    "invalid_model",
    "model_not_supported",
    "unknown_model",
];

impl ProviderError {
    /// Takes the key out of everything that may be shown.
    pub(super) fn without(mut self, secret: Option<&str>) -> Self {
        let Some(secret) = secret.filter(|secret| !secret.is_empty()) else { return self };
        if self.message.contains(secret) {
            self.message = self.message.replace(secret, "***");
        }
        let holds = |body: &Bytes| body.windows(secret.len()).any(|part| part == secret.as_bytes());
        self.body = self.body.filter(|body| !holds(body));
        self
    }
}

/// What an error answer means.
pub(super) fn refusal(
    id: &ProviderId,
    status: StatusCode,
    headers: &HeaderMap,
    body: &Bytes,
) -> ProviderError {
    let said = Said::read(body);
    let code = status.as_u16();
    let retry_after = retry_after::from_headers(headers).or(said.retry_delay);
    let kind = kind(code, &said, retry_after.is_some());
    let message = if said.message.is_empty() {
        format!("{id} answered with status {code}")
    } else {
        format!("{id} answered with status {code}: {}", said.message)
    };
    // Only what is the client's to act on is handed on as it is.
    let body = matches!(kind, ProviderErrorKind::Request | ProviderErrorKind::ContextOverflow)
        .then(|| body.clone())
        .filter(|body| !body.is_empty());
    let retry_after = match kind {
        ProviderErrorKind::RateLimited | ProviderErrorKind::Billing | ProviderErrorKind::Server => {
            retry_after
        }
        _ => None,
    };
    ProviderError { kind, status: Some(code), message, body, retry_after, billed: Billed::Nothing }
}

/// What an error object in the place of an answer means (the status was 200).
pub(super) fn stream_error(id: &ProviderId, error: &Value) -> ProviderError {
    let said = Said::of(error);
    let named = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = named.filter(|code| (400..600).contains(code)).unwrap_or_else(|| said.status());
    let kind = kind(status, &said, said.retry_delay.is_some());
    let message = if said.message.is_empty() {
        format!("{id} answered with an error")
    } else {
        format!("{id} answered with an error: {}", said.message)
    };
    let body = matches!(kind, ProviderErrorKind::Request | ProviderErrorKind::ContextOverflow)
        .then(|| Bytes::from(serde_json::json!({ "error": error }).to_string()));
    let (retry_after, billed) = (said.retry_delay, Billed::Nothing);
    ProviderError { kind, status: Some(status), message, body, retry_after, billed }
}

/// What an error body says, whichever of the known shapes it has.
#[derive(Debug, Default)]
struct Said {
    /// Cut to a length that can be shown.
    message: String,
    /// Lower case, uncut, for comparison.
    words: String,
    codes: Vec<String>,
    retry_delay: Option<std::time::Duration>,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            // Google sometimes wraps the object into an array of one.
            Ok(Value::Array(mut all)) if all.len() == 1 => Self::body(&all.swap_remove(0)),
            Ok(value) => Self::body(&value),
            // A page of some proxy in between: its words are of no use to anyone.
            Err(_) => Self::default(),
        }
    }

    fn body(value: &Value) -> Self {
        match value.get("error") {
            Some(error @ (Value::Object(_) | Value::String(_))) => Self::of(error),
            // Mistral, Cerebras: the fields stand at the top.
            _ => Self::of(value),
        }
    }

    fn of(error: &Value) -> Self {
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        let said = ["message", "detail"].into_iter().find_map(|name| error.get(name).map(words));
        let message = error.as_str().map(str::to_owned).or(said).unwrap_or_default();
        let message = message.as_str();
        let nested = [
            error.pointer("/details/error_code"),
            error.pointer("/metadata/limit_source"),
            error.pointer("/metadata/error_type"),
        ];
        let codes = ["code", "type", "status"].into_iter().filter_map(text);
        let codes = codes.chain(nested.into_iter().flatten().filter_map(Value::as_str));
        let details = error.get("details").and_then(Value::as_array);
        let delay = details.into_iter().flatten().find_map(|detail| detail.get("retryDelay"));
        Self {
            message: shown(message),
            words: message.to_lowercase(),
            codes: codes.map(str::to_lowercase).collect(),
            retry_delay: delay.and_then(Value::as_str).and_then(retry_after::duration),
        }
    }

    fn coded(&self, any: &[&str]) -> bool {
        self.codes.iter().any(|code| any.contains(&code.as_str()))
    }

    fn says(&self, any: &[&str]) -> bool {
        any.iter().any(|words| self.words.contains(words))
    }

    /// The status that an error without one stands for.
    fn status(&self) -> u16 {
        let is = |part: &str| self.codes.iter().any(|code| code.contains(part));
        if is("rate_limit") || is("resource_exhausted") || is("too_many_requests") {
            429
        } else if is("authentication") || is("invalid_api_key") {
            401
        } else if is("permission") {
            403
        } else if is("not_found") {
            404
        } else if is("billing") || is("quota") {
            402
        } else if is("overloaded") {
            503
        } else if is("invalid_request") || is("invalid_argument") {
            400
        } else {
            500
        }
    }
}

fn kind(status: u16, said: &Said, has_delay: bool) -> ProviderErrorKind {
    use ProviderErrorKind as Kind;
    if matches!(status, 400 | 413 | 422 | 500) && is_overflow(status, said) {
        return Kind::ContextOverflow;
    }
    if is_billing(status, said, has_delay) {
        return Kind::Billing;
    }
    match status {
        401 => Kind::Auth,
        // OpenRouter refuses flagged prompts with a 403: that is no matter of the key.
        403 if said.says(&["moderation", "flagged", "content policy", "guardrail"]) => {
            Kind::Request
        }
        403 => Kind::Auth,
        402 | 429 => Kind::RateLimited,
        404 => Kind::ModelNotFound,
        400 | 422 if said.coded(&NO_MODEL_CODES) => Kind::ModelNotFound,
        // 498 is Groq's "flex capacity exceeded".
        408 | 409 | 425 | 498 | 500.. => Kind::Server,
        400..=499 => Kind::Request,
        _ => Kind::Protocol,
    }
}

fn is_overflow(status: u16, said: &Said) -> bool {
    if said.coded(&["context_length_exceeded", "string_above_max_length"]) {
        return true;
    }
    // Groq: larger than what a minute allows. The same request never fits there, another model may.
    let too_large_for_minute = status == 413 && said.says(&["tokens per minute"]);
    too_large_for_minute || said.says(&OVERFLOW_WORDS)
}

fn is_billing(status: u16, said: &Said, has_delay: bool) -> bool {
    // OpenRouter: only the money of calls under way is missing, it comes back by itself.
    if said.coded(&["openrouter_in_flight_budget"]) {
        return false;
    }
    match status {
        // 412 is Fireworks' "account suspended or over its budget".
        402 | 412 => true,
        // Google speaks of quota and billing in ordinary rate limits, too, but says how long.
        429 => said.coded(&BILLING_CODES) || (!has_delay && said.says(&BILLING_WORDS)),
        400 | 403 => {
            said.coded(&BILLING_CODES) || said.says(&BILLING_WORDS[..6]) || {
                said.coded(&["failed_precondition"]) && said.says(&["billing"])
            }
        }
        _ => false,
    }
}

/// The words of a message that may be a list of what is wrong with which field (FastAPI's 422, also
/// Mistral's). What was sent stands beside them and is left out.
fn words(said: &Value) -> String {
    match said {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            let text = ["msg", "message", "detail"].into_iter().find_map(|name| fields.get(name));
            let place: Vec<String> =
                fields.get("loc").and_then(Value::as_array).map_or_else(Vec::new, |path| {
                    path.iter().map(|step| step.to_string().replace('"', "")).collect()
                });
            let text = text.map(words).unwrap_or_default();
            if place.is_empty() { text } else { format!("{}: {text}", place.join(".")) }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

/// A message of bounded length on one line, with whatever looks like a key masked.
fn shown(message: &str) -> String {
    let words = message.split_whitespace().map(|word| {
        let bare = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let keyed = ["sk-", "gsk_", "xai-", "AIza", "fw_", "csk-"];
        if bare.len() > 8 && keyed.iter().any(|prefix| bare.starts_with(prefix)) {
            "***"
        } else {
            word
        }
    });
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > LONGEST_MESSAGE * 4 {
            break;
        }
    }
    match line.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
