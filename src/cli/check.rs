//! `edge-router check`.

use clap::Args;

use super::CliError;

#[derive(Debug, Args)]
pub struct Check {}

impl Check {
    pub fn run(self) -> Result<(), CliError> {
        Err(anyhow::anyhow!("not built yet").into())
    }
}
