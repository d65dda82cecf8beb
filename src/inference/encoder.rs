//! The encoder that judges a text: tokens in, one logit per tier out. Decides how its weights are kept in
//! memory. Knows no text and no tiers' names.
//!
//! A transformer of the BERT family (Devlin et al., 2018), as trained by `train-tier-classifier`: word and
//! position, then layers of attention and a two-step product, each added to what came in and normalized
//! after; mean and maximum over the tokens go into one linear step.

use std::collections::HashMap;

use candle_core::{DType, Error, Result, Tensor};

use super::kernel::{self, Heads, Quantized, Rows};

/// The number of tiers.
pub const CLASSES: usize = 5;

/// Numbers of a Q4_0 block of the word table, and its bytes: an f16 scale, then 32 nibbles, the low ones
/// first (the layout is ggml's).
pub const BLOCK: usize = 32;
pub const BLOCK_BYTES: usize = 18;

/// The steps of a layer that are products with a bias.
pub const PRODUCTS: [&str; 6] = ["query", "key", "value", "mix", "up", "down"];

#[derive(Clone, Debug)]
pub struct Encoder {
    words: Vec<u8>,
    /// `[positions, width]`
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    heads: Heads,
    /// `[2 width, CLASSES]`
    head: Vec<f32>,
    head_bias: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    mix: Linear,
    up: Linear,
    down: Linear,
    mix_norm: Norm,
    down_norm: Norm,
}

#[derive(Clone, Debug)]
struct Linear {
    weight: Quantized,
    bias: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Encoder {
    /// Takes its tensors from a file's; `layers` and `heads` are not in it.
    ///
    /// # Errors
    /// A tensor is missing or has another type or shape than the others call for.
    pub fn new(tensors: &HashMap<String, Tensor>, layers: usize, heads: usize) -> Result<Self> {
        let positions = get(tensors, "position")?;
        let width = positions.dim(1)?;
        let file = File { tensors, width };
        let words = file.get("word")?;
        let (rows, bytes) = words.dims2()?;
        if heads == 0 || width % heads != 0 || rows == 0 || bytes != width / BLOCK * BLOCK_BYTES {
            return Err(Error::msg("the tables do not fit each other"));
        }
        let head = file.get("head.weight")?;
        if head.dims() != [2 * width, CLASSES] {
            return Err(misshapen("head.weight"));
        }
        Ok(Self {
            words: words.flatten_all()?.to_vec1()?,
            positions: floats(positions)?,
            norm: file.norm("norm")?,
            layers: (0..layers).map(|at| file.layer(at)).collect::<Result<_>>()?,
            heads: Heads { count: heads, width },
            head: floats(head)?,
            head_bias: file.row("head.bias", CLASSES)?,
        })
    }

    /// Most tokens that it can tell apart by position.
    pub fn window(&self) -> usize {
        self.positions.len() / self.heads.width.max(1)
    }

    /// One logit per tier. Tokens beyond the window do not count, one beyond the word table counts as the
    /// first; without any, the head's bias answers.
    pub fn logits(&self, tokens: &[u32]) -> [f32; CLASSES] {
        let width = self.heads.width;
        let mut x = self.embed(tokens);
        if x.is_empty() {
            return self.decide(&vec![0.0; 2 * width]);
        }
        kernel::layer_norm(&mut x, &self.norm.weight, &self.norm.bias);
        for layer in &self.layers {
            x = layer.forward(&x, self.heads);
        }
        self.decide(&kernel::pool(&x, width))
    }

    fn embed(&self, tokens: &[u32]) -> Vec<f32> {
        let width = self.heads.width;
        let bytes = width / BLOCK * BLOCK_BYTES;
        let mut x = Vec::with_capacity(tokens.len() * width);
        for (token, position) in tokens.iter().zip(self.positions.chunks_exact(width)) {
            let from = *token as usize * bytes;
            let row = self.words.get(from..from + bytes).unwrap_or(&self.words[..bytes]);
            let begin = x.len();
            row.as_chunks().0.iter().for_each(|block| x.extend(unpack(block)));
            x[begin..].iter_mut().zip(position).for_each(|(x, position)| *x += position);
        }
        x
    }

    fn decide(&self, pooled: &[f32]) -> [f32; CLASSES] {
        let mut logits = [0.0; CLASSES];
        logits.iter_mut().zip(&self.head_bias).for_each(|(logit, bias)| *logit = *bias);
        for (x, row) in pooled.iter().zip(self.head.as_chunks::<CLASSES>().0) {
            logits.iter_mut().zip(row).for_each(|(logit, weight)| *logit += x * weight);
        }
        logits
    }
}

/// The 32 numbers of a block.
pub fn unpack(block: &[u8; BLOCK_BYTES]) -> [f32; BLOCK] {
    let [low, high, nibbles @ ..] = block;
    let scale = half::f16::from_le_bytes([*low, *high]).to_f32();
    let mut out = [0.0; BLOCK];
    let (first, second) = out.split_at_mut(BLOCK / 2);
    for ((first, second), byte) in first.iter_mut().zip(second).zip(nibbles) {
        *first = (f32::from(byte & 15) - 8.0) * scale;
        *second = (f32::from(byte >> 4) - 8.0) * scale;
    }
    out
}

impl Layer {
    fn forward(&self, x: &[f32], heads: Heads) -> Vec<f32> {
        let (q, k, v) = (self.query.of(x), self.key.of(x), self.value.of(x));
        let mut mixed = vec![0.0; x.len()];
        kernel::attend(&q, &k, &v, heads, &mut mixed);
        let x = self.mix_norm.after(self.mix.of(&mixed), x);
        let mut wide = self.up.raw(&x);
        kernel::biased_gelu(&mut wide, &self.up.bias);
        self.down_norm.after(self.down.of(&wide), &x)
    }
}

impl Linear {
    fn of(&self, x: &[f32]) -> Vec<f32> {
        let mut out = self.raw(x);
        kernel::add_bias(&mut out, &self.bias);
        out
    }

