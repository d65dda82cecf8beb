//! The router's program: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    edge_router::cli::run(edge_router::cli::Cli::parse())
}
