//! A model of a few kilobytes with random weights, so that the engine's behaviour can be tested
//! without a download. Its words are the 256 bytes; what it says is noise, but always the same noise.

use std::collections::HashMap;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::tokenizer::byte_characters;

const WIDTH: usize = 64;
const HEAD: usize = 32;
const BLOCKS: usize = 2;

pub(crate) struct Tiny {
    pub(crate) architecture: &'static str,
    pub(crate) pre: &'static str,
    pub(crate) matrices: GgmlDType,
    pub(crate) context: u32,
    pub(crate) template: Option<&'static str>,
    /// A token that ends the answer; `None`: it goes on to its cap.
    pub(crate) end: Option<&'static str>,
}

impl Default for Tiny {
    fn default() -> Self {
        Self {
            architecture: "llama",
            pre: "smollm",
            matrices: GgmlDType::F32,
            context: 512,
            template: Some(
                "{% for message in messages %}<{{ message['role'] }}>{{ message.content.strip() }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
            ),
            end: None,
        }
    }
}

impl Tiny {
    /// In a quantisation that the engine runs slowly.
    pub(crate) fn slow() -> Self {
        Self { matrices: GgmlDType::Q4_1, ..Self::default() }
    }
}

pub(crate) fn write(path: &Path, tiny: &Tiny) {
    let words = words(tiny);
    let metadata = metadata(tiny, &words);
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let tensors = tensors(tiny, words.len());
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let mut file = std::fs::File::create(path).unwrap();
    gguf_file::write(&mut file, &metadata, &tensors).unwrap();
}

fn words(tiny: &Tiny) -> Vec<String> {
    let by_byte: HashMap<u8, char> =
        byte_characters().into_iter().map(|(character, byte)| (byte, character)).collect();
    let mut words: Vec<String> = (0..=255).map(|byte| by_byte[&byte].to_string()).collect();
    words.extend(tiny.end.map(str::to_owned));
    words
}

fn metadata(tiny: &Tiny, words: &[String]) -> Vec<(String, Value)> {
    let texts = |all: &[String]| Value::Array(all.iter().cloned().map(Value::String).collect());
    let types = (0..words.len()).map(|id| Value::I32(if id < 256 { 1 } else { 3 })).collect();
    let number = |name: &str, value: usize| {
        (format!("{}.{name}", tiny.architecture), Value::U32(u32::try_from(value).unwrap()))
    };
    let mut all = vec![
        ("general.architecture".to_owned(), Value::String(tiny.architecture.to_owned())),
        number("block_count", BLOCKS),
        number("context_length", tiny.context as usize),
        number("embedding_length", WIDTH),
        number("attention.head_count", WIDTH / HEAD),
        number("attention.head_count_kv", 1),
        number("attention.key_length", HEAD),
        number("rope.dimension_count", HEAD),
        (format!("{}.rope.freq_base", tiny.architecture), Value::F32(10_000.0)),
        (format!("{}.attention.layer_norm_rms_epsilon", tiny.architecture), Value::F32(1e-5)),
        ("tokenizer.ggml.model".to_owned(), Value::String("gpt2".to_owned())),
        ("tokenizer.ggml.pre".to_owned(), Value::String(tiny.pre.to_owned())),
        ("tokenizer.ggml.tokens".to_owned(), texts(words)),
        ("tokenizer.ggml.token_type".to_owned(), Value::Array(types)),
        ("tokenizer.ggml.merges".to_owned(), Value::Array(Vec::new())),
    ];
    all.extend(
        tiny.template
            .map(|text| ("tokenizer.chat_template".to_owned(), Value::String(text.to_owned()))),
    );
    all
}

fn tensors(tiny: &Tiny, vocabulary: usize) -> Vec<(String, QTensor)> {
    let mut noise = Noise(1);
    let mut all = Vec::new();
    let mut matrix = |name: String, rows: usize, columns: usize| {
        all.push((name, noise.tensor(&[rows, columns], tiny.matrices)));
    };
    matrix("token_embd.weight".to_owned(), vocabulary, WIDTH);
    for block in 0..BLOCKS {
        let mut part = |name: &str, rows| matrix(format!("blk.{block}.{name}.weight"), rows, WIDTH);
        part("attn_q", WIDTH);
        part("attn_k", HEAD);
        part("attn_v", HEAD);
        for name in ["attn_output", "ffn_gate", "ffn_up", "ffn_down"] {
            part(name, WIDTH);
        }
    }
    let mut vector = |name: String, length: usize| {
        all.push((name, noise.tensor(&[length], GgmlDType::F32)));
    };
    vector("output_norm.weight".to_owned(), WIDTH);
    for block in 0..BLOCKS {
        vector(format!("blk.{block}.attn_norm.weight"), WIDTH);
        vector(format!("blk.{block}.ffn_norm.weight"), WIDTH);
        match tiny.architecture {
            "qwen2" => {
                vector(format!("blk.{block}.attn_q.bias"), WIDTH);
                vector(format!("blk.{block}.attn_k.bias"), HEAD);
                vector(format!("blk.{block}.attn_v.bias"), HEAD);
            }
            "qwen3" => {
                vector(format!("blk.{block}.attn_q_norm.weight"), HEAD);
                vector(format!("blk.{block}.attn_k_norm.weight"), HEAD);
            }
            _ => {}
        }
    }
    all
}

struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(self.0 >> 16).unwrap()) / 65_536.0 - 0.5
    }

    fn tensor(&mut self, shape: &[usize], dtype: GgmlDType) -> QTensor {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| self.next()).collect();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
        QTensor::quantize(&tensor, dtype).unwrap()
    }
}
