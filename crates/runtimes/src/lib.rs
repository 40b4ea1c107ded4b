//! Agent runtimes at the edge.
//!
//! An agent trusts whoever reaches it. So nobody does but through here: a caller is recognised by the authorizer of the
//! version that serves (`authenticate`), a session belongs to its first caller (`session`), the agent is told who calls by
//! headers that only this room writes (`headers`), and what it says comes back as it says it (`forward`, `websocket`).
//! `edge.rs` tells the story of a request.
//!
//! Sources: "Bedrock AgentCore Runtime" in the developer guide: "HTTP protocol contract", "MCP protocol contract",
//! "Authenticate and authorize with Inbound Auth and Outbound Auth", "Use isolated sessions for agents".

mod agents;
mod authenticate;
mod body;
mod edge;
mod forward;
mod frames;
mod headers;
mod meter;
mod partner;
mod permission;
mod place;
mod record;
mod refusal;
mod registry;
mod session;
mod signature;
mod telling;
mod websocket;

pub use body::{Body, Payload};
pub use edge::{Arrival, Runtimes, Setup};
pub use partner::Partner;
pub use place::{Asked, Place};
