//! `edge-router check`: is the configuration valid, and what does it amount to?

use clap::Args;

use super::{CliError, ConfigArg, output};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, ConfigErrors, ConfigSource, Environment};

/// Validate the configuration: exit 0, or 2 with `file:line: key: what is wrong` for every problem
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  edge-router check --config ./edge-router.toml")]
pub struct Check {
    #[command(flatten)]
    config: ConfigArg,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn run(self) -> Result<(), CliError> {
        let source = ConfigSource { path: self.config.config, ..ConfigSource::default() };
        match config::load(&source, &Environment::of_process()) {
            Ok(config) if self.json => output::json(&Summary::of(&config)),
            Ok(config) => {
                Summary::of(&config).lines().iter().for_each(|line| output::line(line));
                Ok(())
            }
            Err(errors) => {
                if self.json {
                    output::json(&failure(&errors))?;
                }
                Err(CliError::Usage(errors.to_string()))
            }
        }
    }
}

/// What a valid configuration amounts to.
#[derive(Debug, serde::Serialize)]
struct Summary {
    valid: bool,
    file: Option<String>,
    /// Providers that can be called.
    providers: Vec<String>,
    /// Providers that lack only their key.
    without_key: Vec<String>,
    /// Models of providers that can be called.
    models: usize,
    aliases: usize,
    limits: usize,
    daily_usd: Option<String>,
    monthly_usd: Option<String>,
    per_request_usd: Option<String>,
    notes: Vec<String>,
}

impl Summary {
    fn of(config: &Config) -> Self {
        let ids = |enabled: bool| {
            let chosen = config.providers.iter().filter(|one| one.enabled == enabled);
            chosen.map(|one| one.id.to_string()).collect()
        };
        let (catalog, now) = (&config.catalog, SystemClock.now());
        let amount = |limit: Option<crate::money::NanoUsd>| limit.map(|usd| usd.to_string());
        Self {
            valid: true,
            file: config.source.as_ref().map(|file| file.display().to_string()),
            providers: ids(true),
            without_key: ids(false),
            models: catalog.models().iter().filter(|model| catalog.offers(model, now)).count(),
            aliases: catalog.aliases().len(),
            limits: config.limits.len(),
            daily_usd: amount(config.budget.daily),
            monthly_usd: amount(config.budget.monthly),
            per_request_usd: amount(config.budget.per_request),
            notes: config.notes.clone(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let limit = |usd: &Option<String>| {
            usd.as_ref().map_or_else(|| "no limit".to_owned(), |usd| format!("{usd} USD"))
        };
        let file = self.file.as_deref().unwrap_or("no configuration file, the defaults hold");
        let mut lines =
            vec![format!("valid: {file}"), format!("providers: {}", self.providers.join(", "))];
        if !self.without_key.is_empty() {
            lines.push(format!("known, without a key: {}", self.without_key.join(", ")));
        }
        lines.push(format!(
            "models: {}, aliases: {}, rate limits: {}",
            self.models, self.aliases, self.limits
        ));
        lines.push(format!(
            "budget: {} a day, {} a month, {} a request",
            limit(&self.daily_usd),
            limit(&self.monthly_usd),
            limit(&self.per_request_usd)
        ));
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines
    }
}

fn failure(errors: &ConfigErrors) -> serde_json::Value {
    let problem = |problem: &config::Problem| {
        let (place, line) = problem.place();
        serde_json::json!({
            "file": place,
            "line": (line > 0).then_some(line),
            "key": problem.key,
            "message": problem.message,
        })
    };
    let problems: Vec<_> = errors.problems.iter().map(problem).collect();
    serde_json::json!({ "valid": false, "problems": problems })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_who_can_be_called() {
        let environment = Environment::new("/w", [("GROQ_API_KEY", "k")]);
        let text = "[budget]\ndaily_usd = 3\n";
        let config = config::load_text(text, &environment).unwrap();
        let lines = Summary::of(&config).lines().join("\n");
        assert!(lines.contains("providers: groq, ollama, embedded"), "{lines}");
        assert!(lines.contains("known, without a key: anthropic, openai, google"), "{lines}");
        assert!(lines.contains("budget: 3 USD a day, no limit a month"), "{lines}");
    }

    #[test]
    fn problems_as_json_have_file_line_and_key() {
        let errors = config::load_text("server.port = -1\n", &Environment::default()).unwrap_err();
        let problem = &failure(&errors)["problems"][0];
        assert_eq!(problem["file"], "edge-router.toml");
        assert_eq!(problem["line"], 1);
        assert_eq!(problem["key"], "server.port");
    }
}
