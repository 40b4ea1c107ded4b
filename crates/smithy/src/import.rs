//! Reads a model and plans the operations of its service.
//!
//! A model that cannot be served at all is refused with what to do about it. An operation that cannot be served (an
//! event stream, a URI that makes no path) is left out and said so in [`Api::refused`]: the rest of the service is
//! still of use. AWS serves restJson1 models alone; the other three protocols are served here on top of that.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::endpoint::{Endpoint, InvalidEndpoint};
use crate::lowering;
use crate::model::{Model, Shape};
use crate::plan::{Operation, Protocol};
use crate::texts::{Spent, shortened};

/// The protocols that are spoken, the preferred one first.
const PROTOCOLS: [(&str, Protocol); 4] = [
    ("aws.protocols#restJson1", Protocol::RestJson1),
    ("aws.protocols#awsJson1_0", Protocol::AwsJson1_0),
    ("aws.protocols#awsJson1_1", Protocol::AwsJson1_1),
    ("aws.protocols#restXml", Protocol::RestXml),
];

/// What to take from a model.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The service's shape id, or its name without the namespace; needed when the model has several.
    pub service: Option<String>,
    /// The operations to take, by name; all of them when empty.
    pub include: Vec<String>,
    /// The operations to leave out, by name.
    pub exclude: Vec<String>,
}

/// A service as tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Api {
    /// The service's shape id.
    pub service: String,
    /// Its title, or its name.
    pub title: String,
    /// Its version, as the model has it; may be empty.
    pub version: String,
    /// The protocol that its operations are called over.
    pub protocol: Protocol,
    /// The name to sign for (`aws.auth#sigv4`), when the service is signed for.
    pub signing_name: Option<String>,
    /// The first part of its regional hosts (`aws.api#service`).
    pub endpoint_prefix: Option<String>,
    /// Its operations, in the order of their names.
    pub operations: Vec<Operation>,
    /// The operations that cannot be served, and why.
    pub refused: Vec<Refusal>,
}

/// An operation that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its name.
    pub operation: String,
    /// Why, as the end of a sentence that begins with the operation.
    pub why: String,
}

/// A model that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is beyond a bound.
    #[error("the Smithy model is too large: {0}")]
    TooLarge(String),
    /// It is no JSON.
    #[error("the Smithy model is not JSON ({0}): give the model's JSON AST, as `smithy ast` writes it")]
    NotJson(String),
    /// It is JSON of some other kind.
    #[error("the document is not a Smithy model: a JSON AST has `smithy` with a version, and `shapes`")]
    NotSmithy,
    /// Its version is not known.
    #[error("the Smithy model has version `{0}`, and 1.0 and 2.0 are read")]
    Version(String),
    /// It has no service.
    #[error("the Smithy model has no service shape")]
    NoService,
    /// It has several services, and none was chosen.
    #[error("the Smithy model has several services: choose one of {0}")]
    SeveralServices(String),
    /// The chosen service is not there.
    #[error("the Smithy model has no service `{0}`; it has {1}")]
    UnknownService(String, String),
    /// Its service speaks none of our protocols.
    #[error(
        "the service `{service}` speaks {spoken}; restJson1, awsJson1_0, awsJson1_1 and restXml can be called"
    )]
    Protocol {
        /// The service's shape id.
        service: String,
        /// What it speaks, in words.
        spoken: String,
    },
    /// A filter names an operation that is not there.
    #[error("the service has no operation `{0}`")]
    UnknownOperation(String),
    /// Nothing is left.
    #[error("no operation of the service can be called{0}")]
    NoOperations(String),
}

/// Reads a model in Smithy's JSON AST, of version 1.0 or 2.0.
///
/// # Errors
/// [`ImportError`], when the model is none, is larger than 10 MB or 20,000 shapes, has a shape id that is longer than
/// 512 bytes, or has no service that can be called.
pub fn import(text: &str, options: &Options) -> Result<Api, ImportError> {
    let model = Model::read(text)?;
    let service = choose(&model, options.service.as_deref())?;
    let protocol = protocol(service)?;
    let chosen = chosen(operations(&model, service), options)?;
    let (mut planned, mut refused) = (BTreeMap::new(), Vec::new());
    let mut spent = Spent::default();
    for shape in chosen {
        let name = shape.name().to_owned();
        let result = match planned.contains_key(&name) {
            true => Err("has the name of another operation".to_owned()),
            false => lowering::operation(&model, service, protocol, shape, &mut spent),
        };
        match result {
            Ok(operation) => drop(planned.insert(name, operation)),
            Err(why) => refused.push(Refusal { operation: name, why }),
        }
        if spent.is_too_much() {
            return Err(ImportError::TooLarge(
                "its operations together take too many shapes: choose fewer operations".to_owned(),
            ));
        }
    }
    if planned.is_empty() {
        let first = refused.first();
        let why = first.map(|first| format!(": `{}` {}", first.operation, first.why)).unwrap_or_default();
        return Err(ImportError::NoOperations(why));
    }
    let text = |field: &str, value: Option<&Value>| {
        value.and_then(|value| value.get(field)).and_then(Value::as_str).map(str::to_owned)
    };
    let signing_name = text("name", service.get("aws.auth#sigv4"));
    let about = service.get("aws.api#service");
    Ok(Api {
        service: service.id.to_owned(),
        title: service.text("smithy.api#title").unwrap_or(service.name()).to_owned(),
        version: service.field("version").and_then(Value::as_str).unwrap_or_default().to_owned(),
        protocol,
        endpoint_prefix: text("endpointPrefix", about)
            .or_else(|| text("arnNamespace", about))
            .or_else(|| signing_name.clone()),
        signing_name,
        operations: planned.into_values().collect(),
        refused,
    })
}

