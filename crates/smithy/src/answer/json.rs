//! Values in JSON, read by the model: wire names become members' names, moments become RFC 3339, nulls and what the
//! model does not know are left out. Source: "awsJson" and "restJson1" in the Smithy 2.0 specification.
//!
//! The depth of a value is bounded by serde_json's own bound of 128.

use serde_json::{Map, Value};

use crate::plan::{Binding, Member, Plan, Shape, Structure, TimestampFormat};
use crate::timestamp;

/// The members of an output that stand in the body.
pub(super) fn structure(
    plan: &Plan,
    shape: &Structure,
    mut object: Map<String, Value>,
) -> Map<String, Value> {
    let members = shape.members.iter().filter(|member| member.binding == Binding::Body);
    members.filter_map(|member| taken(plan, member, &mut object)).collect()
}

/// A structure's members wherever they would be bound, as errors and nested structures have them.
pub(super) fn all(plan: &Plan, shape: &Structure, mut object: Map<String, Value>) -> Map<String, Value> {
    shape.members.iter().filter_map(|member| taken(plan, member, &mut object)).collect()
}

fn taken(plan: &Plan, member: &Member, object: &mut Map<String, Value>) -> Option<(String, Value)> {
    let found = object.remove(member.on_wire()).filter(|value| !value.is_null())?;
    Some((member.name.clone(), value(plan, member, found)))
}

/// A value by its shape; what does not fit stays as it is.
pub(super) fn value(plan: &Plan, member: &Member, value: Value) -> Value {
    match (plan.shape(member.shape), value) {
        (Some(Shape::Structure(shape) | Shape::Union(shape)), Value::Object(object)) => {
            Value::Object(all(plan, shape, object))
        }
        (Some(Shape::List(part)), Value::Array(values)) => {
            values.into_iter().map(|value| self::value(plan, part, value)).collect()
        }
        (Some(Shape::Map(parts)), Value::Object(object)) => {
            let entries = object.into_iter();
            Value::Object(entries.map(|(key, value)| (key, self::value(plan, &parts.1, value))).collect())
        }
        (Some(Shape::Timestamp(format)), value) => {
            let format = member.timestamp.or(*format).unwrap_or(TimestampFormat::EpochSeconds);
            timestamp::shown(&value, format)
        }
        (_, value) => value,
    }
}
