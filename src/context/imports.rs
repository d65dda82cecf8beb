//! What a file imports, as terms under which the imported file may be found: by simple rules for each
//! family of languages, line by line. What belongs to no project finds nothing and does no harm.

use super::words::{Space, Term, term};
use crate::delta::ProjectPath;

/// Ways to find one imported file, the surest first; 0 is none.
pub(super) type Import = [Term; 3];

/// Segments that an import by suffix is compared by.
const SUFFIX: usize = 3;
/// A line that is longer is data.
const LONGEST_LINE: usize = 300;

/// Languages whose files may import each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Rust,
    Script,
    Python,
    Go,
    C,
    Jvm,
    Ruby,
    Php,
    Other,
}

impl Family {
    pub(super) fn of(path: &ProjectPath) -> Self {
        match path.name().rsplit_once('.').map_or("", |(_, kind)| kind) {
            "rs" => Self::Rust,
            "js" | "jsx" | "ts" | "tsx" | "mjs" | "cjs" | "mts" | "cts" | "vue" | "svelte" => {
                Self::Script
            }
            "py" | "pyi" => Self::Python,
            "go" => Self::Go,
            "c" | "h" | "cc" | "cpp" | "cxx" | "hpp" | "hh" | "hxx" | "m" | "mm" => Self::C,
            "java" | "kt" | "kts" | "scala" | "cs" | "groovy" => Self::Jvm,
            "rb" => Self::Ruby,
            "php" => Self::Php,
            _ => Self::Other,
        }
    }
}

/// The parts of a path without extension; what stands for its directory (`mod.rs`, `index.ts`) has
/// the directory's.
pub(super) fn stem(path: &ProjectPath) -> Vec<&str> {
    let mut parts: Vec<&str> = path.as_str().split('/').collect();
    if let Some(last) = parts.last_mut() {
        *last = last.rsplit_once('.').map_or(*last, |(stem, _)| stem);
    }
    let for_directory =
        parts.last().is_some_and(|last| matches!(*last, "mod" | "index" | "__init__"));
    if parts.len() > 1 && for_directory {
        parts.pop();
    }
    parts
}

/// The endings of a path by which it may be found, shortest first.
pub(super) fn endings(space: Space, parts: &[&str]) -> Vec<Term> {
    let longest = parts.len().min(SUFFIX);
    (1..=longest).map(|n| term(space, &parts[parts.len() - n..].join("/"))).collect()
}

/// The term of a whole stem.
pub(super) fn whole(parts: &[&str]) -> Term {
    term(Space::WholeStem, &parts.join("/"))
}

/// What the file of this path and text imports.
pub(super) fn each_import(path: &ProjectPath, text: &str, mut emit: impl FnMut(Import)) {
    let family = Family::of(path);
    if family == Family::Other {
        return;
    }
    let here = Here { own: stem(path), directory: directory(path) };
    for line in text.lines() {
        let line = line.trim();
        if line.len() > 4 && line.len() <= LONGEST_LINE {
            one_line(family, &here, line, &mut emit);
        }
    }
}

struct Here<'a> {
    own: Vec<&'a str>,
    directory: Vec<&'a str>,
}

fn directory(path: &ProjectPath) -> Vec<&str> {
    let mut parts: Vec<&str> = path.as_str().split('/').collect();
    parts.pop();
    parts
}

