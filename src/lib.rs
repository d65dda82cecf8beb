//! edge-router: a local LLM router for coding assistants.
//!
//! The modules stand in the order in which a request meets them:
//! [`server`] takes bytes from a client and makes a [`pipeline::RequestContext`];
//! [`pipeline`] walks the request through the steps below, one after the other;
//! [`wire`] reads the bytes into the canonical form of [`chat`];
//! [`analyze`] finds the human's instruction, [`inference`] judges how hard it is;
//! [`strategy`] chooses among the models of the [`catalog`];
//! [`ledger`] reserves the worst case; [`dispatch`] tries the plan through [`providers`];
//! [`relay`] hands the answer to the client and settles what it cost.

pub mod analyze;
pub mod app;
pub mod catalog;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conversation;
pub mod dispatch;
pub mod ids;
pub mod inference;
pub mod ledger;
pub mod limits;
pub mod money;
pub mod pipeline;
pub mod providers;
pub mod pull;
pub mod relay;
pub mod server;
pub mod state;
pub mod store;
pub mod strategy;
pub mod telemetry;
pub mod wire;
