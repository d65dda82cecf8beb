//! A project's files between memory and the rows that the file keeps.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::FileEntry;
use super::apply::Applied;
use crate::delta::{ContentHash, ProjectPath};
use crate::store::context::{Commit, FileRow, Keep, OlderRow, ProjectRow};

/// What files were before, so that a conversation can be told what has changed since.
const KEEP: Keep = Keep { versions_per_file: 8, bytes_per_project: 64 << 20 };

/// Everything that a delta changes. `before`: the version until now, if there is one.
pub(super) fn commit(applied: &Applied, row: ProjectRow, before: Option<i64>) -> Commit {
    let put = applied.put.iter().filter_map(|path| {
        let entry = applied.project.files.get(path)?;
        Some(file_row(path, entry))
    });
    let older = applied.older.iter().map(|(path, entry)| OlderRow {
        path: path.as_str().to_owned(),
        hash: entry.hash.to_string(),
        bytes: entry.bytes.into(),
    });
    let texts: &HashMap<ContentHash, Arc<str>> = &applied.texts;
    Commit {
        project: row,
        before,
        put: put.collect(),
        gone: applied.gone.iter().map(|path| path.as_str().to_owned()).collect(),
        texts: texts.iter().map(|(hash, text)| (hash.to_string(), Arc::clone(text))).collect(),
        older: older.collect(),
        keep: KEEP,
    }
}

fn file_row(path: &ProjectPath, entry: &FileEntry) -> FileRow {
    FileRow {
        path: path.as_str().to_owned(),
        hash: entry.hash.to_string(),
        bytes: entry.bytes.into(),
        tokens: entry.tokens.into(),
        version: i64::try_from(entry.version).unwrap_or(i64::MAX),
        changed_at: entry.changed_at.as_microsecond(),
    }
}

/// `None`: the row cannot be understood.
pub(super) fn entry(row: &FileRow) -> Option<(ProjectPath, FileEntry)> {
    let entry = FileEntry {
        hash: ContentHash::from_bytes(*blake3::Hash::from_hex(&row.hash).ok()?.as_bytes()),
        bytes: u32::try_from(row.bytes).ok()?,
        tokens: u32::try_from(row.tokens).ok()?,
        version: u64::try_from(row.version).ok()?,
        changed_at: Timestamp::from_microsecond(row.changed_at).ok()?,
    };
    Some((ProjectPath::parse(&row.path).ok()?, entry))
}
