//! Puts texts into a received request, at the end of a message's own content or of the system prompt.
//! The received bytes are edited in place and the canonical form alike; every byte that is not put in
//! stays. What is put where is decided by others.
//!
//! A string is made longer after a blank line; a list of parts gets one more at its end, so that tool
//! results stay first and a client's cache marks where they are. In Messages a string becomes the list
//! of one part that it is short for: clients write the same message now as one and now as the other.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{ChatRequest, Dialect, Message, Part, Role};
use crate::wire::raw::{RawObject, quoted};

/// Where in a request a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Index in [`ChatRequest::messages`] of a message of the role `user`.
    Message(usize),
    /// The end of the system prompt.
    System,
}

/// One text and its place.
#[derive(Clone, Copy, Debug)]
pub struct Insertion<'a> {
    pub place: Place,
    pub text: &'a str,
}

/// The request with every text at its place, several at one place in the order given. `None`: one of
/// the places does not exist, or has no content that could be added to.
pub fn with_context(request: &ChatRequest, insertions: &[Insertion<'_>]) -> Option<ChatRequest> {
    let dialect = request.origin.dialect;
    let outline = Outline::of(dialect, &request.origin.body)?;
    let users = request.messages.iter().filter(|message| message.role == Role::User).count();
    if users != outline.users.len() {
        return None;
    }
    let mut changed = request.clone();
    let mut splices = Vec::new();
    let mut new_system = None;
    for (place, texts) in by_place(insertions) {
        let target = match place {
            Place::Message(at) => Some((at, outline.user(request, at)?)),
            Place::System => outline.system(request),
        };
        let Some((at, content)) = target else {
            new_system = Some(joined("", &texts));
            continue;
        };
        let base = offset(&request.origin.body, content)?;
        let appended = append(dialect, content, &texts)?;
        splices.extend(appended.splices.into_iter().map(|(at, text)| (base + at, text)));
        extend(changed.messages.get_mut(at)?, &texts, appended.form)?;
    }
    changed.origin.body = spliced(&request.origin.body, splices);
    if let Some(text) = new_system {
        changed.origin.body = with_system(dialect, &changed.origin.body, &text)?;
        let message = Message { role: Role::System, parts: vec![Part::text(text)] };
        changed.messages.insert(0, message);
    }
    Some(changed)
}

/// The texts of each place, in the order in which the places are first named.
fn by_place<'a>(insertions: &[Insertion<'a>]) -> Vec<(Place, Vec<&'a str>)> {
    let mut places: Vec<(Place, Vec<&'a str>)> = Vec::new();
    for insertion in insertions {
        match places.iter_mut().find(|(place, _)| *place == insertion.place) {
            Some((_, texts)) => texts.push(insertion.text),
            None => places.push((insertion.place, vec![insertion.text])),
        }
    }
    places
}

/// The JSON texts of the contents that can be added to, as slices of the body.
struct Outline<'a> {
    /// Of each message of the role `user`, in order; `None`: it has none.
    users: Vec<Option<&'a str>>,
    /// Of the system messages that begin the list.
    leading: Vec<Option<&'a str>>,
    /// The system prompt beside the list, if it says anything.
    field: Option<&'a str>,
}

#[derive(Deserialize)]
struct MessageIn<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

/// Chat and Messages.
#[derive(Deserialize)]
struct ChatBody<'a> {
    #[serde(borrow)]
    messages: Vec<MessageIn<'a>>,
    #[serde(borrow)]
    system: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ResponsesBody<'a> {
    #[serde(borrow)]
    input: &'a RawValue,
    #[serde(borrow)]
    instructions: Option<&'a RawValue>,
}

impl<'a> Outline<'a> {
    fn of(dialect: Dialect, body: &'a [u8]) -> Option<Self> {
        match dialect {
            Dialect::OpenAi => {
                let body: ChatBody<'a> = serde_json::from_slice(body).ok()?;
                Some(Self::of_list(&body.messages, None))
            }
            Dialect::Anthropic => {
                let body: ChatBody<'a> = serde_json::from_slice(body).ok()?;
                Some(Self::of_list(&body.messages, body.system))
            }
            Dialect::Responses => {
                let body: ResponsesBody<'a> = serde_json::from_slice(body).ok()?;
                let input = body.input.get();
                if input.starts_with('"') {
                    let field = said(body.instructions);
                    return Some(Self { users: vec![Some(input)], leading: Vec::new(), field });
                }
                let mut items: Vec<MessageIn<'a>> = serde_json::from_str(input).ok()?;
                // Other items may have a role too, but are no messages.
                for item in &mut items {
                    if item.kind.is_some_and(|kind| kind.get() != "\"message\"") {
                        item.role = None;
                    }
                }
                Some(Self::of_list(&items, body.instructions))
            }
            Dialect::Ollama => None,
        }
    }

    fn of_list(messages: &[MessageIn<'a>], field: Option<&'a RawValue>) -> Self {
        let is = |message: &&MessageIn<'a>, roles: &[&str]| {
            message.role.as_deref().is_some_and(|role| roles.contains(&role))
        };
        let content = |message: &MessageIn<'a>| message.content.map(RawValue::get);
        let leading = messages.iter().take_while(|message| is(message, &["system", "developer"]));
        Self {
            users: messages.iter().filter(|m| is(m, &["user"])).map(content).collect(),
            leading: leading.map(content).collect(),
            field: said(field),
        }
    }

