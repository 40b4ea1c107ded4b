//! Arguments become one request.
//!
//! Whatever the arguments hold, the request goes to the plan's server, its path has as many segments as the plan's,
//! none of them "here" or "above", and its headers are the plan's: values are escaped where they stand, and what cannot
//! be escaped is refused. Credentials are not here; the gateway attaches them afterwards.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use serde_json::{Map, Value};

use crate::body;
use crate::document::shortened;
use crate::operation::{Location, Operation, Parameter, Piece, Source, Style};
use crate::percent::{Escape, escape};
use crate::style::{Join, write};
use crate::template::is_dots;

/// The longest URL that is called, in bytes; servers refuse longer ones.
const MAX_URL: usize = 32 * 1024;
/// The longest value of a header.
const MAX_HEADER: usize = 16 * 1024;

/// An argument that no request can be made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ArgumentFault {
    /// The argument; absent when it is about all of them.
    pub argument: Option<String>,
    /// What is wrong and what to do, with the argument's name and never with its value.
    pub reason: String,
}

impl ArgumentFault {
    pub(crate) fn new(argument: &str, what: &str) -> Self {
        let name = shortened(argument);
        Self { argument: Some(argument.to_owned()), reason: format!("the argument `{name}` {what}") }
    }

    pub(crate) fn general(reason: &str) -> Self {
        Self { argument: None, reason: reason.to_owned() }
    }
}

impl Operation {
    /// The request that a call with these arguments makes. A null argument is one that is absent, except within a
    /// body that is an object.
    ///
    /// # Errors
    /// [`ArgumentFault`] when an argument is missing, is not one of the tool's, or cannot stand where it belongs.
    pub fn request(&self, arguments: &Map<String, Value>) -> Result<Request<Bytes>, ArgumentFault> {
        self.check_names(arguments)?;
        let mut headers = HeaderMap::new();
        if let Ok(accept) = HeaderValue::from_str(&self.plan.accept) {
            headers.insert(ACCEPT, accept);
        }
        let mut query: Vec<String> = Vec::new();
        let mut cookies: Vec<String> = Vec::new();
        for parameter in &self.plan.parameters {
            let Some(value) = given(arguments, &parameter.argument) else {
                if parameter.required {
                    return Err(ArgumentFault::new(&parameter.argument, "is required"));
                }
                continue;
            };
            match parameter.location {
                Location::Path => {}
                Location::Query => query.push(in_query(parameter, value)),
                Location::Header => in_header(parameter, value, &mut headers)?,
                Location::Cookie => {
                    let encoding = parameter.encoding;
                    cookies.push(write(&parameter.name, value, encoding, Escape::Strict, Join("; ")));
                }
            }
        }
        let cookies: Vec<String> = cookies.into_iter().filter(|cookie| !cookie.is_empty()).collect();
        if !cookies.is_empty() {
            headers.insert(COOKIE, header_value("cookie", &cookies.join("; "))?);
        }
        let mut sent = Bytes::new();
        if let Some(written) = body::write(self, arguments)? {
            headers.insert(CONTENT_TYPE, header_value("body", &written.content_type)?);
            sent = written.bytes;
        }
        let uri = self.uri(arguments, &query)?;
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| ArgumentFault::general("the tool's plan names no method: synchronize the target"))?;
        let mut request = Request::new(sent);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Every argument must be one of the tool's.
    fn check_names(&self, arguments: &Map<String, Value>) -> Result<(), ArgumentFault> {
        let source = self.plan.body.as_ref().map(|body| &body.source);
        let is_known = |name: &str| {
            self.plan.parameters.iter().any(|parameter| parameter.argument == name)
                || match source {
                    None => false,
                    Some(Source::Whole(argument)) => argument == name,
                    Some(Source::Members { names, open, .. }) => {
                        *open || names.iter().any(|known| known == name)
                    }
                }
        };
        match arguments.keys().find(|name| !is_known(name)) {
            Some(name) => Err(ArgumentFault::new(name, "is none of this tool's: leave it out")),
            None => Ok(()),
        }
    }

