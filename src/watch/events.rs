//! Says when something may have changed, and where. Saves come in bursts, so it waits until they are
//! over; where the system lost track or lets nothing be watched, it says that anything may have
//! changed. It judges nothing but places that are never followed.
//!
//! Where the system watches single directories, only those that are followed are watched: a build in
//! `target` wakes nobody.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{
    ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, WatcherKind,
};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Changes, filter, skip};

/// A burst is over when nothing happened for so long.
const QUIET: Duration = Duration::from_millis(75);
/// Longest that a burst is waited for.
const LONGEST_BURST: Duration = Duration::from_secs(1);
/// More paths than this are no longer told apart.
const MOST_PATHS: usize = 50_000;
/// Between two looks where nothing can be watched.
const POLL: Duration = Duration::from_secs(2);
/// Looking takes at most this part of the time.
const POLL_SHARE: u32 = 20;

pub(super) struct Events {
    root: PathBuf,
    shared: Arc<Shared>,
    eyes: Eyes,
}

enum Eyes {
    /// Each directory is watched by itself.
    Each(RecommendedWatcher),
    /// The system watches the whole tree. Only kept: it is watched until this is dropped.
    Whole { _watcher: RecommendedWatcher },
    /// Nothing can be watched: looks, so far apart.
    None { every: Duration },
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    wake: Notify,
}

#[derive(Default)]
struct Pending {
    all: bool,
    paths: BTreeSet<PathBuf>,
    /// How often something was added, to see a burst's end.
    added: u64,
}

impl Events {
    /// Watches nothing yet but where the system watches whole trees. The second result says why
    /// nothing can be watched.
    pub(super) fn start(root: &Path) -> (Self, Option<String>) {
        let shared = Arc::new(Shared::default());
        let (eyes, trouble) = match watcher(root, &shared) {
            Ok(eyes) => (eyes, None),
            Err(error) => (Eyes::None { every: POLL }, Some(trouble(&error))),
        };
        (Self { root: root.to_owned(), shared, eyes }, trouble)
    }

    /// Watches nothing and looks instead.
    pub(super) fn polling(root: &Path) -> Self {
        let shared = Arc::new(Shared::default());
        Self { root: root.to_owned(), shared, eyes: Eyes::None { every: POLL } }
    }

