//! Calls to models over HTTP, in every dialect: address, credentials, deadlines, and what a failure
//! means. What the bodies say is `wire`'s.

mod classify;
mod client;
mod peek;
mod retry_after;

pub use client::{ClientError, HttpClient};

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Billed, Provider, ProviderCall, ProviderError, ProviderErrorKind, ProviderKind, ProviderReply,
    ProviderSettings, ReplyBody,
};
use crate::chat::Dialect;
use crate::ids::ProviderId;
use crate::strategy::estimate::prompt_tokens;
use crate::wire::{Patch, encode_request};
use peek::{Peek, peek};

/// A whole answer larger than this is refused.
const LARGEST_ANSWER: usize = 64 << 20;
/// No more of an error's body is read.
const LARGEST_ERROR: usize = 64 << 10;
/// The body of an error is waited for no longer.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// The version that is sent unless the client names one (Anthropic's API reference, "Versions").
const ANTHROPIC_VERSION: &str = "2023-06-01";
/// Ollama loads a model anew when the window changes: windows are powers of two, at least this.
const LEAST_OLLAMA_WINDOW: u32 = 8_192;
const NO_STREAM: &str = "did not answer with a stream";

type Chunks = BoxStream<'static, Result<Bytes, ProviderError>>;

/// A provider that is called over HTTP.
#[derive(Debug)]
pub struct HttpProvider {
    id: ProviderId,
    dialect: Dialect,
    url: Url,
    /// Configured headers, the same for every call.
    headers: HeaderMap,
    first_byte: Duration,
    whole_answer: Duration,
    client: reqwest::Client,
}

