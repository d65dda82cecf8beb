//! Words of code and prose, each as a number: what an index keeps and a search asks for. It knows no
//! files and no weights.

/// A word within a [`Space`].
pub(super) type Term = u32;

/// Longer runs of letters are keys and encodings, not words.
const LONGEST: usize = 40;

/// What a term says of the file that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// A word of its text.
    Word = 1,
    /// A word of its path.
    PathWord = 2,
    /// It defines this symbol.
    Symbol = 3,
    /// Its path ends in this.
    Name = 4,
    /// Its path without the extension ends in this.
    Stem = 5,
    /// Its path without the extension is this.
    WholeStem = 6,
}

/// Upper and lower case are one.
pub(super) fn term(space: Space, word: &str) -> Term {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let start = 0xcbf2_9ce4_8422_2325 ^ space as u64;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    let hash = if word.is_ascii() {
        word.bytes().map(|byte| byte.to_ascii_lowercase()).fold(start, step)
    } else {
        word.chars().flat_map(char::to_lowercase).fold(start, |hash, c| {
            let mut buffer = [0; 4];
            c.encode_utf8(&mut buffer).bytes().fold(hash, step)
        })
    };
    u32::try_from(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap_or_default()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gap,
    Lower,
    Upper,
    Digit,
    /// Written without spaces between words: pairs of characters stand for words.
    Dense,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            'a'..='z' => Self::Lower,
            'A'..='Z' => Self::Upper,
            '0'..='9' => Self::Digit,
            '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => {
                Self::Dense
            }
            c if c.is_ascii() => Self::Gap,
            c if c.is_uppercase() => Self::Upper,
            c if c.is_numeric() => Self::Digit,
            c if c.is_alphabetic() => Self::Lower,
            _ => Self::Gap,
        }
    }
}

/// The words of a text in their order, as they stand there but for a plural's `s`: parted at case,
/// digits and whatever is no letter; of scripts without spaces every pair of characters.
pub(super) fn each_word<'a>(text: &'a str, mut emit: impl FnMut(&'a str)) {
    let mut before = Kind::Gap;
    let (mut start, mut previous) = (0, 0);
    let mut give = |from: usize, to: usize| {
        if let Some(word) = text.get(from..to).and_then(wordlike) {
            emit(word);
        }
    };
    for (at, c) in text.char_indices() {
        let kind = Kind::of(c);
        match (before, kind) {
            (Kind::Gap, _) => start = at,
            (Kind::Lower, Kind::Lower)
            | (Kind::Upper, Kind::Upper)
            | (Kind::Digit, Kind::Digit) => {}
            (Kind::Upper, Kind::Lower) => {
                if start < previous {
                    give(start, previous);
                    start = previous;
                }
            }
            (Kind::Dense, Kind::Dense) => give(previous, at + c.len_utf8()),
            (Kind::Dense, _) if start < previous => start = at,
            (_, _) => {
                give(start, at);
                start = at;
            }
        }
        before = kind;
        previous = at;
    }
    if before != Kind::Gap && (before != Kind::Dense || start == previous) {
        give(start, text.len());
    }
}

/// Single Latin letters say nothing.
fn wordlike(word: &str) -> Option<&str> {
    if word.len() < 2 || word.len() > LONGEST {
        return None;
    }
    let plural = word.len() > 3 && word.ends_with('s') && !word.ends_with("ss");
    Some(if plural { &word[..word.len() - 1] } else { word })
}

/// Words of a request that say nothing of files.
pub(super) fn says_nothing(word: &str) -> bool {
    const EMPTY: &[&str] = &[
        "about", "add", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be",
        "been", "but", "by", "can", "change", "code", "could", "das", "der", "die", "do", "does",
        "don", "ein", "eine", "file", "find", "fix", "for", "from", "get", "give", "had", "has",
        "have", "how", "ich", "if", "in", "into", "is", "ist", "it", "its", "just", "kein", "let",
        "ll", "look", "make", "me", "mit", "my", "need", "nicht", "no", "not", "now", "of", "on",
        "one", "only", "or", "our", "out", "please", "re", "see", "should", "so", "some", "still",
        "that", "the", "their", "them", "then", "there", "these", "they", "this", "to", "und",
        "up", "use", "ve", "want", "was", "we", "what", "when", "where", "which", "why", "will",
        "with", "work", "would", "you", "your",
    ];
    // Words come without the `s` of a plural.
    let means = |empty: &str| empty.eq_ignore_ascii_case(word);
    EMPTY.iter().any(|empty| means(empty) || empty.strip_suffix('s').is_some_and(means))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn all(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        each_word(text, |word| found.push(word));
        found
    }

    #[rstest]
    #[case::camel("parseHttpHeader", &["parse", "Http", "Header"])]
    #[case::acronym("HTTPServer getURL", &["HTTP", "Server", "get", "URL"])]
    #[case::snake("open_files max_len", &["open", "file", "max", "len"])]
    #[case::digits("sha256sum utf8", &["sha", "256", "sum", "utf"])]
    #[case::path("src/context/rank.rs", &["src", "context", "rank", "rs"])]
    #[case::letters("a b if", &["if"])]
    #[case::umlauts("größeÄndern", &["größe", "Ändern"])]
    #[case::cyrillic("Список файлов", &["Список", "файлов"])]
    #[case::chinese("修复登录x", &["修复", "复登", "登录"])]
    #[case::chinese_end("fix 登录", &["fix", "登录"])]
    #[case::one_character("値 = ab", &["値", "ab"])]
    #[case::class("class less lists", &["class", "less", "list"])]
    fn words_part_where_a_reader_parts_them(#[case] text: &str, #[case] words: &[&str]) {
        assert_eq!(all(text), words);
    }

    #[test]
    fn words_of_every_request_say_nothing() {
        for word in ["the", "This", "thi", "was", "does", "doe", "please"] {
            assert!(says_nothing(word), "{word}");
        }
        assert!(!says_nothing("budget"));
    }

    #[test]
    fn case_makes_no_other_term_and_spaces_do() {
        assert_eq!(term(Space::Word, "Größe"), term(Space::Word, "grÖße"));
        assert_eq!(term(Space::Word, "Rank"), term(Space::Word, "rank"));
        assert_ne!(term(Space::Word, "rank"), term(Space::Symbol, "rank"));
    }

    proptest! {
        #[test]
        fn every_word_stands_in_the_text(text in "\\PC{0,60}") {
            for word in all(&text) {
                prop_assert!(text.contains(word) && word.len() <= LONGEST);
            }
        }
    }
}
