//! A project in a few lines: its directories, how many files each has, and as many names as there is
//! room for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::context::Project;
use crate::context::fence::{Sign, content, remark};

const MOST_LINES: usize = 40;
const DEEPEST: usize = 6;
/// Names of files on a line; the most that there is room for is taken.
const NAMES: [usize; 5] = [24, 12, 6, 3, 0];

#[derive(Default)]
struct Directory<'a> {
    files: usize,
    names: Vec<&'a str>,
}

/// The overview, of at most `room` tokens; `None` if there is no room for it.
pub(super) fn overview(
    project: &Project,
    room: u32,
    count: &dyn Fn(&str) -> u32,
) -> Option<String> {
    let directories = directories(project);
    let tokens: u64 = project.files.values().map(|file| u64::from(file.tokens)).sum();
    let head = remark(&format!(
        "overview of the project: {} files, about {tokens} tokens; below, files and changes as they are now",
        project.files.len()
    ));
    NAMES
        .iter()
        .map(|names| head.clone() + &lines(&directories, *names))
        .find(|text| count(text) <= room)
        .or_else(|| Some(head).filter(|head| count(head) <= room))
}

/// By the deepest level at which there are not too many.
fn directories(project: &Project) -> BTreeMap<&str, Directory<'_>> {
    let paths = || project.files.keys().map(|path| path.as_str());
    let mut counts = [0_usize; DEEPEST + 1];
    let mut before = "";
    for path in paths() {
        // Paths are sorted: a directory is new where it differs from the one before.
        let depth = path.matches('/').count().min(DEEPEST);
        let same = common_depth(before, path);
        for (level, count) in counts.iter_mut().enumerate() {
            *count += usize::from(depth.min(level) > same);
        }
        before = path;
    }
    let level = counts.iter().rposition(|count| *count < MOST_LINES).unwrap_or(0);
    let mut directories: BTreeMap<&str, Directory<'_>> = BTreeMap::new();
    for path in paths() {
        let end = path.match_indices('/').take(level).last().map_or(0, |(at, _)| at + 1);
        let (directory, name) = path.split_at(end);
        let known = directories.entry(directory).or_default();
        known.files += 1;
        if known.names.len() < NAMES[0] && !name.contains('/') {
            known.names.push(name);
        }
    }
    directories
}

/// How many directories two paths begin with together.
fn common_depth(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b);
    same.filter(|(a, _)| *a == b'/').count()
}

fn lines(directories: &BTreeMap<&str, Directory<'_>>, most: usize) -> String {
    let mut text = String::new();
    for (name, directory) in directories.iter().take(MOST_LINES) {
        let name = if name.is_empty() { "./" } else { name };
        let files = directory.files;
        let mut line = format!("{name} ({files} {})", if files == 1 { "file" } else { "files" });
        for (n, file) in directory.names.iter().take(most).enumerate() {
            let _ = write!(line, "{} {file}", if n == 0 { ":" } else { "," });
        }
        if most > 0 && files > directory.names.len().min(most) {
            line.push_str(", …");
        }
        content(&mut text, Sign::Same, &line);
    }
    text
}
