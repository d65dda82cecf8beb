use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::context::sample::{Sample, path};
use crate::context::{Signals, rank};

const CART: &str = "use crate::money::Usd;

pub struct Cart {
    rows: Vec<Row>,
}

impl Cart {
    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub fn total(&self) -> Usd {
        self.rows.iter().map(|row| row.price).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
";

/// About four bytes a token; not additive, as real counting is not.
fn count(text: &str) -> u32 {
    u32::try_from(text.split_whitespace().map(|word| word.len().div_ceil(4)).sum::<usize>())
        .unwrap()
}

struct Talk {
    sample: Sample,
    shown: BTreeMap<ProjectPath, Shown>,
    told: Option<u64>,
    budget: u32,
}

impl Talk {
    fn new<N: AsRef<str>, T: AsRef<str>>(files: impl IntoIterator<Item = (N, T)>) -> Self {
        Self { sample: Sample::new(files), shown: BTreeMap::new(), told: None, budget: 2000 }
    }

    fn shop() -> Self {
        Self::new([
            ("src/cart.rs", CART),
            ("src/net.rs", "fn fetch() {}\n"),
            ("README.md", "A shop.\n"),
        ])
    }

    /// Asks with only those texts at hand that were called for.
    fn look(&self, instruction: &str) -> Option<Composed> {
        let ranked = rank(&self.sample.project, &Signals { instruction, conversation: &[] });
        let needed = needed(&self.sample.project, &ranked, &self.shown, self.budget);
        let texts =
            needed.iter().filter_map(|hash| Some((*hash, self.sample.texts.get(hash)?.clone())));
        compose(&Wanted {
            project: &self.sample.project,
            ranked: &ranked,
            shown: &self.shown,
            told: self.told,
            texts: &texts.collect(),
            budget_tokens: self.budget,
            count: &count,
            instruction,
        })
    }

    /// Asks, and remembers what was said.
    fn ask(&mut self, instruction: &str) -> Option<Composed> {
        let composed = self.look(instruction)?;
        self.told = fence::version(&composed.text);
        for (path, seen) in &composed.shown {
            learn(&mut self.shown, path, *seen);
        }
        Some(composed)
    }

    fn text(&mut self, instruction: &str) -> String {
        self.ask(instruction).map_or_else(String::new, |composed| composed.text)
    }
}

fn headers(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("--- ")).collect()
}

#[test]
fn the_first_block_is_an_overview_and_the_files_that_matter() {
    let composed = Talk::shop().ask("add a method to src/cart.rs").unwrap();
    let lines: Vec<&str> = composed.text.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "<context_delta project=\"shop\" version=\"1\" files_changed=\"1\" files_total=\"3\">",
            "@@ overview of the project: 3 files, about 86 tokens; below, files and changes as they are now @@",
            " ./ (1 file): README.md",
            " src/ (2 files): cart.rs, net.rs",
            "--- src/cart.rs (whole, 19 lines)",
            " use crate::money::Usd;",
        ]
    );
    assert_eq!(lines.last(), Some(&"</context_delta>"));
    assert_eq!(composed.files, [path("src/cart.rs")]);
    assert_eq!((composed.tokens, composed.cut), (count(&composed.text), 0));
    let hash = Some(ContentHash::of(CART.as_bytes()));
    assert_eq!(
        composed.shown,
        BTreeMap::from([(path("src/cart.rs"), Shown { hash, whole: true })])
    );
}

#[test]
fn nothing_is_said_twice() {
    let mut talk = Talk::shop();
    assert!(talk.ask("look at src/cart.rs").is_some());
    assert_eq!(talk.ask("look at src/cart.rs"), None);
    assert_eq!(talk.ask("go on"), None);
}

