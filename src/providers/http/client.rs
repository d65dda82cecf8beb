//! The connections outwards: proxy, certificate authorities, pools. One for all providers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy, Url};
use secrecy::{ExposeSecret as _, SecretString};

use crate::ids::ProviderId;
use crate::providers::ProviderKind;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why no connection can be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the proxy address cannot be used: {0}")]
    Proxy(String),
    #[error("the certificate file {path} cannot be used: {reason}", path = path.display())]
    CaFile { path: PathBuf, reason: String },
    #[error("`{address}` is not a usable address: {reason}")]
    Address { address: String, reason: String },
    #[error("the configured header `{0}` has a name or value that HTTP forbids")]
    Header(String),
    #[error("{0} is not called over HTTP")]
    NotHttp(ProviderId),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Shared connection pools. Clones share them.
#[derive(Clone, Debug)]
pub struct HttpClient {
    /// Past every proxy.
    direct: Client,
    /// Through the proxy of the configuration or of the environment, if there is one.
    outward: Client,
    /// The proxy is the configuration's.
    configured: bool,
}

impl HttpClient {
    /// `proxy`: for both schemes, else `HTTP_PROXY`, `HTTPS_PROXY`; `NO_PROXY` holds for both.
    /// `ca_file`: PEM with further certificate authorities, besides the system's (`SSL_CERT_FILE`).
    ///
    /// # Errors
    /// [`ClientError`] if the proxy address or the file cannot be used.
    pub fn new(proxy: Option<&SecretString>, ca_file: Option<&Path>) -> Result<Self, ClientError> {
        let certificates = ca_file.map(read_certificates).transpose()?.unwrap_or_default();
        let build = |builder: ClientBuilder| {
            let builder = builder.tls_certs_merge(certificates.clone());
            builder.build().map_err(|error| ClientError::Tls(innermost(&error)))
        };
        let outward = match proxy {
            None => base(),
            Some(proxy) => {
                let proxy = Proxy::all(proxy.expose_secret())
                    .map_err(|error| ClientError::Proxy(innermost(&error.without_url())))?;
                base().proxy(proxy.no_proxy(NoProxy::from_env()))
            }
        };
        Ok(Self {
            direct: build(base().no_proxy())?,
            outward: build(outward)?,
            configured: proxy.is_some(),
        })
    }

    /// The connections to use for `url`. A proxy of the environment is not asked for addresses of
    /// this machine, which it could not reach; a local Ollama never goes through a proxy.
    pub(crate) fn towards(&self, url: &Url, kind: ProviderKind) -> &Client {
        let direct = is_loopback(url) && (!self.configured || kind == ProviderKind::Ollama);
        if direct { &self.direct } else { &self.outward }
    }

    /// Those for an address that is no provider's: past every proxy on this machine.
    pub(crate) fn plainly(&self, url: &Url) -> &Client {
        if is_loopback(url) { &self.direct } else { &self.outward }
    }

    /// As if the environment named this proxy.
    #[cfg(test)]
    pub(super) fn with_environment_proxy(proxy: &str) -> Self {
        let direct = base().no_proxy().build().unwrap();
        let outward = base().proxy(Proxy::all(proxy).unwrap()).build().unwrap();
        Self { direct, outward, configured: false }
    }
}

fn base() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("edge-router/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_keepalive(KEEPALIVE)
        .tcp_nodelay(true)
        // A redirect would carry the key and the prompt to an address that nobody configured.
        .redirect(Policy::none())
}

fn read_certificates(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let unusable = |reason: String| ClientError::CaFile { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let all = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(innermost(&error)))?;
    if all.is_empty() {
        return Err(unusable("it holds no certificate in PEM form".to_owned()));
    }
    Ok(all)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        None => false,
        Some("localhost") => true,
        Some(host) => host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
