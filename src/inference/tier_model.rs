//! The tier model: text in, five probabilities out. Loads weights, checks that they fit, weighs
//! features, runs the network. Knows no queue and no routing.

use std::path::Path;

use candle_core::safetensors::load_buffer;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::InferenceError;
use super::features::{self, FeatureSettings, Features};
use super::network::{CLASSES, Network};
use crate::analyze::Scores;
use crate::catalog::Tier;

/// The layout of config and weights that this program reads.
pub const VERSION: u32 = 1;

/// The model's folder inside a models folder, and its files.
pub const FOLDER: &str = "tier-classifier";
pub const CONFIG: &str = "config.json";
pub const WEIGHTS: &str = "model.safetensors";

/// What `config.json` says beside the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    pub version: u32,
    /// Must be the five tiers in rising order.
    pub labels: Vec<Tier>,
    pub features: FeatureSettings,
    /// Divides the logits, so that probabilities match frequencies on unseen authors.
    pub temperature: f32,
    /// BLAKE3 of the training files, in the order of their names.
    pub data_blake3: String,
    pub seed: u64,
}

#[derive(Clone, Debug)]
pub struct TierModel {
    config: ModelConfig,
    idf: Vec<f32>,
    network: Network,
}

impl TierModel {
    /// The model that this program was built with.
    ///
    /// # Errors
    /// `Model` if the embedded files are damaged.
    pub fn embedded() -> Result<Self, InferenceError> {
        Self::from_bytes(
            include_bytes!("../../models/tier-classifier/config.json"),
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

    /// Reads `config.json` and `model.safetensors` from `dir`.
    ///
    /// # Errors
    /// `Model`, naming the file, if one is missing or does not fit.
    pub fn load(dir: &Path) -> Result<Self, InferenceError> {
        let read = |name: &str| {
            let path = dir.join(name);
            std::fs::read(&path)
                .map_err(|error| InferenceError::Model(format!("{}: {error}", path.display())))
        };
        Self::from_bytes(&read(CONFIG)?, &read(WEIGHTS)?)
            .map_err(|error| InferenceError::Model(format!("{}: {error}", dir.display())))
    }

    fn from_bytes(config: &[u8], weights: &[u8]) -> Result<Self, InferenceError> {
        let config: ModelConfig = serde_json::from_slice(config)
            .map_err(|error| InferenceError::Model(format!("{CONFIG}: {error}")))?;
        check(&config)?;
        let tensors = load_buffer(weights, &Device::Cpu).map_err(|error| unusable(&error))?;
        let vars = VarBuilder::from_tensors(tensors, DType::F16, &Device::Cpu);
        Self::new(config, &vars).map_err(|error| unusable(&error))
    }

    /// Takes the weights from `vars`: what training has in hand.
    ///
    /// # Errors
    /// A tensor is missing or has another shape than the configuration says.
    pub fn new(config: ModelConfig, vars: &VarBuilder<'_>) -> candle_core::Result<Self> {
        let buckets = config.features.buckets as usize;
        let idf = vars.get(buckets, "idf")?.to_dtype(DType::F32)?.to_vec1()?;
        let network = Network::new(vars, buckets)?;
        Ok(Self { config, idf, network })
    }

    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Judges a text. Takes any text; of a very long one head and tail count.
    ///
    /// # Errors
    /// `Model` if the arithmetic fails, which no text should make it do.
    pub fn scores(&self, text: &str) -> Result<Scores, InferenceError> {
        let logits = self.logits(text).map_err(|error| InferenceError::Model(error.to_string()))?;
        let scores = softmax(logits, self.config.temperature);
        match scores.iter().all(|score| score.is_finite()) {
            true => Ok(scores),
            false => Err(InferenceError::Model("the weights give no finite scores".into())),
        }
    }

    fn logits(&self, text: &str) -> candle_core::Result<Scores> {
        let features = features::extract(text, &self.config.features);
        let (buckets, weights) = weigh(&features, &self.idf);
        let logits = if buckets.is_empty() {
            self.network.empty()?
        } else {
            let count = buckets.len();
            let buckets = Tensor::from_vec(buckets, count, &Device::Cpu)?;
            let weights = Tensor::from_vec(weights, (1, count), &Device::Cpu)?;
            self.network.single(&buckets, &weights)?
        };
        let logits: Vec<f32> = logits.flatten_all()?.to_vec1()?;
        logits.try_into().map_err(|_| candle_core::Error::msg("not one logit per tier"))
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
    if !config.features.buckets.is_power_of_two() {
        return wrong("features.buckets must be a power of two".into());
    }
    if !(config.temperature.is_finite() && config.temperature > 0.0) {
        return wrong("temperature must be above 0".into());
    }
    Ok(())
}

fn unusable(error: &candle_core::Error) -> InferenceError {
    InferenceError::Model(format!("{WEIGHTS}: {error}"))
}

/// Buckets and their weights: damped counts times rarity, every kind of feature scaled to length 1, so
/// that a long text has no more to say than a short one.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^23")]
pub fn weigh(features: &Features, idf: &[f32]) -> (Vec<u32>, Vec<f32>) {
    let mut buckets = Vec::new();
    let mut weights = Vec::new();
    for block in features.blocks() {
        let begin = weights.len();
        for (bucket, count) in block {
            let rarity = idf.get(*bucket as usize).copied().unwrap_or(0.0);
            // What training never saw has no rarity and no say.
            if rarity > 0.0 {
                buckets.push(*bucket);
                weights.push((1.0 + (*count as f32).ln()) * rarity);
            }
        }
        let norm = weights[begin..].iter().map(|w| w * w).sum::<f32>().sqrt();
        weights[begin..].iter_mut().for_each(|w| *w /= norm);
    }
    (buckets, weights)
}

/// Probabilities from logits.
pub fn softmax(logits: Scores, temperature: f32) -> Scores {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.map(|logit| ((logit - top) / temperature).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}

#[cfg(test)]
mod tests;
