//! The shape of a configuration file, as written. Every key is optional here; what is missing, wrong
//! in itself or wrong together is for `validate` to say. A key that is not listed is an error.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{RawAlias, Usd};
use crate::catalog::{Capability, Tier};
use crate::context::Placement;
use crate::keys::Inject;
use crate::ledger::WhenExhausted;
use crate::strategy::{Prefer, UnknownModel};

/// Configuration of edge-router (edge-router.toml).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub(super) server: RawServer,
    pub(super) catalog: RawCatalog,
    pub(super) budget: RawBudget,
    pub(super) routing: RawRouting,
    pub(super) context: RawContext,
    pub(super) report: RawReport,
    pub(super) network: RawNetwork,
    pub(super) classifier: RawClassifier,
    pub(super) providers: Vec<RawProvider>,
    pub(super) models: Vec<RawModel>,
    /// Name or glob to an ordered list of models and aliases, or to a table with a strategy.
    pub(super) aliases: BTreeMap<String, RawAlias>,
    /// Rate-limit buckets; several may cover the same model.
    pub(super) limits: Vec<RawLimit>,
}

/// Where the router listens, who may call it, where it keeps its files.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawServer {
    /// Address to listen on; any other than loopback requires `master_key`. Default 127.0.0.1.
    pub(super) host: Option<String>,
    /// Default 4000.
    pub(super) port: Option<u16>,
    /// Key that clients must send. Empty: no authentication, loopback only. Default "".
    pub(super) master_key: Option<String>,
    /// Ledger and downloaded models. A relative path begins at this file, `~/` at the home directory.
    /// Default ./data.
    pub(super) data_dir: Option<String>,
    /// Largest request body, in MiB. Default 32.
    pub(super) max_body_mb: Option<u32>,
    /// Longest time for a whole request, in seconds. Default 600.
    pub(super) request_timeout_s: Option<u32>,
    /// Web origins that may call the router from a browser, such as `http://localhost:3000`; `*` is
    /// every origin. Default [].
    pub(super) cors_origins: Option<Vec<String>>,
}

/// Which models and providers there are.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCatalog {
    /// false: only the providers and models of this file exist. Default true.
    pub(super) builtin: Option<bool>,
}

/// Limits on spending. A limit holds at every instant, under any number of concurrent requests.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawBudget {
    /// Most to spend a day. Absent or 0: no limit. Default 0.
    pub(super) daily_usd: Option<Usd>,
    /// Most to spend a month. Absent or 0: no limit. Default 0.
    pub(super) monthly_usd: Option<Usd>,
    /// Most that one request may cost at worst. Absent or 0: no limit. Default 0.
    pub(super) per_request_usd: Option<Usd>,
    /// Longest answer, in tokens, assumed and sent upstream where the client sets no cap.
    /// Default 8192.
    pub(super) default_output_tokens: Option<u32>,
    /// Longest wait, in seconds, when only other requests' reservations are in the way. Default 5.
    pub(super) wait_s: Option<u32>,
    /// IANA name: when a day and a month begin. Default UTC.
    pub(super) timezone: Option<String>,
    /// What serves when a limit is reached: local (free models) or reject. Default local.
    pub(super) when_exhausted: Option<WhenExhausted>,
    /// Percents of a limit, 1 to 100. Each is told once when a day or a month has spent so much, for
    /// the router and for each client key; [] tells nothing. Default [50, 80, 95].
    pub(super) warn_at: Option<Vec<u8>>,
    /// Address to which warnings are posted as JSON: https, or http on this machine. `text` and
    /// `content` hold the sentence for chat services such as Slack and Discord. Default "".
    pub(super) warn_webhook: Option<String>,
}

/// How a model is chosen.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRouting {
    /// What an unknown model name does: reject or auto. Default reject.
    pub(super) unknown_model: Option<UnknownModel>,
    /// true: a paid model below the tier may serve when none of the tier can. Default false.
    pub(super) allow_weaker: Option<bool>,
    /// How long a conversation keeps its model, in seconds. Takes effect after a restart.
    /// Default 3600.
    pub(super) sticky_ttl_s: Option<u32>,
    /// What decides among models that are all good enough: cost, latency or balanced. Default cost.
    pub(super) prefer: Option<Prefer>,
    /// Most further targets that are tried after the first one failed. Default 4.
    pub(super) max_fallbacks: Option<u32>,
}

