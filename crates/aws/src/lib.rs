//! The AWS edge: what turns an HTTP request into a checked tree of values for an operation, and an answer or a fault
//! back into the bytes that AWS's clients expect.
//!
//! [`route`] finds the service and the operation, [`sigv4`] proves who signed, [`decode`] reads the request by its
//! protocol, [`check`] holds it against the model's constraints, [`encode`] writes the answer. None of them knows what
//! an operation does.

mod check;
mod decode;
mod encode;
mod fault;
mod form;
mod route;
pub mod sigv4;

pub use check::{FieldFault, check};
pub use decode::decode;
pub use encode::{Answer, encode, encode_fault};
pub use fault::Fault;
pub use route::{Routed, operation, protocol_of, service_by_path, service_by_signature, unsigned_action};