    /// The content of the user's message `at`.
    fn user(&self, request: &ChatRequest, at: usize) -> Option<&'a str> {
        let is_user = |message: &&Message| message.role == Role::User;
        request.messages.get(at).filter(is_user)?;
        let before = request.messages.iter().take(at).filter(is_user).count();
        *self.users.get(before)?
    }

    /// The end of the system prompt: the index of its canonical message, and its content. `None`:
    /// there is no system prompt.
    fn system(&self, request: &ChatRequest) -> Option<(usize, &'a str)> {
        let Some(last) = self.leading.last() else { return Some((0, self.field?)) };
        let is_system = |message: &&Message| matches!(message.role, Role::System | Role::Developer);
        let count = request.messages.iter().take_while(is_system).count();
        Some((count.checked_sub(1)?, (*last)?))
    }
}

/// The field, unless it is an empty list, which stands for no message.
fn said(field: Option<&RawValue>) -> Option<&str> {
    field.map(RawValue::get).filter(|json| !is_empty_list(json))
}

fn is_empty_list(json: &str) -> bool {
    let inside = json.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// Where `part`, a slice of `body`, begins in it.
fn offset(body: &[u8], part: &str) -> Option<usize> {
    let at = part.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
    (body.get(at..at + part.len())? == part.as_bytes()).then_some(at)
}

/// How the canonical parts change with the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The only text is longer.
    Longer,
    /// There is one more part for each text.
    More,
}

struct Appended {
    /// Places in the content, rising, and the JSON that goes there.
    splices: Vec<(usize, String)>,
    form: Form,
}

fn append(dialect: Dialect, content: &str, texts: &[&str]) -> Option<Appended> {
    let end = content.len().checked_sub(1)?;
    let kind = if dialect == Dialect::Responses { "input_text" } else { "text" };
    let parts = || -> Vec<String> {
        let part = |text: &&str| format!("{{\"type\":\"{kind}\",\"text\":{}}}", quoted(text));
        texts.iter().map(part).collect()
    };
    match content.as_bytes().first()? {
        b'"' if dialect == Dialect::Anthropic => {
            let head = "[{\"type\":\"text\",\"text\":".to_owned();
            let tail = format!("}},{}]", parts().join(","));
            let splices = vec![(0, head), (content.len(), tail)];
            Some(Appended { splices, form: Form::More })
        }
        b'"' => {
            let own = content.get(1..end)?;
            let quoted = quoted(&joined(own, texts));
            let inside = quoted.get(1..quoted.len() - 1)?.to_owned();
            Some(Appended { splices: vec![(end, inside)], form: Form::Longer })
        }
        b'[' => {
            let comma = if is_empty_list(content) { "" } else { "," };
            let more = format!("{comma}{}", parts().join(","));
            Some(Appended { splices: vec![(end, more)], form: Form::More })
        }
        _ => None,
    }
}

/// What follows `own`: each text after a blank line.
fn joined(own: &str, texts: &[&str]) -> String {
    let texts = texts.join("\n\n");
    if own.is_empty() { texts } else { format!("\n\n{texts}") }
}

fn extend(message: &mut Message, texts: &[&str], form: Form) -> Option<()> {
    match form {
        Form::More => message.parts.extend(texts.iter().map(|text| Part::text(*text))),
        Form::Longer => {
            let Part::Text { text: own, .. } = message.parts.last_mut()? else { return None };
            let more = joined(own, texts);
            own.push_str(&more);
        }
    }
    Some(())
}

fn spliced(body: &Bytes, mut splices: Vec<(usize, String)>) -> Bytes {
    if splices.is_empty() {
        return body.clone();
    }
    splices.sort_by_key(|(at, _)| *at);
    let more: usize = splices.iter().map(|(_, text)| text.len()).sum();
    let mut json = Vec::with_capacity(body.len() + more);
    let mut from = 0;
    for (at, text) in splices {
        json.extend_from_slice(body.get(from..at).unwrap_or_default());
        json.extend_from_slice(text.as_bytes());
        from = at;
    }
    json.extend_from_slice(body.get(from..).unwrap_or_default());
    json.into()
}

/// The body with a system prompt where there was none.
fn with_system(dialect: Dialect, body: &[u8], text: &str) -> Option<Bytes> {
    let mut object = RawObject::parse(body).ok()?;
    match dialect {
        Dialect::OpenAi => {
            let list = object.get("messages")?.strip_prefix('[')?;
            let head = format!("[{{\"role\":\"system\",\"content\":{}}}", quoted(text));
            let list = format!("{head},{list}");
            object.set("messages", list);
        }
        Dialect::Anthropic => object.set("system", quoted(text)),
        Dialect::Responses => object.set("instructions", quoted(text)),
        Dialect::Ollama => return None,
    }
    Some(object.to_bytes().into())
}

#[cfg(test)]
mod tests;
