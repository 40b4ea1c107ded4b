//! The object store: the part of S3 that schemas and code need, on the store that everything else is in.
//!
//! [`Objects::answer`] takes a request from its signature to its answer: `authenticate` proves who asks, `target` says
//! for what, `authorize` asks IAM, one file of `operations` does it. Bodies pass through in pieces, proven and counted on
//! their way (`incoming`), and are never in memory whole. Other rooms read objects through [`Objects::read`].
//!
//! Source: the Amazon S3 API Reference. What is not promised is refused by name, with `NotImplemented`.

mod plane;

mod audit;
mod authenticate;
mod authorize;
mod operation;
mod target;

mod operations;

mod aws_chunked;
mod checksum;
mod incoming;
mod outgoing;
mod receive;

mod conditions;
mod dates;
mod fault;
mod headers;
mod xml;

mod read;
mod sweep;

#[cfg(fuzzing)]
pub mod fuzzing;

pub use fault::Fault;
pub use outgoing::{Body, BodyError};
pub use plane::{Limits, Objects, Setup};
pub use read::{Location, ReadError, denial};
