//! Message content as clients of every protocol write it: one string or a list of typed parts.
//! Reads the parts of OpenAI chat, Messages and Responses in one pass, since their names do not
//! collide; unknown kinds are kept as they are.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::lenient::Whole;
use crate::chat::{Image, Part, ToolCall};

/// Content of a message or of a tool result.
#[derive(Debug, Default)]
pub(crate) struct Content(pub(crate) Vec<Part>);

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct ContentVisitor;
        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of parts")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content(vec![Part::text(text)]))
            }
            fn visit_unit<E: Error>(self) -> Result<Content, E> {
                Ok(Content::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
                let mut parts = Vec::new();
                while let Some(OnePart(part)) = list.next_element()? {
                    parts.push(part);
                }
                Ok(Content(parts))
            }
        }
        source.deserialize_any(ContentVisitor)
    }
}

struct OnePart(Part);

impl<'de> Deserialize<'de> for OnePart {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct PartVisitor;
        impl<'de> Visitor<'de> for PartVisitor {
            type Value = OnePart;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a content part (an object with a `type`)")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<OnePart, E> {
                Ok(OnePart(Part::text(text)))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OnePart, A::Error> {
                let mut fields = Fields::default();
                while let Some(key) = map.next_key::<String>()? {
                    fields.read(key, &mut map)?;
                }
                fields.into_part().map(OnePart)
            }
        }
        source.deserialize_any(PartVisitor)
    }
}

#[derive(Default)]
struct Fields {
    kind: Option<String>,
    text: Option<String>,
    cache_control: Option<Value>,
    image_url: Option<ImageUrl>,
    source: Option<Source>,
    id: Option<String>,
    name: Option<String>,
    input: Option<Box<RawValue>>,
    tool_use_id: Option<String>,
    content: Option<Content>,
    is_error: bool,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
    rest: Map<String, Value>,
}

/// OpenAI chat nests the address in an object, Responses does not.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an address or an object with `url`")]
enum ImageUrl {
    Bare(String),
    Object { url: String },
}

/// Anthropic's image source.
#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    media_type: Option<String>,
    data: Option<String>,
    url: Option<String>,
}

impl Fields {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: String, map: &mut A) -> Result<(), A::Error> {
        // A part of an unknown kind may use any of these names for something else.
        let foreign = self.kind.as_deref().is_some_and(|kind| !KNOWN.contains(&kind));
        match key.as_str() {
            "type" => self.kind = map.next_value()?,
            _ if foreign => {
                self.rest.insert(key, map.next_value()?);
            }
            "text" => self.text = map.next_value()?,
            "refusal" => self.text = self.text.take().or(map.next_value()?),
            "cache_control" => self.cache_control = map.next_value()?,
            "image_url" => self.image_url = map.next_value()?,
            "source" => self.source = serde_json::from_value(map.next_value()?).ok(),
            "id" => self.id = map.next_value()?,
            "name" => self.name = map.next_value()?,
            "input" => self.input = map.next_value()?,
            "tool_use_id" => self.tool_use_id = map.next_value()?,
            "content" => self.content = map.next_value()?,
            "is_error" => self.is_error = map.next_value::<Option<bool>>()?.unwrap_or_default(),
            "thinking" => self.thinking = map.next_value::<Option<Whole>>()?.map(|text| text.0),
            "signature" => self.signature = map.next_value()?,
            "data" => self.data = map.next_value()?,
            _ => {
                self.rest.insert(key, map.next_value()?);
            }
        }
        Ok(())
    }

    fn into_part<E: Error>(self) -> Result<Part, E> {
        let missing = |field: &str| E::custom(format!("`{field}` is missing"));
        let Some(kind) = self.kind else {
            let text = self.text.ok_or_else(|| missing("type"))?;
            return Ok(Part::Text { text, cache_control: self.cache_control });
        };
        Ok(match kind.as_str() {
            "text" | "input_text" | "output_text" | "refusal" | "summary_text"
            | "reasoning_text" => Part::Text {
                text: self.text.ok_or_else(|| missing("text"))?,
                cache_control: self.cache_control,
            },
            "image_url" | "input_image" => match self.image_url {
                Some(ImageUrl::Bare(url) | ImageUrl::Object { url }) => Part::Image(image(url)),
                None if kind == "input_image" => other(kind, self.rest),
                None => return Err(missing("image_url")),
            },
            "image" => match self.source.and_then(Source::into_image) {
                Some(image) => Part::Image(image),
                None => other(kind, self.rest),
            },
            "tool_use" => Part::ToolCall(ToolCall {
                id: self.id.ok_or_else(|| missing("id"))?,
                name: self.name.ok_or_else(|| missing("name"))?,
                arguments: self.input.map_or_else(|| "{}".to_owned(), |raw| raw.get().to_owned()),
            }),
            "tool_result" => Part::ToolResult {
                call_id: self.tool_use_id.ok_or_else(|| missing("tool_use_id"))?,
                content: self.content.unwrap_or_default().0,
                is_error: self.is_error,
            },
            "thinking" => Part::Thinking {
                text: self.thinking.unwrap_or_default(),
                signature: self.signature.filter(|signature| !signature.is_empty()),
            },
            "redacted_thinking" => {
                Part::RedactedThinking { data: self.data.ok_or_else(|| missing("data"))? }
            }
            _ => other(kind, self.rest),
        })
    }
}

const KNOWN: [&str; 13] = [
    "text",
    "input_text",
    "output_text",
    "refusal",
    "summary_text",
    "reasoning_text",
    "image_url",
    "input_image",
    "image",
    "tool_use",
    "tool_result",
    "thinking",
    "redacted_thinking",
];

fn other(kind: String, mut rest: Map<String, Value>) -> Part {
    rest.insert("type".to_owned(), Value::from(kind.as_str()));
    Part::Other { kind, raw: Value::Object(rest) }
}

impl Source {
    fn into_image(self) -> Option<Image> {
        match self.kind.as_str() {
            "url" => self.url.map(Image::Url),
            "base64" => Some(Image::Base64 { media_type: self.media_type?, data: self.data? }),
            _ => None,
        }
    }
}

/// An address; `data:` ones with base64 content become bytes.
pub(crate) fn image(url: String) -> Image {
    let parts = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match parts {
        Some((media_type, data)) => Image::Base64 {
            // Parameters such as `;charset=` are not part of the type.
            media_type: media_type.split(';').next().unwrap_or_default().to_owned(),
            data: data.to_owned(),
        },
        None => Image::Url(url),
    }
}
