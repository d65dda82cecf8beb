//! Rows of reservations, charges and window totals.
//!
//! A write is two round trips to SQLite's thread, whatever the number of operations in it: one
//! string of statements that begins and reads, one that writes and commits. It is a single one when
//! what the last transaction left is still the latest, which the transaction itself checks by its
//! version. Lists travel as JSON (`json_each`), so that a batch of one and a batch of hundreds are
//! the same prepared statements.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::requests::{RequestRow, record_sql};
use super::{Reader, StoreError, Writer};
use crate::ids::KeyId;

/// Whose windows: everybody's together, or those of one client key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Global,
    Key(KeyId),
}

impl serde::Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Global => to.serialize_str(GLOBAL),
            Self::Key(id) => to.collect_str(&format_args!("{KEY}{id}")),
        }
    }
}

impl Scope {
    fn read(text: &str) -> Self {
        text.strip_prefix(KEY).map_or(Self::Global, |id| Self::Key(id.into()))
    }
}

/// As the statements below write it too.
const GLOBAL: &str = "global";
const KEY: &str = "key:";

/// What a window counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    Day,
    Month,
}

impl Period {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// One row of `window_totals`. Times in microseconds, `starts_at` inclusive, `ends_at` exclusive;
/// amounts in nano-USD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowRow {
    pub scope: Scope,
    pub period: Period,
    pub starts_at: i64,
    pub ends_at: i64,
    pub spent: i64,
    pub reserved: i64,
}

/// What is needed of an open reservation to close it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRow {
    pub reserved_at: i64,
    pub ceiling: i64,
    /// Whose it is, client key or not.
    pub key: KeyId,
}

/// A new reservation: seq, request, attempt, key, project, model, `reserved_at`, ceiling.
pub type ReservationRow<'a> = (i64, &'a str, u32, &'a str, Option<&'a str>, &'a str, i64, i64);
/// A reservation that becomes a charge: seq, cost, `settled_at`, unconfirmed (0 or 1).
pub type ChargeRow = (i64, i64, i64, u8);

/// What a transaction found.
#[derive(Debug, Default)]
pub struct Opened {
    pub version: i64,
    pub windows: Vec<WindowRow>,
    /// By seq; those asked for that are still open.
    pub open: HashMap<i64, OpenRow>,
}

/// What a transaction writes. All reservations belong to `instance`.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// That of the state on which the changes were decided.
    pub version: i64,
    pub instance: i64,
    pub reserved: Vec<ReservationRow<'a>>,
    pub charged: Vec<ChargeRow>,
    /// Every reservation that ends, released or charged.
    pub gone: Vec<i64>,
    pub requests: Vec<&'a RequestRow>,
    /// New state of the windows that changed.
    pub windows: Vec<WindowRow>,
}

/// Which open reservations of an instance a transaction wants to see.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    Some(&'a [i64]),
    All,
}

/// Whether the transaction was begun to read from it, or begins with the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Begun,
    Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    Done,
    /// Somebody else has written since `version`: nothing has happened, and the transaction is
    /// still open.
    Stale,
}

