//! `edge-router schema`: the JSON Schema of the configuration file.

use clap::Args;

use super::{CliError, output};

/// Print the JSON Schema of the configuration, for editors
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  edge-router schema > edge-router.schema.json\n  (and `#:schema ./edge-router.schema.json` as the first line of edge-router.toml)"
)]
pub struct Schema {
    /// Print every key with its type, default and meaning as a Markdown page instead
    #[arg(long)]
    markdown: bool,
}

impl Schema {
    pub fn run(self) -> Result<(), CliError> {
        if self.markdown {
            output::line(crate::config::reference().trim_end());
            return Ok(());
        }
        output::json(&crate::config::schema())
    }
}
