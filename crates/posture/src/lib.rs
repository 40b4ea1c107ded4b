//! Posture: what an account's gateways, policies, identities, roles, runtimes and functions should not be like.
//!
//! [`collect()`] reads an account through AWS's public API and makes an [`Inventory`] of it; [`examine`] holds the inventory
//! against [`RULES`], which are pure functions, one small file a group; [`Exceptions`] and [`Baseline`] take away what
//! somebody has accepted; `report` writes what is left for people, programs and code scanners. Nothing is changed.

mod baseline;
mod client;
mod collect;
mod document;
mod exceptions;
mod inventory;
mod remedy;
mod report;
mod rule;
mod rules;

pub use baseline::Baseline;
pub use client::{Access, CallError, Endpoint};
pub use collect::collect;
pub use exceptions::{Exceptions, InvalidExceptions};
pub use inventory::{Engine, Function, Gateway, Inventory, Key, NamedDocument, Role, Runtime, Unread, User};
pub use remedy::{Export, export_gateway};
pub use report::{json, sarif};
pub use rule::{Finding, Rule, Severity, examine};
pub use rules::RULES;
