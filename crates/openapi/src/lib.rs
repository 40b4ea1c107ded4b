//! An OpenAPI document becomes tools, a tool's arguments become a request, and its answer a tool's result.
//!
//! [`import`] reads a document once, when a target is created, and makes one [`Operation`] of each operation that can
//! be served. An operation is a plan that stands alone: it is stored with its tool, and the data plane never sees the
//! document again. [`Operation::request`] turns arguments into one HTTP request, [`Operation::result`] turns the
//! response into what a tool answers.
//!
//! Nothing here does I/O. Documents and arguments are untrusted: both are bounded, and no argument can change which
//! host is called, how many segments the path has, or which headers there are.

mod import;
mod options;

mod findings;

mod answer;
mod operation;
mod request;

mod document;
mod naming;
mod read;
mod schema;
mod schema_keyword;
mod selection;
mod server;

mod arguments;
mod body_plan;
mod media;
mod parameter_plan;
mod refused_by_aws;
mod template;

mod body;
mod multipart;
mod percent;
mod style;
mod xml;

pub use answer::ToolAnswer;
pub use findings::{Finding, ImportError, Place, Severity};
pub use import::{Api, import};
pub use naming::short_alias;
pub use operation::Operation;
pub use options::{Filter, Options, OutputSchemas, Override, Strictness};
pub use read::read as read_document;
pub use request::ArgumentFault;
