use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn path(text: &str) -> ProjectPath {
    ProjectPath::parse(text).unwrap()
}

fn hash(text: &str) -> ContentHash {
    ContentHash::of(text.as_bytes())
}

fn add(at: &str, text: &str) -> FileChange {
    let change = Change::Add { hash: hash(text), content: text.to_owned() };
    FileChange { path: path(at), change }
}

fn modify(at: &str, from: &str, to: &str) -> FileChange {
    let diff = delta::unified(from, to);
    let change = Change::Modify { base_hash: hash(from), hash: hash(to), diff };
    FileChange { path: path(at), change }
}

fn delete(at: &str, text: &str) -> FileChange {
    FileChange { path: path(at), change: Change::Delete { base_hash: hash(text) } }
}

fn delta(base_version: u64, files: Vec<FileChange>) -> Delta {
    let version = base_version + 1;
    Delta { project: "shop".to_owned(), base_version, version, root: None, files }
}

type Texts = HashMap<ContentHash, Arc<str>>;

/// The project at version 1 with these files.
fn project(files: &[(&str, &str)]) -> (Project, Texts) {
    let files = files.iter().map(|(path, text)| add(path, text)).collect();
    let applied = checked(&nothing("shop"), &delta(0, files), &Texts::new()).unwrap();
    (applied.project, applied.texts)
}

fn checked(before: &Project, delta: &Delta, texts: &Texts) -> Result<Applied, DeltaError> {
    check(delta)?;
    apply(before, delta, texts, Timestamp::from_second(1_000).unwrap())
}

fn listed(project: &Project) -> Vec<(&str, ContentHash)> {
    project.files.iter().map(|(path, entry)| (path.as_str(), entry.hash)).collect()
}

#[test]
fn a_delta_changes_what_it_names_and_nothing_else() {
    let (before, texts) = project(&[("a", "one\n"), ("b", "two\n"), ("c", "three\n")]);
    let files = vec![modify("a", "one\n", "1\n"), delete("b", "two\n"), add("d/e", "four\n")];
    let after = checked(&before, &delta(1, files), &texts).unwrap();
    assert_eq!(
        listed(&after.project),
        [("a", hash("1\n")), ("c", hash("three\n")), ("d/e", hash("four\n"))]
    );
    assert_eq!((after.put, after.gone), (vec![path("a"), path("d/e")], vec![path("b")]));
    let older: Vec<_> = after.older.iter().map(|(path, was)| (path.as_str(), was.hash)).collect();
    assert_eq!(older, [("a", hash("one\n")), ("b", hash("two\n"))]);
    assert_eq!((after.project.version, after.project.files[&path("a")].version), (2, 2));
    assert_eq!(after.project.files[&path("c")].version, 1);
    assert_eq!(before.files.len(), 3);
}

#[test]
fn a_resync_is_all_there_is_and_knows_what_has_not_changed() {
    let (before, texts) = project(&[("a", "one\n"), ("b", "two\n")]);
    let mut anew = delta(0, vec![add("a", "one\n"), add("c", "new\n")]);
    anew.version = 7;
    let after = checked(&before, &anew, &texts).unwrap();
    assert_eq!(listed(&after.project), [("a", hash("one\n")), ("c", hash("new\n"))]);
    assert_eq!((after.put, after.gone), (vec![path("c")], vec![path("b")]));
    assert_eq!(after.project.files[&path("a")].version, 1);
}

#[test]
fn a_file_may_become_a_directory_and_a_directory_a_file() {
    let (before, texts) = project(&[("a", "one\n"), ("b/c", "two\n"), ("b-d", "x")]);
    let files =
        vec![add("a/x", "one\n"), delete("a", "one\n"), add("b", "b"), delete("b/c", "two\n")];
    let after = checked(&before, &delta(1, files), &texts).unwrap();
    let paths: Vec<_> = after.project.files.keys().map(ProjectPath::as_str).collect();
    assert_eq!(paths, ["a/x", "b", "b-d"]);
}

#[test]
fn the_root_is_kept_until_another_is_told() {
    let (mut before, texts) = project(&[]);
    before.root = Some("/home/me/shop".into());
    let after = checked(&before, &delta(1, vec![]), &texts).unwrap();
    assert_eq!(after.project.root.as_deref(), Some("/home/me/shop"));
}

