//! `edge-router route`.

use clap::Args;

use super::CliError;

#[derive(Debug, Args)]
pub struct Route {}

impl Route {
    pub fn run(self) -> Result<(), CliError> {
        Err(anyhow::anyhow!("not built yet").into())
    }
}
