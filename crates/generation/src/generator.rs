//! The seam between those who ask for policies and those who write them.

use std::future::Future;
use std::pin::Pin;

use crate::{Asset, GatewayTools, translate};

/// Makes policies of plain language.
pub trait Generator: Send + Sync {
    /// One asset for each piece of the text, in its order. Never empty for a text that says something.
    fn generate<'a>(&'a self, request: &'a Request) -> Generating<'a>;
}

/// A generation that is under way.
pub type Generating<'a> = Pin<Box<dyn Future<Output = Result<Vec<Asset>, GenerationError>> + Send + 'a>>;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The text (`content.rawText`, 1 to 2,000 characters on AWS).
    pub text: String,
    /// The gateway that it is about.
    pub gateway: GatewayTools,
}

/// Why there are no assets at all. A text that is merely not understood is no error.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    /// The model did not answer, or not in time. The text names no secret and no address's credentials.
    #[error("the model did not answer: {0}")]
    Unanswered(String),
    /// The model's answer cannot be used, also not when it was asked again.
    #[error("the model's answer cannot be used: {0}")]
    Unusable(String),
    /// The gateway's tools have no schema.
    #[error(transparent)]
    Schema(#[from] policy::SchemaError),
}

/// The generator of controlled English.
#[derive(Clone, Copy, Debug, Default)]
pub struct ControlledEnglish;

impl Generator for ControlledEnglish {
    fn generate<'a>(&'a self, request: &'a Request) -> Generating<'a> {
        Box::pin(std::future::ready(Ok(translate(&request.text, &request.gateway))))
    }
}
