//! The configuration: read from its layers, checked as a whole, usable without further doubt.
//! Decides what a file may say; the modules own what their settings mean.

mod document;
mod environment;
mod load;
mod problem;
mod raw;
mod read;
mod reference;
pub mod reload;
mod shape;
mod validate;
mod values;

pub use environment::Environment;
pub use load::{ConfigSource, FILE_NAME, Overrides, built_in_keys, load, load_text};
pub use problem::{ConfigErrors, Origin, Problem};
pub use reference::reference;

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::catalog::Catalog;
use crate::context::Placement;
use crate::ids::ModelId;
use crate::inference::ClassifierSettings;
use crate::keys::Inject;
use crate::ledger::BudgetSettings;
use crate::limits::LimitSettings;
use crate::providers::ProviderSettings;
use crate::strategy::RoutingSettings;

#[derive(Clone, Debug)]
pub struct Config {
    pub server: ServerSettings,
    pub budget: BudgetSettings,
    pub warnings: WarningSettings,
    pub routing: RoutingSettings,
    pub context: ContextSettings,
    pub report: ReportSettings,
    pub network: NetworkSettings,
    pub classifier: ClassifierSettings,
    pub providers: Vec<ProviderSettings>,
    pub limits: Vec<LimitSettings>,
    pub catalog: Catalog,
    /// The file that was read, if any.
    pub source: Option<PathBuf>,
    /// Remarks for the human: what is accepted but not used, what was assumed.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct ServerSettings {
    pub host: std::net::IpAddr,
    pub port: u16,
    /// `None`: no authentication, loopback only.
    pub master_key: Option<SecretString>,
    /// Absolute.
    pub data_dir: PathBuf,
    pub max_body_bytes: usize,
    pub request_timeout: Duration,
    pub cors_origins: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct ContextSettings {
    /// Of all blocks in one request.
    pub max_tokens: u32,
    pub placement: Placement,
    /// Where neither the request nor its key says.
    pub inject: Inject,
}

#[derive(Clone, Debug)]
pub struct ReportSettings {
    /// What the spending is compared with.
    pub baseline: ModelId,
    /// `classifier.quality`, to be marked on the classifier's curve.
    pub quality: f32,
}

/// Who else is told that a limit is nearly spent.
#[derive(Clone, Debug, Default)]
pub struct WarningSettings {
    /// Where warnings are posted: https, or http on this machine. Whoever knows the address can post,
    /// so it is treated as a secret.
    pub webhook: Option<SecretString>,
}

/// Outgoing connections. `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and `SSL_CERT_FILE` hold where these are `None`.
#[derive(Clone, Debug, Default)]
pub struct NetworkSettings {
    /// `http://host:port` for both schemes.
    pub proxy: Option<SecretString>,
    /// PEM file with further certificate authorities.
    pub ca_file: Option<PathBuf>,
}

/// The JSON Schema of the configuration file.
pub fn schema() -> serde_json::Value {
    let mut schema = long_names();
    let definitions = schema["$defs"].as_object_mut().into_iter().flatten();
    for properties in definitions.filter_map(|(_, one)| one.get_mut("properties")?.as_object_mut())
    {
        add_short_names(properties);
    }
    schema
}

/// The schema without the short names.
fn long_names() -> serde_json::Value {
    let mut schema = schemars::schema_for!(raw::RawConfig).to_value();
    schema["title"] = "edge-router.toml".into();
    schema
}

/// Price keys are also accepted under the names that the facts file gives them.
fn add_short_names(properties: &mut serde_json::Map<String, serde_json::Value>) {
    for (name, value) in properties.clone() {
        if name == "cache_write_usd_per_mtok" {
            properties.insert("cache_write_default".to_owned(), value.clone());
        }
        let short = name.strip_suffix("_usd_per_mtok").or_else(|| name.strip_suffix("_hour_usd"));
        match short {
            Some("audio") => drop(properties.insert("audio_hour".to_owned(), value)),
            Some(short) => drop(properties.insert(short.to_owned(), value)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
