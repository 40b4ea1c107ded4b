//! What a client sees: an answer, read strictly by the model of its operation. An element that the model does not know
//! is a failed test.

use aws_shapes::{OperationSpec, Protocol, Schema, ServiceSpec};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Response};
use serde_json::{Map, Value};

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The error's name; empty for a success.
    pub code: String,
    /// The error's message; empty for a success.
    pub message: String,
    /// The answer as a tree of values, by the names of the model; `Null` when it has no body. The payload of an
    /// operation that answers with raw bytes is a string in it, as base64.
    pub body: Value,
    /// The headers.
    pub headers: HeaderMap,
    /// The bytes.
    pub bytes: Bytes,
}

impl Answered {
    pub(super) fn read(
        service: &ServiceSpec,
        operation: &'static OperationSpec,
        answer: Response<Bytes>,
    ) -> Self {
        let (parts, bytes) = answer.into_parts();
        let mut read = Self {
            status: parts.status.as_u16(),
            code: String::new(),
            message: String::new(),
            body: Value::Null,
            headers: parts.headers,
            bytes,
        };
        let xml = read.headers.get("content-type").is_some_and(|kind| kind == "text/xml");
        match (read.status < 300, xml) {
            (true, _) => read.body = read.success(service, operation),
            (false, true) => {
                let root = Element::parse(&read.text());
                let error = root.child("Error");
                read.code.clone_from(&error.child("Code").text);
                read.message.clone_from(&error.child("Message").text);
            }
            (false, false) => {
                read.body = serde_json::from_slice(&read.bytes).unwrap_or_default();
                let named = read.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
                read.code = named.unwrap_or_default().to_owned();
                read.message = read.body["message"].as_str().unwrap_or_default().to_owned();
            }
        }
        read
    }

    fn success(&self, service: &ServiceSpec, operation: &'static OperationSpec) -> Value {
        if let Some(payload) = operation.output_payload {
            return Value::Object(Map::from_iter([(
                payload.to_owned(),
                Value::String(STANDARD.encode(&self.bytes)),
            )]));
        }
        if service.protocol == Protocol::AwsQuery {
            let root = Element::parse(&self.text());
            assert_eq!(root.name, format!("{}Response", operation.name));
            assert!(!root.child("ResponseMetadata").child("RequestId").text.is_empty());
            return match (operation.result_wrapper, operation.output) {
                (Some(wrapper), Some(schema)) => root.child(wrapper).value(schema),
                _ => Value::Null,
            };
        }
        if self.bytes.is_empty() { Value::Null } else { serde_json::from_slice(&self.bytes).unwrap() }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.to_vec()).unwrap()
    }

    /// The answer's body: it must be a success.
    #[track_caller]
    pub fn good(self) -> Value {
        assert!(self.status < 300, "{} {}: {}", self.status, self.code, self.message);
        self.body
    }

    /// The error's message: it must be this one, by its status and its name.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> String {
        assert_eq!(
            (self.status, self.code.as_str()),
            (status, code),
            "the message is: {} {}",
            self.message,
            self.body
        );
        self.message
    }
}

/// An element of XML, as much of it as AWS's answers have.
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn parse(xml: &str) -> Self {
        let mut rest = xml;
        let root = Self::next(&mut rest);
        assert!(rest.is_empty(), "after the root: {rest}");
        root
    }

    fn next(rest: &mut &str) -> Self {
        let (tag, after) = rest.strip_prefix('<').unwrap().split_once('>').unwrap();
        *rest = after;
        let name = tag.split(' ').next().unwrap().to_owned();
        let mut element = Self { name, text: String::new(), children: Vec::new() };
        let end = format!("</{}>", element.name);
        loop {
            if let Some(after) = rest.strip_prefix(end.as_str()) {
                *rest = after;
                return element;
            }
            if rest.starts_with('<') {
                element.children.push(Self::next(rest));
            } else {
                let (text, _) = rest.split_once('<').unwrap();
                element.text.push_str(&unescaped(text));
                *rest = &rest[text.len()..];
            }
        }
    }

    #[track_caller]
    fn child(&self, name: &str) -> &Self {
        let found = self.children.iter().find(|child| child.name == name);
        found.unwrap_or_else(|| panic!("<{}> has no <{name}>", self.name))
    }

    fn value(&self, schema: &'static Schema) -> Value {
        match schema {
            Schema::Structure(members) | Schema::Union(members) => {
                let mut object = Map::new();
                for child in &self.children {
                    let member = members.iter().find(|member| member.wire == child.name);
                    let member = member.unwrap_or_else(|| panic!("the model has no {}", child.name));
                    let known = object.insert(member.name.to_owned(), child.value(member.schema));
                    assert!(known.is_none(), "{} is there twice", child.name);
                }
                Value::Object(object)
            }
            Schema::List { element, wire, .. } => {
                assert!(self.children.iter().all(|child| child.name == *wire));
                self.children.iter().map(|child| child.value(element)).collect()
            }
            Schema::Integer { .. } => Value::from(self.text.parse::<i64>().unwrap()),
            Schema::Boolean => Value::Bool(self.text.parse().unwrap()),
            Schema::NotHonoured => panic!("{} is not honoured and answered", self.name),
            _ => Value::String(self.text.clone()),
        }
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}
