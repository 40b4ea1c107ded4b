//! The parameters of an operation, those of its path included.
//!
//! Left out are headers that OpenAPI says are described elsewhere (`Accept`, `Content-Type`, `Authorization`: 3.1.1,
//! "Parameter Object"), headers that belong to the connection, and whatever a security scheme names: credentials are
//! the gateway's to attach, and never a model's to choose.

use http::HeaderName;
use serde_json::{Map, Value, json};

use crate::document::{Document, list, object, short, shortened, text};
use crate::media::{Kind, kind};
use crate::operation::{Encoding, Location, Style};

/// The most parameters of one operation.
const MAX_PARAMETERS: usize = 1_000;

/// A parameter as the document has it.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) location: Location,
    pub(crate) required: bool,
    pub(crate) encoding: Encoding,
    /// The document's schema.
    pub(crate) schema: Value,
    pub(crate) description: Option<String>,
    pub(crate) deprecated: bool,
}

/// The parameters of an operation in the order of the document, the path's first. `notes` hears what is left out.
pub(crate) fn read(
    document: &Document,
    item: &Value,
    operation: &Value,
    notes: &mut Vec<String>,
) -> Result<Vec<Declared>, String> {
    let lists = [list(item, "parameters"), list(operation, "parameters")];
    if lists.iter().any(|list| list.len() > MAX_PARAMETERS) {
        return Err(format!("it has more than {MAX_PARAMETERS} parameters"));
    }
    let mut declared: Vec<Declared> = Vec::new();
    for raw in lists.into_iter().flatten() {
        let raw = document.follow(raw)?;
        let Some(parameter) = one(document, raw, notes)? else { continue };
        // The operation's replaces the path's (same name and location).
        declared.retain(|other| (&other.name, other.location) != (&parameter.name, parameter.location));
        declared.push(parameter);
    }
    Ok(declared)
}

fn one(document: &Document, raw: &Value, notes: &mut Vec<String>) -> Result<Option<Declared>, String> {
    let name = raw.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() && raw.get("required") != Some(&json!(true)) {
        notes.push("it has a parameter without a name, which is no argument".to_owned());
        return Ok(None);
    }
    if name.is_empty() {
        return Err("it has a required parameter without a name".to_owned());
    }
    let location = match raw.get("in").and_then(Value::as_str) {
        Some("path") => Location::Path,
        Some("query") => Location::Query,
        Some("header") => Location::Header,
        Some("cookie") => Location::Cookie,
        other => {
            let place = shortened(other.unwrap_or("nowhere"));
            return Err(format!(
                "its parameter `{}` is in `{place}`, which is no place for one",
                shortened(name)
            ));
        }
    };
    if let Some(why) = left_out(document, name, location) {
        notes.push(format!(
            "its {} parameter `{}` is not an argument: {why}",
            location.name(),
            shortened(name)
        ));
        return Ok(None);
    }
    let (schema, encoding) = encoding(raw, name, location)?;
    Ok(Some(Declared {
        name: short(name)?.to_owned(),
        location,
        required: location == Location::Path || raw.get("required") == Some(&json!(true)),
        encoding,
        schema,
        description: text(raw, "description").map(str::to_owned),
        deprecated: raw.get("deprecated") == Some(&json!(true)),
    }))
}

