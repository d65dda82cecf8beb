//! The thread that runs the model: takes one request after the other, sends its events, notices when
//! nobody listens any more, and survives a request that fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;

use tokio::sync::mpsc::UnboundedSender;

use super::super::InferenceError;
use super::model::{Loaded, Weights};
use super::sampling::Sampler;
use super::text::{StopScanner, Utf8Joiner};
use super::{EngineSettings, GenerateRequest, Turn};
use crate::chat::{ChatEvent, StopReason, Usage};

pub(super) type Events = UnboundedSender<Result<ChatEvent, InferenceError>>;

pub(super) struct Job {
    pub(super) request: GenerateRequest,
    pub(super) events: Events,
}

/// Room that must be left for the answer, where the client does not ask for less.
const LEAST_ANSWER: u32 = 16;

/// Why a generation ends early.
enum Halt {
    /// Nobody listens.
    Cancelled,
    Failed(InferenceError),
}

impl From<InferenceError> for Halt {
    fn from(error: InferenceError) -> Self {
        Self::Failed(error)
    }
}

impl From<candle_core::Error> for Halt {
    fn from(error: candle_core::Error) -> Self {
        Self::Failed(InferenceError::Model(format!("the model failed: {error}")))
    }
}

/// Until the last engine handle is gone.
pub(super) fn run(jobs: &Receiver<Job>, model: &Loaded, settings: &EngineSettings) {
    while let Ok(Job { request, events }) = jobs.recv() {
        if events.is_closed() {
            continue;
        }
        // Every request works on its own clone of the weights handle, so a panic leaves nothing half done.
        let outcome = catch_unwind(AssertUnwindSafe(|| answer(&request, model, settings, &events)));
        let failure = match outcome {
            Ok(Ok(()) | Err(Halt::Cancelled)) => continue,
            Ok(Err(Halt::Failed(error))) => error,
            Err(_) => {
                tracing::error!(
                    "the embedded model panicked; the request is lost, the engine goes on"
                );
                InferenceError::Model("the model failed on this request".to_owned())
            }
        };
        // A receiver that is gone needs no error.
        let _ = events.send(Err(failure));
    }
}

fn answer(
    request: &GenerateRequest,
    model: &Loaded,
    settings: &EngineSettings,
    events: &Events,
) -> Result<(), Halt> {
    let prompt = prompt_ids(request, model, settings)?;
    let cap = output_cap(request, prompt.len(), model.window, settings)?;
    let mut weights = model.weights.clone();
    let logits = prefill(&mut weights, &prompt, model, (settings.prefill_chunk, events))?;
    send(events, ChatEvent::Start { id: None, model: None })?;
    let mut decoder = Decoder {
        model,
        weights,
        position: prompt.len(),
        sampler: Sampler::new(&request.sampling, &settings.sampling),
        scanner: StopScanner::new(&request.sampling.stop),
        joiner: Utf8Joiner::default(),
        events,
    };
    let (stop, output) = decoder.run(logits, cap)?;
    let usage = Usage { input: prompt.len() as u64, output: u64::from(output), ..Usage::default() };
    send(events, ChatEvent::Usage(usage))?;
    send(events, ChatEvent::Stop(stop))
}

fn prompt_ids(
    request: &GenerateRequest,
    model: &Loaded,
    settings: &EngineSettings,
) -> Result<Vec<u32>, InferenceError> {
    let text = match &settings.system {
        Some(system) if request.turns.iter().all(|turn| turn.role != "system") => {
            let own = Turn { role: "system", content: system.clone() };
            let turns: Vec<Turn> =
                std::iter::once(own).chain(request.turns.iter().cloned()).collect();
            model.template.render(&turns)?
        }
        _ => model.template.render(&request.turns)?,
    };
    // Tokenizing megabytes only to find that they do not fit would keep the others waiting.
    let least = model.tokenizer.least_tokens(text.len());
    if least > model.window as usize {
        let tokens = u32::try_from(least.max(text.len() / 4)).unwrap_or(u32::MAX);
        return Err(InferenceError::ContextOverflow { window: model.window, tokens });
    }
    model.tokenizer.encode(&text)
}

/// How long the answer may get: what was asked for, as far as the window has room.
fn output_cap(
    request: &GenerateRequest,
    prompt: usize,
    window: u32,
    settings: &EngineSettings,
) -> Result<u32, InferenceError> {
    let tokens = u32::try_from(prompt).unwrap_or(u32::MAX);
    let wanted = request.max_tokens.unwrap_or(settings.default_output).max(1);
    let room = window.saturating_sub(tokens);
    if room < wanted.min(LEAST_ANSWER) {
        return Err(InferenceError::ContextOverflow { window, tokens });
    }
    Ok(wanted.min(room))
}

/// Reads the prompt in pieces and returns the logits after its last token.
fn prefill(
    weights: &mut Weights,
    prompt: &[u32],
    model: &Loaded,
    (chunk, events): (usize, &Events),
) -> Result<Vec<f32>, Halt> {
    let mut logits = Vec::new();
    let mut position = 0;
    while position < prompt.len() {
        if events.is_closed() {
            return Err(Halt::Cancelled);
        }
        let end = position + weights.piece(prompt.len() - position, chunk);
        logits = weights.forward(&prompt[position..end], position, &model.device)?;
        position = end;
    }
    if logits.is_empty() {
        return Err(InferenceError::Model("the prompt is empty".to_owned()).into());
    }
    Ok(logits)
}

struct Decoder<'a> {
    model: &'a Loaded,
    weights: Weights,
    /// Tokens that the model has read.
    position: usize,
    sampler: Sampler,
    scanner: StopScanner,
    joiner: Utf8Joiner,
    events: &'a Events,
}

impl Decoder<'_> {
    /// Returns why it ended and how many tokens were made; the mark that ends a turn is not counted.
    fn run(&mut self, mut logits: Vec<f32>, cap: u32) -> Result<(StopReason, u32), Halt> {
        let mut made = 0;
        loop {
            if self.events.is_closed() {
                return Err(Halt::Cancelled);
            }
            let id = self.sampler.pick(&mut logits);
            if self.model.tokenizer.is_end(id) {
                self.flush()?;
                return Ok((StopReason::End, made));
            }
            made += 1;
            if self.show(id)? {
                return Ok((StopReason::StopSequence, made));
            }
            if made >= cap {
                self.flush()?;
                return Ok((StopReason::Length, made));
            }
            logits = self.weights.forward(&[id], self.position, &self.model.device)?;
            self.position += 1;
        }
    }

    /// Sends what the token completes; `true` once a stop sequence has come.
    fn show(&mut self, id: u32) -> Result<bool, Halt> {
        self.model.tokenizer.append_bytes(id, self.joiner.buffer());
        let scanned = self.scanner.push(&self.joiner.take());
        self.text(scanned.text)?;
        Ok(scanned.stopped)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        let rest = self.scanner.finish();
        self.text(rest)
    }

    fn text(&self, text: String) -> Result<(), Halt> {
        if text.is_empty() { Ok(()) } else { send(self.events, ChatEvent::Text(text)) }
    }
}

fn send(events: &Events, event: ChatEvent) -> Result<(), Halt> {
    events.send(Ok(event)).map_err(|_| Halt::Cancelled)
}
