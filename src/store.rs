//! The only SQL. Opens the ledger's SQLite file, keeps its schema up to date, and reads and writes
//! rows; what the rows mean (limits, windows, who may spend) is decided in `ledger`. [`context`] does
//! the same for the file of developers' projects.
//!
//! Durability: WAL with `synchronous = NORMAL`. A commit survives `kill -9`, since it is in the
//! kernel's hands when it returns; a power cut may take the last moments, never the consistency.
//! `FULL` would wait for the disk on every request.

#[cfg(test)]
pub(crate) mod audit;
pub mod context;
mod interrupted;
pub mod keys;
pub mod ledger;
pub mod requests;
pub mod usage;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use tokio::sync::Semaphore;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Longest wait for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Pages in the write-ahead log at which a commit itself moves them into the database. Far above
/// what [`Writer::checkpoint`] lets gather, so that commits do not wait for the disk.
const CHECKPOINT_BACKSTOP_PAGES: &str = "16384";
const WAL_SIZE_LIMIT_BYTES: &str = "67108864";

/// Why the ledger's file cannot be used. Requests that cost money are answered 503.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the ledger is locked by another program; try again, or stop that program")]
    Busy(#[source] Arc<sqlx::Error>),
    #[error("the disk that holds the ledger is full; free some space")]
    DiskFull(#[source] Arc<sqlx::Error>),
    #[error("the ledger cannot be written: file or directory is read-only")]
    ReadOnly(#[source] Arc<sqlx::Error>),
    #[error("the ledger's file is damaged or not a ledger; restore it from a copy or move it away")]
    Corrupt(#[source] Arc<sqlx::Error>),
    #[error("the ledger was written by a newer edge-router; use that version or another data_dir")]
    Newer,
    #[error(
        "the ledger has the form of an older version; start `edge-router serve` once to bring it up to date"
    )]
    Older,
    #[error("the ledger's schema cannot be brought up to date")]
    Migration(#[source] Arc<MigrateError>),
    #[error("the ledger cannot be read or written")]
    Sql(#[source] Arc<sqlx::Error>),
    #[error("a file beside the ledger cannot be used")]
    Io(#[source] Arc<std::io::Error>),
    #[error("the ledger is closed")]
    Closed,
}

impl StoreError {
    /// The connection is of no further use; the file may well be.
    pub fn connection_died(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        matches!(**error, sqlx::Error::WorkerCrashed)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(|error| error.code())
            .and_then(|code| code.parse::<i32>().ok());
        let lacks = |error: &dyn sqlx::error::DatabaseError| {
            ["no such table: usage_quarters", "no such column: rates"]
                .iter()
                .any(|lack| error.message().contains(lack))
        };
        if error.as_database_error().is_some_and(lacks) {
            return Self::Older;
        }
        let error = Arc::new(error);
        // The low byte is the primary result code: https://sqlite.org/rescode.html
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Self::Busy(error),
            Some(13) => Self::DiskFull(error),
            Some(8) => Self::ReadOnly(error),
            Some(11 | 26) => Self::Corrupt(error),
            _ => Self::Sql(error),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) => Self::Newer,
            MigrateError::Execute(error) => error.into(),
            other => Self::Migration(Arc::new(other)),
        }
    }
}

/// The connection that writes. One per process and file.
#[derive(Debug)]
pub struct Writer {
    connection: SqliteConnection,
    options: SqliteConnectOptions,
}

impl Writer {
    /// Opens the file, makes it if it is missing, and brings its schema up to date.
    /// The caller keeps other processes from doing so at the same moment.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = writing(path);
        let mut connection = options.connect().await?;
        MIGRATIONS.run(&mut connection).await?;
        Ok(Self { connection, options })
    }

    /// A second connection to the same file, for [`Writer::checkpoint`].
    pub async fn sibling(&self) -> Result<Self, StoreError> {
        let connection = self.options.connect().await?;
        Ok(Self { connection, options: self.options.clone() })
    }

    /// Starts afresh after the connection itself has died.
    pub async fn reconnect(&mut self) -> Result<(), StoreError> {
        self.connection = self.options.connect().await?;
        Ok(())
    }

    /// Moves committed pages from the write-ahead log into the database without making writers
    /// wait. Returns how many pages were left behind.
    pub async fn checkpoint(&mut self) -> Result<i64, StoreError> {
        let (_, log, moved): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)")
            .fetch_one(&mut self.connection)
            .await?;
        Ok(log - moved)
    }

    pub async fn close(self) -> Result<(), StoreError> {
        use sqlx::Connection;
        Ok(self.connection.close().await?)
    }
}

/// Reads, beside the writer and in other processes, without disturbing it.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: SqlitePool,
    /// One sum over much at a time: the other connections are for what must be quick.
    sums: Arc<Semaphore>,
}

impl Reader {
    /// Opens nothing yet: connections are made when first needed.
    pub fn new(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        Self { pool: readers(options), sums: Arc::new(Semaphore::new(1)) }
    }

    /// For a file in a directory that cannot be written: SQLite may then not even make the files
    /// that readers of a live WAL need, and nobody else can change the file.
    pub fn immutable(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .immutable(true)
            .disable_statement_logging();
        Self { pool: readers(options), sums: Arc::new(Semaphore::new(1)) }
    }

    /// Whether the file can be read at all.
    pub async fn probe(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT COUNT(*) FROM window_totals").fetch_one(&self.pool).await?;
        Ok(())
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn readers(options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(2)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(5))
        .connect_lazy_with(options)
}

fn writing(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(32)
        .pragma("wal_autocheckpoint", CHECKPOINT_BACKSTOP_PAGES)
        .pragma("journal_size_limit", WAL_SIZE_LIMIT_BYTES)
        .disable_statement_logging()
}
