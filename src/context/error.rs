//! Why a delta is not taken in, or a project not given.

use crate::store::context::FileError;

/// Nothing has changed. Texts name places in the message and never quote a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// The message itself is unsound, whatever is known of the project.
    #[error("{message}")]
    Invalid { param: String, message: String },
    /// More than is kept of a project.
    #[error("{message}")]
    TooLarge { message: String },
    /// It was made from something else than what is kept here.
    #[error(
        "{message}; the project is here at version {server_version}: send all of it again with base_version 0"
    )]
    OutOfSync { server_version: u64, message: String },
    #[error("{message}")]
    NotAllowed { message: String },
    #[error("there is no project of that name; `edge-watch DIR` sends one")]
    Unknown,
    /// It may be taken in later.
    #[error("{message}")]
    Unavailable { message: String },
}

impl DeltaError {
    pub(super) fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { param: param.into(), message: message.into() }
    }

    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::TooLarge { message: message.into() }
    }

    pub(super) fn out_of_sync(server_version: u64, message: impl Into<String>) -> Self {
        Self::OutOfSync { server_version, message: message.into() }
    }

    pub(super) fn busy() -> Self {
        let message = "the router is busy with other deltas; try again".to_owned();
        Self::Unavailable { message }
    }
}

impl From<FileError> for DeltaError {
    fn from(error: FileError) -> Self {
        Self::Unavailable { message: error.to_string() }
    }
}