fn one_line(family: Family, here: &Here<'_>, line: &str, emit: &mut impl FnMut(Import)) {
    match family {
        Family::Rust => rust(here, line, emit),
        Family::Script => {
            if let Some(target) = script_target(line) {
                emit(from_file(here, target));
            }
        }
        Family::Python => python(here, line, emit),
        Family::Go => {
            let line = line.strip_prefix("import ").unwrap_or(line);
            if let Some(target) = quoted(line).filter(|target| target.contains('/'))
                && line.ends_with('"')
            {
                emit(by_ending(&target.split('/').collect::<Vec<_>>(), 1));
            }
        }
        Family::C => {
            if let Some(target) = line.strip_prefix("#include").and_then(included) {
                emit(from_file(here, target));
            }
        }
        Family::Jvm | Family::Php => {
            let rest = ["import static ", "import ", "using ", "use "]
                .iter()
                .find_map(|word| line.strip_prefix(word));
            if let Some(rest) = rest {
                let target = rest.trim_end_matches([';', '*', '.', ' ']);
                let parts: Vec<&str> = target.split(['.', '\\']).collect();
                let mut found = by_suffix(&parts, 2);
                // The first part may stand for the directory of all sources.
                found[2] = by_ending(&parts, 2)[1];
                emit(found);
            }
        }
        Family::Ruby => {
            if let Some(target) = line.strip_prefix("require_relative").and_then(quoted) {
                emit(exact(&join(&here.directory, target)));
            } else if let Some(target) = line.strip_prefix("require").and_then(quoted) {
                emit(by_ending(&target.split('/').collect::<Vec<_>>(), 1));
            }
        }
        Family::Other => {}
    }
}

/// The first text in quotes.
fn quoted(text: &str) -> Option<&str> {
    let open = text.find(['"', '\''])?;
    let mark = text.as_bytes()[open];
    let rest = &text[open + 1..];
    let close = rest.bytes().position(|byte| byte == mark)?;
    rest.get(..close).filter(|target| !target.is_empty())
}

/// The target of `#include`.
fn included(text: &str) -> Option<&str> {
    let open = text.trim_start().strip_prefix('<');
    open.and_then(|rest| rest.split('>').next()).or_else(|| quoted(text))
}

fn script_target(line: &str) -> Option<&str> {
    let after = |word: &str| line.find(word).map(|at| &line[at + word.len()..]);
    let begins = line.starts_with("import") || line.starts_with("export") || line.starts_with('}');
    if begins && let Some(rest) = after(" from ") {
        return quoted(rest);
    }
    if let Some(rest) = line.strip_prefix("import ").filter(|rest| rest.starts_with(['"', '\''])) {
        return quoted(rest);
    }
    quoted(after("require(").or_else(|| after("import("))?)
}

/// A file by a path as scripts and C write it.
fn from_file(here: &Here<'_>, target: &str) -> Import {
    let bare = ["js", "jsx", "ts", "tsx", "mjs", "h", "hpp", "hh", "vue", "svelte"]
        .iter()
        .find_map(|kind| target.strip_suffix(kind)?.strip_suffix('.'))
        .unwrap_or(target);
    if bare.starts_with('.') {
        return exact(&join(&here.directory, bare));
    }
    let inside = bare.strip_prefix("@/").or_else(|| bare.strip_prefix("~/"));
    let parts: Vec<&str> = inside.unwrap_or(bare).split('/').collect();
    let sure = inside.is_some() || bare != target;
    let mut found = by_ending(&parts, if sure { 1 } else { 2 });
    // What stands beside it comes first.
    found.rotate_right(1);
    found[0] = whole(&join(&here.directory, bare));
    found
}

fn join<'a>(directory: &[&'a str], relative: &'a str) -> Vec<&'a str> {
    let mut parts = directory.to_vec();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.len() > 1 && parts.last() == Some(&"index") {
        parts.pop();
    }
    parts
}

fn exact(parts: &[&str]) -> Import {
    [whole(parts), 0, 0]
}

/// By the longest ending of `parts`, then without its last part (it may be an item of a file), never
/// by fewer than `least` parts.
fn by_suffix(parts: &[&str], least: usize) -> Import {
    let mut found = [0; 3];
    for (slot, cut) in found.iter_mut().zip(0..) {
        let Some(kept) = parts.len().checked_sub(cut).filter(|kept| *kept >= least.max(1)) else {
            break;
        };
        let from = kept.saturating_sub(SUFFIX);
        *slot = term(Space::Stem, &parts[from..kept].join("/"));
    }
    found
}

