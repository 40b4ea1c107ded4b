//! Which model is asked, and how patiently.

use std::time::Duration;

use domain::Secret;

/// How the model's endpoint is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelProtocol {
    /// `POST …/chat/completions` (OpenAI, and nearly every server for models).
    OpenAi,
    /// `POST …/messages` (Anthropic).
    Anthropic,
}

/// The model.
#[derive(Clone)]
pub struct ModelSettings {
    /// Its protocol.
    pub protocol: ModelProtocol,
    /// The whole URL that is posted to, such as `https://api.openai.com/v1/chat/completions`.
    pub url: String,
    /// The name of the model.
    pub model: String,
    /// What the endpoint is shown; absent for one that asks for nothing.
    pub api_key: Option<Secret>,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How often the model is asked again when its answer has faults: 0 is once and never again.
    pub retries: u32,
}
