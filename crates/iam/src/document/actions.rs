//! `Action` and `NotAction` in a document.

use super::Reader;
use super::statement::{Either, Elements};
use crate::action::ActionElement;
use crate::malformed::{Fault, MalformedPolicy};
use crate::policy::PolicyKind;

/// Source: Service Authorization Reference, "Actions defined by AWS Security Token Service".
const STS_ACTIONS: [&str; 16] = [
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetCallerIdentity",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetServiceBearerToken",
    "GetSessionToken",
    "GetWebIdentityToken",
    "SetContext",
    "SetSourceIdentity",
    "TagGetWebIdentityToken",
    "TagSession",
];

impl Reader {
    pub(super) fn actions(self, elements: &mut Elements) -> Result<ActionElement, MalformedPolicy> {
        let hint = match self.kind {
            PolicyKind::Trust => "add Action, such as \"sts:AssumeRole\"",
            PolicyKind::Identity | PolicyKind::Resource => {
                "add Action, such as \"bedrock-agentcore:InvokeGateway\""
            }
        };
        let Some(Either { value, place, negated }) = self.either(elements, "Action", "NotAction")? else {
            return Err(self.refuse(&Fault::MissingAction, &elements.place, hint));
        };
        let texts = self.texts(value, &place)?;
        if texts.is_empty() {
            return Err(self.refuse(&Fault::MissingAction, &place, hint));
        }
        for text in &texts {
            self.check_action(text, &place)?;
        }
        Ok(ActionElement::compile(&texts, negated))
    }

    fn check_action(self, text: &str, place: &str) -> Result<(), MalformedPolicy> {
        let mut parts = text.split(':');
        let vendor = parts.next().unwrap_or_default();
        let fault = match parts.count() {
            0 if text == "*" => None,
            0 => Some(Fault::ActionWithoutVendor),
            1 if vendor == "*" || is_vendor(vendor) => None,
            1 => Some(Fault::ActionVendor(vendor.to_owned())),
            _ => Some(Fault::ActionColons),
        };
        if let Some(fault) = fault {
            let hint = format!("write `{text}` as service:Action, such as lambda:InvokeFunction");
            return Err(self.refuse(&fault, place, hint));
        }
        if self.kind == PolicyKind::Trust && !is_of_sts(text) {
            let hint = format!("`{text}` is no action of assuming a role; write sts:AssumeRole");
            return Err(self.refuse(&Fault::NotAssumeRole, place, hint));
        }
        Ok(())
    }
}

/// An action of STS, or a pattern for some. A name that STS does not have trusts nobody: it is a slip.
fn is_of_sts(text: &str) -> bool {
    text.split_once(':').is_some_and(|(vendor, name)| {
        let known = || STS_ACTIONS.iter().any(|action| action.eq_ignore_ascii_case(name));
        vendor.eq_ignore_ascii_case("sts") && (name.contains(['*', '?']) || known())
    })
}

fn is_vendor(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    !text.is_empty() && text.bytes().all(legal)
}
