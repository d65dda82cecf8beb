//! The light view of an answer or of one chunk of it: what settlement and conversion look at.
//! `T` is [`Whole`] where the text is needed and [`Length`] where only its length is.
//!
//! [`Whole`]: crate::wire::lenient::Whole
//! [`Length`]: crate::wire::lenient::Length

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::usage::UsageIn;
use crate::chat::{Service, StopReason, Usage};
use crate::wire::StreamFault;
use crate::wire::lenient::Count;

/// A chunk, or a whole answer (then the choices hold `message`).
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Chunk<'a, T> {
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) created: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) model: Option<&'a RawValue>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    pub(super) choices: Option<Vec<Choice<T>>>,
    #[serde(borrow)]
    usage: Option<UsageIn<'a>>,
    /// What it is served under (OpenAI, Groq).
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    x_groq: Option<XGroq<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct XGroq<'a> {
    #[serde(borrow)]
    usage: Option<UsageIn<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Choice<T> {
    pub(super) index: Option<Count>,
    delta: Option<Delta<T>>,
    message: Option<Delta<T>>,
    pub(super) finish_reason: Option<Finish>,
}

impl<T> Choice<T> {
    pub(super) fn content(&self) -> Option<&Delta<T>> {
        self.delta.as_ref().or(self.message.as_ref())
    }

    pub(super) fn stop(&self) -> Option<StopReason> {
        self.finish_reason.as_ref().and_then(|finish| finish.0)
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Delta<T> {
    pub(super) content: Option<T>,
    reasoning_content: Option<T>,
    /// Groq, OpenRouter, Cerebras; some send both names.
    reasoning: Option<T>,
    pub(super) refusal: Option<T>,
    pub(super) tool_calls: Option<Vec<CallDelta<T>>>,
    pub(super) function_call: Option<FunctionDelta<T>>,
}

impl<T> Delta<T> {
    pub(super) fn thinking(&self) -> Option<&T> {
        self.reasoning_content.as_ref().or(self.reasoning.as_ref())
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct CallDelta<T> {
    pub(super) index: Option<Count>,
    pub(super) id: Option<T>,
    pub(super) function: Option<FunctionDelta<T>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct FunctionDelta<T> {
    pub(super) name: Option<T>,
    pub(super) arguments: Option<T>,
}

pub(super) struct Finish(Option<StopReason>);

impl<'de> Deserialize<'de> for Finish {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Word;
        impl Visitor<'_> for Word {
            type Value = Finish;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a finish reason")
            }
            fn visit_str<E: Error>(self, word: &str) -> Result<Finish, E> {
                Ok(Finish(super::stop_reason(word)))
            }
        }
        source.deserialize_str(Word)
    }
}

/// Reads one chunk or whole answer; `None` for JSON of another shape, to be handed on unseen.
pub(super) fn read<'a, T: Deserialize<'a>>(
    data: &'a [u8],
) -> Result<Option<Chunk<'a, T>>, StreamFault> {
    match serde_json::from_slice::<Chunk<'a, T>>(data) {
        Ok(chunk) => {
            let error = chunk.error.or(chunk.x_groq.as_ref().and_then(|groq| groq.error));
            if let Some(error) = error {
                return Err(fault(error.get()));
            }
            if chunk.object.is_some_and(|object| object.get() == "\"error\"") {
                return Err(fault(&String::from_utf8_lossy(data)));
            }
            Ok(Some(chunk))
        }
        Err(error) if error.is_data() && serde_json::from_slice::<IgnoredAny>(data).is_ok() => {
            Ok(None)
        }
        Err(_) => Err(StreamFault::Broken("the upstream sent what is not JSON".to_owned())),
    }
}

impl<T> Chunk<'_, T> {
    pub(super) fn usage(&self) -> Option<Usage> {
        let groq = || self.x_groq.as_ref()?.usage.as_ref()?.normal();
        let usage = self.usage.as_ref().and_then(UsageIn::normal).or_else(groq)?;
        Some(Usage { service: self.service().or(usage.service), ..usage })
    }

    pub(super) fn service(&self) -> Option<Service> {
        let word = self.service_tier?.get().strip_prefix('"')?.strip_suffix('"')?;
        Service::of_tier(word)
    }
}

/// An error object, or the text alone that some send in its place.
pub(crate) fn fault(json: &str) -> StreamFault {
    let error = match serde_json::from_str(json) {
        Ok(Value::Object(mut body)) => match body.remove("error") {
            Some(inner @ Value::Object(_)) => inner,
            Some(Value::String(text)) => serde_json::json!({"message": text}),
            Some(_) | None => Value::Object(body),
        },
        Ok(Value::String(text)) => serde_json::json!({"message": text}),
        Ok(_) | Err(_) => Value::Null,
    };
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let message = text("message").or(text("detail")).or(text("type")).unwrap_or("unknown error");
    let number = |name: &str| {
        let value = error.get(name)?;
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
        u16::try_from(number).ok().filter(|status| (400..600).contains(status))
    };
    let status = ["code", "status", "status_code"].into_iter().find_map(number);
    let status = status.or_else(|| text("type").and_then(status_of_type));
    StreamFault::Error { message: message.to_owned(), status }
}

/// Statuses that error types stand for (Anthropic's names; OpenAI shares some).
fn status_of_type(kind: &str) -> Option<u16> {
    Some(match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "api_error" | "server_error" => 500,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => return None,
    })
}
