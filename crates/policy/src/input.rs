//! Turns a call's arguments into the context that Cedar evaluates.
//!
//! Only what some policy of the slice reads is converted, by the tool's own type. What is read must be there
//! and have its type, or the call is refused as a whole: leaving a bad argument out instead would make a
//! `forbid` that reads it fail, and a failed `forbid` forbids nothing in Cedar. A `null` counts as absent, as
//! AgentCore documents. Arguments that the tool's schema does not know, or that no policy reads, are not
//! looked at. A name that is repeated is refused where a policy reads it: whoever is called could take the
//! other value.

use std::collections::BTreeMap;
use std::fmt;

use cedar_policy::{Context, RestrictedExpression};
use domain::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::input_type::{Field, InputType, Record};
use crate::number::{self, Misfit};
use crate::reads::Reads;

/// How to make the context for one tool and one set of policies.
#[derive(Debug)]
pub(crate) struct ContextPlan {
    /// The part of the tool's input that is read; `None` when none is.
    input: Option<Record>,
    /// Whether the time is read.
    system: bool,
}

/// An argument that a policy reads is not what the tool's schema says, or cannot be represented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentError {
    /// The argument, with dots between the names of nested properties; empty for the arguments as a whole.
    pub argument: String,
    /// What is wrong with it.
    pub kind: ArgumentErrorKind,
}

/// What is wrong with an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentErrorKind {
    /// It is required and absent or `null`.
    Missing,
    /// It does not have the type that the tool's schema gives it.
    WrongType {
        /// The type that it should have, with its article.
        expected: &'static str,
    },
    /// It is a number beyond what Cedar's type holds.
    OutOfRange,
    /// It is given more than once.
    Repeated,
    /// Cedar refuses it.
    Refused,
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = if self.argument.is_empty() {
            formatter.write_str("the arguments ")?;
            "are"
        } else {
            write!(formatter, "argument `{}` ", self.argument)?;
            "is"
        };
        match self.kind {
            ArgumentErrorKind::Missing => write!(formatter, "{is} missing"),
            ArgumentErrorKind::WrongType { expected } => write!(formatter, "{is} not {expected}"),
            ArgumentErrorKind::OutOfRange => write!(formatter, "{is} beyond the range of Cedar's type"),
            ArgumentErrorKind::Repeated => write!(formatter, "{is} given more than once"),
            ArgumentErrorKind::Refused => formatter.write_str("cannot be represented"),
        }
    }
}

impl std::error::Error for ArgumentError {}

impl ContextPlan {
    /// Plans for a tool that takes `record` and policies that read `reads`; `None` when they read nothing.
    pub(crate) fn new(record: &Record, reads: &Reads) -> Option<Self> {
        if reads.is_empty() {
            return None;
        }
        Some(Self {
            input: reads.field("input").map(|reads| project(record, reads)),
            system: reads.field("system").is_some(),
        })
    }

    /// Plans for all of `record`, and the time.
    pub(crate) fn whole(record: Record) -> Self {
        Self { input: Some(record), system: true }
    }

    /// Plans for the time and nothing else.
    pub(crate) fn time_alone() -> Self {
        Self { input: None, system: true }
    }

    /// The context of a call. `arguments` is the JSON text of an object.
    pub(crate) fn context(&self, arguments: &str, now: Timestamp) -> Result<Context, ArgumentError> {
        let mut pairs = Vec::with_capacity(2);
        if let Some(record) = &self.input {
            pairs.push(("input".to_owned(), convert_record(arguments, record)?));
        }
        if self.system {
            let now = RestrictedExpression::new_datetime(now.to_string());
            let system = RestrictedExpression::new_record([("now".to_owned(), now)]);
            pairs.push(("system".to_owned(), system.map_err(|_| refused())?));
        }
        Context::from_pairs(pairs).map_err(|_| refused())
    }
}

/// The part of a record that is read.
pub(crate) fn project(record: &Record, reads: &Reads) -> Record {
    let fields = record.fields.iter().filter_map(|(name, field)| {
        let reads = reads.field(name)?;
        let input_type = match &field.input_type {
            InputType::Record(inner) => InputType::Record(project(inner, reads)),
            other => other.clone(),
        };
        let required = field.required;
        Some((name.clone(), Field { input_type, required }))
    });
    Record { fields: fields.collect() }
}

