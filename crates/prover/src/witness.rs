//! A request that shows what is claimed, as people and other programs can read it.

use std::collections::BTreeMap;

use cedar_policy::{Entities, EvalResult, Request};
use serde_json::{Map, Number, Value};

/// One request: who calls which tool of which gateway, with which arguments, when.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// The caller's entity type, such as `AgentCore::OAuthUser`.
    pub principal_type: String,
    /// The caller's id: a token's `sub`, or an ARN.
    pub principal: String,
    /// The caller's tags: the other claims of the token, as policies see them.
    pub tags: BTreeMap<String, String>,
    /// The full name of the tool.
    pub action: String,
    /// The ARN of the gateway; any text when the gateway does not matter.
    pub resource: String,
    /// The arguments, as the call would bring them. Of those that no policy asks about the values mean
    /// nothing.
    pub arguments: Value,
    /// `context.system.now` where the context has it: as RFC 3339 has it, or in Cedar's words for a time that no
    /// calendar has.
    pub now: Option<String>,
}

impl Witness {
    /// Reads the request; `None` for one that is not whole.
    pub(crate) fn read(request: &Request, entities: &Entities) -> Option<Self> {
        let (principal, action, resource) = (request.principal()?, request.action()?, request.resource()?);
        let tags = entities.get(principal).into_iter().flat_map(|entity| {
            let tags = entity.tags().filter_map(|(name, value)| match value {
                Ok(EvalResult::String(text)) => Some((name.to_owned(), text)),
                _ => None,
            });
            tags.collect::<Vec<_>>()
        });
        let context = request.context()?;
        let now = match context.get("system") {
            Some(EvalResult::Record(system)) => match system.get("now") {
                Some(EvalResult::ExtensionValue(now)) => Some(moment(now)),
                _ => None,
            },
            _ => None,
        };
        Some(Self {
            principal_type: principal.type_name().to_string(),
            principal: principal.id().unescaped().to_owned(),
            tags: tags.collect(),
            action: action.id().unescaped().to_owned(),
            resource: resource.id().unescaped().to_owned(),
            arguments: context.get("input").map_or(Value::Null, |input| plain(&input)),
            now,
        })
    }

    /// The whole as one JSON object: `principal` with `type`, `id` and `tags`, `action`, `resource`, and
    /// `context` with `input` and `system`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "principal": {"type": self.principal_type, "id": self.principal, "tags": self.tags},
            "action": self.action,
            "resource": self.resource,
            "context": {"input": self.arguments, "system": {"now": self.now}},
        })
    }
}

/// A value of Cedar's as the JSON that a call brings: a decimal is a number, a set an array.
fn plain(value: &EvalResult) -> Value {
    match value {
        EvalResult::Bool(value) => Value::Bool(*value),
        EvalResult::Long(value) => Value::from(*value),
        EvalResult::String(text) => Value::String(text.clone()),
        EvalResult::EntityUid(uid) => Value::String(uid.to_string()),
        EvalResult::Set(elements) => elements.iter().map(plain).collect(),
        EvalResult::Record(fields) => Value::Object(
            fields.iter().map(|(name, field)| (name.clone(), plain(field))).collect::<Map<_, _>>(),
        ),
        EvalResult::ExtensionValue(text) => number(text).unwrap_or_else(|| Value::String(text.clone())),
    }
}

/// A time as RFC 3339 has it: Cedar writes it as an offset from 1970.
fn moment(extension: &str) -> String {
    let offset = extension
        .strip_prefix("(datetime(\"1970-01-01\")).offset(duration(\"")
        .and_then(|rest| rest.strip_suffix("ms\"))"))
        .and_then(|milliseconds| milliseconds.parse().ok());
    let time = offset.and_then(|milliseconds| jiff::Timestamp::from_millisecond(milliseconds).ok());
    time.map_or_else(|| extension.to_owned(), |time| time.to_string())
}

/// `decimal("1.5")` as a number, unless a number cannot hold it.
fn number(extension: &str) -> Option<Value> {
    let digits = extension.strip_prefix("decimal(\"")?.strip_suffix("\")")?;
    let shortest = digits.trim_end_matches('0').trim_end_matches('.');
    let number: f64 = digits.parse().ok()?;
    let exact = number.to_string() == shortest || (shortest.is_empty() && number == 0.0);
    exact.then(|| Number::from_f64(number)).flatten().map(Value::Number)
}
