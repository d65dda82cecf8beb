//! A loaded model: weights, tokenizer, template and window. Decides which architectures are taken.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Tensor};
use candle_transformers::models::{quantized_llama, quantized_qwen2, quantized_qwen3};
use parking_lot::Mutex;

use super::super::InferenceError;
use super::memory;
use super::metadata::Metadata;
use super::template::ChatTemplate;
use super::tokenizer::ChatTokenizer;

/// Longer windows than this are cut: the key-value cache is copied for every token.
const WINDOW_LIMIT: u32 = 32_768;

/// Clones share their tensors. A clone begins with the cache of what it was cloned from, so the one
/// that is kept is never run.
#[derive(Clone)]
pub(super) enum Weights {
    Llama(quantized_llama::ModelWeights),
    /// Not cloneable; position 0 empties its cache.
    Qwen2(Arc<Mutex<quantized_qwen2::ModelWeights>>),
    Qwen3(quantized_qwen3::ModelWeights),
}

impl Weights {
    /// Reads `ids`, which stand at position `at` of the conversation, and returns the logits of what
    /// follows the last of them.
    pub(super) fn forward(
        &mut self,
        ids: &[u32],
        at: usize,
        device: &Device,
    ) -> candle_core::Result<Vec<f32>> {
        let input = Tensor::new(ids, device)?.unsqueeze(0)?;
        let logits = match self {
            Self::Llama(model) => model.forward(&input, at),
            Self::Qwen2(model) => model.lock().forward(&input, at),
            Self::Qwen3(model) => model.forward(&input, at),
        }?;
        logits.flatten_all()?.to_dtype(DType::F32)?.to_vec1()
    }

    /// How many of the `left` tokens of a prompt are read next. The causal mask of each pair of piece and
    /// position is cached in the weights; where these outlive a request the pieces are of few sizes, which
    /// keeps that cache small.
    pub(super) fn piece(&self, left: usize, most: usize) -> usize {
        let most = most.max(1);
        match self {
            Self::Llama(_) | Self::Qwen3(_) => left.min(most),
            Self::Qwen2(_) if left >= most => most,
            Self::Qwen2(_) if left >= 16 && most > 16 => 16,
            Self::Qwen2(_) => left.min(1),
        }
    }
}

pub(super) struct Loaded {
    pub(super) weights: Weights,
    pub(super) tokenizer: ChatTokenizer,
    pub(super) template: ChatTemplate,
    /// Prompt and answer together, in tokens.
    pub(super) window: u32,
    pub(super) device: Device,
}

#[derive(Clone, Copy)]
enum Architecture {
    Llama,
    Qwen2,
    Qwen3,
}

impl Architecture {
    fn of(metadata: Metadata<'_>) -> Result<Self, InferenceError> {
        match metadata.need_text("general.architecture")? {
            "llama" => Ok(Self::Llama),
            "qwen2" => Ok(Self::Qwen2),
            "qwen3" => Ok(Self::Qwen3),
            other => Err(InferenceError::Model(format!(
                "the architecture `{other}` is not supported: use a model of llama, qwen2 or qwen3, or serve this one with Ollama"
            ))),
        }
    }

    fn window(self, metadata: Metadata<'_>) -> Result<u32, InferenceError> {
        match self {
            Self::Llama => {
                let own = metadata.need_number("llama.context_length")?;
                Ok(own.min(u32::try_from(quantized_llama::MAX_SEQ_LEN).unwrap_or(u32::MAX)))
            }
            Self::Qwen2 => metadata.need_number("qwen2.context_length"),
            Self::Qwen3 => metadata.need_number("qwen3.context_length"),
        }
        .map(|window| window.min(WINDOW_LIMIT))
    }
}

/// # Errors
/// `Model`, with what to do where there is something to do.
pub(super) fn load(path: &Path) -> Result<Loaded, InferenceError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        InferenceError::Model(format!("cannot read {}: {error}", path.display()))
    };
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let size = file.metadata().map_err(|error| unreadable(&error))?.len();
    let mut reader = BufReader::new(file);
    let content = Content::read(&mut reader).map_err(|error| unreadable(&error))?;
    let metadata = Metadata(&content.metadata);
    let architecture = Architecture::of(metadata)?;
    let window = architecture.window(metadata)?;
    let tokenizer = ChatTokenizer::new(metadata)?;
    let template = ChatTemplate::new(metadata.need_text("tokenizer.chat_template")?, &tokenizer)?;
    memory::check(size.saturating_add(embedding_bytes(&content)))?;
    let device = Device::cuda_if_available(0).map_err(|error| unreadable(&error))?;
    let weights = match architecture {
        Architecture::Llama => {
            quantized_llama::ModelWeights::from_gguf(content, &mut reader, &device)
                .map(Weights::Llama)
        }
        Architecture::Qwen2 => {
            quantized_qwen2::ModelWeights::from_gguf(content, &mut reader, &device)
                .map(|model| Weights::Qwen2(Arc::new(Mutex::new(model))))
        }
        Architecture::Qwen3 => {
            quantized_qwen3::ModelWeights::from_gguf(content, &mut reader, &device)
                .map(Weights::Qwen3)
        }
    }
    .map_err(|error| unreadable(&error))?;
    Ok(Loaded { weights, tokenizer, template, window, device })
}

/// The embedding table is unpacked to f32 beside its quantised form.
fn embedding_bytes(content: &Content) -> u64 {
    content
        .tensor_infos
        .get("token_embd.weight")
        .map_or(0, |info| info.shape.elem_count() as u64 * 4)
}
