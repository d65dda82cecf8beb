//! Reads one file and says whether its text may be told. It follows no symbolic link, and it opens
//! nothing but regular files.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::{secrets, skip};
use crate::delta::ProjectPath;

/// What the server may have of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    /// No regular file, or one that is not told; the reason, if it is there.
    Nothing(Option<skip::Skip>),
    /// Stays on this machine.
    Secret(&'static str),
}

/// Reads a file below `root`.
pub(super) fn read(root: &Path, path: &ProjectPath) -> Content {
    if !is_regular(root, path) {
        return Content::Nothing(None);
    }
    if let Some(why) = secrets::by_name(path) {
        return Content::Secret(why);
    }
    if let Some(why) = skip::by_name(path) {
        return Content::Nothing(Some(why));
    }
    let Some(bytes) = bytes(&root.join(path.as_str())) else { return Content::Nothing(None) };
    match skip::by_content(path, bytes) {
        Err(why) => Content::Nothing(Some(why)),
        Ok(text) => match secrets::in_text(path, &text) {
            Some(why) => Content::Secret(why),
            None => Content::Text(text),
        },
    }
}

/// Whether a path leads, through directories only, to a regular file.
pub(super) fn is_regular(root: &Path, path: &ProjectPath) -> bool {
    let mut place = root.to_owned();
    let mut parts = path.as_str().split('/').peekable();
    while let Some(part) = parts.next() {
        place.push(part);
        let Ok(metadata) = fs::symlink_metadata(&place) else { return false };
        let wanted = if parts.peek().is_some() { metadata.is_dir() } else { metadata.is_file() };
        if !wanted {
            return false;
        }
    }
    true
}

/// At most one byte more than a file may have: enough to tell that it is too large.
fn bytes(file: &Path) -> Option<Vec<u8>> {
    let file = File::open(file).ok()?;
    let length = file.metadata().ok()?.len().min(skip::LARGEST + 1);
    let mut bytes = Vec::with_capacity(usize::try_from(length).ok()? + 1);
    file.take(skip::LARGEST + 1).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ProjectPath {
        ProjectPath::parse(text).unwrap()
    }

    #[test]
    fn a_text_is_read_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/a"), "hello\n").unwrap();
        fs::write(root.join("b"), "\0").unwrap();
        fs::write(root.join(".env"), "A=1\n").unwrap();
        assert_eq!(read(root, &path("d/a")), Content::Text("hello\n".into()));
        assert_eq!(read(root, &path("d")), Content::Nothing(None));
        assert_eq!(read(root, &path("c")), Content::Nothing(None));
        assert_eq!(read(root, &path("b")), Content::Nothing(Some(skip::Skip::Binary)));
        assert_eq!(read(root, &path(".env")), Content::Secret("an environment file"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed_on_any_part_of_a_path() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("x"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("d")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("x"), dir.path().join("f")).unwrap();
        for name in ["d/x", "f"] {
            assert_eq!(read(dir.path(), &path(name)), Content::Nothing(None), "{name}");
        }
    }
}
