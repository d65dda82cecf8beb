//! Reads what was used, summed: by quarter of an hour from `usage_quarters`, which the database keeps
//! in step with the rows, so that the time a report takes follows the number of models, keys and
//! hours and not the number of requests. Finds single rows for those who ask about one.

use super::requests::RequestRow;
use super::{Reader, StoreError};

/// Microseconds in a quarter of an hour, the grain of `usage_quarters`.
pub const QUARTER: i64 = 900_000_000;

/// By what rows are told apart; bits of `mask` in [`Reader::usage`].
pub const BY_KEY: i64 = 1;
pub const BY_PROJECT: i64 = 2;
pub const BY_MODEL: i64 = 4;
pub const BY_TIER: i64 = 8;

/// Which part of the ledger is summed. Times in microseconds.
#[derive(Clone, Debug)]
pub struct UsageSpan {
    /// Where it begins; need not be the beginning of a quarter.
    pub since: i64,
    /// Pieces that are summed apart, as quarters `[begin, end)` in rising order without gaps; the
    /// first one holds `since`.
    pub pieces: Vec<(i64, i64)>,
}

/// Sums of one group in one piece. Amounts in nano-USD; an empty text stands for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct UsageRow {
    /// Index of the piece.
    pub piece: i64,
    #[sqlx(rename = "by_key")]
    pub key: String,
    #[sqlx(rename = "by_project")]
    pub project: String,
    #[sqlx(rename = "by_model")]
    pub model: String,
    #[sqlx(rename = "by_tier")]
    pub tier: String,
    pub failed: i64,
    pub longer_than: i64,
    pub requests: i64,
    pub estimated: i64,
    pub input: i64,
    pub cache_read: i64,
    pub cache_write: i64,
    pub cache_write_1h: i64,
    pub output: i64,
    pub reasoning: i64,
    pub audio_input: i64,
    pub cache_write_long: i64,
    pub audio_cached: i64,
    pub audio_output: i64,
    pub image_input: i64,
    pub image_output: i64,
    pub web_searches: i64,
    pub server_tools: i64,
    /// By the requests.
    pub cost: i64,
    pub estimated_cost: i64,
    /// By the charges, which know no tier.
    pub charged: i64,
    pub unconfirmed: i64,
    pub unconfirmed_count: i64,
}

/// A charge, as one line of a request's money.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ChargeLine {
    pub reserved_at: i64,
    pub settled_at: i64,
    pub attempt: i64,
    pub model: String,
    pub ceiling: i64,
    pub cost: i64,
    pub unconfirmed: bool,
}

/// What a list of requests is narrowed to; `None`: all.
#[derive(Clone, Debug, Default)]
pub struct RowFilter {
    pub key: Option<String>,
    pub model: Option<String>,
    pub failed: bool,
}

/// The beginning that is no beginning of a quarter is read from the rows themselves.
const USAGE: &str = "WITH pieces AS MATERIALIZED
  (SELECT key AS piece, value ->> 0 AS begins, value ->> 1 AS ends FROM json_each(?1)),
 part AS (
 SELECT p.piece, u.key, u.project, u.model, u.tier, u.failed, u.longer_than, u.requests,
  u.estimated, u.input, u.cache_read, u.cache_write, u.cache_write_1h, u.output, u.reasoning,
  u.audio_input, u.cache_write_long, u.audio_cached, u.audio_output, u.image_input, u.image_output,
  u.web_searches, u.server_tools, u.cost, u.estimated_cost, u.charged, u.unconfirmed, u.unconfirmed_count
 FROM pieces AS p CROSS JOIN usage_quarters AS u ON u.quarter >= p.begins AND u.quarter < p.ends
 UNION ALL
 SELECT 0, key, COALESCE(project, ''), COALESCE(model, ''), COALESCE(tier, ''),
  error IS NOT NULL AND error <> 'client_gone',
  CASE WHEN input + cache_read + cache_write + cache_write_1h + cache_write_long <= 100000 THEN 0
   WHEN input + cache_read + cache_write + cache_write_1h + cache_write_long <= 128000 THEN 100000
   WHEN input + cache_read + cache_write + cache_write_1h + cache_write_long <= 200000 THEN 128000
   WHEN input + cache_read + cache_write + cache_write_1h + cache_write_long <= 256000 THEN 200000
   WHEN input + cache_read + cache_write + cache_write_1h + cache_write_long <= 272000 THEN 256000
   WHEN input + cache_read + cache_write + cache_write_1h + cache_write_long <= 512000 THEN 272000
   ELSE 512000 END,
  1, estimated, input, cache_read, cache_write, cache_write_1h, output, reasoning, audio_input,
  cache_write_long, audio_cached, audio_output, image_input, image_output, web_searches,
  server_tools, cost, estimated * cost, 0, 0, 0
 FROM requests WHERE started_at >= ?2 AND started_at < ?3
 UNION ALL
 SELECT 0, key, COALESCE(project, ''), model, '', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0,
  cost, unconfirmed * cost, unconfirmed
 FROM charges WHERE reserved_at >= ?2 AND reserved_at < ?3)
