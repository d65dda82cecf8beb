//! Typed reading of a GGUF file's key-value part, with errors that name the key.

use std::collections::HashMap;

use candle_core::quantized::gguf_file::Value;

use super::super::InferenceError;

#[derive(Clone, Copy)]
pub(super) struct Metadata<'a>(pub(super) &'a HashMap<String, Value>);

impl<'a> Metadata<'a> {
    pub(super) fn text(self, key: &str) -> Option<&'a str> {
        match self.0.get(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Any integer type that fits.
    pub(super) fn number(self, key: &str) -> Option<u32> {
        self.0.get(key).and_then(integer)
    }

    pub(super) fn flag(self, key: &str) -> Option<bool> {
        self.0.get(key).and_then(|value| value.to_bool().ok())
    }

    pub(super) fn need_text(self, key: &str) -> Result<&'a str, InferenceError> {
        self.text(key).ok_or_else(|| lacks(key))
    }

    pub(super) fn need_number(self, key: &str) -> Result<u32, InferenceError> {
        self.number(key).ok_or_else(|| lacks(key))
    }

    pub(super) fn need_texts(self, key: &str) -> Result<Vec<&'a str>, InferenceError> {
        let Some(Value::Array(items)) = self.0.get(key) else { return Err(lacks(key)) };
        items
            .iter()
            .map(|item| item.to_string().map(String::as_str).map_err(|_| lacks(key)))
            .collect()
    }

    pub(super) fn numbers(self, key: &str) -> Option<Vec<u32>> {
        match self.0.get(key) {
            Some(Value::Array(items)) => items.iter().map(integer).collect(),
            _ => None,
        }
    }
}

fn integer(value: &Value) -> Option<u32> {
    match value {
        Value::U8(n) => Some(u32::from(*n)),
        Value::U16(n) => Some(u32::from(*n)),
        Value::U32(n) => Some(*n),
        Value::U64(n) => u32::try_from(*n).ok(),
        Value::I8(n) => u32::try_from(*n).ok(),
        Value::I16(n) => u32::try_from(*n).ok(),
        Value::I32(n) => u32::try_from(*n).ok(),
        Value::I64(n) => u32::try_from(*n).ok(),
        Value::F32(_) | Value::F64(_) | Value::Bool(_) | Value::String(_) | Value::Array(_) => None,
    }
}

fn lacks(key: &str) -> InferenceError {
    InferenceError::Model(format!("the model file lacks a usable `{key}`"))
}
