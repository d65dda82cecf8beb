//! The whole router, through its socket. One binary; every test has its own router, upstream, data
//! directory and port, so that all run side by side.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test's helpers fail the test"
)]

mod support;

mod anthropic;
mod architecture;
mod bad_input;
mod budget;
mod cli;
mod context;
mod context_injection;
mod conversations;
mod disconnect;
mod embedded;
mod fallback;
mod faults;
mod fidelity;
mod guard;
mod keys;
mod odd_providers;
mod openai;
mod outside;
mod reconcile;
mod reload;
mod report;
mod routing;
mod settlement;
mod usage_samples;
mod warnings;
mod watch;
mod watch_live;
mod watch_program;
