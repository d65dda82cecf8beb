//! OpenAI's chat completions, and the explanation of what would be done with a chat request:
//! bytes in, reply out.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::body::Payload;
use super::context::Incoming;
use super::error::Failure;
use super::reply::respond;
use crate::chat::{ChatRequest, Dialect};
use crate::state::AppState;
use crate::{pipeline, wire};

/// `POST /v1/chat/completions`.
pub(super) async fn chat_completions(
    State(state): State<AppState>,
    Incoming(context): Incoming,
    Payload(body): Payload,
) -> Result<Response, Failure> {
    let request = decode(Dialect::OpenAi, &body)?;
    let reply = pipeline::handle(&state, context, request).await?;
    Ok(respond(reply))
}

/// `POST /v1/route`: a chat, responses or messages body; says what would be done and why.
pub(super) async fn explain(
    State(state): State<AppState>,
    Incoming(context): Incoming,
    RawQuery(query): RawQuery,
    Payload(body): Payload,
) -> Result<Response, Failure> {
    let dialect = match asked_api(query.as_deref().unwrap_or_default())? {
        Some(dialect) => dialect,
        None => wire::detect_dialect(&body),
    };
    let request = decode(dialect, &body)?;
    Ok(Json(pipeline::explain(&state, context, request).await?).into_response())
}

/// `?api=`, where the caller says what kind of body it sends.
fn asked_api(query: &str) -> Result<Option<Dialect>, Failure> {
    let api = query.split('&').find_map(|pair| pair.strip_prefix("api="));
    match api {
        None | Some("") => Ok(None),
        Some("chat") => Ok(Some(Dialect::OpenAi)),
        Some("messages") => Ok(Some(Dialect::Anthropic)),
        Some("responses") => Ok(Some(Dialect::Responses)),
        Some(_) => {
            let message = "the parameter api must be chat, messages or responses";
            Err(Failure::invalid(message).with_param("api"))
        }
    }
}

fn decode(dialect: Dialect, body: &Bytes) -> Result<ChatRequest, Failure> {
    if body.trim_ascii().is_empty() {
        return Err(Failure::invalid("the request has no body: send a JSON object"));
    }
    wire::decode_request(dialect, body.clone()).map_err(|error| match std::str::from_utf8(body) {
        Ok(_) => Failure::from(error),
        Err(bad) => {
            let at = bad.valid_up_to();
            let before = body.get(..at).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column =
                at - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |nl| nl + 1) + 1;
            Failure::invalid(format!(
                "the body is not valid UTF-8: wrong byte at line {line} column {column}"
            ))
        }
    })
}
