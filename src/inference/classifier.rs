//! The tier model as a service: verdicts from the cache, else from the worker threads within a deadline.
//! Decides when to give up; the caller decides what then (the heuristic). Knows no routing.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use super::tier_model::TierModel;
use super::worker::{Judge, Workers};
use super::{ClassifierSettings, InferenceError, tokens};
use crate::analyze::Scores;

/// Most verdicts that are remembered; each takes about a hundred bytes.
const CACHED: u64 = 16_384;

/// A handle to the running model; clones share threads, queue and cache. The threads end when the last
/// handle is dropped.
#[derive(Clone)]
pub struct Classifier {
    inner: Arc<Inner>,
}

struct Inner {
    workers: Workers,
    cache: Cache<[u8; 32], Scores>,
    deadline: Duration,
}

impl std::fmt::Debug for Classifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Classifier").field("deadline", &self.inner.deadline).finish_non_exhaustive()
    }
}

impl Classifier {
    /// Starts the threads. At least one thread and one place in the queue, whatever the settings say.
    pub fn start(model: TierModel, settings: &ClassifierSettings) -> Self {
        let judge: Arc<dyn Judge> = Arc::new(model);
        Self::with_judge(&judge, settings)
    }

    fn with_judge(judge: &Arc<dyn Judge>, settings: &ClassifierSettings) -> Self {
        let workers = Workers::start(judge, settings.queue, settings.threads);
        let inner = Inner { workers, cache: Cache::new(CACHED), deadline: settings.deadline };
        Self { inner: Arc::new(inner) }
    }

    /// Judges a text: at once if it was judged before, else by the threads.
    ///
    /// # Errors
    /// `Saturated` (at once) if the queue is full, `Deadline` if the answer takes too long, `Stopped`
    /// if no thread could be started, `Model` if the model cannot judge this text. The heuristic
    /// serves after any of them.
    pub async fn classify(&self, text: &str) -> Result<Scores, InferenceError> {
        let key = *blake3::hash(text.as_bytes()).as_bytes();
        if let Some(scores) = self.inner.cache.get(&key) {
            return Ok(scores);
        }
        // Only what the model looks at waits in the queue, however long the text is.
        let text = tokens::considered(text).into_owned();
        let cache = self.inner.cache.clone();
        let answer = self.inner.workers.submit(text, move |scores| cache.insert(key, scores))?;
        match tokio::time::timeout(self.inner.deadline, answer).await {
            Ok(Ok(scores)) => scores,
            Ok(Err(_)) => Err(InferenceError::Stopped),
            Err(_) => Err(InferenceError::Deadline),
        }
    }
}

#[cfg(test)]
mod tests;
