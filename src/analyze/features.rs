//! What the rules of `heuristic` see of a text: how often each group of words occurs in its prose,
//! and its shape. Pasted code and traces are told apart from prose, so that their length and their
//! words do not count as the human's. Linear, no allocation beyond one lower-case copy of the head.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::lexicon::GROUPS;

/// Prose beyond this is not looked at, in bytes.
const READ: usize = 4_000;
const GROUPS_COUNT: usize = GROUPS.len();
const SHAPES: usize = 20;
/// The first groups name work whose difficulty lies in the reasoning.
const HARD_GROUPS: usize = 6;
/// Word groups counted, word groups seen at all, then the shape.
pub(super) const FEATURES: usize = 2 * GROUPS_COUNT + SHAPES;

pub(super) type Features = [f32; FEATURES];

struct Index {
    /// Whole words and beginnings of words by their first two bytes.
    words: HashMap<[u8; 2], Vec<Entry>>,
    /// Phrases for any text and those that need a script without spaces.
    phrases: Vec<(&'static str, usize)>,
    wide: Vec<(&'static str, usize)>,
}

struct Entry {
    text: &'static str,
    whole: bool,
    group: usize,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { words: HashMap::new(), phrases: Vec::new(), wide: Vec::new() };
    for (group, words) in GROUPS.iter().enumerate() {
        for word in words.words {
            index.add(word, group);
        }
    }
    index
});

impl Index {
    fn add(&mut self, word: &'static str, group: usize) {
        let anywhere = word.starts_with('~') || word.contains(' ');
        let text = word.trim_start_matches('~').trim_end_matches('$');
        if !anywhere {
            if let &[a, b, ..] = text.as_bytes() {
                let entry = Entry { text, whole: word.ends_with('$'), group };
                self.words.entry([a, b]).or_default().push(entry);
            }
        } else if text.chars().any(is_wide) {
            self.wide.push((text, group));
        } else {
            self.phrases.push((text, group));
        }
    }
}

/// Scripts that are written without spaces between words.
fn is_wide(c: char) -> bool {
    c as u32 >= 0x2E80
}

#[expect(clippy::cast_precision_loss, reason = "counts of a short text are far below 2^24")]
fn number(count: usize) -> f32 {
    count as f32
}

fn log(count: f32) -> f32 {
    (1.0 + count).ln()
}

fn flag(yes: bool) -> f32 {
    if yes { 1.0 } else { 0.0 }
}

/// The features of one text.
pub(super) fn features(text: &str) -> Features {
    let (prose, bullets, code) = prose(text);
    let prose = prose.to_lowercase().replace('’', "'");
    let wide = prose.chars().filter(|c| is_wide(*c)).count();
    let mut counts = [0usize; GROUPS_COUNT];
    let words = count_words(&prose, &mut counts);
    count_phrases(&prose, wide > 0, &mut counts);
    let mut all = [0.0; FEATURES];
    let (groups, shapes) = all.split_at_mut(2 * GROUPS_COUNT);
    for (group, count) in counts.iter().enumerate() {
        if let [Some(times), Some(seen)] = groups
            .get_disjoint_mut([group, GROUPS_COUNT + group])
            .map_or([None, None], |[a, b]| [Some(a), Some(b)])
        {
            *times = number((*count).min(3));
            *seen = flag(*count > 0);
        }
    }
    let length = number(words) + number(wide) / 2.0;
    let hard = counts.iter().take(HARD_GROUPS).filter(|count| **count > 0).count();
    shapes.copy_from_slice(&shape(&prose, length, [bullets, code, wide, hard]));
    all
}

fn shape(prose: &str, length: f32, [bullets, code, wide, hard]: [usize; 4]) -> [f32; SHAPES] {
    let (mut commas, mut asks, mut sentences, mut numbers) = (0, 0, 0, 0);
    let mut before = ' ';
    for c in prose.chars() {
        match c {
            ',' | '，' | '、' | ';' | '；' | ':' | '：' => commas += 1,
            '?' | '？' => asks += 1,
            _ => {}
        }
        sentences += usize::from(
            matches!(c, '。' | '？' | '！')
                || (c.is_whitespace() && matches!(before, '.' | '!' | '?')),
        );
        numbers += usize::from(c.is_ascii_digit() && !before.is_ascii_digit());
        before = c;
    }
    let ends_asking = prose.trim_end().ends_with(['?', '？']);
    let scale = log(length);
    [
        scale,
        scale * scale / 4.0,
        flag(length <= 3.0),
        flag(length <= 8.0 && hard == 0),
        flag(length >= 60.0),
        log(number(commas)),
        log(number(numbers)),
        log(number(bullets)),
        number(asks.min(3)),
        flag(asks > 0),
        log(number(sentences)),
        log(number(code)),
        flag(code > 0),
        flag(code > 30),
        flag(wide > 0),
        log(number(commas)) / (1.0 + scale),
        flag(ends_asking),
        // Shortness says that work is small only where nothing hard is named.
        if hard == 0 { 0.0 } else { (4.0 - scale).max(0.0) },
        number(hard),
        flag(hard > 1),
    ]
}

/// Counts the groups of each word; answers how many words there are.
fn count_words(prose: &str, counts: &mut [usize; GROUPS_COUNT]) -> usize {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '_' | '.' | '-');
    let words = prose
        .split(|c: char| !inside(c))
        .map(|word| word.trim_matches(['\'', '_', '.', '-']))
        .filter(|word| !word.is_empty());
    let mut found = 0;
    for word in words {
        found += 1;
        let &[a, b, ..] = word.as_bytes() else { continue };
        let mut hit = 0u64;
        for entry in INDEX.words.get(&[a, b]).into_iter().flatten() {
            let same = if entry.whole { word == entry.text } else { word.starts_with(entry.text) };
            hit |= u64::from(same) << entry.group;
        }
        for (group, count) in counts.iter_mut().enumerate() {
            *count += usize::from(hit >> group & 1 == 1);
        }
    }
    found
}

