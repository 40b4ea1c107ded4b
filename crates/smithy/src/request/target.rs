//! The address of a request: host, path and query.
//!
//! Whatever the arguments are, the path has the segments of the template and the query the model's parameters: values
//! are percent-encoded down to RFC 3986's unreserved characters, and a segment that other programs would take out
//! (`.`, `..`) is refused.

use http::Uri;
use http::uri::{Authority, PathAndQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{ArgumentFault, Given, Place, scalar};
use crate::endpoint::Endpoint;
use crate::plan::{Binding, HostPart, Plan, Segment, Shape, TimestampFormat};

/// Everything but RFC 3986's unreserved characters.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn uri(plan: &Plan, given: &Given<'_>, endpoint: &Endpoint) -> Result<Uri, ArgumentFault> {
    let mut target = endpoint.path.clone();
    for segment in &plan.path {
        target.push('/');
        match segment {
            Segment::Literal(text) => target.push_str(text),
            Segment::Label(name) => {
                let text = label(plan, given, name)?;
                inert(name, &text)?;
                target.extend(utf8_percent_encode(&text, STRICT));
            }
            Segment::Greedy(name) => {
                let text = label(plan, given, name)?;
                for (at, part) in text.split('/').enumerate() {
                    inert(name, part)?;
                    if at > 0 {
                        target.push('/');
                    }
                    target.extend(utf8_percent_encode(part, STRICT));
                }
            }
        }
    }
    if plan.path.is_empty() {
        target.push('/');
    }
    let query = query(plan, given)?;
    if !query.is_empty() {
        target.push('?');
        target.push_str(&query);
    }
    let path = PathAndQuery::try_from(target)
        .map_err(|_| ArgumentFault::new("", "makes an address that is too long or cannot be sent"))?;
    let built = Uri::builder().scheme(endpoint.scheme.clone()).authority(authority(plan, given, endpoint)?);
    built
        .path_and_query(path)
        .build()
        .map_err(|error| ArgumentFault::new("", format!("makes no address ({error})")))
}

/// The value of a label, which is never empty.
fn label(plan: &Plan, given: &Given<'_>, name: &str) -> Result<String, ArgumentFault> {
    let (member, value) = given.named(name).ok_or_else(|| ArgumentFault::new(name, "is required"))?;
    let text = scalar::text(plan, member, value, TimestampFormat::DateTime, &Place::top(name))?;
    if text.is_empty() {
        return Err(ArgumentFault::new(name, "must not be empty: it is a part of the path"));
    }
    Ok(text)
}

/// A segment that means itself to everyone on the way.
fn inert(name: &str, segment: &str) -> Result<(), ArgumentFault> {
    if matches!(segment, "." | "..") {
        return Err(ArgumentFault::new(name, "must not hold `.` or `..` as a part of the path"));
    }
    Ok(())
}

fn authority(plan: &Plan, given: &Given<'_>, endpoint: &Endpoint) -> Result<Authority, ArgumentFault> {
    if !endpoint.prefixed {
        return Ok(endpoint.authority.clone());
    }
    let mut host = String::new();
    for part in &plan.host_prefix {
        match part {
            HostPart::Literal(text) => host.push_str(text),
            HostPart::Label(name) => {
                let text = label_of_host(given, name)?;
                host.push_str(text);
            }
        }
    }
    host.push_str(endpoint.authority.as_str());
    host.parse().map_err(|_| ArgumentFault::new("", "makes no host"))
}

/// One label of a host (RFC 1123, section 2.1), so that no argument can name another host.
fn label_of_host<'a>(given: &'a Given<'_>, name: &str) -> Result<&'a str, ArgumentFault> {
    let found = given.named(name).ok_or_else(|| ArgumentFault::new(name, "is required"))?;
    let text = found.1.as_str().unwrap_or_default();
    let sound = !text.is_empty()
        && text.len() <= 63
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if sound {
        Ok(text)
    } else {
        Err(ArgumentFault::new(name, "must be letters, digits and hyphens: it is a part of the host's name"))
    }
}

fn query(plan: &Plan, given: &Given<'_>) -> Result<String, ArgumentFault> {
    let mut pairs: Vec<String> = Vec::new();
    let mut taken: Vec<&str> = plan.query.iter().map(|(name, _)| name.as_str()).collect();
    for (name, value) in &plan.query {
        pairs.push(match value {
            Some(value) => format!("{name}={value}"),
            None => format!("{name}="),
        });
    }
    for (member, value) in &given.values {
        let Binding::Query(name) = &member.binding else { continue };
        taken.push(name);
        let place = Place::top(&member.name);
        match (plan.shape(member.shape), value.as_ref()) {
            (Some(Shape::List(part)), Value::Array(values)) => {
                for (at, value) in values.iter().enumerate() {
                    let place = place.at(at)?;
                    pairs.push(pair(
                        name,
                        &scalar::text(plan, part, value, TimestampFormat::DateTime, &place)?,
                    ));
                }
            }
            (Some(Shape::List(_)), _) => return Err(place.fault("must be an array")),
            (_, value) => {
                pairs
                    .push(pair(name, &scalar::text(plan, member, value, TimestampFormat::DateTime, &place)?));
            }
        }
    }
    for (member, value) in &given.values {
        if member.binding == Binding::QueryParams {
            free_parameters(&member.name, value, &taken, &mut pairs)?;
        }
    }
    Ok(pairs.join("&"))
}

/// Parameters whose names are the caller's. The operation's own are not among them ("httpQueryParams trait": what is
/// bound by name comes first), and neither are those of a signature.
fn free_parameters(
    name: &str,
    value: &Value,
    taken: &[&str],
    pairs: &mut Vec<String>,
) -> Result<(), ArgumentFault> {
    let place = Place::top(name);
    let object = value.as_object().ok_or_else(|| place.fault("must be an object"))?;
    for (key, value) in object.iter().filter(|(key, _)| !taken.contains(&key.as_str())) {
        let place = place.named(key)?;
        if key.is_empty() || key.to_ascii_lowercase().starts_with("x-amz-") {
            return Err(place.fault("is a parameter that no argument may set"));
        }
        match value {
            Value::String(text) => pairs.push(pair(key, text)),
            Value::Array(texts) => {
                for (at, text) in texts.iter().enumerate() {
                    let text = text.as_str();
                    let fault =
                        || place.at(at).map_or_else(|fault| fault, |place| place.fault("must be a string"));
                    pairs.push(pair(key, text.ok_or_else(fault)?));
                }
            }
            Value::Null => {}
            _ => return Err(place.fault("must be a string or an array of strings")),
        }
    }
    Ok(())
}

fn pair(name: &str, value: &str) -> String {
    format!("{}={}", utf8_percent_encode(name, STRICT), utf8_percent_encode(value, STRICT))
}