#[test]
fn what_a_file_imports_does_not_trickle_in_turn_by_turn() {
    let names: Vec<String> = (0..9).map(|n| format!("src/part_{n}.rs")).collect();
    let all: String = (0..9).map(|n| format!("use crate::part_{n}::Thing;\n")).collect();
    let texts = names.iter().map(|name| (name.as_str(), "pub struct Thing;\n"));
    let mut talk = Talk::new(texts.chain([("src/lib.rs", all.as_str())]));
    let first = talk.ask("explain src/lib.rs").unwrap();
    assert_eq!((first.files.len(), first.files[0].as_str()), (3, "src/lib.rs"));
    assert_eq!(talk.ask("explain src/lib.rs"), None);
}

#[test]
fn later_only_the_net_change_is_told() {
    let mut talk = Talk::shop();
    talk.ask("look at src/cart.rs");
    let edited = CART.replace("push(row)", "insert(0, row)");
    talk.sample.set([("src/cart.rs", "half done")]);
    talk.sample.set([("src/cart.rs", &edited)]);
    assert_eq!(
        talk.text("go on"),
        "<context_delta project=\"shop\" version=\"3\" files_changed=\"1\" files_total=\"3\">\n\
         --- src/cart.rs (modified, +1 -1)\n\
         @@ -6,7 +6,7 @@\n \n impl Cart {\n     pub fn add(&mut self, row: Row) {\n\
         -        self.rows.push(row);\n\
         +        self.rows.insert(0, row);\n     }\n \n     pub fn total(&self) -> Usd {\n\
         </context_delta>"
    );
    talk.sample.set([("src/cart.rs", CART)]);
    assert!(talk.text("go on").contains("--- src/cart.rs (modified, +1 -1)"));
    assert_eq!(talk.ask("go on"), None);
}

#[test]
fn what_changed_and_changed_back_is_not_told() {
    let mut talk = Talk::shop();
    talk.ask("look at src/cart.rs");
    talk.sample.set([("src/cart.rs", "other")]);
    talk.sample.set([("src/cart.rs", CART)]);
    assert_eq!(talk.ask("go on"), None);
}

#[test]
fn a_file_that_comes_to_matter_is_told_whole() {
    let mut talk = Talk::shop();
    talk.ask("look at src/cart.rs");
    assert_eq!(headers(&talk.text("and now src/net.rs")), ["--- src/net.rs (whole, 1 lines)"]);
}

#[test]
fn deletions_and_renames_are_named() {
    let mut talk = Talk::shop();
    talk.ask("look at src/cart.rs and src/net.rs");
    talk.sample.remove("src/net.rs");
    talk.sample.remove("src/cart.rs");
    talk.sample.set([("src/basket.rs", CART)]);
    let text = talk.text("go on");
    assert_eq!(
        headers(&text),
        ["--- src/basket.rs (renamed from src/cart.rs, unchanged)", "--- src/net.rs (deleted)"]
    );
    assert_eq!(talk.ask("look at src/basket.rs"), None);
    talk.sample.set([("src/net.rs", "fn again() {}\n")]);
    assert_eq!(headers(&talk.text("src/net.rs?")), ["--- src/net.rs (whole, 1 lines)"]);
}

#[test]
fn without_a_base_or_with_a_long_diff_the_text_is_told() {
    let mut talk = Talk::shop();
    talk.ask("look at src/cart.rs");
    let rewritten = "fn nothing_is_as_it_was() {}\n".repeat(12);
    talk.sample.set([("src/cart.rs", &rewritten)]);
    assert_eq!(
        headers(&talk.look("go on").unwrap().text),
        ["--- src/cart.rs (modified, whole, 12 lines)"]
    );
    talk.sample.set([("src/cart.rs", &CART.replace("push", "insert"))]);
    talk.sample.texts.remove(&ContentHash::of(CART.as_bytes()));
    assert_eq!(headers(&talk.text("go on")), ["--- src/cart.rs (modified, whole, 19 lines)"]);
}

