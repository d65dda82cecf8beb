//! Rows of `requests` for requests whose process ended before it could write them.

use super::ledger::ChargeRow;
use super::{StoreError, Writer};

/// The error code of such a row; its status is 0, since nobody knows what the client saw.
const INTERRUPTED: &str = "interrupted";

/// How long before a call the first one of the same request may have been reserved, in microseconds.
const LONGEST_REQUEST: i64 = 6 * 3_600_000_000;

/// The cost is the ceiling, and what earlier calls of the same request were charged. Those are
/// looked for only where there were any: `charges` has no index by request.
const SQL: &str = "INSERT INTO requests
 (id, started_at, elapsed_us, first_byte_us, key, project, asked_model, model, tier, tier_source,
  confidence, reason, stream, status, error, fallback_index, attempts, input, cache_read,
  cache_write, cache_write_1h, output, reasoning, audio_input, reported_cost, estimated, cost)
 SELECT r.request, r.reserved_at, 0, NULL, r.key, r.project, '', r.model, NULL, NULL, 0.0,
  'the router ended while this request was running: charged in full, nobody knows what it cost',
  0, 0, ?1, r.attempt, '[]', 0, 0, 0, 0, 0, 0, 0, NULL, 1,
  j.value ->> 1 + CASE WHEN r.attempt = 0 THEN 0 ELSE COALESCE(
   (SELECT SUM(c.cost) FROM charges AS c WHERE c.reserved_at BETWEEN r.reserved_at - ?2 AND r.reserved_at
     AND c.instance = r.instance AND c.request = r.request), 0) END
 FROM json_each(?3) AS j CROSS JOIN reservations AS r ON r.instance = ?4 AND r.seq = j.value ->> 0
 WHERE true ON CONFLICT DO NOTHING";

impl Writer {
    /// Writes a row for each of `charged`, while they still are reservations of `instance`. Within
    /// the open transaction.
    pub async fn record_interrupted(
        &mut self,
        instance: i64,
        charged: &[ChargeRow],
    ) -> Result<(), StoreError> {
        if charged.is_empty() {
            return Ok(());
        }
        sqlx::query(SQL)
            .bind(INTERRUPTED)
            .bind(LONGEST_REQUEST)
            .bind(super::ledger::json(&charged)?)
            .bind(instance)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}
