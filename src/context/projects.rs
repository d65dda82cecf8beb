//! The projects that the router has a copy of, and what each conversation was shown of them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::{Block, Project};
use crate::clock::Clock;
use crate::delta::ContentHash;
use crate::ids::KeyId;

/// Who wants to be given, or to write, a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    pub key: KeyId,
    pub admin: bool,
    /// The projects that a client key is bound to; `None`: it is not bound.
    pub allowed: Option<Vec<String>>,
}

/// A cheap clone of what is known of all projects.
#[derive(Clone, Debug)]
pub struct Projects {}

impl Projects {
    /// Opens the file at `path` if it is there; made it is with the first project.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>, tasks: &TaskTracker) -> Self {
        let _ = (path, clock, tasks);
        Self {}
    }

    /// True while no project is known at all: the request path then does nothing.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// The project of this name, if `reader` may be given it.
    pub async fn get(&self, name: &str, reader: &Reader) -> Option<Arc<Project>> {
        let _ = (name, reader);
        None
    }

    /// The project of a request: `asked` for by name; else the reader's only one; else the one whose
    /// root the request `mentions`.
    pub async fn choose(
        &self,
        reader: &Reader,
        asked: Option<&str>,
        mentions: impl Fn(&str) -> bool,
    ) -> Option<Arc<Project>> {
        let _ = (reader, asked, mentions("/"));
        None
    }

    /// Texts by hash; what is kept no longer is missing in the answer.
    pub async fn texts(
        &self,
        project: &str,
        hashes: &[ContentHash],
    ) -> HashMap<ContentHash, Arc<str>> {
        let _ = (project, hashes);
        HashMap::new()
    }

    /// The blocks of a conversation in the order in which they were frozen.
    pub async fn blocks(&self, conversation: [u8; 16]) -> Arc<[Block]> {
        let _ = conversation;
        Arc::from([])
    }

    /// Keeps a block for the later turns of its conversation: in memory at once, in the file soon.
    pub fn freeze(&self, conversation: [u8; 16], block: Block) {
        let _ = (conversation, block);
    }

    /// Writes what is left and closes the file.
    pub async fn close(&self) {}
}