/// What requests are given of the project that they are about, as `edge-watch` tells it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawContext {
    /// Most tokens of project context in one request, those of its earlier messages included; a new
    /// block takes at most half of what is left. Default 8000.
    pub(super) max_tokens: Option<u32>,
    /// Where context goes: user (cache friendly) or system. Default user.
    pub(super) placement: Option<Placement>,
    /// When context is added: on-header (X-Inject-Context: true), always (but for `false`) or never. A
    /// client key may have its own. Default on-header.
    pub(super) inject: Option<Inject>,
}

/// What `edge-router report` measures savings against.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawReport {
    /// The model that savings are measured against. Default anthropic/claude-opus-4-6.
    pub(super) baseline: Option<String>,
}

/// Outgoing connections.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawNetwork {
    /// Proxy for outgoing requests, for example http://proxy:3128. Default: HTTP_PROXY and HTTPS_PROXY.
    pub(super) proxy: Option<String>,
    /// PEM file with further certificate authorities; relative to this file. Default: SSL_CERT_FILE.
    pub(super) ca_file: Option<String>,
}

/// The model that judges how hard a request is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawClassifier {
    /// A verdict later than this, in milliseconds, is replaced by rules. Takes effect after a
    /// restart, like `queue` and `threads`. Default 250.
    pub(super) deadline_ms: Option<u32>,
    /// Most requests that may wait for the classifier; rules judge the next ones at once. Default 8.
    pub(super) queue: Option<u32>,
    /// Threads that judge. Default: the cores of the machine, at most 4.
    pub(super) threads: Option<u32>,
    /// Between cost and quality, 0 to 1: how much doubt rounds a tier up. At 0 a doubt of about a
    /// half, at 1 one of a tenth. It scales what too low a tier costs in `loss`: two thirds of it
    /// at 0, as written at 0.5, six times as much at 1. Default 0.5.
    pub(super) quality: Option<f32>,
    /// What a wrong tier costs: five rows (the true tier, trivial first) of five numbers (the chosen
    /// tier), before `quality`. Default: a tier too low costs more than one too high.
    pub(super) loss: Option<[[f32; 5]; 5]>,
}

/// A provider. Built-in ones need no entry: their key in the environment enables them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawProvider {
    /// A built-in provider's id changes the given fields; a new id adds a provider.
    pub(super) id: Option<String>,
    /// The protocol that it speaks. Required for a new provider.
    #[schemars(with = "Option<crate::providers::ProviderKind>")]
    pub(super) kind: Option<String>,
    /// Its address. openai: with /v1; anthropic and ollama: the host root. A slash or /v1 at the end
    /// is never doubled. Default: that of the built-in provider or of the kind.
    pub(super) base_url: Option<String>,
    /// Keys, in order of preference. An entry whose variable is not set is dropped; a provider whose
    /// entries are all dropped is not called. Default: its variable, such as OPENAI_API_KEY.
    pub(super) api_keys: Option<Vec<String>>,
    /// Longest wait for the first byte of an answer, in seconds. Default 60 (ollama 300, embedded 120), and 240
    /// for an answer that is not streamed.
    pub(super) first_byte_timeout_s: Option<u32>,
    /// Further request headers. Default {}.
    pub(super) headers: Option<BTreeMap<String, String>>,
}

