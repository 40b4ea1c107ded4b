//! A tool's arguments become the request that the operation's protocol has.
//!
//! Arguments are a stranger's. Each is written by its shape and in its place alone: a label is percent-encoded and
//! never a dot segment, a header holds no line end and is never one of the connection's own, a host label is one
//! label. What is not in the input, or not of its type, is a fault that names the argument. Nulls count as absent.

mod header;
mod json;
mod scalar;
mod target;
mod xml;

use base64::Engine as _;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use md5::Digest as _;
use serde_json::{Map, Value};

use crate::endpoint::Endpoint;
use crate::plan::{Binding, Member, Operation, Plan, Protocol, Shape, Structure};

/// How deep arguments may nest.
const MAX_DEPTH: usize = 64;

/// An argument that the operation cannot be called with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the argument `{path}` {why}")]
pub struct ArgumentFault {
    /// The argument, with dots and brackets down to the part that is wrong.
    pub path: String,
    /// What is wrong, as the end of a sentence that begins with the argument.
    pub why: String,
}

impl ArgumentFault {
    fn new(path: impl Into<String>, why: impl Into<String>) -> Self {
        Self { path: path.into(), why: why.into() }
    }
}

impl Operation {
    /// The request for a call with these arguments. Idempotency tokens that the caller does not give are `token`'s.
    /// The request is not signed.
    ///
    /// # Errors
    /// [`ArgumentFault`], when an argument is missing, unknown, of another type than the model has, or cannot stand
    /// where the model puts it.
    pub fn request(
        &self,
        arguments: &Map<String, Value>,
        endpoint: &Endpoint,
        token: &dyn Fn() -> String,
    ) -> Result<http::Request<Bytes>, ArgumentFault> {
        let plan = &self.plan;
        let none = Structure::default();
        let input = plan.input.and_then(|at| plan.structure(at)).unwrap_or(&none);
        let given = Given::new(input, arguments, token)?;
        let uri = target::uri(plan, &given, endpoint)?;
        let mut headers = header::headers(plan, &given)?;
        let body = body(plan, input, &given)?;
        let method = http::Method::from_bytes(plan.method.as_bytes());
        if let Some(media) = body.media.as_ref().filter(|_| !headers.contains_key(CONTENT_TYPE)) {
            headers.insert(CONTENT_TYPE, header::value("content-type", media)?);
        }
        finish(plan, &self.name, &mut headers, &body.bytes)?;
        let mut request = http::Request::new(body.bytes);
        *request.method_mut() =
            method.map_err(|_| ArgumentFault::new("", "has an operation whose method cannot be sent"))?;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Headers that belong to the protocol and to no argument.
fn finish(plan: &Plan, name: &str, headers: &mut HeaderMap, body: &Bytes) -> Result<(), ArgumentFault> {
    match plan.protocol {
        Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => {
            let target = format!("{}.{name}", plan.service);
            let header = HeaderName::from_static("x-amz-target");
            headers.insert(header, header::value("x-amz-target", &target)?);
        }
        Protocol::RestJson1 if answers_json(plan) => {
            // Some services answer in another kind of JSON when they are not asked for this one.
            headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        }
        Protocol::RestJson1 | Protocol::RestXml => {}
    }
    if plan.checksum && !headers.contains_key("content-md5") {
        let hash = base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(body));
        headers.insert(HeaderName::from_static("content-md5"), header::value("content-md5", &hash)?);
    }
    Ok(())
}

fn answers_json(plan: &Plan) -> bool {
    let output = plan.output.and_then(|at| plan.structure(at));
    let payload =
        output.and_then(|output| output.members.iter().find(|member| member.binding == Binding::Payload));
    !payload
        .is_some_and(|payload| matches!(plan.shape(payload.shape), Some(Shape::Blob(_) | Shape::String(_))))
}

/// The arguments by member, nulls left out and tokens filled in.
pub(crate) struct Given<'a> {
    pub(crate) values: Vec<(&'a Member, std::borrow::Cow<'a, Value>)>,
}

impl<'a> Given<'a> {
    fn new(
        input: &'a Structure,
        arguments: &'a Map<String, Value>,
        token: &dyn Fn() -> String,
    ) -> Result<Self, ArgumentFault> {
        let known = |name: &String| input.members.iter().any(|member| member.name == *name);
        if let Some(unknown) = arguments.keys().find(|name| !known(name)) {
            return Err(ArgumentFault::new(shortened(unknown), "is not one of the operation's"));
        }
        let mut values = Vec::new();
        for member in &input.members {
            match arguments.get(&member.name).filter(|value| !value.is_null()) {
                Some(value) => values.push((member, std::borrow::Cow::Borrowed(value))),
                None if member.token => {
                    values.push((member, std::borrow::Cow::Owned(Value::String(token()))));
                }
                None if member.required => {
                    return Err(ArgumentFault::new(&member.name, "is required"));
                }
                None => {}
            }
        }
        Ok(Self { values })
    }

