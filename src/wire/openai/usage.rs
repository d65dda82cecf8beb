//! Token counts as OpenAI-compatible providers report them, to the normal form and back.

use std::str::FromStr;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::chat::{Service, Usage};
use crate::money::NanoUsd;
use crate::wire::lenient::{Count, word};

#[derive(Deserialize)]
pub(super) struct UsageIn<'a> {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    total_tokens: Option<Count>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek.
    prompt_cache_hit_tokens: Option<Count>,
    /// Together.
    cached_tokens: Option<Count>,
    /// OpenRouter, in USD; others use the name for other things.
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
    is_byok: Option<bool>,
    #[serde(borrow)]
    cost_details: Option<CostDetails<'a>>,
    /// Some (OpenRouter, xAI) say here what the answer's top says elsewhere.
    #[serde(default, deserialize_with = "word")]
    service_tier: Option<String>,
    server_tool_use: Option<ServerToolUse>,
}

#[derive(Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<Count>,
    cache_write_tokens: Option<Count>,
    audio_tokens: Option<Count>,
    image_tokens: Option<Count>,
    cached_tokens_details: Option<CachedDetails>,
}

#[derive(Default, Deserialize)]
struct CachedDetails {
    audio_tokens: Option<Count>,
}

#[derive(Default, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<Count>,
    audio_tokens: Option<Count>,
    image_tokens: Option<Count>,
}

#[derive(Deserialize)]
struct ServerToolUse {
    web_search_requests: Option<Count>,
}

#[derive(Deserialize)]
struct CostDetails<'a> {
    #[serde(borrow)]
    upstream_inference_cost: Option<&'a RawValue>,
}

impl UsageIn<'_> {
    /// `None` if it counts nothing.
    pub(super) fn normal(&self) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let count = |count: Option<Count>| count.unwrap_or_default().0;
        let prompt = count(self.prompt_tokens);
        let completion = count(self.completion_tokens);
        let details = self.prompt_tokens_details.as_ref();
        let detail = |of: fn(&PromptDetails) -> Option<Count>| details.and_then(of);
        let cached = detail(|details| details.cached_tokens);
        let cached = cached.or(self.prompt_cache_hit_tokens).or(self.cached_tokens);
        let cache_read = count(cached).min(prompt);
        let written = count(detail(|details| details.cache_write_tokens));
        let cache_write = written.min(prompt - cache_read);
        let input = prompt - cache_read - cache_write;
        let audio_cached =
            count(detail(|details| details.cached_tokens_details.as_ref()?.audio_tokens));
        let audio_cached = audio_cached.min(cache_read);
        let audio = count(detail(|details| details.audio_tokens)).saturating_sub(audio_cached);
        // Gemini's compatible endpoint and xAI count thinking in the total only.
        let gap = count(self.total_tokens).saturating_sub(prompt.saturating_add(completion));
        let output = completion.saturating_add(gap);
        let made = self.completion_tokens_details.as_ref();
        let made = |of: fn(&CompletionDetails) -> Option<Count>| count(made.and_then(of));
        Some(Usage {
            input,
            cache_read,
            cache_write,
            output,
            reasoning: made(|details| details.reasoning_tokens).max(gap),
            audio_input: audio.min(input),
            audio_cached,
            audio_output: made(|details| details.audio_tokens).min(output),
            image_input: count(detail(|details| details.image_tokens)).min(input),
            image_output: made(|details| details.image_tokens).min(output),
            web_searches: self
                .server_tool_use
                .as_ref()
                .map_or(0, |tools| count(tools.web_search_requests)),
            service: Service::of(self.service_tier.as_deref(), None),
            reported_cost: self.cost(),
            ..Usage::default()
        })
    }

    fn cost(&self) -> Option<NanoUsd> {
        let fee = self.cost.and_then(|raw| dollars(raw.get()))?;
        // With the user's own key at the provider, `cost` is OpenRouter's fee alone.
        let upstream = self
            .cost_details
            .as_ref()
            .filter(|_| self.is_byok == Some(true))
            .and_then(|details| details.upstream_inference_cost)
            .and_then(|raw| dollars(raw.get()));
        Some(fee + upstream.unwrap_or_default())
    }
}

