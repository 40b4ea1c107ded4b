//! The verbs of the command line, one file each.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod identity;
pub(crate) mod intercept;
pub(crate) mod mail;
mod open;
pub(crate) mod policy;
pub(crate) mod pool;
mod preflight;
pub(crate) mod serve;
pub(crate) mod target;
pub(crate) mod token;
pub(crate) mod vault;
