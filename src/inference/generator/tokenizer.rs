//! The tokenizer that a GGUF file describes. Decides which kinds are known: an unknown one is refused,
//! because a wrong split gives wrong ids without any complaint.

use std::collections::{HashMap, HashSet};

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;
use tokenizers::{AddedToken, Tokenizer};

use super::super::InferenceError;
use super::metadata::Metadata;

/// Split patterns of the tokenizer definitions that the models were trained with.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Names under which models end a turn, besides the id that the file gives.
const END_MARKS: [&str; 5] =
    ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>"];

/// `tokenizer.ggml.token_type`: written by the template, never by a person.
const TYPE_CONTROL: u32 = 3;
/// `tokenizer.ggml.token_type`: a word that is never split.
const TYPE_USER_DEFINED: u32 = 4;

pub(super) struct ChatTokenizer {
    inner: Tokenizer,
    control: HashSet<u32>,
    ends: HashSet<u32>,
    /// Set where the file says that prompts begin with it.
    prefix: Option<u32>,
    bos: Option<String>,
    eos: Option<String>,
    /// Bytes that the vocabulary writes as other characters.
    bytes: HashMap<char, u8>,
    longest: usize,
}

impl ChatTokenizer {
    /// # Errors
    /// `Model` if the file's tokenizer is of an unknown kind or incomplete.
    pub(super) fn new(metadata: Metadata<'_>) -> Result<Self, InferenceError> {
        let kind = metadata.need_text("tokenizer.ggml.model")?;
        if kind != "gpt2" {
            return Err(unknown("tokenizer", kind));
        }
        let words = metadata.need_texts("tokenizer.ggml.tokens")?;
        let mut inner = Tokenizer::new(merges(metadata, &words)?);
        configure(&mut inner, metadata.need_text("tokenizer.ggml.pre")?)?;
        let types = metadata.numbers("tokenizer.ggml.token_type").unwrap_or_default();
        let control = add_whole_words(&mut inner, &words, &types)?;
        let word = |key| {
            let id = metadata.number(key)?;
            Some((id, (*words.get(id as usize)?).to_owned()))
        };
        let bos = word("tokenizer.ggml.bos_token_id");
        let eos = word("tokenizer.ggml.eos_token_id");
        let mut ends: HashSet<u32> =
            END_MARKS.iter().filter_map(|mark| inner.token_to_id(mark)).collect();
        ends.extend(eos.as_ref().map(|(id, _)| *id));
        let wants_bos = metadata.flag("tokenizer.ggml.add_bos_token").unwrap_or(false);
        Ok(Self {
            control,
            ends,
            prefix: bos.as_ref().filter(|_| wants_bos).map(|(id, _)| *id),
            bos: bos.map(|(_, text)| text),
            eos: eos.map(|(_, text)| text),
            bytes: byte_characters(),
            longest: words.iter().map(|word| word.chars().count()).max().unwrap_or(1).max(1),
            inner,
        })
    }

    /// Fewest tokens that a text of this many bytes can have.
    pub(super) fn least_tokens(&self, bytes: usize) -> usize {
        bytes / self.longest
    }

    /// # Errors
    /// `Model` if the tokenizer fails.
    pub(super) fn encode(&self, prompt: &str) -> Result<Vec<u32>, InferenceError> {
        let encoding = self.inner.encode_fast(prompt, false).map_err(|error| failed(&error))?;
        let ids = encoding.get_ids();
        let mut all = Vec::with_capacity(ids.len() + 1);
        all.extend(self.prefix.filter(|bos| ids.first() != Some(bos)));
        all.extend_from_slice(ids);
        Ok(all)
    }

    /// Whether the model ends its turn with this token.
    pub(super) fn is_end(&self, id: u32) -> bool {
        self.ends.contains(&id)
    }