/// Prices in USD per million tokens; the short names are those of the facts file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRates {
    /// Input tokens.
    #[serde(alias = "input")]
    pub(super) input_usd_per_mtok: Option<Usd>,
    /// Output tokens, thinking included.
    #[serde(alias = "output")]
    pub(super) output_usd_per_mtok: Option<Usd>,
    /// Tokens read from the cache. Default: the input price.
    #[serde(alias = "cache_read")]
    pub(super) cache_read_usd_per_mtok: Option<Usd>,
    /// Tokens written to the cache. Default: the input price.
    #[serde(alias = "cache_write_default", alias = "cache_write")]
    pub(super) cache_write_usd_per_mtok: Option<Usd>,
    /// The same where the cache lives five minutes. Default: cache_write.
    #[serde(alias = "cache_write_5m")]
    pub(super) cache_write_5m_usd_per_mtok: Option<Usd>,
    /// Tokens written to a cache that lives an hour. Default: twice the input price.
    #[serde(alias = "cache_write_1h")]
    pub(super) cache_write_1h_usd_per_mtok: Option<Usd>,
    /// Tokens written to a cache that lives longer than twelve hours. Default: twice the input price.
    #[serde(alias = "cache_write_over_12h")]
    pub(super) cache_write_over_12h_usd_per_mtok: Option<Usd>,
    /// Audio tokens of the input. Default: the input price.
    #[serde(alias = "audio_input")]
    pub(super) audio_input_usd_per_mtok: Option<Usd>,
    /// Audio tokens read from the cache. Default: the discount of cached text.
    #[serde(alias = "audio_cached")]
    pub(super) audio_cached_usd_per_mtok: Option<Usd>,
    /// Audio tokens of the answer. Default: the output price.
    #[serde(alias = "audio_output")]
    pub(super) audio_output_usd_per_mtok: Option<Usd>,
    /// Image tokens of the input. Default: the input price.
    #[serde(alias = "image_input")]
    pub(super) image_input_usd_per_mtok: Option<Usd>,
    /// Image tokens of the answer. Default: the output price.
    #[serde(alias = "image_output")]
    pub(super) image_output_usd_per_mtok: Option<Usd>,
    /// A thousand searches by the provider. Default: 35, and the cost is marked as estimated.
    #[serde(alias = "web_search")]
    pub(super) web_search_usd_per_1k: Option<Usd>,
    /// A thousand calls of the provider's other tools. Default: 35, and the cost is marked as estimated.
    #[serde(alias = "server_tool")]
    pub(super) server_tool_usd_per_1k: Option<Usd>,
    /// USD per hour of audio. Accepted; not used in this version.
    #[serde(alias = "audio_hour")]
    pub(super) audio_hour_usd: Option<Usd>,
    /// USD; there for records copied from the facts file.
    pub(super) currency: Option<String>,
    /// per_1M_tokens; there for records copied from the facts file.
    pub(super) unit: Option<String>,
}

/// Prices for the whole request past a prompt length.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLongContext {
    /// The prompt length, cached tokens counted, from which on (exclusive) these prices hold.
    pub(super) above_input_tokens: Option<u64>,
    /// whole_request; there for records copied from the facts file.
    pub(super) applies_to: Option<String>,
    /// Input tokens.
    #[serde(alias = "input")]
    pub(super) input_usd_per_mtok: Option<Usd>,
    /// Output tokens, thinking included.
    #[serde(alias = "output")]
    pub(super) output_usd_per_mtok: Option<Usd>,
    /// Tokens read from the cache. Default: the input price.
    #[serde(alias = "cache_read")]
    pub(super) cache_read_usd_per_mtok: Option<Usd>,
    /// Tokens written to the cache. Default: the input price.
    #[serde(alias = "cache_write_default", alias = "cache_write")]
    pub(super) cache_write_usd_per_mtok: Option<Usd>,
    /// The same where the cache lives five minutes. Default: cache_write.
    #[serde(alias = "cache_write_5m")]
    pub(super) cache_write_5m_usd_per_mtok: Option<Usd>,
    /// Tokens written to a cache that lives an hour. Default: twice the input price.
    #[serde(alias = "cache_write_1h")]
    pub(super) cache_write_1h_usd_per_mtok: Option<Usd>,
    /// Audio tokens of the input. Default: the input price.
    #[serde(alias = "audio_input")]
    pub(super) audio_input_usd_per_mtok: Option<Usd>,
}

