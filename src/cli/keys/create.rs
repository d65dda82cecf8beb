//! `edge-router keys create`: checks what is granted, makes the key, and prints it.

use clap::Args;
use globset::Glob;
use secrecy::ExposeSecret;
use strum::VariantNames;

use super::{Line, writer};
use crate::catalog::Resolution;
use crate::cli::budget::{configuration, in_runtime};
use crate::cli::{CliError, ConfigArg, output};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::ids::KeyId;
use crate::keys::{self, Grants, Inject, IssueError};
use crate::money::NanoUsd;

/// Longest name of a key.
const LONGEST_NAME: usize = 64;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  edge-router keys create --name ci --daily-usd 1 --monthly-usd 20 --models 'cheap,local' --rpm 60\n  \
    edge-router keys create --name home --providers ollama,embedded   # nothing leaves the house"
)]
pub(super) struct Create {
    #[command(flatten)]
    config: ConfigArg,
    /// Name of the key: letters, digits, `.`, `_` and `-`
    #[arg(long)]
    name: String,
    /// What it may spend in a day, in USD (default: only the router's own limits)
    #[arg(long, value_name = "USD", value_parser = amount)]
    daily_usd: Option<NanoUsd>,
    /// What it may spend in a month, in USD
    #[arg(long, value_name = "USD", value_parser = amount)]
    monthly_usd: Option<NanoUsd>,
    /// Models, aliases or globs that it may use, separated by commas (default: all)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    models: Vec<String>,
    /// Providers that may serve it, separated by commas (default: all)
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    providers: Vec<String>,
    /// Projects that it may name in X-Project, separated by commas (default: all)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    projects: Vec<String>,
    /// When its requests are given project context if they do not say so themselves: always, never
    /// or on-header (default: context.inject of the configuration)
    #[arg(long, value_name = "WHEN", value_parser = inject)]
    inject: Option<Inject>,
    /// Model requests in a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rpm: Option<u32>,
    /// Model requests at the same time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_concurrent: Option<u32>,
    /// Print the key with all that was granted as JSON
    #[arg(long)]
    json: bool,
}

fn amount(text: &str) -> Result<NanoUsd, String> {
    let amount: NanoUsd = text.parse().map_err(|error| format!("{error}"))?;
    if amount.is_zero() {
        return Err("must be more than 0; leave it out for no limit, or allow free models only with --models local".to_owned());
    }
    Ok(amount)
}

fn inject(text: &str) -> Result<Inject, String> {
    text.parse().map_err(|_| format!("must be one of {}", Inject::VARIANTS.join(", ")))
}

impl Create {
    pub(super) fn run(self) -> Result<(), CliError> {
        let config = configuration(self.config.clone())?;
        let json = self.json;
        let grants = self.grants()?;
        check_providers(&grants, &config)?;
        for name in unknown_models(&grants, &config) {
            output::error(&format!("note: --models: `{name}` leads to no model that is known now"));
        }
        let made = in_runtime(async {
            let mut store = writer(&config).await?;
            let made = keys::issue(&mut store, &grants, SystemClock.now()).await;
            store.close().await?;
            anyhow::Ok(made)
        })??;
        let (key, secret) = made.map_err(|error| match error {
            IssueError::NameTaken(_) => CliError::Usage(format!("error: --name: {error}")),
            other => CliError::Failed(other.into()),
        })?;
        if json {
            return output::json(&Line { key: Some(secret.expose_secret()), ..Line::new(&key) });
        }
        output::error(&format!(
            "The key `{}`, shown this once: keep it where its client reads it.",
            key.name()
        ));
        output::line(secret.expose_secret());
        Ok(())
    }

    fn grants(self) -> Result<Grants, CliError> {
        let name = self.name.trim().to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let reserved = !KeyId::from(name.as_str()).is_client();
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) || reserved {
            return Err(CliError::Usage(format!(
                "error: --name: use up to {LONGEST_NAME} letters, digits, `.`, `_` or `-`, and neither `local` nor `master`"
            )));
        }
        Ok(Grants {
            name,
            daily: self.daily_usd,
            monthly: self.monthly_usd,
            rpm: self.rpm,
            concurrent: self.max_concurrent,
            models: list("--models", &self.models)?,
            providers: list("--providers", &self.providers)?,
            projects: list("--projects", &self.projects)?,
            inject: self.inject,
        })
    }
}

/// The names without blanks around them. A list that names nothing is a mistake: kept as it is it
/// would allow everything.
fn list(option: &str, given: &[String]) -> Result<Vec<String>, CliError> {
    let had_some = !given.is_empty();
    let mut names: Vec<String> = Vec::new();
    for name in given.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        if !names.iter().any(|had| had == name) {
            names.push(name.to_owned());
        }
    }
    if had_some && names.is_empty() {
        return Err(CliError::Usage(format!(
            "error: {option}: names nothing; leave it out to allow all"
        )));
    }
    Ok(names)
}

fn check_providers(grants: &Grants, config: &Config) -> Result<(), CliError> {
    let known: Vec<&str> = config.providers.iter().map(|provider| provider.id.as_str()).collect();
    match grants.providers.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(CliError::Usage(format!(
            "error: --providers: there is no provider `{name}`; there are {}",
            known.join(", ")
        ))),
    }
}

/// Entries that lead nowhere in the catalogue: local models may still be found later.
fn unknown_models<'a>(grants: &'a Grants, config: &Config) -> Vec<&'a str> {
    let (catalog, now) = (&config.catalog, SystemClock.now());
    let leads_nowhere = |entry: &&String| {
        if let Resolution::Unknown { .. } = catalog.resolve(entry, now) {
            let glob = Glob::new(entry).ok().map(|glob| glob.compile_matcher());
            let covers = |name: &str| glob.as_ref().is_some_and(|glob| glob.is_match(name));
            let models = catalog.models().iter();
            return !(models.clone().any(|m| covers(m.id.as_str()) || covers(&m.upstream))
                || catalog.aliases().iter().any(|alias| covers(&alias.pattern))
                || catalog.built_in_names().any(covers));
        }
        false
    };
    grants.models.iter().filter(leads_nowhere).map(String::as_str).collect()
}
