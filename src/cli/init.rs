//! `edge-router init`.

use clap::Args;

use super::CliError;

#[derive(Debug, Args)]
pub struct Init {}

impl Init {
    pub fn run(self) -> Result<(), CliError> {
        Err(anyhow::anyhow!("not built yet").into())
    }
}
