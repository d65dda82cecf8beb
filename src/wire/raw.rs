//! A JSON object as received, edited member by member. What is not touched is written out exactly
//! as it came: numbers, escapes, duplicate keys and order. It never looks inside a value.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of one object in order, as JSON text.
#[derive(Clone, Debug)]
pub(crate) struct RawObject<'a> {
    members: Vec<Member<'a>>,
}

#[derive(Clone, Debug)]
struct Member<'a> {
    /// With its quotes, as received.
    key: Cow<'a, str>,
    value: Cow<'a, str>,
}

impl Member<'_> {
    fn is(&self, name: &str) -> bool {
        let inner = self.key.get(1..self.key.len() - 1).unwrap_or_default();
        if inner.contains('\\') {
            return serde_json::from_str::<String>(&self.key).is_ok_and(|key| key == name);
        }
        inner == name
    }
}

impl<'a> RawObject<'a> {
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The names of the members, decoded.
    pub(crate) fn keys(&self) -> impl Iterator<Item = String> + '_ {
        self.members.iter().filter_map(|member| serde_json::from_str(&member.key).ok())
    }

    /// The JSON text of the last member of that name (what a parser would take).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.members.iter().rev().find(|member| member.is(name)).map(|member| &*member.value)
    }

    /// Present and not `null`.
    pub(crate) fn has_value(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "null")
    }

    /// Replaces the value at its place, or appends the member.
    pub(crate) fn set(&mut self, name: &str, json: impl Into<Cow<'a, str>>) {
        let json = json.into();
        let Some(place) = self.members.iter().position(|member| member.is(name)) else {
            self.members.push(Member { key: quoted(name).into(), value: json });
            return;
        };
        self.members[place].value = json;
        let mut seen = false;
        self.members.retain(|member| !member.is(name) || !std::mem::replace(&mut seen, true));
    }

    /// Gives the member another name at the same place.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        for member in self.members.iter_mut().filter(|member| member.is(from)) {
            member.key = quoted(to).into();
        }
    }

    /// Takes the member out; tells whether it held something other than `null`.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let had = self.has_value(name);
        self.members.retain(|member| !member.is(name));
        had
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let size = self.members.iter().map(|m| m.key.len() + m.value.len() + 2).sum::<usize>();
        let mut json = Vec::with_capacity(size + 2);
        self.write(&mut json);
        json
    }

    pub(crate) fn write(&self, json: &mut Vec<u8>) {
        json.push(b'{');
        for (index, member) in self.members.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            json.extend_from_slice(member.key.as_bytes());
            json.push(b':');
            json.extend_from_slice(member.value.as_bytes());
        }
        json.push(b'}');
    }
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = RawObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    members.push(Member { key: key.get().into(), value: value.get().into() });
                }
                Ok(RawObject { members })
            }
        }
        source.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edited(json: &str, edit: impl FnOnce(&mut RawObject<'_>)) -> String {
        let mut object = RawObject::parse(json.as_bytes()).unwrap();
        edit(&mut object);
        String::from_utf8(object.to_bytes()).unwrap()
    }

    #[test]
    fn untouched_values_keep_their_bytes_their_order_and_their_duplicates() {
        let json = r#"{"a":1.0,"b":1e5,"c":123456789012345678901234567890,"d":"\u00e9\/","a":[ 1,  2 ],"\u0065":{"x":-0.0}}"#;
        assert_eq!(edited(json, |_| ()), json);
    }

    #[test]
    fn a_value_is_replaced_at_its_place_and_a_new_member_goes_last() {
        let json = r#"{"a":1,"model":"x","b":2}"#;
        assert_eq!(edited(json, |o| o.set("model", r#""y""#)), r#"{"a":1,"model":"y","b":2}"#);
        assert_eq!(
            edited(json, |o| o.set("new", "true")),
            r#"{"a":1,"model":"x","b":2,"new":true}"#
        );
    }

    #[test]
    fn an_escaped_key_is_the_same_key() {
        let json = r#"{"\u006dodel":"x","a":1}"#;
        assert_eq!(edited(json, |o| o.set("model", "1")), r#"{"\u006dodel":1,"a":1}"#);
    }

    #[test]
    fn replacing_a_duplicated_member_leaves_one() {
        assert_eq!(edited(r#"{"m":1,"a":0,"m":2}"#, |o| o.set("m", "3")), r#"{"m":3,"a":0}"#);
    }

    #[test]
    fn removing_tells_whether_there_was_a_value_and_keeps_the_order_of_the_rest() {
        let mut had = (false, true);
        let json = edited(r#"{"a":1,"b":2,"c":null,"d":4}"#, |o| {
            had = (o.remove("b"), o.remove("c"));
        });
        assert_eq!((json.as_str(), had), (r#"{"a":1,"d":4}"#, (true, false)));
    }

    proptest! {
        #[test]
        fn an_edit_of_one_member_changes_no_other_byte(
            before in prop::collection::vec(("[a-ln-z]{1,6}", value()), 0..6),
            after in prop::collection::vec(("[a-ln-z]{1,6}", value()), 0..6),
        ) {
            let text = |members: &[(String, String)]| -> Vec<String> {
                members.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect()
            };
            let all = |model: &str| {
                let mut parts = text(&before);
                parts.push(format!("\"model\":{model}"));
                parts.extend(text(&after));
                format!("{{{}}}", parts.join(","))
            };
            prop_assert_eq!(edited(&all("\"old\""), |o| o.set("model", "\"new\"")), all("\"new\""));
        }
    }

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("1.0".to_owned()),
            Just("1e5".to_owned()),
            Just("-0".to_owned()),
            "[1-9][0-9]{0,30}",
            r#""[a-z \u{e9}]{0,8}(\\\\u00e9|\\\\n|\\\\/)?""#,
            Just(r#"{"b":[1,{"a":null}],  "a":1E+2}"#.to_owned()),
        ]
    }
}
