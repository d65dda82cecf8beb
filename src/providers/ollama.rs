//! Which models an Ollama server has, and what they can do.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use reqwest::{Client, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::http::{HttpClient, broken};
use super::{Billed, ProviderError, ProviderErrorKind, ProviderKind};
use crate::catalog::{Capabilities, Capability, Model, ParamRules, Price, Tier};
use crate::ids::{ModelId, ProviderId};

/// The server answers from memory or is not there.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Models asked about at the same time.
const AT_ONCE: usize = 4;
const LARGEST_BODY: usize = 8 << 20;
/// Ollama's own default, for models that do not say.
const UNKNOWN_WINDOW: u32 = 4_096;

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    models: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    #[serde(default)]
    details: Details,
}

#[derive(Default, Deserialize)]
struct Details {
    /// `3.1B`, `135M`.
    #[serde(default)]
    parameter_size: Option<String>,
}

#[derive(Deserialize)]
struct Show {
    #[serde(default)]
    details: Details,
    #[serde(default)]
    model_info: Option<Map<String, Value>>,
    /// Older servers do not say.
    #[serde(default)]
    capabilities: Option<Vec<String>>,
}

/// Lists the models of the server at `base_url` (the host root) as catalogue entries
/// `PROVIDER/NAME`: free, with their real context length. A model that the server lists and then does
/// not describe is left out.
///
/// # Errors
/// If no server answers, or something else than Ollama does.
pub async fn discover(
    client: &HttpClient,
    base_url: &str,
    provider: &ProviderId,
) -> Result<Vec<Model>, ProviderError> {
    let root = base_url.trim_end_matches('/');
    let unusable = || not_ollama(provider, "has an address that cannot be used");
    let tags_url = Url::parse(&format!("{root}/api/tags")).map_err(|_| unusable())?;
    let show_url = Url::parse(&format!("{root}/api/show")).map_err(|_| unusable())?;
    let client = client.towards(&tags_url, ProviderKind::Ollama);
    let tags: Tags = read(client.get(tags_url), provider).await?;
    let models = stream::iter(tags.models)
        .map(|tag| describe(client, &show_url, provider, tag))
        .buffered(AT_ONCE)
        .filter_map(std::future::ready);
    Ok(models.collect().await)
}

async fn describe(client: &Client, url: &Url, provider: &ProviderId, tag: Tag) -> Option<Model> {
    // `name` is what servers before 0.2 read.
    let question = serde_json::json!({ "model": tag.name, "name": tag.name });
    match read::<Show>(client.post(url.clone()).json(&question), provider).await {
        Ok(show) => Some(model(provider, &tag, &show)),
        Err(error) => {
            tracing::debug!(model = tag.name, %error, "a listed local model was not described");
            None
        }
    }
}

async fn read<T: DeserializeOwned>(
    request: reqwest::RequestBuilder,
    provider: &ProviderId,
) -> Result<T, ProviderError> {
    let answer = async {
        let response = request.send().await.map_err(|error| broken(provider, error))?;
        let status = response.status();
        if !status.is_success() {
            let what = format!("answered with status {}", status.as_u16());
            return Err(ProviderError {
                status: Some(status.as_u16()),
                ..not_ollama(provider, &what)
            });
        }
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|error| broken(provider, error))?);
            if body.len() > LARGEST_BODY {
                return Err(not_ollama(provider, "sent more than a list of models"));
            }
        }
        serde_json::from_slice(&body)
            .map_err(|_| not_ollama(provider, "did not answer as Ollama does"))
    };
    tokio::time::timeout(TIMEOUT, answer).await.map_err(|_| ProviderError {
        kind: ProviderErrorKind::Timeout,
        ..not_ollama(provider, "did not answer in time")
    })?
}

fn not_ollama(provider: &ProviderId, what: &str) -> ProviderError {
    ProviderError {
        kind: ProviderErrorKind::Protocol,
        status: None,
        message: format!("{provider} {what}"),
        body: None,
        retry_after: None,
        billed: Billed::Nothing,
    }
}

fn model(provider: &ProviderId, tag: &Tag, show: &Show) -> Model {
    let info = |wanted: &dyn Fn(&str) -> bool| {
        let info = show.model_info.as_ref()?;
        info.iter().find(|(name, _)| wanted(name)).and_then(|(_, value)| value.as_u64())
    };
    let window = info(&|name| name.ends_with(".context_length"))
        .and_then(|window| u32::try_from(window).ok())
        .filter(|window| *window > 0)
        .unwrap_or(UNKNOWN_WINDOW);
    let size = show.details.parameter_size.as_ref().or(tag.details.parameter_size.as_ref());
    let parameters = info(&|name| name == "general.parameter_count")
        .or_else(|| size.and_then(|size| parameters(size)));
    Model {
        id: ModelId::from(format!("{provider}/{}", tag.name)),
        provider: provider.clone(),
        upstream: tag.name.clone(),
        max_tier: trust(parameters),
        price: Some(Price::default()),
        context_window: window,
        max_output_tokens: window,
        capabilities: capabilities(show.capabilities.as_deref()),
        rules: ParamRules::default(),
        local: true,
        active: true,
        retires: None,
        replacement: None,
    }
}

/// How hard work a local model of this size is trusted with.
fn trust(parameters: Option<u64>) -> Tier {
    match parameters {
        None | Some(0..4_000_000_000) => Tier::Trivial,
        Some(..=15_000_000_000) => Tier::Operational,
        Some(..=40_000_000_000) => Tier::Standard,
        Some(_) => Tier::Complex,
    }
}

/// `3.1B` -> 3,100,000,000.
fn parameters(size: &str) -> Option<u64> {
    let size = size.trim();
    let (number, unit) = size.split_at(size.len().checked_sub(1)?);
    let scale: u64 = match unit {
        "K" | "k" => 1_000,
        "M" | "m" => 1_000_000,
        "B" | "b" => 1_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let tenths = fraction.chars().next().and_then(|digit| digit.to_digit(10)).unwrap_or(0);
    let whole: u64 = whole.parse().ok()?;
    Some(whole.checked_mul(scale)? + u64::from(tenths) * (scale / 10))
}

fn capabilities(said: Option<&[String]>) -> Capabilities {
    let has = |name: &str| said.is_some_and(|all| all.iter().any(|one| one == name));
    // A server that does not say has chat models, and no word on tools.
    let chats = said.is_none() || has("completion");
    let known = [
        (Capability::Chat, chats),
        (Capability::JsonSchema, chats),
        (Capability::Tools, has("tools")),
        (Capability::Vision, has("vision")),
        (Capability::Reasoning, has("thinking")),
        (Capability::Fim, has("insert")),
        (Capability::Embeddings, has("embedding")),
    ];
    known.into_iter().filter(|(_, has)| *has).map(|(one, _)| one).collect()
}

#[cfg(test)]
mod tests;
