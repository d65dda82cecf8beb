//! `edge-router init`: writes a commented configuration. The questions are asked here; what the
//! file says is decided in `answers`, without a terminal.

mod answers;
mod wizard;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use self::answers::Answers;
use super::{CliError, output};
use crate::config::{self, Environment, FILE_NAME};

/// Write a commented edge-router.toml, asking what it needs to know
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  edge-router init                 ask, then write ./edge-router.toml\n  edge-router init --yes           take the defaults and the keys that the environment holds"
)]
pub struct Init {
    /// File to write
    #[arg(long, value_name = "FILE", default_value = FILE_NAME)]
    config: PathBuf,
    /// Ask nothing: defaults, and whatever keys the environment holds
    #[arg(long)]
    yes: bool,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

impl Init {
    pub fn run(self) -> Result<(), CliError> {
        let environment = Environment::of_process();
        let file = self.config.clone();
        if file.is_dir() {
            let file = file.join(FILE_NAME);
            return Err(CliError::Usage(format!(
                "error: {} is a directory; --config {} writes a file in it",
                self.config.display(),
                file.display()
            )));
        }
        if file.exists() && !self.force {
            return Err(CliError::Usage(format!(
                "error: {} exists already; --force replaces it, --config FILE writes another",
                file.display()
            )));
        }
        let defaults = Answers::from_environment(&environment);
        let answers = if self.yes {
            defaults
        } else if std::io::stdin().is_terminal() {
            match wizard::ask(defaults, &file).context("the questions could not be asked")? {
                Some(answers) => answers,
                None => return Err(anyhow::anyhow!("nothing was written").into()),
            }
        } else {
            return Err(CliError::Usage(
                "error: there is no terminal to ask at; --yes takes the defaults".to_owned(),
            ));
        };
        write(&file, &answers, &environment)?;
        tell(&file, &answers);
        Ok(())
    }
}

/// Writes the file and its schema beside it. What would not be valid is not written.
fn write(file: &Path, answers: &Answers, environment: &Environment) -> Result<(), CliError> {
    let text = answers.render();
    config::load_text(&text, environment)
        .map_err(|errors| anyhow::anyhow!("the answers do not make a valid file:\n{errors}"))?;
    let directory = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let directory = directory.map_or_else(|| PathBuf::from("."), PathBuf::from);
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let schema =
        serde_json::to_string_pretty(&config::schema()).map_err(anyhow::Error::from)? + "\n";
    let access = if answers.holds_secrets() { Access::OwnerOnly } else { Access::Usual };
    replace(&directory.join(answers::SCHEMA_FILE), &schema, Access::Usual)
        .and_then(|()| replace(file, &text, access))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Usual,
    /// The file holds keys.
    OwnerOnly,
}

/// Whole or not at all: written beside the file, then renamed.
fn replace(file: &Path, text: &str, access: Access) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if access == Access::OwnerOnly {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let written = options.open(&beside).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.sync_all()
    });
    written.and_then(|()| std::fs::rename(&beside, file)).inspect_err(|_| {
        let _ = std::fs::remove_file(&beside);
    })
}

fn tell(file: &Path, answers: &Answers) {
    let schema = file.with_file_name(answers::SCHEMA_FILE);
    output::line(&format!("wrote {} and, for editors, {}", file.display(), schema.display()));
    let found = answers.enabled();
    if found.is_empty() {
        output::line("no provider key yet: local models and the embedded one will serve");
    } else {
        output::line(&format!("providers: {}", found.join(", ")));
    }
    if file == Path::new(FILE_NAME) {
        output::line("next: edge-router serve");
    } else {
        output::line(&format!("next: edge-router serve --config {}", file.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(dir: &Path, force: bool) -> Result<(), CliError> {
        Init { config: dir.join(FILE_NAME), yes: true, force }.run()
    }

    #[test]
    fn a_file_is_never_overwritten_without_force() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        run(dir.path(), false).unwrap();
        std::fs::write(&file, "# mine\n").unwrap();
        assert!(matches!(run(dir.path(), false), Err(CliError::Usage(_))));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "# mine\n");
        run(dir.path(), true).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().contains("[server]"));
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[test]
    fn a_directory_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let init = Init { config: dir.path().to_owned(), yes: true, force: true };
        assert!(matches!(init.run(), Err(CliError::Usage(text)) if text.contains(FILE_NAME)));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_with_a_key_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        let mut answers = Answers::from_environment(&Environment::default());
        answers.providers[0].key = answers::Key::InFile("sk-secret".to_owned().into());
        write(&file, &answers, &Environment::default()).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let source = config::ConfigSource { path: Some(file), ..Default::default() };
        let config = config::load(&source, &Environment::default()).unwrap();
        assert!(config.providers.iter().any(|one| one.enabled && one.api_keys.len() == 1));
    }
}
