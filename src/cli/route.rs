//! `edge-router route`: explains the decision for a request without sending it.

use std::collections::HashSet;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use clap::Args;

use super::{CliError, ConfigArg, output};
use crate::app::{self, Start};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, ConfigSource, Environment};
use crate::context;
use crate::delta::ProjectPath;
use crate::ids::RequestId;
use crate::pipeline::{self, Caller, ExplainedCandidate, Explanation, RequestContext, Rights};
use crate::wire;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  echo '{\"messages\":[{\"role\":\"user\",\"content\":\"fix the typo\"}]}' | edge-router route\n  edge-router route --file request.json --json"
)]
pub struct Route {
    #[command(flatten)]
    config: ConfigArg,
    /// File with the request body (default: standard input)
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the answer of POST /v1/route as JSON
    #[arg(long)]
    json: bool,
    /// List also the models whose provider has no key
    #[arg(long)]
    all: bool,
}

impl Route {
    pub fn run(self) -> Result<(), CliError> {
        let environment = Environment::of_process();
        let source = ConfigSource { path: self.config.config.clone(), ..ConfigSource::default() };
        let config = config::load(&source, &environment)
            .map_err(|errors| CliError::Usage(errors.to_string()))?;
        let body = self.read()?;
        let shown = if self.all { Shown::All } else { Shown::of(&config) };
        let models_dir = environment.get("EDGE_ROUTER_MODELS_DIR").map(PathBuf::from);
        let explanation = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("the async runtime cannot start")?
            .block_on(explain(config, models_dir, body))?;
        if self.json {
            return output::json(&explanation);
        }
        print(&explanation, &shown);
        Ok(())
    }

    fn read(&self) -> Result<Bytes, CliError> {
        let mut body = Vec::new();
        match &self.file {
            Some(path) => {
                body = std::fs::read(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
            }
            None if std::io::stdin().is_terminal() => {
                let message = "error: no --file given and standard input is a terminal\n\
                    try: edge-router route --file request.json";
                return Err(CliError::Usage(message.to_owned()));
            }
            None => {
                std::io::stdin().read_to_end(&mut body).context("cannot read standard input")?;
            }
        }
        Ok(body.into())
    }
}

async fn explain(
    mut config: Config,
    models_dir: Option<PathBuf>,
    body: Bytes,
) -> anyhow::Result<Explanation> {
    let request = wire::decode_request(wire::detect_dialect(&body), body)?;
    // A router that has never run has no ledger; explaining must not make one.
    let scratch = std::env::temp_dir().join(RequestId::fresh().as_str());
    let fresh = !config.server.data_dir.join("ledger.sqlite").exists();
    if fresh {
        config.server.data_dir.clone_from(&scratch);
    }
    let clock = Arc::new(SystemClock);
    let deadline = clock.instant() + config.server.request_timeout;
    let state = app::build(config, Start { clock: clock.clone(), models_dir }).await?;
    app::first_discovery(&state).await;
    let snapshot = state.current();
    let inject = context::wanted(None, None, None, snapshot.config.context.inject);
    let context = RequestContext {
        id: RequestId::fresh(),
        caller: Caller::local(Rights::Owner),
        received: clock.instant(),
        received_at: clock.now(),
        deadline,
        snapshot,
        forced_tier: None,
        project: None,
        inject,
        session: None,
        forwarded: Vec::new(),
    };
    let explanation = pipeline::explain(&state, context, request).await;
    app::close(&state).await;
    if fresh {
        let _ = tokio::fs::remove_dir_all(scratch).await;
    }
    Ok(explanation?)
}

/// More refusals for want of a key than a reader wants to see.
const MOST_IDLE: usize = 10;

/// Which candidates the text lists.
enum Shown {
    All,
    /// Not those of providers that cannot be called anyway, unless they are few.
    Without(HashSet<String>),
}

impl Shown {
    fn of(config: &Config) -> Self {
        let (catalog, now) = (&config.catalog, SystemClock.now());
        let idle = catalog.models().iter().filter(|model| !catalog.offers(model, now));
        Self::Without(idle.map(|model| model.id.to_string()).collect())
    }

    /// What is listed, and how many are not.
    fn choose<'a>(&self, all: &'a [ExplainedCandidate]) -> (Vec<&'a ExplainedCandidate>, usize) {
        let is_idle = |one: &ExplainedCandidate| match self {
            Self::All => false,
            Self::Without(ids) => !one.eligible && ids.contains(&one.model_id),
        };
        let idle = all.iter().filter(|one| is_idle(one)).count();
        if idle <= MOST_IDLE {
            return (all.iter().collect(), 0);
        }
        (all.iter().filter(|one| !is_idle(one)).collect(), idle)
    }
}

fn print(explanation: &Explanation, shown: &Shown) {
    output::line(&format!("instruction  {}", explanation.instruction));
    output::line(&format!(
        "tier         {} ({}, confidence {:.2}, difficulty {:.2})",
        explanation.tier, explanation.source, explanation.confidence, explanation.difficulty
    ));
    output::line(&format!("prompt       about {} tokens", explanation.prompt_tokens));
    if let Some(context) = &explanation.context {
        let (project, tokens) = (&context.project, context.tokens);
        let files: Vec<&str> = context.files.iter().map(ProjectPath::as_str).collect();
        output::line(&format!(
            "context      about {tokens} tokens of {project}: {}",
            files.join(", ")
        ));
    }
    output::line(&format!("model        {}", explanation.model_id.as_deref().unwrap_or("none")));
    let (listed, hidden) = shown.choose(&explanation.candidates);
    let width = listed.iter().map(|one| one.model_id.chars().count()).max().unwrap_or(0);
    for one in listed {
        let mark = if one.eligible { "+" } else { "-" };
        output::line(&format!("{mark} {:<width$}  {}", one.model_id, one.reason));
    }
    if hidden > 0 {
        output::line(&format!(
            "- {hidden} more have no key or are no longer offered; --all lists them"
        ));
    }
}
