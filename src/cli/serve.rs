//! `edge-router serve`.

use clap::Args;

use super::CliError;

#[derive(Debug, Args)]
pub struct Serve {}

impl Serve {
    pub fn run(self) -> Result<(), CliError> {
        Err(anyhow::anyhow!("not built yet").into())
    }
}
