//! Small readers for what providers and clients write in more than one way.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A count of tokens: whole numbers, floats with nothing behind the point; below zero is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct CountVisitor;
        impl Visitor<'_> for CountVisitor {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Count, E> {
                Ok(Count(value))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Count, E> {
                Ok(Count(u64::try_from(value).unwrap_or(0)))
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, and the cast saturates"
            )]
            fn visit_f64<E: Error>(self, value: f64) -> Result<Count, E> {
                if value.fract() == 0.0 {
                    Ok(Count(value as u64))
                } else {
                    Err(E::invalid_type(serde::de::Unexpected::Float(value), &self))
                }
            }
        }
        source.deserialize_any(CountVisitor)
    }
}

/// A piece of generated text: all of it, or only its length.
pub(crate) trait Piece: Default {
    fn from_text(text: &str) -> Self;
    fn add(&mut self, more: &str);
}

/// Only how many bytes of text there were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Length(pub(crate) u64);

impl Piece for Length {
    fn from_text(text: &str) -> Self {
        Self(text.len() as u64)
    }
    fn add(&mut self, more: &str) {
        self.0 += more.len() as u64;
    }
}

/// The text itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whole(pub(crate) String);

impl Piece for Whole {
    fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }
    fn add(&mut self, more: &str) {
        self.0.push_str(more);
    }
}

macro_rules! deserialize_piece {
    ($type:ident) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                source.deserialize_any(PieceVisitor(std::marker::PhantomData::<$type>))
            }
        }
    };
}
deserialize_piece!(Length);
deserialize_piece!(Whole);

/// A string; a list or an object of text parts (Mistral) gives the text inside.
struct PieceVisitor<P>(std::marker::PhantomData<P>);

impl<'de, P: Piece> Visitor<'de> for PieceVisitor<P> {
    type Value = P;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<P, E> {
        Ok(P::from_text(text))
    }
    fn visit_unit<E: Error>(self) -> Result<P, E> {
        Ok(P::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<P, A::Error> {
        let mut all = P::default();
        while let Some(text) = list.next_element::<PartText>()? {
            all.add(&text.0);
        }
        Ok(all)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<P, A::Error> {
        Ok(P::from_text(&text_of(map)?))
    }
}

/// The text inside a part, whatever its kind.
struct PartText(String);

impl<'de> Deserialize<'de> for PartText {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(PieceVisitor(std::marker::PhantomData::<Whole>)).map(|w| Self(w.0))
    }
}

fn text_of<'de, A: MapAccess<'de>>(mut map: A) -> Result<String, A::Error> {
    let mut all = String::new();
    while let Some(key) = map.next_key::<String>()? {
        if key == "text" || key == "thinking" {
            all.push_str(&map.next_value::<PartText>()?.0);
        } else {
            map.next_value::<IgnoredAny>()?;
        }
    }
    Ok(all)
}

/// One string, a list of strings, or `null`.
pub(crate) fn strings<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    struct Strings;
    impl<'de> Visitor<'de> for Strings {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or a list of strings")
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(text) = list.next_element()? {
                all.push(text);
            }
            Ok(all)
        }
    }
    source.deserialize_any(Strings)
}

/// `null` as the default.
pub(crate) fn nullable<'de, T, D>(source: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(source).map(Option::unwrap_or_default)
}

/// A cap in tokens; zero and below mean that there is none.
pub(crate) fn cap<'de, D: Deserializer<'de>>(source: D) -> Result<Option<u32>, D::Error> {
    let count = Option::<Count>::deserialize(source)?;
    Ok(count.filter(|n| n.0 > 0).map(|n| u32::try_from(n.0).unwrap_or(u32::MAX)))
}

/// A non-negative whole number; anything else of a number is as if absent.
pub(crate) fn seed<'de, D: Deserializer<'de>>(source: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(source)?;
    Ok(number.and_then(|n| n.as_u64()))
}

/// A word; anything else is as if absent.
pub(crate) fn word<'de, D: Deserializer<'de>>(source: D) -> Result<Option<String>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(source)?;
    Ok(value.and_then(|value| value.as_str().map(str::to_owned)))
}

/// Whether something stands there at all.
pub(crate) fn given<'de, D: Deserializer<'de>>(source: D) -> Result<bool, D::Error> {
    Ok(Option::<IgnoredAny>::deserialize(source)?.is_some())
}
