//! The steps of the encoder as differentiable operations over the kernels that serving uses, so that
//! training and serving compute the same. Texts of a batch lie end to end: no padding is computed.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Error, Layout, Result, Shape, Tensor};
use edge_router::inference::kernel::{self, Dense, Heads, Rows, backward};

/// Where each text of a batch begins and ends, in tokens.
pub(crate) type Texts = Arc<[Range<usize>]>;

/// `x · weight + bias`: `[tokens, in]`, `[in, out]`, `[out]`.
pub(crate) struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (inner, columns) = lw.shape().dims2()?;
        let (x, w) = (floats(x, lx)?, floats(w, lw)?);
        let right = Dense::pack(inner, columns, |i, j| w[i * columns + j]);
        let rows = Rows::of(x, inner);
        let mut out = vec![0.0; rows.rows * columns];
        kernel::product(rows, &right, &mut out);
        kernel::add_bias(&mut out, floats(b, lb)?);
        Ok((CpuStorage::F32(out), (rows.rows, columns).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (inner, columns) = w.dims2()?;
        let tokens = x.dim(0)?;
        let (xs, ws, gs) = (values(x)?, values(w)?, values(grad)?);
        let mut dx = vec![0.0; tokens * inner];
        let turned = Dense::pack(columns, inner, |i, j| ws[j * columns + i]);
        kernel::product(Rows::of(&gs, columns), &turned, &mut dx);
        let mut dw = vec![0.0; inner * columns];
        let right = Dense::pack(tokens, columns, |i, j| gs[i * columns + j]);
        let left = Rows { data: &xs, rows: inner, strides: (1, inner) };
        kernel::product(left, &right, &mut dw);
        let mut db = vec![0.0; columns];
        for row in gs.chunks_exact(columns) {
            db.iter_mut().zip(row).for_each(|(b, g)| *b += g);
        }
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, (tokens, inner), device)?),
            Some(Tensor::from_vec(dw, (inner, columns), device)?),
            Some(Tensor::from_vec(db, columns, device)?),
        ))
    }
}

/// Layer normalization: `[tokens, width]`, `[width]`, `[width]`.
pub(crate) struct LayerNorm;

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let mut out = floats(x, lx)?.to_vec();
        kernel::layer_norm(&mut out, floats(w, lw)?, floats(b, lb)?);
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let width = w.dim(0)?;
        let (mut xs, ws, gs) = (values(x)?, values(w)?, values(grad)?);
        let (mut dw, mut db) = (vec![0.0; width], vec![0.0; width]);
        backward::layer_norm_back(&mut xs, &ws, &gs, &mut dw, &mut db);
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(xs, x.shape(), device)?),
            Some(Tensor::from_vec(dw, width, device)?),
            Some(Tensor::from_vec(db, width, device)?),
        ))
    }
}

/// `x` times the share of the normal distribution below it.
pub(crate) struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = floats(x, layout)?.to_vec();
        backward::gelu(&mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (xs, mut gs) = (values(x)?, values(grad)?);
        backward::gelu_back(&xs, &mut gs);
        Ok(Some(Tensor::from_vec(gs, x.shape(), x.device())?))
    }
}

/// Attention within each text: queries, keys and values, `[tokens, width]` each.
pub(crate) struct Attention {
    pub(crate) texts: Texts,
    pub(crate) heads: Heads,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        k: &CpuStorage,
        lk: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (q, k, v) = (floats(q, lq)?, floats(k, lk)?, floats(v, lv)?);
        let mut out = vec![0.0; q.len()];
        for text in self.texts.iter() {
            let at = self.of(text);
            kernel::attend(
                &q[at.clone()],
                &k[at.clone()],
                &v[at.clone()],
                self.heads,
                &mut out[at],
            );
        }
        Ok((CpuStorage::F32(out), lq.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (qs, ks, vs, gs) = (values(q)?, values(k)?, values(v)?, values(grad)?);
        let (mut dq, mut dk, mut dv) =
            (vec![0.0; qs.len()], vec![0.0; qs.len()], vec![0.0; qs.len()]);
        for text in self.texts.iter() {
            let at = self.of(text);
            backward::attend_back(
                [&qs[at.clone()], &ks[at.clone()], &vs[at.clone()]],
                &gs[at.clone()],
                self.heads,
                [&mut dq[at.clone()], &mut dk[at.clone()], &mut dv[at]],
            );
        }
        let made = |values: Vec<f32>| Tensor::from_vec(values, q.shape(), q.device()).map(Some);
        Ok((made(dq)?, made(dk)?, made(dv)?))
    }
}

impl Attention {
    fn of(&self, text: &Range<usize>) -> Range<usize> {
        text.start * self.heads.width..text.end * self.heads.width
    }
}

/// Mean and maximum over each text: `[tokens, width]` to `[texts, 2 width]`.
pub(crate) struct Pool(pub(crate) Texts);

impl CustomOp1 for Pool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, width) = (floats(x, layout)?, layout.shape().dims2()?.1);
        let mut out = Vec::with_capacity(self.0.len() * 2 * width);
        for text in self.0.iter() {
            out.extend(kernel::pool(&x[text.start * width..text.end * width], width));
        }
        Ok((CpuStorage::F32(out), (self.0.len(), 2 * width).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let width = x.dim(1)?;
        let (xs, gs) = (values(x)?, values(grad)?);
        let mut dx = vec![0.0; xs.len()];
        for (text, g) in self.0.iter().zip(gs.chunks_exact(2 * width)) {
            let (mean, most) = g.split_at(width);
            let share = 1.0 / text.len() as f32;
            for j in 0..width {
                let mut top = text.start;
                for i in text.clone() {
                    dx[i * width + j] += mean[j] * share;
                    if xs[i * width + j] > xs[top * width + j] {
                        top = i;
                    }
                }
                dx[top * width + j] += most[j];
            }
        }
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (from, to) =
        layout.contiguous_offsets().ok_or_else(|| Error::msg("a tensor is not contiguous"))?;
    Ok(&storage.as_slice::<f32>()?[from..to])
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

#[cfg(test)]
mod tests;
