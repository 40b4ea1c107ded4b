//! The model that agents call as if it were Bedrock's: an endpoint that the operator names.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use inference::ModelSettings;
use serde::Deserialize;

use super::generation::{api_key, check_url};
use crate::terminal::Failure;

/// The endpoint's key, instead of a file.
const KEY: &str = "PORTCULLIS_MODEL_KEY";
const TIMEOUT: Duration = Duration::from_secs(120);

/// `[model]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Model {
    url: String,
    /// The endpoint's model for every id that `models` does not have.
    model: Option<String>,
    #[serde(default)]
    models: BTreeMap<String, String>,
    api_key_file: Option<PathBuf>,
    timeout_seconds: Option<NonZeroU64>,
}

impl Model {
    /// The endpoint as it is asked.
    pub(super) fn settings(self) -> Result<ModelSettings, Failure> {
        check_url("model", &self.url)?;
        if self.model.is_none() && self.models.is_empty() {
            return Err(Failure::usage(
                "[model] names no model: say which one the endpoint has, with model or in [model.models]",
            ));
        }
        Ok(ModelSettings {
            api_key: api_key("model", KEY, self.api_key_file.as_deref())?,
            url: self.url,
            model: self.model,
            models: self.models,
            timeout: self.timeout_seconds.map_or(TIMEOUT, |seconds| Duration::from_secs(seconds.get())),
        })
    }
}
