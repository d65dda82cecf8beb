//! `edge-router models`.

use clap::Args;

use super::CliError;

#[derive(Debug, Args)]
pub struct Models {}

impl Models {
    pub fn run(self) -> Result<(), CliError> {
        Err(anyhow::anyhow!("not built yet").into())
    }
}
