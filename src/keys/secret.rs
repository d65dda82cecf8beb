//! The secret of a key: how it is made, what it looks like, and what is kept of it.

use rand::TryRngCore;
use rand::rngs::OsRng;
use secrecy::SecretString;

/// Before every key, so that it is known as one of ours wherever it turns up.
const MARK: &str = "er-";
const BYTES: usize = 32;
/// 32 bytes, six bits a character.
const CHARACTERS: usize = 43;
/// Characters of the secret that are shown in lists.
const SHOWN: usize = 6;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What is kept of a secret.
pub type Digest = blake3::Hash;

pub fn digest(secret: &[u8]) -> Digest {
    blake3::hash(secret)
}

/// Whether the text has the form of a client key; only then is a look into the file worth it.
pub fn looks_like_key(text: &[u8]) -> bool {
    text.strip_prefix(MARK.as_bytes()).is_some_and(|rest| {
        rest.len() == CHARACTERS && rest.iter().all(|byte| ALPHABET.contains(byte))
    })
}

/// A new secret, its digest, and the beginning that may be shown.
pub(super) struct Fresh {
    pub secret: SecretString,
    pub digest: Digest,
    pub prefix: String,
}

/// The machine's source of randomness has failed.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

pub(super) fn fresh() -> Result<Fresh, NoRandomness> {
    let mut bytes = [0; BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| NoRandomness)?;
    let text = [MARK, &url_safe(&bytes)].concat();
    let prefix = text.chars().take(MARK.len() + SHOWN).collect();
    Ok(Fresh { digest: digest(text.as_bytes()), prefix, secret: text.into() })
}

/// A public name for a key, never used twice.
pub(super) fn fresh_id() -> Result<String, NoRandomness> {
    let mut bytes = [0; 8];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(format!("key_{:016x}", u64::from_be_bytes(bytes)))
}

/// Base64 with the URL-safe alphabet, without padding.
fn url_safe(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_usize, |group, byte| (group << 8) | usize::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(group >> (18 - 6 * place)) & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn bytes_become_url_safe_base64() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (&[251, 255], "-_8")]
        {
            assert_eq!(url_safe(bytes), text);
        }
    }

    #[test]
    fn a_secret_has_43_characters_after_its_mark_and_is_never_the_same() {
        let (one, two) = (fresh().unwrap(), fresh().unwrap());
        let text = one.secret.expose_secret();
        assert!(looks_like_key(text.as_bytes()) && text.len() == 46, "{text}");
        assert!(text.starts_with(&one.prefix) && one.prefix.len() == 9);
        assert_ne!(text, two.secret.expose_secret());
        assert_eq!(one.digest, digest(text.as_bytes()));
    }

    #[test]
    fn other_keys_do_not_look_like_ours() {
        for text in ["", "unused", "sk-test", "er-", "er-short", &format!("er-{}", "ü".repeat(43))]
        {
            assert!(!looks_like_key(text.as_bytes()), "{text}");
        }
        assert!(looks_like_key(format!("er-{}", "a_-9".repeat(11).split_at(43).0).as_bytes()));
    }
}
