//! `edge-router doctor`.

use clap::Args;

use super::CliError;

#[derive(Debug, Args)]
pub struct Doctor {}

impl Doctor {
    pub fn run(self) -> Result<(), CliError> {
        Err(anyhow::anyhow!("not built yet").into())
    }
}
