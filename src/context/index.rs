//! Words, symbols and imports of a project's files.

/// What a search for files looks into.
#[derive(Clone, Debug, Default)]
pub struct Index {}
