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

impl Directory<'_> {
    fn add(&mut self, more: Self) {
        self.files += more.files;
        self.names.extend(more.names);
        self.names.truncate(NAMES[0]);
    }
}

/// The overview, of at most `room` tokens; `None` if there is no room for it.
pub(super) fn overview(
    project: &Project,
    room: u32,
    count: &dyn Fn(&str) -> u32,
) -> Option<String> {
    let mut tokens = 0_u64;
    let paths = project.files.iter().map(|(path, file)| {
        tokens += u64::from(file.tokens);
        path.as_str()
    });
    let directories = directories(&paths.collect::<Vec<_>>());
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
fn directories<'a>(paths: &[&'a str]) -> BTreeMap<&'a str, Directory<'a>> {
    let mut counts = [0_usize; DEEPEST + 1];
    let mut before = "";
    for path in paths {
        // Paths are sorted: a directory is new where it differs from the one before.
        let common = path.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
        let (mut depth, mut same) = (0, 0);
        for at in slashes(path) {
            depth += 1;
            same += usize::from(at < common);
        }
        // At deeper levels than its own it lies in its own.
        if depth > same {
            counts.iter_mut().skip(same + 1).for_each(|count| *count += 1);
        }
        before = path;
    }
    let level = counts.iter().rposition(|count| *count < MOST_LINES).unwrap_or(0);
    let mut directories: BTreeMap<&str, Directory<'_>> = BTreeMap::new();
    // Neighbours mostly share one.
    let (mut last, mut open) = ("", Directory::default());
    for path in paths {
        let end = slashes(path).take(level).last().map_or(0, |at| at + 1);
        let (directory, name) = path.split_at(end);
        if directory != last {
            directories.entry(last).or_default().add(std::mem::take(&mut open));
            last = directory;
        }
        open.files += 1;
        if open.names.len() < NAMES[0] && slashes(name).next().is_none() {
            open.names.push(name);
        }
    }
    directories.entry(last).or_default().add(open);
    directories.retain(|_, directory| directory.files > 0);
    directories
}

fn slashes(path: &str) -> impl Iterator<Item = usize> {
    path.bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(at, _)| at)
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
