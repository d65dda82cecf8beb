//! Products of small matrices and the few functions of an encoder, in the widest vectors that this
//! processor has. Knows numbers only. Everything is `f32` and row-major.
//!
//! The left side of a product is a text's tokens: twenty rows, not a thousand. At that height the time
//! goes into laying the right side out anew for every call, so it is laid out once, when loaded.

use pulp::{Arch, Simd, WithSimd, bytemuck};

#[cfg(feature = "train")]
pub mod backward;

/// A function whose body is compiled for the vectors of every processor family, and runs as the one for this
/// processor. (A closure would do, were it sure to be inlined.)
macro_rules! wide {
    ($(#[$doc:meta])* pub fn $name:ident<'a>($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        pub fn $name<'a>($($argument: $type),*) {
            struct Wide<'a> { $($argument: $type),* }
            impl<'a> WithSimd for Wide<'a> {
                type Output = ();

                #[inline(always)]
                fn with_simd<S: Simd>(self, _: S) {
                    let Wide { $($argument),* } = self;
                    $body
                }
            }
            Arch::new().dispatch(Wide { $($argument),* });
        }
    };
}
#[cfg(feature = "train")]
use wide;

/// The right side of a product, `[inner, columns]`, in panels as wide as two vectors.
pub trait Panels {
    fn inner(&self) -> usize;
    fn columns(&self) -> usize;
    /// Columns of one panel.
    fn width(&self) -> usize;
    /// Panel `at` as `[inner, width]`; `scratch` may hold it.
    fn panel<'a>(&'a self, at: usize, scratch: &'a mut Vec<f32>) -> &'a [f32];
    /// What these columns of the product are multiplied by in the end; all by 1 if there is nothing.
    fn scales(&self, columns: std::ops::Range<usize>) -> Option<&[f32]>;
}

/// Panels of numbers as they are.
#[derive(Clone, Debug)]
pub struct Dense {
    data: Vec<f32>,
    inner: usize,
    columns: usize,
    width: usize,
}

impl Dense {
    /// Lays out the matrix whose element in row `i`, column `j` is `at(i, j)`.
    pub fn pack(inner: usize, columns: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let width = width();
        Self { data: lay_out(inner, columns, width, at), inner, columns, width }
    }
}

impl Panels for Dense {
    fn inner(&self) -> usize {
        self.inner
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn width(&self) -> usize {
        self.width
    }

    #[inline(always)]
    fn panel<'a>(&'a self, at: usize, _: &'a mut Vec<f32>) -> &'a [f32] {
        let size = self.inner * self.width;
        self.data.get(at * size..(at + 1) * size).unwrap_or_default()
    }

    fn scales(&self, _: std::ops::Range<usize>) -> Option<&[f32]> {
        None
    }
}

/// Panels of whole numbers from -127 to 127, with a scale for every column: a quarter of the memory to
/// read, which is what short texts wait for.
#[derive(Clone, Debug)]
pub struct Quantized {
    data: Vec<i8>,
    scales: Vec<f32>,
    inner: usize,
    width: usize,
}

impl Quantized {
    /// Lays out the matrix whose element in row `i`, column `j` is `at(i, j) * scales[j]`.
    pub fn pack(inner: usize, scales: Vec<f32>, at: impl Fn(usize, usize) -> i8) -> Self {
        let width = width();
        Self { data: lay_out(inner, scales.len(), width, at), scales, inner, width }
    }
}

impl Panels for Quantized {
    fn inner(&self) -> usize {
        self.inner
    }

    fn columns(&self) -> usize {
        self.scales.len()
    }

    fn width(&self) -> usize {
        self.width
    }

    #[inline(always)]
    fn panel<'a>(&'a self, at: usize, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let size = self.inner * self.width;
        let whole = self.data.get(at * size..(at + 1) * size).unwrap_or_default();
        scratch.resize(size, 0.0);
        for (to, from) in scratch.iter_mut().zip(whole) {
            *to = f32::from(*from);
        }
        scratch
    }

