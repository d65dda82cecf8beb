//! Steps 3 to 6: whose words, how hard, which models. Changes no state.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::{ChatError, ReplyMeta, RequestContext, give};
use crate::analyze::{self, Instruction, Source, Verdict};
use crate::catalog::{AliasStrategy, Capabilities, Gone, Model, Resolution, Target, Tier};
use crate::chat::{ChatRequest, Role};
use crate::context::Given;
use crate::conversation::{self, Fingerprint, Memory, Pin};
use crate::keys::Permit;
use crate::ledger::Headroom;
use crate::limits::Down;
use crate::providers::ProviderSettings;
use crate::state::{AppState, Runtime};
use crate::strategy::estimate::{self, PromptTokens};
use crate::strategy::{self, Facts, Plan, Question, Spread, UnknownModel, Wanted};
use crate::{telemetry, wire};

/// How long a provider keeps a prefix, at least (Anthropic's default; OpenAI's is 5 to 10 minutes).
const PREFIX_LIFETIME: Duration = Duration::from_secs(300);

/// What the client's model name came to.
#[derive(Debug)]
pub(super) enum Choice {
    Auto,
    Named {
        strategy: AliasStrategy,
        targets: Vec<Target>,
    },
    /// The name leads nowhere.
    Nothing(ChatError),
}

/// Everything that was decided about a request before the first call.
#[derive(Debug)]
pub(super) struct Decision {
    pub context: RequestContext,
    /// With what it was given.
    pub request: Arc<ChatRequest>,
    /// Project context that was put in.
    pub given: Option<Given>,
    pub instruction: Instruction,
    pub verdict: Verdict,
    /// The tier of the work before a header or a name overruled it.
    pub height: Tier,
    pub required: Capabilities,
    pub prompt: PromptTokens,
    pub choice: Choice,
    /// What the caller's key may be served by; no other model is looked at.
    pub permit: Permit,
    pub headroom: Arc<Headroom>,
    pub conversation: Fingerprint,
    /// Names the instruction, to see whether the task is still the same.
    pub task: Fingerprint,
    pub memory: Option<Arc<Memory>>,
    /// For aliases that take turns or draw lots.
    pub spread: Spread,
    pub plan: Plan,
}

/// `counter` is the number of requests before this one, for aliases that take turns.
pub(super) async fn decide(
    app: &AppState,
    mut context: RequestContext,
    request: ChatRequest,
    counter: u64,
) -> Decision {
    let runtime = &app.runtime;
    let (choice, named_tier, permit) = resolve(&context, &request);
    let instruction = analyze::find_instruction(&request);
    let judged = judge(runtime, &context, &instruction).await;
    let headroom = headroom(runtime, &context).await;
    let session = context.session.as_deref();
    let fingerprint = conversation::fingerprint(context.caller.key.as_str(), session, &request);
    let given = give::give(runtime, &context, (&request, &instruction), fingerprint).await;
    if let Some(given) = &given {
        context.project.get_or_insert_with(|| given.project.to_string());
    }
    let task = Task::of(runtime, &instruction, (&request, fingerprint));
    let judged = keep_height(judged, task.memory.as_deref(), task.name);
    let plain = Arc::new(request);
    let mut decision = Decision {
        verdict: overrule(judged, &choice, context.forced_tier.or(named_tier)),
        height: judged.tier,
        required: wire::required(&plain),
        prompt: PromptTokens::default(),
        request: Arc::clone(&plain),
        given: None,
        context,
        instruction,
        choice,
        permit,
        headroom,
        conversation: fingerprint,
        task: task.name,
        memory: task.memory,
        spread: Spread { counter, random: rand::random() },
        plan: Plan::default(),
    };
    decision.plan_for(runtime, given);
    if decision.plan.candidates.is_empty() && decision.given.is_some() {
        // Context never keeps a request from being served.
        telemetry::context_left_out("no_room");
        decision.request = plain;
        decision.plan_for(runtime, None);
    }
    decision
}

/// Which task a request belongs to.
struct Task {
    /// Names the instruction.
    name: Fingerprint,
    memory: Option<Arc<Memory>>,
}

impl Task {
    fn of(
        runtime: &Runtime,
        instruction: &Instruction,
        (request, conversation): (&ChatRequest, Fingerprint),
    ) -> Self {
        // Without an answer in it a request begins its task, also when its words were sent before.
        let answered = request.messages.iter().any(|message| message.role == Role::Assistant);
        let memory = if answered { runtime.conversations.lookup(conversation) } else { None };
        // "continue" and "still fails" belong to the task that they follow.
        let base = instruction.continues.last().unwrap_or(&instruction.text);
        Self { name: conversation::instruction_hash(base), memory }
    }
}

