//! Follows a directory until it is asked to stop: waits for changes, and brings them to the server.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::events::Events;
use super::{Changes, Follower, Kind, Listener, Told, WatchError};
use crate::clock::{Clock, SystemClock};

/// How changes are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looking {
    /// The system tells; where it does not, as [`Self::Polling`].
    Watching,
    /// By looking again and again, for file systems that tell nothing.
    Polling,
}

/// Brings the server in step and keeps it there.
///
/// # Errors
/// The server refuses for good, or the directory is gone.
pub fn follow(
    mut follower: Follower,
    looking: Looking,
    (handle, stop): (&Handle, &CancellationToken),
    listener: &mut dyn Listener,
) -> Result<(), WatchError> {
    let events = match looking {
        Looking::Polling => Events::polling(follower.root()),
        Looking::Watching => {
            let (events, trouble) = Events::start(follower.root());
            if let Some(trouble) = trouble {
                listener.notice(&trouble);
            }
            events
        }
    };
    let mut live = Live { listener, events };
    let mut changes = Changes::All;
    loop {
        let began = SystemClock.instant();
        match follower.sync(changes, &mut live) {
            Ok(()) => {}
            Err(WatchError::Stopped) => return Ok(()),
            Err(error) => return Err(error),
        }
        let busy = SystemClock.instant().saturating_duration_since(began);
        match live.events.next(handle, stop, busy) {
            Some(next) => changes = next,
            None => return Ok(()),
        }
    }
}

/// Passes everything on, and watches the directories that are entered.
struct Live<'a> {
    listener: &'a mut dyn Listener,
    events: Events,
}

impl Listener for Live<'_> {
    fn entering(&mut self, directory: &Path) {
        if let Err(trouble) = self.events.watch(directory) {
            self.listener.notice(&trouble);
        }
        self.listener.entering(directory);
    }

    fn told(&mut self, batch: &Told) {
        self.listener.told(batch);
    }

    fn in_step(&mut self, version: u64, files: usize) {
        self.listener.in_step(version, files);
    }

    fn withheld(&mut self, path: &str, why: &str) {
        self.listener.withheld(path, why);
    }

    fn skipped(&mut self, path: &str, why: &str) {
        self.listener.skipped(path, why);
    }

    fn unreachable(&mut self, why: &str, wait: Duration) {
        self.listener.unreachable(why, wait);
    }

    fn reached(&mut self) {
        self.listener.reached();
    }

    fn notice(&mut self, text: &str) {
        self.listener.notice(text);
    }

    fn would_tell(&mut self, kind: Kind, path: &str, bytes: usize) {
        self.listener.would_tell(kind, path, bytes);
    }
}
