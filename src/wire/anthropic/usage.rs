//! Anthropic's token counts: `input_tokens` excludes what was read from or written to the cache.

use serde::Deserialize;

use crate::chat::{Service, Usage};
use crate::wire::billed::is_region;
use crate::wire::lenient::{Count, word};

#[derive(Default, Deserialize)]
pub(super) struct UsageIn {
    input_tokens: Option<Count>,
    cache_read_input_tokens: Option<Count>,
    cache_creation_input_tokens: Option<Count>,
    cache_creation: Option<CreationIn>,
    output_tokens: Option<Count>,
    output_tokens_details: Option<OutputDetails>,
    server_tool_use: Option<ServerToolUse>,
    #[serde(default, deserialize_with = "word")]
    service_tier: Option<String>,
    #[serde(default, deserialize_with = "word")]
    speed: Option<String>,
    #[serde(default, deserialize_with = "word")]
    inference_geo: Option<String>,
}

/// Fetching costs its tokens only.
#[derive(Deserialize)]
struct ServerToolUse {
    web_search_requests: Option<Count>,
}

#[derive(Deserialize)]
struct CreationIn {
    ephemeral_5m_input_tokens: Option<Count>,
    ephemeral_1h_input_tokens: Option<Count>,
}

#[derive(Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<Count>,
}

impl UsageIn {
    /// Brings `usage` up to this report. Counts are cumulative and never fall; what a report leaves
    /// out keeps its figure.
    pub(super) fn update(&self, usage: &mut Usage) {
        let count = |count: Option<Count>| count.unwrap_or_default().0;
        let raise = |field: &mut u64, to: u64| *field = (*field).max(to);
        raise(&mut usage.input, count(self.input_tokens));
        raise(&mut usage.cache_read, count(self.cache_read_input_tokens));
        let (short, long) = match &self.cache_creation {
            Some(split) => {
                (count(split.ephemeral_5m_input_tokens), count(split.ephemeral_1h_input_tokens))
            }
            None => (0, 0),
        };
        // What the split does not explain was written for the default lifetime.
        let whole = count(self.cache_creation_input_tokens);
        raise(&mut usage.cache_write_1h, long);
        raise(&mut usage.cache_write, short.max(whole.saturating_sub(usage.cache_write_1h)));
        raise(&mut usage.output, count(self.output_tokens));
        let details = self.output_tokens_details.as_ref();
        raise(&mut usage.reasoning, details.map_or(0, |details| count(details.thinking_tokens)));
        let tools = self.server_tool_use.as_ref();
        raise(&mut usage.web_searches, tools.map_or(0, |tools| count(tools.web_search_requests)));
        let service = Service::of(self.service_tier.as_deref(), self.speed.as_deref());
        // A later report without the speed does not take it back.
        let fast = self.speed.is_none() && usage.service == Some(Service::SpeedFast);
        usage.service = service.filter(|_| !fast).or(usage.service);
        usage.regional |= is_region(self.inference_geo.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain(&[r#"{"input_tokens":7,"output_tokens":3}"#], Usage { input: 7, output: 3, ..Usage::default() })]
    #[case::cached_tokens_are_not_in_the_input(
        &[r#"{"input_tokens":7,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,"output_tokens":3}"#],
        Usage { input: 7, cache_read: 100, cache_write: 50, output: 3, ..Usage::default() }
    )]
    #[case::lifetimes_are_apart(
        &[r#"{"input_tokens":7,"cache_creation_input_tokens":50,"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},"output_tokens":3}"#],
        Usage { input: 7, cache_write: 20, cache_write_1h: 30, output: 3, ..Usage::default() }
    )]
    #[case::a_later_report_is_cumulative_and_may_be_partial(
        &[
            r#"{"input_tokens":7,"cache_creation_input_tokens":50,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":50},"output_tokens":1}"#,
            r#"{"input_tokens":0,"cache_creation_input_tokens":50,"output_tokens":90,"output_tokens_details":{"thinking_tokens":60}}"#,
        ],
        Usage { input: 7, cache_write_1h: 50, output: 90, reasoning: 60, ..Usage::default() }
    )]
    fn usage_is_brought_to_the_normal_form(#[case] reports: &[&str], #[case] expected: Usage) {
        let mut usage = Usage::default();
        for report in reports {
            serde_json::from_str::<UsageIn>(report).unwrap().update(&mut usage);
        }
        assert_eq!(usage, expected);
    }
}
