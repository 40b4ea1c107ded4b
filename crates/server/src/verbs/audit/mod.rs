//! `portcullis audit`: the audit trail, read beside the running server or without one. The verbs look and change nothing.

mod csv;
mod export;
mod filter;
mod line;
mod query;
mod tail;
mod verify;

use clap::{Args, Subcommand};

use crate::terminal::Failure;
pub(crate) use line::{line, plain};

#[derive(Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    verb: AuditVerb,
}

#[derive(Subcommand)]
enum AuditVerb {
    /// Show the last events, and with --follow those that come
    Tail(tail::Arguments),
    /// Show the events that filters let through, the newest first
    Query(query::Arguments),
    /// Write the events that filters let through, the oldest first, as JSON Lines, CSV or CloudTrail's files
    Export(export::Arguments),
    /// Find events that were removed, edited, inserted, reordered or cut off; fails when there are any
    Verify(verify::Arguments),
    /// Say what the security of an account should not be like
    Posture(super::posture::Posture),
}

/// Does the verb.
pub(crate) fn run(arguments: Audit) -> Result<(), Failure> {
    match arguments.verb {
        AuditVerb::Posture(arguments) => super::posture::run(&arguments),
        AuditVerb::Tail(arguments) => tail::run(arguments),
        AuditVerb::Query(arguments) => query::run(arguments),
        AuditVerb::Export(arguments) => export::run(arguments),
        AuditVerb::Verify(arguments) => verify::run(arguments)
            .map_err(|(failure, tampered)| if tampered { failure } else { failure.into_trouble() }),
    }
}