    fn scales(&self, columns: std::ops::Range<usize>) -> Option<&[f32]> {
        self.scales.get(columns)
    }
}

fn lay_out<T: Copy + Default>(
    inner: usize,
    columns: usize,
    width: usize,
    at: impl Fn(usize, usize) -> T,
) -> Vec<T> {
    let panels = columns.div_ceil(width);
    let mut data = vec![T::default(); panels * inner * width];
    for (p, panel) in data.chunks_exact_mut((inner * width).max(1)).enumerate() {
        for (i, row) in panel.chunks_exact_mut(width).enumerate() {
            for (to, j) in row.iter_mut().zip(p * width..columns) {
                *to = at(i, j);
            }
        }
    }
    data
}

struct Width;

impl WithSimd for Width {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        2 * S::F32_LANES
    }
}

fn width() -> usize {
    Arch::new().dispatch(Width)
}

/// A left side, `[rows, inner]`, read with any strides.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub data: &'a [f32],
    pub rows: usize,
    /// From one row to the next, and from one column to the next.
    pub strides: (usize, usize),
}

impl<'a> Rows<'a> {
    /// Rows of `inner` numbers laid end to end.
    pub fn of(data: &'a [f32], inner: usize) -> Self {
        Self { data, rows: data.len() / inner.max(1), strides: (inner, 1) }
    }
}

/// `out = left · right`, `[rows, columns]`.
pub fn product(left: Rows<'_>, right: &impl Panels, out: &mut [f32]) {
    Arch::new().dispatch(Product { left, right, out });
}

struct Product<'a, P> {
    left: Rows<'a>,
    right: &'a P,
    out: &'a mut [f32],
}

impl<P: Panels> WithSimd for Product<'_, P> {
    type Output = ();

    /// As many rows at once as leave room in the registers.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16.. => in_blocks::<S, P, 12>(simd, self),
            8..16 => in_blocks::<S, P, 6>(simd, self),
            _ => in_blocks::<S, P, 4>(simd, self),
        }
    }
}

#[inline(always)]
fn in_blocks<S: Simd, P: Panels, const M: usize>(simd: S, product: Product<'_, P>) {
    let Product { left, right, out } = product;
    let (inner, columns, width) = (right.inner(), right.columns(), right.width());
    let blocks = left.rows.div_ceil(M);
    let mut packed = vec![0.0_f32; blocks * inner * M];
    for (block, packed) in packed.chunks_exact_mut((inner * M).max(1)).enumerate() {
        for (k, at) in packed.chunks_exact_mut(M).enumerate() {
            for (to, row) in at.iter_mut().zip(block * M..left.rows) {
                *to = left.data[row * left.strides.0 + k * left.strides.1];
            }
        }
    }
    let mut scratch = Vec::new();
    out.fill(0.0);
    for p in 0..columns.div_ceil(width) {
        let (panel, _) = S::as_simd_f32s(right.panel(p, &mut scratch));
        let (panel, _) = panel.as_chunks::<2>();
        let range = p * width..columns.min((p + 1) * width);
        for (slice, panel) in panel.chunks(SLICE).enumerate() {
            for (block, rows) in packed.chunks_exact((inner * M).max(1)).enumerate() {
                let (rows, _) = rows.as_chunks::<M>();
                let rows = &rows[slice * SLICE..slice * SLICE + panel.len()];
                let sums = tile::<S, M>(simd, rows, panel);
                for (sums, row) in sums.iter().zip(block * M..left.rows) {
                    let sums: &[f32] = bytemuck::cast_slice(sums);
                    let out = &mut out[row * columns..(row + 1) * columns][range.clone()];
                    out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
                }
            }
        }
        if let Some(scales) = right.scales(range.clone()) {
            for out in out.chunks_exact_mut(columns) {
                out[range.clone()].iter_mut().zip(scales).for_each(|(out, scale)| *out *= scale);
            }
        }
    }
}

/// Rows of a panel that are gone through at a time: as many as stay in the first cache.
const SLICE: usize = 256;

