#![expect(clippy::cast_possible_truncation, reason = "numbers of some digits")]

use proptest::prelude::*;

use super::*;

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|at| (((at * 7919 + seed * 104_729) % 201) as f32 - 100.0) / 50.0).collect()
}

fn plain(a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize)) -> Vec<f32> {
    let at = |i: usize, j: usize| (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
    (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| at(i, j)).collect()
}

fn close(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-3 * b.abs().max(1.0), "{a} is not {b}");
    }
}

proptest! {
    #[test]
    fn a_product_is_the_sum_of_products(m in 1..40_usize, k in 1..70_usize, n in 1..70_usize) {
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let mut out = vec![f32::NAN; m * n];
        product(Rows::of(&a, k), &Dense::pack(k, n, |i, j| b[i * n + j]), &mut out);
        close(&out, &plain(&a, &b, (m, k, n)));
    }

    #[test]
    fn whole_numbers_with_a_scale_multiply_like_the_numbers_they_stand_for(
        m in 1..20_usize, k in 1..50_usize, n in 1..50_usize,
    ) {
        let whole = |i: usize, j: usize| ((i * 31 + j * 17) % 255) as i16 - 127;
        let scales: Vec<f32> = (0..n).map(|j| 0.01 + j as f32 * 0.001).collect();
        let a = numbers(m * k, 3);
        let b: Vec<f32> =
            (0..k * n).map(|at| f32::from(whole(at / n, at % n)) * scales[at % n]).collect();
        let mut out = vec![f32::NAN; m * n];
        let right = Quantized::pack(k, scales, |i, j| whole(i, j) as i8);
        product(Rows::of(&a, k), &right, &mut out);
        close(&out, &plain(&a, &b, (m, k, n)));
    }

    #[test]
    fn exp_is_the_exponential(x in -80.0_f32..80.0) {
        let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
        prop_assert!((ours / exact - 1.0).abs() < 3e-6, "{} {}", ours, exact);
    }
}

#[test]
fn a_left_side_may_be_read_in_columns() {
    let (a, b) = (numbers(6, 4), numbers(8, 5));
    // [2, 3] read as [3, 2]
    let turned: Vec<f32> = [0, 3, 1, 4, 2, 5].map(|at| a[at]).to_vec();
    let mut out = vec![0.0; 12];
    let rows = Rows { data: &a, rows: 3, strides: (1, 3) };
    product(rows, &Dense::pack(2, 4, |i, j| b[i * 4 + j]), &mut out);
    close(&out, &plain(&turned, &b, (3, 2, 4)));
}

#[test]
fn the_normal_distribution_is_known_at_its_marks() {
    for (x, share) in [(0.0, 0.5), (1.0, 0.841_345), (-1.959_964, 0.025), (9.0, 1.0), (-9.0, 0.0)] {
        assert!((below(x) - share).abs() < 1e-6, "{x}");
    }
}

#[test]
fn normalized_rows_have_mean_zero_and_deviation_one() {
    let mut rows = numbers(2 * 33, 6);
    layer_norm(&mut rows, &[1.0; 33], &[0.0; 33]);
    for row in rows.chunks_exact(33) {
        let mean = row.iter().sum::<f32>() / 33.0;
        let variance = row.iter().map(|x| x * x).sum::<f32>() / 33.0;
        assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-4);
    }
}

#[test]
fn attention_to_equal_tokens_is_their_mean() {
    let heads = Heads { count: 2, width: 4 };
    let v = numbers(3 * 4, 7);
    let mut out = vec![0.0; 12];
    attend(&numbers(12, 8), &[0.5; 12], &v, heads, &mut out);
    let mean: Vec<f32> = (0..4).map(|j| (v[j] + v[4 + j] + v[8 + j]) / 3.0).collect();
    out.chunks_exact(4).for_each(|row| close(row, &mean));
}

#[test]
fn pooling_gives_mean_and_maximum() {
    assert_eq!(pool(&[1.0, -4.0, 3.0, -2.0], 2), [2.0, -3.0, 3.0, -2.0]);
}