#[test]
fn what_the_client_sent_itself_is_not_told_and_its_change_is() {
    let mut talk = Talk::shop();
    let hash = Some(ContentHash::of(CART.as_bytes()));
    talk.shown.insert(path("src/cart.rs"), Shown { hash, whole: true });
    assert_eq!(headers(&talk.look("fix src/cart.rs").unwrap().text), [""; 0]);
    talk.sample.set([("src/cart.rs", &CART.replace("push", "insert"))]);
    assert_eq!(headers(&talk.text("fix src/cart.rs")), ["--- src/cart.rs (modified, +1 -1)"]);
}

#[test]
fn a_file_seen_in_part_is_told_once_it_is_asked_for() {
    let mut talk = Talk::shop();
    let hash = Some(ContentHash::of(CART.as_bytes()));
    talk.shown.insert(path("src/cart.rs"), Shown { hash, whole: false });
    talk.told = Some(1);
    assert_eq!(talk.look("go on"), None);
    assert_eq!(headers(&talk.text("fix src/cart.rs")), ["--- src/cart.rs (whole, 19 lines)"]);
    assert_eq!(talk.ask("fix src/cart.rs"), None);
}

#[test]
fn a_long_file_is_told_in_the_parts_that_matter() {
    let functions: Vec<String> = (0..400)
        .map(|n| {
            format!(
                "/// Does {n}.\nfn step_{n}(x: u32) -> u32 {{\n    let y = x + {n};\n    y\n}}\n\n"
            )
        })
        .collect();
    let mut talk = Talk::new([("src/long.rs", functions.concat().as_str())]);
    let composed = talk.ask("why does step_150 in src/long.rs overflow").unwrap();
    let text = &composed.text;
    assert!(text.contains("@@ lines 901-905 of 2400 @@\n /// Does 150.\n fn step_150("), "{text}");
    assert!(headers(text)[0].starts_with("--- src/long.rs (in part, lines "), "{text}");
    assert!(!composed.shown[&path("src/long.rs")].whole);
    assert!(composed.tokens <= talk.budget);
    assert_eq!(talk.ask("why does step_150 in src/long.rs overflow"), None);
}

#[test]
fn a_formatters_storm_is_one_line() {
    let names: Vec<String> = (0..40).map(|n| format!("src/f{n}.rs")).collect();
    let text = |n: usize, space: &str| {
        (0..30).map(|line| format!("let value_{n}_{line}{space}= {line};\n")).collect::<String>()
    };
    let texts: Vec<(String, String)> = (0..40).map(|n| (text(n, " "), text(n, "  "))).collect();
    let files = |new: bool| {
        let text = texts.iter().map(move |(old, after)| if new { after } else { old });
        names.iter().map(String::as_str).zip(text.map(String::as_str)).collect::<Vec<_>>()
    };
    let mut talk = Talk::new(files(false));
    for (path, file) in &talk.sample.project.files {
        talk.shown.insert(path.clone(), Shown { hash: Some(file.hash), whole: true });
    }
    talk.told = Some(1);
    let small: Vec<String> = texts.iter().map(|(old, _)| old.replacen(" =", "  =", 3)).collect();
    talk.sample.set(names.iter().map(String::as_str).zip(small.iter().map(String::as_str)));
    let composed = talk.ask("what about src/f7.rs").unwrap();
    assert_eq!(headers(&composed.text), ["--- src/f7.rs (modified, +3 -3)"]);
    let line = composed.text.lines().rev().nth(1).unwrap();
    assert!(
        line.starts_with("@@ 39 more files changed a little, +117 -117, only spacing; "),
        "{line}"
    );
    assert!(composed.text.contains("files_changed=\"40\""));
    assert_eq!(talk.ask("go on"), None);
    talk.sample.set(files(true));
    assert!(talk.ask("go on").is_some_and(|composed| composed.tokens <= talk.budget));
}

