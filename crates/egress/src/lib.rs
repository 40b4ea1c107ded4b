//! The only door outwards.
//!
//! Much of what Portcullis dials is named by a tenant: discovery documents, key sets, upstreams. So that no tenant can
//! make it dial what only Portcullis can reach (server-side request forgery), every outgoing connection is made here,
//! by a connector that resolves the name itself, holds each address against [`Reach`], and connects to the very address
//! that passed. Nothing else in the house opens a connection; `cargo xtask tidy` looks.

mod client;
mod connector;
mod reach;

pub use client::{Client, EgressError, Fetched, Streamed};
pub use connector::{ConnectError, Connector};
pub use reach::{Network, Reach, Refusal};
