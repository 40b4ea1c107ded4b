//! AgentCore as its clients see it: credential providers, and secrets beside them, through signed requests. On SQLite always,
//! on PostgreSQL too when `PORTCULLIS_TEST_POSTGRES` names a server on which databases may be made.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and asks its environment for a server"
)]

#[path = "../support/mod.rs"]
mod support;

mod credential_providers;
mod keys;
mod secrets;
