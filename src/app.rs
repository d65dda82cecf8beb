//! The composition root: turns a configuration into the parts that serve, and the only place that
//! knows every module.

mod background;
mod build;

pub use crate::state::{AppState, ProviderEntry, Runtime, Snapshot};
pub use background::{first_discovery, look_for_embedded, watch_config};
pub use build::{Start, StartError, build, reload};

use std::time::Duration;

use crate::providers::ProviderKind;

/// Longest wait for relays and background tasks when the router stops.
const DRAIN: Duration = Duration::from_secs(10);
/// Longest wait for those that were cut to settle.
const SETTLE: Duration = Duration::from_secs(3);

/// Lets every task finish, cuts and settles those that do not, then flushes what is known of
/// projects, and the ledger.
pub async fn close(state: &AppState) {
    let runtime = &state.runtime;
    runtime.shutdown.cancel();
    runtime.tasks.close();
    if tokio::time::timeout(DRAIN, runtime.tasks.wait()).await.is_err() {
        runtime.cut.cancel();
        if tokio::time::timeout(SETTLE, runtime.tasks.wait()).await.is_err() {
            tracing::warn!(
                "tasks are still running; the next start charges what they hold in full"
            );
        }
    }
    runtime.projects.close().await;
    runtime.ledger.close().await;
}

/// Whether anything but the embedded model can serve.
pub fn has_other_backend(state: &AppState) -> bool {
    let snapshot = state.current();
    let embedded = |id| {
        snapshot.providers.get(id).is_none_or(|entry| entry.settings.kind == ProviderKind::Embedded)
    };
    let now = state.runtime.clock.now();
    let mut models = snapshot.catalog.models().iter();
    models.any(|model| !model.is_gone(now) && !embedded(&model.provider))
}