#[inline(always)]
fn tile<S: Simd, const M: usize>(
    simd: S,
    rows: &[[f32; M]],
    panel: &[[S::f32s; 2]],
) -> [[S::f32s; 2]; M] {
    let mut sums = [[simd.splat_f32s(0.0); 2]; M];
    for (rows, [low, high]) in rows.iter().zip(panel) {
        for (sums, x) in sums.iter_mut().zip(rows) {
            let x = simd.splat_f32s(*x);
            sums[0] = simd.mul_add_e_f32s(x, *low, sums[0]);
            sums[1] = simd.mul_add_e_f32s(x, *high, sums[1]);
        }
    }
    sums
}

/// `e^x` to one part in a million, without a branch, for `x` from -87 to 88. (Checked arithmetic would be
/// a branch.)
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // So large that what is added to it is rounded to a whole number, which stands in its low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-0.693_145_75, x);
    let r = n.mul_add(-1.428_606_8e-6, r);
    let p = r.mul_add(1.0 / 720.0, 1.0 / 120.0);
    let p = r.mul_add(p, 1.0 / 24.0);
    let p = r.mul_add(p, 1.0 / 6.0);
    let p = r.mul_add(p, 0.5);
    let p = r.mul_add(p, 1.0);
    let p = r.mul_add(p, 1.0);
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    p * f32::from_bits(exponent.wrapping_shl(23))
}

/// The error function to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / a.mul_add(0.327_591_1, 1.0);
    let p = t.mul_add(1.061_405_4, -1.453_152);
    let p = t.mul_add(p, 1.421_413_7);
    let p = t.mul_add(p, -0.284_496_74);
    let p = t.mul_add(p, 0.254_829_6) * t;
    (1.0 - p * exp(-a * a)).copysign(x)
}

/// The share of the normal distribution below `x`: `gelu(x) = x * below(x)`.
#[inline(always)]
pub fn below(x: f32) -> f32 {
    0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

wide! {
    /// `gelu(x + bias)` of every row, in place.
    pub fn biased_gelu<'a>(rows: &'a mut [f32], bias: &'a [f32]) {
        for row in rows.chunks_exact_mut(bias.len().max(1)) {
            for (x, bias) in row.iter_mut().zip(bias) {
                let biased = *x + bias;
                *x = biased * below(biased);
            }
        }
    }
}

/// Adds `bias` to every row, in place.
pub fn add_bias(rows: &mut [f32], bias: &[f32]) {
    for row in rows.chunks_exact_mut(bias.len().max(1)) {
        row.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
    }
}

/// What layer normalization of the encoder adds to the variance.
pub const EPSILON: f32 = 1e-12;

/// Mean and inverse deviation of a row.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "a row has some hundred numbers")]
pub fn moments(row: &[f32]) -> (f32, f32) {
    let n = row.len().max(1) as f32;
    let mean = sum(row, |x| x) / n;
    let variance = sum(row, |x| (x - mean) * (x - mean)) / n;
    (mean, 1.0 / (variance + EPSILON).sqrt())
}

/// The sum of `f` over a row, in sixteen strands that become vectors.
#[inline(always)]
pub fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (strands, rest) = row.as_chunks::<16>();
    let mut sums = [0.0_f32; 16];
    for strand in strands {
        for (sum, x) in sums.iter_mut().zip(strand) {
            *sum += f(*x);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|x| f(*x)).sum::<f32>()
}

wide! {
    /// Layer normalization of every row, in place.
    pub fn layer_norm<'a>(rows: &'a mut [f32], weight: &'a [f32], bias: &'a [f32]) {
        for row in rows.chunks_exact_mut(weight.len().max(1)) {
            let (mean, inverse) = moments(row);
            for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
                *x = ((*x - mean) * inverse).mul_add(*weight, *bias);
            }
        }
    }
}

