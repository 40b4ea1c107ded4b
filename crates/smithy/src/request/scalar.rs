//! Simple values: checked against their shape, and written as text for labels, queries, headers and XML.

use base64::Engine as _;
use serde_json::Value;

use super::{ArgumentFault, Place};
use crate::plan::{Member, Plan, Shape, TimestampFormat};
use crate::timestamp;

/// The text of a simple value, as Smithy writes it outside JSON.
pub(super) fn text(
    plan: &Plan,
    member: &Member,
    value: &Value,
    default: TimestampFormat,
    place: &Place<'_>,
) -> Result<String, ArgumentFault> {
    match plan.shape(member.shape) {
        Some(Shape::String(_)) => match value {
            Value::String(text) => Ok(text.clone()),
            _ => Err(place.fault("must be a string")),
        },
        Some(Shape::Boolean) => match value {
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => Err(place.fault("must be true or false")),
        },
        Some(Shape::Integer(bits)) => integer(value, *bits, place).map(|number| number.to_string()),
        Some(Shape::Number) => match number(value, place)? {
            Value::String(text) => Ok(text),
            number => Ok(number.to_string()),
        },
        Some(Shape::Blob(_)) => {
            let bytes = decode(value).ok_or_else(|| place.fault("must be base64"))?;
            Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        Some(Shape::Timestamp(format)) => {
            let moment = moment(value, place)?;
            Ok(timestamp::text(moment, member.timestamp.or(*format).unwrap_or(default)))
        }
        _ => Err(place.fault("cannot stand where the model puts it")),
    }
}

/// An integer of so many bits; a number without a fraction is one (JSON Schema says so).
pub(super) fn integer(value: &Value, bits: u8, place: &Place<'_>) -> Result<i64, ArgumentFault> {
    let whole = || {
        let number = value.as_f64()?;
        // 2^53: beyond it a number that was read as a float is not the one that was written.
        (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
    };
    let number = value.as_i64().or_else(whole).ok_or_else(|| place.fault("must be an integer"))?;
    let beyond = 64_u32.saturating_sub(u32::from(bits));
    let (least, most) = (i64::MIN >> beyond, i64::MAX >> beyond);
    if number < least || number > most {
        return Err(place.fault(format!("must be from {least} to {most}")));
    }
    Ok(number)
}

/// A number, or one of the three that JSON has no number for.
pub(super) fn number(value: &Value, place: &Place<'_>) -> Result<Value, ArgumentFault> {
    match value {
        Value::Number(_) => Ok(value.clone()),
        Value::String(text) if matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity") => Ok(value.clone()),
        _ => Err(place.fault("must be a number")),
    }
}

pub(super) fn moment(value: &Value, place: &Place<'_>) -> Result<jiff::Timestamp, ArgumentFault> {
    timestamp::of_argument(value)
        .ok_or_else(|| place.fault("must be a moment as RFC 3339 has it, such as `2026-01-31T12:00:00Z`"))
}

/// The bytes of a payload.
pub(super) fn bytes(value: &Value, name: &str) -> Result<Vec<u8>, ArgumentFault> {
    decode(value).ok_or_else(|| ArgumentFault::new(name, "must be base64"))
}

pub(super) fn decode(value: &Value) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(value.as_str()?).ok()
}
