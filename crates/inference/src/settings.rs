//! Which endpoint is asked, and what a caller's model is called there.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Secret;

/// Which endpoint is asked. It has no `Debug`, because it holds the endpoint's key.
#[derive(Clone)]
pub struct ModelSettings {
    /// The whole URL that is posted to, such as `https://api.openai.com/v1/chat/completions`.
    pub url: String,
    /// The endpoint's model for every model id that `models` does not have; `None` to refuse those.
    pub model: Option<String>,
    /// The endpoint's models by the model ids of callers, such as `anthropic.claude-sonnet-4-20250514-v1:0`.
    pub models: BTreeMap<String, String>,
    /// Shown to the endpoint as a bearer token.
    pub api_key: Option<Secret>,
    /// How long an answer may take; in a stream, how long it may be silent.
    pub timeout: Duration,
}

impl ModelSettings {
    /// What a caller's model is called at the endpoint.
    pub(crate) fn name_of(&self, model_id: &str) -> Option<&str> {
        self.models.get(model_id).or(self.model.as_ref()).map(String::as_str)
    }
}
