//! Secrets that are known by the name they are given: `password = "…"` with a value that looks drawn,
//! and passwords inside addresses.

/// Words of a name whose value is a secret.
const NAMES: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "access-key",
    "privatekey",
    "private_key",
    "authkey",
    "auth_key",
    "credential",
    "pwd",
];
/// Words of a name whose value is none after all.
const HARMLESS_NAMES: [&str; 7] =
    ["hash", "digest", "public", "tokenizer", "token_count", "placeholder", "checksum"];
/// Parts of a value that stand for a secret and are none.
const STAND_INS: [&str; 14] = [
    "example",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "your",
    "xxxx",
    "dummy",
    "redacted",
    "${",
    "{{",
    "$(",
    "****",
    "...",
];
/// How far before its value a name is looked for, in bytes.
const NAME_REACH: usize = 96;
const SHORTEST: usize = 8;
const LONGEST: usize = 256;
/// Fewest bits for each character of a value that was drawn, from this length on.
const DRAWN: (f64, usize) = (2.75, 12);

/// Whether values stand in quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    Always,
    /// Files of settings: `password: value`.
    Sometimes,
}

impl Quoting {
    pub(super) fn of(extension: &str) -> Self {
        match extension {
            "yaml" | "yml" | "ini" | "cfg" | "conf" | "properties" | "toml" | "env" | "sh"
            | "bash" | "zsh" | "fish" | "ps1" | "service" | "container" => Self::Sometimes,
            _ => Self::Always,
        }
    }
}

/// The first name of a secret with a value that looks like one.
pub(super) fn find(text: &str, quoting: Quoting) -> Option<&'static str> {
    text.lines().any(|line| holds(line, quoting)).then_some("a password or token")
}

fn holds(line: &str, quoting: Quoting) -> bool {
    line.bytes().enumerate().any(|(at, byte)| {
        if !matches!(byte, b'=' | b':' | b'(') {
            return false;
        }
        let Some(rest) = line.get(at + 1..) else { return false };
        let quoting = if byte == b'(' { Quoting::Always } else { quoting };
        value(rest, quoting).is_some_and(is_drawn) && line.get(..at).is_some_and(names_secret)
    })
}

/// What stands behind the sign: in quotes, or up to a space where values may stand bare.
fn value(rest: &str, quoting: Quoting) -> Option<&str> {
    let rest = rest.trim_start_matches(['=', '>', ' ', '\t']);
    let rest = rest.strip_prefix("Some(").unwrap_or(rest);
    let rest = rest.strip_prefix(['b', 'r', 'f', 'u']).filter(|rest| quoted(rest)).unwrap_or(rest);
    let mark = rest.chars().next()?;
    if quoted(rest) {
        let inside = rest.get(1..)?;
        return inside.find(mark).and_then(|end| inside.get(..end));
    }
    let end = rest.find([' ', '\t', ',', ';', '#']).unwrap_or(rest.len());
    (quoting == Quoting::Sometimes).then(|| rest.get(..end)).flatten()
}

fn quoted(rest: &str) -> bool {
    rest.starts_with(['"', '\'', '`'])
}

/// Whether the name before the sign is that of a secret.
fn names_secret(before: &str) -> bool {
    let mut from = before.len().saturating_sub(NAME_REACH);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let before = before.get(from..).unwrap_or(before);
    let name = before.rsplit([',', ';', '{', '(']).next().unwrap_or(before);
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|word| name.contains(word))
        && !HARMLESS_NAMES.iter().any(|word| name.contains(word))
}

/// Whether a value looks like one that was drawn, not written.
fn is_drawn(value: &str) -> bool {
    if !(SHORTEST..=LONGEST).contains(&value.len())
        || !value.bytes().all(|byte| byte.is_ascii_graphic())
        || value.starts_with(['$', '%', '/', '@', '{', '<', '&', '*'])
        || value.starts_with("./")
        || value.contains("://")
    {
        return false;
    }
    let small = value.to_ascii_lowercase();
    if STAND_INS.iter().any(|part| small.contains(part)) || is_words(value) {
        return false;
    }
    let has = |kind: fn(&u8) -> bool| value.as_bytes().iter().any(kind);
    let kinds: [fn(&u8) -> bool; 4] = [
        u8::is_ascii_lowercase,
        u8::is_ascii_uppercase,
        u8::is_ascii_digit,
        u8::is_ascii_punctuation,
    ];
    let mixed = kinds.into_iter().filter(|kind| has(*kind)).count() >= 3;
    has(u8::is_ascii_alphabetic)
        && has(u8::is_ascii_digit)
        && (mixed || (value.len() >= DRAWN.1 && bits_per_sign(value) >= DRAWN.0))
}

/// Words and short numbers with signs between them, as in a name, a path or a call.
fn is_words(value: &str) -> bool {
    value.split(|c: char| !c.is_ascii_alphanumeric()).all(|part| {
        part.bytes().all(|byte| byte.is_ascii_alphabetic())
            || (part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

#[expect(clippy::cast_precision_loss, reason = "lengths of a few hundred")]
fn bits_per_sign(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    value.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let all = value.len() as f64;
    counts
        .into_iter()
        .filter(|count| *count > 0)
        .map(|count| f64::from(count) / all)
        .map(|share| -share * share.log2())
        .sum()
}

/// The password of an address such as `postgres://user:password@host`.
pub(super) fn in_url(text: &str) -> Option<&'static str> {
    text.match_indices("://")
        .any(|(at, sign)| {
            let rest = text.get(at + sign.len()..).unwrap_or_default();
            let end = rest
                .find(|c: char| {
                    c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '`' | '<' | '>')
                })
                .unwrap_or(rest.len());
            rest.get(..end)
                .and_then(|authority| authority.rsplit_once('@'))
                .and_then(|(user, _)| user.split_once(':'))
                .is_some_and(|(_, password)| is_drawn(password))
        })
        .then_some("a password in an address")
}
