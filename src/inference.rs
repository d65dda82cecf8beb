//! Candle: the tier model and the embedded chat engine, each on its own threads behind a bounded
//! queue. The only module that knows tensors; it knows no HTTP and no routing.

pub mod classifier;
pub mod encoder;
pub mod generator;
pub mod kernel;
pub mod requantize;
pub mod tier_model;
pub mod tokens;
mod worker;

pub use classifier::Classifier;
pub use tier_model::TierModel;

use std::time::Duration;

use crate::analyze::LossMatrix;

#[derive(Clone, Debug)]
pub struct ClassifierSettings {
    /// A verdict later than this is replaced by the heuristic's.
    pub deadline: Duration,
    /// Most requests that may wait for the model.
    pub queue: usize,
    pub threads: usize,
    pub loss: LossMatrix,
}

#[derive(Clone, Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum InferenceError {
    #[error("the queue is full")]
    Saturated,
    #[error("the worker has stopped")]
    Stopped,
    #[error("not answered within the deadline")]
    Deadline,
    /// The prompt leaves no room for an answer in the model's window.
    #[error(
        "This model's maximum context length is {window} tokens. However, your messages resulted in {tokens} tokens."
    )]
    ContextOverflow { window: u32, tokens: u32 },
    #[error("{0}")]
    Model(String),
}