#[rstest]
#[case::other_base(delta(3, vec![]))]
#[case::unknown_file(delta(1, vec![modify("zzz", "one\n", "1\n")]))]
#[case::unknown_gone_file(delta(1, vec![delete("zzz", "one\n")]))]
#[case::other_text(delta(1, vec![modify("a", "two\n", "1\n")]))]
#[case::other_gone_text(delta(1, vec![delete("a", "two\n")]))]
#[case::file_in_a_file(delta(1, vec![add("a/b", "x")]))]
#[case::directory_for_a_file(delta(1, vec![add("d", "x")]))]
#[case::wrong_hash(delta(1, vec![FileChange {
    path: path("n"), change: Change::Add { hash: hash("other"), content: "x".to_owned() } }]))]
#[case::wrong_result(delta(1, vec![FileChange { path: path("a"), change: Change::Modify {
    base_hash: hash("one\n"), hash: hash("other"), diff: delta::unified("one\n", "1\n") } }]))]
#[case::other_diff(delta(1, vec![FileChange { path: path("a"), change: Change::Modify {
    base_hash: hash("one\n"), hash: hash("1\n"), diff: delta::unified("two\n", "1\n") } }]))]
fn what_does_not_fit_is_out_of_sync(#[case] delta: Delta) {
    let (before, texts) = project(&[("a", "one\n"), ("d/e", "two\n")]);
    let error = checked(&before, &delta, &texts).unwrap_err();
    assert!(matches!(error, DeltaError::OutOfSync { server_version: 1, .. }), "{error:?}");
}

#[test]
fn a_text_that_is_lost_is_out_of_sync() {
    let (before, _) = project(&[("a", "one\n")]);
    let delta = delta(1, vec![modify("a", "one\n", "1\n")]);
    let error = checked(&before, &delta, &Texts::new()).unwrap_err();
    assert!(matches!(error, DeltaError::OutOfSync { .. }), "{error:?}");
}

