//! Moves committed pages into the database on a connection of its own, so that no commit waits for
//! the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::store::Writer;

/// Commits after which it does not wait for its hour.
const COMMITS: u64 = 512;
const INTERVAL: Duration = Duration::from_secs(1);
/// Pages left behind (the writer goes on meanwhile) that are worth a second pass: a log that is
/// moved completely is begun anew instead of growing.
const WORTH_ANOTHER: i64 = 4096;

#[derive(Default)]
struct Shared {
    commits: AtomicU64,
    wake: Notify,
    stop: AtomicBool,
}

pub(super) struct Handle {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

pub(super) fn start(store: Writer) -> Handle {
    let shared = Arc::new(Shared::default());
    let task = tokio::spawn(run(store, Arc::clone(&shared)));
    Handle { shared, task }
}

impl Handle {
    pub(super) fn committed(&self) {
        if (self.shared.commits.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(COMMITS) {
            self.shared.wake.notify_one();
        }
    }

    pub(super) async fn stop(self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake.notify_one();
        let _ = self.task.await;
    }
}

async fn run(mut store: Writer, shared: Arc<Shared>) {
    let mut done = 0;
    loop {
        let _ = tokio::time::timeout(INTERVAL, shared.wake.notified()).await;
        if shared.stop.load(Ordering::Acquire) {
            break;
        }
        let commits = shared.commits.load(Ordering::Relaxed);
        if commits == done {
            continue;
        }
        done = commits;
        let left = store.checkpoint().await;
        if matches!(left, Ok(left) if left > WORTH_ANOTHER) {
            let _ = store.checkpoint().await;
        }
    }
    let _ = store.close().await;
}
