//! What is remembered of a conversation between its requests: its task, tier, model and the
//! prefixes that providers hold in their caches. Decides which conversation a request belongs to
//! and when its model may change; which model that is, others choose. Nothing is kept on disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache;

use crate::analyze::first_human_text;
use crate::catalog::Tier;
use crate::chat::{ChatRequest, Message, Part, Role};
use crate::ids::ModelId;

/// Most conversations remembered; the least used ones are forgotten first.
const MOST: u64 = 100_000;

/// A first block of a system prompt that differs from request to request (Claude Code's attribution
/// line), by its first words.
const VOLATILE: &[&str] = &["x-anthropic-billing-header", "x-billing"];

/// Names a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The conversation that a request belongs to: the client's own id where it sends one, else its
/// key, its system prompt and the first human words, which stay the same from turn to turn.
pub fn fingerprint(key: &str, session: Option<&str>, request: &ChatRequest) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    let mut part = |kind: u8, text: &str| {
        hasher.update(&[kind]);
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(b'k', key);
    if let Some(session) = session {
        part(b's', session);
    } else {
        for text in system_texts(&request.messages) {
            part(b'p', text);
        }
        part(b'h', first_human_text(request).as_deref().unwrap_or(""));
    }
    short(&hasher.finalize())
}

/// One of the threads that a client's own id may hold together (a sub-agent, what comes after the
/// history was cleared): each begins with words of its own.
pub fn thread(conversation: Fingerprint, request: &ChatRequest) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    hasher.update(conversation.as_bytes());
    hasher.update(first_human_text(request).as_deref().unwrap_or("").as_bytes());
    short(&hasher.finalize())
}

/// A hash of an instruction: equal for every request of one task.
pub fn instruction_hash(text: &str) -> Fingerprint {
    short(&blake3::hash(text.trim().as_bytes()))
}

fn short(hash: &blake3::Hash) -> Fingerprint {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    Fingerprint(bytes)
}

/// The system prompt: what stands before the first message of anyone else. Later system messages
/// differ from turn to turn (Claude Code).
fn system_texts(messages: &[Message]) -> impl Iterator<Item = &str> {
    messages
        .iter()
        .take_while(|message| matches!(message.role, Role::System | Role::Developer))
        .flat_map(|message| &message.parts)
        .filter_map(|part| match part {
            Part::Text { text, .. } => Some(text.as_str()),
            Part::Image(_)
            | Part::ToolCall(_)
            | Part::ToolResult { .. }
            | Part::Thinking { .. }
            | Part::RedactedThinking { .. }
            | Part::Other { .. } => None,
        })
        .filter(|text| !VOLATILE.iter().any(|head| text.starts_with(head)))
}

/// A prefix that a provider was sent last and may still hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachedPrefix {
    /// Prompt tokens of that request.
    pub tokens: u32,
    pub sent: Instant,
}

/// What is known of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    pub instruction: Fingerprint,
    /// The tier that the task was routed by.
    pub tier: Tier,
    /// The tier of its work, whatever a header forced.
    pub height: Tier,
    pub model: ModelId,
    /// Human texts so far.
    pub turn: u32,
    pub prefixes: HashMap<ModelId, CachedPrefix>,
}

impl Memory {
    /// Tokens of the prefix that `model` holds at `now`, if its cache lives that long.
    pub fn cached_tokens(&self, model: &ModelId, now: Instant, lifetime: Duration) -> u32 {
        self.prefixes
            .get(model)
            .filter(|prefix| now.saturating_duration_since(prefix.sent) <= lifetime)
            .map_or(0, |prefix| prefix.tokens)
    }
}

/// What a request may do with the model of its conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Same task, no harder than before: the model stays.
    Keep(ModelId),
    /// A new task, a harder one, or a conversation not seen before.
    MayMove,
}

/// One task, one model: it is kept until a new instruction arrives or the task turns out harder.
pub fn pin(previous: Option<&Memory>, instruction: Fingerprint, tier: Tier) -> Pin {
    match previous {
        Some(memory) if memory.instruction == instruction && tier <= memory.tier => {
            Pin::Keep(memory.model.clone())
        }
        Some(_) | None => Pin::MayMove,
    }
}

/// What one answered request adds to the memory.
#[derive(Clone, Debug)]
pub struct Turn {
    pub instruction: Fingerprint,
    pub tier: Tier,
    pub height: Tier,
    pub model: ModelId,
    pub turn: u32,
    /// Prompt tokens that the provider saw.
    pub prompt_tokens: u32,
}

/// The conversations of the last while. Cheap to clone; bounded in number and age.
#[derive(Clone, Debug)]
pub struct Conversations(Cache<Fingerprint, Arc<Memory>>);

