//! An upstream that does what the test says: answers, streams, stalls, cuts, fails.
//! Shapes follow the providers' documentation.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// What to do with one request.
#[derive(Clone, Debug)]
pub enum Script {
    /// Answers with this text and usage (prompt, cached, completion tokens), streamed if asked.
    Answer { text: String, usage: (u64, u64, u64) },
    /// A status with a JSON body and headers.
    Status(u16, Value, Vec<(&'static str, String)>),
    /// Sends nothing, then closes.
    Stall(Duration),
    /// Sends the head of a stream and `chunks` chunks, then drops the connection.
    Cut { chunks: usize },
    /// Sends these bytes as a stream, then ends as told.
    Stream(String, Tail),
    /// Status 200 with this JSON text as a whole answer.
    Whole(String),
    /// Sends chunks with a pause before each, without end, until the client leaves.
    Endless { pause: Duration },
    /// Streams so many chunks with a pause before each, and ends with its usage: a prompt of
    /// [`SLOW_PROMPT`] tokens, and [`SLOW_CHUNK`] tokens for each chunk. Keeps an [`Invoice`].
    Slow { chunks: u64, pause: Duration },
}

/// Tokens that [`Script::Slow`] says a prompt has.
pub const SLOW_PROMPT: u64 = 20;
/// Tokens that [`Script::Slow`] says a chunk has.
pub const SLOW_CHUNK: u64 = 50;

/// What the upstream could bill for its [`Script::Slow`] answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Invoice {
    pub begun: u64,
    /// Chunks of all answers, also of those that were left.
    pub chunks: u64,
    /// Answers whose usage was sent.
    pub finished: u64,
}

/// How a stream ends.
#[derive(Clone, Copy, Debug)]
pub enum Tail {
    Close,
    /// Without HTTP's own end.
    Break,
    /// Never.
    Hang,
}

/// The frames of a short chat stream: text, finish reason, usage.
pub fn frames() -> String {
    let mut all = String::from_utf8(chunk("Hello").to_vec()).unwrap();
    for (choices, usage) in [
        (json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), Value::Null),
        (json!([]), json!({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120})),
    ] {
        let last = json!({"id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": "upstream-name", "choices": choices, "usage": usage});
        all.push_str(&format!("data: {last}\n\n"));
    }
    all
}

impl Script {
    pub fn answer(text: &str) -> Self {
        Self::Answer { text: text.to_owned(), usage: (100, 0, 20) }
    }

    pub fn status(status: u16) -> Self {
        let body = json!({"error": {"message": format!("scripted {status}"), "type": "scripted"}});
        Self::Status(status, body, Vec::new())
    }
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
}

#[derive(Default)]
struct Stage {
    /// For each model: what to do, first in first out; the last one stays.
    scripts: HashMap<String, Vec<Script>>,
    received: Vec<Received>,
    /// Streams that a client left before their end.
    abandoned: usize,
    invoice: Invoice,
}

/// A running upstream. Stops when dropped.
pub struct Upstream {
    pub base: String,
    stage: Arc<Mutex<Stage>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stage = Arc::new(Mutex::new(Stage::default()));
        let app = Router::new().fallback(serve).with_state(stage.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, stage, task }
    }

    /// Adds to what is done for `model`.
    pub fn script(&self, model: &str, script: Script) -> &Self {
        self.stage.lock().scripts.entry(model.to_owned()).or_default().push(script);
        self
    }

    pub fn received(&self) -> Vec<Received> {
        self.stage.lock().received.clone()
    }

    pub fn last(&self) -> Received {
        self.received().pop().expect("the upstream was called")
    }

    pub fn abandoned(&self) -> usize {
        self.stage.lock().abandoned
    }

    pub fn invoice(&self) -> Invoice {
        self.stage.lock().invoice
    }

    /// Stops listening at once: connections are refused from here on.
    pub fn stop(&self) {
        self.task.abort();
    }
}

