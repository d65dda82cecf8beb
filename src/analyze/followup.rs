//! Can these words be judged alone? "continue", "still wrong", "2", "same for refunds" have the
//! tier of what they follow; "thanks" and a request in full have their own. Decides from the words
//! and from whether the assistant had just asked; the lists are data, in the languages people type.

/// What the assistant said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Question,
    Statement,
}

/// Longer texts say what they want, in words and bytes.
const MOST_WORDS: usize = 20;
const MOST_BYTES: usize = 240;

/// They end the talk.
const THANKS: &[&str] = &[
    "thanks",
    "thank",
    "thx",
    "ty",
    "tysm",
    "cheers",
    "bye",
    "danke",
    "dankeschön",
    "merci",
    "gracias",
    "dzięki",
    "dzieki",
    "dziękuję",
    "obrigado",
    "obrigada",
    "valeu",
    "grazie",
    "спасибо",
    "дякую",
    "dank",
    "bedankt",
    "tack",
    "takk",
    "tak!",
    "kiitos",
    "díky",
    "děkuji",
    "teşekkürler",
    "谢谢",
    "多谢",
    "謝謝",
    "ありがとう",
    "ありがとうございます",
    "감사합니다",
    "고마워",
    "köszi",
    "mersi",
    "mulțumesc",
];

/// They please or agree, and release work only as an answer to a question.
const PRAISE: &[&str] = &[
    "ok",
    "okay",
    "k",
    "okey",
    "oki",
    "perfect",
    "great",
    "nice",
    "awesome",
    "cool",
    "super",
    "good",
    "fine",
    "clear",
    "sounds",
    "makes",
    "sense",
    "lgtm",
    "alright",
    "right",
    "got",
    "it",
    "understood",
    "ah",
    "oh",
    "aha",
    "i",
    "see",
    "top",
    "prima",
    "klasse",
    "passt",
    "gut",
    "alles",
    "klar",
    "verstanden",
    "parfait",
    "génial",
    "bien",
    "d'accord",
    "perfecto",
    "vale",
    "genial",
    "bueno",
    "claro",
    "świetnie",
    "super!",
    "jasne",
    "rozumiem",
    "dobrze",
    "отлично",
    "понял",
    "ясно",
    "хорошо",
    "ок",
    "ótimo",
    "perfeito",
    "beleza",
    "perfetto",
    "bene",
    "va",
    "très",
    "muy",
    "muito",
    "goed",
    "mooi",
    "bra",
    "好的",
    "好",
    "明白了",
    "完美",
    "了解",
    "わかりました",
    "좋아",
    "works",
    "working",
    "now",
    "very",
    "that's",
    "this",
    "is",
    "looks",
    "well",
    "done",
    "all",
    "excellent",
    "wonderful",
    "amazing",
    "love",
    "yay",
    "haha",
    "lol",
];

/// They release work whatever came before.
const ASSENT: &[&str] = &[
    "yes",
    "y",
    "yep",
    "yeah",
    "yup",
    "sure",
    "please",
    "do",
    "it",
    "go",
    "ahead",
    "for",
    "ja",
    "jup",
    "jawohl",
    "bitte",
    "mach",
    "oui",
    "vas-y",
    "sí",
    "si",
    "dale",
    "hazlo",
    "sim",
    "faça",
    "pode",
    "tak",
    "zrób",
    "to",
    "да",
    "давай",
    "сделай",
    "так",
    "sì",
    "procedi",
    "doe",
    "maar",
    "both",
    "all",
    "either",
    "everything",
    "beide",
    "alle",
    "alles",
    "todos",
    "ambos",
    "wszystkie",
    "все",
    "first",
    "second",
    "third",
    "the",
    "one",
    "option",
    "latter",
    "former",
    "a",
    "b",
    "c",
    "d",
    "是",
    "是的",
    "可以",
    "要",
    "行",
    "全部",
    "はい",
    "お願いします",
    "네",
    "응",
    "of",
    "them",
    "proceed",
    "approved",
    "agreed",
    "confirm",
    "confirmed",
    "accept",
];
/// Of [`ASSENT`] and [`PRAISE`], those that carry the meaning; the others only fill.
const RELEASES: &[&str] = &[
    "yes",
    "y",
    "yep",
    "yeah",
    "yup",
    "sure",
    "do",
    "go",
    "ja",
    "jup",
    "jawohl",
    "mach",
    "oui",
    "vas-y",
    "sí",
    "si",
    "dale",
    "hazlo",
    "sim",
    "faça",
    "pode",
    "tak",
    "zrób",
    "да",
    "давай",
    "сделай",
    "так",
    "sì",
    "procedi",
    "doe",
    "both",
    "all",
    "either",
    "everything",
    "beide",
    "alle",
    "todos",
    "ambos",
    "wszystkie",
    "все",
    "first",
    "second",
    "third",
    "option",
    "latter",
    "former",
    "a",
    "b",
    "c",
    "d",
    "是",
    "是的",
    "可以",
    "要",
    "行",
    "全部",
    "はい",
    "お願いします",
    "네",
    "응",
    "proceed",
    "approved",
    "agreed",
    "confirm",
    "confirmed",
    "accept",
    "please",
];

