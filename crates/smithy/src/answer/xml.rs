//! Values in XML, read by the model. Source: "XML bindings" in the Smithy 2.0 specification.

use serde_json::{Map, Number, Value};

use super::tree::Element;
use crate::plan::{Binding, Member, Plan, Shape, Structure, TimestampFormat};
use crate::timestamp;

/// The members of a structure that stand in the body.
pub(super) fn structure(plan: &Plan, shape: &Structure, element: &Element) -> Map<String, Value> {
    let members = shape.members.iter().filter(|member| member.binding == Binding::Body);
    members.filter_map(|member| Some((member.name.clone(), member_of(plan, member, element)?))).collect()
}

/// A structure's members wherever they would be bound, as errors and nested structures have them.
pub(super) fn all(plan: &Plan, shape: &Structure, element: &Element) -> Map<String, Value> {
    let members = shape.members.iter();
    members.filter_map(|member| Some((member.name.clone(), member_of(plan, member, element)?))).collect()
}

fn member_of(plan: &Plan, member: &Member, element: &Element) -> Option<Value> {
    let name = member.on_wire();
    if member.attribute {
        return element.attribute(name).map(|text| simple(plan, member, text));
    }
    match plan.shape(member.shape) {
        Some(Shape::List(part)) if member.flattened => {
            let values: Vec<_> = element.children(name).map(|child| value(plan, part, child)).collect();
            (!values.is_empty()).then_some(Value::Array(values))
        }
        Some(Shape::Map(parts)) if member.flattened => {
            let mut entries = element.children(name).peekable();
            entries.peek()?;
            Some(Value::Object(entries.filter_map(|child| entry(plan, parts, child)).collect()))
        }
        _ => element.child(name).map(|child| value(plan, member, child)),
    }
}

/// The value that an element has.
pub(super) fn value(plan: &Plan, member: &Member, element: &Element) -> Value {
    match plan.shape(member.shape) {
        Some(Shape::Structure(shape) | Shape::Union(shape)) => Value::Object(all(plan, shape, element)),
        Some(Shape::List(part)) => {
            let name = part.wire_name.as_deref().unwrap_or("member");
            element.children(name).map(|child| value(plan, part, child)).collect()
        }
        Some(Shape::Map(parts)) => {
            Value::Object(element.children("entry").filter_map(|child| entry(plan, parts, child)).collect())
        }
        _ => simple(plan, member, &element.text),
    }
}

fn entry(plan: &Plan, (key, part): &(Member, Member), element: &Element) -> Option<(String, Value)> {
    let name = element.child(key.wire_name.as_deref().unwrap_or("key"))?.text.clone();
    let found = element.child(part.wire_name.as_deref().unwrap_or("value"))?;
    Some((name, value(plan, part, found)))
}

/// A simple value from its text; the text itself when it is no such value.
fn simple(plan: &Plan, member: &Member, text: &str) -> Value {
    from_text(plan, member, text, TimestampFormat::DateTime)
}

/// The same for text in a header, whose moments are of another kind.
pub(super) fn from_text(plan: &Plan, member: &Member, text: &str, default: TimestampFormat) -> Value {
    let trimmed = text.trim();
    let read = match plan.shape(member.shape) {
        Some(Shape::Boolean) => match trimmed {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Some(Shape::Integer(_)) => trimmed.parse::<i64>().ok().map(Value::from),
        Some(Shape::Number) => match serde_json::from_str::<Number>(trimmed) {
            Ok(number) => Some(Value::Number(number)),
            Err(_) => trimmed.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number),
        },
        Some(Shape::Timestamp(format)) => {
            let format = member.timestamp.or(*format).unwrap_or(default);
            Some(timestamp::shown(&Value::from(trimmed), format))
        }
        _ => None,
    };
    read.unwrap_or_else(|| text.into())
}
