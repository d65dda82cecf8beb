//! Threads that take texts from a bounded queue and judge them. Decides what happens when the queue is
//! full, nobody waits any more, or a text makes the model panic. Knows nothing of deadlines.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::InferenceError;
use super::tier_model::TierModel;
use crate::analyze::Scores;

/// What the threads do with a text.
pub(super) trait Judge: Send + Sync + 'static {
    fn judge(&self, text: &str) -> Result<Scores, InferenceError>;
}

impl Judge for TierModel {
    fn judge(&self, text: &str) -> Result<Scores, InferenceError> {
        self.scores(text)
    }
}

/// A text, and who waits for its scores.
struct Job {
    text: String,
    done: OnScores,
    waiter: oneshot::Sender<Result<Scores, InferenceError>>,
}

/// Called with fresh scores before the waiter is told.
type OnScores = Box<dyn FnOnce(Scores) + Send>;

/// The threads and their queue. Dropping it ends them after the text each is busy with.
pub(super) struct Workers {
    queue: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts at least one thread. One that the system refuses is logged and missing; with none at
    /// all every `submit` is `Stopped`.
    pub(super) fn start(judge: &Arc<dyn Judge>, queue: usize, threads: usize) -> Self {
        let (sender, receiver) = sync_channel(queue.max(1));
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..threads.max(1)).filter_map(|at| {
            let (judge, receiver) = (Arc::clone(judge), Arc::clone(&receiver));
            std::thread::Builder::new()
                .name(format!("classify-{at}"))
                .spawn(move || work(&*judge, &receiver))
                .inspect_err(|error| tracing::error!(%error, "no thread for the classifier"))
                .ok()
        });
        Self { queue: Some(sender), threads: threads.collect() }
    }

    /// Queues a text without waiting.
    ///
    /// # Errors
    /// `Saturated` if the queue is full, `Stopped` if no thread is left.
    pub(super) fn submit(
        &self,
        text: String,
        done: impl FnOnce(Scores) + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<Scores, InferenceError>>, InferenceError> {
        let (waiter, answer) = oneshot::channel();
        let job = Job { text, done: Box::new(done), waiter };
        let queue = self.queue.as_ref().ok_or(InferenceError::Stopped)?;
        match queue.try_send(job) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(InferenceError::Saturated),
            Err(TrySendError::Disconnected(_)) => Err(InferenceError::Stopped),
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // The closed queue ends the threads; whoever holds no handle waits for nothing any more.
        self.queue = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work(judge: &dyn Judge, queue: &Mutex<Receiver<Job>>) {
    loop {
        // One idle thread waits inside the lock, the others wait for the lock.
        let Ok(job) = queue.lock().recv() else { return };
        if job.waiter.is_closed() {
            continue;
        }
        let scores = catch_unwind(AssertUnwindSafe(|| judge.judge(&job.text)));
        let scores = scores.unwrap_or_else(|_| {
            tracing::error!(bytes = job.text.len(), "the tier model panicked on a text");
            Err(InferenceError::Model("the model failed on this text".into()))
        });
        if let Ok(scores) = scores {
            (job.done)(scores);
        }
        let _ = job.waiter.send(scores);
    }
}
