//! Watches the configuration file and reads it again when it changes. Decides when; what happens
//! with the result is the caller's. It watches the directory, since editors replace files.

use std::path::PathBuf;
use std::time::Duration;

use notify_debouncer_full::notify::event::{AccessKind, AccessMode};
use notify_debouncer_full::notify::{self, EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};

use super::problem::{ConfigErrors, Problem};
use super::{Config, ConfigSource, Environment, FILE_NAME, load};

/// Saves come in bursts: a rename, a write, a change of mode.
const QUIET: Duration = Duration::from_millis(300);
const TICK: Duration = Duration::from_millis(100);

/// Watching ends when this is dropped.
#[must_use = "watching ends when this is dropped"]
pub struct Watch {
    _debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
}

/// Calls `changed` with every new reading of the configuration, on a thread of its own. A file that
/// is saved without a change of its content is not read again; a file that is gone is an error once,
/// and read again when it is back. Where no file exists yet, the one that may come into the working
/// directory is watched.
///
/// # Errors
/// The directory cannot be watched.
pub fn watch(
    source: ConfigSource,
    environment: Environment,
    changed: impl Fn(Result<Config, ConfigErrors>) + Send + 'static,
) -> Result<Watch, notify::Error> {
    let file = source.locate(&environment).unwrap_or_else(|| FILE_NAME.into());
    let file = environment.working_dir.join(file);
    let directory = file.parent().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let mut observed = Observed::of(file);
    let handler = move |events: DebounceEventResult| {
        let relevant = match &events {
            Ok(events) => events.iter().any(|event| is_change(event.kind)),
            // The system lost events: look.
            Err(_) => true,
        };
        if relevant && observed.look_again() {
            changed(observed.read(&source, &environment));
        }
    };
    let mut debouncer = new_debouncer(QUIET, Some(TICK), handler)?;
    debouncer.watch(&directory, RecursiveMode::NonRecursive)?;
    Ok(Watch { _debouncer: debouncer })
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

/// The content last seen, of the file and of the `.env` beside it.
struct Observed {
    file: PathBuf,
    dot_env: PathBuf,
    content: (Option<Vec<u8>>, Option<Vec<u8>>),
}

impl Observed {
    fn of(file: PathBuf) -> Self {
        let dot_env = file.with_file_name(".env");
        let mut new = Self { file, dot_env, content: (None, None) };
        new.look_again();
        new
    }

    /// Whether anything is different now.
    fn look_again(&mut self) -> bool {
        let now = (std::fs::read(&self.file).ok(), std::fs::read(&self.dot_env).ok());
        let differs = now != self.content;
        self.content = now;
        differs
    }

    fn read(
        &self,
        source: &ConfigSource,
        environment: &Environment,
    ) -> Result<Config, ConfigErrors> {
        if self.content.0.is_none() {
            let message = "the file is gone or cannot be read".to_owned();
            return Err(ConfigErrors {
                problems: vec![Problem::file(self.file.clone(), 0, message)],
            });
        }
        load(source, environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    type Readings = Receiver<Result<u16, String>>;

    fn start(text: &str) -> (tempfile::TempDir, Watch, Readings) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), text).unwrap();
        let (sender, readings) = channel();
        let environment = Environment::new(dir.path(), [("A", "1")]);
        let watch = watch(ConfigSource::default(), environment, move |config| {
            let reading = config.map(|config| config.server.port).map_err(|e| e.to_string());
            let _ = sender.send(reading);
        })
        .unwrap();
        (dir, watch, readings)
    }

    fn next(readings: &Readings) -> Result<u16, String> {
        readings.recv_timeout(Duration::from_secs(30)).expect("a change is noticed")
    }

    #[test]
    fn a_saved_file_is_read_again_whether_written_or_replaced() {
        let (dir, _watch, readings) = start("server.port = 5001\n");
        let file = dir.path().join(FILE_NAME);
        std::fs::write(&file, "server.port = 5002\n").unwrap();
        assert_eq!(next(&readings), Ok(5002));
        std::fs::write(dir.path().join("new~"), "server.port = 5003\n").unwrap();
        std::fs::rename(dir.path().join("new~"), &file).unwrap();
        assert_eq!(next(&readings), Ok(5003));
        std::fs::write(&file, "server.port = 70000\n").unwrap();
        assert!(next(&readings).unwrap_err().contains("edge-router.toml:1: server.port"));
    }

    #[test]
    fn a_file_that_goes_away_is_an_error_and_is_read_when_it_is_back() {
        let (dir, _watch, readings) = start("server.port = 5001\n");
        let file = dir.path().join(FILE_NAME);
        std::fs::remove_file(&file).unwrap();
        assert!(next(&readings).unwrap_err().contains("gone"));
        std::fs::write(&file, "server.port = 5001\n").unwrap();
        assert_eq!(next(&readings), Ok(5001));
    }

    #[test]
    fn a_change_of_the_variables_beside_the_file_counts_too() {
        let (dir, _watch, readings) = start("server.port = \"${PORT:-5001}\"\n");
        std::fs::write(dir.path().join(".env"), "PORT=5009\n").unwrap();
        assert_eq!(next(&readings), Ok(5009));
    }
}
