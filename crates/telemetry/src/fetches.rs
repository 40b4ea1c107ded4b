//! Counts the tokens and keys that are given out: to workloads that ask for them, and to gateways for their targets.
//!
//! What is counted is what AgentCore Identity counts ("Identity metrics" in its developer guide). A provider has a number of
//! its own only when something of it was given out, so that names that nobody has do not fill the list.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::metrics::{Family, Kind, Label, Namespace, Point, PointValue};

/// How many numbers there may be.
const SERIES: usize = 10_000;

/// What is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Given {
    /// A workload's own access token.
    WorkloadAccessToken,
    /// A token of a resource, out of the token vault.
    ResourceAccessToken,
    /// An API key.
    ApiKey,
}

/// One asking.
#[derive(Clone, Debug)]
pub struct Fetch<'a> {
    /// What was asked for.
    pub given: Given,
    /// By which operation.
    pub operation: &'static str,
    /// Of which provider, when it was given out.
    pub provider: &'a str,
    /// AWS's name of the error, when it was not.
    pub error: Option<&'static str>,
}

/// The counts. A clone is the same.
#[derive(Clone, Default)]
pub struct Fetches(Arc<Mutex<BTreeMap<Key, u64>>>);

type Key = (Given, &'static str, Option<&'static str>, String);

impl Fetches {
    /// Counts an asking.
    pub fn count(&self, fetch: &Fetch<'_>) {
        let Ok(mut counts) = self.0.lock() else { return };
        let provider = if fetch.error.is_none() { fetch.provider } else { "" };
        let key = (fetch.given, fetch.operation, fetch.error, provider.to_owned());
        if let Some(count) = counts.get_mut(&key) {
            *count += 1;
        } else if counts.len() < SERIES {
            counts.insert(key, 1);
        }
    }

    /// What was counted.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let Ok(counts) = self.0.lock() else { return Vec::new() };
        let family = |(given, name, aws_name, help, wanted): Row| Family {
            namespace: Namespace::Identity,
            name,
            aws_name,
            help,
            kind: Kind::Counter,
            points: counts
                .iter()
                .filter(|((of, _, error, _), _)| *of == given && wanted(*error))
                .map(|(key, count)| point(key, *count))
                .collect(),
        };
        ROWS.into_iter().map(family).collect()
    }
}

type Row = (Given, &'static str, &'static str, &'static str, fn(Option<&'static str>) -> bool);

const THROTTLED: &str = "ThrottlingException";

const ROWS: [Row; 9] = [
    (
        Given::WorkloadAccessToken,
        "workload_access_token_fetch_success_total",
        "WorkloadAccessTokenFetchSuccess",
        "Workload access tokens that were given out.",
        |error| error.is_none(),
    ),
    (
        Given::WorkloadAccessToken,
        "workload_access_token_fetch_failures_total",
        "WorkloadAccessTokenFetchFailures",
        "Workload access tokens that were not given out.",
        |error| error.is_some_and(|error| error != THROTTLED),
    ),
    (
        Given::WorkloadAccessToken,
        "workload_access_token_fetch_throttles_total",
        "WorkloadAccessTokenFetchThrottles",
        "Workload access tokens that were asked for too often.",
        |error| error == Some(THROTTLED),
    ),
    (
        Given::ResourceAccessToken,
        "resource_access_token_fetch_success_total",
        "ResourceAccessTokenFetchSuccess",
        "Tokens of resources that were given out.",
        |error| error.is_none(),
    ),
    (
        Given::ResourceAccessToken,
        "resource_access_token_fetch_failures_total",
        "ResourceAccessTokenFetchFailures",
        "Tokens of resources that were not given out.",
        |error| error.is_some_and(|error| error != THROTTLED),
    ),
    (
        Given::ResourceAccessToken,
        "resource_access_token_fetch_throttles_total",
        "ResourceAccessTokenFetchThrottles",
        "Tokens of resources that were asked for too often.",
        |error| error == Some(THROTTLED),
    ),
    (
        Given::ApiKey,
        "api_key_fetch_success_total",
        "ApiKeyFetchSuccess",
        "API keys that were given out.",
        |error| error.is_none(),
    ),
    (
        Given::ApiKey,
        "api_key_fetch_failures_total",
        "ApiKeyFetchFailures",
        "API keys that were not given out.",
        |error| error.is_some_and(|error| error != THROTTLED),
    ),
    (
        Given::ApiKey,
        "api_key_fetch_throttles_total",
        "ApiKeyFetchThrottles",
        "API keys that were asked for too often.",
        |error| error == Some(THROTTLED),
    ),
];

fn point((given, operation, error, provider): &Key, count: u64) -> Point {
    let mut labels = vec![Label::new("operation", "Operation", *operation)];
    if *given != Given::WorkloadAccessToken {
        labels.push(Label::new("token_vault", "TokenVault", "default"));
        labels.push(Label::new("provider", "ProviderName", provider.as_str()));
    }
    if let Some(error) = error {
        labels.push(Label::new("exception_type", "ExceptionType", *error));
    }
    Point { labels, value: PointValue::Number(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_out_is_counted_by_provider_and_what_is_not_by_error() {
        let fetches = Fetches::default();
        let fetch = |given, provider, error| Fetch { given, operation: "GetResourceApiKey", provider, error };
        fetches.count(&fetch(Given::ApiKey, "maps", None));
        fetches.count(&fetch(Given::ApiKey, "maps", None));
        fetches.count(&fetch(Given::ApiKey, "guessed", Some("ResourceNotFoundException")));
        fetches.count(&fetch(Given::WorkloadAccessToken, "", Some(THROTTLED)));
        let text = crate::write_prometheus(&fetches.families());
        let numbers: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            numbers,
            [
                r#"portcullis_identity_workload_access_token_fetch_throttles_total{operation="GetResourceApiKey",exception_type="ThrottlingException"} 1"#,
                r#"portcullis_identity_api_key_fetch_success_total{operation="GetResourceApiKey",token_vault="default",provider="maps"} 2"#,
                r#"portcullis_identity_api_key_fetch_failures_total{operation="GetResourceApiKey",token_vault="default",provider="",exception_type="ResourceNotFoundException"} 1"#,
            ]
        );
    }
}
