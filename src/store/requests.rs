//! Rows of the `requests` table: what was asked of which model, and what came of it.

use serde::ser::SerializeTuple;

use super::{Reader, StoreError};

/// One request of a client. Times in microseconds, amounts in nano-USD.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct RequestRow {
    pub id: String,
    pub started_at: i64,
    pub elapsed_us: i64,
    pub first_byte_us: Option<i64>,
    pub key: String,
    pub project: Option<String>,
    pub asked_model: String,
    pub model: Option<String>,
    pub tier: Option<String>,
    pub tier_source: Option<String>,
    pub confidence: f64,
    pub reason: String,
    pub stream: bool,
    pub status: i64,
    pub error: Option<String>,
    pub fallback_index: i64,
    pub attempts: String,
    pub input: i64,
    pub cache_read: i64,
    pub cache_write: i64,
    pub cache_write_1h: i64,
    pub output: i64,
    pub reasoning: i64,
    pub audio_input: i64,
    pub reported_cost: Option<i64>,
    pub estimated: bool,
    pub cost: i64,
    pub cache_write_long: i64,
    pub audio_cached: i64,
    pub audio_output: i64,
    pub image_input: i64,
    pub image_output: i64,
    pub web_searches: i64,
    pub server_tools: i64,
    /// `field:value`, as in the catalogue.
    pub service: Option<String>,
    pub regional: bool,
    /// How `cost` came about, as JSON; `None` where it is zero or not known.
    #[sqlx(default)]
    pub rates: Option<String>,
    /// Project context that was put in, in tokens as estimated.
    #[sqlx(default)]
    pub context_tokens: i64,
}

/// Inserts a JSON list of [`RequestRow`]s. A row that is there already stays as it is, so that a
/// write whose outcome is unknown can be repeated.
macro_rules! record_sql {
    () => {
        "INSERT INTO requests
 (id, started_at, elapsed_us, first_byte_us, key, project, asked_model, model, tier, tier_source,
  confidence, reason, stream, status, error, fallback_index, attempts, input, cache_read,
  cache_write, cache_write_1h, output, reasoning, audio_input, reported_cost, estimated, cost,
  cache_write_long, audio_cached, audio_output, image_input, image_output,
  web_searches, server_tools, service, regional, rates, context_tokens)
 SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
  value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13,
  value ->> 14, value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20,
  value ->> 21, value ->> 22, value ->> 23, value ->> 24, value ->> 25, value ->> 26,
  value ->> 27, value ->> 28, value ->> 29, value ->> 30, value ->> 31, value ->> 32, value ->> 33,
  value ->> 34, value ->> 35, value ->> 36, value ->> 37
 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING;
"
    };
}
pub(super) use record_sql;

/// As a list in the order of the columns above.
impl serde::Serialize for RequestRow {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut row = to.serialize_tuple(38)?;
        row.serialize_element(&self.id)?;
        row.serialize_element(&self.started_at)?;
        row.serialize_element(&self.elapsed_us)?;
        row.serialize_element(&self.first_byte_us)?;
        row.serialize_element(&self.key)?;
        row.serialize_element(&self.project)?;
        row.serialize_element(&self.asked_model)?;
        row.serialize_element(&self.model)?;
        row.serialize_element(&self.tier)?;
        row.serialize_element(&self.tier_source)?;
        row.serialize_element(&self.confidence)?;
        row.serialize_element(&self.reason)?;
        row.serialize_element(&self.stream)?;
        row.serialize_element(&self.status)?;
        row.serialize_element(&self.error)?;
        row.serialize_element(&self.fallback_index)?;
        row.serialize_element(&self.attempts)?;
        row.serialize_element(&self.input)?;
        row.serialize_element(&self.cache_read)?;
        row.serialize_element(&self.cache_write)?;
        row.serialize_element(&self.cache_write_1h)?;
        row.serialize_element(&self.output)?;
        row.serialize_element(&self.reasoning)?;
        row.serialize_element(&self.audio_input)?;
        row.serialize_element(&self.reported_cost)?;
        row.serialize_element(&self.estimated)?;
        row.serialize_element(&self.cost)?;
        row.serialize_element(&self.cache_write_long)?;
        row.serialize_element(&self.audio_cached)?;
        row.serialize_element(&self.audio_output)?;
        row.serialize_element(&self.image_input)?;
        row.serialize_element(&self.image_output)?;
        row.serialize_element(&self.web_searches)?;
        row.serialize_element(&self.server_tools)?;
        row.serialize_element(&self.service)?;
        row.serialize_element(&self.regional)?;
        row.serialize_element(&self.rates)?;
        row.serialize_element(&self.context_tokens)?;
        row.end()
    }
}

impl Reader {
    /// Requests that started at or after `since`, newest first.
    pub async fn requests(&self, since: i64, limit: u32) -> Result<Vec<RequestRow>, StoreError> {
        const SQL: &str = "SELECT * FROM requests WHERE started_at >= ?
 ORDER BY started_at DESC, id DESC LIMIT ?";
        Ok(sqlx::query_as(SQL).bind(since).bind(limit).fetch_all(&self.pool).await?)
    }
}
