//! `edge-router budget`.

use clap::Args;

use super::CliError;

#[derive(Debug, Args)]
pub struct Budget {}

impl Budget {
    pub fn run(self) -> Result<(), CliError> {
        Err(anyhow::anyhow!("not built yet").into())
    }
}
