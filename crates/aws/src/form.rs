//! Forms (`application/x-www-form-urlencoded`): of the query protocol, and of query strings.
//!
//! They are read strictly. Everything is UTF-8, and a parameter that stands twice, where one value is wanted, is
//! refused, as is one that belongs to a member and was not read as part of it: nothing is accepted and then ignored. What
//! belongs to no member is ignored, as AWS does.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use aws_shapes::{Member, Schema};
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use crate::decode::from_text;

/// The pairs of a form, in their order.
pub(crate) fn pairs(text: &[u8]) -> Result<Vec<(String, String)>, Unreadable> {
    let decoded = |part: &[u8]| {
        let spaced: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        let text = percent_decode(&spaced).decode_utf8().map_err(|_| Unreadable::Encoding)?;
        Ok(text.into_owned())
    };
    let parts = text.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let mut halves = part.splitn(2, |byte| *byte == b'=');
            let name = decoded(halves.next().unwrap_or_default())?;
            Ok((name, decoded(halves.next().unwrap_or_default())?))
        })
        .collect()
}

/// The form of the query protocol: `Tags.member.1.Key=…`.
pub(crate) struct Form {
    values: BTreeMap<String, String>,
    /// The names that were read as part of a member.
    read: RefCell<BTreeSet<String>>,
}

impl Form {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let mut values = BTreeMap::new();
        for (name, value) in pairs(text)? {
            if values.contains_key(&name) {
                return Err(Unreadable::Repeated(name));
            }
            values.insert(name, value);
        }
        Ok(Self { values, read: RefCell::default() })
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let value = self.values.get(name)?;
        self.read.borrow_mut().insert(name.to_owned());
        Some(value)
    }

    /// The tree of values for an operation's input.
    pub(crate) fn tree(&self, members: &[Member]) -> Result<Value, Unreadable> {
        let tree = self.structure(members, "").unwrap_or_else(|| Value::Object(Map::new()));
        let read = self.read.borrow();
        let of_a_member = |name: &str| {
            let first = name.split('.').next().unwrap_or_default();
            members.iter().any(|member| member.wire == first)
        };
        match self.values.keys().find(|name| !read.contains(*name) && of_a_member(name)) {
            None => Ok(tree),
            Some(stray) => Err(Unreadable::Stray(stray.clone())),
        }
    }

    fn structure(&self, members: &[Member], prefix: &str) -> Option<Value> {
        // Nothing below: a shape that holds itself ends here.
        let next = self.values.range(prefix.to_owned()..).next();
        if !next.is_some_and(|(name, _)| name.starts_with(prefix)) {
            return None;
        }
        let mut object = Map::new();
        for member in members {
            if let Some(value) = self.value(member.schema, &format!("{prefix}{}", member.wire)) {
                object.insert(member.name.to_owned(), value);
            }
        }
        (!object.is_empty()).then_some(Value::Object(object))
    }

    fn value(&self, schema: &Schema, name: &str) -> Option<Value> {
        match schema {
            Schema::Structure(members) | Schema::Union(members) => {
                self.structure(members, &format!("{name}."))
            }
            Schema::List { element, wire, .. } => {
                let mut elements = Vec::new();
                while let Some(value) = self.value(element, &format!("{name}.{wire}.{}", elements.len() + 1))
                {
                    elements.push(value);
                }
                // An empty list is written as an empty text.
                let given = !elements.is_empty() || self.get(name) == Some("");
                given.then_some(Value::Array(elements))
            }
            Schema::Map { key, value, .. } => {
                let mut object = Map::new();
                for at in 1.. {
                    let entry = format!("{name}.entry.{at}");
                    let Some(Value::String(key)) = self.value(key, &format!("{entry}.key")) else { break };
                    let value = self.value(value, &format!("{entry}.value")).unwrap_or(Value::Null);
                    object.insert(key, value);
                }
                (!object.is_empty()).then_some(Value::Object(object))
            }
            Schema::NotHonoured => self.holds(name).then_some(Value::Bool(true)),
            scalar => self.get(name).map(|text| from_text(scalar, text)),
        }
    }

    /// Whether there is a parameter of this name, or below it.
    fn holds(&self, name: &str) -> bool {
        let below = format!("{name}.");
        let found: Vec<_> = self
            .values
            .range(name.to_owned()..)
            .map(|(known, _)| known)
            .take_while(|known| known.starts_with(name))
            .filter(|known| *known == name || known.starts_with(&below))
            .cloned()
            .collect();
        let any = !found.is_empty();
        self.read.borrow_mut().extend(found);
        any
    }
}

/// Why a form cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("The parameters are not percent-encoded UTF-8")]
    Encoding,
    #[error("The parameter {} is given twice", shown(.0))]
    Repeated(String),
    #[error("The parameter {} is not part of any value: lists are numbered from 1 without gaps", shown(.0))]
    Stray(String),
}

/// A name as an error shows it, bounded.
fn shown(name: &str) -> String {
    name.chars().take(128).collect()
}