    fn uri(&self, arguments: &Map<String, Value>, query: &[String]) -> Result<Uri, ArgumentFault> {
        let mut url = self.plan.server.clone();
        let path_start = url.len();
        for piece in &self.plan.path {
            match piece {
                Piece::Text(text) => url.push_str(text),
                Piece::Parameter(name) => url.push_str(&self.in_path(name, arguments)?),
            }
        }
        // The document's path may begin a query of its own.
        let written = url.get(path_start..).unwrap_or_default();
        let (path, has_query) = written.split_once('?').map_or((written, false), |(path, _)| (path, true));
        if path.split('/').any(is_dots) {
            return Err(ArgumentFault::general(
                "the arguments make a path segment of dots, which is not sent",
            ));
        }
        let query: Vec<&str> = query.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        if !query.is_empty() {
            url.push(if has_query { '&' } else { '?' });
            url.push_str(&query.join("&"));
        }
        if url.len() > MAX_URL {
            return Err(ArgumentFault::general(
                "the arguments make a URL that is longer than 32 KB: send less",
            ));
        }
        url.parse().map_err(|_| ArgumentFault::general("the arguments make no valid URL"))
    }

    fn in_path(&self, name: &str, arguments: &Map<String, Value>) -> Result<String, ArgumentFault> {
        let is_it = |parameter: &&Parameter| parameter.location == Location::Path && parameter.name == name;
        let Some(parameter) = self.plan.parameters.iter().find(is_it) else {
            return Err(ArgumentFault::general(
                "the tool's plan misses a path parameter: synchronize the target",
            ));
        };
        let argument = parameter.argument.as_str();
        let value = given(arguments, argument).ok_or_else(|| ArgumentFault::new(argument, "is required"))?;
        let written = if parameter.encoding.style == Style::Json {
            escape(&value.to_string(), Escape::Strict)
        } else {
            write(&parameter.name, value, parameter.encoding, Escape::Strict, Join("&"))
        };
        if written.is_empty() || written == "." && parameter.encoding.style == Style::Label {
            return Err(ArgumentFault::new(argument, "is empty, and a part of the path cannot be"));
        }
        // Some servers take `%2F` for a slash; then a value must not climb either.
        if climbs(value) {
            return Err(ArgumentFault::new(
                argument,
                "holds `.` or `..` as a part of a path, which is not sent",
            ));
        }
        Ok(written)
    }
}

/// An argument that is there and is not null.
pub(crate) fn given<'a>(arguments: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    arguments.get(name).filter(|value| !value.is_null())
}

fn in_query(parameter: &Parameter, value: &Value) -> String {
    let how = if parameter.encoding.allow_reserved { Escape::AllowReserved } else { Escape::Strict };
    write(&parameter.name, value, parameter.encoding, how, Join("&"))
}

fn in_header(parameter: &Parameter, value: &Value, headers: &mut HeaderMap) -> Result<(), ArgumentFault> {
    let text = match parameter.encoding.style {
        Style::Json => value.to_string(),
        _ => write(&parameter.name, value, parameter.encoding, Escape::None, Join("&")),
    };
    let name = HeaderName::from_bytes(parameter.name.as_bytes()).map_err(|_| {
        ArgumentFault::new(&parameter.argument, "cannot be sent: its header has no valid name")
    })?;
    headers.insert(name, header_value(&parameter.argument, &text)?);
    Ok(())
}

/// A header's value: printable ASCII, so that no server reads more headers out of it than were meant.
fn header_value(argument: &str, text: &str) -> Result<HeaderValue, ArgumentFault> {
    if text.len() > MAX_HEADER {
        return Err(ArgumentFault::new(argument, "is too long for a header: send at most 16 KB"));
    }
    if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(ArgumentFault::new(
            argument,
            "holds a character that no header may have: use printable ASCII",
        ));
    }
    HeaderValue::from_str(text).map_err(|_| ArgumentFault::new(argument, "cannot stand in a header"))
}

fn climbs(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let parts = text.split(['/', '\\']);
            parts.clone().count() > 1 && parts.into_iter().any(is_dots) || is_dots(text)
        }
        Value::Array(elements) => elements.iter().any(climbs),
        Value::Object(members) => members.iter().any(|(name, value)| is_dots(name) || climbs(value)),
        _ => false,
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
