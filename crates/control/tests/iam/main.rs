//! IAM, STS and SES as their clients see them: signed requests in, answers read by AWS's models out. On SQLite always,
//! on PostgreSQL too when `PORTCULLIS_TEST_POSTGRES` names a server on which databases may be made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and asks its environment for a server"
)]

#[path = "../support/mod.rs"]
mod support;

mod refusals;

mod access_keys;
mod policies;
mod roles;
mod users;

mod sessions;

mod email;
