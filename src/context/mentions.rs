//! What a text names: paths, and names of things in code. Whether the project has them is for others
//! to say.

use super::symbols::is_name;
use super::words::says_nothing;

/// Endings of file names that are looked for in a conversation, where most dots are others'.
const KINDS: &[&str] = &[
    "bash", "bat", "c", "cc", "cfg", "clj", "conf", "cpp", "cs", "css", "csv", "cts", "cxx",
    "dart", "env", "erl", "ex", "exs", "fs", "go", "gradle", "graphql", "groovy", "h", "hh", "hpp",
    "hs", "html", "ini", "ipynb", "java", "jl", "js", "json", "jsx", "kt", "kts", "less", "lock",
    "lua", "m", "md", "mdx", "mjs", "ml", "mm", "mts", "nix", "php", "pl", "proto", "ps1", "py",
    "pyi", "r", "rb", "rs", "rst", "sass", "scala", "scss", "sh", "sql", "svelte", "svg", "swift",
    "tex", "tf", "toml", "ts", "tsx", "txt", "vue", "xml", "yaml", "yml", "zig",
];

/// Ends a path where it stands in prose or code.
fn parts_paths(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || byte.is_ascii_control()
        || b"\"'`()[]{}<>,;|*=!?&%$:#\\".contains(&byte)
}

/// What looks like a path with a known kind of file, each time that it stands there.
pub(super) fn each_file_name<'a>(text: &'a str, mut emit: impl FnMut(&'a str)) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (dot, _) in text.match_indices('.') {
        // Most dots are others': the kind tells them soonest.
        let after = &bytes[dot + 1..];
        let kind = after.iter().take(9).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let end = dot + 1 + kind;
        if KINDS.binary_search(&&text[dot + 1..end]).is_err() || goes_on(&bytes[end..]) {
            continue;
        }
        let begin = bytes[done..dot].iter().rposition(|byte| parts_paths(*byte));
        let begin = begin.map_or(done, |at| done + at + 1);
        emit(trimmed(&text[begin..end]));
        done = end;
    }
}

/// Whether a name does not end here.
fn goes_on(rest: &[u8]) -> bool {
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/');
    match rest {
        [b'.', next, ..] => name(next),
        [next, ..] => name(next),
        [] => false,
    }
}

/// Everything in a text that could be a path, with or without a kind.
pub(super) fn each_token<'a>(text: &'a str, mut emit: impl FnMut(&'a str)) {
    let parts = |c: char| u8::try_from(c).is_ok_and(parts_paths);
    for token in text.split(parts).map(trimmed).filter(|token| token.len() > 2) {
        if !says_nothing(token) {
            emit(token);
        }
    }
}

fn trimmed(token: &str) -> &str {
    let token = token.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_');
    let token = token.trim_start_matches(|c: char| !c.is_alphanumeric() && !"_./~".contains(c));
    token.trim_start_matches("./")
}

/// Names of things in code: by their spelling, by `::` or `(` beside them, or by marks around them.
pub(super) fn each_symbol<'a>(text: &'a str, mut emit: impl FnMut(&'a str)) {
    let mut rest = text;
    let mut marked = false;
    while let Some(begin) = rest.find(is_name) {
        let (gap, from) = rest.split_at(begin);
        marked ^= gap.matches('`').count() % 2 == 1;
        let end = from.find(|c: char| !is_name(c)).unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        let in_code =
            marked || gap.ends_with("::") || after.starts_with("::") || after.starts_with('(');
        let long = name.len() > 2 && !name.starts_with(|c: char| c.is_numeric());
        if long && (in_code || spelt_as_code(name)) {
            emit(name);
        }
        rest = after;
    }
}

fn spelt_as_code(name: &str) -> bool {
    let inner = name.trim_matches('_');
    let snake = inner.contains('_');
    let camel = inner
        .as_bytes()
        .windows(2)
        .any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    snake || camel
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn found<'a>(each: impl Fn(&'a str, &mut dyn FnMut(&'a str)), text: &'a str) -> Vec<&'a str> {
        let mut found = Vec::new();
        each(text, &mut |name| found.push(name));
        found
    }

    #[rstest]
    #[case::prose("See src/a.rs, then (b.ts).", &["src/a.rs", "b.ts"])]
    #[case::line("at ./src/a.rs:12:3 and x.py#L4", &["src/a.rs", "x.py"])]
    #[case::mention("@src/a.rs: why?", &["src/a.rs"])]
    #[case::tag("<file path=\"/home/x/shop/src/cart.ts\">", &["/home/x/shop/src/cart.ts"])]
    #[case::others("self.index 3.14 e.g. a.b.c", &["a.b.c"])]
    #[case::sentence("Look at main.go. Then stop.", &["main.go"])]
    #[case::foreign("在 登录.py。", &["登录.py"])]
    fn file_names_are_found_where_they_stand(#[case] text: &str, #[case] names: &[&str]) {
        assert_eq!(found(|text, emit| each_file_name(text, emit), text), names);
    }

    #[rstest]
    #[case::snake("why does read_body fail", &["read_body"])]
    #[case::camel("rename useList to useRows", &["useList", "useRows"])]
    #[case::call("what calls apply() here", &["apply"])]
    #[case::marks("the `index` of it, not the index", &["index"])]
    #[case::path("Projects::get is slow", &["Projects", "get"])]
    #[case::prose("Fix the list please", &[])]
    fn names_of_code_are_told_from_prose(#[case] text: &str, #[case] names: &[&str]) {
        assert_eq!(found(|text, emit| each_symbol(text, emit), text), names);
    }

    #[test]
    fn the_kinds_are_sorted() {
        assert!(KINDS.is_sorted());
    }
}
