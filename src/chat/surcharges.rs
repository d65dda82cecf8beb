//! What a request asks for that is billed beside or above its text.

use super::{Service, Usage};

/// How long the provider shall keep what it caches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lifetime {
    #[default]
    Usual,
    /// One hour (Anthropic).
    Hour,
    /// More than twelve hours (OpenAI).
    Long,
}

/// What may be billed for a request beside its text and the text of its answer. The worst case is
/// reserved from it, and it tells what an answer's own report leaves open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surcharges {
    /// The class of service that was asked for; `None`: left to the provider.
    pub service: Option<Service>,
    /// A region was asked for by name.
    pub regional: bool,
    pub cache: Lifetime,
    /// The answer may be spoken.
    pub audio_output: bool,
    /// The answer may hold images.
    pub image_output: bool,
    /// Most searches that the provider may make.
    pub web_searches: u32,
    /// Most calls of the provider's other tools.
    pub server_tools: u32,
}

/// How often a provider is assumed to use a tool of its own when the request sets no limit.
pub const UNLIMITED_USES: u32 = 10;

impl Surcharges {
    /// Notes a tool that runs at the provider, by its `type`.
    pub fn add_server_tool(&mut self, kind: &str, most: Option<u32>) {
        let uses = most.unwrap_or(UNLIMITED_USES);
        let count = if kind.contains("search") && !kind.contains("file_search") {
            &mut self.web_searches
        } else {
            &mut self.server_tools
        };
        *count = count.saturating_add(uses);
    }

    /// What is left of it when the request is converted to another protocol: only marks on the cache
    /// have a place there.
    #[must_use]
    pub fn converted(&self) -> Self {
        let cache = if self.cache == Lifetime::Long { Lifetime::Usual } else { self.cache };
        Self { cache, ..Self::default() }
    }

    /// Completes an answer's report: OpenAI does not say for how long it cached, and an answer that
    /// does not say how it was served is taken to be served as asked where that costs more.
    #[must_use]
    pub fn complete(&self, mut usage: Usage) -> Usage {
        if self.cache == Lifetime::Long {
            usage.cache_write_long = usage.cache_write_long.saturating_add(usage.cache_write);
            usage.cache_write = 0;
        }
        usage.service = usage.service.or(self.service.filter(|service| service.is_dear()));
        usage.regional |= self.regional;
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_silent_was_served_as_asked_where_that_is_dearer() {
        let asked = |service| Surcharges { service, ..Surcharges::default() };
        let served = |asked: Surcharges, service| {
            asked.complete(Usage { service, ..Usage::default() }).service
        };
        assert_eq!(served(asked(Some(Service::Priority)), None), Some(Service::Priority));
        assert_eq!(served(asked(Some(Service::Flex)), None), None, "a discount must be confirmed");
        let told = Some(Service::Standard);
        assert_eq!(served(asked(Some(Service::Priority)), told), told, "the answer is believed");
    }

    #[test]
    fn what_was_cached_for_a_day_is_counted_as_such() {
        let asked = Surcharges { cache: Lifetime::Long, ..Surcharges::default() };
        let usage = asked.complete(Usage { cache_write: 7, ..Usage::default() });
        assert_eq!((usage.cache_write, usage.cache_write_long), (0, 7));
    }

    #[test]
    fn searches_are_told_from_other_tools() {
        let mut asked = Surcharges::default();
        asked.add_server_tool("web_search_20250305", Some(3));
        asked.add_server_tool("browser_search", None);
        asked.add_server_tool("file_search", None);
        assert_eq!((asked.web_searches, asked.server_tools), (3 + UNLIMITED_USES, UNLIMITED_USES));
    }
}
