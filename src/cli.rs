//! The command line: one file per subcommand. `anyhow` is allowed here; exit codes are 0 done,
//! 1 failed, 2 wrong usage or configuration.

mod budget;
mod check;
mod classify;
mod completions;
mod doctor;
mod figures;
mod init;
mod keys;
mod models;
mod output;
mod report;
mod requests;
mod route;
mod schema;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  edge-router serve                      start; no configuration and no key needed
  edge-router init                       write a commented edge-router.toml
  edge-router doctor                     see what works and what to do about the rest
  edge-router classify \"fix the typo\"   judge how hard a prompt is
  edge-router requests --since 1d        see who answered, why, and what it cost
  edge-router report --html report.html  see where the money went and what routing saved

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

/// Local LLM router for coding assistants.
#[derive(Debug, Parser)]
#[command(
    name = "edge-router",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = EXAMPLES
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// Where the configuration is read from.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArg {
    /// Configuration file (default: edge-router.toml here, else in the user's config directory)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the router
    Serve(serve::Serve),
    /// Write a commented edge-router.toml, asking what it needs to know
    Init(init::Init),
    /// Validate the configuration
    Check(check::Check),
    /// Judge how hard a prompt is
    Classify(classify::Classify),
    /// Explain which model would serve a request, without sending it
    Route(route::Route),
    /// Show spend against the limits
    Budget(budget::Budget),
    /// Show where the money went and what routing saved
    Report(report::Report),
    /// List models, download and verify local ones
    Models(models::Models),
    /// Give clients keys with budgets, rate limits and models of their own
    Keys(keys::Keys),
    /// Show what was asked of which model, why, and what it cost
    Requests(requests::Requests),
    /// Check configuration, keys, reachability, local engines, disk and clock
    Doctor(doctor::Doctor),
    /// Print a shell completion script
    Completions(completions::Completions),
    /// Print the JSON Schema of the configuration
    Schema(schema::Schema),
}

/// A failure with its exit code.
#[derive(Debug)]
pub enum CliError {
    /// Exit code 2: the message is complete and is printed as it is.
    Usage(String),
    /// Exit code 1: printed with its chain of causes.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Runs one command to its end.
pub fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Serve(args) => args.run(),
        Command::Init(args) => args.run(),
        Command::Check(args) => args.run(),
        Command::Classify(args) => args.run(),
        Command::Route(args) => args.run(),
        Command::Budget(args) => args.run(),
        Command::Report(args) => args.run(),
        Command::Models(args) => args.run(),
        Command::Keys(args) => args.run(),
        Command::Requests(args) => args.run(),
        Command::Doctor(args) => args.run(),
        Command::Completions(args) => args.run(),
        Command::Schema(args) => args.run(),
    };
    match result {
        Ok(()) => match output::failure() {
            None => ExitCode::SUCCESS,
            Some(why) => {
                output::error(&format!("error: standard output cannot be written: {why}"));
                ExitCode::from(1)
            }
        },
        Err(CliError::Usage(message)) => {
            output::error(&message);
            ExitCode::from(2)
        }
        Err(CliError::Failed(error)) => {
            output::error(&format!("error: {error:#}"));
            ExitCode::from(1)
        }
    }
}
