//! `edge-watch`: keeps the router's copy of a directory in step by `POST /v1/context/delta`.
//!
//! `events` say which paths may have changed; `filter` knows which are followed; `read`,
//! `skip` and `secrets` decide what of a file may be told; `book` remembers what the server has
//! acknowledged; `batch` makes the net change since then, and `send` brings it there. [`Follower`]
//! walks through this; the only truth is the directory, so whatever was missed or lost is made good by
//! looking again. It knows nothing of the router but the payload of [`crate::delta`].

mod batch;
mod book;
mod cli;
mod events;
mod filter;
mod follower;
mod live;
mod project;
mod read;
mod secrets;
mod send;
mod skip;
mod terminal;

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

pub use batch::{Counts, Kind};
pub use cli::{Cli, run};
pub use follower::{Changes, Follower};
pub use live::{Looking, follow};
pub use send::Retry;

/// What is followed, and who is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory.
    pub root: PathBuf,
    /// The project's name; none: made from the directory's.
    pub project: Option<String>,
    /// The router's address.
    pub server: Url,
    pub key: Option<SecretString>,
    /// Where acknowledged state is kept; none: nowhere.
    pub state: Option<PathBuf>,
    pub retry: Retry,
}

/// A batch that the server has acknowledged.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Told {
    pub project: String,
    pub base_version: u64,
    pub version: u64,
    #[serde(flatten)]
    pub counts: Counts,
    /// Of the request's body.
    pub bytes: usize,
    /// Files that the server has now.
    pub files_total: u64,
    /// Estimated tokens of all of them.
    pub tokens: u64,
    /// From the first look at a file to the acknowledgement.
    pub elapsed_ms: u64,
}

/// Is told how it goes. Paths are those of the project; nothing carries what stands in a file.
pub trait Listener {
    /// A directory is about to be read: what happens in it from now on must not be missed.
    fn entering(&mut self, _directory: &Path) {}
    fn told(&mut self, _batch: &Told) {}
    /// The server has everything that may be told.
    fn in_step(&mut self, _version: u64, _files: usize) {}
    /// A file stays on this machine; said once.
    fn withheld(&mut self, _path: &str, _why: &str) {}
    /// A file says nothing to a model and is not told.
    fn skipped(&mut self, _path: &str, _why: &str) {}
    /// The server cannot be reached or is busy; it is asked again after `wait`.
    fn unreachable(&mut self, _why: &str, _wait: Duration) {}
    fn reached(&mut self) {}
    /// Something that the human should know.
    fn notice(&mut self, _text: &str) {}
    /// A dry run would tell this.
    fn would_tell(&mut self, _kind: Kind, _path: &str, _bytes: usize) {}
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Listener for Silent {}

/// Why following ends.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error("{} is no directory that can be read: {source}", path.display())]
    Root { path: PathBuf, source: std::io::Error },
    #[error("`{name}` cannot be a project's name: {rule}", rule = project::RULE)]
    Project { name: String },
    #[error(
        "`{text}` is no address of a router: it has the form http://HOST:PORT, without a login"
    )]
    Address { text: String },
    #[error("{0}")]
    State(String),
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
    #[error("the router cannot be reached: {0}")]
    Unreachable(String),
    #[error("the router refuses ({status}): {message}{advice}", advice = advice(*status))]
    Refused { status: u16, message: String },
    #[error(
        "the router's copy of project `{project}` changes under our hands: does another edge-watch send for the same name? --project takes another one"
    )]
    Contested { project: String },
    /// No failure: somebody wants it.
    #[error("asked to stop")]
    Stopped,
}

impl WatchError {
    /// Whether the command line is to blame, not the world.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Root { .. } | Self::Project { .. } | Self::Address { .. } => true,
            Self::State(_)
            | Self::Client(_)
            | Self::Unreachable(_)
            | Self::Refused { .. }
            | Self::Contested { .. }
            | Self::Stopped => false,
        }
    }
}

/// What to do about a refusal.
fn advice(status: u16) -> &'static str {
    match status {
        401 => "; give the key of this project's client with --key or EDGE_ROUTER_KEY",
        403 => {
            "; this key may not write the project: name another with --project, or use another key"
        }
        404 => "; is --proxy the address of an edge-router that knows deltas?",
        413 => "; leave files out with a .edgeignore",
        _ => "",
    }
}
