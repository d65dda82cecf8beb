//! edge-router: a local LLM router for coding assistants.
//!
//! # The life of a request
//!
//! 1. [`server`] takes bytes from a client, finds out who calls (by the master key or one of the
//!    [`keys`] that the owner gave out), and makes a
//!    [`pipeline::RequestContext`] with the [`state::Snapshot`] that is in force at this moment.
//! 2. [`wire`] reads the bytes into the canonical form of [`chat`]; the bytes themselves are kept, so
//!    that a provider of the same protocol gets them as they came.
//! 3. [`pipeline::handle`] walks the request through what follows, one step after the other.
//! 4. [`analyze`] finds the human's current words; [`inference`] judges how hard they are.
//! 5. [`conversation`] remembers which model serves the task; [`strategy`] chooses among the models
//!    of the [`catalog`] and gives a reason for each that it refuses.
//! 6. [`dispatch`] reserves the worst case with the [`ledger`], takes from the [`limits`], and calls
//!    through [`providers`], candidate after candidate, until a first byte has come.
//! 7. [`relay`] hands the answer to the client in its own protocol; at the end, by any exit, what it
//!    cost is settled and recorded in the [`store`].
//!
//! [`app`] puts the parts together from a [`config`], [`cli`] is what a person types, [`pull`] fetches
//! the embedded model, [`alerts`] tells when a limit is nearly spent, [`telemetry`] counts, [`report`] says where the
//! money went, [`reconcile`] whether the provider says so too. [`watch`] is a program of its own beside the router,
//! which tells it of a project in the form of [`delta`]. [`money`], [`clock`] and [`ids`] are used by all. Which
//! module may use which is tested in `tests/it/architecture.rs`.

pub mod cli;

pub mod watch;

pub mod app;

pub mod config;

pub mod server;

pub mod pipeline;

pub mod relay;

pub mod dispatch;

pub mod state;

pub mod context;

pub mod conversation;

pub mod keys;

pub mod providers;

pub mod alerts;

pub mod pull;

pub mod inference;

pub mod strategy;

pub mod limits;

pub mod report;

pub mod reconcile;

pub mod ledger;

pub mod store;

pub mod analyze;

pub mod wire;

pub mod catalog;

pub mod chat;

pub mod telemetry;

pub mod delta;

pub mod money;

pub mod clock;

pub mod ids;
