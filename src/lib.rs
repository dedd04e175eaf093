//! Houbu (候补): the durable-workflow orchestrator of a hospital's appointment waitlist.
//!
//! Floors, each importing only those below it: `engine` 0 · `waitlist` 1 · `records`, `ports` 2 · `workflows` 3 ·
//! `desk` 4 · `http`, `console` 5 · `client`, which speaks to `http` from outside, 6. `sandbox` is the simulated outside world; `app`, `cli`, `config`,
//! `demo`, `postgres` and `main.rs` are the roof.

/// What all programs of this package allocate with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod app;
pub mod cli;
pub mod client;
pub mod config;
pub mod console;
pub mod demo;
pub mod desk;
pub mod engine;
pub mod http;
pub mod ports;
pub mod postgres;
pub mod records;
pub mod sandbox;
pub mod waitlist;
#[path = "../workflows/mod.rs"]
pub mod workflows;
