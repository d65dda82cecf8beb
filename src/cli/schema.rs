//! `edge-router schema`: the JSON Schema of the configuration file.

use clap::Args;

use super::{CliError, output};

/// Print the JSON Schema of the configuration, for editors
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  edge-router schema > edge-router.schema.json\n  (and `#:schema ./edge-router.schema.json` as the first line of edge-router.toml)"
)]
pub struct Schema {}

impl Schema {
    pub fn run(self) -> Result<(), CliError> {
        output::json(&crate::config::schema())
    }
}
