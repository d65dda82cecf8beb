//! Can these words be judged alone? "continue", "still wrong", "2", "same for refunds" have the
//! tier of what they follow; "thanks" and a request in full have their own. Decides from the words
//! and from whether the assistant had just asked.

mod words;

use words::{
    ADDING, ASSENT, COMPLAINTS, GOING_ON, LIKEWISE, PRAISE, PROFORMS, RELEASES, RESUMING, THANKS,
    UNSPACED,
};

/// What the assistant said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Question,
    Statement,
}

/// Longer texts say what they want, in words and bytes.
const MOST_WORDS: usize = 20;
const MOST_BYTES: usize = 240;

/// Whether `text` takes its difficulty from what came before.
pub(super) fn leans_on_what_came_before(text: &str, before: Before) -> bool {
    let text = text.trim();
    if text.len() > MOST_BYTES || text.contains("```") {
        return false;
    }
    let lower = text.to_lowercase().replace('’', "'");
    let words: Vec<&str> = lower
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        // A bare "?" or "..." asks on; a bare emoji closes.
        return text.chars().any(|c| matches!(c, '?' | '？' | '…')) || text.starts_with("..");
    }
    if words.len() > MOST_WORDS {
        return false;
    }
    if let Some(answer) = bare_answer(&words, before) {
        return answer;
    }
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| holds_phrase(&lower, phrase));
    if unspaced(&lower) || has(GOING_ON) || resumes(&words) {
        return true;
    }
    (words.len() <= 12 && has(COMPLAINTS)) || (words.len() <= 10 && has(LIKEWISE)) || adds(&words)
}

/// Decides texts that hold nothing but thanks, praise and assent.
fn bare_answer(words: &[&str], before: Before) -> Option<bool> {
    let is = |word: &str, list: &[&str]| list.contains(&word);
    let numeric = |word: &str| word.len() <= 2 && word.chars().all(|c| c.is_ascii_digit());
    let known =
        |word: &&str| is(word, THANKS) || is(word, PRAISE) || is(word, ASSENT) || numeric(word);
    if words.len() > 8 || !words.iter().all(known) {
        return None;
    }
    if words.iter().any(|word| is(word, THANKS)) {
        let releases = before == Before::Question && words.iter().any(|word| is(word, RELEASES));
        return Some(releases);
    }
    let releases = words.iter().any(|word| is(word, RELEASES) || numeric(word));
    Some(releases || before == Before::Question)
}

fn resumes(words: &[&str]) -> bool {
    let first = words.iter().find(|word| !PRAISE.contains(word) && !ASSENT.contains(word));
    let leads = first.is_some_and(|word| RESUMING.contains(word));
    if words.len() <= 4 {
        words.iter().any(|word| RESUMING.contains(word))
    } else {
        leads && words.len() <= 8
    }
}

/// "and PID-5?", "now one that rejects pointers", "what about refunds".
fn adds(words: &[&str]) -> bool {
    let Some(first) = words.first() else { return false };
    if !ADDING.contains(first) {
        return words.last().is_some_and(|last| *last == "too" && words.len() <= 8);
    }
    let asks = matches!(*first, "what" | "how");
    if asks {
        return words.len() <= 6 && words.get(1) == Some(&"about");
    }
    words.len() <= 3
        || (words.len() <= 7 && words.iter().skip(1).take(3).any(|word| PROFORMS.contains(word)))
}

fn unspaced(lower: &str) -> bool {
    lower.chars().count() <= 16 && UNSPACED.iter().any(|phrase| lower.contains(phrase))
}

/// Whether `phrase` stands in `text` as whole words; scripts without spaces match anywhere.
fn holds_phrase(text: &str, phrase: &str) -> bool {
    let edge = |c: Option<char>| {
        c.is_none_or(|c| !c.is_alphabetic() || !c.is_ascii() && c as u32 >= 0x2E80)
    };
    text.match_indices(phrase).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let after = text.get(at + phrase.len()..).and_then(|tail| tail.chars().next());
        let free = phrase.chars().next().is_some_and(|c| c as u32 >= 0x2E80);
        free || (edge(before) && edge(after))
    })
}

#[cfg(test)]
mod tests;