impl HttpProvider {
    /// # Errors
    /// If the address or a configured header cannot be used, or the kind is not called over HTTP.
    pub fn new(settings: &ProviderSettings, client: &HttpClient) -> Result<Self, ClientError> {
        let (dialect, path) = match settings.kind {
            ProviderKind::OpenAi => (Dialect::OpenAi, "/chat/completions"),
            ProviderKind::Anthropic => (Dialect::Anthropic, "/v1/messages"),
            ProviderKind::Ollama => (Dialect::Ollama, "/api/chat"),
            ProviderKind::Embedded => return Err(ClientError::NotHttp(settings.id.clone())),
        };
        let address = format!("{}{path}", settings.base_url.trim_end_matches('/'));
        let url = Url::parse(&address)
            .map_err(|error| ClientError::Address { address, reason: error.to_string() })?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if dialect == Dialect::Anthropic {
            headers.insert("anthropic-version", HeaderValue::from_static(ANTHROPIC_VERSION));
        }
        for (name, value) in &settings.headers {
            let (Ok(key), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            else {
                return Err(ClientError::Header(name.clone()));
            };
            headers.insert(key, value);
        }
        Ok(Self {
            id: settings.id.clone(),
            dialect,
            client: client.towards(&url, settings.kind).clone(),
            url,
            headers,
            first_byte: settings.first_byte_timeout,
            whole_answer: settings.whole_answer_timeout,
        })
    }

    async fn run(&self, call: ProviderCall) -> Result<ProviderReply, ProviderError> {
        let streamed = call.request.stream;
        let patch = Patch {
            model: &call.model,
            output_cap: call.output_cap,
            stream: streamed,
            num_ctx: self.window(&call),
        };
        let encoded = encode_request(self.dialect, &call.request, &patch).map_err(|error| {
            let message = format!("the request cannot be sent to {}: {error}", self.id);
            failure(ProviderErrorKind::Request, message)
        })?;
        let request = self.client.post(self.url.clone()).headers(self.headers(&call)?);
        let request = request.body(encoded.body);
        let patience = if streamed { self.first_byte } else { self.whole_answer };
        let begun = async {
            let response = request.send().await.map_err(|error| self.broken(error))?;
            self.begin(response, call.key.as_ref()).await
        };
        let (first, rest) =
            tokio::time::timeout(patience, begun).await.map_err(|_| self.silent(patience))??;
        let body = if streamed {
            ReplyBody::Bytes(self.checked_stream(first, rest).await?)
        } else {
            ReplyBody::Whole(self.whole(first, rest).await?)
        };
        Ok(ProviderReply { dialect: self.dialect, body, dropped: encoded.dropped })
    }

    /// The context window to ask Ollama for: it cuts longer prompts silently (facts file).
    fn window(&self, call: &ProviderCall) -> Option<u32> {
        if self.dialect != Dialect::Ollama {
            return None;
        }
        let prompt = prompt_tokens(&call.request);
        let needed = prompt.ceiling.saturating_add(call.output_cap.unwrap_or(0));
        let rounded = needed.max(LEAST_OLLAMA_WINDOW).checked_next_power_of_two();
        Some(rounded.unwrap_or(u32::MAX).min(call.model.context_window))
    }

    fn headers(&self, call: &ProviderCall) -> Result<HeaderMap, ProviderError> {
        let mut headers = self.headers.clone();
        for (name, value) in &call.headers {
            // What a client sends and HTTP does not allow is left out.
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            {
                headers.insert(name, value);
            }
        }
        if let Some(key) = &call.key {
            let (name, value) = match self.dialect {
                Dialect::Anthropic => {
                    (HeaderName::from_static("x-api-key"), key.expose_secret().to_owned())
                }
                Dialect::OpenAi | Dialect::Responses | Dialect::Ollama => {
                    (AUTHORIZATION, format!("Bearer {}", key.expose_secret()))
                }
            };
            let mut value = HeaderValue::from_str(&value).map_err(|_| {
                let message = format!("the key of {} holds characters that HTTP forbids", self.id);
                failure(ProviderErrorKind::Auth, message)
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// The first chunk of a successful answer, and the rest of it.
    async fn begin(
        &self,
        response: reqwest::Response,
        key: Option<&SecretString>,
    ) -> Result<(Bytes, Chunks), ProviderError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let id = self.id.clone();
        let mut chunks: Chunks =
            response.bytes_stream().map_err(move |error| broken(&id, error)).boxed();
        if !status.is_success() {
            return Err(self.refused(status, &headers, chunks, key).await);
        }
        loop {
            match chunks.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => return Ok((chunk, chunks)),
                Some(Err(error)) => return Err(after(error, 0)),
                None => return Err(self.protocol("answered with nothing", &[])),
            }
        }
    }

    /// Reads an error's body, as far as it comes, and says what the error means.
    async fn refused(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        mut chunks: Chunks,
        key: Option<&SecretString>,
    ) -> ProviderError {
        let mut body = BytesMut::new();
        let read = async {
            while let Some(Ok(chunk)) = chunks.next().await {
                let room = LARGEST_ERROR - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if body.len() == LARGEST_ERROR {
                    break;
                }
            }
        };
        // Whatever has come by then has to do.
        let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, read).await;
        let secret = key.map(|key| key.expose_secret());
        classify::refusal(&self.id, status, headers, &body.freeze()).without(secret)
    }

    /// Holds a stream back until its first event is there: an error in its place is a failed call,
    /// and another target can still serve. Comments and pings show that the provider is at work.
    async fn checked_stream(
        &self,
        first: Bytes,
        mut rest: Chunks,
    ) -> Result<Chunks, ProviderError> {
        let mut held = vec![first];
        let mut seen = BytesMut::from(held[0].as_ref());
        loop {
            match peek(self.dialect, &seen) {
                Peek::Good => break,
                Peek::Error(error) => return Err(classify::stream_error(&self.id, &error)),
                Peek::NotAStream => return Err(self.protocol(NO_STREAM, &seen)),
                Peek::More if seen.len() > LARGEST_ERROR && self.looks_whole(&seen) => {
                    return Err(self.protocol(NO_STREAM, &seen));
                }
                Peek::More if seen.len() > LARGEST_ERROR => break,
                Peek::More => {}
            }
            let next = tokio::time::timeout(self.first_byte, rest.next()).await;
            match next.map_err(|_| self.silent(self.first_byte))? {
                Some(chunk) => {
                    let chunk = chunk.map_err(|error| after(error, seen.len()))?;
                    seen.extend_from_slice(&chunk);
                    held.push(chunk);
                }
                None if seen.iter().all(u8::is_ascii_whitespace) => {
                    return Err(self.protocol("answered with nothing", &[]));
                }
                None => return self.only_frame(seen).map(|()| chunks_of(held, rest)),
            }
        }
        Ok(chunks_of(held, rest))
    }

    /// A whole JSON answer that is too long to be looked at, where events were asked for.
    fn looks_whole(&self, seen: &[u8]) -> bool {
        self.dialect != Dialect::Ollama && seen.trim_ascii_start().first() == Some(&b'{')
    }

    /// The stream has ended within its first frame, whose last line may lack its end.
    fn only_frame(&self, mut seen: BytesMut) -> Result<(), ProviderError> {
        seen.extend_from_slice(b"\n\n");
        match peek(self.dialect, &seen) {
            Peek::Good => Ok(()),
            Peek::Error(error) => Err(classify::stream_error(&self.id, &error)),
            Peek::NotAStream | Peek::More => Err(self.protocol(NO_STREAM, &seen)),
        }
    }

    /// The whole answer, known to be a JSON object without an error in it.
    async fn whole(&self, first: Bytes, mut rest: Chunks) -> Result<Bytes, ProviderError> {
        let broken_after = |length: usize| move |error: ProviderError| after(error, length);
        let second = rest.try_next().await.map_err(broken_after(first.len()))?;
        let Some(second) = second else { return self.checked_whole(first) };
        let mut body = BytesMut::from(first.as_ref());
        body.extend_from_slice(&second);
        while let Some(chunk) = rest.try_next().await.map_err(broken_after(body.len()))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(self.protocol("sent an answer of more than 64 MiB", &body));
            }
            body.extend_from_slice(&chunk);
        }
        self.checked_whole(body.freeze())
    }

