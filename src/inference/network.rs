//! The tensors of the tier model and its one forward pass, the same for training and serving. Knows
//! nothing of text.
//!
//! One table gives every feature bucket a row of votes, one for each tier; a text's logits are the
//! weighted sum of the rows of its features (a linear classifier over a sparse input).

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

/// The number of tiers.
pub const CLASSES: usize = 5;

#[derive(Clone, Debug)]
pub struct Network {
    /// `[buckets, CLASSES]`
    table: Tensor,
    /// `[CLASSES]`
    bias: Tensor,
}

/// Weighted features of several texts, laid end to end.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Rows of the table, `u32`.
    pub buckets: Tensor,
    /// The weight of each, `f32`.
    pub weights: Tensor,
    /// Which text each belongs to, `u32`.
    pub texts: Tensor,
    pub len: usize,
}

impl Network {
    /// Takes its tensors from `vars`, the table in the type that `vars` has.
    pub fn new(vars: &VarBuilder<'_>, buckets: usize) -> Result<Self> {
        Ok(Self {
            table: vars.get((buckets, CLASSES), "table")?,
            bias: vars.get(CLASSES, "bias")?.to_dtype(DType::F32)?,
        })
    }

    /// Logits of one text, `[1, CLASSES]`. `buckets` is `[n]`, `weights` is `[1, n]`.
    pub fn single(&self, buckets: &Tensor, weights: &Tensor) -> Result<Tensor> {
        let rows = self.table.index_select(buckets, 0)?.to_dtype(DType::F32)?;
        weights.matmul(&rows)?.broadcast_add(&self.bias)
    }

    /// Logits of a batch, `[len, CLASSES]`.
    pub fn batch(&self, batch: &Batch) -> Result<Tensor> {
        let rows = self.table.index_select(&batch.buckets, 0)?.to_dtype(DType::F32)?;
        let rows = rows.broadcast_mul(&batch.weights.unsqueeze(1)?)?;
        let zeros = Tensor::zeros((batch.len, CLASSES), DType::F32, rows.device())?;
        zeros.index_add(&batch.texts, &rows, 0)?.broadcast_add(&self.bias)
    }

    /// Logits of a text without features.
    pub fn empty(&self) -> Result<Tensor> {
        self.bias.unsqueeze(0)
    }
}