/// Prices from a date on (00:00 UTC).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawScheduledPrice {
    /// A date such as 2027-01-01, or a moment such as 2027-01-01T08:00:00Z.
    pub(super) from: Option<String>,
    /// Input tokens.
    #[serde(alias = "input")]
    pub(super) input_usd_per_mtok: Option<Usd>,
    /// Output tokens, thinking included.
    #[serde(alias = "output")]
    pub(super) output_usd_per_mtok: Option<Usd>,
    /// Tokens read from the cache. Default: the input price.
    #[serde(alias = "cache_read")]
    pub(super) cache_read_usd_per_mtok: Option<Usd>,
    /// Tokens written to the cache. Default: the input price.
    #[serde(alias = "cache_write_default", alias = "cache_write")]
    pub(super) cache_write_usd_per_mtok: Option<Usd>,
    /// The same where the cache lives five minutes. Default: cache_write.
    #[serde(alias = "cache_write_5m")]
    pub(super) cache_write_5m_usd_per_mtok: Option<Usd>,
    /// Tokens written to a cache that lives an hour. Default: twice the input price.
    #[serde(alias = "cache_write_1h")]
    pub(super) cache_write_1h_usd_per_mtok: Option<Usd>,
    /// Audio tokens of the input. Default: the input price.
    #[serde(alias = "audio_input")]
    pub(super) audio_input_usd_per_mtok: Option<Usd>,
}

/// Cheaper hours: the model's own price holds in the peak windows, `off_peak` outside of them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTimeOfDay {
    /// peak; there for records copied from the facts file.
    pub(super) base_price_is: Option<String>,
    /// UTC; there for records copied from the facts file.
    pub(super) timezone: Option<String>,
    /// The dear hours in UTC: pairs such as ["01:00", "04:00"]; the end does not belong to the window.
    pub(super) peak_windows: Vec<(String, String)>,
    /// Days that have peak windows, such as ["mon", "tue"]. Default every day.
    pub(super) peak_days: Option<Vec<String>>,
    /// Dates without peak windows, such as public holidays.
    pub(super) excepted_days: Option<Vec<String>>,
    /// Prices outside of the dear hours.
    pub(super) off_peak: RawRates,
}

/// What a model refuses although its protocol has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refuses {
    /// temperature, top_p, top_k and penalties.
    Sampling,
    /// A tool_choice that forces a tool.
    ForcedToolChoice,
    /// max_tokens: the cap must be sent as max_completion_tokens.
    MaxTokens,
    /// A last message from the assistant.
    Prefill,
}

