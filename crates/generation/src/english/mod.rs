//! Controlled English: a small grammar that knows each of its words.
//!
//! A sentence is cut into tokens, the tokens become an [`intent::Intent`], and the intent is written as Cedar. What the grammar
//! promises is not that it understands much, but that it drops nothing: a sentence has a meaning only when every token of it
//! was used.

mod accounts;
mod arguments;
mod cedar;
mod claim_values;
mod claims;
mod comparison;
mod conditions;
mod contradiction;
mod currency;
mod cursor;
mod intent;
mod names;
mod numbers;
mod operators;
mod sentence;
mod stems;
mod tails;
mod times;
mod tokens;
mod tools;
mod values;
mod verbs;
mod who;
mod words;

pub(crate) use cedar::write;
pub(crate) use claims::Claims;
pub(crate) use contradiction::is_never;
pub(crate) use intent::{Effect, Intent, What, short_scope};
pub(crate) use sentence::{World, read};
pub(crate) use tokens::tokens;
pub(crate) use tools::Catalogue;
