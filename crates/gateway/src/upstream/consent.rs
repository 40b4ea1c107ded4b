//! Targets that are called with what their caller allowed: what the caller wishes for that, and how it is asked to consent.
//!
//! Sources: MCP 2025-11-25, "Elicitation", "URL Elicitation Required Error"; "Per-call override" in "Set up an OAuth
//! authorization code" of the `AgentCore` developer guide.

use mcp::Version;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::answer::Reply;
use crate::turn::Turn;

/// `URLElicitationRequiredError`.
const URL_ELICITATION_REQUIRED: i64 = -32_042;
/// The longest return URL that is looked at, in bytes (`ResourceOauth2ReturnUrlType`).
const LONGEST_URL: usize = 2_048;

/// What a caller wishes for one call.
#[derive(Default)]
pub(crate) struct Wish {
    /// Where it wants to be sent after consenting.
    pub(crate) return_url: Option<String>,
    /// Whether it wants to be asked anew.
    pub(crate) anew: bool,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "aws.bedrock-agentcore.gateway/credentialProviderConfiguration")]
    configuration: Option<Configuration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    oauth_credential_provider: Option<Provider>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Provider {
    return_url: Option<String>,
    #[serde(default)]
    force_authentication: bool,
}

impl Wish {
    /// Reads the `_meta` of a call. What cannot be read is no wish.
    pub(crate) fn read(meta: Option<&RawValue>) -> Self {
        let read = meta.and_then(|meta| serde_json::from_str::<Meta>(meta.get()).ok());
        let provider = read.and_then(|meta| meta.configuration).and_then(|it| it.oauth_credential_provider);
        let Some(provider) = provider else { return Self::default() };
        let return_url = provider.return_url.filter(|url| url.len() <= LONGEST_URL);
        Self { return_url, anew: provider.force_authentication }
    }
}

/// Asks a caller to consent on a page. Clients of before 2025-11-25 know no such question: they are told that there is one.
pub(crate) fn asked(turn: &Turn, id: &str, page: &str) -> Reply {
    if !turn.modern && turn.arrival.former() < Version::V2025_11_25 {
        let text = "This request requires more information: you have to consent to it on a page, which clients of MCP \
                    2025-11-25 and newer are given, by their MCP-Protocol-Version header.";
        return Reply::tool_error(id, text);
    }
    let elicitation = domain::uuid(&*turn.lane.plane.setup.random);
    let message = "Allow this gateway to act for you, on the page of the service that it calls.";
    let asked = json!({ "mode": "url", "elicitationId": elicitation, "url": page, "message": message });
    let data = json!({ "elicitations": [asked] }).to_string();
    Reply::error_with(id, URL_ELICITATION_REQUIRED, "This request requires more information.", &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_what_aws_has_in_meta() {
        let wish = |text: &str| Wish::read(Some(&RawValue::from_string(text.to_owned()).unwrap()));
        let whole = wish(
            r#"{"aws.bedrock-agentcore.gateway/credentialProviderConfiguration":
                {"oauthCredentialProvider":{"returnUrl":"https://app.example/done","forceAuthentication":true}}}"#,
        );
        assert_eq!((whole.return_url.as_deref(), whole.anew), (Some("https://app.example/done"), true));
        for nothing in ["{}", "[]", r#"{"aws.bedrock-agentcore.gateway/credentialProviderConfiguration":7}"#]
        {
            let wish = wish(nothing);
            assert!(wish.return_url.is_none() && !wish.anew, "{nothing}");
        }
        assert!(Wish::read(None).return_url.is_none());
    }
}