/// Parameters: the client keys that are wanted, the moment after which windows end, the instance, and
/// (with `some`) its reservations. The windows of a reservation's own key come along, whether or not
/// the caller knew whose it is.
macro_rules! begin_sql {
    ($these:literal) => {
        concat!(
            "BEGIN IMMEDIATE;
SELECT period, starts_at, ends_at, spent, reserved, scope FROM window_totals
 WHERE scope IN (SELECT 'global' UNION SELECT 'key:' || value FROM json_each(?1)
  UNION SELECT 'key:' || key FROM reservations WHERE ",
            $these,
            ") AND ends_at > ?2
UNION ALL SELECT 'version', version, 0, 0, 0, '' FROM ledger_state
UNION ALL SELECT 'open', seq, reserved_at, ceiling, 0, key FROM reservations WHERE ",
            $these
        )
    };
}

const BEGIN: &str = begin_sql!("instance = ?3 AND seq IN (SELECT value FROM json_each(?4))");
const BEGIN_ALL: &str = begin_sql!("instance = ?3");

macro_rules! reserve_sql {
    () => {
        "INSERT INTO reservations
 (instance, seq, request, attempt, key, project, model, reserved_at, ceiling)
 SELECT ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
  value ->> 6, value ->> 7 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING;
"
    };
}

macro_rules! finish_sql {
    () => {
        "INSERT INTO charges
 (reserved_at, instance, seq, request, attempt, key, project, model, ceiling, cost, settled_at,
  unconfirmed)
 SELECT r.reserved_at, r.instance, r.seq, r.request, r.attempt, r.key, r.project, r.model, r.ceiling,
  j.value ->> 1, j.value ->> 2, j.value ->> 3
 FROM json_each(?) AS j CROSS JOIN reservations AS r ON r.instance = ? AND r.seq = j.value ->> 0
 WHERE true ON CONFLICT DO NOTHING;
DELETE FROM reservations WHERE instance = ? AND seq IN (SELECT value FROM json_each(?));
"
    };
}

macro_rules! commit_sql {
    () => {
        "INSERT INTO window_totals (scope, period, starts_at, ends_at, spent, reserved)
 SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
 FROM json_each(?) WHERE true ON CONFLICT DO UPDATE SET spent = excluded.spent, reserved = excluded.reserved;
COMMIT"
    };
}

/// Fails on the column's NOT NULL if the version is another, and so keeps the rest from running.
macro_rules! version_sql {
    () => {
        "UPDATE ledger_state SET version = CASE WHEN version = ? THEN version + 1 END;
"
    };
}

/// The same statements for a transaction that is open, and for one that is not.
macro_rules! both {
    ($($part:expr),*) => {
        [
            concat!(version_sql!(), $($part,)* commit_sql!()),
            concat!("BEGIN IMMEDIATE;\n", version_sql!(), $($part,)* commit_sql!()),
        ]
    };
}

const ALL: [&str; 2] = both!(reserve_sql!(), finish_sql!(), record_sql!());
const RESERVE: [&str; 2] = both!(reserve_sql!());
const SETTLE: [&str; 2] = both!(finish_sql!(), record_sql!());
const RELEASE: [&str; 2] = both!(finish_sql!());
const RECORD: [&str; 2] = both!(record_sql!());

/// `COALESCE` stops at its first value: rows are summed only for a window without a total, which
/// is once per window and, for a new day, over no rows. `$own` narrows the rows to those of the scope.
macro_rules! sums_sql {
    ($own:literal) => {
        concat!(
            sums_sql!("?2", "?3", "?4", $own),
            "
UNION ALL ",
            sums_sql!("?5", "?6", "?7", $own)
        )
    };
    ($period:literal, $starts:literal, $ends:literal, $own:literal) => {
        concat!(
            "SELECT
 COALESCE((SELECT spent FROM window_totals
   WHERE scope = ?1 AND period = ",
            $period,
            " AND starts_at = ",
            $starts,
            " AND ends_at = ",
            $ends,
            "),
  (SELECT SUM(cost) FROM charges WHERE reserved_at >= ",
            $starts,
            " AND reserved_at < ",
            $ends,
            $own,
            "), 0),
 COALESCE((SELECT reserved FROM window_totals
   WHERE scope = ?1 AND period = ",
            $period,
            " AND starts_at = ",
            $starts,
            " AND ends_at = ",
            $ends,
            "),
  (SELECT SUM(ceiling) FROM reservations WHERE reserved_at >= ",
            $starts,
            " AND reserved_at < ",
            $ends,
            $own,
            "), 0)"
        )
    };
}

const SUMS: &str = sums_sql!("");
/// The last two conditions are those of the index `charges_by_key`.
const SUMS_OF_KEY: &str = sums_sql!(" AND key = ?8 AND key <> 'local' AND key <> 'master'");

pub(super) fn json<T: serde::Serialize>(list: &T) -> Result<String, StoreError> {
    serde_json::to_string(list)
        .map_err(|error| StoreError::from(sqlx::Error::Encode(Box::new(error))))
}

impl Writer {
    /// Takes the write lock and reads the reservations `wanted`, and the windows that end after
    /// `since`: the global ones, those of `keys`, and those of the reservations' own keys. Follow with
    /// [`Writer::commit`] or [`Writer::rollback`].
    pub async fn begin(
        &mut self,
        keys: &[KeyId],
        since: i64,
        instance: i64,
        wanted: Wanted<'_>,
    ) -> Result<Opened, StoreError> {
        let keys: Vec<&str> = keys.iter().map(KeyId::as_str).collect();
        let keys = json(&keys)?;
        let query = match wanted {
            Wanted::Some(seqs) => {
                sqlx::query(BEGIN).bind(keys).bind(since).bind(instance).bind(json(&seqs)?)
            }
            Wanted::All => sqlx::query(BEGIN_ALL).bind(keys).bind(since).bind(instance),
        };
        let mut rows = query.fetch(&mut self.connection);
        let mut opened = Opened::default();
        while let Some(row) = rows.try_next().await? {
            opened.take(&row)?;
        }
        Ok(opened)
    }

    /// Writes everything and commits, if `changes.version` is still the latest. On an error the
    /// transaction may still be open.
    pub async fn commit(
        &mut self,
        changes: &Changes<'_>,
        start: Start,
    ) -> Result<Committed, StoreError> {
        let (reserves, finishes, records) =
            (!changes.reserved.is_empty(), !changes.gone.is_empty(), !changes.requests.is_empty());
        // Statements without work are left out where that is common; the rest share one string.
        let (sql, reserves, finishes, records) = match (reserves, finishes, records) {
            (true, false, false) => (RESERVE, true, false, false),
            (false, true, true) => (SETTLE, false, true, true),
            (false, true, false) => (RELEASE, false, true, false),
            (false, false, _) => (RECORD, false, false, true),
            (true, _, _) => (ALL, true, true, true),
        };
        let [begun, now] = sql;
        let sql = if start == Start::Now { now } else { begun };
        let mut query = sqlx::query(sql).bind(changes.version);
        if reserves {
            query = query.bind(changes.instance).bind(json(&changes.reserved)?);
        }
        if finishes {
            query = query.bind(json(&changes.charged)?).bind(changes.instance);
            query = query.bind(changes.instance).bind(json(&changes.gone)?);
        }
        if records {
            query = query.bind(json(&changes.requests)?);
        }
        query = query.bind(json(&changes.windows)?);
        match query.execute(&mut self.connection).await {
            Ok(_) => Ok(Committed::Done),
            Err(error) if is_stale(&error) => Ok(Committed::Stale),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the open transaction, if there is one, without a trace.
    pub async fn rollback(&mut self) {
        // The only error of interest is a dead connection, which the next use reports.
        if sqlx::query("ROLLBACK").execute(&mut self.connection).await.is_err() {
            tracing::trace!("no transaction to roll back");
        }
    }

    /// See [`Reader::sums`]; within the open transaction.
    pub async fn sums(&mut self, windows: &mut [WindowRow; 2]) -> Result<(), StoreError> {
        let rows = sums(windows).fetch_all(&mut self.connection).await?;
        fill(windows, &rows);
        Ok(())
    }

    /// Instances with open reservations other than `own`, each with the moment of its oldest one.
    pub async fn other_instances(&mut self, own: i64) -> Result<Vec<(i64, i64)>, StoreError> {
        const SQL: &str = "SELECT instance, MIN(reserved_at) FROM reservations
 WHERE instance <> ? GROUP BY instance";
        Ok(sqlx::query_as(SQL).bind(own).fetch_all(&mut self.connection).await?)
    }

    /// How many reservations of `instance` are open.
    pub async fn open_count(&mut self, instance: i64) -> Result<i64, StoreError> {
        let (count,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM reservations WHERE instance = ?")
                .bind(instance)
                .fetch_one(&mut self.connection)
                .await?;
        Ok(count)
    }
}

fn is_stale(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.message().contains("ledger_state.version"))
}

impl Opened {
    fn take(&mut self, row: &SqliteRow) -> Result<(), StoreError> {
        let kind: &str = row.try_get(0)?;
        let (a, b, c, d): (i64, i64, i64, i64) =
            (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        let period = match kind {
            "day" => Period::Day,
            "month" => Period::Month,
            "version" => {
                self.version = a;
                return Ok(());
            }
            _ => {
                let key: &str = row.try_get(5)?;
                self.open.insert(a, OpenRow { reserved_at: b, ceiling: c, key: key.into() });
                return Ok(());
            }
        };
        let scope = Scope::read(row.try_get(5)?);
        let (starts_at, ends_at, spent, reserved) = (a, b, c, d);
        self.windows.push(WindowRow { scope, period, starts_at, ends_at, spent, reserved });
        Ok(())
    }
}

impl serde::Serialize for WindowRow {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let times = (self.starts_at, self.ends_at);
        (&self.scope, self.period.as_str(), times.0, times.1, self.spent, self.reserved)
            .serialize(to)
    }
}

/// Totals of open reservations and of charges that nobody confirmed, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Loose {
    pub open_count: i64,
    pub open_amount: i64,
    /// Microseconds; `None` without open reservations.
    pub oldest_at: Option<i64>,
    pub unconfirmed_count: i64,
    pub unconfirmed_amount: i64,
}

impl Reader {
    /// Fills in what two windows of one scope have spent and hold, in one consistent read.
    pub async fn sums(&self, windows: &mut [WindowRow; 2]) -> Result<(), StoreError> {
        let rows = sums(windows).fetch_all(&self.pool).await?;
        fill(windows, &rows);
        Ok(())
    }

    /// Open reservations, and unconfirmed charges since `since`.
    pub async fn loose(&self, since: i64) -> Result<Loose, StoreError> {
        const SQL: &str = "SELECT open_count, open_amount, oldest_at, unconfirmed_count,
  unconfirmed_amount FROM
  (SELECT COUNT(*) AS open_count, COALESCE(SUM(ceiling), 0) AS open_amount,
    MIN(reserved_at) AS oldest_at FROM reservations),
  (SELECT COUNT(*) AS unconfirmed_count, COALESCE(SUM(cost), 0) AS unconfirmed_amount
    FROM charges WHERE unconfirmed = 1 AND reserved_at >= ?)";
        Ok(sqlx::query_as(SQL).bind(since).fetch_one(&self.pool).await?)
    }
}

type Sums<'q> = sqlx::query::QueryAs<'q, sqlx::Sqlite, (i64, i64), sqlx::sqlite::SqliteArguments>;

fn sums([first, second]: &[WindowRow; 2]) -> Sums<'static> {
    let (sql, scope, key) = match &first.scope {
        Scope::Global => (SUMS, GLOBAL.to_owned(), None),
        Scope::Key(id) => (SUMS_OF_KEY, format!("{KEY}{id}"), Some(id.as_str().to_owned())),
    };
    let query = sqlx::query_as(sql)
        .bind(scope)
        .bind(first.period.as_str())
        .bind(first.starts_at)
        .bind(first.ends_at)
        .bind(second.period.as_str())
        .bind(second.starts_at)
        .bind(second.ends_at);
    match key {
        None => query,
        Some(key) => query.bind(key),
    }
}

fn fill(windows: &mut [WindowRow; 2], rows: &[(i64, i64)]) {
    for (window, (spent, reserved)) in windows.iter_mut().zip(rows) {
        (window.spent, window.reserved) = (*spent, *reserved);
    }
}