/// A JSON number (or one in quotes) of USD, exactly; digits past the nano-dollar round up.
fn dollars(json: &str) -> Option<NanoUsd> {
    let text = json.trim_matches('"').trim_start_matches('+');
    if text.starts_with('-') {
        return None;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let surplus = i32::try_from(fraction.len()).ok()?.checked_sub(9)?.checked_sub(exponent)?;
    if surplus <= 0 {
        return NanoUsd::from_str(text).ok();
    }
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let kept = digits.len().saturating_sub(usize::try_from(surplus).ok()?);
    let (nanos, lost) = digits.split_at(kept);
    let nanos: i64 = if nanos.is_empty() { 0 } else { nanos.parse().ok()? };
    let up = i64::from(lost.bytes().any(|byte| byte != b'0'));
    Some(NanoUsd(nanos.saturating_add(up)))
}

/// The protocol's usage object.
pub(super) fn object(usage: &Usage) -> Value {
    let prompt = usage.prompt_tokens();
    let mut details = json!({"cached_tokens": usage.cache_read});
    let written = usage.cache_write + usage.cache_write_1h + usage.cache_write_long;
    if written > 0 {
        details["cache_write_tokens"] = Value::from(written);
    }
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn usage(json: &str) -> Option<Usage> {
        serde_json::from_str::<UsageIn<'_>>(json).unwrap().normal()
    }

    #[rstest]
    #[case::openai(
        r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":10,"audio_tokens":5},"completion_tokens_details":{"reasoning_tokens":8}}"#,
        Usage { input: 30, cache_read: 60, cache_write: 10, output: 20, reasoning: 8, audio_input: 5, ..Usage::default() }
    )]
    #[case::deepseek(
        r#"{"prompt_tokens":100,"completion_tokens":20,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36,"prompt_tokens_details":null}"#,
        Usage { input: 36, cache_read: 64, output: 20, ..Usage::default() }
    )]
    #[case::together(
        r#"{"prompt_tokens":100,"completion_tokens":20,"cached_tokens":40}"#,
        Usage { input: 60, cache_read: 40, output: 20, ..Usage::default() }
    )]
    #[case::gemini_thinking_in_the_total_only(
        r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115}"#,
        Usage { input: 10, output: 105, reasoning: 100, ..Usage::default() }
    )]
    #[case::floats_and_negatives(
        r#"{"prompt_tokens":10.0,"completion_tokens":-5}"#,
        Usage { input: 10, ..Usage::default() }
    )]
    #[case::more_cached_than_sent(
        r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":99,"cache_write_tokens":7}}"#,
        Usage { cache_read: 10, output: 1, ..Usage::default() }
    )]
    #[case::own_key_at_openrouter(
        r#"{"prompt_tokens":1,"completion_tokens":1,"cost":0.001,"is_byok":true,"cost_details":{"upstream_inference_cost":0.02}}"#,
        Usage { input: 1, output: 1, reported_cost: Some(NanoUsd(21_000_000)), ..Usage::default() }
    )]
    #[case::cost_is_something_else(
        r#"{"prompt_tokens":1,"completion_tokens":1,"cost":{"total":1}}"#,
        Usage { input: 1, output: 1, ..Usage::default() }
    )]
    fn usage_is_brought_to_the_normal_form(#[case] json: &str, #[case] expected: Usage) {
        assert_eq!(usage(json), Some(expected));
    }

    #[test]
    fn a_usage_object_that_counts_nothing_is_none() {
        assert_eq!(usage("{}"), None);
    }

    #[rstest]
    #[case("0.00012", Some(120_000))]
    #[case("1.2e-7", Some(120))]
    #[case("0", Some(0))]
    #[case("\"0.5\"", Some(500_000_000))]
    #[case("0.0000000001", Some(1))]
    #[case("0.12345678901", Some(123_456_790))]
    #[case("0.1000000000000", Some(100_000_000))]
    #[case("1e-30", Some(1))]
    #[case("-1", None)]
    #[case("{}", None)]
    #[case("true", None)]
    #[case("0.00000000000x", None)]
    fn a_cost_is_read_from_its_digits_and_never_too_low(
        #[case] json: &str,
        #[case] nanos: Option<i64>,
    ) {
        assert_eq!(dollars(json), nanos.map(NanoUsd));
    }
}