fn count_phrases(prose: &str, wide: bool, counts: &mut [usize; GROUPS_COUNT]) {
    let none = Vec::new();
    let more = if wide { &INDEX.wide } else { &none };
    for (phrase, group) in INDEX.phrases.iter().chain(more) {
        if let Some(count) = counts.get_mut(*group)
            && prose.contains(phrase)
        {
            *count += 1;
        }
    }
}

/// The prose of a text, how many of its lines are list items, and how many lines are code. A text
/// that is all code is read as prose: it is all there is.
fn prose(text: &str) -> (String, usize, usize) {
    let (mut prose, mut bullets, mut code) = (String::new(), 0, 0);
    let mut fenced = false;
    for line in text.lines() {
        let bare = line.trim();
        if bare.starts_with("```") {
            fenced = !fenced;
            code += 1;
        } else if fenced || is_code(line, bare) {
            code += 1;
        } else if prose.len() + line.len() <= READ {
            bullets += usize::from(is_item(bare));
            prose.push_str(line);
            prose.push('\n');
        } else if prose.len() < READ {
            prose.push_str(line.get(..line.floor_char_boundary(READ - prose.len())).unwrap_or(""));
            prose.push('\n');
        }
    }
    if prose.trim().is_empty() {
        prose = text.get(..text.floor_char_boundary(READ / 10)).unwrap_or("").to_owned();
    }
    (prose, bullets, code)
}

fn is_item(bare: &str) -> bool {
    let digits = bare.trim_start_matches(|c: char| c.is_ascii_digit());
    bare.starts_with("- ")
        || bare.starts_with("* ")
        || bare.starts_with("• ")
        || (digits.len() < bare.len() && (digits.starts_with(". ") || digits.starts_with(") ")))
}

const CODE_HEADS: &[&str] = &[
    "at ",
    "File \"",
    "def ",
    "class ",
    "import ",
    "from ",
    "func ",
    "fn ",
    "const ",
    "let ",
    "var ",
    "return ",
    "#include",
    "public ",
    "private ",
    "SELECT ",
    "Traceback",
    "<",
    "$ ",
    "//",
    "--- ",
    "+++ ",
    "@@",
    "}",
    ")",
];

fn is_code(line: &str, bare: &str) -> bool {
    let indent = line.len() - line.trim_start().len();
    let indented = indent >= 2 && !is_item(bare) && !bare.starts_with(['-', '*']);
    !bare.is_empty()
        && (indented
            || bare.ends_with([';', '{', '}'])
            || CODE_HEADS.iter().any(|head| bare.starts_with(head)))
}
