//! The data plane: one MCP request, one pipeline.
//!
//! `pipeline.rs` tells the story; each stage is one file named for its verb, in the order in which it happens. The
//! pipeline runs against an immutable [`Snapshot`], which is swapped whole when the change feed moves, and never asks
//! the database for configuration. Two types are proofs: a `Permitted` can only be made in `authorize.rs`, and every
//! call of an upstream demands one.

mod pipeline;
mod turn;

mod listen;

mod authenticate;
mod challenge;
mod invoke;

mod message;
mod modern;
mod session;

mod limit;

mod intercept;

mod recording;
mod resolve;

mod alarm;
mod arguments;
mod authorize;
mod denial;
mod settled;

mod credential;
mod era;
mod suspend;
mod upstream;

mod answer;
mod body;
mod stream;

mod audit;
mod delivery;
mod fetching;
mod listed;
mod meter;
mod tally;
mod telling;

mod fingerprint;
mod forward;

mod list;
mod offers;
mod search;
mod snapshot;

pub use authorize::PromptsAndResources;
pub use body::{Arriving, Body};
pub use limit::{Leases, Traffic};
pub use pipeline::{Lane, Plane, Setup};
pub use recording::Recorder;
pub use session::Sessions;
pub use snapshot::{Loader, Snapshot};
