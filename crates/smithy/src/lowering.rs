//! Takes an operation out of the model: the shapes it needs, and how each member stands on the wire.
//!
//! Shapes are visited from a list of work and never by recursion, so that no model can exhaust the stack. What cannot
//! be served (event streams, headers that are the connection's own) ends the operation with the reason.

use std::collections::HashMap;

use serde_json::Value;

use crate::documentation::{self, MAX_DESCRIPTION};
use crate::model::{self, Model};
use crate::plan::{
    Binding, ErrorShape, Media, Member, Namespace, Operation, Plan, Protocol, Shape, Structure,
    TimestampFormat,
};
use crate::texts::{MAX_TEXT, MAX_URI, Spent, short, shortened};
use crate::{schema, template};

/// The most shapes of one operation.
const MAX_SHAPES: usize = 4_000;
/// The most members of a structure.
const MAX_MEMBERS: usize = 2_000;

/// Request headers that are the connection's or the signature's, and no argument's.
pub(crate) const OWN_HEADERS: [&str; 20] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "cookie",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-target",
    "x-forwarded-for",
];

/// Plans an operation; the error is the end of a sentence that begins with the operation.
pub(crate) fn operation(
    model: &Model,
    service: model::Shape<'_>,
    protocol: Protocol,
    shape: model::Shape<'_>,
    spent: &mut Spent,
) -> Result<Operation, String> {
    let rest = matches!(protocol, Protocol::RestJson1 | Protocol::RestXml);
    let http = shape.get("smithy.api#http").filter(|_| rest);
    let in_http = |name: &str| http.and_then(|http| http.get(name));
    let (method, uri) =
        match (in_http("method").and_then(Value::as_str), in_http("uri").and_then(Value::as_str)) {
            (Some(method), Some(uri)) => (method, uri),
            _ if rest => return Err("has no `http` trait, which its protocol needs".to_owned()),
            _ => ("POST", "/"),
        };
    if method.len() > MAX_TEXT
        || http::Method::from_bytes(method.as_bytes()).is_err()
        || matches!(method, "CONNECT" | "TRACE")
    {
        return Err(format!("has the method `{}`, which cannot be sent", shortened(method)));
    }
    let uri = template::uri(uri)?;
    let prefix = shape.get("smithy.api#endpoint").and_then(|value| value.get("hostPrefix"));
    let checksum = shape.get("aws.protocols#httpChecksum");
    let mut lowering =
        Lowering { model, protocol, shapes: Vec::new(), known: HashMap::new(), work: Vec::new(), spent };
    let input = lowering.root(shape.target("input"))?;
    let output = lowering.root(shape.target("output"))?;
    let ids: Vec<_> = shape.targets("errors").into_iter().chain(service.targets("errors")).collect();
    let mut errors = Vec::new();
    for id in ids {
        lowering.spent.member()?;
        let Some(error) = model.shape(id).filter(|error| error.kind == "structure") else { continue };
        let alias = error.get("aws.protocols#awsQueryError").and_then(|value| value.get("code"));
        errors.push(ErrorShape {
            name: lowering.copy(error.name())?,
            alias: alias.and_then(Value::as_str).map(|alias| lowering.copy(alias)).transpose()?,
            shape: lowering.reach(error.id)?,
        });
    }
    lowering.finish()?;
    let Lowering { mut shapes, spent, .. } = lowering;
    let mut hidden = Vec::new();
    if let Some(Shape::Structure(structure)) = input.and_then(|at| shapes.get_mut(at)) {
        let algorithm =
            checksum.and_then(|value| value.get("requestAlgorithmMember")).and_then(Value::as_str);
        let is_hidden = |member: &Member| !member.required && is_ours(member, algorithm);
        hidden.extend(
            structure.members.iter().filter(|member| is_hidden(member)).map(|member| member.name.clone()),
        );
        structure.members.retain(|member| !is_hidden(member));
        check_bindings(structure, &uri.path)?;
    }
    let schema = schema::of_input(model, shape.target("input"), &hidden, &mut spent.schema_bytes)?;
    let flag = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or_default();
    let plan = Plan {
        protocol,
        service: service.name().to_owned(),
        method: method.to_owned(),
        path: uri.path,
        query: uri.query,
        host_prefix: template::host_prefix(prefix.and_then(Value::as_str).unwrap_or_default())?,
        status: in_http("code").and_then(Value::as_u64).and_then(|code| code.try_into().ok()).unwrap_or(200),
        checksum: shape.has("smithy.api#httpChecksumRequired")
            || flag(checksum.and_then(|value| value.get("requestChecksumRequired"))),
        namespace: namespace(spent, service.get("smithy.api#xmlNamespace"))?,
        unwrapped: shape.has("aws.customizations#s3UnwrappedXmlOutput"),
        input,
        output,
        errors,
        shapes,
    };
    let documentation = shape.text("smithy.api#documentation").unwrap_or_default();
    Ok(Operation {
        name: shape.name().to_owned(),
        description: documentation::plain(documentation, MAX_DESCRIPTION),
        input_schema: schema,
        plan,
    })
}

