//! From a tree of plain values to a typed shape, telling every problem instead of the first. A value
//! that cannot be read is reported, taken out, and the rest is read again.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment as SerdeSegment;

use super::document;
use super::problem::{Path, Report, Segment};

/// More mistakes than a person can make in one file.
const MOST_PROBLEMS: usize = 500;

/// What is known of the values besides the tree.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// Texts from variables, which may stand for a number, a truth value or a list.
    pub(super) from_text: HashSet<Path>,
    /// Those that were filled in from variables, and so may hold a secret.
    pub(super) private: HashSet<Path>,
}

/// Reads `tree`, which stands below `root` for the report.
pub(super) fn read<T: DeserializeOwned + Default>(
    tree: &mut Value,
    root: &Path,
    hints: &mut Hints,
    report: &mut Report,
) -> T {
    for _ in 0..MOST_PROBLEMS {
        let error = match serde_path_to_error::deserialize::<_, T>(&*tree) {
            Ok(done) => return done,
            Err(error) => error,
        };
        let here = path_of(error.path());
        let path = join(root, &here);
        if hints.from_text.remove(&path) && reread(tree, &here) {
            continue;
        }
        let message = error.inner().to_string();
        let unknown = unknown_field(&message);
        let (here, path) = match &unknown {
            Some((name, _)) if path.last_key() != Some(name) => (here.key(name), path.key(name)),
            _ => (here, path),
        };
        let first_time = !report.is_broken(&path);
        let text = match &unknown {
            Some((name, allowed)) => {
                let near = nearest(name, allowed);
                if let (Some(near), Some(parent)) = (near, path.parent()) {
                    // The suggested key is what was meant: that it is missing is no second mistake.
                    report.problem(&path, describe_unknown(Some(near), allowed));
                    report.mark_broken(parent.key(near));
                    String::new()
                } else {
                    describe_unknown(None, allowed)
                }
            }
            None => describe(&message, Secret::at(&path, hints)),
        };
        if first_time && !text.is_empty() {
            report.problem(&path, text);
        }
        report.mark_broken(path);
        if !take_out(tree, &here) {
            return T::default();
        }
    }
    T::default()
}

fn path_of(path: &serde_path_to_error::Path) -> Path {
    path.iter().fold(Path::root(), |path, segment| match segment {
        SerdeSegment::Seq { index } => path.index(*index),
        SerdeSegment::Map { key } => path.key(key),
        SerdeSegment::Enum { .. } | SerdeSegment::Unknown => path,
    })
}

fn join(root: &Path, path: &Path) -> Path {
    path.segments().iter().fold(root.clone(), |whole, segment| match segment {
        Segment::Key(key) => whole.key(key),
        Segment::Index(index) => whole.index(*index),
    })
}

fn find<'a>(tree: &'a mut Value, path: &Path) -> Option<&'a mut Value> {
    path.segments().iter().try_fold(tree, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key),
        Segment::Index(index) => value.get_mut(index),
    })
}

/// A text from a variable, read as the TOML value that it may be.
fn reread(tree: &mut Value, path: &Path) -> bool {
    let Some(place) = find(tree, path) else { return false };
    let Some(value) = place.as_str().and_then(document::parse_value) else { return false };
    *place = value;
    true
}

/// Takes the value at `path` out. An item of a list stays as a place holder, so that the items after
/// it keep their numbers; if no place holder does, the list goes.
fn take_out(tree: &mut Value, path: &Path) -> bool {
    let (Some(last), Some(parent)) = (path.segments().last(), path.parent()) else { return false };
    match (find(tree, &parent), last) {
        (Some(Value::Object(table)), Segment::Key(key)) => {
            table.shift_remove(key).is_some() || take_out(tree, &parent)
        }
        (Some(Value::Array(items)), Segment::Index(index)) if *index < items.len() => {
            let item = &mut items[*index];
            if !item.is_object() {
                *item = Value::Object(serde_json::Map::new());
                return true;
            }
            if item.as_object().is_some_and(serde_json::Map::is_empty) {
                return take_out(tree, &parent);
            }
            *item = Value::Object(serde_json::Map::new());
            true
        }
        _ => take_out(tree, &parent),
    }
}

/// The name and the allowed names of serde's "unknown field" message.
fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut names = rest.split('`').skip(1).step_by(2);
    let name = names.next()?;
    Some((name, names.collect()))
}

fn describe_unknown(near: Option<&str>, allowed: &[&str]) -> String {
    let list = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
    match near {
        Some(near) => format!("unknown key, did you mean `{near}`? allowed: {list}"),
        None => format!("unknown key; allowed: {list}"),
    }
}

/// The most similar of `allowed`, if it is similar at all.
pub(super) fn nearest<'a>(name: &str, allowed: &[&'a str]) -> Option<&'a str> {
    allowed
        .iter()
        .map(|other| {
            let likeness = strsim::normalized_damerau_levenshtein(&name.to_lowercase(), other);
            // `window` for `context_window`, `key` for `master_key`.
            let part = name.len() > 2 && other.split('_').any(|word| word == name);
            (if part { likeness.max(0.6) } else { likeness }, *other)
        })
        .filter(|(score, _)| *score >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

/// serde's words in the reader's.
fn describe(message: &str, secret: Secret) -> String {
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let mut names = rest.split('`').skip(1).step_by(2);
        let given = names.next().unwrap_or_default();
        let shown = if secret == Secret::Yes { "the value" } else { given };
        let allowed: Vec<_> = names.collect();
        let hint = nearest(given, &allowed)
            .map_or_else(String::new, |near| format!(", did you mean `{near}`"));
        return format!("`{shown}` is not known{hint}; allowed: {}", allowed.join(", "));
    }
    for kind in ["invalid type: ", "invalid value: ", "invalid length "] {
        if let Some(rest) = message.strip_prefix(kind) {
            let (given, expected) =
                rest.split_once(", expected ").unwrap_or((rest, "another value"));
            let given =
                if secret == Secret::Yes { given.split(' ').next().unwrap_or("it") } else { given };
            let is = if kind == "invalid length " { "has length" } else { "is" };
            return format!("{is} {}; allowed: {}", readable(given), readable(expected));
        }
    }
    message.to_owned()
}

/// Whether a message may quote the value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secret {
    Yes,
    No,
}

impl Secret {
    fn at(path: &Path, hints: &Hints) -> Self {
        let named = path.segments().iter().any(|segment| match segment {
            Segment::Key(key) => ["api_keys", "master_key", "headers", "proxy"].contains(&&**key),
            Segment::Index(_) => false,
        });
        if named || hints.private.contains(path) { Self::Yes } else { Self::No }
    }
}

fn readable(words: &str) -> String {
    let known = match words {
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a table",
        "null" => "nothing",
        other if other.starts_with("struct ") => "a table",
        "sequence" => "a list",
        "map" => "a table",
        other => other.strip_prefix("string ").unwrap_or(other),
    };
    known.to_owned()
}
