//! The tensors of the tier model and its one forward pass, the same for training and serving. Knows
//! nothing of text.
//!
//! One table gives every feature bucket a row. Its first five columns are votes for the tiers, added
//! up as they are (a linear classifier); the rest is an embedding bag that goes through a hidden
//! layer and adds to the votes.

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

/// The number of tiers.
pub const CLASSES: usize = 5;

#[derive(Clone, Debug)]
pub struct Network {
    /// `[buckets, CLASSES + hidden]`
    table: Tensor,
    /// `[CLASSES + hidden]`
    bias: Tensor,
    /// `[hidden, CLASSES]`
    out: Option<Tensor>,
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
    /// Takes its tensors from `vars`, in their stored type.
    pub fn new(vars: &VarBuilder<'_>, buckets: usize, hidden: usize) -> Result<Self> {
        let width = CLASSES + hidden;
        Ok(Self {
            table: vars.get((buckets, width), "table")?,
            bias: vars.get(width, "bias")?.to_dtype(DType::F32)?,
            out: match hidden {
                0 => None,
                _ => Some(vars.get((hidden, CLASSES), "out")?.to_dtype(DType::F32)?),
            },
        })
    }

    /// Logits of one text, `[1, CLASSES]`. `buckets` is `[n]`, `weights` is `[1, n]`.
    pub fn single(&self, buckets: &Tensor, weights: &Tensor) -> Result<Tensor> {
        let rows = self.table.index_select(buckets, 0)?.to_dtype(DType::F32)?;
        self.head(&weights.matmul(&rows)?)
    }

    /// Logits of a batch, `[len, CLASSES]`.
    pub fn batch(&self, batch: &Batch) -> Result<Tensor> {
        let rows = self.table.index_select(&batch.buckets, 0)?.to_dtype(DType::F32)?;
        let rows = rows.broadcast_mul(&batch.weights.unsqueeze(1)?)?;
        let zeros = Tensor::zeros((batch.len, rows.dim(1)?), DType::F32, rows.device())?;
        self.head(&zeros.index_add(&batch.texts, &rows, 0)?)
    }

    /// Logits of a text without features.
    pub fn empty(&self) -> Result<Tensor> {
        self.head(&self.bias.zeros_like()?.unsqueeze(0)?)
    }

    fn head(&self, sums: &Tensor) -> Result<Tensor> {
        let sums = sums.broadcast_add(&self.bias)?;
        let votes = sums.narrow(1, 0, CLASSES)?;
        let Some(out) = &self.out else { return Ok(votes) };
        let hidden = sums.narrow(1, CLASSES, sums.dim(1)? - CLASSES)?.relu()?.contiguous()?;
        votes + hidden.matmul(out)?
    }
}
