//! An operation as it is called: everything that a request and its answer need, taken out of the model, so that it can
//! be stored beside the tool and the model forgotten.
//!
//! Shapes refer to each other by their place in the plan's list, which makes recursion harmless. A plan that was stored
//! is read back as data: a reference that leads nowhere is a fault of the call and no panic.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A wire protocol. Source: "AWS protocols" in the Smithy 2.0 specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// `aws.protocols#restJson1`.
    #[serde(rename = "restJson1")]
    RestJson1,
    /// `aws.protocols#awsJson1_0`.
    #[serde(rename = "awsJson1_0")]
    AwsJson1_0,
    /// `aws.protocols#awsJson1_1`.
    #[serde(rename = "awsJson1_1")]
    AwsJson1_1,
    /// `aws.protocols#restXml`.
    #[serde(rename = "restXml")]
    RestXml,
}

/// An operation of a service: a tool, and how it is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// The operation's shape name, which is the tool's name.
    pub name: String,
    /// The operation's documentation as plain text; empty when it has none.
    pub description: String,
    /// The JSON Schema (2020-12) of the tool's arguments.
    pub input_schema: Value,
    pub(crate) plan: Plan,
}

/// How an operation is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    pub(crate) protocol: Protocol,
    /// The service's shape name, which awsJson has in `X-Amz-Target`.
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) path: Vec<Segment>,
    /// The query parameters of the URI template, which are always sent.
    pub(crate) query: Vec<(String, Option<String>)>,
    /// What is put before the host.
    pub(crate) host_prefix: Vec<HostPart>,
    /// The status of success, when it is not of the 200s.
    pub(crate) status: u16,
    /// Whether the body goes with its MD5 hash.
    pub(crate) checksum: bool,
    /// The XML namespace of the service.
    pub(crate) namespace: Option<Namespace>,
    /// Whether the root of the answer is the output's only member (S3's GetBucketLocation).
    pub(crate) unwrapped: bool,
    pub(crate) input: Option<usize>,
    pub(crate) output: Option<usize>,
    pub(crate) errors: Vec<ErrorShape>,
    pub(crate) shapes: Vec<Shape>,
}

/// A segment of the path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Segment {
    Literal(String),
    /// One segment, from a member.
    Label(String),
    /// One segment or several, from a member.
    Greedy(String),
}

/// A part of what is put before the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum HostPart {
    Literal(String),
    Label(String),
}

/// An error that the operation is known to answer with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ErrorShape {
    pub(crate) name: String,
    /// What `aws.protocols#awsQueryError` calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    pub(crate) shape: usize,
}

/// A shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Shape {
    Structure(Structure),
    Union(Structure),
    List(Box<Member>),
    Map(Box<(Member, Member)>),
    Blob(Media),
    String(Media),
    Boolean,
    /// An integer and its bits.
    Integer(u8),
    Number,
    Timestamp(Option<TimestampFormat>),
    Document,
}

/// The members of a structure, and its names in XML.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Structure {
    /// The name of its root element.
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<Namespace>,
    pub(crate) members: Vec<Member>,
}

/// The media type of a blob or a string, if the model gives one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Media(pub(crate) Option<String>);

/// A member, and how it stands on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) shape: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) required: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) binding: Binding,
    /// The name in JSON or XML, when it is not the member's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wire_name: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) attribute: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) flattened: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<Namespace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timestamp: Option<TimestampFormat>,
    /// Whether a token is made when the caller gives none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) token: bool,
}

impl Member {
    /// Its name in a JSON or XML body.
    pub(crate) fn on_wire(&self) -> &str {
        self.wire_name.as_deref().unwrap_or(&self.name)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Where a member of an input or an output stands. Source: "HTTP bindings" in the Smithy 2.0 specification.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Binding {
    #[default]
    Body,
    Label,
    Query(String),
    QueryParams,
    Header(String),
    PrefixHeaders(String),
    Payload,
    ResponseCode,
}

/// An XML namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Namespace {
    pub(crate) uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prefix: Option<String>,
}

/// How a moment is written. Source: "timestampFormat trait" in the Smithy 2.0 specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TimestampFormat {
    DateTime,
    HttpDate,
    EpochSeconds,
}

impl Plan {
    pub(crate) fn shape(&self, at: usize) -> Option<&Shape> {
        self.shapes.get(at)
    }

    /// The structure at a place, if there is one.
    pub(crate) fn structure(&self, at: usize) -> Option<&Structure> {
        match self.shape(at) {
            Some(Shape::Structure(structure) | Shape::Union(structure)) => Some(structure),
            _ => None,
        }
    }
}
