//! Ollama's own `/api/chat`: requests out, answers in (newline-delimited JSON). Its OpenAI endpoint
//! knows no `num_ctx`, so long prompts would be cut silently there.

mod build;
mod decode;

pub(super) use build::build;
pub(super) use decode::{Decoder, read_whole};
