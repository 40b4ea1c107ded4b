//! Bodies in JSON. Source: "awsJson" and "restJson1" in the Smithy 2.0 specification.
//!
//! The arguments are walked by the model's shapes and written anew, so that a body holds what the model has and
//! nothing else.

use serde_json::{Map, Value};

use super::{ArgumentFault, Place, scalar};
use crate::plan::{Member, Plan, Shape, Structure, TimestampFormat};
use crate::timestamp;

/// The document that the members of an input make.
pub(super) fn document<'a>(
    plan: &Plan,
    members: impl Iterator<Item = (&'a Member, &'a Value)>,
) -> Result<String, ArgumentFault> {
    let mut body = Map::new();
    for (member, value) in members {
        let written = write(plan, member, value, &Place::top(&member.name))?;
        body.insert(member.on_wire().to_owned(), written);
    }
    Ok(Value::Object(body).to_string())
}

/// The document that one member is.
pub(super) fn value(plan: &Plan, member: &Member, value: &Value) -> Result<String, ArgumentFault> {
    write(plan, member, value, &Place::top(&member.name)).map(|value| value.to_string())
}

fn write(plan: &Plan, member: &Member, value: &Value, place: &Place<'_>) -> Result<Value, ArgumentFault> {
    match plan.shape(member.shape) {
        Some(Shape::Document) => Ok(value.clone()),
        Some(Shape::Structure(shape)) => structure(plan, shape, value, place).map(Value::Object),
        Some(Shape::Union(shape)) => {
            let written = structure(plan, shape, value, place)?;
            if written.len() == 1 {
                Ok(Value::Object(written))
            } else {
                Err(place.fault("must have exactly one member"))
            }
        }
        Some(Shape::List(part)) => {
            let values = value.as_array().ok_or_else(|| place.fault("must be an array"))?;
            let parts =
                values.iter().enumerate().map(|(at, value)| element(plan, part, value, &place.at(at)?));
            parts.collect::<Result<_, _>>().map(Value::Array)
        }
        Some(Shape::Map(parts)) => {
            let values = value.as_object().ok_or_else(|| place.fault("must be an object"))?;
            let parts = values
                .iter()
                .map(|(key, value)| Ok((key.clone(), element(plan, &parts.1, value, &place.named(key)?)?)));
            parts.collect::<Result<_, _>>().map(Value::Object)
        }
        Some(Shape::Integer(bits)) => scalar::integer(value, *bits, place).map(Value::from),
        Some(Shape::Number) => scalar::number(value, place),
        Some(Shape::Boolean) if value.is_boolean() => Ok(value.clone()),
        Some(Shape::Timestamp(format)) => {
            let format = member.timestamp.or(*format).unwrap_or(TimestampFormat::EpochSeconds);
            Ok(timestamp::json(scalar::moment(value, place)?, format))
        }
        _ => scalar::text(plan, member, value, TimestampFormat::EpochSeconds, place).map(Value::String),
    }
}

/// A list's or a map's element, which may be null where the collection is sparse; the service says if it is not.
fn element(plan: &Plan, part: &Member, value: &Value, place: &Place<'_>) -> Result<Value, ArgumentFault> {
    if value.is_null() { Ok(Value::Null) } else { write(plan, part, value, place) }
}

fn structure(
    plan: &Plan,
    shape: &Structure,
    value: &Value,
    place: &Place<'_>,
) -> Result<Map<String, Value>, ArgumentFault> {
    let given = members(shape, value, place)?;
    let mut written = Map::new();
    for (member, value) in given {
        let value = write(plan, member, value, &place.named(&member.name)?)?;
        written.insert(member.on_wire().to_owned(), value);
    }
    Ok(written)
}

/// The members that a value has: none unknown, none missing, nulls left out.
pub(super) fn members<'a>(
    shape: &'a Structure,
    value: &'a Value,
    place: &Place<'_>,
) -> Result<Vec<(&'a Member, &'a Value)>, ArgumentFault> {
    let object = value.as_object().ok_or_else(|| place.fault("must be an object"))?;
    let known = |name: &String| shape.members.iter().any(|member| member.name == *name);
    if let Some(unknown) = object.keys().find(|name| !known(name)) {
        return Err(place.named(unknown)?.fault("is not a member that the model has"));
    }
    let mut given = Vec::new();
    for member in &shape.members {
        match object.get(&member.name).filter(|value| !value.is_null()) {
            Some(value) => given.push((member, value)),
            None if member.required => return Err(place.named(&member.name)?.fault("is required")),
            None => {}
        }
    }
    Ok(given)
}
