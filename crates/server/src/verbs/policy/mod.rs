//! `portcullis policy`: Cedar policies, written, checked, tested and explained.
//!
//! The verbs look and do not change anything, but for `promote`. Tools come from a gateway of the data directory, or from files, so that
//! most verbs work in CI beside no server at all; `sources.rs` says which. One file a verb.

mod candidate;
mod diff;
mod files;
mod period;
mod promote;
mod replay;
mod schema;
mod sources;
mod tally;
mod traffic;

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
    /// Say what becomes newly allowed or denied from one set of policies to another, with requests that show it
    Diff(diff::Arguments),
    /// Decide the calls of the past again by other policies: what would change, for whom
    Replay(replay::Arguments),
    /// Let decisions bind that were only recorded, after showing what would have been denied
    Promote(promote::Arguments),
}

/// Does the verb.
pub(crate) fn run(arguments: Policy) -> Result<(), Failure> {
    match arguments.verb {
        PolicyVerb::Schema(arguments) => schema::run(&arguments),
        PolicyVerb::Diff(arguments) => diff::run(&arguments),
        PolicyVerb::Replay(arguments) => replay::run(&arguments),
        PolicyVerb::Promote(arguments) => promote::run(&arguments),
    }
}
