use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

#[rstest]
#[case::empty("", PathError::Empty)]
#[case::root("/etc/passwd", PathError::Absolute)]
#[case::drive("C:/Windows/win.ini", PathError::Absolute)]
#[case::up("src/../../x", PathError::Escapes)]
#[case::here("./a", PathError::Escapes)]
#[case::double("a//b", PathError::Escapes)]
#[case::trailing("a/", PathError::Escapes)]
#[case::backslash("a\\..\\b", PathError::BadCharacter)]
#[case::line("a\nb", PathError::BadCharacter)]
#[case::zero("a\0b", PathError::BadCharacter)]
fn a_path_that_leaves_the_project_is_refused(#[case] text: &str, #[case] why: PathError) {
    assert_eq!(ProjectPath::parse(text), Err(why));
}

#[test]
fn a_path_keeps_its_spelling_and_knows_its_name() {
    let path = ProjectPath::parse("src/ä b/..c.rs").unwrap();
    assert_eq!((path.as_str(), path.name()), ("src/ä b/..c.rs", "..c.rs"));
}

#[test]
fn a_delta_has_the_form_of_the_contract() {
    let (old, new) = ("a\n", "b\n");
    let delta = Delta {
        project: "shop".into(),
        base_version: 3,
        version: 4,
        root: None,
        files: vec![
            FileChange {
                path: ProjectPath::parse("src/a.rs").unwrap(),
                change: Change::Modify {
                    base_hash: ContentHash::of(old.as_bytes()),
                    hash: ContentHash::of(new.as_bytes()),
                    diff: unified(old, new),
                },
            },
            FileChange {
                path: ProjectPath::parse("src/c.rs").unwrap(),
                change: Change::Delete { base_hash: ContentHash::of(b"") },
            },
        ],
    };
    let value = serde_json::to_value(&delta).unwrap();
    assert_eq!(
        value,
        json!({"project": "shop", "base_version": 3, "version": 4, "files": [
            {"path": "src/a.rs", "op": "modify",
             "base_hash": ContentHash::of(b"a\n").to_string(),
             "hash": ContentHash::of(b"b\n").to_string(), "diff": "@@ -1 +1 @@\n-a\n+b\n"},
            {"path": "src/c.rs", "op": "delete",
             "base_hash": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"}]})
    );
    assert_eq!(serde_json::from_value::<Delta>(value).unwrap(), delta);
}

#[test]
fn a_diff_against_another_text_does_not_fit() {
    let diff = unified("one\ntwo\nthree\n", "one\n2\nthree\n");
    assert_eq!(apply("one\nTWO\nthree\n", &diff), Err(PatchError::Mismatch { line: 3 }));
    assert_eq!(apply("one\n", &diff), Err(PatchError::Mismatch { line: 3 }));
    assert_eq!(apply("", &diff), Err(PatchError::Mismatch { line: 2 }));
}

#[rstest]
#[case::words("hello", 1)]
#[case::cut_off("@@ -1,2 +1,2 @@\n a\n", 1)]
#[case::odd_sign("@@ -1 +1 @@\n*a\n", 2)]
#[case::too_many("@@ -1 +1 @@\n-a\n+b\n+c\n", 4)]
#[case::no_numbers("@@ -x +1 @@\n-a\n+b\n", 1)]
fn what_is_no_diff_is_refused(#[case] diff: &str, #[case] line: usize) {
    assert_eq!(apply("a\n", diff), Err(PatchError::Malformed { line }));
}

#[test]
fn a_carriage_return_at_the_end_of_a_text_ends_no_line() {
    let diff = unified("a\r", "b\r");
    let end = "\\ No newline at end of file\n";
    assert_eq!(diff, format!("@@ -1 +1 @@\n-a\r\n{end}+b\r\n{end}"));
    assert_eq!(apply("a\r", &diff).unwrap(), "b\r");
}

#[test]
fn a_diff_with_a_head_is_understood() {
    assert_eq!(apply("a\n", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n").unwrap(), "b\n");
}

fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[ab]{0,2}",
        "-- [ab]",
        "\\+\\+ a",
        "\\\\ No newline at end of file",
        "a\r",
        "@@ -1 \\+1 @@"
    ];
    let end = prop_oneof![3 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\r")];
    (proptest::collection::vec((line, end), 0..12), "[ab]?").prop_map(|(lines, last)| {
        lines.into_iter().map(|(line, end)| line + end).collect::<String>() + &last
    })
}

proptest! {
    #[test]
    fn what_a_diff_was_made_from_it_leads_to(old in text(), new in text()) {
        prop_assert_eq!(apply(&old, &unified(&old, &new)), Ok(new));
    }

    #[test]
    fn no_diff_makes_it_fall_over(old in text(), diff in "\\PC{0,40}") {
        let _ = apply(&old, &diff);
    }

    #[test]
    fn equal_texts_have_no_diff(text in text()) {
        prop_assert_eq!(unified(&text, &text), "");
        prop_assert_eq!(changed_lines(&text, &text), (0, 0));
    }
}
