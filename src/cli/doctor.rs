//! `edge-router doctor`: looks at everything that the router needs and says what to do about what
//! is missing. Changes nothing and spends nothing.

mod local;
mod network;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use serde::Serialize;

use super::output::{self, Colour};
use super::{CliError, ConfigArg};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, ConfigSource, Environment, Overrides};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  edge-router doctor\n  edge-router doctor --json")]
pub struct Doctor {
    #[command(flatten)]
    config: ConfigArg,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Look at this machine only; contact no provider
    #[arg(long)]
    offline: bool,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
enum Verdict {
    Ok,
    /// The router works, but less well than it could.
    Warn,
    /// Something will not work.
    Fail,
}

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    /// What was looked at: `config`, `provider openai`, `disk`, ...
    check: String,
    verdict: Verdict,
    message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn ok(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Ok, message: message.into(), advice: None }
    }

    fn warn(
        check: impl Into<String>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let advice = Some(advice.into());
        Self { verdict: Verdict::Warn, advice, ..Self::ok(check, message) }
    }

    fn fail(
        check: impl Into<String>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(check, message, advice) }
    }
}

impl Doctor {
    pub fn run(self) -> Result<(), CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the async runtime cannot start")?;
        let findings = runtime.block_on(self.examine());
        // a name look-up that hangs must not keep the program
        runtime.shutdown_timeout(Duration::from_millis(100));
        if self.json {
            output::json(&findings)?;
        } else {
            print(&findings);
        }
        match findings.iter().filter(|one| one.verdict == Verdict::Fail).count() {
            0 => Ok(()),
            1 => Err(anyhow!("1 check failed").into()),
            failed => Err(anyhow!("{failed} checks failed").into()),
        }
    }

    async fn examine(&self) -> Vec<Finding> {
        let source =
            ConfigSource { path: self.config.config.clone(), overrides: Overrides::default() };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let config = match config::load(&source, &Environment::of_process()) {
            Ok(config) => config,
            Err(problems) => {
                let advice = "correct each line; `edge-router check` shows them again";
                return vec![Finding::fail("config", problems.to_string(), advice), local::gpu()];
            }
        };
        let mut findings = vec![local::configuration(&config)];
        findings.extend(local::keys(&config));
        findings.push(local::data_dir(&config.server.data_dir));
        findings.extend(local::disk(&config.server.data_dir));
        findings.push(local::ledger(&config, clock.clone()).await);
        findings.push(local::context(&config).await);
        findings.extend(local::embedded(&config));
        findings.push(local::gpu());
        let reached = self.reach(&config, clock.as_ref()).await;
        findings.push(local::clock(clock.now(), reached.skew));
        let up = |finding: &Finding| finding.verdict == Verdict::Ok;
        let someone = self.offline || reached.findings.iter().any(up);
        findings.extend(reached.findings);
        if !someone {
            findings.extend(local::nothing_can_answer(&config));
        }
        findings
    }

    async fn reach(&self, config: &Config, clock: &dyn Clock) -> network::Reached {
        if self.offline { network::Reached::default() } else { network::reach(config, clock).await }
    }
}

fn print(findings: &[Finding]) {
    let width = findings.iter().map(|one| one.check.chars().count()).max().unwrap_or(0);
    for finding in findings {
        let word: &'static str = finding.verdict.into();
        let colour = match finding.verdict {
            Verdict::Ok => Colour::Green,
            Verdict::Warn => Colour::Yellow,
            Verdict::Fail => Colour::Red,
        };
        let word = output::paint(colour, &format!("{word:<4}"));
        let indent = " ".repeat(width + 7);
        let message = finding.message.replace('\n', &format!("\n{indent}"));
        output::line(&format!("{word}  {:<width$} {message}", finding.check));
        if let Some(advice) = &finding.advice {
            output::line(&format!("{indent}-> {advice}"));
        }
    }
}

#[cfg(test)]
mod tests;
