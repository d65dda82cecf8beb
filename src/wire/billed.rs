//! What requests of every protocol ask for that is billed beside their text.

use crate::chat::Lifetime;

/// A region that costs more than to leave it open (Anthropic's `inference_geo`).
pub(super) fn is_region(geo: Option<&str>) -> bool {
    geo.is_some_and(|geo| !matches!(geo, "" | "global" | "not_available"))
}

/// The longest lifetime of the cache that a request asks for: OpenAI's `prompt_cache_retention`, and
/// Anthropic's `cache_control`, whose marks may stand anywhere in the body.
pub(super) fn lifetime(retention: Option<&str>, body: &[u8]) -> Lifetime {
    if retention.is_some_and(|word| !matches!(word, "" | "in_memory" | "in-memory")) {
        return Lifetime::Long;
    }
    let body = std::str::from_utf8(body).unwrap_or_default();
    // Inside of a text both would have their quotes escaped.
    if body.contains("\"ttl\"") && body.contains("\"1h\"") {
        Lifetime::Hour
    } else {
        Lifetime::Usual
    }
}
