//! `Principal` and `NotPrincipal` in a document.

use super::Reader;
use super::json::{Json, describe};
use super::statement::{Either, Elements};
use crate::arn_pattern::components;
use crate::malformed::{Fault, MalformedPolicy};
use crate::policy::PolicyKind;
use crate::principal::{PrincipalElement, PrincipalPattern};
use crate::question::is_account;

impl Reader {
    pub(super) fn principal(
        self,
        elements: &mut Elements,
    ) -> Result<Option<PrincipalElement>, MalformedPolicy> {
        let found = self.either(elements, "Principal", "NotPrincipal")?;
        let Some(Either { value, place, negated }) = found else {
            if self.kind == PolicyKind::Identity {
                return Ok(None);
            }
            let hint = "add Principal, such as {\"Service\": \"bedrock-agentcore.amazonaws.com\"} or \
                        {\"AWS\": \"123456789012\"}";
            return Err(self.refuse(&Fault::MissingPrincipal, &elements.place, hint));
        };
        match self.kind {
            PolicyKind::Identity => {
                let hint = "remove it; an identity-based policy speaks about whoever it is attached to";
                return Err(self.refuse(&Fault::PrincipalForbidden, &place, hint));
            }
            PolicyKind::Trust if negated => {
                let allows = matches!(elements.peek("Effect"), Some(Json::Text(effect)) if effect == "Allow");
                let fault = if allows { Fault::NotPrincipalAllow } else { Fault::NotPrincipalForbidden };
                return Err(self.refuse(&fault, &place, "name whom you mean in Principal"));
            }
            PolicyKind::Resource | PolicyKind::Trust => {}
        }
        let patterns = self.principal_patterns(value, &place)?;
        if patterns.is_empty() {
            return Err(self.refuse(&Fault::EmptyPrincipal, &place, "name somebody"));
        }
        Ok(Some(PrincipalElement { patterns: patterns.into_boxed_slice(), negated }))
    }

    fn principal_patterns(self, value: Json, place: &str) -> Result<Vec<PrincipalPattern>, MalformedPolicy> {
        let members = match value {
            Json::Map(members) => members,
            Json::Text(text) if text == "*" && self.kind == PolicyKind::Resource => {
                return Ok(vec![PrincipalPattern::Everyone]);
            }
            Json::Text(text) if self.kind == PolicyKind::Trust => {
                let hint = format!("write {{\"AWS\": \"{text}\"}} if that is whom you mean");
                return Err(self.refuse(&Fault::BarePrincipal, place, hint));
            }
            other => {
                let hint = format!(
                    "write \"*\" or an object such as {{\"AWS\": \"123456789012\"}}, not {}",
                    describe(&other)
                );
                return Err(self.refuse(&Fault::Syntax, place, hint));
            }
        };
        let mut patterns = Vec::new();
        for (family, value) in members {
            let place = format!("{place}.{family}");
            let Some(understand) = family_of(&family) else {
                let fault = Fault::InvalidPrincipal(format!("\"{family}\""));
                let hint = "write AWS, Service, Federated or CanonicalUser";
                return Err(self.refuse(&fault, &place, hint));
            };
            for text in self.texts(value, &place)? {
                let Some(pattern) = understand(&text) else {
                    let fault = Fault::InvalidPrincipal(format!("\"{family}\":\"{text}\""));
                    return Err(self.refuse(&fault, &place, hint_for(&family)));
                };
                patterns.push(pattern);
            }
        }
        Ok(patterns)
    }
}

type Understand = fn(&str) -> Option<PrincipalPattern>;

fn family_of(name: &str) -> Option<Understand> {
    match name {
        "AWS" => Some(aws),
        "Service" => Some(service),
        "Federated" => Some(federated),
        "CanonicalUser" => Some(|text| (!text.is_empty()).then_some(PrincipalPattern::Canonical)),
        _ => None,
    }
}

fn hint_for(family: &str) -> &'static str {
    match family {
        "Service" => "write a service's name, such as bedrock-agentcore.amazonaws.com",
        "Federated" => "write the ARN of an identity provider, or its well-known name",
        "CanonicalUser" => "write a canonical user id",
        _ => {
            "write \"*\", an account id, or the ARN of an account's root, a user, a role or a role session; \
             a wildcard cannot be a part of it"
        }
    }
}

fn aws(text: &str) -> Option<PrincipalPattern> {
    if text == "*" {
        return Some(PrincipalPattern::Everyone);
    }
    if is_account(text) {
        return Some(PrincipalPattern::Account(text.into()));
    }
    if is_unique_id(text) {
        return Some(PrincipalPattern::UniqueId(text.into()));
    }
    let ["arn", partition, service, "", account, resource] = components(text)? else {
        return None;
    };
    if partition.is_empty() || !is_account(account) || text.contains(['*', '?']) {
        return None;
    }
    match (service, resource.split_once('/')) {
        ("iam", None) => (resource == "root").then(|| PrincipalPattern::Account(account.into())),
        ("iam", Some(("user" | "role", name))) | ("sts", Some(("federated-user", name))) => {
            (!name.is_empty()).then(|| PrincipalPattern::Arn(text.into()))
        }
        ("sts", Some(("assumed-role", name))) => {
            let (role, session) = name.split_once('/')?;
            (!role.is_empty() && !session.is_empty()).then(|| PrincipalPattern::Arn(text.into()))
        }
        _ => None,
    }
}

fn is_unique_id(text: &str) -> bool {
    (text.starts_with("AIDA") || text.starts_with("AROA"))
        && text.len() > 4
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn service(text: &str) -> Option<PrincipalPattern> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let named = text.contains('.') && text.bytes().all(legal);
    named.then(|| PrincipalPattern::Service(text.into()))
}

fn federated(text: &str) -> Option<PrincipalPattern> {
    let named = !text.is_empty() && !text.contains('*');
    named.then(|| PrincipalPattern::Federated(text.into()))
}
