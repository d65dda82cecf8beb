use candle_core::{Device, Var};

use super::*;

fn numbers(shape: (usize, usize), seed: usize) -> Var {
    let count = shape.0 * shape.1;
    let values = (0..count).map(|at| (((at * 7919 + seed * 31) % 97) as f32 - 48.0) / 40.0);
    Var::from_vec(values.collect(), shape, &Device::Cpu).unwrap()
}

/// Compares gradients with differences of a weighted sum of the answer.
fn agrees_with_differences(inputs: &[&Var], answer: impl Fn() -> Tensor) {
    let weighted = || {
        let answer = answer();
        let weights = numbers(answer.dims2().unwrap(), 5);
        (answer * weights.as_tensor()).unwrap().sum_all().unwrap()
    };
    let gradients = weighted().backward().unwrap();
    for input in inputs {
        let gradient = values(gradients.get(input).unwrap()).unwrap();
        let original = values(input).unwrap();
        for at in (0..original.len()).step_by(3) {
            let moved = |by: f32| {
                let mut values = original.clone();
                values[at] += by;
                input.set(&Tensor::from_vec(values, input.shape(), &Device::Cpu).unwrap()).unwrap();
                weighted().to_scalar::<f32>().unwrap()
            };
            let slope = (moved(5e-3) - moved(-5e-3)) / 1e-2;
            moved(0.0);
            let given = gradient[at];
            assert!((slope - given).abs() < 0.02 * given.abs().max(1.0), "{at}: {slope} {given}");
        }
    }
}

fn row(length: usize, seed: usize) -> Var {
    Var::from_tensor(&numbers((1, length), seed).flatten_all().unwrap()).unwrap()
}

#[test]
fn a_product_has_its_gradients() {
    let (x, w, b) = (numbers((3, 4), 1), numbers((4, 5), 2), row(5, 3));
    agrees_with_differences(&[&x, &w, &b], || x.apply_op3(&w, &b, Linear).unwrap());
}

#[test]
fn normalization_has_its_gradients() {
    let (x, w, b) = (numbers((3, 8), 1), row(8, 2), row(8, 3));
    agrees_with_differences(&[&x, &w, &b], || x.apply_op3(&w, &b, LayerNorm).unwrap());
}

#[test]
fn gelu_has_its_gradient() {
    let x = numbers((3, 8), 1);
    agrees_with_differences(&[&x], || x.apply_op1(Gelu).unwrap());
}

#[test]
fn attention_has_its_gradients_and_stays_within_a_text() {
    let (q, k, v) = (numbers((5, 4), 1), numbers((5, 4), 2), numbers((5, 4), 3));
    let texts: Texts = Arc::new([0..3, 3..5]);
    let heads = Heads { count: 2, width: 4 };
    let answer = || q.apply_op3(&k, &v, Attention { texts: texts.clone(), heads }).unwrap();
    agrees_with_differences(&[&q, &k, &v], answer);
}

#[test]
fn pooling_has_its_gradient() {
    let x = numbers((5, 4), 1);
    agrees_with_differences(&[&x], || x.apply_op1(Pool(Arc::new([0..3, 3..5]))).unwrap());
}