/// Whether a member is no argument, because what it would say is the request's own: the algorithm of a checksum, which
/// is made here, and headers such as `Content-Length`.
fn is_ours(member: &Member, algorithm: Option<&str>) -> bool {
    let header = match &member.binding {
        Binding::Header(name) => OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()),
        _ => false,
    };
    header || algorithm == Some(member.name.as_str())
}

/// Every label of the path has its member, and no member writes a header that is not an argument's.
fn check_bindings(input: &Structure, path: &[crate::plan::Segment]) -> Result<(), String> {
    use crate::plan::Segment::{Greedy, Label, Literal};
    for name in path.iter().filter_map(|segment| match segment {
        Label(name) | Greedy(name) => Some(name),
        Literal(_) => None,
    }) {
        let bound = |member: &&Member| member.name == *name && member.binding == Binding::Label;
        if input.members.iter().find(bound).is_none() {
            return Err(format!(
                "has the label `{}` in its URI, which no member of its input is bound to",
                shortened(name)
            ));
        }
    }
    for member in &input.members {
        if let Binding::Header(name) = &member.binding {
            let sound = http::HeaderName::from_bytes(name.as_bytes()).is_ok();
            if !sound || OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                let (argument, name) = (shortened(&member.name), shortened(name));
                return Err(format!("writes the argument `{argument}` into the header `{name}`"));
            }
        }
    }
    Ok(())
}

struct Lowering<'a> {
    model: &'a Model,
    protocol: Protocol,
    shapes: Vec<Shape>,
    known: HashMap<&'a str, usize>,
    work: Vec<(usize, model::Shape<'a>)>,
    spent: &'a mut Spent,
}

impl<'a> Lowering<'a> {
    /// The structure that an input or an output is; none for `smithy.api#Unit`.
    fn root(&mut self, id: Option<&'a str>) -> Result<Option<usize>, String> {
        match id {
            None | Some("smithy.api#Unit") => Ok(None),
            Some(id) if self.model.shape(id).is_some_and(|shape| shape.kind == "structure") => {
                self.reach(id).map(Some)
            }
            Some(id) => Err(format!("has `{}` as input or output, which is no structure", shortened(id))),
        }
    }

    /// The place of a shape, which is lowered later if it was not met before.
    fn reach(&mut self, id: &'a str) -> Result<usize, String> {
        self.spent.member()?;
        if let Some(at) = self.known.get(id) {
            return Ok(*at);
        }
        let shape = self
            .model
            .shape(id)
            .ok_or_else(|| format!("refers to `{}`, which the model does not have", shortened(id)))?;
        let at = self.shapes.len();
        if at >= MAX_SHAPES {
            return Err(format!("needs more than {MAX_SHAPES} shapes"));
        }
        self.shapes.push(Shape::Document);
        self.known.insert(id, at);
        self.work.push((at, shape));
        Ok(at)
    }

    fn finish(&mut self) -> Result<(), String> {
        while let Some((at, shape)) = self.work.pop() {
            let lowered = self.lower(shape)?;
            if let Some(slot) = self.shapes.get_mut(at) {
                *slot = lowered;
            }
        }
        Ok(())
    }

    fn lower(&mut self, shape: model::Shape<'a>) -> Result<Shape, String> {
        Ok(match shape.kind {
            "structure" => Shape::Structure(self.structure(shape)?),
            "union" if shape.has("smithy.api#streaming") => {
                return Err(format!("streams events (`{}`), which no tool can", shortened(shape.name())));
            }
            "union" => Shape::Union(self.structure(shape)?),
            "list" | "set" => Shape::List(Box::new(self.part(shape, "member")?)),
            "map" => Shape::Map(Box::new((self.part(shape, "key")?, self.part(shape, "value")?))),
            "blob" => Shape::Blob(self.media(shape)?),
            "string" | "enum" => Shape::String(self.media(shape)?),
            "boolean" => Shape::Boolean,
            "byte" => Shape::Integer(8),
            "short" => Shape::Integer(16),
            "integer" | "intEnum" => Shape::Integer(32),
            "long" => Shape::Integer(64),
            "float" | "double" | "bigInteger" | "bigDecimal" => Shape::Number,
            "timestamp" => Shape::Timestamp(timestamp(shape.text("smithy.api#timestampFormat"))),
            "document" if self.protocol == Protocol::RestXml => {
                return Err("holds a document, which restXml cannot write".to_owned());
            }
            "document" => Shape::Document,
            other => {
                let (id, other) = (shortened(shape.id), shortened(other));
                return Err(format!("uses `{id}` as a value, which is of type `{other}`"));
            }
        })
    }

