//! What is read of `context.sqlite`, beside its writer.

use std::path::Path;
use std::sync::Arc;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::{BlockRow, FileError, FileRow, Kept, ProjectRow, json};
use crate::store::{BUSY_TIMEOUT, readers};

const PROJECTS: &str =
    "SELECT name, owner, root, version, files, bytes, tokens, changed_at, messages
 FROM projects";

/// Reads without disturbing the writer.
#[derive(Clone, Debug)]
pub struct ContextReader {
    pool: SqlitePool,
}

impl ContextReader {
    /// Opens nothing yet: connections are made when first needed.
    pub fn new(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        Self { pool: readers(options) }
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// All projects, without their files.
    pub async fn projects(&self) -> Result<Vec<ProjectRow>, FileError> {
        Ok(sqlx::query_as(PROJECTS).fetch_all(&self.pool).await?)
    }

    pub async fn kept(&self) -> Result<Kept, FileError> {
        const SQL: &str = "SELECT COUNT(*) AS projects, COALESCE(SUM(files), 0) AS files,
 COALESCE(SUM(bytes), 0) AS bytes FROM projects";
        Ok(sqlx::query_as(SQL).fetch_one(&self.pool).await?)
    }

    /// A project and its files as of one moment; `None`: there is no such project.
    pub async fn project(
        &self,
        name: &str,
    ) -> Result<Option<(ProjectRow, Vec<FileRow>)>, FileError> {
        const FILES: &str =
            "SELECT path, lower(hex(hash)) AS hash, bytes, tokens, version, changed_at
 FROM files WHERE project = (SELECT id FROM projects WHERE name = ?)";
        let mut moment = self.pool.begin().await?;
        let row = sqlx::query_as(
            "SELECT name, owner, root, version, files, bytes, tokens, changed_at, messages
 FROM projects WHERE name = ?",
        )
        .bind(name.to_owned())
        .fetch_optional(&mut *moment)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let files = sqlx::query_as(FILES).bind(name.to_owned()).fetch_all(&mut *moment).await?;
        moment.commit().await?;
        Ok(Some((row, files)))
    }

    /// Path and text of up to `most` files behind the path `after`, in the order of their paths.
    pub async fn texts_after(
        &self,
        project: &str,
        after: &str,
        most: i64,
    ) -> Result<Vec<(String, String)>, FileError> {
        const SQL: &str = "SELECT files.path, texts.text FROM files
 JOIN texts ON texts.project = files.project AND texts.hash = files.hash
 WHERE files.project = (SELECT id FROM projects WHERE name = ?) AND files.path > ?
 ORDER BY files.path LIMIT ?";
        let query = sqlx::query_as(SQL).bind(project.to_owned()).bind(after.to_owned()).bind(most);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Texts by hexadecimal hash, as far as they are kept.
    pub async fn texts(
        &self,
        project: &str,
        hashes: &[String],
    ) -> Result<Vec<(String, Arc<str>)>, FileError> {
        const SQL: &str = "SELECT lower(hex(hash)), text FROM texts
 WHERE project = (SELECT id FROM projects WHERE name = ?)
 AND hash IN (SELECT unhex(value) FROM json_each(?))";
        let rows: Vec<(String, String)> = sqlx::query_as(SQL)
            .bind(project.to_owned())
            .bind(json(&hashes)?)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(|(hash, text)| (hash, text.into())).collect())
    }

    /// The blocks of a conversation in the order in which they were frozen.
    pub async fn blocks(&self, conversation: &[u8]) -> Result<Vec<BlockRow>, FileError> {
        const SQL: &str = "SELECT conversation, message, occurrence, text, tokens, project, shown,
 frozen_at FROM blocks WHERE conversation = ? ORDER BY seq";
        Ok(sqlx::query_as(SQL).bind(conversation.to_vec()).fetch_all(&self.pool).await?)
    }
}