SELECT piece,
 CASE WHEN ?4 & 1 THEN key ELSE '' END AS by_key, CASE WHEN ?4 & 2 THEN project ELSE '' END AS by_project,
 CASE WHEN ?4 & 4 THEN model ELSE '' END AS by_model, CASE WHEN ?4 & 8 THEN tier ELSE '' END AS by_tier,
 failed, longer_than, SUM(requests) AS requests, SUM(estimated) AS estimated, SUM(input) AS input,
 SUM(cache_read) AS cache_read, SUM(cache_write) AS cache_write,
 SUM(cache_write_1h) AS cache_write_1h, SUM(output) AS output, SUM(reasoning) AS reasoning,
 SUM(audio_input) AS audio_input, SUM(cache_write_long) AS cache_write_long,
 SUM(audio_cached) AS audio_cached, SUM(audio_output) AS audio_output,
 SUM(image_input) AS image_input, SUM(image_output) AS image_output,
 SUM(web_searches) AS web_searches, SUM(server_tools) AS server_tools, SUM(cost) AS cost, SUM(estimated_cost) AS estimated_cost,
 SUM(charged) AS charged, SUM(unconfirmed) AS unconfirmed,
 SUM(unconfirmed_count) AS unconfirmed_count
FROM part WHERE ?5 IS NULL OR key = ?5
GROUP BY piece, by_key, by_project, by_model, by_tier, failed, longer_than";

/// The dearest requests lie in quarters whose dearest one is among the dearest of all quarters.
const DEAREST: &str = "WITH top AS MATERIALIZED
  (SELECT quarter, dearest FROM usage_quarters WHERE quarter >= ?1 AND quarter < ?2 AND dearest > 0
   ORDER BY dearest DESC LIMIT ?4),
 least AS MATERIALIZED
  (SELECT CASE WHEN COUNT(*) < ?4 THEN 1 ELSE MIN(dearest) END AS cost FROM top),
 spans AS MATERIALIZED
  (SELECT quarter * 900000000 AS begins, (quarter + 1) * 900000000 AS ends FROM top GROUP BY quarter
   UNION ALL SELECT ?3, ?1 * 900000000)
SELECT r.* FROM spans AS s CROSS JOIN requests AS r
 ON r.started_at >= s.begins AND r.started_at < s.ends
WHERE r.cost >= CASE WHEN s.ends = ?1 * 900000000 THEN 1 ELSE (SELECT cost FROM least) END
ORDER BY r.cost DESC, r.started_at DESC LIMIT ?4";

const BY_ID: &str = "SELECT * FROM requests WHERE rowid IN
 (SELECT rowid FROM requests INDEXED BY requests_by_time
  WHERE started_at >= ? AND started_at <= ? AND id >= ? AND id < ? LIMIT ?)
 ORDER BY started_at, id";

const FILTERED: &str = "SELECT * FROM requests WHERE started_at >= ?1
 AND (?2 IS NULL OR key = ?2) AND (?3 IS NULL OR model = ?3 OR asked_model = ?3)
 AND (NOT ?4 OR error IS NOT NULL)
 ORDER BY started_at DESC, id DESC LIMIT ?5";

const CHARGES: &str = "SELECT reserved_at, settled_at, attempt, model, ceiling, cost, unconfirmed
 FROM charges WHERE reserved_at >= ? AND reserved_at <= ? AND request = ? ORDER BY attempt, seq";

impl UsageSpan {
    fn first_quarter(&self) -> i64 {
        self.pieces.first().map_or(0, |(begins, _)| *begins)
    }

