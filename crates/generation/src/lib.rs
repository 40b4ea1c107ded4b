//! Plain language becomes Cedar.
//!
//! Two generators stand behind one interface ([`Generator`]). The one of controlled English ([`translate`]) is always there, needs
//! nothing, and gives the same answer to the same text: a sentence of which it does not understand every word becomes no policy
//! but a finding that says which words these are. The other asks a model that the operator configures.
//!
//! Whatever made a statement, it is checked against the schema of the gateway before anybody sees it, and what the check says
//! is part of the answer.

mod asset;
mod enumerated;
mod gateway;
mod generator;

mod english;
mod judge;
mod model;
mod sentences;
mod translate;

pub use asset::{Asset, Finding, FindingKind};
pub use gateway::{GatewayTools, Tool};
pub use generator::{ControlledEnglish, Generating, GenerationError, Generator, Request};
pub use model::{Model, ModelProtocol, ModelSettings};
pub use policy::PrincipalKind;
pub use translate::translate;
