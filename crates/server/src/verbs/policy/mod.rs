//! `portcullis policy`: Cedar policies, written, checked, tested and explained.
//!
//! The verbs look and do not change anything, but for `promote`. Tools come from a gateway of the data directory, or from
//! files, so that most verbs work in CI beside no server at all; `sources.rs` says which. One file a verb.

mod analyse;
mod caller;
mod candidate;
mod check;
mod diff;
mod explain;
mod files;
mod fmt;
mod generate;
mod in_force_since;
mod junit;
mod matrix;
pub(super) mod period;
mod population;
mod promote;
mod replay;
mod rewrite;
mod schema;
mod sources;
mod suite;
mod tally;
mod test;
mod traffic;
mod unconsidered;
mod verdict;
mod what_can;
mod who_can;

use clap::{Args, Subcommand};

use crate::terminal::Failure;
use verdict::Verdict;

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
    /// Check policies in files: errors with their place; fails when a policy is not good
    Check(check::Arguments),
    /// Lay files of policies out as Cedar does, comments kept
    Fmt(fmt::Arguments),
    /// Decide the calls of a suite, and hold the decisions against those that are expected; fails when one differs
    Test(test::Arguments),
    /// Say why a caller may call a tool or may not, and what would have to be different; fails when it may not
    Explain(explain::Arguments),
    /// Make policies of plain language and print them; fails when a sentence was not understood
    Generate(generate::Arguments),
    /// Say who may call a tool, as the policies have it
    WhoCan(who_can::Arguments),
    /// Say which tools a caller sees, and what is left to be decided of each call
    WhatCan(what_can::Arguments),
    /// Show roles by tools, and what each may do with each
    Matrix(matrix::Arguments),
    /// Say what becomes newly allowed or denied from one set of policies to another, with requests that show it
    Diff(diff::Arguments),
    /// Decide the calls of the past again by other policies: what would change, for whom
    Replay(replay::Arguments),
    /// Let decisions bind that were only recorded, after showing what would have been denied
    Promote(promote::Arguments),
}

/// Does the verb. The exit code is 0 when what was looked at is good, 1 when it is not, and 2 when it could not be looked at.
pub(crate) fn run(arguments: Policy) -> Result<(), Failure> {
    Verdict::conclude(match arguments.verb {
        PolicyVerb::Generate(arguments) => generate::run(&arguments),
        PolicyVerb::Analyse(arguments) => analyse::run(&arguments),
        PolicyVerb::Schema(arguments) => schema::run(&arguments),
        PolicyVerb::Check(arguments) => check::run(&arguments),
        PolicyVerb::Fmt(arguments) => fmt::run(&arguments),
        PolicyVerb::Test(arguments) => test::run(&arguments),
        PolicyVerb::Explain(arguments) => explain::run(&arguments),
        PolicyVerb::WhoCan(arguments) => who_can::run(&arguments),
        PolicyVerb::WhatCan(arguments) => what_can::run(&arguments),
        PolicyVerb::Matrix(arguments) => matrix::run(&arguments),
        PolicyVerb::Diff(arguments) => diff::run(&arguments),
        PolicyVerb::Replay(arguments) => replay::run(&arguments),
        PolicyVerb::Promote(arguments) => promote::run(&arguments),
    })
}
