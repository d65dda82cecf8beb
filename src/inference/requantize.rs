//! Rewrites a GGUF file with its weights in another quantisation. It decides which tensors change;
//! it knows no model catalogue and no downloads.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};

use super::InferenceError;

/// A quantisation that the engine runs fast on every processor (the `_1` kinds have no SIMD kernel,
/// the `K` kinds want dimensions that divide by 256).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize, strum::Display,
)]
pub enum Quantization {
    #[serde(rename = "q8_0")]
    #[strum(serialize = "q8_0")]
    Q8_0,
    #[serde(rename = "q4_0")]
    #[strum(serialize = "q4_0")]
    Q4_0,
}

impl Quantization {
    fn dtype(self) -> GgmlDType {
        match self {
            Self::Q8_0 => GgmlDType::Q8_0,
            Self::Q4_0 => GgmlDType::Q4_0,
        }
    }

    /// `general.file_type` of the GGUF specification.
    fn file_type(self) -> u32 {
        match self {
            Self::Q8_0 => 7,
            Self::Q4_0 => 2,
        }
    }
}

/// Writes `source` to `target` with its matrices as `kind`; vectors (norms, biases) and matrices of
/// that kind stay as they are, all other metadata too. The same input gives the same bytes on one kind of
/// processor. `on_tensor` is told (tensors done, tensors in all). The file is on disk when it returns.
///
/// # Errors
/// `Model` if the source is no readable GGUF file or the target cannot be written.
pub fn requantize(
    source: &Path,
    target: &Path,
    kind: Quantization,
    on_tensor: &mut dyn FnMut(u64, u64),
) -> Result<(), InferenceError> {
    rewrite(source, target, kind, on_tensor)
        .map_err(|error| InferenceError::Model(format!("cannot requantize the weights: {error}")))
}

fn rewrite(
    source: &Path,
    target: &Path,
    kind: Quantization,
    on_tensor: &mut dyn FnMut(u64, u64),
) -> candle_core::Result<()> {
    let mut reader = BufReader::new(File::open(source)?);
    let content = gguf_file::Content::read(&mut reader)?;
    let mut names: Vec<&String> = content.tensor_infos.keys().collect();
    names.sort_by_key(|name| (content.tensor_infos[*name].offset, *name));
    let total = names.len() as u64;
    let mut tensors = Vec::with_capacity(names.len());
    for (done, name) in (1..).zip(names) {
        let tensor = content.tensor(&mut reader, name, &Device::Cpu)?;
        tensors.push((name.as_str(), convert(tensor, kind.dtype())?));
        on_tensor(done, total);
    }
    let metadata = metadata(&content.metadata, kind);
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, t)| (*name, t)).collect();
    let mut writer = BufWriter::new(File::create(target)?);
    gguf_file::write(&mut writer, &metadata, &tensors)?;
    writer.flush()?;
    writer.get_ref().sync_all()?;
    Ok(())
}

fn convert(tensor: QTensor, to: GgmlDType) -> candle_core::Result<QTensor> {
    let dims = tensor.shape().dims();
    let blocks = dims.last().is_some_and(|width| width.is_multiple_of(to.block_size()));
    if dims.len() < 2 || !blocks || tensor.dtype() == to {
        return Ok(tensor);
    }
    QTensor::quantize(&tensor.dequantize(&Device::Cpu)?, to)
}

/// In a fixed order, since the reader's map has none.
fn metadata(
    from: &std::collections::HashMap<String, Value>,
    kind: Quantization,
) -> BTreeMap<&str, Value> {
    let mut all: BTreeMap<&str, Value> =
        from.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    all.insert("general.file_type", Value::U32(kind.file_type()));
    // The writer aligns to the default of 32 and to nothing else.
    all.remove("general.alignment");
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::generator::tiny::{self, Tiny};

    #[test]
    fn matrices_change_and_everything_else_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from.gguf"), dir.path().join("to.gguf"));
        tiny::write(&from, &Tiny::slow());
        let mut seen = Vec::new();
        requantize(&from, &to, Quantization::Q8_0, &mut |done, total| seen.push((done, total)))
            .unwrap();

        let old = gguf_file::Content::read(&mut File::open(&from).unwrap()).unwrap();
        let new = gguf_file::Content::read(&mut File::open(&to).unwrap()).unwrap();
        assert_eq!(
            seen.last(),
            Some(&(old.tensor_infos.len() as u64, old.tensor_infos.len() as u64))
        );
        assert_eq!(old.tensor_infos.len(), new.tensor_infos.len());
        for (name, info) in &new.tensor_infos {
            let matrix = info.shape.dims().len() > 1;
            let expected = if matrix { GgmlDType::Q8_0 } else { GgmlDType::F32 };
            assert_eq!(info.ggml_dtype, expected, "{name}");
            assert_eq!(info.shape, old.tensor_infos[name].shape);
        }
        assert_eq!(new.metadata["general.file_type"].to_u32().unwrap(), 7);
        let (a, b) =
            (&old.metadata["tokenizer.chat_template"], &new.metadata["tokenizer.chat_template"]);
        assert_eq!(a.to_string().unwrap(), b.to_string().unwrap());
    }

    #[test]
    fn the_result_is_the_same_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from.gguf");
        tiny::write(&from, &Tiny::slow());
        let results: Vec<Vec<u8>> = ["a", "b"]
            .iter()
            .map(|name| {
                let to = dir.path().join(name);
                requantize(&from, &to, Quantization::Q8_0, &mut |_, _| ()).unwrap();
                std::fs::read(to).unwrap()
            })
            .collect();
        assert!(results[0] == results[1]);
    }

    #[test]
    fn a_file_that_is_no_gguf_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from.gguf");
        std::fs::write(&from, b"not a model at all").unwrap();
        let result = requantize(&from, &dir.path().join("to"), Quantization::Q8_0, &mut |_, _| ());
        assert!(matches!(result, Err(InferenceError::Model(_))));
    }
}
