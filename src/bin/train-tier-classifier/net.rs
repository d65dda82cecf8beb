//! The encoder with weights that can be trained. Begins as a part of a pretrained one; ends as the file
//! that serving reads.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, ensure};
use candle_core::{DType, Device, Result, Tensor, Var};
use edge_router::inference::encoder::{BLOCK_BYTES, CLASSES, PRODUCTS, ZERO, unpack};
use edge_router::inference::kernel::Heads;
use rand::Rng;
use rand::rngs::SmallRng;

use crate::ops::{Attention, Gelu, LayerNorm, Linear, Pool, Texts};

/// Heads of multilingual-e5-small.
pub(crate) const HEADS: usize = 12;

pub(crate) struct Net {
    words: Vec<u8>,
    width: usize,
    layers: usize,
    pub(crate) vars: BTreeMap<String, Var>,
}

/// Texts end to end.
pub(crate) struct Batch {
    pub(crate) tokens: Vec<u32>,
    pub(crate) texts: Texts,
}

impl Batch {
    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let mut tokens = Vec::new();
        let mut ranges = Vec::new();
        for text in texts {
            ranges.push(tokens.len()..tokens.len() + text.len());
            tokens.extend_from_slice(text);
        }
        Self { tokens, texts: ranges.into() }
    }
}

/// Zeroes a share of the numbers and scales the rest, or does nothing.
pub(crate) struct Dropout {
    pub(crate) share: f32,
    pub(crate) rng: SmallRng,
}

impl Dropout {
    fn apply(&mut self, x: Tensor) -> Result<Tensor> {
        if self.share <= 0.0 {
            return Ok(x);
        }
        let kept = 1.0 / (1.0 - self.share);
        let least = (f64::from(self.share) * f64::from(u32::MAX)) as u32;
        let mask = (0..x.elem_count())
            .map(|_| if self.rng.random::<u32>() < least { 0.0 } else { kept })
            .collect::<Vec<f32>>();
        x.mul(&Tensor::from_vec(mask, x.shape(), x.device())?)
    }
}

impl Net {
    /// Takes the layers `keep` of the pretrained encoder in `dir`, `window` positions, and a new head.
    pub(crate) fn begin(
        dir: &Path,
        keep: &[usize],
        window: usize,
        rng: &mut SmallRng,
    ) -> anyhow::Result<Self> {
        let path = dir.join("encoder.safetensors");
        let base = candle_core::safetensors::load(&path, &Device::Cpu).with_context(|| {
            format!("{} (scripts/unpack-base-encoder.py makes it)", path.display())
        })?;
        let get = |name: &str| base.get(name).with_context(|| format!("no tensor {name}"));
        let width = get("position")?.dim(1)?;
        let mut vars = BTreeMap::new();
        let mut put = |name: String, tensor: &Tensor| -> Result<()> {
            vars.insert(name, Var::from_tensor(tensor)?);
            Ok(())
        };
        put("position".into(), &get("position")?.narrow(0, 0, window)?)?;
        for name in ["norm.weight", "norm.bias"] {
            put(name.into(), get(name)?)?;
        }
        for (to, from) in keep.iter().enumerate() {
            for step in PRODUCTS.into_iter().chain(["mix_norm", "down_norm"]) {
                for part in ["weight", "bias"] {
                    let tensor = get(&format!("layer.{from}.{step}.{part}"))?;
                    put(format!("layer.{to}.{step}.{part}"), tensor)?;
                }
            }
        }
        let head = (0..2 * width * CLASSES).map(|_| rng.random_range(-0.03_f32..0.03)).collect();
        put("head.weight".into(), &Tensor::from_vec(head, (2 * width, CLASSES), &Device::Cpu)?)?;
        put("head.bias".into(), &Tensor::zeros(CLASSES, DType::F32, &Device::Cpu)?)?;
        let words = get("word")?.flatten_all()?.to_vec1()?;
        ensure!(width % 32 == 0, "the width is no multiple of a block");
        Ok(Self { words, width, layers: keep.len(), vars })
    }

