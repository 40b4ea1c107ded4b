//! One statement: which elements it has, and those that are a word.

use std::collections::HashSet;

use super::Reader;
use super::json::{Json, describe};
use crate::malformed::{Fault, MalformedPolicy};
use crate::policy::{PolicyKind, Says, Statement};

const ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// The elements of a statement that have not been read yet.
pub(super) struct Elements {
    /// `Statement[3]`.
    pub(super) place: String,
    members: Vec<(String, Json)>,
}

impl Elements {
    /// Takes an element out, with its place in the document.
    pub(super) fn take(&mut self, name: &str) -> Option<(Json, String)> {
        let at = self.members.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.members.swap_remove(at);
        Some((value, self.place_of(name)))
    }

    pub(super) fn peek(&self, name: &str) -> Option<&Json> {
        let found = self.members.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }

    fn place_of(&self, name: &str) -> String {
        format!("{}.{name}", self.place)
    }
}

/// An element that comes in two forms, such as `Action` and `NotAction`.
pub(super) struct Either {
    pub(super) value: Json,
    pub(super) place: String,
    pub(super) negated: bool,
}

impl Reader {
    pub(super) fn statement(self, index: usize, json: Json) -> Result<Statement, MalformedPolicy> {
        let mut elements = self.elements(index, json)?;
        Ok(Statement {
            index,
            sid: self.sid(&mut elements)?,
            principal: self.principal(&mut elements)?,
            says: self.effect(&mut elements)?,
            actions: self.actions(&mut elements)?,
            resources: self.resources(&mut elements)?,
            conditions: self.conditions(&mut elements)?,
        })
    }

    fn elements(self, index: usize, json: Json) -> Result<Elements, MalformedPolicy> {
        let place = format!("Statement[{index}]");
        let Json::Map(members) = json else {
            let hint = format!("write an object, not {}", describe(&json));
            return Err(self.refuse(&Fault::Syntax, &place, hint));
        };
        match members.iter().find(|(name, _)| !ELEMENTS.contains(&name.as_str())) {
            None => Ok(Elements { place, members }),
            Some((name, _)) => {
                let close = ELEMENTS.iter().find(|known| known.eq_ignore_ascii_case(name));
                let hint = match close {
                    Some(known) => format!("write it as {known}"),
                    None => format!("remove it; a statement has {}", ELEMENTS.join(", ")),
                };
                Err(self.refuse(&Fault::Syntax, &format!("{place}.{name}"), hint))
            }
        }
    }

    /// Takes whichever of two forms is there.
    pub(super) fn either(
        self,
        elements: &mut Elements,
        positive: &str,
        negative: &str,
    ) -> Result<Option<Either>, MalformedPolicy> {
        match (elements.take(positive), elements.take(negative)) {
            (None, None) => Ok(None),
            (Some((value, place)), None) => Ok(Some(Either { value, place, negated: false })),
            (None, Some((value, place))) => Ok(Some(Either { value, place, negated: true })),
            (Some(_), Some((_, place))) => {
                let hint = format!("keep either {positive} or {negative}; a statement cannot have both");
                Err(self.refuse(&Fault::Syntax, &place, hint))
            }
        }
    }

    fn sid(self, elements: &mut Elements) -> Result<Option<Box<str>>, MalformedPolicy> {
        match elements.take("Sid") {
            None => Ok(None),
            Some((Json::Text(sid), place)) => {
                let plain = sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
                if self.kind == PolicyKind::Identity && !plain {
                    let hint = format!("write `{sid}` with letters and digits only");
                    return Err(self.refuse(&Fault::SidCharacters, &place, hint));
                }
                // An empty one says nothing, and may be there more than once.
                Ok((!sid.is_empty()).then(|| sid.into()))
            }
            Some((other, place)) => {
                let hint = format!("write a string, not {}", describe(&other));
                Err(self.refuse(&Fault::Syntax, &place, hint))
            }
        }
    }

    pub(super) fn unique_sids(self, statements: &[Statement]) -> Result<(), MalformedPolicy> {
        let mut seen = HashSet::new();
        for statement in statements {
            let Some(sid) = &statement.sid else { continue };
            if !seen.insert(sid) {
                let place = format!("Statement[{}].Sid", statement.index);
                let hint = format!("`{sid}` is the Sid of an earlier statement; give this one another");
                return Err(self.refuse(&Fault::DuplicateSid, &place, hint));
            }
        }
        Ok(())
    }

    fn effect(self, elements: &mut Elements) -> Result<Says, MalformedPolicy> {
        const HINT: &str = "write \"Allow\" or \"Deny\"";
        match elements.take("Effect") {
            None => Err(self.refuse(&Fault::MissingEffect, &elements.place, HINT)),
            Some((Json::Text(text), place)) => match text.as_str() {
                "Allow" => Ok(Says::Allow),
                "Deny" => Ok(Says::Deny),
                _ if text.eq_ignore_ascii_case("Allow") || text.eq_ignore_ascii_case("Deny") => {
                    Err(self.refuse(&Fault::EffectCase(text), &place, HINT))
                }
                _ => Err(self.refuse(&Fault::BadEffect(text), &place, HINT)),
            },
            Some((_, place)) => Err(self.refuse(&Fault::Syntax, &place, HINT)),
        }
    }
}
