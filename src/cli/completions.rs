//! `edge-router completions`.

use clap::Args;

use super::CliError;

#[derive(Debug, Args)]
pub struct Completions {}

impl Completions {
    pub fn run(self) -> Result<(), CliError> {
        Err(anyhow::anyhow!("not built yet").into())
    }
}
