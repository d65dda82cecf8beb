//! `edge-router classify`.

use clap::Args;

use super::CliError;

#[derive(Debug, Args)]
pub struct Classify {}

impl Classify {
    pub fn run(self) -> Result<(), CliError> {
        Err(anyhow::anyhow!("not built yet").into())
    }
}