    fn last_quarter(&self) -> i64 {
        self.pieces.last().map_or(0, |(_, ends)| *ends)
    }
}

impl Reader {
    /// Sums, one row for each group that `mask` tells apart and each piece of `span`; of one key
    /// only, where it is given. Everything in one consistent read.
    pub async fn usage(
        &self,
        span: &UsageSpan,
        mask: i64,
        key: Option<&str>,
    ) -> Result<Vec<UsageRow>, StoreError> {
        let pieces = serde_json::to_string(&span.pieces)
            .map_err(|error| StoreError::from(sqlx::Error::Encode(Box::new(error))))?;
        let _turn = self.sums.acquire().await.map_err(|_| StoreError::Closed)?;
        Ok(sqlx::query_as(USAGE)
            .bind(pieces)
            .bind(span.since)
            .bind(span.first_quarter().saturating_mul(QUARTER))
            .bind(mask)
            .bind(key)
            .fetch_all(&self.pool)
            .await?)
    }

    /// The quarter of the oldest sum; `None` in an empty ledger.
    pub async fn oldest_quarter(&self) -> Result<Option<i64>, StoreError> {
        let (oldest,): (Option<i64>,) =
            sqlx::query_as("SELECT MIN(quarter) FROM usage_quarters").fetch_one(&self.pool).await?;
        Ok(oldest)
    }

    /// The `limit` requests of `span` that cost most, dearest first; none that cost nothing.
    pub async fn dearest(
        &self,
        span: &UsageSpan,
        limit: u32,
    ) -> Result<Vec<RequestRow>, StoreError> {
        let _turn = self.sums.acquire().await.map_err(|_| StoreError::Closed)?;
        Ok(sqlx::query_as(DEAREST)
            .bind(span.first_quarter())
            .bind(span.last_quarter())
            .bind(span.since)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }

    /// Requests whose id begins with `prefix` and that started in the given span, oldest first.
    pub async fn requests_by_id(
        &self,
        prefix: &str,
        (from, to): (i64, i64),
        limit: u32,
    ) -> Result<Vec<RequestRow>, StoreError> {
        // Ids are ASCII.
        let after = format!("{prefix}\u{7f}");
        Ok(sqlx::query_as(BY_ID)
            .bind(from)
            .bind(to)
            .bind(prefix)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }

    /// Requests that started at or after `since` and pass `filter`, newest first.
    pub async fn filtered_requests(
        &self,
        since: i64,
        filter: &RowFilter,
        limit: u32,
    ) -> Result<Vec<RequestRow>, StoreError> {
        Ok(sqlx::query_as(FILTERED)
            .bind(since)
            .bind(filter.key.as_deref())
            .bind(filter.model.as_deref())
            .bind(filter.failed)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }

    /// The charges of `request`, which were reserved in the given span, in the order of its calls.
    pub async fn charges_of(
        &self,
        request: &str,
        (from, to): (i64, i64),
    ) -> Result<Vec<ChargeLine>, StoreError> {
        let query = sqlx::query_as(CHARGES).bind(from).bind(to).bind(request);
        Ok(query.fetch_all(&self.pool).await?)
    }
}

#[cfg(test)]
mod tests {
    use crate::store::{Reader, StoreError, Writer};

    /// Columns of `usage_quarters` but for the numbers that the rows below leave at zero.
    type Sum = (i64, String, String, i64, i64, i64, i64, i64, i64, i64, i64);

    const SUMS: &str =
        "SELECT quarter, model, tier, failed, longer_than, requests, input, cost, dearest, charged,
 unconfirmed FROM usage_quarters ORDER BY 1, 2, 3, 4, 5";

    #[tokio::test]
    async fn a_file_of_an_older_version_is_named_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let mut writer = Writer::open(&path).await.unwrap();
        let back = "DROP TRIGGER requests_are_summed; DROP TRIGGER charges_are_summed;
DROP TABLE usage_quarters; ALTER TABLE requests DROP COLUMN rates;";
        sqlx::raw_sql(back).execute(&mut writer.connection).await.unwrap();
        let reader = Reader::new(&path);
        assert!(matches!(reader.oldest_quarter().await, Err(StoreError::Older)));
        assert_eq!(reader.requests(0, 9).await.unwrap(), vec![]);
    }

    #[tokio::test]
    async fn kinds_of_use_that_came_later_are_summed_from_before_and_from_now_on() {
        const KINDS: &str = "SELECT quarter, model, longer_than, cache_write_long, audio_cached,
 audio_output, image_input, image_output, web_searches, server_tools FROM usage_quarters ORDER BY 1, 2, 3";
        type Kinds = (i64, String, i64, i64, i64, i64, i64, i64, i64, i64);
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(&dir.path().join("ledger.sqlite")).await.unwrap();
        let rows = "
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199)
INSERT INTO requests (id, started_at, elapsed_us, key, asked_model, model, confidence, reason, stream,
 status, fallback_index, attempts, input, cache_read, cache_write, cache_write_1h, output, reasoning,
 audio_input, estimated, cost, cache_write_long, audio_cached, audio_output, image_input,
 image_output, web_searches, server_tools)
SELECT 'req_' || i, 1795000000000000 + i * 100000000, 1, 'local', 'auto', 'm/' || (i % 3), 0.5, '', 0,
 200, 0, '[]', i * 900, 0, 0, 0, 1, 0, 0, 0, i, i % 2, i % 5, i % 7, 2, 3, i % 4, 5 FROM n";
        sqlx::raw_sql(rows).execute(&mut writer.connection).await.unwrap();
        let kinds = async |writer: &mut Writer| -> Vec<Kinds> {
            sqlx::query_as(KINDS).fetch_all(&mut writer.connection).await.unwrap()
        };
        let by_trigger = kinds(&mut writer).await;
        assert!(by_trigger.len() > 40, "{by_trigger:?}");
        let forget =
            "UPDATE usage_quarters SET cache_write_long = 0, audio_cached = 0, audio_output = 0,
 image_input = 0, image_output = 0, web_searches = 0, server_tools = 0";
        sqlx::raw_sql(forget).execute(&mut writer.connection).await.unwrap();
        let migration = include_str!("../../migrations/0007_usage_kinds.sql");
        let from = migration.find("INSERT INTO usage_quarters").unwrap();
        let to = migration.find("DROP TRIGGER").unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(&migration[from..to]))
            .execute(&mut writer.connection)
            .await
            .unwrap();
        assert_eq!(kinds(&mut writer).await, by_trigger);
    }