impl Api {
    /// Where the service is called: at `explicit` if that is given, at its host in an AWS region otherwise.
    ///
    /// Endpoint rule sets are not evaluated: a service that is not at `{endpointPrefix}.{region}.amazonaws.com` (a
    /// global one, or one with an endpoint for each account) needs its address given.
    ///
    /// # Errors
    /// [`InvalidEndpoint`], when the address is none or the model names no host.
    pub fn endpoint(&self, region: &str, explicit: Option<&str>) -> Result<Endpoint, InvalidEndpoint> {
        match (explicit, &self.endpoint_prefix) {
            (Some(explicit), _) => Endpoint::explicit(explicit),
            (None, Some(prefix)) => Endpoint::regional(prefix, region),
            (None, None) => Err(InvalidEndpoint::Unknown),
        }
    }
}

fn choose<'a>(model: &'a Model, wanted: Option<&str>) -> Result<Shape<'a>, ImportError> {
    let services: Vec<_> = model.of_kind("service").collect();
    let names = || {
        let names: Vec<_> = services.iter().take(20).map(|service| format!("`{}`", service.id)).collect();
        names.join(", ")
    };
    match (wanted, services.as_slice()) {
        (_, []) => Err(ImportError::NoService),
        (None, [only]) => Ok(*only),
        (None, _) => Err(ImportError::SeveralServices(names())),
        (Some(wanted), _) => {
            let found = services.iter().find(|service| service.id == wanted || service.name() == wanted);
            found.copied().ok_or_else(|| ImportError::UnknownService(wanted.to_owned(), names()))
        }
    }
}

fn protocol(service: Shape<'_>) -> Result<Protocol, ImportError> {
    if let Some((_, protocol)) = PROTOCOLS.iter().find(|(name, _)| service.has(name)) {
        return Ok(*protocol);
    }
    let traits = service.traits().into_iter().flatten().map(|(name, _)| name.as_str());
    let is_protocol =
        |name: &&str| name.starts_with("aws.protocols#") || name.starts_with("smithy.protocols#");
    let names: Vec<_> =
        traits.filter(is_protocol).take(20).map(|name| format!("`{}`", shortened(name))).collect();
    let spoken = if names.is_empty() { "no protocol that it names".to_owned() } else { names.join(", ") };
    Err(ImportError::Protocol { service: service.id.to_owned(), spoken })
}

/// The operations of a service: its own, and those of its resources and theirs, each once.
fn operations<'a>(model: &'a Model, service: Shape<'a>) -> Vec<Shape<'a>> {
    let (mut found, mut seen) = (BTreeMap::new(), BTreeSet::new());
    let mut holders = vec![service];
    while let Some(holder) = holders.pop() {
        if !seen.insert(holder.id) {
            continue;
        }
        let lifecycle = ["create", "put", "read", "update", "delete", "list"];
        let ids = lifecycle.into_iter().filter_map(|name| holder.target(name));
        let ids = ids.chain(holder.targets("operations")).chain(holder.targets("collectionOperations"));
        let shapes = ids.filter_map(|id| model.shape(id)).filter(|shape| shape.kind == "operation");
        found.extend(shapes.map(|shape| (shape.id, shape)));
        let resources = holder.targets("resources").into_iter().filter_map(|id| model.shape(id));
        holders.extend(resources.filter(|shape| shape.kind == "resource"));
    }
    found.into_values().collect()
}

fn chosen<'a>(all: Vec<Shape<'a>>, options: &Options) -> Result<Vec<Shape<'a>>, ImportError> {
    let named = |name: &String| all.iter().any(|shape| shape.name() == name);
    if let Some(unknown) = options.include.iter().chain(&options.exclude).find(|name| !named(name)) {
        return Err(ImportError::UnknownOperation(unknown.clone()));
    }
    let lists = |names: &[String], shape: &Shape<'_>| names.iter().any(|name| name == shape.name());
    let wanted = |shape: &Shape<'_>| {
        (options.include.is_empty() || lists(&options.include, shape)) && !lists(&options.exclude, shape)
    };
    Ok(all.into_iter().filter(wanted).collect())
}