#[rstest]
#[case::no_name(json!({"project": ""}), "project")]
#[case::reserved(json!({"project": "Stats"}), "project")]
#[case::slash(json!({"project": "a/b"}), "project")]
#[case::quote(json!({"project": "a\"b"}), "project")]
#[case::fence(json!({"project": "a>b"}), "project")]
#[case::hidden(json!({"project": ".."}), "project")]
#[case::long(json!({"project": "x".repeat(129)}), "project")]
#[case::backwards(json!({"base_version": 4, "version": 4}), "version")]
#[case::huge(json!({"version": u64::MAX}), "version")]
#[case::relative_root(json!({"root": "shop"}), "root")]
#[case::root_with_lines(json!({"root": "/a\nb"}), "root")]
#[case::twice(json!({"files": [add("a", "x"), add("b", "x"), add("a", "y")]}), "files[2].path")]
#[case::inside(json!({"files": [add("a/b", "x"), add("a", "x"), add("a-b", "x")]}), "files[0].path")]
#[case::anew_with_deletes(json!({"base_version": 0, "files": [delete("a", "x")]}), "files[0].op")]
#[case::anew_with_diffs(json!({"base_version": 0, "files": [modify("a", "x", "y")]}), "files[0].op")]
fn what_is_unsound_by_itself_is_invalid(#[case] part: serde_json::Value, #[case] param: &str) {
    let mut whole = json!({"project": "shop", "base_version": 1, "version": 2, "files": []});
    whole.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
    let delta: Delta = serde_json::from_value(whole).unwrap();
    match check(&delta) {
        Err(DeltaError::Invalid { param: found, .. }) => assert_eq!(found, param),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case("shop")]
#[case("My Shop+2")]
#[case("@me_shop-2.0")]
#[case("Lädchen")]
fn usual_names_are_fine(#[case] name: &str) {
    assert_eq!(check_name(name), Ok(()));
}

#[test]
fn a_diff_that_is_none_is_invalid() {
    let (before, texts) = project(&[("a", "one\n")]);
    let change = Change::Modify {
        base_hash: hash("one\n"),
        hash: hash("1\n"),
        diff: "please change it".to_owned(),
    };
    let delta = delta(1, vec![FileChange { path: path("a"), change }]);
    let error = checked(&before, &delta, &texts).unwrap_err();
    assert!(matches!(error, DeltaError::Invalid { .. }), "{error:?}");
}

#[test]
fn files_and_projects_have_bounds() {
    let too_large = |error| matches!(error, DeltaError::TooLarge { .. });
    let (before, texts) = project(&[("a", "one\n")]);
    let long = "x".repeat(LONGEST_FILE + 1);
    assert!(too_large(checked(&before, &delta(1, vec![add("b", &long)]), &texts).unwrap_err()));
    let grown = delta(1, vec![modify("a", "one\n", &format!("one\n{long}"))]);
    assert!(too_large(checked(&before, &grown, &texts).unwrap_err()));
    let many: Vec<_> = (0..MOST_FILES).map(|n| add(&format!("f/{n}"), "")).collect();
    assert!(too_large(checked(&before, &delta(1, many.clone()), &texts).unwrap_err()));
    assert_eq!(checked(&before, &delta(0, many), &texts).unwrap().project.files.len(), MOST_FILES);
    let block = "y".repeat(LONGEST_FILE - 8);
    let large: Vec<_> =
        (0..=256).map(|n| add(&format!("f/{n}"), &format!("{n:8}{block}"))).collect();
    assert!(too_large(checked(&before, &delta(0, large), &texts).unwrap_err()));
}

#[test]
fn errors_do_not_quote_files() {
    let (before, texts) = project(&[("a", "password = hunter2\n")]);
    let delta = delta(1, vec![modify("a", "password = hunter3\n", "x\n")]);
    let error = checked(&before, &delta, &texts).unwrap_err();
    assert!(!error.to_string().contains("hunter"), "{error}");
}

type Directory = BTreeMap<String, String>;

/// Directories in which no file is another's directory.
fn directory() -> impl Strategy<Value = Directory> {
    let name = prop_oneof!["[abc]", "d/[abc]", "d/e/[ab]", "a-b"];
    let text = proptest::collection::vec("[xyz]{0,3}\n?", 0..6).prop_map(|lines| lines.concat());
    proptest::collection::btree_map(name, text, 0..8)
}

/// What a watcher says of the way from one directory to another.
fn between(old: &Directory, new: &Directory, whole: bool) -> Vec<FileChange> {
    let gone = old.iter().filter(|(path, _)| !new.contains_key(*path));
    let mut files: Vec<_> = gone.map(|(path, text)| delete(path, text)).collect();
    files.extend(new.iter().filter_map(|(path, text)| match old.get(path) {
        Some(was) if was == text => None,
        Some(was) if !whole => Some(modify(path, was, text)),
        Some(_) | None => Some(add(path, text)),
    }));
    files
}

fn same(project: &Project, directory: &Directory) -> bool {
    let wanted: Vec<_> = directory.iter().map(|(path, text)| (path.as_str(), hash(text))).collect();
    listed(project) == wanted
}

proptest! {
    #[test]
    fn the_copy_equals_the_directory_after_every_delta(
        steps in proptest::collection::vec((directory(), any::<bool>(), 0..4_u8), 1..8),
    ) {
        let (mut copy, mut texts) = project(&[]);
        let mut told = Directory::new();
        for (directory, whole, kind) in steps {
            let anew = kind == 0;
            let (base, from) =
                if anew { (0, Directory::new()) } else { (copy.version, told.clone()) };
            let files = between(&from, &directory, whole);
            let applied = checked(&copy, &delta(base, files), &texts).unwrap();
            texts.extend(applied.texts.clone());
            for path in &applied.put {
                prop_assert!(applied.texts.contains_key(&applied.project.files[path].hash));
            }
            copy = applied.project;
            told = directory;
            prop_assert!(same(&copy, &told));
            prop_assert_eq!(totals(&copy).files, told.len() as u64);
            let bytes: usize = told.values().map(String::len).sum();
            prop_assert_eq!(totals(&copy).bytes, bytes as u64);
        }
    }

    #[test]
    fn a_delta_made_from_another_directory_leads_to_the_right_one_or_nowhere(
        (here, there, new) in (directory(), directory(), directory()), whole: bool,
    ) {
        let files: Vec<_> = here.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let (copy, texts) = project(&files);
        if let Ok(applied) = checked(&copy, &delta(1, between(&there, &new, whole)), &texts) {
            // What it names is as it says; what it does not name is as it was.
            for file in between(&there, &new, whole) {
                let at = file.path.as_str();
                let now = applied.project.files.get(&file.path).map(|entry| entry.hash);
                prop_assert_eq!(now, new.get(at).map(|text| hash(text)));
            }
        }
        prop_assert!(same(&copy, &here));
    }
}
