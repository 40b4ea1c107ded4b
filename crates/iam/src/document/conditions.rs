//! `Condition` in a document.

use super::Reader;
use super::json::{Json, describe};
use super::statement::Elements;
use crate::condition::{Condition, Kind, Operator, Test, is_date};
use crate::malformed::{Fault, MalformedPolicy};
use crate::policy::PolicyKind;

impl Reader {
    pub(super) fn conditions(self, elements: &mut Elements) -> Result<Box<[Condition]>, MalformedPolicy> {
        let Some((value, place)) = elements.take("Condition") else {
            return Ok(Box::default());
        };
        let mut conditions = Vec::new();
        for (name, block) in self.members(value, &place)? {
            let place = format!("{place}.{name}");
            let members = self.members(block, &place)?;
            // IAM asks for no operator's name before something is compared by it.
            if members.is_empty() && self.kind == PolicyKind::Identity {
                continue;
            }
            let Some(operator) = Operator::parse(&name) else {
                let hint = format!("`{name}` is no condition operator; write one such as StringEquals");
                return Err(self.refuse(&Fault::Syntax, &place, hint));
            };
            for (key, value) in members {
                conditions.push(self.condition(&name, operator, key, value, &place)?);
            }
        }
        Ok(conditions.into_boxed_slice())
    }

    fn condition(
        self,
        name: &str,
        operator: Operator,
        key: String,
        value: Json,
        place: &str,
    ) -> Result<Condition, MalformedPolicy> {
        let place = format!("{place}.{key}");
        let values = self.condition_values(value, &place)?;
        if matches!(operator.kind, Kind::Date(_))
            && let Some(wrong) = values.iter().find(|value| !is_date(value))
        {
            let hint = format!("`{wrong}` is no date; write one such as 2026-01-31T12:00:00Z");
            return Err(self.refuse(&Fault::Legacy, &place, hint));
        }
        Ok(Condition {
            test: Test::compile(operator.kind, &values, self.variables()),
            quantifier: operator.quantifier,
            if_exists: operator.if_exists,
            key: key.to_ascii_lowercase().into(),
            written_operator: name.into(),
            written_key: key.into(),
            written_values: values.into_boxed_slice(),
        })
    }

    fn members(self, value: Json, place: &str) -> Result<Vec<(String, Json)>, MalformedPolicy> {
        match value {
            Json::Map(members) => Ok(members),
            other => {
                let hint = format!(
                    "write an object, as in {{\"StringEquals\": {{\"aws:SourceAccount\": \
                     \"123456789012\"}}}}, not {}",
                    describe(&other)
                );
                Err(self.refuse(&Fault::Syntax, place, hint))
            }
        }
    }

    /// "Quotation marks are optional for numeric and Boolean values."
    fn condition_values(self, value: Json, place: &str) -> Result<Vec<String>, MalformedPolicy> {
        let one = |value| match value {
            Json::Text(text) | Json::Number(text) => Ok(text),
            Json::Bool(flag) => Ok(flag.to_string()),
            other => {
                let hint = format!("write a string or a list of strings, not {}", describe(&other));
                Err(self.refuse(&Fault::Syntax, place, hint))
            }
        };
        match value {
            Json::List(list) => list.into_iter().map(one).collect(),
            value => Ok(vec![one(value)?]),
        }
    }
}