    /// Without the bias.
    fn raw(&self, x: &[f32]) -> Vec<f32> {
        use kernel::Panels;
        let rows = Rows::of(x, self.weight.inner());
        let mut out = vec![0.0; rows.rows * self.weight.columns()];
        kernel::product(rows, &self.weight, &mut out);
        out
    }
}

impl Norm {
    /// Normalizes the sum of what a step made and what it was given.
    fn after(&self, mut made: Vec<f32>, given: &[f32]) -> Vec<f32> {
        made.iter_mut().zip(given).for_each(|(made, given)| *made += given);
        kernel::layer_norm(&mut made, &self.weight, &self.bias);
        made
    }
}

fn get<'a>(tensors: &'a HashMap<String, Tensor>, name: &str) -> Result<&'a Tensor> {
    tensors.get(name).ok_or_else(|| Error::msg(format!("no tensor {name}")))
}

/// Tensors by name, and how wide a token is.
struct File<'a> {
    tensors: &'a HashMap<String, Tensor>,
    width: usize,
}

impl File<'_> {
    fn get(&self, name: &str) -> Result<&Tensor> {
        get(self.tensors, name)
    }

    /// A row of `length` numbers.
    fn row(&self, name: &str, length: usize) -> Result<Vec<f32>> {
        let tensor = self.get(name)?;
        if tensor.dims() == [length] { floats(tensor) } else { Err(misshapen(name)) }
    }

    fn norm(&self, name: &str) -> Result<Norm> {
        Ok(Norm {
            weight: self.row(&format!("{name}.weight"), self.width)?,
            bias: self.row(&format!("{name}.bias"), self.width)?,
        })
    }

    fn layer(&self, at: usize) -> Result<Layer> {
        let name = |step: &str| format!("layer.{at}.{step}");
        let inner = self.get(&name("up.weight"))?.dims2()?.1;
        let [query, key, value, mix, up, down] = PRODUCTS.map(|step| {
            let from = if step == "down" { inner } else { self.width };
            let to = if step == "up" { inner } else { self.width };
            self.linear(&name(step), (from, to))
        });
        Ok(Layer {
            query: query?,
            key: key?,
            value: value?,
            mix: mix?,
            up: up?,
            down: down?,
            mix_norm: self.norm(&name("mix_norm"))?,
            down_norm: self.norm(&name("down_norm"))?,
        })
    }

    fn linear(&self, name: &str, (inner, columns): (usize, usize)) -> Result<Linear> {
        let weight = self.get(&format!("{name}.weight"))?;
        if weight.dims() != [inner, columns] {
            return Err(misshapen(&format!("{name}.weight")));
        }
        let weight: Vec<u8> = weight.flatten_all()?.to_vec1()?;
        let scales = self.row(&format!("{name}.scale"), columns)?;
        let bias = self.row(&format!("{name}.bias"), columns)?;
        let at = |i: usize, j: usize| weight[i * columns + j].wrapping_sub(ZERO).cast_signed();
        Ok(Linear { weight: Quantized::pack(inner, scales, at), bias })
    }
}

fn misshapen(name: &str) -> Error {
    Error::msg(format!("{name} has another shape"))
}

/// What the file adds to whole numbers from -127 to 127 to make them bytes.
pub const ZERO: u8 = 128;

fn floats(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

#[cfg(test)]
mod tests;
