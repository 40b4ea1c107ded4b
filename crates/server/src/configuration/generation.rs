//! Who writes policies of plain language: the grammar that is always there, or a model that the operator names.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::Secret;
use egress::Client;
use generation::{ControlledEnglish, Generator, Model, ModelProtocol, ModelSettings};
use serde::Deserialize;

use super::{Configuration, variable};
use crate::terminal::Failure;

/// The model's key, instead of a file.
const KEY: &str = "PORTCULLIS_POLICY_MODEL_KEY";
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often a model is asked again, when it is not said; and at most.
const RETRIES: u32 = 2;
const MOST_RETRIES: u32 = 5;
/// The longest key that is read out of a file, in bytes.
const LONGEST_KEY: usize = 4_096;

/// `[policy.generation]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Generation {
    kind: Kind,
    url: String,
    model: String,
    api_key_file: Option<PathBuf>,
    timeout_seconds: Option<NonZeroU64>,
    retries: Option<u32>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Openai,
    Anthropic,
}

impl Generation {
    /// The model as it is asked.
    pub(super) fn settings(self) -> Result<ModelSettings, Failure> {
        check_url("policy.generation", &self.url)?;
        let retries = self.retries.unwrap_or(RETRIES);
        if retries > MOST_RETRIES {
            return Err(Failure::usage(format!("policy.generation.retries is at most {MOST_RETRIES}")));
        }
        let api_key = api_key("policy.generation", KEY, self.api_key_file.as_deref())?;
        Ok(ModelSettings {
            protocol: match self.kind {
                Kind::Openai => ModelProtocol::OpenAi,
                Kind::Anthropic => ModelProtocol::Anthropic,
            },
            url: self.url,
            model: self.model,
            api_key,
            timeout: self.timeout_seconds.map_or(TIMEOUT, |seconds| Duration::from_secs(seconds.get())),
            retries,
        })
    }
}

/// That the URL of an endpoint, in the table `of`, is one.
pub(super) fn check_url(of: &str, url: &str) -> Result<(), Failure> {
    let is_http = url.starts_with("https://") || url.starts_with("http://");
    if is_http && !url.contains('@') && url.parse::<http::Uri>().is_ok() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{of}.url must be the whole URL that is posted to, without a name or password in it, such as \
         https://api.openai.com/v1/chat/completions"
    )))
}

/// The key of an endpoint, in the table `of`: from a variable or from a file.
pub(super) fn api_key(of: &str, name: &str, file: Option<&Path>) -> Result<Option<Secret>, Failure> {
    let key = match (variable(name), file) {
        (Some(key), None) => Some(Secret::new(key)),
        (None, Some(file)) => Some(key_in(file)?),
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(Failure::usage(format!(
                "{name} and {of}.api-key-file both say what the model's key is: set one of them"
            )));
        }
    };
    if key.as_ref().is_some_and(|key| !key.is_credential(LONGEST_KEY)) {
        return Err(Failure::usage("the model's key must be one word of visible ASCII characters"));
    }
    Ok(key)
}

fn key_in(file: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(format!("cannot read the model's key in {}: {error}", file.display()))
    })?;
    Ok(Secret::new(text.trim()))
}

impl Configuration {
    /// Who writes policies: the model if there is one, else the grammar of controlled English.
    pub(crate) fn generator(&self, client: &Client) -> Arc<dyn Generator> {
        match &self.model {
            Some(settings) => Arc::new(Model::new(settings.clone(), client.clone())),
            None => Arc::new(ControlledEnglish),
        }
    }
}