fn convert_record(text: &str, record: &Record) -> Result<RestrictedExpression, ArgumentError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = match (Properties { record }).deserialize(&mut deserializer) {
        Ok(Ok(found)) if deserializer.end().is_ok() => found,
        Ok(Err(repeated)) => return Err(problem(ArgumentErrorKind::Repeated).inside(repeated)),
        _ => return Err(wrong_type("an object")),
    };
    let mut pairs = Vec::with_capacity(found.len());
    for (name, field) in &record.fields {
        match found.get(name.as_str()).copied().filter(|value| value.get() != "null") {
            Some(value) => {
                let value = convert(value.get(), &field.input_type).map_err(|error| error.inside(name))?;
                pairs.push((name.clone(), value));
            }
            None if field.required => return Err(problem(ArgumentErrorKind::Missing).inside(name)),
            None => {}
        }
    }
    RestrictedExpression::new_record(pairs).map_err(|_| refused())
}

fn convert(text: &str, input_type: &InputType) -> Result<RestrictedExpression, ArgumentError> {
    match input_type {
        InputType::String => serde_json::from_str(text)
            .map(RestrictedExpression::new_string)
            .map_err(|_| wrong_type("a string")),
        InputType::Bool => serde_json::from_str(text)
            .map(RestrictedExpression::new_bool)
            .map_err(|_| wrong_type("a boolean")),
        InputType::Long => number::long(text)
            .map(RestrictedExpression::new_long)
            .map_err(|misfit| misfits(misfit, "an integer")),
        InputType::Decimal => number::decimal(text)
            .map(RestrictedExpression::new_decimal)
            .map_err(|misfit| misfits(misfit, "a number")),
        InputType::Set(element) => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| wrong_type("an array"))?;
            let converted: Result<Vec<_>, _> =
                elements.iter().map(|value| convert(value.get(), element)).collect();
            converted.map(RestrictedExpression::new_set)
        }
        InputType::Record(record) => convert_record(text, record),
    }
}

fn problem(kind: ArgumentErrorKind) -> ArgumentError {
    ArgumentError { argument: String::new(), kind }
}

fn refused() -> ArgumentError {
    problem(ArgumentErrorKind::Refused)
}

fn wrong_type(expected: &'static str) -> ArgumentError {
    problem(ArgumentErrorKind::WrongType { expected })
}

fn misfits(misfit: Misfit, expected: &'static str) -> ArgumentError {
    match misfit {
        Misfit::Type => wrong_type(expected),
        Misfit::Range => problem(ArgumentErrorKind::OutOfRange),
    }
}

impl ArgumentError {
    fn inside(mut self, name: &str) -> Self {
        if self.argument.is_empty() {
            name.clone_into(&mut self.argument);
        } else {
            self.argument = format!("{name}.{}", self.argument);
        }
        self
    }
}

/// Finds the properties of a record in JSON text, unread. `Err` is the name of one that is repeated.
struct Properties<'p> {
    record: &'p Record,
}

type Found<'p, 'de> = Result<BTreeMap<&'p str, &'de RawValue>, &'p str>;

impl<'p, 'de> DeserializeSeed<'de> for Properties<'p> {
    type Value = Found<'p, 'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'p, 'de> Visitor<'de> for Properties<'p> {
    type Value = Found<'p, 'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = BTreeMap::new();
        let mut repeated = None;
        while let Some(name) = map.next_key_seed(KnownName { record: self.record })? {
            match name {
                None => drop(map.next_value::<IgnoredAny>()?),
                Some(name) => {
                    if found.insert(name, map.next_value()?).is_some() {
                        repeated = Some(name);
                    }
                }
            }
        }
        Ok(repeated.map_or(Ok(found), Err))
    }
}

/// A property's name, looked up without being copied.
struct KnownName<'p> {
    record: &'p Record,
}