async fn serve(
    State(stage): State<Arc<Mutex<Stage>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let model = request["model"].as_str().unwrap_or_default().to_owned();
    let script = {
        let mut stage = stage.lock();
        stage.received.push(Received { path: path.clone(), headers, body });
        let scripts = stage.scripts.entry(model).or_default();
        match scripts.len() {
            0 => Script::answer("scripted answer"),
            1 => scripts[0].clone(),
            _ => scripts.remove(0),
        }
    };
    let streamed = request["stream"] == json!(true);
    match script {
        Script::Status(status, body, extra) => {
            let mut response =
                (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response();
            for (name, value) in extra {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Script::Stall(pause) => {
            tokio::time::sleep(pause).await;
            StatusCode::NO_CONTENT.into_response()
        }
        Script::Answer { text, usage } if path.ends_with("/messages") => {
            anthropic(&text, usage, streamed)
        }
        Script::Answer { text, usage } => openai(&request, &text, usage, streamed),
        Script::Cut { chunks } => {
            let frames = (0..chunks).map(|n| Ok(chunk(&format!("part {n} "))));
            // The server drops what it has not flushed when the body fails.
            let broken = futures_util::stream::once(async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(std::io::Error::other("cut"))
            });
            sse(Body::from_stream(futures_util::stream::iter(frames).chain(broken)))
        }
        Script::Whole(text) => ([("content-type", "application/json")], text).into_response(),
        Script::Stream(text, tail) => stream(stage, text, tail),
        Script::Endless { pause } => endless(stage, pause),
        Script::Slow { chunks, pause } => slow(stage, chunks, pause),
    }
}

fn stream(stage: Arc<Mutex<Stage>>, text: String, tail: Tail) -> Response {
    let leaving = matches!(tail, Tail::Hang).then(|| Leaving(stage));
    let sent = futures_util::stream::once(async { Ok(Bytes::from(text)) });
    let end = futures_util::stream::once(async move {
        match tail {
            Tail::Close => Ok(Bytes::new()),
            Tail::Break => {
                // The server drops what it has not flushed when the body fails.
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(std::io::Error::other("cut"))
            }
            Tail::Hang => {
                let _leaving = leaving;
                std::future::pending().await
            }
        }
    });
    sse(Body::from_stream(sent.chain(end)))
}

/// Counts a stream that is dropped before its end.
struct Leaving(Arc<Mutex<Stage>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.lock().abandoned += 1;
    }
}

fn slow(stage: Arc<Mutex<Stage>>, chunks: u64, pause: Duration) -> Response {
    stage.lock().invoice.begun += 1;
    let usage = json!({"prompt_tokens": SLOW_PROMPT, "completion_tokens": chunks * SLOW_CHUNK});
    let last = json!({"id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": "upstream-name",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage});
    let last = format!("data: {last}\n\ndata: [DONE]\n\n");
    let frames = futures_util::stream::unfold(0, move |n| {
        let (stage, last) = (stage.clone(), last.clone());
        async move {
            if n > chunks {
                return None;
            }
            tokio::time::sleep(pause).await;
            let mut stage = stage.lock();
            let frame = if n == chunks {
                stage.invoice.finished += 1;
                Bytes::from(last)
            } else {
                stage.invoice.chunks += 1;
                chunk(&format!("tick {n} "))
            };
            Some((Ok::<_, Infallible>(frame), n + 1))
        }
    });
    sse(Body::from_stream(frames))
}

fn endless(stage: Arc<Mutex<Stage>>, pause: Duration) -> Response {
    let leaving = Leaving(stage);
    let frames = futures_util::stream::unfold((0_u64, leaving), move |(n, leaving)| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Infallible>(chunk(&format!("tick {n} "))), (n + 1, leaving)))
    });
    sse(Body::from_stream(frames))
}

fn sse(body: Body) -> Response {
    ([("content-type", "text/event-stream")], body).into_response()
}

/// One frame of a chat stream.
pub fn chunk(text: &str) -> Bytes {
    let chunk = json!({"id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": "upstream-name",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    format!("data: {chunk}\n\n").into()
}

fn openai(request: &Value, text: &str, usage: (u64, u64, u64), streamed: bool) -> Response {
    let (prompt, cached, completion) = usage;
    let usage = json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached}});
    if !streamed {
        return axum::Json(json!({"id": "chatcmpl-up", "object": "chat.completion", "created": 1, "model": request["model"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": usage, "x_upstream": {"kept": [1, 2.50]}}))
        .into_response();
    }
    let mut frames: Vec<Bytes> = text.split_inclusive(' ').map(chunk).collect();
    frames.push("data: {\"id\":\"chatcmpl-up\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"upstream-name\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n".into());
    if request["stream_options"]["include_usage"] == json!(true) {
        let last = json!({"id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": "upstream-name", "choices": [], "usage": usage});
        frames.push(format!("data: {last}\n\n").into());
    }
    frames.push("data: [DONE]\n\n".into());
    sse(Body::from_stream(futures_util::stream::iter(frames).map(Ok::<_, Infallible>)))
}

fn anthropic(
    text: &str,
    (prompt, cached, completion): (u64, u64, u64),
    streamed: bool,
) -> Response {
    let uncached = prompt - cached;
    if !streamed {
        return axum::Json(json!({"id": "msg_up", "type": "message", "role": "assistant", "model": "claude-up",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": uncached, "cache_read_input_tokens": cached, "cache_creation_input_tokens": 0, "output_tokens": completion}}))
        .into_response();
    }
    let event = |value: Value| {
        Bytes::from(format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap()))
    };
    let mut frames = vec![
        event(
            json!({"type": "message_start", "message": {"id": "msg_up", "type": "message", "role": "assistant", "model": "claude-up",
            "content": [], "stop_reason": null, "usage": {"input_tokens": uncached, "cache_read_input_tokens": cached, "output_tokens": 1}}}),
        ),
        event(
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ),
    ];
    for piece in text.split_inclusive(' ') {
        frames.push(event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})));
    }
    frames.push(event(json!({"type": "content_block_stop", "index": 0})));
    frames.push(event(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": completion}})));
    frames.push(event(json!({"type": "message_stop"})));
    sse(Body::from_stream(futures_util::stream::iter(frames).map(Ok::<_, Infallible>)))
}
