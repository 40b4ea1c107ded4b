//! Arguments that stand in headers.
//!
//! Header names come from the model, but for `httpPrefixHeaders`, whose names end as the caller likes; those may not be
//! the connection's or the signature's own. Source: "httpHeader trait" in the Smithy 2.0 specification.

use base64::Engine as _;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::{ArgumentFault, Given, Place, scalar};
use crate::lowering::OWN_HEADERS;
use crate::plan::{Binding, Member, Plan, Shape, TimestampFormat};

pub(super) fn headers(plan: &Plan, given: &Given<'_>) -> Result<HeaderMap, ArgumentFault> {
    let mut headers = HeaderMap::new();
    for (member, value) in &given.values {
        if let Binding::PrefixHeaders(prefix) = &member.binding {
            free_headers(&member.name, prefix, value, &mut headers)?;
        }
    }
    for (member, value) in &given.values {
        let Binding::Header(name) = &member.binding else { continue };
        let place = Place::top(&member.name);
        let text = match (plan.shape(member.shape), value.as_ref()) {
            (Some(Shape::List(part)), Value::Array(values)) => list(plan, part, values, &place)?,
            (Some(Shape::List(_)), _) => return Err(place.fault("must be an array")),
            // A string that has a media type may hold line ends: it goes as base64 ("mediaType trait").
            (Some(Shape::String(media)), Value::String(text)) if media.0.is_some() => {
                base64::engine::general_purpose::STANDARD.encode(text)
            }
            (_, value) => scalar::text(plan, member, value, TimestampFormat::HttpDate, &place)?,
        };
        headers.insert(self::name(name, &place)?, self::value(&member.name, &text)?);
    }
    Ok(headers)
}

/// The elements of a list, parted by commas; strings that hold a comma or a quote are quoted.
fn list(plan: &Plan, part: &Member, values: &[Value], place: &Place<'_>) -> Result<String, ArgumentFault> {
    let is_text = matches!(plan.shape(part.shape), Some(Shape::String(_)));
    let mut texts = Vec::new();
    for (at, value) in values.iter().enumerate() {
        let text = scalar::text(plan, part, value, TimestampFormat::HttpDate, &place.at(at)?)?;
        let quoted = is_text && (text.contains([',', '"']) || text.trim() != text);
        texts.push(match quoted {
            true => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            false => text,
        });
    }
    Ok(texts.join(", "))
}

/// Headers whose names begin with the model's prefix and end as the caller likes.
fn free_headers(
    argument: &str,
    prefix: &str,
    value: &Value,
    headers: &mut HeaderMap,
) -> Result<(), ArgumentFault> {
    let place = Place::top(argument);
    let object = value.as_object().ok_or_else(|| place.fault("must be an object"))?;
    for (key, value) in object.iter().filter(|(_, value)| !value.is_null()) {
        let place = place.named(key)?;
        let text = value.as_str().ok_or_else(|| place.fault("must be a string"))?;
        let name = name(&format!("{prefix}{key}"), &place)?;
        headers.insert(name, self::value(argument, text)?);
    }
    Ok(())
}

fn name(text: &str, place: &Place<'_>) -> Result<HeaderName, ArgumentFault> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| place.fault("makes no header's name"))?;
    if OWN_HEADERS.contains(&name.as_str()) {
        return Err(place.fault(format!("would set the header `{name}`, which no argument may set")));
    }
    Ok(name)
}

/// A header's value: no line ends, no other control characters (RFC 9110, section 5.5).
pub(super) fn value(argument: &str, text: &str) -> Result<HeaderValue, ArgumentFault> {
    HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| ArgumentFault::new(argument, "holds characters that no header may hold"))
}
