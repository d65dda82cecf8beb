//! A project in a few lines: its directories, how many files each has, and as many names as there is
//! room for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::context::Project;
use crate::context::fence::{Sign, content, remark};
use crate::context::index::{Directory, Tree};

const MOST_LINES: usize = 40;
const DEEPEST: usize = 6;
/// Names of files on a line; the most that there is room for is taken.
const NAMES: [usize; 5] = [24, 12, 6, 3, 0];

/// The overview, of at most `room` tokens; `None` if there is no room for it.
pub(super) fn overview(
    project: &Project,
    room: u32,
    count: &dyn Fn(&str) -> u32,
) -> Option<String> {
    let made;
    let tree = if project.index.len() == project.files.len() {
        project.index.tree(|| tree(project))
    } else {
        made = tree(project);
        &made
    };
    let head = remark(&format!(
        "overview of the project: {} files, about {} tokens; below, files and changes as they are now",
        project.files.len(),
        tree.tokens
    ));
    NAMES
        .iter()
        .map(|names| head.clone() + &lines(&tree.directories, *names))
        .find(|text| count(text) <= room)
        .or_else(|| Some(head).filter(|head| count(head) <= room))
}

/// By the deepest level at which there are not too many directories.
fn tree(project: &Project) -> Tree {
    let mut tokens = 0_u64;
    let paths = project.files.iter().map(|(path, file)| {
        tokens += u64::from(file.tokens);
        path.as_str()
    });
    let paths: Vec<&str> = paths.collect();
    let level = level(&paths);
    let mut found: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
    for path in paths {
        let end = slashes(path).take(level).last().map_or(0, |at| at + 1);
        let (directory, name) = path.split_at(end);
        let (files, names) = found.entry(directory).or_default();
        *files += 1;
        if names.len() < NAMES[0] && slashes(name).next().is_none() {
            names.push(name);
        }
    }
    let directories = found.into_iter().take(MOST_LINES).map(|(name, (files, names))| {
        let names = names.into_iter().map(Box::from).collect();
        Directory { name: name.into(), files, names }
    });
    Tree { directories: directories.collect(), tokens }
}

fn level(paths: &[&str]) -> usize {
    let mut counts = [0_usize; DEEPEST + 1];
    let mut before = "";
    for path in paths {
        // Paths are sorted: a directory is new where it differs from the one before.
        let common = path.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
        let same = slashes(path).take_while(|at| *at < common).count();
        // At deeper levels than its own it lies in its own.
        if slashes(path).nth(same).is_some() {
            counts.iter_mut().skip(same + 1).for_each(|count| *count += 1);
        }
        before = path;
    }
    counts.iter().rposition(|count| *count < MOST_LINES).unwrap_or(0)
}

fn slashes(path: &str) -> impl Iterator<Item = usize> {
    path.bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(at, _)| at)
}

fn lines(directories: &[Directory], most: usize) -> String {
    let mut text = String::new();
    for Directory { name, files, names } in directories {
        let name = if name.is_empty() { "./" } else { name };
        let mut line = format!("{name} ({files} {})", if *files == 1 { "file" } else { "files" });
        for (n, file) in names.iter().take(most).enumerate() {
            let _ = write!(line, "{} {file}", if n == 0 { ":" } else { "," });
        }
        if most > 0 && *files > names.len().min(most) {
            line.push_str(", …");
        }
        content(&mut text, Sign::Same, &line);
    }
    text
}