    /// From now on tells what happens in a directory below the root.
    ///
    /// # Errors
    /// Why from now on nothing is watched and looks are taken instead.
    pub(super) fn watch(&mut self, directory: &Path) -> Result<(), String> {
        let Eyes::Each(watcher) = &mut self.eyes else { return Ok(()) };
        let is_root = directory.as_os_str().is_empty();
        let place = if is_root { self.root.clone() } else { self.root.join(directory) };
        let mut result = watcher.watch(&place, RecursiveMode::NonRecursive);
        let excludes = self.root.join(".git").join("info");
        if is_root && result.is_ok() && excludes.is_dir() {
            result = watcher.watch(&excludes, RecursiveMode::NonRecursive);
        }
        match result {
            Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => {
                self.eyes = Eyes::None { every: POLL };
                Err(trouble(&error))
            }
            // It is gone again, or not ours to read.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Waits until something may have changed; nothing when asked to stop. `busy`: how long it took to
    /// deal with the last changes.
    pub(super) fn next(
        &self,
        handle: &Handle,
        stop: &CancellationToken,
        busy: Duration,
    ) -> Option<Changes> {
        handle.block_on(async {
            tokio::select! {
                () = stop.cancelled() => None,
                changes = self.changes(busy) => Some(changes),
            }
        })
    }

    async fn changes(&self, busy: Duration) -> Changes {
        if let Eyes::None { every } = self.eyes {
            tokio::time::sleep(every.max(busy * POLL_SHARE)).await;
            return Changes::Look;
        }
        loop {
            self.shared.wake.notified().await;
            self.shared.burst().await;
            let pending = std::mem::take(&mut *self.shared.pending.lock());
            if pending.all {
                return Changes::All;
            }
            if !pending.paths.is_empty() {
                return Changes::Paths(pending.paths);
            }
        }
    }
}

impl Shared {
    /// Waits for a burst's end.
    async fn burst(&self) {
        let mut waited = Duration::ZERO;
        let mut seen = self.pending.lock().added;
        while waited < LONGEST_BURST {
            tokio::time::sleep(QUIET).await;
            waited += QUIET;
            let now = self.pending.lock().added;
            if now == seen {
                return;
            }
            seen = now;
        }
    }

    fn take(&self, root: &Path, event: &Event) {
        if event.need_rescan() {
            return self.take_all();
        }
        if !is_change(event.kind) {
            return;
        }
        for path in &event.paths {
            match path.strip_prefix(root) {
                Ok(path) if path.as_os_str().is_empty() => {}
                Ok(path) if is_followed(path, event.kind) => self.add(path),
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn add(&self, path: &Path) {
        let mut pending = self.pending.lock();
        pending.added += 1;
        if pending.paths.len() >= MOST_PATHS {
            pending.all = true;
            pending.paths.clear();
        } else if !pending.all {
            pending.paths.insert(path.to_owned());
        }
        drop(pending);
        self.wake.notify_one();
    }

    fn take_all(&self) {
        let mut pending = self.pending.lock();
        pending.added += 1;
        pending.all = true;
        pending.paths.clear();
        drop(pending);
        self.wake.notify_one();
    }
}

/// Our own reading opens and closes files; that is no change.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

/// Not below a directory that is never entered. `.git` itself counts when it comes and goes.
fn is_followed(path: &Path, kind: EventKind) -> bool {
    let renamed = matches!(kind, EventKind::Modify(ModifyKind::Name(_)));
    let comes = renamed || matches!(kind, EventKind::Create(_) | EventKind::Remove(_));
    if filter::holds_rules(path) {
        return path != Path::new(".git") || comes;
    }
    let never = |part: &std::ffi::OsStr| part.to_str().is_some_and(skip::directory);
    !path.parent().is_some_and(|parent| parent.iter().any(never))
}

fn watcher(root: &Path, shared: &Arc<Shared>) -> Result<Eyes, notify::Error> {
    let (to, below) = (Arc::clone(shared), root.to_owned());
    let handler = move |event: Result<Event, notify::Error>| match event {
        Ok(event) => to.take(&below, &event),
        // The system lost track.
        Err(_) => to.take_all(),
    };
    let config = notify::Config::default().with_follow_symlinks(false);
    let mut watcher = RecommendedWatcher::new(handler, config)?;
    let each = matches!(RecommendedWatcher::kind(), WatcherKind::Inotify | WatcherKind::Kqueue);
    if each {
        return Ok(Eyes::Each(watcher));
    }
    watcher.watch(root, RecursiveMode::Recursive)?;
    Ok(Eyes::Whole { _watcher: watcher })
}

fn trouble(error: &notify::Error) -> String {
    let seconds = POLL.as_secs();
    if matches!(error.kind, ErrorKind::MaxFilesWatch) {
        format!(
            "the system watches no more directories (on Linux, raise fs.inotify.max_user_watches): looking for changes every {seconds} s instead"
        )
    } else {
        format!("changes cannot be watched ({error}): looking for them every {seconds} s instead")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, MetadataKind};
    use rstest::rstest;

    const CREATED: EventKind = EventKind::Create(CreateKind::Any);
    const CHANGED: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));

    #[rstest]
    #[case("src/a.rs", CHANGED, true)]
    #[case("target", CREATED, true)]
    #[case("target/debug/a", CHANGED, false)]
    #[case("sub/node_modules/x/y.js", CHANGED, false)]
    #[case(".git/index", CHANGED, false)]
    #[case(".git/info/exclude", CHANGED, true)]
    #[case(".git", CREATED, true)]
    #[case(".git", EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), false)]
    fn places_that_are_never_followed_wake_nobody(
        #[case] path: &str,
        #[case] kind: EventKind,
        #[case] wakes: bool,
    ) {
        let shared = Shared::default();
        shared.take(Path::new("/r"), &Event::new(kind).add_path(Path::new("/r").join(path)));
        assert_eq!(!shared.pending.lock().paths.is_empty(), wakes);
    }

    #[test]
    fn reading_a_file_is_no_change() {
        let shared = Shared::default();
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        shared.take(Path::new("/r"), &Event::new(opened).add_path("/r/a".into()));
        assert_eq!(shared.pending.lock().added, 0);
    }

    #[test]
    fn what_was_lost_or_is_too_much_means_everything() {
        let shared = Shared::default();
        let lost = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        shared.take(Path::new("/r"), &lost);
        assert!(shared.pending.lock().all);
        let shared = Shared::default();
        for n in 0..=MOST_PATHS {
            shared.add(Path::new(&n.to_string()));
        }
        let pending = shared.pending.lock();
        assert!(pending.all && pending.paths.is_empty());
    }
}
