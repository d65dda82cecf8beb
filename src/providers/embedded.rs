//! The engine inside the router as a provider: loads on a thread of its own, turns a canonical
//! request into what a chat template takes, and says what it left out. It decides nothing about when it is used.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use tokio::sync::watch;

use super::{
    Billed, Provider, ProviderCall, ProviderError, ProviderErrorKind, ProviderReply, ReplyBody,
};
use crate::chat::{ChatRequest, Dialect, Part, Role};
use crate::inference::InferenceError;
use crate::inference::generator::{Engine, EngineSettings, GenerateRequest, Turn};

/// Whether the engine can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The model file is not there.
    Missing,
    Loading,
    /// With the window in tokens.
    Ready(u32),
    Failed(String),
}

/// A loaded model, or why there is none. Cheap to clone behind an `Arc`; survives reloads.
pub struct EmbeddedProvider {
    path: PathBuf,
    settings: EngineSettings,
    state: watch::Sender<State>,
}

#[derive(Clone)]
enum State {
    Missing,
    Loading,
    Ready(Engine),
    Failed(String),
}

impl EmbeddedProvider {
    /// Begins to load at once if the file is there.
    pub fn new(path: PathBuf, settings: EngineSettings) -> Arc<Self> {
        let provider = Arc::new(Self { path, settings, state: watch::Sender::new(State::Missing) });
        provider.load();
        provider
    }

    /// Loads the file unless that is done or under way: for the moment when a download has ended. Returns
    /// at once.
    pub fn load(self: &Arc<Self>) {
        let begin = self.path.is_file()
            && self.state.send_if_modified(|state| match state {
                State::Missing | State::Failed(_) => {
                    *state = State::Loading;
                    true
                }
                State::Loading | State::Ready(_) => false,
            });
        if !begin {
            return;
        }
        let this = Arc::clone(self);
        let thread = std::thread::Builder::new().name("model-load".to_owned());
        if let Err(error) = thread.spawn(move || this.read_model()) {
            self.state.send_replace(State::Failed(format!("cannot start a thread: {error}")));
        }
    }

    fn read_model(&self) {
        let settings = self.settings.clone();
        let loaded = catch_unwind(AssertUnwindSafe(|| Engine::load_with(&self.path, settings)));
        let state = match loaded {
            Ok(Ok(engine)) => {
                tracing::info!(window = engine.context_window(), "the embedded model is ready");
                State::Ready(engine)
            }
            Ok(Err(error)) => State::Failed(error.to_string()),
            Err(_) => State::Failed("the model file is broken".to_owned()),
        };
        if let State::Failed(message) = &state {
            tracing::warn!(%message, "the embedded model cannot be loaded");
        }
        self.state.send_replace(state);
    }

    /// Where the model file is expected.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state now.
    pub fn ready(&self) -> Readiness {
        self.state.borrow().readiness()
    }

    /// Waits while the model loads and returns what came of it.
    pub async fn settled(&self) -> Readiness {
        let mut states = self.state.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        match states.wait_for(|state| !matches!(state, State::Loading)).await {
            Ok(state) => state.readiness(),
            Err(_) => self.ready(),
        }
    }

    fn engine(&self) -> Result<Engine, ProviderError> {
        let message = match &*self.state.borrow() {
            State::Ready(engine) => return Ok(engine.clone()),
            State::Missing => {
                let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
                format!("the local model is not there: run `edge-router models pull {name}`")
            }
            State::Loading => "the local model is being loaded".to_owned(),
            State::Failed(message) => message.clone(),
        };
        Err(unavailable(message, Some(LOAD_RETRY)))
    }

    async fn answer(&self, call: ProviderCall) -> Result<ProviderReply, ProviderError> {
        let engine = self.engine()?;
        let (request, dropped) = convert(&call, &self.settings)?;
        let mut events = engine.generate(request).map_err(|error| advise(&error))?;
        let first = match events.next().await {
            Some(Ok(event)) => event,
            Some(Err(error)) => return Err(advise(&error)),
            None => return Err(advise(&InferenceError::Stopped)),
        };
        let events = stream::once(async move { Ok(first) })
            .chain(events.map(|event| event.map_err(|error| advise(&error))));
        Ok(ProviderReply {
            dialect: Dialect::OpenAi,
            body: ReplyBody::Events(events.boxed()),
            dropped,
        })
    }
}

/// How soon it is worth asking again.
const LOAD_RETRY: Duration = Duration::from_secs(2);
const BUSY_RETRY: Duration = Duration::from_secs(10);

impl State {
    fn readiness(&self) -> Readiness {
        match self {
            Self::Missing => Readiness::Missing,
            Self::Loading => Readiness::Loading,
            Self::Ready(engine) => Readiness::Ready(engine.context_window()),
            Self::Failed(message) => Readiness::Failed(message.clone()),
        }
    }
}