/// As the first word, or in a text of at most four: the work goes on.
const RESUMING: &[&str] = &[
    "continue",
    "proceed",
    "resume",
    "next",
    "finish",
    "weiter",
    "weitermachen",
    "fortfahren",
    "continúa",
    "continua",
    "continuar",
    "continue!",
    "sigue",
    "seguir",
    "continuez",
    "poursuis",
    "poursuivez",
    "kontynuuj",
    "dalej",
    "продолжай",
    "продолжи",
    "дальше",
    "продолжить",
    "prosegui",
    "continui",
    "verder",
    "fortsätt",
    "fortsett",
    "devam",
    "pokračuj",
    "continuă",
    "tiếp",
    "продовжуй",
    "retry",
    "more",
    "mehr",
    "más",
    "więcej",
];

/// Anywhere in a short text: the work goes on.
const GOING_ON: &[&str] = &[
    "go on",
    "carry on",
    "keep going",
    "keep on",
    "go ahead",
    "the rest",
    "finish it",
    "finish up",
    "next one",
    "next step",
    "next part",
    "pick up where",
    "where you left",
    "where we left",
    "back again",
    "mach weiter",
    "den rest",
    "der rest",
    "ok weiter",
    "und weiter",
    "le reste",
    "el resto",
    "resto",
    "resztę",
    "остальное",
    "o resto",
    "il resto",
    "de rest",
    "try again",
    "once more",
    "again please",
    "one more for",
    "start with",
    "do the next",
    "keep at it",
];

/// Anywhere in a short text: what was done is not right yet.
const COMPLAINTS: &[&str] = &[
    "still",
    "again",
    "doesn't work",
    "does not work",
    "doesnt work",
    "not working",
    "didn't work",
    "didnt work",
    "don't work",
    "won't work",
    "no luck",
    "not fixed",
    "not right",
    "that's wrong",
    "thats wrong",
    "wrong again",
    "same error",
    "same problem",
    "same issue",
    "same result",
    "fails",
    "failing",
    "broken",
    "nothing happens",
    "nothing changed",
    "immer noch",
    "geht nicht",
    "funktioniert nicht",
    "klappt nicht",
    "wieder nicht",
    "gleiche fehler",
    "gleicher fehler",
    "noch immer",
    "no funciona",
    "sigue sin",
    "todavía",
    "mismo error",
    "ne marche pas",
    "ne fonctionne pas",
    "toujours",
    "même erreur",
    "nadal",
    "wciąż",
    "nie działa",
    "ten sam błąd",
    "dalej nie",
    "не работает",
    "всё ещё",
    "все еще",
    "по-прежнему",
    "та же ошибка",
    "não funciona",
    "ainda",
    "mesmo erro",
    "continua dando",
    "non funziona",
    "ancora",
    "stesso errore",
    "werkt niet",
    "nog steeds",
    "funkar inte",
    "fortfarande",
    "nefunguje",
    "hâlâ",
    "çalışmıyor",
    "不行",
    "还是",
    "仍然",
    "没用",
    "不对",
    "報錯",
    "报错",
    "まだ",
    "動かない",
    "動きません",
    "直らない",
    "여전히",
    "안 돼",
    "안돼",
];

/// Anywhere in a short text: the same work elsewhere.
const LIKEWISE: &[&str] = &[
    "same",
    "likewise",
    "as well",
    "ditto",
    "similarly",
    "dasselbe",
    "das gleiche",
    "genauso",
    "ebenso",
    "auch für",
    "lo mismo",
    "igual para",
    "pareil",
    "la même chose",
    "même chose",
    "to samo",
    "tak samo",
    "то же",
    "аналогично",
    "o mesmo",
    "mesma coisa",
    "lo stesso",
    "stessa cosa",
    "hetzelfde",
    "samma sak",
    "totéž",
    "aynısını",
    "同样",
    "一样",
    "同じ",
    "똑같이",
];

/// As the first word of a few: an addition to what came before.
const ADDING: &[&str] = &[
    "and",
    "also",
    "now",
    "then",
    "but",
    "or",
    "und",
    "auch",
    "jetzt",
    "y",
    "también",
    "ahora",
    "et",
    "aussi",
    "i",
    "też",
    "teraz",
    "и",
    "также",
    "теперь",
    "e",
    "também",
    "agora",
    "anche",
    "en",
    "ook",
    "nu",
    "och",
    "what",
    "how",
];
/// Words that stand for something said before.
const PROFORMS: &[&str] = &[
    "one", "ones", "it", "that", "this", "them", "those", "these", "das", "es", "eins", "eine",
    "ça", "cela", "eso", "esto", "to", "isso", "это", "about",
];

/// Without spaces between words: the phrases that make a short text lean.
const UNSPACED: &[&str] = &[
    "继续",
    "繼續",
    "接着",
    "下一步",
    "下一个",
    "然后呢",
    "剩下",
    "続けて",
    "続き",
    "次へ",
    "次",
    "残り",
    "계속",
    "다음",
    "나머지",
    "还是",
    "不行",
    "仍然",
    "没用",
    "不对",
    "报错",
    "まだ",
    "動かない",
    "여전히",
    "同样",
    "一样",
    "同じ",
    "똑같이",
    "再试",
    "再来",
];

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
