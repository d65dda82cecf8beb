//! Secrets that are known by their look: tokens with a prefix of their issuer, blocks of private keys.

/// A token that begins with its issuer's prefix.
struct Shape {
    prefix: &'static str,
    /// Which bytes may follow the prefix.
    body: fn(u8) -> bool,
    /// Fewest of them.
    least: usize,
    name: &'static str,
    /// A prefix that may be the end of a word is none inside one.
    apart: bool,
}

const fn shape(
    prefix: &'static str,
    body: fn(u8) -> bool,
    least: usize,
    name: &'static str,
) -> Shape {
    Shape { prefix, body, least, name, apart: false }
}

/// As [`shape`], for prefixes that also end words.
const fn word(
    prefix: &'static str,
    body: fn(u8) -> bool,
    least: usize,
    name: &'static str,
) -> Shape {
    Shape { prefix, body, least, name, apart: true }
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn capital(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

fn dotted(byte: u8) -> bool {
    url_safe(byte) || byte == b'.'
}

const SHAPES: &[Shape] = &[
    shape("AKIA", capital, 16, "an AWS access key"),
    shape("ASIA", capital, 16, "an AWS access key"),
    shape("ghp_", plain, 30, "a GitHub token"),
    shape("gho_", plain, 30, "a GitHub token"),
    shape("ghu_", plain, 30, "a GitHub token"),
    shape("ghs_", plain, 30, "a GitHub token"),
    shape("ghr_", plain, 30, "a GitHub token"),
    shape("github_pat_", url_safe, 22, "a GitHub token"),
    shape("glpat-", url_safe, 20, "a GitLab token"),
    shape("gldt-", url_safe, 20, "a GitLab token"),
    shape("glrt-", url_safe, 20, "a GitLab token"),
    shape("glptt-", url_safe, 20, "a GitLab token"),
    shape("glsoat-", url_safe, 20, "a GitLab token"),
    shape("xoxb-", url_safe, 10, "a Slack token"),
    shape("xoxp-", url_safe, 10, "a Slack token"),
    shape("xoxa-", url_safe, 10, "a Slack token"),
    shape("xoxr-", url_safe, 10, "a Slack token"),
    shape("xoxs-", url_safe, 10, "a Slack token"),
    shape("xoxe.xox", dotted, 10, "a Slack token"),
    shape("xapp-", url_safe, 10, "a Slack token"),
    shape("hooks.slack.com/services/T", plain, 6, "a Slack webhook"),
    shape("AIza", url_safe, 35, "a Google API key"),
    shape("GOCSPX-", url_safe, 20, "a Google client secret"),
    shape("ya29.", url_safe, 20, "a Google access token"),
    word("sk-ant-", url_safe, 10, "an Anthropic key"),
    word("sk-proj-", url_safe, 10, "an OpenAI key"),
    word("sk_live_", plain, 16, "a Stripe key"),
    word("sk_test_", plain, 16, "a Stripe key"),
    word("rk_live_", plain, 16, "a Stripe key"),
    word("rk_test_", plain, 16, "a Stripe key"),
    word("whsec_", plain, 16, "a Stripe webhook secret"),
    word("npm_", plain, 30, "an npm token"),
    shape("pypi-AgE", url_safe, 40, "a PyPI token"),
    word("hf_", plain, 30, "a Hugging Face token"),
    word("gsk_", plain, 40, "a Groq key"),
    word("xai-", plain, 40, "an xAI key"),
    word("pplx-", plain, 40, "a Perplexity key"),
    word("dapi", plain, 32, "a Databricks token"),
    shape("dop_v1_", plain, 32, "a DigitalOcean token"),
    shape("dckr_pat_", url_safe, 20, "a Docker token"),
    shape("shpat_", plain, 30, "a Shopify token"),
    shape("lin_api_", plain, 30, "a Linear key"),
    word("hvs.", url_safe, 24, "a Vault token"),
    word("SG.", dotted, 50, "a SendGrid key"),
    shape("AccountKey=", base64, 40, "an Azure storage key"),
    shape("AGE-SECRET-KEY-1", plain, 40, "an age key"),
    shape("PuTTY-User-Key-File-", plain, 1, "a private key"),
];

/// Bytes that one of the shapes begins with.
const FIRST: [bool; 256] = {
    let mut first = [false; 256];
    let mut at = 0;
    while at < SHAPES.len() {
        first[SHAPES[at].prefix.as_bytes()[0] as usize] = true;
        at += 1;
    }
    first[b's' as usize] = true;
    first[b'e' as usize] = true;
    first[b'-' as usize] = true;
    first
};

/// The first secret of a known look.
pub(super) fn find(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| FIRST[usize::from(**byte)])
        .find_map(|(at, byte)| at_place(bytes, at, *byte))
}

fn at_place(bytes: &[u8], at: usize, first: u8) -> Option<&'static str> {
    let rest = bytes.get(at..)?;
    let known = SHAPES.iter().find(|shape| {
        shape.prefix.as_bytes().first() == Some(&first)
            && rest.strip_prefix(shape.prefix.as_bytes()).is_some_and(|body| {
                is_real(shape, body) && (!shape.apart || begins_word(bytes, at))
            })
    });
    if let Some(shape) = known {
        return Some(shape.name);
    }
    match first {
        b's' if begins_word(bytes, at) && is_model_key(rest) => Some("an API key"),
        b'e' if is_web_token(rest) => Some("a JSON web token"),
        b'-' if is_private_key(rest) => Some("a private key"),
        _ => None,
    }
}

