//! The SQL of `context.sqlite`: copies of developers' projects, older texts of their files, and the
//! blocks that conversations were given. What may be kept, and for how long, is decided in `context`.
//!
//! It is a file of its own beside the ledger's: it is large, a cache, and may be deleted.

mod read;
mod write;

pub use read::ContextReader;
pub use write::{Committed, ContextWriter};

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions};

use super::StoreError;

/// Why the file cannot be used. Requests go on without context.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", words(.0))]
pub struct FileError(#[source] pub StoreError);

fn words(error: &StoreError) -> &'static str {
    match error {
        StoreError::Busy(_) => {
            "context.sqlite is locked by another program; try again, or stop that program"
        }
        StoreError::DiskFull(_) => "the disk that holds context.sqlite is full; free some space",
        StoreError::ReadOnly(_) => {
            "context.sqlite cannot be written: file or directory is read-only"
        }
        StoreError::Corrupt(_) => {
            "context.sqlite is damaged or something else; move it away, and each edge-watch sends its project again"
        }
        StoreError::Newer => {
            "context.sqlite was written by a newer edge-router; use that version, or move the file away"
        }
        StoreError::Older | StoreError::Migration(_) => {
            "context.sqlite cannot be brought up to date; move it away, and each edge-watch sends its project again"
        }
        StoreError::Sql(_) | StoreError::Io(_) => "context.sqlite cannot be read or written",
        StoreError::Closed => "the router is stopping",
    }
}

impl From<StoreError> for FileError {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<sqlx::Error> for FileError {
    fn from(error: sqlx::Error) -> Self {
        Self(error.into())
    }
}

/// What is known of a project without its files.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ProjectRow {
    pub name: String,
    /// The key that wrote it first.
    pub owner: String,
    pub root: Option<String>,
    pub version: i64,
    pub files: i64,
    pub bytes: i64,
    /// Estimated.
    pub tokens: i64,
    /// In microseconds.
    pub changed_at: i64,
    /// Digests of the latest messages.
    pub messages: Vec<u8>,
}

/// One file. Hashes are hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct FileRow {
    pub path: String,
    pub hash: String,
    pub bytes: i64,
    pub tokens: i64,
    pub version: i64,
    /// In microseconds.
    pub changed_at: i64,
}

/// What a file was before.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct OlderRow {
    pub path: String,
    /// Hexadecimal.
    pub hash: String,
    pub bytes: i64,
}

/// A block that a conversation was given.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BlockRow {
    pub conversation: Vec<u8>,
    pub message: Vec<u8>,
    pub occurrence: i64,
    pub text: String,
    pub tokens: i64,
    /// By name.
    pub project: String,
    /// JSON.
    pub shown: String,
    /// In microseconds.
    pub frozen_at: i64,
}

/// Everything that one delta changes.
#[derive(Clone, Debug)]
pub struct Commit {
    /// As it will be.
    pub project: ProjectRow,
    /// The version that it must have until now; `None`: it must not exist.
    pub before: Option<i64>,
    /// New and changed files.
    pub put: Vec<FileRow>,
    /// Paths of files that are no more.
    pub gone: Vec<String>,
    /// By hexadecimal hash: at least those of `put` that are not kept yet.
    pub texts: Vec<(String, Arc<str>)>,
    /// What changed and gone files were.
    pub older: Vec<OlderRow>,
    pub keep: Keep,
}

/// How much of older texts is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    pub versions_per_file: i64,
    pub bytes_per_project: i64,
}

/// How much the file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Kept {
    pub projects: i64,
    pub files: i64,
    pub bytes: i64,
}

fn options(path: &Path) -> SqliteConnectOptions {
    super::writing(path)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .pragma("wal_autocheckpoint", "1000")
}

fn json<T: serde::Serialize>(list: &T) -> Result<String, FileError> {
    Ok(super::ledger::json(list)?)
}

#[cfg(test)]
mod tests;
