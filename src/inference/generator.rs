//! The chat engine inside the router: one GGUF model, one worker thread, a bounded queue. It decides
//! how text is made from a conversation; it knows no HTTP, no routing and no downloads.

mod memory;
mod metadata;
mod model;
mod sampling;
mod template;
mod text;
#[cfg(test)]
pub(crate) mod tiny;
mod tokenizer;
mod worker;

use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::InferenceError;
use crate::chat::{ChatEvent, Sampling};

pub use sampling::SamplingDefaults;

/// How an engine works.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Most requests that may wait behind the one being answered.
    pub queue: usize,
    /// Cap on an answer for which the client set none, in tokens.
    pub default_output: u32,
    /// Prompt tokens per forward pass: between two of them a cancelled request is noticed.
    pub prefill_chunk: usize,
    /// Used where the client says nothing.
    pub sampling: SamplingDefaults,
    /// Put before a conversation that has no system message of its own. `None`: the template's own.
    pub system: Option<String>,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            queue: 8,
            default_output: 512,
            prefill_chunk: 128,
            sampling: SamplingDefaults::default(),
            system: Some(DEFAULT_SYSTEM.to_owned()),
        }
    }
}

/// Short on purpose: every word of it is paid for in prefill time, and small models follow one line
/// better than five.
const DEFAULT_SYSTEM: &str =
    "You are a concise programming assistant. Answer the question directly in English.";

/// Environment variables that make the engine leave one core to everything else, for a program that sets
/// them before its first use of the engine (candle reads them once and takes no other setting). On all
/// cores its threads wait for each other in every layer, and a busy machine makes that five times slower.
/// `given` tells which are set already; those stay as their owner wants them.
pub fn thread_environment(
    cores: usize,
    given: impl Fn(&str) -> bool,
) -> Vec<(&'static str, String)> {
    let threads = cores.saturating_sub(1).max(1);
    ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"]
        .into_iter()
        .filter(|name| !given(name))
        .map(|name| (name, threads.to_string()))
        .collect()
}

/// One message as a chat template sees it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Turn {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    pub content: String,
}

#[derive(Clone, Debug, Default)]
pub struct GenerateRequest {
    pub turns: Vec<Turn>,
    /// Cap on the answer in tokens.
    pub max_tokens: Option<u32>,
    pub sampling: Sampling,
}

/// A handle to a loaded model. Clones share the worker, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Engine {
    jobs: SyncSender<worker::Job>,
    window: u32,
    queue: usize,
}

impl Engine {
    /// Loads a model with the default settings. Blocks for the time of reading the file.
    ///
    /// # Errors
    /// See [`Self::load_with`].
    pub fn load(gguf: &Path) -> Result<Self, InferenceError> {
        Self::load_with(gguf, EngineSettings::default())
    }

    /// Loads a model and starts its worker.
    ///
    /// # Errors
    /// `Model`: unreadable file, unknown architecture or tokenizer, no chat template, too little memory.
    pub fn load_with(gguf: &Path, settings: EngineSettings) -> Result<Self, InferenceError> {
        let model = model::load(gguf)?;
        let window = model.window;
        let queue = settings.queue;
        let (jobs, queued) = sync_channel(queue);
        std::thread::Builder::new()
            .name("generator".to_owned())
            .spawn(move || worker::run(&queued, &model, &settings))
            .map_err(|error| InferenceError::Model(format!("cannot start a thread: {error}")))?;
        Ok(Self { jobs, window, queue })
    }

    /// Prompt and answer together, in tokens.
    pub fn context_window(&self) -> u32 {
        self.window
    }

    /// Most requests that may wait.
    pub fn queue(&self) -> usize {
        self.queue
    }

    /// Queues a request. The stream begins with `Start` once the prompt has been read, and ends with
    /// `Usage` and `Stop`, or with an error. Dropping it cancels between two tokens.
    ///
    /// # Errors
    /// `Saturated` if the queue is full, `Stopped` if the worker is gone.
    pub fn generate(
        &self,
        request: GenerateRequest,
    ) -> Result<BoxStream<'static, Result<ChatEvent, InferenceError>>, InferenceError> {
        let (events, received) = tokio::sync::mpsc::unbounded_channel();
        self.jobs.try_send(worker::Job { request, events }).map_err(|error| match error {
            TrySendError::Full(_) => InferenceError::Saturated,
            TrySendError::Disconnected(_) => InferenceError::Stopped,
        })?;
        Ok(UnboundedReceiverStream::new(received).boxed())
    }
}

#[cfg(test)]
mod tests;