/// Makes a row of scores probabilities.
#[inline(always)]
pub fn softmax(row: &mut [f32]) {
    let (strands, rest) = row.as_chunks::<16>();
    let mut most = [f32::NEG_INFINITY; 16];
    for strand in strands {
        for (most, x) in most.iter_mut().zip(strand) {
            *most = if *x > *most { *x } else { *most };
        }
    }
    let mut top = f32::NEG_INFINITY;
    for x in most.iter().chain(rest) {
        top = if *x > top { *x } else { top };
    }
    for x in row.iter_mut() {
        *x = exp(*x - top);
    }
    let share = 1.0 / sum(row, |x| x);
    for x in row.iter_mut() {
        *x *= share;
    }
}

/// What every token takes from the tokens of its text: for every head, values weighed by a softmax over
/// products. All four are `[tokens, width]`.
pub fn attend(q: &[f32], k: &[f32], v: &[f32], heads: Heads, out: &mut [f32]) {
    let width = heads.width;
    let tokens = q.len() / width.max(1);
    let mut weights = vec![0.0; tokens * tokens];
    let mut mixed = vec![0.0; tokens * heads.range(0).len()];
    for head in 0..heads.count {
        let part = heads.range(head);
        let (from, scale) = (part.start, heads.scale());
        let keys = Dense::pack(part.len(), tokens, |i, j| k[j * width + from + i] * scale);
        let queries = Rows { data: &q[from..], rows: tokens, strides: (width, 1) };
        product(queries, &keys, &mut weights);
        softmax_rows(&mut weights, tokens);
        let values = Dense::pack(tokens, part.len(), |i, j| v[i * width + from + j]);
        product(Rows::of(&weights, tokens), &values, &mut mixed);
        for (out, mixed) in out.chunks_exact_mut(width).zip(mixed.chunks_exact(part.len())) {
            out[part.clone()].copy_from_slice(mixed);
        }
    }
}

wide! {
    /// Makes every row of `length` scores probabilities.
    pub fn softmax_rows<'a>(rows: &'a mut [f32], length: usize) {
        for row in rows.chunks_exact_mut(length.max(1)) {
            softmax(row);
        }
    }
}

/// How the width of a token is shared among heads.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    pub count: usize,
    /// Of all heads together.
    pub width: usize,
}

impl Heads {
    /// A head's part of a token.
    #[inline(always)]
    pub fn range(self, head: usize) -> std::ops::Range<usize> {
        let each = self.width / self.count;
        head * each..(head + 1) * each
    }

    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "a head is some dozen wide")]
    pub fn scale(self) -> f32 {
        1.0 / ((self.width / self.count) as f32).sqrt()
    }

    /// How much the token `q` looks at every token, through one head.
    #[inline(always)]
    pub fn weights(self, head: usize, q: &[f32], k: &[f32], weights: &mut [f32]) {
        let (range, scale) = (self.range(head), self.scale());
        let q = &q[range.clone()];
        for (weight, k) in weights.iter_mut().zip(k.chunks_exact(self.width)) {
            *weight = dot(q, &k[range.clone()]) * scale;
        }
        softmax(weights);
    }
}

/// The sum of products, in sixteen strands.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, x), (b, y)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = a.mul_add(*b, *sum);
        }
    }
    sums.iter().sum::<f32>() + x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>()
}

/// Mean and maximum of every column over the tokens of one text, which has at least one.
#[expect(clippy::cast_precision_loss, reason = "a text has some hundred tokens")]
pub fn pool(tokens: &[f32], width: usize) -> Vec<f32> {
    let mut pooled = vec![0.0; width];
    pooled.resize(2 * width, f32::NEG_INFINITY);
    let (mean, most) = pooled.split_at_mut(width);
    for token in tokens.chunks_exact(width.max(1)) {
        for ((x, mean), most) in token.iter().zip(mean.iter_mut()).zip(most.iter_mut()) {
            *mean += x;
            *most = most.max(*x);
        }
    }
    let share = 1.0 / (tokens.len() / width.max(1)).max(1) as f32;
    mean.iter_mut().for_each(|mean| *mean *= share);
    pooled
}

#[cfg(test)]
mod tests;