impl Conversations {
    /// Forgets a conversation `sticky` after its last request.
    pub fn new(sticky: Duration) -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_idle(sticky).build())
    }

    pub fn lookup(&self, conversation: Fingerprint) -> Option<Arc<Memory>> {
        self.0.get(&conversation)
    }

    /// Notes which model served a request; prefixes that other models hold are kept.
    pub fn remember(&self, conversation: Fingerprint, turn: Turn, now: Instant) {
        self.0.entry(conversation).and_upsert_with(|known| {
            let mut prefixes =
                known.map_or_else(HashMap::new, |entry| entry.into_value().prefixes.clone());
            let prefix = CachedPrefix { tokens: turn.prompt_tokens, sent: now };
            prefixes.insert(turn.model.clone(), prefix);
            Arc::new(Memory {
                instruction: turn.instruction,
                tier: turn.tier,
                height: turn.height,
                model: turn.model,
                turn: turn.turn,
                prefixes,
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::chat::{Dialect, Origin, Sampling};
    use crate::clock::{Clock, ManualClock};

    use super::*;

    fn request(texts: &[(Role, &str)]) -> ChatRequest {
        let message =
            |(role, text): &(Role, &str)| Message { role: *role, parts: vec![Part::text(*text)] };
        ChatRequest {
            model: String::new(),
            stream: false,
            include_usage: false,
            messages: texts.iter().map(message).collect(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            max_output_tokens: None,
            sampling: Sampling::default(),
            output_format: None,
            reasoning_effort: None,
            surcharges: crate::chat::Surcharges::default(),
            origin: Origin { dialect: Dialect::OpenAi, body: Bytes::new() },
        }
    }

    fn turn(model: &str, tokens: u32) -> Turn {
        Turn {
            instruction: instruction_hash("fix it"),
            tier: Tier::Standard,
            height: Tier::Standard,
            model: model.into(),
            turn: 1,
            prompt_tokens: tokens,
        }
    }

    #[test]
    fn a_conversation_keeps_its_name_as_it_grows() {
        let first = [(Role::System, "be kind"), (Role::User, "write a parser")];
        let later = [
            (Role::System, "be kind"),
            (Role::User, "write a parser"),
            (Role::Assistant, "done"),
            (Role::User, "and tests"),
        ];
        let name = |texts: &[(Role, &str)]| fingerprint("k1", None, &request(texts));
        assert_eq!(name(&first), name(&later));
        assert_ne!(name(&first), fingerprint("k2", None, &request(&first)));
        assert_ne!(name(&first), name(&[(Role::System, "be kind"), (Role::User, "write a lexer")]));
        assert_ne!(
            name(&first),
            name(&[(Role::System, "be curt"), (Role::User, "write a parser")])
        );
    }

    #[test]
    fn a_line_that_changes_with_every_request_does_not_count() {
        let with = |line: &str| {
            let texts = [(Role::System, line), (Role::System, "be kind"), (Role::User, "go")];
            fingerprint("k", None, &request(&texts))
        };
        assert_eq!(
            with("x-anthropic-billing-header: cch=1"),
            with("x-anthropic-billing-header: cch=2")
        );
    }

    #[test]
    fn the_clients_own_session_id_decides_alone() {
        let one = request(&[(Role::User, "a")]);
        let other = request(&[(Role::User, "b")]);
        assert_eq!(fingerprint("k", Some("s"), &one), fingerprint("k", Some("s"), &other));
        assert_ne!(fingerprint("k", Some("s"), &one), fingerprint("k", Some("t"), &one));
    }

    #[test]
    fn threads_under_one_id_are_told_apart_by_their_first_words() {
        let of = |texts: &[(Role, &str)]| {
            let request = request(texts);
            thread(fingerprint("k", Some("s"), &request), &request)
        };
        let plan = [(Role::System, "plan"), (Role::User, "write a parser")];
        let act = [(Role::System, "act"), (Role::User, "write a parser"), (Role::User, "go")];
        assert_eq!(of(&plan), of(&act));
        assert_ne!(of(&plan), of(&[(Role::System, "plan"), (Role::User, "find all callers")]));
    }

    #[test]
    fn one_task_keeps_its_model_until_it_gets_harder_or_a_new_one_comes() {
        let memory = Memory {
            instruction: instruction_hash("fix it"),
            tier: Tier::Standard,
            height: Tier::Standard,
            model: "a/b".into(),
            turn: 1,
            prefixes: HashMap::new(),
        };
        let same = instruction_hash(" fix it ");
        assert_eq!(pin(Some(&memory), same, Tier::Standard), Pin::Keep("a/b".into()));
        assert_eq!(pin(Some(&memory), same, Tier::Trivial), Pin::Keep("a/b".into()));
        assert_eq!(pin(Some(&memory), same, Tier::Complex), Pin::MayMove);
        assert_eq!(pin(Some(&memory), instruction_hash("other"), Tier::Standard), Pin::MayMove);
        assert_eq!(pin(None, same, Tier::Standard), Pin::MayMove);
    }

    #[test]
    fn a_prefix_counts_as_cached_only_for_its_model_and_while_the_cache_lives() {
        let clock = ManualClock::at("2026-11-21T08:00:00Z".parse().unwrap());
        let conversations = Conversations::new(Duration::from_secs(3600));
        let name = fingerprint("k", Some("s"), &request(&[]));
        conversations.remember(name, turn("a/b", 900), clock.instant());
        clock.advance(Duration::from_secs(200));
        conversations.remember(name, turn("c/d", 1200), clock.instant());
        clock.advance(Duration::from_secs(200));
        let memory = conversations.lookup(name).unwrap();
        let cached = |model: &str| {
            memory.cached_tokens(&model.into(), clock.instant(), Duration::from_secs(300))
        };
        assert_eq!((cached("a/b"), cached("c/d"), cached("e/f")), (0, 1200, 0));
    }
}
