//! Candle: the tier model and the embedded chat engine, each on its own threads behind a bounded
//! queue. The only module that knows tensors; it knows no HTTP and no routing.

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

#[derive(Clone, Debug, thiserror::Error)]
pub enum InferenceError {
    #[error("the queue is full")]
    Saturated,
    #[error("the worker has stopped")]
    Stopped,
    #[error("not answered within the deadline")]
    Deadline,
    #[error("{0}")]
    Model(String),
}
