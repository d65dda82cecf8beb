//! The tier model: text in, five probabilities out. Loads weights, checks that they fit, reads the text,
//! runs the encoder. Knows no queue and no routing.

use std::path::Path;

use candle_core::Device;
use candle_core::safetensors::load_buffer;
use serde::{Deserialize, Serialize};

use super::InferenceError;
use super::encoder::{CLASSES, Encoder};
use super::tokens::Tokens;
use crate::analyze::Scores;
use crate::catalog::Tier;

/// The layout of config and weights that this program reads.
pub const VERSION: u32 = 3;

/// The model's folder inside a models folder, and its files.
pub const FOLDER: &str = "tier-classifier";
pub const CONFIG: &str = "config.json";
pub const WEIGHTS: &str = "model.safetensors";
pub const TOKENIZER: &str = "tokenizer.json";

/// What `config.json` says beside the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    pub version: u32,
    /// Must be the five tiers in rising order.
    pub labels: Vec<Tier>,
    pub layers: usize,
    pub heads: usize,
    /// Most tokens of a text that are looked at.
    pub window: usize,
    /// Divides the logits, so that probabilities match frequencies on prompts that were not trained on.
    pub temperature: f32,
    /// How much more often each tier is meant by the words that people type than by the same words in the
    /// training files: multiplies the probabilities, which are then made to sum to 1 again.
    pub prior: Scores,
    /// BLAKE3 of the training files, in the order of their names.
    pub data_blake3: String,
    pub seed: u64,
}

#[derive(Clone, Debug)]
pub struct TierModel {
    config: ModelConfig,
    tokens: Tokens,
    encoder: Encoder,
}

impl TierModel {
    /// The model that this program was built with.
    ///
    /// # Errors
    /// `Model` if the embedded files are damaged.
    pub fn embedded() -> Result<Self, InferenceError> {
        Self::from_bytes(
            include_bytes!("../../models/tier-classifier/config.json"),
            include_bytes!("../../models/tier-classifier/tokenizer.json"),
            include_bytes!("../../models/tier-classifier/model.safetensors"),
        )
    }

    /// The model in `models_dir` (the folder that `EDGE_ROUTER_MODELS_DIR` names) if there is one,
    /// else the embedded one.
    ///
    /// # Errors
    /// `Model` if the folder does not exist or its model cannot be used.
    pub fn open(models_dir: Option<&Path>) -> Result<Self, InferenceError> {
        let Some(dir) = models_dir else { return Self::embedded() };
        if !dir.is_dir() {
            let dir = dir.display();
            return Err(InferenceError::Model(format!("models folder {dir} does not exist")));
        }
        let model = dir.join(FOLDER);
        if model.is_dir() { Self::load(&model) } else { Self::embedded() }
    }

    /// Reads the three files of a model from `dir`.
    ///
    /// # Errors
    /// `Model`, naming the file, if one is missing or does not fit.
    pub fn load(dir: &Path) -> Result<Self, InferenceError> {
        let read = |name: &str| {
            let path = dir.join(name);
            std::fs::read(&path)
                .map_err(|error| InferenceError::Model(format!("{}: {error}", path.display())))
        };
        Self::from_bytes(&read(CONFIG)?, &read(TOKENIZER)?, &read(WEIGHTS)?)
            .map_err(|error| InferenceError::Model(format!("{}: {error}", dir.display())))
    }

    fn from_bytes(config: &[u8], tokenizer: &[u8], weights: &[u8]) -> Result<Self, InferenceError> {
        let config: ModelConfig = serde_json::from_slice(config)
            .map_err(|error| InferenceError::Model(format!("{CONFIG}: {error}")))?;
        check(&config)?;
        let unusable = |error| InferenceError::Model(format!("{WEIGHTS}: {error}"));
        let tensors = load_buffer(weights, &Device::Cpu).map_err(unusable)?;
        let encoder = Encoder::new(&tensors, config.layers, config.heads).map_err(unusable)?;
        let tokens = Tokens::new(tokenizer, config.window.min(encoder.window()))?;
        Ok(Self { config, tokens, encoder })
    }

    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Judges a text. Takes any text; of a very long one head and tail count.
    ///
    /// # Errors
    /// `Model` if the arithmetic fails, which no text should make it do.
    pub fn scores(&self, text: &str) -> Result<Scores, InferenceError> {
        self.judge_tokens(&self.tokens.read(text)?)
    }

    /// Judges what `Tokens` read.
    ///
    /// # Errors
    /// As `scores`.
    pub fn judge_tokens(&self, tokens: &[u32]) -> Result<Scores, InferenceError> {
        let scores =
            calibrate(self.encoder.logits(tokens), self.config.temperature, &self.config.prior);
        match scores.iter().all(|score| score.is_finite()) {
            true => Ok(scores),
            false => Err(InferenceError::Model("the weights give no finite scores".into())),
        }
    }
}

fn check(config: &ModelConfig) -> Result<(), InferenceError> {
    let wrong = |what: String| Err(InferenceError::Model(format!("{CONFIG}: {what}")));
    if config.version != VERSION {
        return wrong(format!("version {} is not {VERSION}", config.version));
    }
    if config.labels != Tier::ALL {
        return wrong(format!("labels must be the {CLASSES} tiers in rising order"));
    }
    if !(config.temperature.is_finite() && config.temperature > 0.0) {
        return wrong("temperature must be above 0".into());
    }
    if !config.prior.iter().all(|factor| factor.is_finite() && *factor > 0.0) {
        return wrong(format!("prior must be {CLASSES} numbers above 0"));
    }
    Ok(())
}

/// Probabilities from logits.
pub fn softmax(logits: Scores, temperature: f32) -> Scores {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.map(|logit| ((logit - top) / temperature).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}

/// Probabilities from logits, as the model's configuration has them.
pub fn calibrate(logits: Scores, temperature: f32, prior: &Scores) -> Scores {
    let mut scores = softmax(logits, temperature);
    for (score, factor) in scores.iter_mut().zip(prior) {
        *score *= factor;
    }
    let sum: f32 = scores.iter().sum();
    scores.map(|score| score / sum)
}

/// Whether a prompt of the training files is of the fifth that is never trained on. Told by its text, so
/// that the fifth stays the same when files grow.
pub fn held_out(prompt: &str) -> bool {
    blake3::hash(prompt.as_bytes()).as_bytes()[0].is_multiple_of(5)
}

#[cfg(test)]
mod tests;