    fn checked_whole(&self, body: Bytes) -> Result<Bytes, ProviderError> {
        match peek::whole(&body) {
            Peek::Error(error) => Err(classify::stream_error(&self.id, &error)),
            Peek::Good => Ok(body),
            Peek::NotAStream | Peek::More => {
                Err(self.protocol("sent an answer that is not a JSON object", &body))
            }
        }
    }

    fn silent(&self, patience: Duration) -> ProviderError {
        let message = format!("{} sent nothing for {} s", self.id, patience.as_secs_f64());
        // It may still be on its way to a connection, but those have a shorter patience.
        let billed = Billed::AtWork;
        ProviderError { billed, ..failure(ProviderErrorKind::Timeout, message) }
    }

    /// A success whose body is no answer. A page (of a proxy, say) does not come from the model.
    fn protocol(&self, what: &str, body: &[u8]) -> ProviderError {
        let page = body.trim_ascii_start().first() == Some(&b'<');
        let billed = if page { Billed::Nothing } else { Billed::Bytes(body.len() as u64) };
        let message = format!("{} {what}", self.id);
        ProviderError { billed, ..failure(ProviderErrorKind::Protocol, message) }
    }

    fn broken(&self, error: reqwest::Error) -> ProviderError {
        broken(&self.id, error)
    }
}

impl Provider for HttpProvider {
    fn call(&self, call: ProviderCall) -> BoxFuture<'_, Result<ProviderReply, ProviderError>> {
        self.run(call).boxed()
    }
}

fn chunks_of(held: Vec<Bytes>, rest: Chunks) -> Chunks {
    stream::iter(held.into_iter().map(Ok)).chain(rest).boxed()
}

fn failure(kind: ProviderErrorKind, message: String) -> ProviderError {
    let billed = Billed::Nothing;
    ProviderError { kind, status: None, message, body: None, retry_after: None, billed }
}

/// A successful answer that broke off after so many bytes.
fn after(error: ProviderError, bytes: usize) -> ProviderError {
    ProviderError { billed: Billed::Bytes(bytes as u64), ..error }
}

/// A connection that was not made or broke, with the innermost cause and no address (it may hold
/// credentials).
pub(super) fn broken(id: &ProviderId, error: reqwest::Error) -> ProviderError {
    let what = if error.is_connect() {
        "cannot be reached"
    } else if error.is_timeout() {
        "did not answer in time"
    } else {
        "broke the connection"
    };
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    failure(ProviderErrorKind::Network, format!("{id} {what}: {cause}"))
}

#[cfg(test)]
mod tests;
