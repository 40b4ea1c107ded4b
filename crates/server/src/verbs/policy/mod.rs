//! `portcullis policy`: Cedar policies, written, checked, tested and explained.
//!
//! The verbs look and do not change anything. Tools come from a gateway of the data directory, or from files, so that
//! most verbs work in CI beside no server at all; `sources.rs` says which. One file a verb.

mod caller;
mod check;
mod explain;
mod files;
mod fmt;
mod generate;
mod schema;
mod sources;

use clap::{Args, Subcommand};

use crate::terminal::Failure;

#[derive(Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Subcommand)]
enum PolicyVerb {
    /// Print the Cedar schema that policies are checked against
    Schema(schema::Arguments),
    /// Check policies in files: errors with their place; fails when a policy is not good
    Check(check::Arguments),
    /// Lay files of policies out as Cedar does, comments kept
    Fmt(fmt::Arguments),
    /// Say why a caller may call a tool or may not, and what would have to be different; fails when it may not
    Explain(explain::Arguments),
    /// Make policies of plain language and print them; fails when a sentence was not understood
    Generate(generate::Arguments),
}

/// Does the verb.
pub(crate) fn run(arguments: Policy) -> Result<(), Failure> {
    match arguments.verb {
        PolicyVerb::Schema(arguments) => schema::run(&arguments),
        PolicyVerb::Check(arguments) => check::run(&arguments),
        PolicyVerb::Fmt(arguments) => fmt::run(&arguments),
        PolicyVerb::Explain(arguments) => explain::run(&arguments),
        PolicyVerb::Generate(arguments) => generate::run(&arguments),
    }
}
