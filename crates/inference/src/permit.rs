//! Whether a caller may have a model invoked, by IAM; and the proof of it, without which nothing is sent to the endpoint.
//!
//! `Converse` is `bedrock:InvokeModel` and `ConverseStream` is `bedrock:InvokeModelWithResponseStream`, on the ARN of the
//! model or of the inference profile. Source: Service Authorization Reference, "Actions, resources, and condition keys for
//! Amazon Bedrock".

use std::net::IpAddr;

use aws::Fault;
use domain::{Region, Timestamp};
use http::HeaderMap;
use iam::{Question, Requester};
use identity::principal::Identity;

use crate::plane::Operation;

/// The longest model id, in characters (`ConversationalModelId`).
const LONGEST_ID: usize = 2_048;
/// What inference profiles across regions begin with, before the model's provider.
const PROFILES: [&str; 8] = ["global", "us", "us-gov", "eu", "apac", "jp", "au", "ca"];

/// That a policy allows a caller to have this model invoked.
pub(crate) struct Permit {
    model_id: String,
    /// The policy that allows it.
    by: Option<String>,
}

impl Permit {
    /// The model's id, as the caller wrote it.
    pub(crate) fn model_id(&self) -> &str {
        &self.model_id
    }

    /// The policy that allows it, for the audit trail.
    pub(crate) fn by(&self) -> Option<&str> {
        self.by.as_deref()
    }
}

/// Asks IAM.
pub(crate) fn ask(
    identity: &Identity,
    operation: Operation,
    model_id: &str,
    resource: &str,
    (region, peer, now): (&Region, IpAddr, Timestamp),
) -> Result<Permit, Fault> {
    let context = identity
        .conditions()
        .at(now)
        .with("aws:SourceIp", peer.to_string())
        .with("aws:RequestedRegion", region.as_str());
    let action = operation.action();
    let question = Question {
        requester: Requester::Iam(&identity.caller),
        action,
        resource,
        resource_account: Some(&identity.caller.account),
        context: &context,
    };
    let verdict = iam::evaluate(&question, &identity.sets(None));
    if verdict.is_allowed() {
        let by = verdict.deciding.as_ref().map(ToString::to_string);
        return Ok(Permit { model_id: model_id.to_owned(), by });
    }
    let because = verdict.tail(action).unwrap_or_default();
    let caller = identity.caller.arn();
    let protocol = aws::protocol_of(&HeaderMap::new());
    Err(Fault::access_denied(protocol, caller.as_str(), action, resource, &because))
}

/// The ARN of what a model id names: of a model, of a profile, or of what it is the ARN of. `None` for what cannot be one.
pub(crate) fn resource(model_id: &str, identity: &Identity, region: &Region) -> Option<String> {
    arn(model_id, identity.caller.account.as_str(), region.as_str())
}

fn arn(model_id: &str, account: &str, region: &str) -> Option<String> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "-._:/".contains(letter);
    if model_id.is_empty() || model_id.chars().count() > LONGEST_ID || !model_id.chars().all(legal) {
        return None;
    }
    if model_id.starts_with("arn:") {
        return Some(model_id.to_owned());
    }
    let is_profile =
        model_id.split_once('.').is_some_and(|(first, rest)| PROFILES.contains(&first) && rest.contains('.'));
    Some(if is_profile {
        format!("arn:aws:bedrock:{region}:{account}:inference-profile/{model_id}")
    } else {
        format!("arn:aws:bedrock:{region}::foundation-model/{model_id}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_models_and_profiles() {
        let of = |id: &str| arn(id, "123456789012", "us-west-2");
        assert_eq!(
            of("amazon.nova-lite-v1:0").unwrap(),
            "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-lite-v1:0"
        );
        assert_eq!(
            of("us.anthropic.claude-sonnet-4-v1:0").unwrap(),
            "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.claude-sonnet-4-v1:0"
        );
        let own = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1";
        assert_eq!(of(own).unwrap(), own);
        for wrong in ["", "a b", "x\n", "*", "a?", &"x".repeat(2_049)] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
