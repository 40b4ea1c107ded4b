//! The Model Context Protocol on the wire, as far as both planes need it: the versions that are spoken, JSON-RPC messages
//! whose parts stay the bytes they came as, what the protocol says in headers and in `_meta`, event streams, and a
//! client for upstream servers.
//!
//! Nothing here decides anything. Source: the Model Context Protocol specification, revisions 2025-03-26, 2025-06-18,
//! 2025-11-25 and 2026-07-28, and JSON-RPC 2.0.

pub mod depth;
pub mod headers;
pub mod jsonrpc;
mod members;
mod meta;
mod sse;
pub mod upstream;
mod version;

pub use members::Members;
pub use meta::{Capabilities, LOG_LEVELS, RequestMeta, required_for};
pub use sse::Events;
pub use upstream::{Upstream, UpstreamError};
pub use version::Version;