fn run(bytes: &[u8], allowed: fn(u8) -> bool) -> &[u8] {
    let end = bytes.iter().position(|byte| !allowed(*byte)).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}

/// A body that repeats one sign stands for a token and is none.
fn is_real(shape: &Shape, body: &[u8]) -> bool {
    let body = run(body, shape.body);
    body.len() >= shape.least && (shape.least < 10 || !is_blank(body))
}

fn is_blank(body: &[u8]) -> bool {
    body.iter().all(|byte| matches!(byte, b'x' | b'X' | b'0' | b'-' | b'_' | b'.'))
}

/// Not inside a word; `\n` in a quoted text is no letter.
fn begins_word(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).and_then(|at| bytes.get(at)) else { return true };
    if !before.is_ascii_alphanumeric() && *before != b'_' && *before != b'-' {
        return true;
    }
    let escaped = at.checked_sub(2).and_then(|at| bytes.get(at)) == Some(&b'\\');
    escaped && matches!(before, b'n' | b't' | b'r')
}

/// `sk-` begins the keys of many; it also begins names in style sheets, which are words.
fn is_model_key(rest: &[u8]) -> bool {
    let Some(body) = rest.strip_prefix(b"sk-") else { return false };
    let body = run(body, url_safe);
    let letters = run(body, plain).len() >= 20;
    body.len() >= 20
        && !is_blank(body)
        && (letters || body.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()))
}

/// Head, claims and signature, the first two of them JSON objects in base64.
fn is_web_token(rest: &[u8]) -> bool {
    let mut parts = run(rest, dotted).split(|byte| *byte == b'.');
    let mut long = |prefix: &[u8]| {
        parts.next().is_some_and(|part| part.starts_with(prefix) && part.len() >= 10)
    };
    long(b"eyJ") && long(b"eyJ") && long(b"")
}

/// The head of a private key with something of the key behind it.
fn is_private_key(rest: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let Some(title) = rest.strip_prefix(BEGIN) else { return false };
    let name =
        run(title, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ');
    if !name.windows(11).any(|part| part == b"PRIVATE KEY") {
        return false;
    }
    let behind = title.get(name.len()..).unwrap_or_default();
    let behind = behind.get(..behind.len().min(1_000)).unwrap_or_default();
    behind.split(|byte| !base64(*byte)).any(|part| part.len() >= 16)
}
