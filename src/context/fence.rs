//! How content is written into a block so that it stays content.
//!
//! A block is `<context_delta …>`, lines, `</context_delta>`. Between the two a line begins with
//! `--- ` (the header of one file), with `@@` (where the lines below stand, or a remark of the
//! router's), or with a diff sign: a space (as it stands in the file), `+` or `-`. Every line of a
//! file is written behind a sign, so it is neither a header nor a closing line. What could still be
//! read as one is changed so that it shows, and the header then says `escaped`:
//!
//! - in `<context_delta` and `</context_delta`, however spaced, a backslash stands behind the `<`;
//! - a line that would look like the head of a file together with its sign (`--- x`, `+++ x`) has a
//!   backslash behind the sign;
//! - what already has such backslashes gets one more, so that taking one away gives the file's line;
//! - control characters are written as their pictures (`␛`, `␍`), line separators as `␤`.
//!
//! Only the carriage return before a line's end is left out; the header then says `CRLF`.

use std::fmt::Write as _;

/// The name of the block's element.
const NAME: &str = "context_delta";
pub(super) const CLOSING: &str = "</context_delta>";

/// The sign of a line: what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Same,
    Added,
    Removed,
}

impl Sign {
    fn as_char(self) -> char {
        match self {
            Self::Same => ' ',
            Self::Added => '+',
            Self::Removed => '-',
        }
    }
}

/// What was changed of some lines to keep them content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Altered {
    pub(super) escaped: bool,
    pub(super) crlf: bool,
}

/// The first line of a block.
pub(super) fn opening(project: &str, version: u64, changed: usize, total: usize) -> String {
    let name: String = project
        .chars()
        .map(|c| if c.is_control() || "\"<>&".contains(c) { '_' } else { c })
        .collect();
    format!(
        "<{NAME} project=\"{name}\" version=\"{version}\" files_changed=\"{changed}\" files_total=\"{total}\">\n"
    )
}

/// The version that an opening line names.
pub(super) fn version(block: &str) -> Option<u64> {
    let line = block.lines().next()?.strip_prefix('<')?.strip_prefix(NAME)?;
    let (_, rest) = line.split_once("\" version=\"")?;
    rest.split_once('"')?.0.parse().ok()
}

/// One line of a file; `line` may have its line end.
pub(super) fn content(out: &mut String, sign: Sign, line: &str) -> Altered {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let bare = line.strip_suffix('\r').unwrap_or(line);
    out.push(sign.as_char());
    let mut escaped = false;
    if poses_as_head(sign, bare) {
        out.push('\\');
        escaped = true;
    }
    escaped |= inline(out, bare);
    out.push('\n');
    Altered { escaped, crlf: bare.len() < line.len() }
}

/// Whether the line, behind its sign and without backslashes, looks like the head of a file.
fn poses_as_head(sign: Sign, line: &str) -> bool {
    let double = match sign {
        Sign::Same => return false,
        Sign::Added => "++",
        Sign::Removed => "--",
    };
    let rest = line.trim_start_matches('\\').strip_prefix(double);
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace() || c.is_control()))
}

/// A text inside a line: a path, or content behind its sign. True if it had to be changed.
pub(super) fn inline(out: &mut String, text: &str) -> bool {
    let plain = |c: char| c == '\t' || !(c.is_control() || ends_a_line(c));
    if !text.contains('<') && text.chars().all(plain) {
        out.push_str(text);
        return false;
    }
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '<' if is_fence(&text[at + 1..]) => {
                out.push_str("<\\");
                escaped = true;
            }
            c if plain(c) => out.push(c),
            c => {
                out.push(picture(c));
                escaped = true;
            }
        }
    }
    escaped
}

/// U+0085, U+2028 and U+2029 end a line for some readers.
fn ends_a_line(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn picture(c: char) -> char {
    match c {
        '\u{7f}' => '\u{2421}',
        c if ends_a_line(c) => '\u{2424}',
        c => char::from_u32(0x2400 + u32::from(c)).filter(|_| c < ' ').unwrap_or('\u{fffd}'),
    }
}

/// Whether what stands behind a `<` makes a fence of it.
fn is_fence(rest: &str) -> bool {
    let filler = |c: char| c == '\\' || c == '/' || c.is_whitespace() || c.is_control();
    let name = rest.trim_start_matches(filler).as_bytes();
    name.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME.as_bytes()))
}