/// By the longest ending of `parts`, then by shorter ones, never by fewer than `least` parts.
fn by_ending(parts: &[&str], least: usize) -> Import {
    let mut found = [0; 3];
    let lengths = (least.max(1)..=parts.len().min(SUFFIX)).rev();
    for (slot, length) in found.iter_mut().zip(lengths) {
        *slot = term(Space::Stem, &parts[parts.len() - length..].join("/"));
    }
    found
}

fn rust(here: &Here<'_>, line: &str, emit: &mut impl FnMut(Import)) {
    let line = past_visibility(line);
    if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
        let mut inside = here.own.clone();
        inside.push(name);
        let mut beside = here.directory.clone();
        beside.push(name);
        emit([whole(&inside), whole(&beside), 0]);
        return;
    }
    let Some(rest) = line.strip_prefix("use ") else { return };
    let (prefix, items) = match rest.split_once('{') {
        Some((prefix, items)) => (prefix.trim_end_matches("::"), items),
        None => (rest.trim_end_matches([';', ' ']), ""),
    };
    let prefix = prefix.split_once(" as ").map_or(prefix, |(path, _)| path);
    let parts: Vec<&str> =
        prefix.split("::").filter(|part| !part.is_empty() && *part != "*").collect();
    if matches!(parts.first(), None | Some(&("std" | "core" | "alloc"))) {
        return;
    }
    emit(rust_path(here, &parts));
    for item in items.split(',').take(8) {
        let item = item.trim_matches([' ', '}', ';']);
        let name = item.split("::").next().unwrap_or(item);
        // An item in capitals is a type of the file that the prefix names.
        if name.starts_with(|c: char| c.is_ascii_lowercase()) {
            let mut longer = parts.clone();
            longer.push(name);
            emit(rust_path(here, &longer));
        }
    }
}

fn past_visibility(line: &str) -> &str {
    match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => {
            rest.split_once(')').map_or(line, |(_, after)| after.trim_start())
        }
        Some(rest) => rest.trim_start(),
        None => line,
    }
}

fn rust_path(here: &Here<'_>, parts: &[&str]) -> Import {
    let supers = parts.iter().take_while(|part| **part == "super").count();
    match parts.first() {
        Some(&("super" | "self")) => {
            let keep = here.own.len().saturating_sub(supers);
            let mut path: Vec<&str> = here.own[..keep].to_vec();
            path.extend(&parts[supers.max(1)..]);
            let shorter = |cut: usize| {
                let kept = path.len().checked_sub(cut).filter(|kept| *kept > 0);
                kept.map_or(0, |kept| whole(&path[..kept]))
            };
            [shorter(0), shorter(1), shorter(2)]
        }
        Some(&"crate") => {
            let mut path = parts.to_vec();
            path[0] = "src";
            by_suffix(&path, 2)
        }
        // Another crate, or a module beside this one.
        _ => by_suffix(parts, 2),
    }
}

fn python(here: &Here<'_>, line: &str, emit: &mut impl FnMut(Import)) {
    if let Some(rest) = line.strip_prefix("from ") {
        let Some((module, names)) = rest.split_once(" import ") else { return };
        let dots = module.bytes().take_while(|byte| *byte == b'.').count();
        let parts: Vec<&str> = module[dots..].split('.').filter(|part| !part.is_empty()).collect();
        let name = names.trim_matches(['(', ' ']).split([',', ' ']).next().unwrap_or_default();
        if dots == 0 {
            let mut longer = parts.clone();
            longer.push(name);
            emit(by_suffix(&longer, 1));
        } else {
            let keep = here.directory.len().saturating_sub(dots - 1);
            let mut path: Vec<&str> = here.directory[..keep].to_vec();
            path.extend(&parts);
            let shorter = whole(&path);
            path.push(name);
            emit([whole(&path), shorter, 0]);
        }
    } else if let Some(rest) = line.strip_prefix("import ") {
        for module in rest.split(',').take(8) {
            let module = module.trim().split(' ').next().unwrap_or_default();
            emit(by_suffix(&module.split('.').collect::<Vec<_>>(), 1));
        }
    }
}
