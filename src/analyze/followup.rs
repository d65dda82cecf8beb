//! Can these words be judged alone? "continue", "still wrong", "2", "same for refunds" have the
//! tier of what they follow; "thanks" asks for nothing, a request in full has its own tier. Decides
//! from the words and from whether the assistant had just asked.

mod words;

use words::{
    ADDING, ASKING, ASSENT, COMPLAINTS, DOING, DOING_IT, FILLS, GOING_ON, LIKEWISE, POLITE, PRAISE,
    PROFORMS, RELEASES, RESUMING, STARTING, THANKS, UNSPACED,
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
/// An answer to a question that is no longer than this says nothing without the question, in words,
/// or in signs of a script without spaces.
const SHORT_ANSWER: usize = 3;
const SHORT_UNSPACED: usize = 8;

/// What a text is to the talk that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearing {
    /// A request of its own.
    Alone,
    /// It takes its difficulty from what came before.
    Leans,
    /// It leans, and says that what was done is not right.
    Complains,
    /// Nothing but thanks, praise or assent that ask for nothing.
    Closes,
}

/// Reads one text of the human by its words and by what the assistant said before it.
pub(super) fn bearing(text: &str, before: Before) -> Bearing {
    let text = text.trim();
    if text.is_empty() || text.len() > MOST_BYTES || text.contains("```") {
        return Bearing::Alone;
    }
    let lower = text.to_lowercase().replace('’', "'");
    let words: Vec<&str> = lower
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return wordless(text, before);
    }
    if words.len() > MOST_WORDS {
        return Bearing::Alone;
    }
    if let Some(bearing) = bare_answer(&lower, &words, before) {
        return bearing;
    }
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| holds_phrase(&lower, phrase));
    if words.len() <= 12 && has(COMPLAINTS) {
        return Bearing::Complains;
    }
    let leans = unspaced(&lower)
        || has(GOING_ON)
        || (words.len() <= 9 && has(STARTING))
        || only_points(&words)
        || resumes(&words)
        || (words.len() <= 10 && has(LIKEWISE))
        || adds(&words)
        || (before == Before::Question && is_short_answer(&lower, &words));
    if leans { Bearing::Leans } else { Bearing::Alone }
}

/// A bare "?" or "..." asks on; a bare emoji agrees, which closes unless it was asked for.
fn wordless(text: &str, before: Before) -> Bearing {
    let asks = text.chars().any(|c| matches!(c, '?' | '？' | '…')) || text.starts_with("..");
    if asks || before == Before::Question {
        Bearing::Leans
    } else if text.is_ascii() {
        Bearing::Alone
    } else {
        Bearing::Closes
    }
}

/// "postgres", "in src/lib", "the smaller one": names a choice and asks nothing.
fn is_short_answer(lower: &str, words: &[&str]) -> bool {
    let wide = lower.chars().any(|c| c as u32 >= 0x2E80);
    let short =
        if wide { lower.chars().count() <= SHORT_UNSPACED } else { words.len() <= SHORT_ANSWER };
    short && !lower.contains(['?', '？', '؟'])
}

/// Decides texts that hold nothing but thanks, praise and assent.
fn bare_answer(lower: &str, words: &[&str], before: Before) -> Option<Bearing> {
    let is = |word: &str, list: &[&str]| list.contains(&word);
    let numeric = |word: &str| word.len() <= 2 && word.chars().all(|c| c.is_ascii_digit());
    let known =
        |word: &&str| is(word, THANKS) || is(word, PRAISE) || is(word, ASSENT) || numeric(word);
    if words.len() > 8 || !words.iter().all(known) {
        return None;
    }
    let releases = words.iter().any(|word| is(word, RELEASES));
    let thanks = words.iter().any(|word| is(word, THANKS));
    let leans = match before {
        Before::Question => releases || !thanks,
        Before::Statement => !thanks && (releases || words.iter().any(|word| numeric(word))),
    };
    // "is this right?"
    let asks = lower.contains(['?', '？', '؟']) || words.first() == Some(&"is");
    Some(if leans || asks {
        Bearing::Leans
    } else if thanks
        || (words.iter().all(|word| is(word, PRAISE)) && !words.iter().all(|word| is(word, FILLS)))
    {
        Bearing::Closes
    } else {
        Bearing::Alone
    })
}

/// "can you fix it please", "fais-le", "why?": what to do or to tell stands before.
fn only_points(words: &[&str]) -> bool {
    let any = |list: &[&str]| words.iter().any(|word| list.contains(word));
    let known =
        |word: &&str| [DOING, PROFORMS, POLITE, DOING_IT].iter().any(|list| list.contains(word));
    match words {
        [only] => DOING_IT.contains(only) || ASKING.contains(only),
        _ => {
            words.len() <= 6
                && words.iter().all(known)
                && ((any(DOING) && any(PROFORMS)) || any(DOING_IT))
        }
    }
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
