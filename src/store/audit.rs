//! For tests: whether the totals of the windows are the sums of the rows.

use super::{Reader, StoreError};

/// A window whose total is wrong: what it says, and what the rows say.
pub(crate) type Wrong = (String, i64, i64, i64, i64);

impl Reader {
    pub(crate) async fn wrong_totals(&self) -> Result<Vec<Wrong>, StoreError> {
        const SQL: &str = "SELECT * FROM (SELECT scope || ' ' || period || ' ' || starts_at, spent,
  (SELECT COALESCE(SUM(cost), 0) FROM charges WHERE reserved_at >= starts_at
    AND reserved_at < ends_at AND scope IN ('global', 'key:' || key)) AS costs, reserved,
  (SELECT COALESCE(SUM(ceiling), 0) FROM reservations WHERE reserved_at >= starts_at
    AND reserved_at < ends_at AND scope IN ('global', 'key:' || key)) AS held
 FROM window_totals) WHERE spent <> costs OR reserved <> held
UNION ALL SELECT 'no total counts the key ' || key, cost, 0, 0, 0 FROM charges AS c
 WHERE key <> 'local' AND key <> 'master' AND 2 > (SELECT COUNT(DISTINCT period) FROM window_totals
  WHERE scope = 'key:' || c.key AND starts_at <= c.reserved_at AND c.reserved_at < ends_at)";
        Ok(sqlx::query_as(SQL).fetch_all(&self.pool).await?)
    }

    /// How many windows that end after `since` have a total.
    pub(crate) async fn totals(&self, since: i64) -> Result<i64, StoreError> {
        const SQL: &str =
            "SELECT COUNT(*) FROM window_totals WHERE scope = 'global' AND ends_at > ?";
        let (count,): (i64,) = sqlx::query_as(SQL).bind(since).fetch_one(&self.pool).await?;
        Ok(count)
    }

    /// Sum and number of all charges ever.
    pub(crate) async fn charged(&self) -> Result<(i64, i64), StoreError> {
        const SQL: &str = "SELECT COALESCE(SUM(cost), 0), COUNT(*) FROM charges";
        Ok(sqlx::query_as(SQL).fetch_one(&self.pool).await?)
    }
}
