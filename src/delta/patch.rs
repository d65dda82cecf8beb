//! Unified diffs of one file, made and applied. Applying is strict: every line that a diff names must
//! stand where it says, so that a wrong base is found and never guessed around.

use std::fmt::Write as _;
use std::time::Duration;

use similar::{Algorithm, ChangeTag, TextDiff};

/// Lines around a change.
const CONTEXT_LINES: usize = 3;
/// After this long a diff is cut short: it is still right, only longer than it could be.
const DEADLINE: Duration = Duration::from_millis(500);
const NO_NEWLINE: &str = "\\ No newline at end of file";

/// Why a diff does not fit a text. `line` counts the diff's lines from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    #[error("line {line} of the diff is neither a hunk's head nor one of its lines")]
    Malformed { line: usize },
    #[error("line {line} of the diff does not fit the server's copy")]
    Mismatch { line: usize },
}

/// The hunks that turn `old` into `new`, without a head naming files; empty if they are equal.
pub fn unified(old: &str, new: &str) -> String {
    let (old, new) = (lines(old), lines(new));
    let diff = diff(&old, &new);
    let mut out = String::new();
    for hunk in diff.unified_diff().context_radius(CONTEXT_LINES).iter_hunks() {
        let _ = writeln!(out, "{}", hunk.header());
        for change in hunk.iter_changes() {
            let _ = write!(out, "{}{}", change.tag(), change.value());
            // `similar` takes a carriage return at the end of a text for a line's end.
            if !change.value().ends_with('\n') {
                let _ = write!(out, "\n{NO_NEWLINE}\n");
            }
        }
    }
    out
}

/// How many lines were added and removed.
pub fn changed_lines(old: &str, new: &str) -> (usize, usize) {
    let (old, new) = (lines(old), lines(new));
    diff(&old, &new).iter_all_changes().fold((0, 0), |(added, removed), change| {
        match change.tag() {
            ChangeTag::Insert => (added + 1, removed),
            ChangeTag::Delete => (added, removed + 1),
            ChangeTag::Equal => (added, removed),
        }
    })
}

/// Only `\n` ends a line: a carriage return alone, which `similar` would take for an end too, is part
/// of its line.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn diff<'a>(old: &'a [&'a str], new: &'a [&'a str]) -> TextDiff<'a, 'a, str> {
    TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .timeout(DEADLINE)
        .newline_terminated(true)
        .diff_slices(old, new)
}

/// Applies a unified diff of one file; lines `---` and `+++` before the first hunk are skipped.
///
/// # Errors
/// [`PatchError`] for the first line of the diff that is not understood or does not fit.
pub fn apply(old: &str, diff: &str) -> Result<String, PatchError> {
    // A carriage return alone ends no line here; `similar` must see it the same way.
    let source: Vec<&str> = old.split_inclusive('\n').collect();
    let mut lines =
        diff.split_inclusive('\n').enumerate().map(|(n, line)| (n + 1, line)).peekable();
    while lines.next_if(|(_, line)| line.starts_with("--- ") || line.starts_with("+++ ")).is_some()
    {
    }
    let mut out = String::with_capacity(old.len() + diff.len());
    let mut at = 0;
    while let Some((line, head)) = lines.next() {
        let hunk = Hunk::parse(head).ok_or(PatchError::Malformed { line })?;
        let begin = hunk.begin();
        let kept = source.get(at..begin).ok_or(PatchError::Mismatch { line })?;
        out.extend(kept.iter().copied());
        at = begin;
        let (mut taken, mut given) = (0, 0);
        while taken < hunk.old_lines || given < hunk.new_lines {
            let (line, text) = lines.next().ok_or(PatchError::Malformed { line })?;
            let bare = lines.next_if(|(_, next)| next.trim_end() == NO_NEWLINE).is_some();
            let (sign, text) = split_sign(text).ok_or(PatchError::Malformed { line })?;
            let text = if bare { text.strip_suffix('\n').unwrap_or(text) } else { text };
            if sign != '+' {
                if source.get(at) != Some(&text) {
                    return Err(PatchError::Mismatch { line });
                }
                at += 1;
                taken += 1;
            }
            if sign != '-' {
                out.push_str(text);
                given += 1;
            }
        }
        if (taken, given) != (hunk.old_lines, hunk.new_lines) {
            return Err(PatchError::Malformed { line });
        }
    }
    out.extend(source.get(at..).unwrap_or_default().iter().copied());
    Ok(out)
}

fn split_sign(line: &str) -> Option<(char, &str)> {
    let sign = line.chars().next().filter(|sign| matches!(sign, ' ' | '+' | '-'))?;
    Some((sign, line.get(1..)?))
}

/// `@@ -begin,lines +begin,lines @@`.
struct Hunk {
    old_begin: usize,
    old_lines: usize,
    new_lines: usize,
}

impl Hunk {
    fn parse(head: &str) -> Option<Self> {
        let (ranges, _) = head.strip_prefix("@@ -")?.split_once(" @@")?;
        let (old, new) = ranges.split_once(" +")?;
        let (old_begin, old_lines) = range(old)?;
        let (_, new_lines) = range(new)?;
        Some(Self { old_begin, old_lines, new_lines })
    }

    /// Index of the first line that the hunk looks at. An empty range names the line before it.
    fn begin(&self) -> usize {
        if self.old_lines == 0 { self.old_begin } else { self.old_begin.saturating_sub(1) }
    }
}

fn range(text: &str) -> Option<(usize, usize)> {
    match text.split_once(',') {
        Some((begin, lines)) => Some((begin.parse().ok()?, lines.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    }
}
