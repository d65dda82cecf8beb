//! Which paths of a directory are followed: `.gitignore` (also outside git), `.edgeignore`,
//! `.git/info/exclude` and git's global rules; directories that are never entered; no symbolic links.
//! It judges places, not contents.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use ignore::{IncrementalIgnore, WalkBuilder};

use super::skip;
use crate::delta::ProjectPath;

/// Rules of this program's own, in the form of `.gitignore`.
const OWN_RULES: &str = ".edgeignore";

pub(super) struct Filter {
    root: PathBuf,
    /// Where this program keeps its state: never followed.
    state: Option<PathBuf>,
    rules: Option<IncrementalIgnore>,
}

/// A file that is followed, as it was found.
pub(super) struct Found {
    pub(super) path: ProjectPath,
    pub(super) metadata: Option<Metadata>,
}

impl Filter {
    /// `root` is an absolute path without symbolic links.
    pub(super) fn new(root: &Path, state: Option<&Path>) -> Self {
        let mut filter =
            Self { root: root.to_owned(), state: state.map(Path::to_owned), rules: None };
        filter.reload();
        filter
    }

    /// Reads the rules again.
    pub(super) fn reload(&mut self) {
        let in_git = self.root.ancestors().any(|directory| directory.join(".git").exists());
        let mut builder = WalkBuilder::new(&self.root);
        builder
            .hidden(false)
            .ignore(false)
            .require_git(false)
            // Outside of git the rules of directories above are somebody else's.
            .parents(in_git)
            .follow_links(false)
            .add_custom_ignore_filename(OWN_RULES);
        self.rules = builder.build_matchers().into_iter().next();
    }

    /// Whether a file or directory of this path below the root is followed.
    pub(super) fn keeps(&mut self, path: &Path, place: Place) -> bool {
        let mut directories = path.components();
        if place == Place::File {
            directories.next_back();
        }
        let never = directories.any(|part| part.as_os_str().to_str().is_some_and(skip::directory))
            || path.file_name() == Some(OsStr::new(".git"))
            || self.state.as_ref().is_some_and(|state| self.root.join(path).starts_with(state));
        !never
            && self
                .rules
                .as_mut()
                .is_none_or(|rules| !rules.matched(path, place == Place::Directory).is_ignore())
    }

    /// Every file that is followed below a directory. `enter` is told each directory before it is
    /// read, so that nothing comes between a look and the watch that follows it.
    pub(super) fn walk(&mut self, below: &Path, enter: &mut dyn FnMut(&Path)) -> Vec<Found> {
        let mut files = Vec::new();
        let mut directories = vec![below.to_owned()];
        while let Some(directory) = directories.pop() {
            enter(&directory);
            let Ok(entries) = std::fs::read_dir(self.root.join(&directory)) else { continue };
            for entry in entries.flatten() {
                let path = directory.join(entry.file_name());
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() && self.keeps(&path, Place::Directory) {
                    directories.push(path);
                } else if kind.is_file()
                    && let Some(name) = project_path(&path)
                    && self.keeps(&path, Place::File)
                {
                    files.push(Found { path: name, metadata: entry.metadata().ok() });
                }
            }
        }
        files
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    File,
    Directory,
}

/// Whether a change of this file changes what is followed.
pub(super) fn holds_rules(path: &Path) -> bool {
    let name = path.file_name();
    name == Some(OsStr::new(".gitignore"))
        || name == Some(OsStr::new(OWN_RULES))
        || path == Path::new(".git")
        || path.ends_with(".git/info/exclude")
}

/// The name under which the server knows a path below the root; none for names that are not the same
/// on every system.
pub(super) fn project_path(path: &Path) -> Option<ProjectPath> {
    let parts: Option<Vec<&str>> = path.iter().map(OsStr::to_str).collect();
    ProjectPath::parse(&parts?.join("/")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for (name, text) in files {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), text).unwrap();
        }
        (dir, root)
    }

    fn walked(filter: &mut Filter) -> Vec<String> {
        let mut names: Vec<String> = filter
            .walk(Path::new(""), &mut |_| {})
            .into_iter()
            .map(|found| found.path.to_string())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn rules_of_git_hold_also_outside_of_git() {
        let (_dir, root) = tree(&[
            (".gitignore", "*.log\n/out/\n"),
            (".edgeignore", "notes/\n!keep.log\n"),
            ("a.rs", ""),
            ("a.log", ""),
            ("keep.log", ""),
            ("out/x", ""),
            ("notes/x", ""),
            ("src/.gitignore", "b.rs\n"),
            ("src/b.rs", ""),
            ("src/.hidden", ""),
            ("node_modules/x/index.js", ""),
            ("sub/target/debug/x", ""),
            (".git/config", ""),
            (".github/ci.yml", ""),
        ]);
        let mut filter = Filter::new(&root, None);
        let kept = [
            ".edgeignore",
            ".github/ci.yml",
            ".gitignore",
            "a.rs",
            "keep.log",
            "src/.gitignore",
            "src/.hidden",
        ];
        assert_eq!(walked(&mut filter), kept);
        for (name, kept) in [("src/b.rs", false), ("src/c.rs", true), ("out/y/z", false)] {
            assert_eq!(filter.keeps(Path::new(name), Place::File), kept, "{name}");
        }
    }

    #[test]
    fn what_git_is_told_to_exclude_is_not_followed() {
        let (_dir, root) = tree(&[
            (".git/info/exclude", "secret.txt\n"),
            ("project/secret.txt", ""),
            ("project/a", ""),
            (".gitignore", "b\n"),
            ("project/b", ""),
        ]);
        assert_eq!(walked(&mut Filter::new(&root, None)), [".gitignore", "project/a"]);
        // A directory inside of a repository obeys the repository.
        assert_eq!(walked(&mut Filter::new(&root.join("project"), None)), ["a"]);
    }

    #[test]
    fn rules_above_a_directory_outside_of_git_are_not_its_own() {
        let (_dir, root) = tree(&[(".gitignore", "*\n"), ("project/a", "")]);
        assert_eq!(walked(&mut Filter::new(&root.join("project"), None)), ["a"]);
    }

    #[test]
    fn changed_rules_are_read_again() {
        let (_dir, root) = tree(&[("a", ""), ("b", "")]);
        let mut filter = Filter::new(&root, None);
        assert_eq!(walked(&mut filter), ["a", "b"]);
        fs::write(root.join(".gitignore"), "a\n").unwrap();
        filter.reload();
        assert_eq!(walked(&mut filter), [".gitignore", "b"]);
    }

    #[test]
    fn the_programs_own_state_is_not_followed() {
        let (_dir, root) = tree(&[("state/pack", ""), ("a", "")]);
        let state = root.join("state");
        assert_eq!(walked(&mut Filter::new(&root, Some(&state))), ["a"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let (_dir, root) = tree(&[("a", "")]);
        let (_other, outside) = tree(&[("x", "")]);
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.join("x"), root.join("file")).unwrap();
        assert_eq!(walked(&mut Filter::new(&root, None)), ["a"]);
    }
}