/// What may be spent, as far as is known without asking the ledger for it.
pub(super) async fn headroom(runtime: &Runtime, context: &RequestContext) -> Arc<Headroom> {
    let own = context.caller.budget().map(AsRef::as_ref);
    runtime.ledger.recent_headroom_of(own).await.unwrap_or_else(|error| {
        // Nothing is lost by planning without it: the reservation asks the file again.
        tracing::warn!(%error, "the budget of a client key cannot be read");
        runtime.ledger.recent_headroom()
    })
}

/// What the requested name stands for within the bounds of the caller's key, the tier that it forces,
/// and those bounds.
fn resolve(context: &RequestContext, request: &ChatRequest) -> (Choice, Option<Tier>, Permit) {
    let snapshot = &context.snapshot;
    let (asked, resolution) = match snapshot.catalog.resolve(&request.model, context.received_at) {
        // It is `auto` that is asked for then, also where a key's list has the unknown name.
        Resolution::Unknown { .. }
            if snapshot.config.routing.unknown_model == UnknownModel::Auto =>
        {
            ("auto", Resolution::Auto(None))
        }
        resolution => (request.model.as_str(), resolution),
    };
    let narrowed = match &context.caller.client {
        Some(client) => client.narrow(asked, resolution, &snapshot.catalog, context.received_at),
        None => Ok((resolution, Permit::default())),
    };
    let (resolution, permit) = match narrowed {
        Ok(narrowed) => narrowed,
        Err(refused) => {
            let message = refused.to_string();
            let nothing = Choice::Nothing(ChatError::ModelNotAllowed { message });
            return (nothing, None, Permit::default());
        }
    };
    let (choice, tier) = match resolution {
        Resolution::Auto(tier) => (Choice::Auto, tier),
        Resolution::Models { strategy, targets } => (Choice::Named { strategy, targets }, None),
        Resolution::Removed(gone) => (Choice::Nothing(removed(&gone)), None),
        Resolution::Unknown { nearest } => {
            (Choice::Nothing(unknown(&request.model, nearest)), None)
        }
    };
    (choice, tier, permit)
}

fn removed(gone: &Gone) -> ChatError {
    ChatError::ModelNotFound {
        message: format!("{gone}."),
        nearest: gone.replacement.iter().cloned().collect(),
    }
}

fn unknown(asked: &str, nearest: Vec<String>) -> ChatError {
    let asked: String = asked.chars().take(100).collect();
    let hint =
        if nearest.is_empty() { String::new() } else { format!(" Near: {}.", nearest.join(", ")) };
    ChatError::ModelNotFound {
        message: format!(
            "No model or alias is called `{asked}`.{hint} GET /v1/models lists all; `auto` lets the router choose."
        ),
        nearest,
    }
}

/// The tier of the human's words: by the model, else by rules; a follow-up has at least the tier of
/// what it continues.
async fn judge(runtime: &Runtime, context: &RequestContext, instruction: &Instruction) -> Verdict {
    let own = match instruction.side {
        Some(tier) => Verdict::certain(tier, Source::SideRequest),
        None if instruction.closing => Verdict::certain(Tier::Trivial, Source::Heuristic),
        None => classify(runtime, context, &instruction.text).await,
    };
    let mut inherited: Option<Verdict> = None;
    for earlier in &instruction.continues {
        let verdict = classify(runtime, context, earlier).await;
        if inherited.is_none_or(|best| verdict.tier > best.tier) {
            inherited = Some(verdict);
        }
    }
    analyze::combine(own, inherited, instruction)
}

/// Within a task the tier only moves up: what raised it may have left the history since.
fn keep_height(judged: Verdict, memory: Option<&Memory>, task: Fingerprint) -> Verdict {
    match memory {
        Some(memory)
            if judged.source != Source::SideRequest
                && memory.instruction == task
                && memory.height > judged.tier =>
        {
            let confidence = judged.scores.get(memory.height.index()).copied().unwrap_or(0.0);
            Verdict { tier: memory.height, confidence, source: Source::Inherited, ..judged }
        }
        Some(_) | None => judged,
    }
}

async fn classify(runtime: &Runtime, context: &RequestContext, text: &str) -> Verdict {
    let loss = &context.snapshot.config.classifier.loss;
    match runtime.classifier.classify(text).await {
        Ok(scores) => analyze::decide(&scores, loss),
        Err(error) => {
            telemetry::classifier_degraded(&error);
            Verdict {
                source: Source::Heuristic,
                ..analyze::decide(&analyze::heuristic(text), loss)
            }
        }
    }
}

