//! What AWS's clients read of the environment, for a verb that is one: credentials, region, endpoint, profile.
//!
//! Source: "Environment variables" and "Configuration and credential file settings" in the AWS SDKs and Tools Reference Guide.

use std::path::{Path, PathBuf};

use domain::Secret;

use super::variable;

/// What was found. A part that is not set is absent.
pub(crate) struct AwsEnvironment {
    /// `AWS_ENDPOINT_URL`.
    pub(crate) endpoint: Option<String>,
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub(crate) region: Option<String>,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    pub(crate) key: Option<(String, Secret, Option<Secret>)>,
    /// `AWS_PROFILE`.
    pub(crate) profile: String,
    /// The shared credentials file.
    pub(crate) credentials_file: Option<PathBuf>,
    /// The shared configuration file.
    pub(crate) config_file: Option<PathBuf>,
}

impl AwsEnvironment {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let home = |name: &str| variable("HOME").map(|home| Path::new(&home).join(".aws").join(name));
        let file = |given: &str, name: &str| variable(given).map(PathBuf::from).or_else(|| home(name));
        let key = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        Self {
            endpoint: variable("AWS_ENDPOINT_URL"),
            region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
            key: key.map(|(id, secret)| {
                (id, Secret::new(secret), variable("AWS_SESSION_TOKEN").map(Secret::new))
            }),
            profile: variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned()),
            credentials_file: file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            config_file: file("AWS_CONFIG_FILE", "config"),
        }
    }
}