/// The header of a file. `what` tells of it in a few words.
pub(super) fn header(path: &str, what: &str, altered: Altered) -> String {
    let mut name = String::with_capacity(path.len());
    let escaped = inline(&mut name, path);
    let mut line = format!("--- {name} ({what}");
    if altered.crlf {
        line.push_str(", CRLF");
    }
    if altered.escaped || escaped {
        line.push_str(", escaped");
    }
    line.push_str(")\n");
    line
}

/// A remark of the router's on a line of its own.
pub(super) fn remark(text: &str) -> String {
    let mut line = String::from("@@ ");
    inline(&mut line, text);
    line.push_str(" @@\n");
    line
}

/// Names in one line, `most` of them, and how many more there are.
pub(super) fn names<'a>(names: impl ExactSizeIterator<Item = &'a str>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let mut line = String::new();
    for (n, name) in names.take(most).enumerate() {
        line.push_str(if n == 0 { "" } else { ", " });
        line.push_str(name);
    }
    if more > 0 {
        let _ = write!(line, " and {more} more");
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn line(sign: Sign, text: &str) -> String {
        let mut out = String::new();
        content(&mut out, sign, text);
        out
    }

    #[rstest]
    #[case::plain(Sign::Same, "let a = 1;\n", " let a = 1;\n")]
    #[case::closing(Sign::Same, "</context_delta>", " <\\/context_delta>\n")]
    #[case::opening(Sign::Added, "x <context_delta a>", "+x <\\context_delta a>\n")]
    #[case::spaced(Sign::Added, "< / Context_Delta >", "+<\\ / Context_Delta >\n")]
    #[case::escaped_already(Sign::Same, "<\\/context_delta>", " <\\\\/context_delta>\n")]
    #[case::sql_comment(Sign::Removed, "-- src/b.rs", "-\\-- src/b.rs\n")]
    #[case::backslash(Sign::Removed, "\\-- src/b.rs", "-\\\\-- src/b.rs\n")]
    #[case::plus(Sign::Added, "++ b", "+\\++ b\n")]
    #[case::decrement(Sign::Removed, "--count;", "---count;\n")]
    #[case::windows(Sign::Same, "a\r\n", " a\n")]
    #[case::return_within(Sign::Same, "a\r--- b\n", " a\u{240d}--- b\n")]
    #[case::escape(Sign::Same, "\u{1b}[31m", " \u{241b}[31m\n")]
    #[case::separator(Sign::Same, "a\u{2028}--- b", " a\u{2424}--- b\n")]
    #[case::tab(Sign::Same, "\tx", " \tx\n")]
    fn a_line_of_content_stays_content(#[case] sign: Sign, #[case] text: &str, #[case] out: &str) {
        assert_eq!(line(sign, text), out);
    }

    #[test]
    fn the_version_is_read_back_whatever_the_project_is_called() {
        let block = opening("a\" version=\"9\" \n<b>", 4, 2, 12);
        assert_eq!(version(&block), Some(4));
        assert_eq!(block.lines().count(), 1);
        assert_eq!(version("hello"), None);
    }

    proptest! {
        #[test]
        fn no_line_leaves_its_place(text in "[-+<\\\\/ a\r\u{2028}]{0,12}(context_delta|-- b)?[ >]{0,2}") {
            for sign in [Sign::Same, Sign::Added, Sign::Removed] {
                let out = line(sign, &text);
                prop_assert_eq!(out.matches('\n').count(), 1);
                prop_assert!(!out.starts_with("--- ") && !out.starts_with("+++ "));
                prop_assert!(out.starts_with(sign.as_char()));
                let close: String = out.chars().filter(|c| !c.is_whitespace()).collect();
                prop_assert!(!close.contains("<context_delta") && !close.contains("</context_delta"));
            }
        }
    }
}
