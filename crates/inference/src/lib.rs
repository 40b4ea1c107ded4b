//! Bedrock Runtime's Converse and ConverseStream, for agents that call a model: forwarded to an endpoint that speaks
//! OpenAI's chat completions, which the operator configures.
//!
//! [`Inference::answer`] takes a request from its signature to its answer: `authenticate` proves who asks, `permit` asks IAM
//! about the model, `request` reads what is asked, `openai` says it in the endpoint's words, and `answer` or `stream`
//! brings back what it says in Bedrock's, the latter as AWS's event stream (`event_stream`) while it is being said.
//!
//! The model's name is the caller's; which of the endpoint's models that means is the operator's ([`ModelSettings`]).
//! What is not promised is refused by name, with a ValidationException. Source: Amazon Bedrock API Reference, "Converse",
//! "ConverseStream".

mod plane;

mod authenticate;
mod permit;

mod fault;
mod openai;
mod request;
mod settings;

mod answer;
mod event_stream;
mod exchange;
mod stream;

pub use plane::{Body, Inference, Setup};
pub use settings::ModelSettings;