#[test]
fn what_does_not_fit_is_named_and_changes_come_before_news() {
    let text = |n: usize| format!("let value_{n} = compute(some, thing);\n").repeat(60);
    let names: Vec<String> = (0..6).map(|n| format!("src/f{n}.rs")).collect();
    let texts: Vec<String> = (0..6).map(text).collect();
    let mut talk =
        Talk::new(names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())));
    talk.ask("see src/f0.rs");
    talk.sample.set([("src/f0.rs", format!("{}one more line\n", texts[0]).as_str())]);
    let composed = talk.ask(&names.join(" ")).unwrap();
    let headers = headers(&composed.text);
    assert!(headers[0].starts_with("--- src/f0.rs (modified, +1"), "{headers:?}");
    assert_eq!(headers.len() + composed.cut, 6);
    assert!(composed.cut > 0);
    let last = composed.text.lines().rev().nth(1).unwrap();
    assert!(last.starts_with("@@ cut for length: also of interest: src/f"), "{last}");
}

#[test]
fn a_change_that_does_not_fit_is_said_to_be_one() {
    let text = |word: &str| {
        (0..200).map(|n| format!("{word} number {n} of many lines\n")).collect::<String>()
    };
    let mut talk = Talk::new([("a.txt", text("old").as_str()), ("b.txt", "x\n")]);
    let hash = talk.sample.project.files[&path("a.txt")].hash;
    talk.shown.insert(path("a.txt"), Shown { hash: Some(hash), whole: true });
    (talk.told, talk.budget) = (Some(1), 120);
    talk.sample.set([("a.txt", text("new").as_str())]);
    let composed = talk.ask("go on").unwrap();
    assert!(composed.text.contains("@@ cut for length: also changed since you saw them: a.txt @@"));
    assert_eq!((composed.cut, composed.files.len()), (1, 0));
    assert_eq!(talk.ask("go on"), None);
}

#[test]
fn a_project_of_many_directories_is_told_in_few_lines() {
    let names: Vec<String> =
        (0..3000).map(|n| format!("part{}/sub{}/deep/f{n}.rs", n % 20, n % 300)).collect();
    let mut talk = Talk::new(names.iter().map(|name| (name.as_str(), "x")));
    let text = talk.text("hello");
    assert!(text.lines().count() < 45 && text.contains(" part7/ (150 files)"), "{text}");
    assert!(count(&text) <= talk.budget / 7);
}

#[test]
fn an_overview_knows_files_that_came_and_went() {
    let mut talk = Talk::shop();
    assert!(talk.look("hello").unwrap().text.contains(" src/ (2 files): cart.rs, net.rs\n"));
    talk.sample.set([("src/new.rs", "x"), ("src/net.rs", "y")]);
    assert!(
        talk.look("hello").unwrap().text.contains(" src/ (3 files): cart.rs, net.rs, new.rs\n")
    );
    talk.sample.remove("src/cart.rs");
    assert!(talk.look("hello").unwrap().text.contains(" src/ (2 files): net.rs, new.rs\n"));
}

#[rstest]
#[case(&[], None)]
#[case(&[("shop", 3), ("shop", 5), ("other", 9)], Some(5))]
fn the_newest_block_of_the_project_tells_the_version(
    #[case] blocks: &[(&str, u64)],
    #[case] told_of: Option<u64>,
) {
    let blocks: Vec<Block> = blocks
        .iter()
        .map(|(project, version)| Block {
            message: [0; 16],
            occurrence: 0,
            text: fence::opening(project, *version, 1, 2).into(),
            tokens: 9,
            project: (*project).into(),
            shown: BTreeMap::new(),
        })
        .collect();
    assert_eq!(told(&blocks, "shop"), told_of);
}

#[test]
fn seeing_a_part_again_does_not_undo_seeing_the_whole() {
    let [old, new] = ["old", "new"].map(|text| Some(ContentHash::of(text.as_bytes())));
    let mut known = BTreeMap::new();
    let file = path("a.rs");
    for (seen, then) in [
        (Shown { hash: old, whole: true }, Shown { hash: old, whole: true }),
        (Shown { hash: old, whole: false }, Shown { hash: old, whole: true }),
        (Shown { hash: new, whole: false }, Shown { hash: new, whole: false }),
        (Shown { hash: new, whole: true }, Shown { hash: new, whole: true }),
        (Shown { hash: None, whole: true }, Shown { hash: None, whole: true }),
    ] {
        learn(&mut known, &file, seen);
        assert_eq!(known[&file], then);
    }
}

