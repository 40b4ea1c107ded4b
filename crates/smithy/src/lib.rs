//! Smithy models as tools: a model's operations become tools with JSON Schemas, a tool's arguments become the request
//! that the operation's protocol has, and the service's answer becomes JSON.
//!
//! [`import`] reads a model in Smithy's JSON AST, whoever wrote it, within bounds, and plans each operation. An
//! [`Operation`] holds everything that its calls need and can be stored: [`Operation::request`] makes the request,
//! [`Operation::answer`] reads what came back. Nothing here does I/O: signing and sending are others' work.
//!
//! The protocols are restJson1, awsJson1_0, awsJson1_1 and restXml. Source: the Smithy 2.0 specification ("JSON AST",
//! "HTTP bindings", "AWS protocols"), whose protocol tests give the cases in `tests/`.

mod import;

mod model;
mod order;

mod documentation;
mod lowering;
mod plan;
mod schema;
mod template;
mod texts;

mod answer;
mod endpoint;
mod request;

mod timestamp;

pub use answer::ToolAnswer;
pub use endpoint::{Endpoint, InvalidEndpoint};
pub use import::{Api, ImportError, Options, Refusal, import};
pub use plan::{Operation, Protocol};
pub use request::ArgumentFault;
