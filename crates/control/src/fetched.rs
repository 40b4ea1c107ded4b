//! Counts what AgentCore Identity gives out, by the operations that ask for it.

use serde::Deserialize;
use telemetry::{Fetch, Fetches, Given};

/// The provider that a request names.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Asked {
    resource_credential_provider_name: String,
}

/// Counts a call, if it is one that asks for a token or a key.
pub(crate) fn count(fetches: &Fetches, operation: &'static str, body: &[u8], error: Option<&'static str>) {
    let given = match operation {
        "GetWorkloadAccessToken" | "GetWorkloadAccessTokenForJWT" | "GetWorkloadAccessTokenForUserId" => {
            Given::WorkloadAccessToken
        }
        "GetResourceOauth2Token" => Given::ResourceAccessToken,
        "GetResourceApiKey" => Given::ApiKey,
        _ => return,
    };
    // A name that was answered is one that there is.
    let asked: Asked = match error {
        None => serde_json::from_slice(body).unwrap_or_default(),
        Some(_) => Asked::default(),
    };
    let provider = &asked.resource_credential_provider_name;
    fetches.count(&Fetch { given, operation, provider, error });
}
