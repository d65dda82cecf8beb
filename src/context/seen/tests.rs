use rstest::rstest;

use super::*;
use crate::context::Why;
use crate::context::sample::{Sample, path};

const CART: &str = "use crate::money::Usd;\n\npub struct Cart {\n    rows: Vec<Row>,\n}\n\nimpl Cart {\n    \
                    pub fn add(&mut self, row: Row) {\n        self.rows.push(row);\n    }\n\n    pub fn total(&self) -> Usd \
                    {\n        self.rows.iter().map(|row| row.price).sum()\n    }\n}\n";

fn look(texts: &[&str], file: &str) -> Option<Shown> {
    let sample = Sample::new([("src/cart.rs", file), ("src/net.rs", "fn fetch(url: &str) {}\n")]);
    let candidates: Vec<Ranked> = sample
        .project
        .files
        .keys()
        .map(|path| Ranked { path: path.clone(), score: 1.0, why: Why::Near })
        .collect();
    let mut found = seen(&sample.project, texts, &candidates, &sample.texts);
    let cart = found.remove(&path("src/cart.rs"));
    assert_eq!(found, BTreeMap::new());
    cart.inspect(|cart| assert_eq!(cart.hash, Some(ContentHash::of(file.as_bytes()))))
}

fn numbered(form: impl Fn(usize, &str) -> String) -> String {
    CART.lines().enumerate().map(|(n, line)| form(n + 1, line)).collect()
}

#[rstest]
#[case::bare(CART.to_owned())]
#[case::tagged(format!("<file_content path=\"src/cart.rs\">\n{CART}</file_content>"))]
#[case::windows(CART.replace('\n', "\r\n"))]
#[case::arrow(numbered(|n, line| format!("{n:>6}→{line}\n")))]
#[case::bar(numbered(|n, line| format!("{n}|{line}\n")))]
#[case::spaced_bar(numbered(|n, line| format!("{n:>4} | {line}\n")))]
#[case::padded(numbered(|n, line| format!("{n:05}| {line}\n")))]
#[case::tab(numbered(|n, line| format!("{n:>6}\t{line}\n")))]
#[case::grep(numbered(|n, line| format!("{n}: {line}\n")))]
#[case::json(serde_json::json!({"content": CART, "lines": 12}).to_string())]
fn a_file_is_recognised_however_the_client_writes_it(#[case] sent: String) {
    assert_eq!(look(&["hello", &sent], CART).map(|cart| cart.whole), Some(true));
}

#[test]
fn a_file_that_was_not_sent_is_not_seen() {
    assert_eq!(look(&["please look at src/cart.rs", "fn other() {}"], CART), None);
    assert_eq!(look(&[], CART), None);
    let half: String = CART.lines().take(7).map(|line| format!("{line}\n")).collect();
    assert_eq!(look(&[&half], CART), None);
}

#[test]
fn a_file_that_lacks_a_line_is_seen_in_part_only() {
    let long: String = (0..40).map(|n| format!("let value_{n} = compute({n});\n")).collect();
    let older = long.replace("value_7 =", "value_seven =");
    assert_eq!(look(&[&older], &long).map(|cart| cart.whole), Some(false));
    let much_older = long.replace("let value_1", "let old_1");
    assert_eq!(look(&[&much_older], &long), None);
}

#[test]
fn a_file_sent_in_two_pieces_is_seen() {
    let (first, second) = CART.split_at(CART.find("impl").unwrap());
    assert_eq!(look(&[second, "and", first], CART).map(|cart| cart.whole), Some(true));
}

#[test]
fn a_file_of_brackets_is_never_seen() {
    assert_eq!(look(&["{\n}\n\n[]\n"], "{\n}\n"), None);
}

#[test]
fn a_number_that_belongs_to_the_line_is_no_prefix() {
    let table = "10: low water mark\n20: high water mark\n30| flood gates open\n";
    assert_eq!(look(&[table], table).map(|cart| cart.whole), Some(true));
}