impl fmt::Debug for EmbeddedProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedProvider")
            .field("path", &self.path)
            .field("ready", &self.ready())
            .finish_non_exhaustive()
    }
}

impl Provider for EmbeddedProvider {
    fn call(&self, call: ProviderCall) -> BoxFuture<'_, Result<ProviderReply, ProviderError>> {
        Box::pin(self.answer(call))
    }
}

fn unavailable(message: String, retry_after: Option<Duration>) -> ProviderError {
    ProviderError {
        kind: ProviderErrorKind::Unavailable,
        status: None,
        message,
        body: None,
        retry_after,
        billed: Billed::Nothing,
    }
}

fn advise(error: &InferenceError) -> ProviderError {
    let message = error.to_string();
    match error {
        InferenceError::Saturated => unavailable(
            "the local model is busy and its queue is full: try again in a moment".to_owned(),
            Some(BUSY_RETRY),
        ),
        InferenceError::Stopped | InferenceError::Deadline => {
            unavailable(message, Some(BUSY_RETRY))
        }
        InferenceError::ContextOverflow { .. } => ProviderError {
            kind: ProviderErrorKind::ContextOverflow,
            status: None,
            message,
            body: None,
            retry_after: None,
            billed: Billed::Nothing,
        },
        InferenceError::Model(_) => ProviderError {
            kind: ProviderErrorKind::Server,
            status: None,
            message,
            body: None,
            retry_after: None,
            billed: Billed::Nothing,
        },
    }
}

/// The request as the engine takes it, and what it has no place for.
fn convert(
    call: &ProviderCall,
    settings: &EngineSettings,
) -> Result<(GenerateRequest, Vec<String>), ProviderError> {
    let request = &*call.request;
    let mut dropped = Dropped(Vec::new());
    let mut turns: Vec<Turn> = Vec::new();
    for message in &request.messages {
        let role = match message.role {
            Role::System | Role::Developer => "system",
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let mut content = String::new();
        for part in &message.parts {
            append(part, &mut content, &mut dropped)?;
        }
        match turns.last_mut() {
            // One system message at the beginning is what templates know.
            Some(last) if role == "system" && last.role == "system" => {
                last.content.push_str("\n\n");
                last.content.push_str(&content);
            }
            _ => turns.push(Turn { role, content }),
        }
    }
    note_unused(request, &mut dropped);
    // Where the client sets no cap, the one of the call is made for models that are a hundred times faster.
    let wanted = request.max_output_tokens.unwrap_or(settings.default_output);
    let max_tokens = Some(call.output_cap.map_or(wanted, |cap| cap.min(wanted)));
    Ok((GenerateRequest { turns, max_tokens, sampling: request.sampling.clone() }, dropped.0))
}

struct Dropped(Vec<String>);

impl Dropped {
    fn note(&mut self, what: &str) {
        if !self.0.iter().any(|known| known == what) {
            self.0.push(what.to_owned());
        }
    }
}

fn note_unused(request: &ChatRequest, dropped: &mut Dropped) {
    let unused = [
        ("tools", !request.tools.is_empty()),
        ("tool_choice", request.tool_choice.is_some()),
        ("response_format", request.output_format.is_some()),
        ("reasoning_effort", request.reasoning_effort.is_some()),
    ];
    for (name, present) in unused {
        if present {
            dropped.note(name);
        }
    }
}

/// Tool traffic of earlier turns becomes text: the model cannot call tools, but it can read what they
/// said.
fn append(part: &Part, out: &mut String, dropped: &mut Dropped) -> Result<(), ProviderError> {
    match part {
        Part::Text { text, .. } => line(out, text),
        Part::ToolCall(call) => {
            line(out, &format!("[called {} with {}]", call.name, call.arguments));
            dropped.note("tool_calls");
        }
        Part::ToolResult { content, .. } => {
            dropped.note("tool_calls");
            line(out, "[result of the call]");
            for inner in content {
                append(inner, out, dropped)?;
            }
        }
        Part::Thinking { .. } | Part::RedactedThinking { .. } => dropped.note("thinking"),
        Part::Image(_) => return Err(unreadable("images")),
        Part::Other { kind, .. } => return Err(unreadable(&format!("`{kind}` parts"))),
    }
    Ok(())
}

fn line(out: &mut String, text: &str) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(text);
}

fn unreadable(what: &str) -> ProviderError {
    ProviderError {
        kind: ProviderErrorKind::Request,
        status: None,
        message: format!(
            "the local model reads text only: remove the {what} or choose a model that takes them"
        ),
        body: None,
        retry_after: None,
        billed: Billed::Nothing,
    }
}

#[cfg(test)]
mod tests;
