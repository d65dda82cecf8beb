//! A path inside a project: what may be stored and shown under it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest path in bytes.
const LONGEST: usize = 1024;

/// Relative, separated by `/`, without `.` and `..`, and the same file on every system.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectPath(Arc<str>);

/// Why a text is not a path inside a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("a path is empty")]
    Empty,
    #[error("a path is longer than 1024 bytes")]
    TooLong,
    #[error("a path is absolute; paths are relative to the project")]
    Absolute,
    #[error("a path has an empty, `.` or `..` part; it must stay inside the project")]
    Escapes,
    #[error("a path has a backslash or a control character; parts are separated by `/`")]
    BadCharacter,
}

impl ProjectPath {
    /// # Errors
    /// [`PathError`] for everything that could mean a place outside the project, on any system.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > LONGEST {
            return Err(PathError::TooLong);
        }
        let drive =
            |text: &[u8]| matches!(text, [letter, b':', ..] if letter.is_ascii_alphabetic());
        if text.starts_with('/') || drive(text.as_bytes()) {
            return Err(PathError::Absolute);
        }
        // U+2028 and U+2029 end a line for some readers.
        if text
            .contains(|c: char| c == '\\' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        {
            return Err(PathError::BadCharacter);
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(PathError::Escapes);
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for ProjectPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ProjectPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