    /// The value of a member by its name.
    pub(crate) fn named(&self, name: &str) -> Option<(&'a Member, &Value)> {
        let found = self.values.iter().find(|(member, _)| member.name == name);
        found.map(|(member, value)| (*member, value.as_ref()))
    }

    /// The members that stand in the body's document.
    fn body(&self) -> impl Iterator<Item = (&'a Member, &Value)> {
        let in_body = self.values.iter().filter(|(member, _)| member.binding == Binding::Body);
        in_body.map(|(member, value)| (*member, value.as_ref()))
    }
}

/// A body and its media type.
struct Body {
    bytes: Bytes,
    media: Option<String>,
}

fn body(plan: &Plan, input: &Structure, given: &Given<'_>) -> Result<Body, ArgumentFault> {
    let written = |bytes: String, media: &str| Body { bytes: bytes.into(), media: Some(media.to_owned()) };
    let nothing = Body { bytes: Bytes::new(), media: None };
    if let Some(payload) = input.members.iter().find(|member| member.binding == Binding::Payload) {
        return payload_body(plan, payload, given);
    }
    let has_document = input.members.iter().any(|member| member.binding == Binding::Body);
    match plan.protocol {
        Protocol::AwsJson1_0 => {
            Ok(written(json::document(plan, given.body())?, "application/x-amz-json-1.0"))
        }
        Protocol::AwsJson1_1 => {
            Ok(written(json::document(plan, given.body())?, "application/x-amz-json-1.1"))
        }
        Protocol::RestJson1 if has_document => {
            Ok(written(json::document(plan, given.body())?, "application/json"))
        }
        Protocol::RestXml if given.body().next().is_some() => {
            Ok(written(xml::document(plan, input, given.body())?, "application/xml"))
        }
        Protocol::RestJson1 | Protocol::RestXml => Ok(nothing),
    }
}

/// The body of an input that has a payload, which is the whole body.
fn payload_body(plan: &Plan, payload: &Member, given: &Given<'_>) -> Result<Body, ArgumentFault> {
    let shape = plan.shape(payload.shape);
    let json = plan.protocol == Protocol::RestJson1;
    let Some((_, value)) = given.named(&payload.name) else {
        // A structure that is not given is an empty one in JSON, and no body in XML.
        let empty = json && matches!(shape, Some(Shape::Structure(_)));
        return Ok(match empty {
            true => Body { bytes: "{}".into(), media: Some("application/json".to_owned()) },
            false => Body { bytes: Bytes::new(), media: None },
        });
    };
    let (bytes, media): (Bytes, &str) = match shape {
        Some(Shape::Blob(media)) => {
            let bytes = scalar::bytes(value, &payload.name)?;
            (bytes.into(), media.0.as_deref().unwrap_or("application/octet-stream"))
        }
        Some(Shape::String(media)) => {
            let text = value.as_str().ok_or_else(|| ArgumentFault::new(&payload.name, "must be a string"))?;
            (text.to_owned().into(), media.0.as_deref().unwrap_or("text/plain"))
        }
        _ if json => (json::value(plan, payload, value)?.into(), "application/json"),
        _ => (xml::payload(plan, payload, value)?.into(), "application/xml"),
    };
    Ok(Body { bytes, media: Some(media.to_owned()) })
}

/// Where in the arguments a value stands.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    before: Option<&'a Place<'a>>,
    step: Step<'a>,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    At(usize),
}

impl<'a> Place<'a> {
    pub(crate) fn top(name: &'a str) -> Self {
        Self { before: None, step: Step::Name(name), depth: 0 }
    }

    /// The place of a part; too deep is a fault.
    fn below<'b>(&'b self, step: Step<'b>) -> Result<Place<'b>, ArgumentFault>
    where
        'a: 'b,
    {
        if self.depth >= MAX_DEPTH {
            return Err(self.fault(format!("nests deeper than {MAX_DEPTH} levels")));
        }
        Ok(Place { before: Some(self), step, depth: self.depth + 1 })
    }

    pub(crate) fn named<'b>(&'b self, name: &'b str) -> Result<Place<'b>, ArgumentFault>
    where
        'a: 'b,
    {
        self.below(Step::Name(name))
    }

    pub(crate) fn at<'b>(&'b self, at: usize) -> Result<Place<'b>, ArgumentFault>
    where
        'a: 'b,
    {
        self.below(Step::At(at))
    }

    pub(crate) fn fault(&self, why: impl Into<String>) -> ArgumentFault {
        ArgumentFault::new(self.path(), why)
    }

    fn path(&self) -> String {
        let before = self.before.map(Place::path).unwrap_or_default();
        match self.step {
            Step::At(at) => format!("{before}[{at}]"),
            Step::Name(name) if before.is_empty() => shortened(name),
            Step::Name(name) => format!("{before}.{}", shortened(name)),
        }
    }
}

/// A name that a stranger gave, short enough for a message.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}