fn nasty() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[a-z ]{0,20}",
        "(-- |\\+\\+ |--- |@@ |\\\\)?src/[ab].rs \\((whole|deleted)\\)",
        "[ \t]{0,2}</?[ /\\\\]{0,2}(context_delta|CONTEXT_DELTA)[ >a-z]{0,9}",
        "\\PC{0,12}",
        "[\\x00-\\x1f\u{85}\u{2028}a-]{0,6}",
    ];
    (
        proptest::collection::vec(line, 0..14),
        prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        "[a-]{0,3}",
    )
        .prop_map(|(lines, end, last)| lines.join(end) + &last)
}

fn nasty_path() -> impl Strategy<Value = ProjectPath> {
    prop_oneof![
        "[a-c]{1,2}\\.rs",
        "</context_delta>",
        "--- x \\(deleted\\)",
        "<context_delta[ >]x",
        " ?[^\\\\/\\pC]{1,9}"
    ]
    .prop_filter_map("a path", |text| {
        ProjectPath::parse(&format!("d{text}")).or(ProjectPath::parse(&text)).ok()
    })
}

/// As strict as a reader could be: line ends of every kind, and spaces before the fence.
fn check(composed: &Composed, budget: u32) -> Result<(), TestCaseError> {
    let every_end = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
    let lines: Vec<&str> = composed.text.split(every_end).collect();
    let squeezed = |line: &str| {
        line.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase()
    };
    let opening = lines.iter().filter(|line| squeezed(line).contains("<context_delta")).count();
    let closing = lines.iter().filter(|line| squeezed(line).contains("</context_delta")).count();
    prop_assert_eq!((opening, closing), (1, 1), "{}", composed.text);
    prop_assert!(
        lines[0].starts_with("<context_delta ") && composed.text.ends_with("\n</context_delta>")
    );
    let headers = lines.iter().filter(|line| line.starts_with("--- ")).count();
    prop_assert_eq!(headers, composed.files.len(), "{}", composed.text);
    for line in &lines[1..lines.len() - 1] {
        let known = ["--- ", "@@ ", " ", "+", "-"].iter().any(|begin| line.starts_with(begin));
        prop_assert!(known, "{:?}", line);
    }
    prop_assert!(composed.tokens <= budget && composed.tokens == count(&composed.text));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_files_hold_the_block_has_one_fence_a_header_a_file_and_keeps_its_budget(
        files in proptest::collection::btree_map(nasty_path(), (nasty(), nasty()), 1..7),
        budget in prop_oneof![20..200_u32, Just(3000)],
        removed in any::<bool>(),
    ) {
        let prefix = |path: &ProjectPath| files.keys().any(|other| other.as_str().starts_with(&format!("{path}/")));
        let files: Vec<_> = files.iter().filter(|(path, _)| !prefix(path)).collect();
        let mut talk = Talk::new(files.iter().map(|(path, texts)| (path.as_str(), texts.0.as_str())));
        talk.budget = budget;
        let asked: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        let asked = asked.join(" ");
        if let Some(composed) = talk.ask(&asked) {
            check(&composed, budget)?;
        }
        for (path, file) in &talk.sample.project.files {
            talk.shown.entry(path.clone()).or_insert(Shown { hash: Some(file.hash), whole: true });
        }
        if removed {
            talk.sample.remove(files[0].0.as_str());
        }
        talk.sample.set(files.iter().skip(1).map(|(path, texts)| (path.as_str(), texts.1.as_str())));
        talk.told = Some(1);
        for _ in 0..4 {
            if let Some(composed) = talk.ask("go on") {
                check(&composed, budget)?;
            }
        }
        if budget == 3000 {
            // With room for everything the conversation knows the project as it is.
            for (path, seen) in &talk.shown {
                prop_assert_eq!(seen.hash, talk.sample.project.files.get(path).map(|file| file.hash));
            }
        }
    }
}
