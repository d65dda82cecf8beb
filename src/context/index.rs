//! Words, symbols and imports of a project's files.

use crate::delta::ProjectPath;

/// What a search for files looks into.
#[derive(Clone, Debug, Default)]
pub struct Index {}

impl Index {
    pub fn insert(&mut self, _path: &ProjectPath, _text: &str) {}

    pub fn remove(&mut self, _path: &ProjectPath) {}
}