impl<'p, 'de> DeserializeSeed<'de> for KnownName<'p> {
    type Value = Option<&'p str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for KnownName<'p> {
    type Value = Option<&'p str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a property's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.record.fields.get_key_value(name).map(|(name, _)| name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::pst::{Clause, Policy as PstPolicy};
    use serde_json::json;

    use super::*;
    use crate::input_type;

    fn reads(condition: &str) -> Reads {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let policy: cedar_policy::Policy = text.parse().unwrap();
        let PstPolicy::Static(policy) = policy.to_pst().unwrap() else { panic!("{text}") };
        let mut reads = Reads::default();
        for clause in policy.body().clauses() {
            let (Clause::When(expression) | Clause::Unless(expression)) = clause;
            reads.add(expression);
        }
        reads
    }

    /// The context that a policy with this condition sees, or why it sees none.
    fn context(condition: &str, arguments: &str) -> Result<String, String> {
        let schema = json!({
            "type": "object",
            "properties": {
                "amount": {"type": "number"},
                "count": {"type": "integer"},
                "note": {"type": "string"},
                "urgent": {"type": "boolean"},
                "labels": {"type": "array", "items": {"type": "string"}},
                "to": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}, "zip": {"type": "integer"}},
                    "required": ["zip"],
                },
            },
            "required": ["amount", "count"],
        });
        let record = input_type::read(&schema.to_string()).record;
        let plan = ContextPlan::new(&record, &reads(condition)).unwrap();
        let context = plan.context(arguments, Timestamp::from_seconds(0));
        context.map(|context| context.to_json_value().unwrap().to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn only_what_is_read_is_looked_at() {
        assert_eq!(
            context("context.input.count == 1", r#"{"count": 7, "amount": "not a number", "count2": 1}"#),
            Ok(r#"{"input":{"count":7}}"#.to_owned())
        );
        assert_eq!(
            context("context.input.to.zip == 1", r#"{"to": {"zip": 7, "city": 5}}"#),
            Ok(r#"{"input":{"to":{"zip":7}}}"#.to_owned())
        );
        assert_eq!(context("context has input", "{}"), Ok(r#"{"input":{}}"#.to_owned()));
        assert!(context("context.system has now", "no JSON").unwrap().contains("1970-01-01"));
    }

    #[test]
    fn values_keep_their_types() {
        let condition = "context.input == context.input";
        let arguments = r#"{"amount": 12.34567, "count": 1e2, "note": "\u00e4", "urgent": false,
                            "labels": ["b", "a", "b"], "to": {"zip": 89073}, "other": [{}]}"#;
        let seen: serde_json::Value = serde_json::from_str(&context(condition, arguments).unwrap()).unwrap();
        let input = &seen["input"];
        assert_eq!(input["amount"]["__extn"]["arg"], "12.3456");
        assert_eq!(input["count"], 100);
        assert_eq!(input["note"], "ä");
        assert_eq!(input["urgent"], false);
        assert_eq!(input["labels"].as_array().unwrap().len(), 2);
        assert_eq!(input["to"], json!({"zip": 89073}));
    }

    #[test]
    fn what_is_null_is_absent() {
        assert_eq!(context("context.input has note", r#"{"note": null}"#), Ok(r#"{"input":{}}"#.to_owned()));
        assert_eq!(
            context("context.input.count == 1", r#"{"count": null}"#),
            Err("argument `count` is missing".to_owned())
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        for (condition, arguments, why) in [
            ("context.input.count == 1", "{}", "argument `count` is missing"),
            ("context.input.count == 1", r#"{"count": "1"}"#, "argument `count` is not an integer"),
            ("context.input.count == 1", r#"{"count": 1.5}"#, "argument `count` is not an integer"),
            (
                "context.input.count == 1",
                r#"{"count": 9223372036854775808}"#,
                "argument `count` is beyond the range of Cedar's type",
            ),
            (
                "context.input.amount == decimal(\"1.0\")",
                r#"{"amount": 1e16}"#,
                "argument `amount` is beyond the range of Cedar's type",
            ),
            ("context.input.note == \"\"", r#"{"note": 5}"#, "argument `note` is not a string"),
            ("context.input.urgent", r#"{"urgent": "yes"}"#, "argument `urgent` is not a boolean"),
            (
                "context.input.labels.contains(\"a\")",
                r#"{"labels": "a"}"#,
                "argument `labels` is not an array",
            ),
            (
                "context.input.labels.contains(\"a\")",
                r#"{"labels": [1]}"#,
                "argument `labels` is not a string",
            ),
            ("context.input.to.zip == 1", r#"{"to": 5}"#, "argument `to` is not an object"),
            ("context.input.to.zip == 1", r#"{"to": {"zip": "x"}}"#, "argument `to.zip` is not an integer"),
            ("context.input.to.zip == 1", r#"{"to": {}}"#, "argument `to.zip` is missing"),
            (
                "context.input.count == 1",
                r#"{"count": 1, "count": 2}"#,
                "argument `count` is given more than once",
            ),
            (
                "context.input.count == 1",
                r#"{"count": 1, "c\u006funt": 2}"#,
                "argument `count` is given more than once",
            ),
            ("context.input.count == 1", "[]", "the arguments are not an object"),
            ("context.input.count == 1", "", "the arguments are not an object"),
            ("context.input.count == 1", r#"{"count": 1} x"#, "the arguments are not an object"),
            ("context.input.count == 1", r#"{"count": 1"#, "the arguments are not an object"),
        ] {
            assert_eq!(context(condition, arguments), Err(why.to_owned()), "{condition} {arguments}");
        }
    }

    #[test]
    fn what_no_policy_reads_may_be_anything() {
        assert!(context("context.input.count == 1", r#"{"count": 1, "note": 5, "note": [[[]]]}"#).is_ok());
    }
}