    #[tokio::test]
    async fn rows_from_before_are_summed_like_those_that_come() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(&dir.path().join("ledger.sqlite")).await.unwrap();
        let rows = "
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
INSERT INTO requests (id, started_at, elapsed_us, key, project, asked_model, model, tier, confidence,
 reason, stream, status, error, fallback_index, attempts, input, cache_read, cache_write,
 cache_write_1h, output, reasoning, audio_input, estimated, cost)
SELECT 'req_' || i, 1795000000000000 + i * 100000000, 1, 'local', NULL, 'auto',
 iif(i % 7, 'm/' || (i % 3), NULL), iif(i % 5, 'deep', NULL), 0.5, '', 0, 200,
 iif(i % 4, NULL, iif(i % 8, 'x', 'client_gone')), 0, '[]', i * 700, 1, 2, 3, 4, 5, 0, i % 2, i
FROM n;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
INSERT INTO charges (reserved_at, instance, seq, request, attempt, key, project, model, ceiling,
 cost, settled_at, unconfirmed)
SELECT 1795000000000000 + i * 100000000, 1, i, 'req_' || i, 0, 'local', NULL, 'm/' || (i % 3), i, i, 0,
 i % 9 = 0 FROM n";
        sqlx::raw_sql(rows).execute(&mut writer.connection).await.unwrap();
        let sums = async |writer: &mut Writer| -> Vec<Sum> {
            sqlx::query_as(SUMS).fetch_all(&mut writer.connection).await.unwrap()
        };
        let by_trigger = sums(&mut writer).await;
        assert!(by_trigger.len() > 300);
        let migration = include_str!("../../migrations/0005_usage.sql");
        let from = migration.find("INSERT INTO usage_quarters").unwrap();
        let to = migration.find("CREATE TRIGGER").unwrap();
        sqlx::raw_sql("DELETE FROM usage_quarters").execute(&mut writer.connection).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(&migration[from..to]))
            .execute(&mut writer.connection)
            .await
            .unwrap();
        assert_eq!(sums(&mut writer).await, by_trigger);
    }
}
