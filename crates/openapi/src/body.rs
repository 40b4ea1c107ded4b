//! The body of a request, by the plan's media type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::multipart;
use crate::operation::{Body, Encoding, Format, Operation, Source, Style};
use crate::percent::Escape;
use crate::request::{ArgumentFault, given};
use crate::style::{Join, plain, write as write_styled};
use crate::xml;

/// How a form's member is written unless the document says otherwise.
const FORM: Encoding = Encoding { style: Style::Form, explode: true, allow_reserved: false };

/// A body on the wire.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) content_type: String,
    pub(crate) bytes: Bytes,
}

/// Writes the body of a call; nothing when the operation has none or the call brings none.
pub(crate) fn write(
    operation: &Operation,
    arguments: &Map<String, Value>,
) -> Result<Option<Written>, ArgumentFault> {
    let Some(body) = &operation.plan.body else { return Ok(None) };
    let Some((argument, value)) = value(operation, body, arguments)? else { return Ok(None) };
    let mut content_type = body.content_type.clone();
    let bytes = match &body.format {
        Format::Json => value.to_string().into_bytes(),
        Format::Text => match &value {
            Value::Object(_) | Value::Array(_) => {
                return Err(ArgumentFault::new(&argument, "must be a text"));
            }
            value => plain(value).into_bytes(),
        },
        Format::Binary => bytes_of(&argument, &value)?,
        Format::Form(encodings) => {
            let members = object(&argument, &value)?;
            let written = members.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
                let encoding = encodings.get(name).copied().unwrap_or(FORM);
                let how = if encoding.allow_reserved { Escape::AllowReserved } else { Escape::Strict };
                write_styled(name, value, encoding, how, Join("&"))
            });
            written.filter(|pair| !pair.is_empty()).collect::<Vec<_>>().join("&").into_bytes()
        }
        Format::Multipart(parts) => {
            let written = multipart::write(object(&argument, &value)?, parts)?;
            content_type = format!("{content_type}; boundary={}", written.boundary);
            written.bytes
        }
        Format::Xml { root, schema } => {
            let definitions = operation.input_schema.get("$defs");
            xml::write(root, &value, schema, definitions)?.into_bytes()
        }
    };
    Ok(Some(Written { content_type, bytes: bytes.into() }))
}

/// The body's value, and the argument that a fault in it is about.
fn value(
    operation: &Operation,
    body: &Body,
    arguments: &Map<String, Value>,
) -> Result<Option<(String, Value)>, ArgumentFault> {
    let (names, required, open) = match &body.source {
        Source::Whole(argument) => {
            // `null` is a body only where the document wants one.
            return match (given(arguments, argument), arguments.contains_key(argument)) {
                (Some(value), _) => Ok(Some((argument.clone(), value.clone()))),
                (None, true) if body.required => Ok(Some((argument.clone(), Value::Null))),
                (None, _) if body.required => Err(ArgumentFault::new(argument, "is required")),
                (None, _) => Ok(None),
            };
        }
        Source::Members { names, required, open } => (names, required, *open),
    };
    let is_parameter = |name: &str| operation.plan.parameters.iter().any(|one| one.argument == name);
    let is_member = |name: &String| names.contains(name) || open && !is_parameter(name);
    let members: Map<String, Value> = arguments
        .iter()
        .filter(|(name, _)| is_member(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if members.is_empty() && !body.required {
        return Ok(None);
    }
    if let Some(missing) = required.iter().find(|name| !members.contains_key(*name)) {
        return Err(ArgumentFault::new(missing, "is required"));
    }
    Ok(Some(("body".to_owned(), Value::Object(members))))
}

fn object<'a>(argument: &str, value: &'a Value) -> Result<&'a Map<String, Value>, ArgumentFault> {
    value.as_object().ok_or_else(|| ArgumentFault::new(argument, "must be an object"))
}

/// The bytes that an argument holds as base64 (RFC 4648, section 4).
pub(crate) fn bytes_of(argument: &str, value: &Value) -> Result<Vec<u8>, ArgumentFault> {
    let fault = || ArgumentFault::new(argument, "must be the content as base64 (RFC 4648, section 4)");
    STANDARD.decode(value.as_str().ok_or_else(fault)?).map_err(|_| fault())
}
