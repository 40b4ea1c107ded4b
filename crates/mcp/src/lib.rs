//! The Model Context Protocol on the wire, as far as both planes need it: the versions that are spoken, JSON-RPC messages
//! whose parts stay the bytes they came as, event streams, and a client for upstream servers.
//!
//! Nothing here decides anything. Source: the Model Context Protocol specification, revisions 2025-03-26, 2025-06-18 and
//! 2025-11-25, and JSON-RPC 2.0.

pub mod jsonrpc;
mod sse;
mod upstream;
mod version;

pub use sse::Events;
pub use upstream::{Answer, Upstream, UpstreamError};
pub use version::Version;
