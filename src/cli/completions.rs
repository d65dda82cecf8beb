//! `edge-router completions`: scripts for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, CliError, output};

/// Print a shell completion script
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  edge-router completions bash > ~/.local/share/bash-completion/completions/edge-router"
)]
pub struct Completions {
    /// The shell to complete in
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<(), CliError> {
        output::line(script(self.shell).trim_end());
        Ok(())
    }
}

fn script(shell: Shell) -> String {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "edge-router", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
