//! `portcullis policy`: Cedar policies, written, checked, tested and explained.
//!
//! The verbs look and do not change anything. Tools come from a gateway of the data directory, or from files, so that
//! most verbs work in CI beside no server at all; `sources.rs` says which. One file a verb.

mod analyse;
mod files;
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
    /// Find what policies do that is hardly meant, with requests that show it
    #[command(visible_alias = "analyze")]
    Analyse(analyse::Arguments),
    /// Print the Cedar schema that policies are checked against
    Schema(schema::Arguments),
}

/// Does the verb.
pub(crate) fn run(arguments: Policy) -> Result<(), Failure> {
    match arguments.verb {
        PolicyVerb::Analyse(arguments) => analyse::run(&arguments),
        PolicyVerb::Schema(arguments) => schema::run(&arguments),
    }
}
