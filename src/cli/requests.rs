//! `edge-router requests`.

use clap::Args;

use super::CliError;

#[derive(Debug, Args)]
pub struct Requests {}

impl Requests {
    pub fn run(self) -> Result<(), CliError> {
        Err(anyhow::anyhow!("not built yet").into())
    }
}