fn left_out(document: &Document, name: &str, location: Location) -> Option<&'static str> {
    if location == Location::Header {
        let header = name.to_ascii_lowercase();
        match header.as_str() {
            "accept" | "content-type" | "authorization" => {
                return Some("OpenAPI has it described elsewhere");
            }
            "host"
            | "content-length"
            | "transfer-encoding"
            | "connection"
            | "upgrade"
            | "te"
            | "trailer"
            | "keep-alive"
            | "expect"
            | "cookie"
            | "proxy-authorization"
            | "proxy-connection" => {
                return Some("the header belongs to the connection");
            }
            _ if HeaderName::from_bytes(name.as_bytes()).is_err() => {
                return Some("it is no name of a header");
            }
            _ => {}
        }
    }
    let schemes = object(document.root(), "components")
        .and_then(|components| components.get("securitySchemes"))
        .and_then(Value::as_object);
    let is_credential = |scheme: &Value| {
        let scheme = document.follow(scheme).unwrap_or(scheme);
        let named = scheme.get("name").and_then(Value::as_str).unwrap_or_default();
        scheme.get("type") == Some(&json!("apiKey"))
            && scheme.get("in") == Some(&json!(location.name()))
            && (named == name || location == Location::Header && named.eq_ignore_ascii_case(name))
    };
    let credential = schemes.into_iter().flatten().any(|(_, scheme)| is_credential(scheme));
    credential.then_some("a security scheme names it, and the gateway attaches credentials")
}

/// The schema, and how the value is written: by style, or as the one media type of `content`.
fn encoding(raw: &Value, name: &str, location: Location) -> Result<(Value, Encoding), String> {
    if let Some(content) = object(raw, "content") {
        let (media_type, media) = content.iter().next().unzip();
        let schema = media.and_then(|media| media.get("schema")).cloned().unwrap_or_else(|| json!({}));
        let style = match media_type.map(|media_type| kind(media_type)) {
            Some(Kind::Json) | None => Style::Json,
            Some(_) if location == Location::Query || location == Location::Cookie => Style::Form,
            Some(_) => Style::Simple,
        };
        return Ok((schema, Encoding { style, explode: false, allow_reserved: false }));
    }
    let default = match location {
        Location::Query | Location::Cookie => Style::Form,
        Location::Path | Location::Header => Style::Simple,
    };
    let style = style(raw)?.unwrap_or(default);
    let fits = match location {
        Location::Path => matches!(style, Style::Simple | Style::Label | Style::Matrix),
        Location::Query => !matches!(style, Style::Simple | Style::Label | Style::Matrix),
        Location::Header => style == Style::Simple,
        Location::Cookie => style == Style::Form,
    };
    if !fits {
        let place = location.name();
        return Err(format!(
            "its {place} parameter `{}` has a style that {place} parameters cannot have",
            shortened(name)
        ));
    }
    let schema = raw.get("schema").cloned().unwrap_or_else(|| json!({}));
    Ok((schema, explode(raw, style)))
}

/// The style that an object names, if it does.
pub(crate) fn style(raw: &Value) -> Result<Option<Style>, String> {
    Ok(Some(match raw.get("style").and_then(Value::as_str) {
        None => return Ok(None),
        Some("matrix") => Style::Matrix,
        Some("label") => Style::Label,
        Some("simple") => Style::Simple,
        Some("form") => Style::Form,
        Some("spaceDelimited") => Style::SpaceDelimited,
        Some("pipeDelimited") => Style::PipeDelimited,
        Some("deepObject") => Style::DeepObject,
        Some(other) => return Err(format!("it has a parameter of the unknown style `{}`", shortened(other))),
    }))
}

/// `explode` and `allowReserved` beside a style.
pub(crate) fn explode(raw: &Value, style: Style) -> Encoding {
    let explode = raw.get("explode").and_then(Value::as_bool).unwrap_or(style == Style::Form);
    let allow_reserved = raw.get("allowReserved") == Some(&json!(true));
    Encoding { style, explode, allow_reserved }
}

/// The schema with what the parameter itself says of it.
pub(crate) fn described(mut schema: Value, declared: &Declared) -> Value {
    let members: Option<&mut Map<String, Value>> = schema.as_object_mut();
    if let Some(members) = members {
        if let Some(description) = &declared.description {
            members.insert("description".to_owned(), json!(description));
        }
        if declared.deprecated {
            members.insert("deprecated".to_owned(), json!(true));
        }
    }
    schema
}