    /// Appends the bytes that a token stands for: possibly a part of a character; none for a control
    /// token.
    pub(super) fn append_bytes(&self, id: u32, out: &mut Vec<u8>) {
        if self.control.contains(&id) {
            return;
        }
        for character in self.inner.id_to_token(id).unwrap_or_default().chars() {
            match self.bytes.get(&character) {
                Some(byte) => out.push(*byte),
                None => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    pub(super) fn bos_text(&self) -> String {
        self.bos.clone().unwrap_or_default()
    }

    pub(super) fn eos_text(&self) -> String {
        self.eos.clone().unwrap_or_default()
    }
}

fn merges(metadata: Metadata<'_>, words: &[&str]) -> Result<BPE, InferenceError> {
    let vocabulary =
        (0u32..).zip(words).map(|(id, word)| ((*word).to_owned(), id)).collect::<Vocab>();
    let pairs = metadata
        .need_texts("tokenizer.ggml.merges")?
        .into_iter()
        .map(|pair| pair.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| {
            InferenceError::Model("the model file has a broken list of merges".to_owned())
        })?;
    // Llama 3 takes a word that is in the vocabulary whole, whatever the merges say.
    let whole = metadata.text("tokenizer.ggml.pre") == Some("llama-bpe");
    BPE::builder()
        .vocab_and_merges(vocabulary, pairs)
        .ignore_merges(whole)
        .build()
        .map_err(|error| failed(&error))
}

fn configure(tokenizer: &mut Tokenizer, pre: &str) -> Result<(), InferenceError> {
    let split = |pattern: &str| -> Result<PreTokenizerWrapper, InferenceError> {
        let pattern = SplitPattern::Regex(pattern.to_owned());
        Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
            .map(Into::into)
            .map_err(|error| failed(&error))
    };
    let steps: Vec<PreTokenizerWrapper> = match pre {
        "smollm" => vec![Digits::new(true).into(), ByteLevel::new(false, true, true).into()],
        "qwen2" => vec![split(QWEN2)?, ByteLevel::new(false, false, false).into()],
        "llama-bpe" => vec![split(LLAMA3)?, ByteLevel::new(false, false, false).into()],
        other => return Err(unknown("pre-tokenizer", other)),
    };
    tokenizer.with_pre_tokenizer(Some(Sequence::new(steps)));
    if pre == "qwen2" {
        tokenizer.with_normalizer(Some(NFC)).map_err(|error| failed(&error))?;
    }
    tokenizer.with_decoder(Some(ByteLevel::new(false, true, true)));
    Ok(())
}

/// Makes words that are never split known, and returns the control tokens among them.
fn add_whole_words(
    tokenizer: &mut Tokenizer,
    words: &[&str],
    types: &[u32],
) -> Result<HashSet<u32>, InferenceError> {
    let of_type = |wanted: u32| {
        (0u32..).zip(words.iter().zip(types)).filter(move |(_, (_, kind))| **kind == wanted)
    };
    let special: Vec<AddedToken> = of_type(TYPE_CONTROL)
        .map(|(_, (word, _))| AddedToken::from((*word).to_owned(), true))
        .collect();
    let plain: Vec<AddedToken> = of_type(TYPE_USER_DEFINED)
        .map(|(_, (word, _))| AddedToken::from((*word).to_owned(), false).normalized(false))
        .collect();
    tokenizer.add_special_tokens(special).map_err(|error| failed(&error))?;
    tokenizer.add_tokens(plain).map_err(|error| failed(&error))?;
    Ok(of_type(TYPE_CONTROL).map(|(id, _)| id).collect())
}

/// Byte-level vocabularies (GPT-2's table) write printable bytes as themselves and the others as the
/// characters from U+0100 on.
pub(super) fn byte_characters() -> HashMap<char, u8> {
    let mut next = 256u32;
    (0..=u8::MAX)
        .filter_map(|byte| {
            let itself = matches!(byte, 33..=126 | 161..=172 | 174..=255);
            let code = if itself {
                u32::from(byte)
            } else {
                next += 1;
                next - 1
            };
            char::from_u32(code).map(|character| (character, byte))
        })
        .collect()
}

fn unknown(what: &str, name: &str) -> InferenceError {
    InferenceError::Model(format!(
        "the {what} `{name}` is not supported: use a model with smollm, qwen2 or llama-bpe, or serve this one with Ollama"
    ))
}

fn failed(error: &dyn std::fmt::Display) -> InferenceError {
    InferenceError::Model(format!("the model's tokenizer cannot be used: {error}"))
}