/// A model. Built-in ones need no entry.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawModel {
    /// provider/name. The id of a built-in model changes the given fields; a new id adds a model.
    pub(super) id: Option<String>,
    /// Default: the part of the id before the first slash.
    pub(super) provider: Option<String>,
    /// The name on the wire. Default: the part of the id after the first slash.
    pub(super) upstream: Option<String>,
    /// Hardest tier it is trusted with. Default standard (ollama operational, embedded trivial).
    pub(super) max_tier: Option<Tier>,
    /// Input tokens.
    #[serde(alias = "input")]
    pub(super) input_usd_per_mtok: Option<Usd>,
    /// Output tokens, thinking included.
    #[serde(alias = "output")]
    pub(super) output_usd_per_mtok: Option<Usd>,
    /// Tokens read from the cache. Default: the input price.
    #[serde(alias = "cache_read")]
    pub(super) cache_read_usd_per_mtok: Option<Usd>,
    /// Tokens written to the cache. Default: the input price.
    #[serde(alias = "cache_write_default", alias = "cache_write")]
    pub(super) cache_write_usd_per_mtok: Option<Usd>,
    /// The same where the cache lives five minutes. Default: cache_write.
    #[serde(alias = "cache_write_5m")]
    pub(super) cache_write_5m_usd_per_mtok: Option<Usd>,
    /// Tokens written to a cache that lives an hour. Default: twice the input price.
    #[serde(alias = "cache_write_1h")]
    pub(super) cache_write_1h_usd_per_mtok: Option<Usd>,
    /// Tokens written to a cache that lives longer than twelve hours. Default: twice the input price.
    #[serde(alias = "cache_write_over_12h")]
    pub(super) cache_write_over_12h_usd_per_mtok: Option<Usd>,
    /// Audio tokens of the input. Default: the input price.
    #[serde(alias = "audio_input")]
    pub(super) audio_input_usd_per_mtok: Option<Usd>,
    /// Audio tokens read from the cache. Default: the discount of cached text.
    #[serde(alias = "audio_cached")]
    pub(super) audio_cached_usd_per_mtok: Option<Usd>,
    /// Audio tokens of the answer. Default: the output price.
    #[serde(alias = "audio_output")]
    pub(super) audio_output_usd_per_mtok: Option<Usd>,
    /// Image tokens of the input. Default: the input price.
    #[serde(alias = "image_input")]
    pub(super) image_input_usd_per_mtok: Option<Usd>,
    /// Image tokens of the answer. Default: the output price.
    #[serde(alias = "image_output")]
    pub(super) image_output_usd_per_mtok: Option<Usd>,
    /// A thousand searches by the provider. Default: 35, and the cost is marked as estimated.
    #[serde(alias = "web_search")]
    pub(super) web_search_usd_per_1k: Option<Usd>,
    /// A thousand calls of the provider's other tools. Default: 35, and the cost is marked as estimated.
    #[serde(alias = "server_tool")]
    pub(super) server_tool_usd_per_1k: Option<Usd>,
    /// USD per hour of audio. Accepted; not used in this version.
    #[serde(alias = "audio_hour")]
    pub(super) audio_hour_usd: Option<Usd>,
    /// The prices as one table instead.
    pub(super) price: Option<RawRates>,
    /// Dearer prices past a prompt length.
    pub(super) long_context: Option<Vec<RawLongContext>>,
    /// Prices that follow the hour.
    pub(super) time_of_day: Option<RawTimeOfDay>,
    /// Announced prices, each from a date on.
    pub(super) scheduled_prices: Option<Vec<RawScheduledPrice>>,
    /// Accepted; not used in this version.
    pub(super) batch: Option<serde_json::Value>,
    /// Prices of other classes of service, by the request's field and value: service_tier:flex,
    /// service_tier:priority, service_tier:fast, speed:fast.
    pub(super) service_tiers: Option<BTreeMap<String, RawRates>>,
    /// How many times the price a region costs that the request names (inference_geo), such as 1.1.
    /// Default: 1.1, and the cost is marked as estimated.
    pub(super) regional_multiplier: Option<Usd>,
    /// Tokens of prompt and answer together. Default 128000 (anthropic 200000, ollama 32768,
    /// embedded 4096).
    pub(super) context_window: Option<u32>,
    /// Taken as the window where `context_window` is not given.
    pub(super) max_input_tokens: Option<u32>,
    /// Longest answer in tokens. Default 16384 (ollama 8192, embedded 2048).
    pub(super) max_output_tokens: Option<u32>,
    /// What it can do. Default: chat, tools, vision, json_schema, reasoning (ollama: chat, tools,
    /// json_schema; embedded: chat).
    pub(super) capabilities: Option<Vec<Capability>>,
    /// What it refuses although its protocol has it: sampling (temperature, top_p, penalties),
    /// forced_tool_choice, max_tokens (the cap must be max_completion_tokens), prefill (a last
    /// message from the assistant). Default [].
    pub(super) refuses: Option<Vec<Refuses>>,
    /// false: known but not offered. true for a built-in model also forgets its deprecation_date.
    /// Default true.
    pub(super) active: Option<bool>,
    /// The date on which its provider shuts it down: it is refused from 00:00 UTC on.
    pub(super) deprecation_date: Option<String>,
    /// Id of the model to use instead of one that is not active.
    pub(super) replacement: Option<String>,
}

/// A rate-limit bucket; several may cover the same model.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimit {
    /// Any text; must differ from the other limits' names. Required.
    pub(super) name: Option<String>,
    /// The provider whose models it covers. Required.
    pub(super) provider: Option<String>,
    /// Globs over the models' names on the wire. Default ["*"].
    pub(super) models: Option<Vec<String>>,
    /// Most requests in the window. One of `requests` and `tokens` is required.
    pub(super) requests: Option<u64>,
    /// Most tokens in the window, prompt and answer together.
    pub(super) tokens: Option<u64>,
    /// A number and s, m, h, d or w, such as 1m or 5h; or 1month. Required.
    pub(super) window: Option<String>,
}
