use std::fs;
use std::path::Path;

use super::*;

fn place(directory: &Path) -> Place {
    Place { directory: directory.to_owned(), owner: "here".into() }
}

fn path(text: &str) -> ProjectPath {
    ProjectPath::parse(text).unwrap()
}

fn tell(book: &mut Book, version: u64, name: &str, text: Option<&str>) {
    let entry = text.map(|text| book.keep(ContentHash::of(text.as_bytes()), text));
    let files = vec![(path(name), entry)];
    book.commit(Acknowledgement { version, whole: false, files }).unwrap();
}

fn text(book: &mut Book, name: &str) -> Option<String> {
    let entry = *book.get(&path(name))?;
    book.text(&entry)
}

#[test]
fn what_was_acknowledged_is_known_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::open(&place(dir.path())).unwrap();
    tell(&mut book, 1, "a", Some("one"));
    tell(&mut book, 2, "b", Some("two"));
    tell(&mut book, 3, "a", None);
    // Sent, but not acknowledged.
    book.keep(ContentHash::of(b"three"), "three");
    drop(book);
    let mut book = Book::open(&place(dir.path())).unwrap();
    assert_eq!(book.version(), 3);
    assert_eq!(book.paths().cloned().collect::<Vec<_>>(), [path("b")]);
    assert_eq!(text(&mut book, "b").as_deref(), Some("two"));
}

#[test]
fn a_place_is_used_by_one_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let _book = Book::open(&place(dir.path())).unwrap();
    assert!(matches!(Book::open(&place(dir.path())), Err(BookError::Taken)));
}

#[test]
fn a_torn_line_ends_the_past_and_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::open(&place(dir.path())).unwrap();
    tell(&mut book, 1, "a", Some("one"));
    tell(&mut book, 2, "a", Some("two"));
    drop(book);
    let journal = dir.path().join("journal");
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 9]).unwrap();
    let mut book = Book::open(&place(dir.path())).unwrap();
    assert_eq!((book.version(), text(&mut book, "a").as_deref()), (1, Some("one")));
    tell(&mut book, 5, "a", Some("five"));
    drop(book);
    let mut book = Book::open(&place(dir.path())).unwrap();
    assert_eq!((book.version(), text(&mut book, "a").as_deref()), (5, Some("five")));
}

#[test]
fn a_text_that_is_not_what_it_was_counts_as_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::open(&place(dir.path())).unwrap();
    tell(&mut book, 1, "a", Some("one"));
    drop(book);
    fs::write(dir.path().join("pack.0"), "ONE").unwrap();
    let mut book = Book::open(&place(dir.path())).unwrap();
    assert_eq!(book.version(), 1);
    assert_eq!(text(&mut book, "a"), None);
}

#[test]
fn the_state_of_another_owner_is_no_past() {
    let dir = tempfile::tempdir().unwrap();
    tell(&mut Book::open(&place(dir.path())).unwrap(), 7, "a", Some("one"));
    let other = Place { owner: "there".into(), ..place(dir.path()) };
    assert_eq!(Book::open(&other).unwrap().version(), 0);
}

#[test]
fn a_pack_does_not_grow_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::open(&place(dir.path())).unwrap();
    tell(&mut book, 1, "kept", Some("kept"));
    for version in 2..150 {
        let text = version.to_string().repeat(200_000);
        tell(&mut book, version, "a", Some(&text));
    }
    let kept: u64 =
        fs::read_dir(dir.path()).unwrap().map(|one| one.unwrap().metadata().unwrap().len()).sum();
    assert!(kept < 40 << 20, "{kept}");
    assert_eq!(text(&mut book, "kept").as_deref(), Some("kept"));
    drop(book);
    let mut book = Book::open(&place(dir.path())).unwrap();
    assert_eq!(book.version(), 149);
    assert_eq!(text(&mut book, "kept").as_deref(), Some("kept"));
    assert_eq!(text(&mut book, "a"), Some("149".repeat(200_000)));
}

#[test]
fn files_below_a_directory_are_those_of_no_other() {
    let mut book = Book::fleeting();
    for (version, name) in (1..).zip(["a", "a-b", "a.rs", "a/ x", "a/b/c", "a0", "ab/c"]) {
        tell(&mut book, version, name, Some("x"));
    }
    assert_eq!(book.below(&path("a")), [path("a/ x"), path("a/b/c")]);
}