fn overrule(judged: Verdict, choice: &Choice, forced: Option<Tier>) -> Verdict {
    match (forced, choice) {
        (Some(tier), _) => Verdict::certain(tier, Source::Header),
        (None, Choice::Named { .. }) => Verdict { source: Source::Explicit, ..judged },
        (None, Choice::Auto | Choice::Nothing(_)) => judged,
    }
}

impl Decision {
    /// The error of a name that leads nowhere.
    pub(super) fn unresolved(&mut self) -> Option<ChatError> {
        match std::mem::replace(&mut self.choice, Choice::Auto) {
            Choice::Nothing(error) => Some(error),
            choice => {
                self.choice = choice;
                None
            }
        }
    }

    /// Plans for the request with what it was given.
    fn plan_for(&mut self, runtime: &Runtime, given: Option<Given>) {
        if let Some(given) = &given {
            self.request = Arc::clone(&given.request);
        }
        self.given = given;
        self.prompt = estimate::prompt_tokens(&self.request);
        self.plan = self.choose(runtime);
    }

    fn choose(&self, runtime: &Runtime) -> Plan {
        let snapshot = &self.context.snapshot;
        let facts = |model: &Model| self.facts(runtime, model);
        let models = self.models();
        let pinned = match conversation::pin(self.memory.as_deref(), self.task, self.verdict.tier) {
            Pin::Keep(model) => Some(model),
            Pin::MayMove => None,
        };
        strategy::plan(&Question {
            now: self.context.received_at,
            tier: self.verdict.tier,
            wanted: match &self.choice {
                Choice::Auto => Wanted::Auto,
                Choice::Named { strategy, targets } => {
                    Wanted::Named { strategy: *strategy, targets }
                }
                Choice::Nothing(_) => {
                    Wanted::Named { strategy: AliasStrategy::Ordered, targets: &[] }
                }
            },
            spread: self.spread,
            models: &models,
            facts: &facts,
            required: self.required,
            prompt: self.prompt,
            asked: self.request.surcharges,
            client_cap: self.request.max_output_tokens,
            default_output_tokens: snapshot.config.budget.default_output_tokens,
            answers: self.request.sampling.answers.unwrap_or(1),
            headroom: &self.headroom,
            when_exhausted: snapshot.config.budget.when_exhausted,
            routing: &snapshot.config.routing,
            pinned: pinned.as_ref(),
        })
    }

    /// Every model that the caller's key may be served by.
    fn models(&self) -> Cow<'_, [Arc<Model>]> {
        let all = self.context.snapshot.catalog.models();
        if self.permit.is_open() {
            return Cow::Borrowed(all);
        }
        all.iter().filter(|model| self.permit.has(model)).cloned().collect()
    }

    fn facts(&self, runtime: &Runtime, model: &Model) -> Facts {
        let snapshot = &self.context.snapshot;
        let Some(entry) = snapshot.providers.get(&model.provider) else { return Facts::default() };
        let now = runtime.clock.instant();
        let (down, limited) = match self.obstacle(runtime, model, &entry.settings) {
            Some(down) => (Some((down.why, down.retry_after)), down.limited),
            None => (None, false),
        };
        Facts {
            enabled: entry.settings.enabled,
            allowed: self.permit.has(model),
            converted: entry.settings.kind.dialect() != Some(self.request.origin.dialect),
            down,
            limited,
            quota_left: runtime.buckets.remaining(model, runtime.clock.now()),
            cached_tokens: self
                .memory
                .as_ref()
                .map_or(0, |memory| memory.cached_tokens(&model.id, now, PREFIX_LIFETIME)),
            ..Facts::default()
        }
    }

    /// Why a model cannot be called now.
    fn obstacle(
        &self,
        runtime: &Runtime,
        model: &Model,
        provider: &ProviderSettings,
    ) -> Option<Down> {
        if let Some(why) = runtime.engine_down(provider) {
            return Some(Down { why, retry_after: None, limited: false });
        }
        let keys = provider.api_keys.len();
        if let Some(down) = runtime.health.status(model, keys, runtime.clock.instant()) {
            return Some(down);
        }
        let tokens = u64::from(self.prompt.ceiling);
        runtime.buckets.status(model, tokens, runtime.clock.now()).map(Down::from)
    }

    /// What the headers say when the answer has to be announced before it is known.
    pub(super) fn preview(&self) -> ReplyMeta {
        let first = self.plan.candidates.first();
        ReplyMeta {
            model: first.map_or_else(|| "none".into(), |candidate| candidate.model.id.clone()),
            tier: self.verdict.tier,
            fallback_index: 0,
            budget_remaining: self.headroom.remaining(),
            dropped: Vec::new(),
            cost: None,
        }
    }
}
