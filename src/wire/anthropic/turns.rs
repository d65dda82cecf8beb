//! Messages in Anthropic's order: system apart, roles taking turns, tool results first in theirs.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::chat::{Image, Message, Part, Role, ToolCall};
use crate::wire::FILLER;
use crate::wire::dropped::note;

/// Most `cache_control` marks that one request may carry.
const MAX_MARKS: usize = 4;

pub(super) struct Turns<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) messages: Vec<Turn<'a>>,
}

#[derive(Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    Image {
        source: SourceOut<'a>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, RawValue>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum SourceOut<'a> {
    Url { url: &'a str },
    Base64 { media_type: &'a str, data: &'a str },
}

impl<'a> Turns<'a> {
    pub(super) fn new(messages: &'a [Message], dropped: &mut Vec<String>) -> Self {
        let mut turns = Self { system: Vec::new(), messages: Vec::new() };
        for message in messages {
            let role = match message.role {
                Role::System | Role::Developer => {
                    let blocks = message.parts.iter().filter_map(|part| block(part, dropped));
                    let texts: Vec<_> =
                        blocks.filter(|block| matches!(block, Block::Text { .. })).collect();
                    turns.system.extend(texts);
                    continue;
                }
                Role::User | Role::Tool => "user",
                Role::Assistant => "assistant",
            };
            let blocks = message.parts.iter().filter_map(|part| block(part, dropped));
            turns.push(role, blocks.collect());
        }
        turns.settle();
        turns.limit_marks(dropped);
        turns
    }

    fn push(&mut self, role: &'static str, blocks: Vec<Block<'a>>) {
        if blocks.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role => last.content.extend(blocks),
            _ => self.messages.push(Turn { role, content: blocks }),
        }
    }

    fn settle(&mut self) {
        if self.messages.is_empty() {
            // Instructions alone: they are the question.
            let content = std::mem::take(&mut self.system);
            self.messages.push(Turn { role: "user", content });
        }
        if self.messages.first().is_some_and(|first| first.role == "assistant") {
            self.messages.insert(0, Turn::filler());
        }
        for turn in self.messages.iter_mut().filter(|turn| turn.role == "user") {
            // Stable: the rest keeps its order.
            turn.content.sort_by_key(|block| !matches!(block, Block::ToolResult { .. }));
            if turn.content.is_empty() {
                turn.content = Turn::filler().content;
            }
        }
        // A prefill must not end in white space.
        if let Some(Turn { role: "assistant", content }) = self.messages.last_mut()
            && let Some(Block::Text { text, .. }) = content.last_mut()
        {
            *text = text.trim_end();
        }
    }

    /// For models that refuse a last message of their own.
    pub(super) fn end_with_user(&mut self) {
        if self.messages.last().is_some_and(|last| last.role == "assistant") {
            self.messages.push(Turn::filler());
        }
    }

    /// The latest marks matter: they cover the longest prefix.
    fn limit_marks(&mut self, dropped: &mut Vec<String>) {
        let blocks = self.messages.iter_mut().flat_map(|turn| &mut turn.content);
        let marks: Vec<_> = self
            .system
            .iter_mut()
            .chain(blocks)
            .filter_map(|block| match block {
                Block::Text { cache_control, .. } | Block::ToolResult { cache_control, .. } => {
                    Some(cache_control).filter(|mark| mark.is_some())
                }
                Block::Image { .. }
                | Block::ToolUse { .. }
                | Block::Thinking { .. }
                | Block::RedactedThinking { .. } => None,
            })
            .collect();
        let surplus = marks.len().saturating_sub(MAX_MARKS);
        if surplus > 0 {
            note(dropped, "cache_control");
        }
        marks.into_iter().take(surplus).for_each(|mark| *mark = None);
    }
}

impl Turn<'_> {
    fn filler() -> Self {
        Self { role: "user", content: vec![Block::Text { text: FILLER, cache_control: None }] }
    }
}

fn block<'a>(part: &'a Part, dropped: &mut Vec<String>) -> Option<Block<'a>> {
    match part {
        // Blocks without a visible character are a 400.
        Part::Text { text, .. } if text.trim().is_empty() => None,
        Part::Text { text, cache_control } => {
            Some(Block::Text { text, cache_control: cache_control.as_ref() })
        }
        Part::Image(image) => Some(Block::Image { source: source(image) }),
        Part::ToolCall(call) => Some(tool_use(call)),
        Part::ToolResult { call_id, content, is_error } => {
            Some(tool_result(call_id, content, *is_error, dropped))
        }
        Part::Thinking { text, signature: Some(signature) } => {
            Some(Block::Thinking { thinking: text, signature })
        }
        // Without its signature the model does not take it back.
        Part::Thinking { signature: None, .. } => {
            note(dropped, "reasoning_content");
            None
        }
        Part::RedactedThinking { data } => Some(Block::RedactedThinking { data }),
        Part::Other { kind, .. } => {
            note(dropped, kind);
            None
        }
    }
}

fn source(image: &Image) -> SourceOut<'_> {
    match image {
        Image::Url(url) => SourceOut::Url { url },
        Image::Base64 { media_type, data } => SourceOut::Base64 { media_type, data },
    }
}

fn tool_use(call: &ToolCall) -> Block<'_> {
    let object = serde_json::from_str::<&RawValue>(&call.arguments)
        .ok()
        .filter(|raw| raw.get().starts_with('{'));
    let input = match object {
        Some(raw) => Cow::Borrowed(raw),
        None if call.arguments.trim().is_empty() => Cow::Owned(raw(&json!({}))),
        // The model wrote broken JSON; the target takes objects only.
        None => Cow::Owned(raw(&json!({"malformed_arguments": call.arguments}))),
    };
    Block::ToolUse { id: safe_id(&call.id), name: &call.name, input }
}

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn tool_result<'a>(
    call_id: &'a str,
    content: &'a [Part],
    is_error: bool,
    dropped: &mut Vec<String>,
) -> Block<'a> {
    let mut mark = None;
    let mut blocks: Vec<_> = content.iter().filter_map(|part| block(part, dropped)).collect();
    for block in &mut blocks {
        // A mark belongs on the result itself, not inside it.
        if let Block::Text { cache_control, .. } = block {
            mark = cache_control.take().or(mark);
        }
    }
    Block::ToolResult {
        tool_use_id: safe_id(call_id),
        content: blocks,
        is_error,
        cache_control: mark,
    }
}

/// Ids must match `^[a-zA-Z0-9_-]+$`; other providers' do not always.
fn safe_id(id: &str) -> Cow<'_, str> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !id.is_empty() && id.chars().all(good) {
        return id.into();
    }
    let safe: String = id.chars().map(|c| if good(c) { c } else { '_' }).collect();
    if safe.is_empty() { "call".into() } else { safe.into() }
}
