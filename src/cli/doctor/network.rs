//! Who can be reached: one small request to every provider in use, with each of its keys. Listing
//! models costs nothing anywhere.

use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};

use super::Finding;
use crate::clock::Clock;
use crate::config::{Config, NetworkSettings};
use crate::providers::{ProviderKind, ProviderSettings};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
const TIMEOUT: Duration = Duration::from_secs(8);

/// What the network showed.
#[derive(Debug, Default)]
pub(super) struct Reached {
    pub(super) findings: Vec<Finding>,
    /// How far this machine's clock is ahead of the first provider that told its own.
    pub(super) skew: Option<SignedDuration>,
}

impl From<Finding> for Reached {
    fn from(finding: Finding) -> Self {
        Self { findings: vec![finding], skew: None }
    }
}

pub(super) async fn reach(config: &Config, clock: &dyn Clock) -> Reached {
    let client = match client(&config.network) {
        Ok(client) => client,
        Err(error) => {
            let advice = "correct [network] in the configuration";
            return Finding::fail("network", format!("{error:#}"), advice).into();
        }
    };
    let in_use = config
        .providers
        .iter()
        .filter(|provider| provider.enabled && provider.kind != ProviderKind::Embedded);
    let reached = join_all(in_use.map(|provider| probe(&client, provider, clock))).await;
    let mut all = Reached::default();
    for one in reached {
        all.findings.extend(one.findings);
        all.skew = all.skew.or(one.skew);
    }
    all
}

fn client(network: &NetworkSettings) -> anyhow::Result<Client> {
    let mut builder = Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT);
    if let Some(proxy) = &network.proxy {
        let proxy =
            reqwest::Proxy::all(proxy.expose_secret()).context("network.proxy is no URL")?;
        builder = builder.proxy(proxy);
    }
    if let Some(file) = &network.ca_file {
        let pem = std::fs::read(file)
            .with_context(|| format!("network.ca_file {} cannot be read", file.display()))?;
        for certificate in reqwest::Certificate::from_pem_bundle(&pem)
            .with_context(|| format!("network.ca_file {} is not PEM", file.display()))?
        {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().context("outgoing connections cannot be set up")
}

async fn probe(client: &Client, provider: &ProviderSettings, clock: &dyn Clock) -> Reached {
    let name = format!("provider {}", provider.id);
    let keys: Vec<Option<&SecretString>> = match provider.api_keys.as_slice() {
        [] => vec![None],
        keys => keys.iter().map(Some).collect(),
    };
    let mut reached = Reached::default();
    for (index, key) in keys.iter().enumerate() {
        let check = if keys.len() > 1 { format!("{name} key {}", index + 1) } else { name.clone() };
        match ask(client, provider, *key).await {
            Ok(response) => {
                reached.skew = reached.skew.or_else(|| skew(&response, clock));
                reached.findings.push(judge(check, provider, response).await);
            }
            Err(error) => {
                reached.findings.push(unreachable(check, provider, &error));
                break;
            }
        }
    }
    reached
}

/// Lists the models, in the provider's own protocol.
async fn ask(
    client: &Client,
    provider: &ProviderSettings,
    key: Option<&SecretString>,
) -> reqwest::Result<Response> {
    let base = &provider.base_url;
    let mut request = match provider.kind {
        ProviderKind::OpenAi => client.get(format!("{base}/models")),
        ProviderKind::Anthropic => {
            client.get(format!("{base}/v1/models")).header("anthropic-version", "2023-06-01")
        }
        ProviderKind::Ollama => client.get(format!("{base}/api/tags")),
        ProviderKind::Embedded => client.get(base),
    };
    for (name, value) in &provider.headers {
        request = request.header(name, value);
    }
    if let Some(key) = key {
        request = match provider.kind {
            ProviderKind::Anthropic => request.header("x-api-key", key.expose_secret()),
            ProviderKind::OpenAi | ProviderKind::Ollama | ProviderKind::Embedded => {
                request.bearer_auth(key.expose_secret())
            }
        };
    }
    request.send().await
}

async fn judge(check: String, provider: &ProviderSettings, response: Response) -> Finding {
    let status = response.status();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Finding::fail(
            check,
            format!("refuses the key ({status})"),
            "put a valid key into its environment variable or api_keys",
        ),
        StatusCode::PAYMENT_REQUIRED => {
            Finding::fail(check, "the account is out of credit", "add credit, or another key")
        }
        status if status.is_server_error() => {
            Finding::warn(check, format!("reachable, but answers {status}"), "try again later")
        }
        status if status.is_success() && provider.kind == ProviderKind::Ollama => {
            let models = models_of(response).await;
            match models {
                0 => Finding::warn(check, "running, without a model", "ollama pull qwen2.5-coder"),
                1 => Finding::ok(check, "running, 1 model"),
                many => Finding::ok(check, format!("running, {many} models")),
            }
        }
        status if status.is_success() => Finding::ok(check, "reachable, accepts the key"),
        status => Finding::ok(check, format!("reachable (model list: {status})")),
    }
}

async fn models_of(response: Response) -> usize {
    let tags: Option<serde_json::Value> = response.json().await.ok();
    tags.as_ref().and_then(|tags| tags.get("models")?.as_array()).map_or(0, Vec::len)
}

fn unreachable(check: String, provider: &ProviderSettings, error: &reqwest::Error) -> Finding {
    let why = if error.is_timeout() { "no answer in time" } else { "no connection" };
    let message = format!("{why} at {}", provider.base_url);
    match provider.kind {
        // Ollama is looked for everywhere, but not everyone has it
        ProviderKind::Ollama => {
            Finding::warn(check, message, "start it with `ollama serve`, if you want to use it")
        }
        ProviderKind::OpenAi | ProviderKind::Anthropic | ProviderKind::Embedded => Finding::fail(
            check,
            message,
            "check the network, HTTPS_PROXY, network.ca_file and the provider's base_url",
        ),
    }
}

fn skew(response: &Response, clock: &dyn Clock) -> Option<SignedDuration> {
    let date = response.headers().get(header::DATE)?.to_str().ok()?;
    Some(clock.now().duration_since(moment(date)?))
}

/// Reads an HTTP date (RFC 9110, section 5.6.7).
fn moment(date: &str) -> Option<Timestamp> {
    rfc2822::parse(date).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_are_read() {
        let moment = moment("Sat, 21 Nov 2026 10:00:00 GMT").unwrap();
        assert_eq!(moment.to_string(), "2026-11-21T10:00:00Z");
    }
}
