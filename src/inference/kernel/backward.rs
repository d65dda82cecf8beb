//! What training needs beside the forward functions: their derivatives. Compiled with the feature `train`.

use pulp::{Arch, Simd, WithSimd};

use super::{Heads, below, dot, exp, moments, sum, wide};

wide! {
    /// `gelu(x)` of every number, in place.
    pub fn gelu<'a>(x: &'a mut [f32]) {
        x.iter_mut().for_each(|x| *x *= below(*x));
    }
}

wide! {
    /// Multiplies `gradient` by the derivative of `gelu` at `x`.
    pub fn gelu_back<'a>(x: &'a [f32], gradient: &'a mut [f32]) {
        const DENSITY: f32 = 0.398_942_3;
        for (g, x) in gradient.iter_mut().zip(x) {
            *g *= below(*x) + x * DENSITY * exp(-0.5 * x * x);
        }
    }
}

wide! {
    /// Puts the gradient of the rows into `rows`, which held them, and adds that of weight and bias to `dw`, `db`.
    pub fn layer_norm_back<'a>(
        rows: &'a mut [f32],
        weight: &'a [f32],
        gradient: &'a [f32],
        dw: &'a mut [f32],
        db: &'a mut [f32],
    ) {
        let width = weight.len();
        let share = 1.0 / width as f32;
        let mut scaled = vec![0.0; width];
        for (x, g) in rows.chunks_exact_mut(width).zip(gradient.chunks_exact(width)) {
            let (mean, inverse) = moments(x);
            for ((x, g), dw) in x.iter_mut().zip(g).zip(dw.iter_mut()) {
                *x = (*x - mean) * inverse;
                *dw += g * *x;
            }
            db.iter_mut().zip(g).for_each(|(db, g)| *db += g);
            scaled.iter_mut().zip(g).zip(weight).for_each(|((s, g), w)| *s = g * w);
            let along = dot(&scaled, x) * share;
            let mean = sum(&scaled, |g| g) * share;
            for (x, g) in x.iter_mut().zip(&scaled) {
                *x = (g - mean - *x * along) * inverse;
            }
        }
    }
}

wide! {
    /// Gradients of queries, keys and values of one text from that of `attend`'s answer. All are
    /// `[tokens, width]`.
    pub fn attend_back<'a>(
        inputs: [&'a [f32]; 3],
        gradient: &'a [f32],
        heads: Heads,
        out: [&'a mut [f32]; 3],
    ) {
        let ([q, k, v], [dq, dk, dv]) = (inputs, out);
        let width = heads.width;
        let tokens = q.len() / width;
        let (mut weights, mut slopes) = (vec![0.0; tokens], vec![0.0; tokens]);
        for head in 0..heads.count {
            let part = heads.range(head);
            for i in 0..tokens {
                let row = i * width..(i + 1) * width;
                let g = &gradient[row.clone()][part.clone()];
                heads.weights(head, &q[row.clone()], k, &mut weights);
                for (slope, v) in slopes.iter_mut().zip(v.chunks_exact(width)) {
                    *slope = dot(g, &v[part.clone()]);
                }
                let mean = dot(&slopes, &weights);
                let qi = &q[row.clone()][part.clone()];
                let dqi = &mut dq[row][part.clone()];
                for j in 0..tokens {
                    let other = j * width..(j + 1) * width;
                    let slope = weights[j] * (slopes[j] - mean) * heads.scale();
                    add(&mut dv[other.clone()][part.clone()], weights[j], g);
                    add(dqi, slope, &k[other.clone()][part.clone()]);
                    add(&mut dk[other][part.clone()], slope, qi);
                }
            }
        }
    }
}

#[inline(always)]
fn add(to: &mut [f32], times: f32, what: &[f32]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to = what.mul_add(times, *to));
}

/// Where a step of `Adam` stands.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    pub rate: f32,
    pub decay: f32,
    /// Multiplies the gradient.
    pub clip: f32,
    /// One less the decayed sums' missing share: of means, of squares.
    pub warm: (f32, f32),
}

/// How slowly mean and square follow.
pub const BETA: (f32, f32) = (0.9, 0.999);

wide! {
    /// One step of Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
    pub fn adam<'a>(
        values: &'a mut [f32],
        gradient: &'a [f32],
        mean: &'a mut [f32],
        square: &'a mut [f32],
        step: AdamStep,
    ) {
        for (((value, g), mean), square) in values.iter_mut().zip(gradient).zip(mean).zip(square) {
            let g = g * step.clip;
            *mean = BETA.0 * *mean + (1.0 - BETA.0) * g;
            *square = BETA.1 * *square + (1.0 - BETA.1) * g * g;
            let change = (*mean / step.warm.0) / ((*square / step.warm.1).sqrt() + 1e-8);
            *value -= step.rate * (change + step.decay * *value);
        }
    }
}
