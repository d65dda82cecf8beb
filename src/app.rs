//! The composition root: turns a configuration into the parts that serve, and the only place that
//! knows every module.

mod background;
mod build;

pub use build::{StartError, Start, build, reload};
pub use crate::state::{AppState, ProviderEntry, Runtime, Snapshot};
