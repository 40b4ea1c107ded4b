//! `Action` and `NotAction` in a document.

use super::Reader;
use super::statement::{Either, Elements};
use crate::action::ActionElement;
use crate::malformed::{Fault, MalformedPolicy};
use crate::policy::PolicyKind;

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
        if self.kind == PolicyKind::Trust && !vendor.eq_ignore_ascii_case("sts") {
            let hint = format!("`{text}` is no action of assuming a role; write sts:AssumeRole");
            return Err(self.refuse(&Fault::NotAssumeRole, place, hint));
        }
        Ok(())
    }
}

fn is_vendor(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    !text.is_empty() && text.bytes().all(legal)
}
