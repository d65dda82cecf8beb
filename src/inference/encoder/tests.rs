#![expect(clippy::cast_possible_truncation, reason = "numbers of some digits")]

use candle_core::Device;

use super::*;

const WIDTH: usize = 32;

/// A small encoder of one layer, its numbers drawn by a rule.
fn tensors() -> HashMap<String, Tensor> {
    let floats = |count: usize, seed: usize| -> Vec<f32> {
        (0..count).map(|at| ((at * 31 + seed * 17) % 23) as f32 / 23.0 - 0.5).collect()
    };
    let tensor =
        |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
    let mut all = HashMap::new();
    let words = (0..7 * BLOCK_BYTES)
        .map(|at| if at % BLOCK_BYTES == 1 { 0x30 } else { (at * 37 % 251) as u8 });
    let words =
        Tensor::from_vec(words.collect::<Vec<u8>>(), (7, BLOCK_BYTES), &Device::Cpu).unwrap();
    all.insert("word".to_owned(), words);
    all.insert("position".to_owned(), tensor(floats(5 * WIDTH, 1), &[5, WIDTH]));
    for name in ["norm", "layer.0.mix_norm", "layer.0.down_norm"] {
        all.insert(format!("{name}.weight"), tensor(vec![1.0; WIDTH], &[WIDTH]));
        all.insert(format!("{name}.bias"), tensor(vec![0.0; WIDTH], &[WIDTH]));
    }
    for name in PRODUCTS {
        let (from, to) = match name {
            "up" => (WIDTH, 2 * WIDTH),
            "down" => (2 * WIDTH, WIDTH),
            _ => (WIDTH, WIDTH),
        };
        let bytes: Vec<u8> = (0..from * to).map(|at| 1 + (at * 41 % 255) as u8).collect();
        let weight = Tensor::from_vec(bytes, (from, to), &Device::Cpu).unwrap();
        all.insert(format!("layer.0.{name}.weight"), weight);
        all.insert(format!("layer.0.{name}.scale"), tensor(vec![0.002; to], &[to]));
        all.insert(format!("layer.0.{name}.bias"), tensor(floats(to, 3), &[to]));
    }
    all.insert(
        "head.weight".to_owned(),
        tensor(floats(2 * WIDTH * CLASSES, 4), &[2 * WIDTH, CLASSES]),
    );
    all.insert("head.bias".to_owned(), tensor(vec![0.1, 0.2, 0.3, 0.4, 0.5], &[CLASSES]));
    all
}

fn encoder() -> Encoder {
    Encoder::new(&tensors(), 1, 4).unwrap()
}

#[test]
fn no_tokens_are_answered_by_the_bias() {
    assert_eq!(encoder().logits(&[]), [0.1, 0.2, 0.3, 0.4, 0.5]);
}

#[test]
fn order_and_choice_of_tokens_count() {
    let encoder = encoder();
    let logits = encoder.logits(&[0, 3, 2]);
    assert!(logits.iter().all(|logit| logit.is_finite()));
    assert_ne!(logits, encoder.logits(&[3, 0, 2]));
    assert_ne!(logits, encoder.logits(&[0, 4, 2]));
}

#[test]
fn tokens_beyond_the_window_do_not_count() {
    let encoder = encoder();
    assert_eq!(encoder.window(), 5);
    assert_eq!(encoder.logits(&[0, 1, 2, 3, 4, 5, 6]), encoder.logits(&[0, 1, 2, 3, 4]));
}

#[test]
fn a_token_beyond_the_table_is_taken_for_the_first() {
    assert_eq!(encoder().logits(&[9_999]), encoder().logits(&[0]));
}

#[test]
fn a_block_unpacks_low_nibbles_first() {
    let mut block = [0x98_u8; BLOCK_BYTES];
    // 2.0 as f16
    (block[0], block[1]) = (0x00, 0x40);
    let numbers = unpack(&block);
    assert_eq!((numbers[0], numbers[15], numbers[16], numbers[31]), (0.0, 0.0, 2.0, 2.0));
}

#[test]
fn a_missing_or_misshapen_tensor_is_named() {
    for name in ["word", "head.bias", "layer.0.up.scale"] {
        let mut tensors = tensors();
        tensors.remove(name);
        let error = Encoder::new(&tensors, 1, 4).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    let short = Tensor::from_vec(vec![0.0_f32; 3], 3, &Device::Cpu).unwrap();
    let square = Tensor::from_vec(vec![0_u8; 9], (3, 3), &Device::Cpu).unwrap();
    for (name, tensor) in [
        ("layer.0.key.bias", &short),
        ("layer.0.mix_norm.weight", &short),
        ("norm.bias", &short),
        ("layer.0.value.weight", &square),
        ("layer.0.down.weight", &square),
        ("head.bias", &short),
    ] {
        let mut tensors = tensors();
        tensors.insert(name.to_owned(), tensor.clone());
        let error = Encoder::new(&tensors, 1, 4).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn an_empty_word_table_is_refused() {
    let mut tensors = tensors();
    let none = Tensor::from_vec(Vec::<u8>::new(), (0, BLOCK_BYTES), &Device::Cpu).unwrap();
    tensors.insert("word".to_owned(), none);
    assert!(Encoder::new(&tensors, 1, 4).is_err());
}
