//! A model file in its place, and the record beside it of what it is. The file appears by one rename,
//! so it is whole or absent; the record says which source it came from and what its bytes were.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::manifest::Entry;
use super::{Phase, Progress, PullError, fetch, models_dir};

/// What is known of an installed file, as JSON beside it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Record {
    /// Hex, of the file.
    pub sha256: String,
    /// Bytes of the file.
    pub size: u64,
    /// Hex, of the weights it was made from; `None` for a file that someone put there.
    pub source_sha256: Option<String>,
}

/// What came of checking an installed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    Absent,
    /// The bytes are those that were recorded.
    Sound,
    /// Someone changed the file.
    Changed {
        expected: String,
        actual: String,
    },
}

/// There, of the recorded size, and made from the source that the entry names. Reads no weights.
pub(super) fn is_current(file: &Path, entry: &Entry) -> bool {
    let size = fs::metadata(file).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len());
    let Some((size, record)) = size.zip(read_record(file)) else { return false };
    record.size == size && record.source_sha256.is_none_or(|source| source == entry.source.sha256())
}

/// Takes a file that has no record (its owner put it there, or the record was lost) as it is.
pub(super) fn adopt(
    file: &Path,
    entry: &Entry,
    progress: &dyn Progress,
) -> Result<bool, PullError> {
    if !file.is_file() || record_path(file).exists() {
        return Ok(false);
    }
    let (sha256, size) = measure(file, progress)?;
    let source = (sha256 == entry.result_sha256).then(|| entry.source.sha256().to_owned());
    write_record(file, &Record { sha256, size, source_sha256: source })?;
    Ok(true)
}

/// Moves a finished file to its place and records it.
pub(super) fn install(
    made: &Path,
    file: &Path,
    entry: &Entry,
    progress: &dyn Progress,
) -> Result<(), PullError> {
    let (sha256, size) = measure(made, progress)?;
    let source_sha256 = Some(entry.source.sha256().to_owned());
    // The old record must not describe the new file if the machine stops between the two steps.
    match fs::remove_file(record_path(file)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(PullError::io(file)(error));
        }
        _ => {}
    }
    fs::rename(made, file).map_err(PullError::io(file))?;
    write_record(file, &Record { sha256, size, source_sha256 })
}

/// Reads the whole file again and compares.
///
/// # Errors
/// `Io` if the file cannot be read.
pub(super) fn check(file: &Path, progress: &dyn Progress) -> Result<Check, PullError> {
    if !file.is_file() {
        return Ok(Check::Absent);
    }
    let (actual, size) = measure(file, progress)?;
    let Some(record) = read_record(file) else {
        write_record(file, &Record { sha256: actual, size, source_sha256: None })?;
        return Ok(Check::Sound);
    };
    if record.sha256 == actual {
        Ok(Check::Sound)
    } else {
        Ok(Check::Changed { expected: record.sha256, actual })
    }
}

fn measure(file: &Path, progress: &dyn Progress) -> Result<(String, u64), PullError> {
    let size = fs::metadata(file).map_err(PullError::io(file))?.len();
    progress.phase(Phase::Verifying, Some(size));
    Ok((fetch::hash_file(file, progress)?, size))
}

fn record_path(file: &Path) -> PathBuf {
    file.with_extension("json")
}

fn read_record(file: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(record_path(file)).ok()?).ok()
}

fn write_record(file: &Path, record: &Record) -> Result<(), PullError> {
    let (path, partial) = (record_path(file), file.with_extension("json.part"));
    let text =
        serde_json::to_vec_pretty(record).map_err(|error| PullError::io(&path)(error.into()))?;
    let mut out = File::create(&partial).map_err(PullError::io(&partial))?;
    out.write_all(&text).and_then(|()| out.sync_all()).map_err(PullError::io(&partial))?;
    fs::rename(&partial, &path).map_err(PullError::io(&path))
}

/// A model file on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocalFile {
    /// The manifest's name, else the file's own without its ending.
    pub name: String,
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
}

/// Every GGUF file in the models directory, by name.
pub(super) fn local_files(
    data_dir: &Path,
    names: impl Fn(&str) -> Option<String>,
) -> Vec<LocalFile> {
    let Ok(entries) = fs::read_dir(models_dir(data_dir)) else { return Vec::new() };
    let mut all: Vec<LocalFile> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gguf"))
        .filter_map(|path| {
            let size = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?.len();
            let file = path.file_name()?.to_string_lossy().into_owned();
            let stem = path.file_stem()?.to_string_lossy().into_owned();
            Some(LocalFile { name: names(&file).unwrap_or(stem), path, size })
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