    fn structure(&mut self, shape: model::Shape<'a>) -> Result<Structure, String> {
        let name = shape.text("smithy.api#xmlName").unwrap_or(shape.name());
        let members = self.model.members(shape);
        if members.len() > MAX_MEMBERS {
            let id = shortened(shape.id);
            return Err(format!("uses `{id}`, which has more than {MAX_MEMBERS} members"));
        }
        Ok(Structure {
            name: self.copy(checked_name(name)?)?,
            namespace: namespace(self.spent, shape.get("smithy.api#xmlNamespace"))?,
            members: members.into_iter().map(|member| self.member(member)).collect::<Result<_, _>>()?,
        })
    }

    fn part(&mut self, shape: model::Shape<'a>, name: &'static str) -> Result<Member, String> {
        let part = self.model.part(shape, name);
        self.member(part.ok_or_else(|| format!("uses `{}`, which has no `{name}`", shortened(shape.id)))?)
    }

    fn member(&mut self, member: model::Member<'a>) -> Result<Member, String> {
        let xml = self.protocol == Protocol::RestXml;
        let wire_name = match self.protocol {
            Protocol::RestJson1 => member.text("smithy.api#jsonName"),
            Protocol::RestXml => member.text("smithy.api#xmlName").map(checked_name).transpose()?,
            Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => None,
        };
        let wire_name = wire_name.map(|name| self.copy(name)).transpose()?;
        if xml && wire_name.is_none() {
            checked_name(member.name)?;
        }
        Ok(Member {
            name: self.copy(member.name)?,
            shape: self.reach(member.target)?,
            required: member.has("smithy.api#required") && !member.has("smithy.api#default"),
            binding: self.binding(member)?,
            wire_name,
            attribute: xml && member.has("smithy.api#xmlAttribute"),
            flattened: xml && member.has("smithy.api#xmlFlattened"),
            namespace: if xml { namespace(self.spent, member.get("smithy.api#xmlNamespace"))? } else { None },
            timestamp: timestamp(member.text("smithy.api#timestampFormat")),
            token: member.has("smithy.api#idempotencyToken"),
        })
    }

    fn copy(&mut self, text: &str) -> Result<String, String> {
        self.spent.copy(text, MAX_TEXT)
    }

    fn media(&mut self, shape: model::Shape<'_>) -> Result<Media, String> {
        Ok(Media(shape.text("smithy.api#mediaType").map(|media| self.copy(media)).transpose()?))
    }

    fn binding(&mut self, member: model::Member<'_>) -> Result<Binding, String> {
        let text = |name: &str| member.text(name);
        Ok(if matches!(self.protocol, Protocol::AwsJson1_0 | Protocol::AwsJson1_1) {
            Binding::Body
        } else if member.has("smithy.api#httpLabel") {
            Binding::Label
        } else if let Some(name) = text("smithy.api#httpQuery") {
            Binding::Query(self.copy(name)?)
        } else if member.has("smithy.api#httpQueryParams") {
            Binding::QueryParams
        } else if let Some(name) = text("smithy.api#httpHeader") {
            Binding::Header(self.copy(name)?)
        } else if let Some(prefix) = text("smithy.api#httpPrefixHeaders") {
            Binding::PrefixHeaders(self.copy(prefix)?)
        } else if member.has("smithy.api#httpPayload") {
            Binding::Payload
        } else if member.has("smithy.api#httpResponseCode") {
            Binding::ResponseCode
        } else {
            Binding::Body
        })
    }
}

fn timestamp(format: Option<&str>) -> Option<TimestampFormat> {
    match format {
        Some("date-time") => Some(TimestampFormat::DateTime),
        Some("http-date") => Some(TimestampFormat::HttpDate),
        Some("epoch-seconds") => Some(TimestampFormat::EpochSeconds),
        _ => None,
    }
}

/// A name that may stand in XML as it is, with or without a prefix.
fn checked_name(name: &str) -> Result<&str, String> {
    short(name, MAX_TEXT)?;
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if starts && name.bytes().all(sound) {
        Ok(name)
    } else {
        Err(format!("uses `{}` as a name in XML, which is none", shortened(name)))
    }
}

fn namespace(spent: &mut Spent, value: Option<&Value>) -> Result<Option<Namespace>, String> {
    let text = |name: &str| value.and_then(|value| value.get(name)).and_then(Value::as_str);
    let Some(uri) = text("uri") else { return Ok(None) };
    let prefix = text("prefix").map(checked_name).transpose()?;
    let prefix = prefix.map(|prefix| spent.copy(prefix, MAX_TEXT)).transpose()?;
    Ok(Some(Namespace { uri: spent.copy(uri, MAX_URI)?, prefix }))
}
