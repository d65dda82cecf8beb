//! Which sections are tables and which are lists of tables. The typed reading would take a list for a
//! table, value by value in the order of its keys; that is never what was meant.

use serde_json::Value;

use super::problem::{Path, Report, Segment};

const TABLES: [&str; 8] =
    ["server", "catalog", "budget", "routing", "context", "report", "network", "classifier"];
const LISTS: [&str; 3] = ["providers", "models", "limits"];

/// Why a variable cannot set a part of a list.
pub(super) const WHOLE_LIST: &str = "is part of a list, which a variable sets only as a whole: \
    EDGE_ROUTER__PROVIDERS='[{ id = \"openai\", first_byte_timeout_s = 30 }]'";

/// Below an entry of a list.
pub(super) fn is_in_list(path: &Path) -> bool {
    match path.segments() {
        [Segment::Key(section), _, ..] => LISTS.contains(&section.as_str()),
        _ => false,
    }
}

/// Reports tables that are written as lists and the other way round, and takes them out.
pub(super) fn check(tree: &mut Value, report: &mut Report) {
    let Some(root) = tree.as_object_mut() else { return };
    for name in TABLES {
        if root.get(name).is_some_and(Value::is_array) {
            let message = format!("is a list; allowed: one table, written [{name}]");
            tell(&Path::root().key(name), message, report);
            root.shift_remove(name);
        }
    }
    for name in LISTS {
        let path = Path::root().key(name);
        match root.get_mut(name) {
            Some(Value::Object(_)) => {
                let message = format!("is one table; allowed: a list, each entry under [[{name}]]");
                tell(&path, message, report);
                root.shift_remove(name);
            }
            Some(Value::Array(items)) => {
                for (index, item) in
                    items.iter_mut().enumerate().filter(|(_, item)| item.is_array())
                {
                    let message = "is a list; allowed: a table".to_owned();
                    tell(&path.index(index), message, report);
                    *item = Value::Object(serde_json::Map::new());
                }
            }
            _ => {}
        }
    }
}

fn tell(path: &Path, message: String, report: &mut Report) {
    report.problem(path, message);
    report.mark_broken(path.clone());
}
