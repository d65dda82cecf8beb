//! What is written to `context.sqlite`, each change as one transaction.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection};

use super::{BlockRow, Commit, FileError, Keep, json, options};
use crate::store::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/context");

const LOCK: &str = "BEGIN IMMEDIATE";
/// Freed pages that are given back to the disk at a time.
const GIVE_BACK: &str = "PRAGMA incremental_vacuum(2000)";

/// The connection that writes. One per process.
#[derive(Debug)]
pub struct ContextWriter {
    connection: SqliteConnection,
}

/// Whether a delta could be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    Done,
    /// Another process has changed the project.
    Stale,
}

impl ContextWriter {
    /// Opens the file, makes it if it is missing, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, FileError> {
        let mut connection = options(path).connect().await?;
        MIGRATIONS.run(&mut connection).await.map_err(StoreError::from)?;
        Ok(Self { connection })
    }

    pub async fn close(self) -> Result<(), FileError> {
        Ok(self.connection.close().await?)
    }

    /// Writes a delta, or nothing.
    pub async fn commit(&mut self, commit: &Commit) -> Result<Committed, FileError> {
        let mut transaction = self.connection.begin_with(LOCK).await?;
        let at: &mut SqliteConnection = &mut transaction;
        let Some(project) = head(at, commit).await? else { return Ok(Committed::Stale) };
        texts(at, project, commit).await?;
        files(at, project, commit).await?;
        older(at, project, commit).await?;
        transaction.commit().await?;
        Ok(Committed::Done)
    }

    /// Removes a project with all its texts and all that conversations were shown of it. Returns
    /// whether there was one.
    pub async fn remove(&mut self, name: &str) -> Result<bool, FileError> {
        let mut transaction = self.connection.begin_with(LOCK).await?;
        let id: Option<(i64,)> = sqlx::query_as("DELETE FROM projects WHERE name = ? RETURNING id")
            .bind(name.to_owned())
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some((id,)) = id {
            for sql in [
                "DELETE FROM files WHERE project = ?",
                "DELETE FROM older WHERE project = ?",
                "DELETE FROM texts WHERE project = ?",
            ] {
                sqlx::query(sql).bind(id).execute(&mut *transaction).await?;
            }
            sqlx::query("DELETE FROM blocks WHERE project = ?")
                .bind(name.to_owned())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        sqlx::query(GIVE_BACK).execute(&mut self.connection).await?;
        Ok(id.is_some())
    }

    /// Keeps blocks, each in place of the one of the same message and of those after it; those of
    /// projects that are gone are dropped.
    pub async fn freeze(&mut self, rows: &[BlockRow]) -> Result<(), FileError> {
        const ANEW: &str = "DELETE FROM blocks WHERE conversation = ?1 AND seq >=
 (SELECT seq FROM blocks WHERE conversation = ?1 AND message = ?2 AND occurrence = ?3)";
        const SQL: &str = "INSERT INTO blocks
 (conversation, message, occurrence, text, tokens, project, shown, frozen_at, bytes)
 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, OCTET_LENGTH(?4) + OCTET_LENGTH(?7)
 WHERE EXISTS (SELECT 1 FROM projects WHERE name = ?6)";
        let mut transaction = self.connection.begin_with(LOCK).await?;
        for row in rows {
            sqlx::query(ANEW)
                .bind(row.conversation.clone())
                .bind(row.message.clone())
                .bind(row.occurrence)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(SQL)
                .bind(row.conversation.clone())
                .bind(row.message.clone())
                .bind(row.occurrence)
                .bind(row.text.clone())
                .bind(row.tokens)
                .bind(row.project.clone())
                .bind(row.shown.clone())
                .bind(row.frozen_at)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Forgets conversations and older texts that nothing was added to since `before` (microseconds),
    /// and the oldest blocks beyond `most_bytes`.
    pub async fn sweep(&mut self, before: i64, most_bytes: i64) -> Result<(), FileError> {
        const SILENT: &str = "DELETE FROM blocks WHERE conversation IN
 (SELECT conversation FROM blocks GROUP BY conversation HAVING MAX(frozen_at) < ?)";
        const BEYOND: &str = "DELETE FROM blocks WHERE seq IN (SELECT seq FROM
 (SELECT seq, SUM(bytes) OVER (ORDER BY seq DESC) AS upto FROM blocks) WHERE upto > ?)";
        const ORPHANS: &str = "DELETE FROM texts WHERE
 NOT EXISTS (SELECT 1 FROM files WHERE files.project = texts.project AND files.hash = texts.hash)
 AND NOT EXISTS (SELECT 1 FROM older WHERE older.project = texts.project AND older.hash = texts.hash)";
        let mut transaction = self.connection.begin_with(LOCK).await?;
        sqlx::query(SILENT).bind(before).execute(&mut *transaction).await?;
        sqlx::query(BEYOND).bind(most_bytes).execute(&mut *transaction).await?;
        sqlx::query("DELETE FROM older WHERE retired_at < ?")
            .bind(before)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(ORPHANS).execute(&mut *transaction).await?;
        transaction.commit().await?;
        sqlx::query(GIVE_BACK).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Whether the file can be written.
    pub async fn probe(&mut self) -> Result<(), FileError> {
        let mut transaction = self.connection.begin_with(LOCK).await?;
        // A write that changes nothing still needs room in the log.
        sqlx::query("UPDATE projects SET version = version").execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

/// The project's own row; `None`: it is not what `commit` was made from.
async fn head(at: &mut SqliteConnection, commit: &Commit) -> Result<Option<i64>, FileError> {
    const NEW: &str = "INSERT INTO projects
 (name, owner, root, version, files, bytes, tokens, changed_at, messages)
 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING RETURNING id";
    const NEXT: &str = "UPDATE projects SET owner = ?2, root = ?3, version = ?4, files = ?5,
 bytes = ?6, tokens = ?7, changed_at = ?8, messages = ?9 WHERE name = ?1 AND version = ?10
 RETURNING id";
    let row = &commit.project;
    let query = sqlx::query_as(if commit.before.is_some() { NEXT } else { NEW })
        .bind(row.name.clone())
        .bind(row.owner.clone())
        .bind(row.root.clone())
        .bind(row.version)
        .bind(row.files)
        .bind(row.bytes)
        .bind(row.tokens)
        .bind(row.changed_at)
        .bind(row.messages.clone());
    let query = match commit.before {
        Some(before) => query.bind(before),
        None => query,
    };
    let id: Option<(i64,)> = query.fetch_optional(at).await?;
    Ok(id.map(|(id,)| id))
}

async fn texts(at: &mut SqliteConnection, project: i64, commit: &Commit) -> Result<(), FileError> {
    const SQL: &str = "INSERT OR IGNORE INTO texts (project, hash, text) VALUES (?, unhex(?), ?)";
    for (hash, text) in &commit.texts {
        sqlx::query(SQL)
            .bind(project)
            .bind(hash.clone())
            .bind(text.clone())
            .execute(&mut *at)
            .await?;
    }
    Ok(())
}

async fn files(at: &mut SqliteConnection, project: i64, commit: &Commit) -> Result<(), FileError> {
    const GONE: &str = "DELETE FROM files WHERE project = ? AND path IN
 (SELECT value FROM json_each(?))";
    const PUT: &str = "INSERT OR REPLACE INTO files
 (project, path, hash, bytes, tokens, version, changed_at)
 SELECT ?1, value ->> 'path', unhex(value ->> 'hash'), value ->> 'bytes', value ->> 'tokens',
 value ->> 'version', value ->> 'changed_at' FROM json_each(?2)";
    sqlx::query(GONE).bind(project).bind(json(&commit.gone)?).execute(&mut *at).await?;
    sqlx::query(PUT).bind(project).bind(json(&commit.put)?).execute(&mut *at).await?;
    Ok(())
}

/// Keeps what files were, within the bounds, and drops texts that nothing has any more.
async fn older(at: &mut SqliteConnection, project: i64, commit: &Commit) -> Result<(), FileError> {
    const PUT: &str = "INSERT OR REPLACE INTO older (project, path, hash, bytes, retired_at)
 SELECT ?1, value ->> 'path', unhex(value ->> 'hash'), value ->> 'bytes', ?3 FROM json_each(?2)";
    const MANY: &str = "DELETE FROM older WHERE seq IN (SELECT seq FROM
 (SELECT seq, ROW_NUMBER() OVER (PARTITION BY path ORDER BY seq DESC) AS nth FROM older
  WHERE project = ?1 AND path IN (SELECT value ->> 'path' FROM json_each(?2))) WHERE nth > ?3)
 RETURNING hex(hash)";
    const LARGE: &str = "DELETE FROM older WHERE seq IN (SELECT seq FROM
 (SELECT seq, SUM(bytes) OVER (ORDER BY seq DESC) AS upto FROM older WHERE project = ?1)
 WHERE upto > ?2) RETURNING hex(hash)";
    const TEXTS: &str = "DELETE FROM texts WHERE project = ?1
 AND hash IN (SELECT unhex(value) FROM json_each(?2))
 AND NOT EXISTS (SELECT 1 FROM files WHERE files.project = ?1 AND files.hash = texts.hash)
 AND NOT EXISTS (SELECT 1 FROM older WHERE older.project = ?1 AND older.hash = texts.hash)";
    if commit.older.is_empty() {
        return Ok(());
    }
    let Keep { versions_per_file, bytes_per_project } = commit.keep;
    let rows = json(&commit.older)?;
    sqlx::query(PUT)
        .bind(project)
        .bind(rows.clone())
        .bind(commit.project.changed_at)
        .execute(&mut *at)
        .await?;
    let mut dropped: Vec<(String,)> = sqlx::query_as(MANY)
        .bind(project)
        .bind(rows)
        .bind(versions_per_file)
        .fetch_all(&mut *at)
        .await?;
    let large: Vec<(String,)> =
        sqlx::query_as(LARGE).bind(project).bind(bytes_per_project).fetch_all(&mut *at).await?;
    dropped.extend(large);
    if !dropped.is_empty() {
        let dropped: Vec<&str> = dropped.iter().map(|(hash,)| hash.as_str()).collect();
        sqlx::query(TEXTS).bind(project).bind(json(&dropped)?).execute(&mut *at).await?;
    }
    Ok(())
}
