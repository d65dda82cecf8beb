//! The watcher's program: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    edge_router::watch::run(edge_router::watch::Cli::parse())
}
