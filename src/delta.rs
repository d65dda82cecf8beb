//! What `edge-watch` tells the router about a project, and the arithmetic that both ends share: the
//! payload of `POST /v1/context/delta`, hashes, sound paths, unified diffs. Pure: it knows neither
//! files nor sockets, and not what is worth telling.

mod patch;
mod path;

pub use patch::{PatchError, apply, changed_lines, unified};
pub use path::{PathError, ProjectPath};

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// BLAKE3 of a file's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        blake3::Hash::from_hex(&text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| serde::de::Error::custom("a hash is BLAKE3 in 64 hexadecimal digits"))
    }
}

/// The body of `POST /v1/context/delta`: what changed between two versions of a project.
///
/// `base_version` 0 is a full resync: only [`Change::Add`], and what is not named is gone. A sync that
/// does not fit one request goes on with the version that the last part was acknowledged as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    pub project: String,
    pub base_version: u64,
    /// Above `base_version`.
    pub version: u64,
    /// The directory's absolute path on the client; in the first delta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    pub files: Vec<FileChange>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    pub path: ProjectPath,
    #[serde(flatten)]
    pub change: Change,
}

/// What happened to one file. `base_hash` is that of the server's copy, `hash` that of the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Change {
    Modify {
        base_hash: ContentHash,
        hash: ContentHash,
        /// Unified, without a head.
        diff: String,
    },
    /// A new file, or a whole new content for a known one.
    Add {
        hash: ContentHash,
        content: String,
    },
    Delete {
        base_hash: ContentHash,
    },
}

/// The answer to a delta that was taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    pub project: String,
    pub version: u64,
    pub files_total: u64,
    /// Estimated tokens of all files.
    pub tokens: u64,
}

#[cfg(test)]
mod tests;
