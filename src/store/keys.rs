//! Rows of the `client_keys` table.

use super::{Reader, StoreError, Writer};

/// A key that the owner has given to a client. Times in microseconds, amounts in nano-USD, lists as
/// JSON arrays of text.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    /// The secret's digest; the secret itself is nowhere.
    pub hash: Vec<u8>,
    /// The secret's first characters, by which its owner knows it again.
    pub prefix: String,
    pub created_at: i64,
    pub revoked_at: Option<i64>,
    pub daily: Option<i64>,
    pub monthly: Option<i64>,
    pub rpm: Option<i64>,
    pub concurrent: Option<i64>,
    pub models: String,
    pub providers: String,
    pub projects: String,
    /// When it gives project context; `None`: as the configuration says.
    #[sqlx(default)]
    pub inject: Option<String>,
}

/// Whether a key could be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Added {
    Done,
    /// A live key has the name.
    NameTaken,
}

const CHANGED: &str = "UPDATE client_keys_state SET version = version + 1; COMMIT";

impl Writer {
    pub async fn add_key(&mut self, row: &KeyRow) -> Result<Added, StoreError> {
        const SQL: &str = "BEGIN IMMEDIATE;
INSERT INTO client_keys (id, name, hash, prefix, created_at, daily, monthly, rpm, concurrent, models,
 providers, projects, inject) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
UPDATE client_keys_state SET version = version + 1;
COMMIT";
        let query = sqlx::query(SQL)
            .bind(row.id.clone())
            .bind(row.name.clone())
            .bind(row.hash.clone())
            .bind(row.prefix.clone())
            .bind(row.created_at)
            .bind(row.daily)
            .bind(row.monthly)
            .bind(row.rpm)
            .bind(row.concurrent)
            .bind(row.models.clone())
            .bind(row.providers.clone())
            .bind(row.projects.clone())
            .bind(row.inject.clone());
        let Err(error) = query.execute(&mut self.connection).await else { return Ok(Added::Done) };
        self.rollback().await;
        let taken = error.as_database_error().is_some_and(|error| error.is_unique_violation());
        if taken { Ok(Added::NameTaken) } else { Err(error.into()) }
    }

    /// Revokes the live key of this name or id; `None`: there is none.
    pub async fn revoke_key(&mut self, key: &str, at: i64) -> Result<Option<String>, StoreError> {
        let revoked = self.revoke(key, at).await;
        if !matches!(revoked, Ok(Some(_))) {
            self.rollback().await;
        }
        revoked
    }

    async fn revoke(&mut self, key: &str, at: i64) -> Result<Option<String>, StoreError> {
        const SQL: &str = "UPDATE client_keys SET revoked_at = ?
 WHERE revoked_at IS NULL AND ? IN (name, id) RETURNING name";
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let found: Option<(String,)> = sqlx::query_as(SQL)
            .bind(at)
            .bind(key.to_owned())
            .fetch_optional(&mut self.connection)
            .await?;
        let Some((name,)) = found else { return Ok(None) };
        sqlx::query(CHANGED).execute(&mut self.connection).await?;
        Ok(Some(name))
    }
}

impl Reader {
    /// Changes whenever a key is added or revoked, by whatever process.
    pub async fn keys_version(&self) -> Result<i64, StoreError> {
        let (version,): (i64,) =
            sqlx::query_as("SELECT version FROM client_keys_state").fetch_one(&self.pool).await?;
        Ok(version)
    }

    /// All keys, the revoked ones too, oldest first. A file from before there were keys has none.
    pub async fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        const SQL: &str = "SELECT * FROM client_keys ORDER BY created_at, id";
        let rows = sqlx::query_as(SQL).fetch_all(&self.pool).await;
        rows.or_else(|error| match error.as_database_error() {
            Some(error) if error.message().contains("no such table") => Ok(Vec::new()),
            Some(_) | None => Err(error.into()),
        })
    }
}
