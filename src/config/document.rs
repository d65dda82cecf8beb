//! From TOML text to a tree of plain values, remembering where each was written. Decides nothing
//! about what the keys mean.

use std::path::Path as FilePath;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Origin, Origins, Path, Problem};

/// A file as a tree.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) tree: Map<String, Value>,
    pub(super) origins: Origins,
    /// Lines that are not TOML.
    pub(super) problems: Vec<Problem>,
}

/// Reads a whole document below `root`. Broken lines are reported and left out.
pub(super) fn parse(text: &str, file: &FilePath, root: &Path) -> Document {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut document = Document::default();
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        let mut message = format!("not valid TOML: {}", error.message().replace('\n', ", "));
        if let Some(name) = error.span().and_then(|span| text.get(span))
            && error.message() == "duplicate key"
        {
            message = format!("{message} `{name}`; each may stand here once");
        }
        document.problems.push(Problem::file(file.to_owned(), lines.number(offset), message));
    }
    let mut reader = Reader { file, lines, origins: &mut document.origins };
    document.tree = reader.table(table.get_ref(), root);
    document
}

/// One value as it would stand in a file, for variables that hold more than a text.
pub(super) fn parse_value(text: &str) -> Option<Value> {
    let value = DeValue::parse(text.trim()).ok()?;
    let mut origins = Origins::default();
    let mut reader =
        Reader { file: FilePath::new(""), lines: Lines::of(text), origins: &mut origins };
    Some(reader.value(&value, &Path::root()))
}

/// Byte offsets at which lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }
    /// The line, counted from 1, that holds the byte.
    fn number(&self, offset: usize) -> usize {
        self.0.partition_point(|begin| *begin <= offset)
    }
}

struct Reader<'a> {
    file: &'a FilePath,
    lines: Lines,
    origins: &'a mut Origins,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &Path) -> Map<String, Value> {
        let mut out = Map::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let path = path.key(name);
            self.note(&path, key.span().start);
            out.insert(name.to_owned(), self.value(value, &path));
        }
        out
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &Path) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(number) => {
                let digits = number.as_str();
                match i64::from_str_radix(digits, number.radix()) {
                    Ok(number) => Value::from(number),
                    Err(_) => Value::String(digits.to_owned()),
                }
            }
            DeValue::Float(number) => float(number.as_str()),
            DeValue::Boolean(yes) => Value::Bool(*yes),
            DeValue::Datetime(moment) => Value::String(moment.to_string()),
            DeValue::Array(items) => {
                let mut out = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let path = path.index(index);
                    self.note(&path, item.span().start);
                    out.push(self.value(item, &path));
                }
                Value::Array(out)
            }
            DeValue::Table(table) => Value::Object(self.table(table, path)),
        }
    }

    fn note(&mut self, path: &Path, offset: usize) {
        let line = self.lines.number(offset);
        self.origins.put(path.clone(), Origin::File { file: self.file.to_owned(), line, offset });
    }
}

/// `inf` and `nan` have no place in JSON; as text they are refused with the key they stand at.
fn float(text: &str) -> Value {
    let number = text.replace('_', "").parse::<f64>().ok().and_then(serde_json::Number::from_f64);
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(document: &Document, path: &Path) -> usize {
        match document.origins.of(path) {
            Origin::File { line, .. } => line,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_value_knows_its_line() {
        let text = "a = 1\n\n[b]\nc = [\n  \"x\",\n  \"y\",\n]\n\n[[d]]\ne = 2\n[[d]]\nf.g = 3\n";
        let document = parse(text, FilePath::new("f.toml"), &Path::root());
        assert!(document.problems.is_empty());
        let root = Path::root();
        assert_eq!(line(&document, &root.key("a")), 1);
        assert_eq!(line(&document, &root.key("b")), 3);
        assert_eq!(line(&document, &root.key("b").key("c").index(1)), 6);
        assert_eq!(line(&document, &root.key("d").index(0)), 9);
        assert_eq!(line(&document, &root.key("d").index(0).key("e")), 10);
        assert_eq!(line(&document, &root.key("d").index(1)), 11);
        assert_eq!(line(&document, &root.key("d").index(1).key("f").key("g")), 12);
        assert_eq!(line(&document, &root.key("b").key("missing")), 3);
    }

    #[test]
    fn every_broken_line_is_reported_and_the_rest_is_read() {
        let text = "a = 1\nb = \nc = 3\nd = \"open\ne = 5\ne = 6\n";
        let document = parse(text, FilePath::new("f.toml"), &Path::root());
        let lines: Vec<_> = document.problems.iter().map(|problem| problem.place().1).collect();
        assert_eq!(lines, [2, 4, 6]);
        assert_eq!(document.tree["c"], 3);
    }
}
