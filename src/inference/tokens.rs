//! Text to the encoder's tokens. Decides what of a long text is read: its head and its tail, for the ask
//! stands at one end of what was pasted. Knows no weights and no tiers; training and serving share it.

use std::borrow::Cow;

use tokenizers::Tokenizer;

use super::InferenceError;

/// Bytes looked at from the start of a long text, before it is cut to tokens.
const HEAD_BYTES: usize = 4096;
/// Bytes looked at from its end.
const TAIL_BYTES: usize = 2048;

/// Rows of the word table with a meaning of their own.
const BEGIN: u32 = 0;
const END: u32 = 2;
/// Between lines that are not blank.
const NEWLINE: u32 = 4;

#[derive(Clone)]
pub struct Tokens {
    tokenizer: Tokenizer,
    window: usize,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("window", &self.window).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Reads `tokenizer.json`; texts give at most `window` tokens, and at least the two ends.
    ///
    /// # Errors
    /// `Model` if the bytes are no tokenizer.
    pub fn new(json: &[u8], window: usize) -> Result<Self, InferenceError> {
        let tokenizer = Tokenizer::from_bytes(json)
            .map_err(|error| InferenceError::Model(format!("tokenizer.json: {error}")))?;
        Ok(Self { tokenizer, window: window.max(4) })
    }

    /// Rows of the word table. Takes any text.
    ///
    /// # Errors
    /// `Model` if the tokenizer fails, which no text should make it do.
    pub fn read(&self, text: &str) -> Result<Vec<u32>, InferenceError> {
        let text = considered(text);
        let mut ids = vec![BEGIN];
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if ids.len() > 1 {
                ids.push(NEWLINE);
            }
            let line = self.tokenizer.encode_fast(line, false);
            let line = line.map_err(|error| InferenceError::Model(error.to_string()))?;
            ids.extend(line.get_ids());
        }
        let most = self.window - 1;
        if ids.len() > most {
            let head = most / 2;
            ids.drain(head..ids.len() - (most - head));
        }
        ids.push(END);
        Ok(ids)
    }
}

/// The part of a text that is judged: all of it, or its head and tail.
pub fn considered(text: &str) -> Cow<'_, str> {
    if text.len() <= HEAD_BYTES + TAIL_BYTES {
        return Cow::Borrowed(text);
    }
    let head = &text[..text.floor_char_boundary(HEAD_BYTES)];
    let tail = &text[text.ceil_char_boundary(text.len() - TAIL_BYTES)..];
    Cow::Owned(format!("{head}\n{tail}"))
}

#[cfg(test)]
mod tests;
