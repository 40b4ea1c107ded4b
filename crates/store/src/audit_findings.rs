//! What a verification of the audit trail is given, and what it finds.

use std::fmt;

use crate::audit_chain::{ChainHead, PublicKey};

/// Checkpoints that are kept outside the database. They must be of a moment before the verification begins, because a
/// server that runs goes on.
pub trait Checkpoints {
    /// The chains about which there are any.
    fn chains(&self) -> Vec<String>;
    /// Those about one chain, the oldest first.
    fn of<'a>(&'a self, chain: &str) -> Box<dyn Iterator<Item = ChainHead> + 'a>;
}

/// How something is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fraud {
    /// Events are gone from the middle.
    Removed,
    /// An event does not say what it said.
    Edited,
    /// An event was not written by a server.
    Inserted,
    /// An event is not where it was.
    Reordered,
    /// The newest events are gone.
    Truncated,
    /// A signature is not the chain's.
    Forged,
    /// The database was put back to an earlier state, and perhaps went on from there.
    SetBack,
}

impl fmt::Display for Fraud {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Removed => "removed",
            Self::Edited => "edited",
            Self::Inserted => "inserted",
            Self::Reordered => "reordered",
            Self::Truncated => "truncated",
            Self::Forged => "forged",
            Self::SetBack => "set back",
        })
    }
}

/// Something that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was done.
    pub fraud: Fraud,
    /// The chain; empty for an event that belongs to none.
    pub chain: String,
    /// The place in the chain.
    pub place: Option<i64>,
    /// The event's number in the table.
    pub seq: Option<i64>,
    /// The event's id, as its row has it.
    pub event: Option<String>,
    /// The finding in words.
    pub detail: String,
}

/// What was looked at of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The chain.
    pub chain: String,
    /// The key that checks its signatures.
    pub key: PublicKey,
    /// How many events are there and were checked.
    pub events: i64,
    /// How many events retention took away, all from its beginning.
    pub closed: i64,
    /// The place of its signed end.
    pub end: i64,
    /// The place of the last checkpoint outside the database; `None` when there is none.
    pub checkpoint: Option<i64>,
}

/// No checkpoints.
pub struct NoCheckpoints;

impl Checkpoints for NoCheckpoints {
    fn chains(&self) -> Vec<String> {
        Vec::new()
    }

    fn of<'a>(&'a self, _chain: &str) -> Box<dyn Iterator<Item = ChainHead> + 'a> {
        Box::new(std::iter::empty())
    }
}