    /// Logits of a batch, `[texts, CLASSES]`.
    pub(crate) fn forward(&self, batch: &Batch, dropout: &mut Dropout) -> Result<Tensor> {
        let heads = Heads { count: HEADS, width: self.width };
        let mut x = self.normed("norm", &self.embed(batch)?)?;
        x = dropout.apply(x)?;
        for at in 0..self.layers {
            let step = |name: &str, x: &Tensor| self.linear(&format!("layer.{at}.{name}"), x);
            let [q, k, v] = [step("query", &x)?, step("key", &x)?, step("value", &x)?];
            let mixed = q.apply_op3(&k, &v, Attention { texts: batch.texts.clone(), heads })?;
            let mixed = dropout.apply(step("mix", &mixed)?)?;
            x = self.normed(&format!("layer.{at}.mix_norm"), &(x + mixed)?)?;
            let wide = step("up", &x)?.apply_op1(Gelu)?;
            let down = dropout.apply(step("down", &wide)?)?;
            x = self.normed(&format!("layer.{at}.down_norm"), &(x + down)?)?;
        }
        let pooled = dropout.apply(x.apply_op1(Pool(batch.texts.clone()))?)?;
        self.linear("head", &pooled)
    }

    fn embed(&self, batch: &Batch) -> Result<Tensor> {
        let bytes = self.width / 32 * BLOCK_BYTES;
        let mut words = Vec::with_capacity(batch.tokens.len() * self.width);
        for token in &batch.tokens {
            let from = *token as usize * bytes;
            let (blocks, _) = self.words[from..from + bytes].as_chunks();
            blocks.iter().for_each(|block| words.extend(unpack(block)));
        }
        let places: Vec<u32> =
            batch.texts.iter().flat_map(|text| 0..u32::try_from(text.len()).unwrap_or(0)).collect();
        let words = Tensor::from_vec(words, (batch.tokens.len(), self.width), &Device::Cpu)?;
        let places = Tensor::from_vec(places, batch.tokens.len(), &Device::Cpu)?;
        words + self.vars["position"].index_select(&places, 0)?
    }

    fn linear(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) =
            (&self.vars[&format!("{name}.weight")], &self.vars[&format!("{name}.bias")]);
        x.apply_op3(weight, bias, Linear)
    }

    fn normed(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) =
            (&self.vars[&format!("{name}.weight")], &self.vars[&format!("{name}.bias")]);
        x.apply_op3(weight, bias, LayerNorm)
    }

    /// The tensors of the file that serving reads: products in whole numbers with a scale for every column,
    /// the rest in f16, the word table as it came.
    pub(crate) fn export(&self) -> anyhow::Result<HashMap<String, Tensor>> {
        let bytes = self.width / 32 * BLOCK_BYTES;
        let shape = (self.words.len() / bytes, bytes);
        let words = Tensor::from_vec(self.words.clone(), shape, &Device::Cpu)?;
        let mut out = HashMap::from([("word".to_owned(), words)]);
        for (name, var) in &self.vars {
            let product = name.strip_suffix(".weight").filter(|name| {
                PRODUCTS.iter().any(|step| name.starts_with("layer.") && name.ends_with(step))
            });
            let Some(product) = product else {
                out.insert(name.clone(), var.to_dtype(DType::F16)?);
                continue;
            };
            let (whole, scales) = quantize(var)?;
            out.insert(name.clone(), whole);
            out.insert(format!("{product}.scale"), scales);
        }
        Ok(out)
    }
}

/// Whole numbers from -127 to 127, as bytes, and what a column's numbers are multiplied by.
fn quantize(weight: &Tensor) -> Result<(Tensor, Tensor)> {
    let (rows, columns) = weight.dims2()?;
    let values: Vec<f32> = weight.flatten_all()?.to_vec1()?;
    let mut scales = vec![f32::MIN_POSITIVE; columns];
    for row in values.chunks_exact(columns) {
        scales.iter_mut().zip(row).for_each(|(scale, x)| *scale = scale.max(x.abs() / 127.0));
    }
    let whole = values.chunks_exact(columns).flat_map(|row| {
        row.iter().zip(&scales).map(|(x, scale)| ((x / scale).round() as i8).cast_unsigned())
    });
    let whole = whole.map(|byte| byte.wrapping_add(ZERO)).collect();
    Ok((
        Tensor::from_vec(whole, (rows, columns), weight.device())?,
        Tensor::from_vec(scales, columns, weight.device())?,
    ))
}
