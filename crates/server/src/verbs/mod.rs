//! The verbs of the command line, one file each.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod health;
pub(crate) mod identity;
mod input;
pub(crate) mod intercept;
pub(crate) mod mail;
pub(crate) mod migrate;
mod open;
pub(crate) mod policy;
pub(crate) mod pool;
pub(crate) mod posture;
mod preflight;
mod progress;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod target;
mod target_check;
pub(crate) mod token;
pub(crate) mod vault;
