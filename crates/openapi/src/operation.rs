//! One operation as a tool and as a plan of the request it makes.
//!
//! The plan is what the document said about the wire, resolved: it needs neither the document nor its references. It
//! is written with the tool when a target is created and read by the data plane.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One operation of a document: a tool, and how to call what is behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// The tool's name, without the target's.
    pub name: String,
    /// The summary and the description, or the override's; empty when the document has neither.
    pub description: String,
    /// The method in upper case.
    pub method: String,
    /// The path as the document writes it.
    pub path: String,
    /// What the tool takes: a JSON Schema of type `object` that stands alone.
    pub input_schema: Map<String, Value>,
    /// What the tool answers, where that was asked for and is a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Map<String, Value>>,
    /// How arguments become a request.
    pub(crate) plan: Plan,
}

impl Operation {
    /// The URL of the server that is called, without a slash at its end.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.plan.server
    }
}

/// How arguments become a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    pub(crate) server: String,
    pub(crate) path: Vec<Piece>,
    pub(crate) parameters: Vec<Parameter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Body>,
    pub(crate) accept: String,
}

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Piece {
    /// Text, as it stands in the path.
    Text(String),
    /// The value of a path parameter, by the parameter's name.
    Parameter(String),
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Location {
    Path,
    Query,
    Header,
    Cookie,
}

impl Location {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

/// A parameter of the request and the argument that it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parameter {
    pub(crate) argument: String,
    pub(crate) name: String,
    pub(crate) location: Location,
    pub(crate) required: bool,
    #[serde(flatten)]
    pub(crate) encoding: Encoding,
}

/// How a value is written (OpenAPI 3.1.1, "Style Values").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Encoding {
    pub(crate) style: Style,
    pub(crate) explode: bool,
    #[serde(default)]
    pub(crate) allow_reserved: bool,
}

/// The styles of OpenAPI, and JSON text, which `content` parameters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Style {
    Matrix,
    Label,
    Simple,
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
    Json,
}

/// The body of the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    pub(crate) required: bool,
    pub(crate) content_type: String,
    pub(crate) source: Source,
    pub(crate) format: Format,
}

/// Which arguments the body comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Source {
    /// One argument is the body.
    Whole(String),
    /// These arguments are the body's members.
    Members {
        names: Vec<String>,
        required: Vec<String>,
        /// Whether arguments that nothing else takes are members as well.
        open: bool,
    },
}

/// How the body is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Format {
    Json,
    /// `application/x-www-form-urlencoded`, with the members that are not written by the default style.
    Form(BTreeMap<String, Encoding>),
    /// `multipart/form-data`, with the members that are not plain text.
    Multipart(BTreeMap<String, Part>),
    /// XML, with the root's name and the schema that says how members are named; its references lead into the tool's
    /// `$defs`.
    Xml {
        root: String,
        schema: Value,
    },
    Text,
    /// Bytes, from base64.
    Binary,
}

/// A member of a multipart body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    pub(crate) content_type: String,
    /// Whether the argument is base64 of the part's bytes.
    pub(crate) binary: bool,
}
