//! Cedar: what an AgentCore gateway's callers may do, and how that is known to be right.
//!
//! The crate knows Cedar so that no other one has to: a schema is derived from tools ([`Schema`]), a statement
//! is checked against it before it becomes a policy ([`check`]), a gateway's policies are compiled into an
//! immutable value ([`Engine`]), and that value decides calls ([`Engine::decide`]) and says which tools a
//! caller may see ([`Engine::visible`]). Policies that do not bind are watched beside it ([`Observer`]). Nothing here does I/O, and no type of Cedar's is part of the API, so
//! that the pinned set of Cedar's crates can move as one.
//!
//! Promises, each a property test: an indexed decision is the decision of the whole policy set; a forbid is
//! never outvoted; a tool that some call could reach is never hidden, and one that none can is never shown.

mod arguments;
mod input_type;
mod offered;
mod schema;
mod schema_read;
mod schema_text;

mod check;
mod constant;
mod findings;
mod format;
mod hints;
mod nesting;
mod outline;
mod problem;
mod reads;
mod split;
mod statement;
mod suggest;

mod decide;
mod engine;
mod input;
mod list;
mod model;
mod normal;
mod number;
mod observe;
mod partial;
mod principal;
mod reason;
mod rehearse;
mod slice;

mod conjuncts;
mod explain;
mod nearest;
mod outlook;
mod remedy;
mod shown;
mod source;

mod names;

pub use arguments::{Argument, ArgumentKind, Step};
pub use check::{Checked, Validation, annotated_id, check, named_gateways, resource_scope};
pub use conjuncts::{Holds, Part};
pub use decide::{Call, Decision, EvaluationError, Reason};
pub use engine::{CompileError, Engine};
pub use explain::{Account, Condition, Explanation, Seen};
pub use findings::{Finding, FindingKind};
pub use format::format;
pub use input::{ArgumentError, ArgumentErrorKind};
pub use names::PrincipalKind;
pub use nearest::Nearest;
pub use nesting::keep_shallow;
pub use normal::normalised;
pub use observe::{Observation, Observer};
pub use offered::Offered;
pub use outline::{Conditions, Outline};
pub use outlook::{Access, Outlook, Prospect, Requirement};
pub use partial::{Depends, KnownCaller, PartialCall, PartialDecision};
pub use principal::{InvalidPrincipal, Principal};
pub use problem::{Location, Problem, ProblemKind};
pub use reason::DENIED;
pub use rehearse::{PolicySetOnTrial, Rehearsal, Replayed};
pub use schema::{GatewayTools, MAX_SCHEMA_BYTES, Schema, SchemaError, ToolDefinition, UnreadableArgument};
pub use split::{Piece, split};
pub use statement::{Effect, ResourceScope};
pub use suggest::suggest;
