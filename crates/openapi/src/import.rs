//! A document, read once: every operation that passes the filters becomes a tool, or a reason why not.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::document::{Document, object, shortened, text};
use crate::findings::{Finding, ImportError, Place, Severity};
use crate::naming::{name, short_alias};
use crate::operation::{Operation, Plan};
use crate::options::{Options, OutputSchemas, Strictness};
use crate::read::read;
use crate::schema::{Purpose, Schemas};
use crate::{arguments, body_plan, media, parameter_plan, refused_by_aws, selection, server, template};

/// The methods that become tools.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];
/// The most findings that are kept.
const MAX_FINDINGS: usize = 5_000;
/// The longest description of a tool, in characters; some documents have whole manuals.
const MAX_DESCRIPTION: usize = 4_096;
/// The longest path, in bytes: findings and plans have copies of it.
const MAX_PATH: usize = 2_048;

/// A document as tools.
#[derive(Clone, Debug)]
pub struct Api {
    /// The document's title.
    pub title: String,
    /// The version of the API, as the document has it.
    pub version: String,
    /// The operations that are served, in the order of their paths and methods.
    pub operations: Vec<Operation>,
    /// What there is to say of the document and of its operations.
    pub findings: Vec<Finding>,
}

/// Imports a document: JSON or YAML, OpenAPI 3.0 or 3.1.
///
/// # Errors
/// [`ImportError`] says why the document, or, when the import is strict, which operation of it, cannot be served.
pub fn import(document: &str, options: &Options) -> Result<Api, ImportError> {
    let bytes = document.len();
    let document = Document::new(read(document, options.max_document_bytes)?)?;
    let mut import = Import { document: &document, options, findings: Vec::new(), stored_bytes: 0 };
    import.findings = refused_by_aws::of_document(&document, bytes);
    let chosen = import.choose()?;
    let names = import.names(&chosen)?;
    let mut operations = Vec::with_capacity(chosen.len());
    for (found, name) in chosen.iter().zip(names) {
        match import.operation(found, name) {
            Ok(operation) => operations.push(operation),
            Err(reason) if options.strictness == Strictness::Refuse => {
                return Err(ImportError::Operation { operation: found.place.clone(), reason });
            }
            Err(reason) => import.say(&found.place, Severity::RefusedHere, reason),
        }
        if import.stored_bytes > options.max_total_schema_bytes {
            return Err(ImportError::SchemasTooLarge { limit: options.max_total_schema_bytes });
        }
    }
    let mut findings = import.findings;
    findings.truncate(MAX_FINDINGS);
    let info = document.root().get("info").unwrap_or(&Value::Null);
    let about = |member| shortened(text(info, member).unwrap_or_default());
    Ok(Api { title: about("title"), version: about("version"), operations, findings })
}

/// An operation in the document.
struct Found<'d> {
    place: Place,
    item: &'d Value,
    raw: &'d Value,
}

struct Import<'d> {
    document: &'d Document,
    options: &'d Options,
    findings: Vec<Finding>,
    stored_bytes: usize,
}

impl<'d> Import<'d> {
    fn say(&mut self, place: &Place, severity: Severity, reason: String) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { operation: Some(place.clone()), severity, reason });
        }
    }

    /// The operations that pass the filters, in the order of their paths and methods.
    fn choose(&mut self) -> Result<Vec<Found<'d>>, ImportError> {
        let mut found = Vec::new();
        let paths = object(self.document.root(), "paths").into_iter().flatten();
        for (path, item) in paths.filter(|(path, _)| path.starts_with('/')) {
            let short = path.len() <= MAX_PATH;
            let item = short.then(|| self.document.follow(item));
            let item = item.unwrap_or_else(|| Err(format!("its path is longer than {MAX_PATH} bytes")));
            let item = match item {
                Ok(item) => item,
                Err(reason) => {
                    let place = Place { method: "*".to_owned(), path: shortened(path) };
                    self.refuse(place, reason)?;
                    continue;
                }
            };
            for method in METHODS {
                let Some(raw) = item.get(method).filter(|raw| raw.is_object()) else { continue };
                let place = Place { method: method.to_ascii_uppercase(), path: path.clone() };
                if selection::is_selected(&place, &self.options.filters) {
                    found.push(Found { place, item, raw });
                }
            }
        }
        if found.is_empty() && self.options.filters.is_empty() {
            return Err(ImportError::NoOperations("the document has no operations under `paths`".to_owned()));
        }
        found.sort_by(|one, other| {
            (&one.place.path, &one.place.method).cmp(&(&other.place.path, &other.place.method))
        });
        let places: Vec<Place> = found.iter().map(|found| found.place.clone()).collect();
        selection::check(&places, self.options)?;
        found.retain(|found| match selection::excluded(self.document, found.raw, &found.place) {
            Some(reason) => {
                self.say(&found.place, Severity::RefusedHere, reason);
                false
            }
            None => true,
        });
        if found.is_empty() {
            let reason = "none of the operations that the filters choose can be a tool: proxy resources, and methods that \
                          want both IAM authorization and an API key, cannot";
            return Err(ImportError::Selection(reason.to_owned()));
        }
        let (count, limit) = (found.len(), self.options.max_operations);
        if count > limit {
            return Err(ImportError::TooManyOperations { count, limit });
        }
        Ok(found)
    }

    fn refuse(&mut self, place: Place, reason: String) -> Result<(), ImportError> {
        if self.options.strictness == Strictness::Refuse {
            return Err(ImportError::Operation { operation: place, reason });
        }
        self.say(&place, Severity::RefusedHere, reason);
        Ok(())
    }

    /// The tools' names; `naming` states the rules.
    fn names(&mut self, chosen: &[Found<'d>]) -> Result<Vec<String>, ImportError> {
        let mut given: BTreeMap<&str, &Place> = BTreeMap::new();
        for found in chosen {
            let over = selection::override_of(&found.place, &self.options.overrides);
            let Some(id) = over.map(|one| one.name.as_str()).or_else(|| text(found.raw, "operationId"))
            else {
                continue;
            };
            if let Some(first) = given.insert(id, &found.place) {
                let (first, second) = (first.clone(), found.place.clone());
                return Err(ImportError::DuplicateName { name: shortened(id), first, second });
            }
        }
        let mut taken: BTreeMap<String, ()> = BTreeMap::new();
        let mut names = vec![String::new(); chosen.len()];
        // Names that the document gives, to the letter, go first: a made-up one never takes theirs.
        for given_first in [true, false] {
            for (found, slot) in chosen.iter().zip(&mut names) {
                let over = selection::override_of(&found.place, &self.options.overrides);
                let id = over.map(|one| one.name.as_str()).or_else(|| text(found.raw, "operationId"));
                let named = name(id, &found.place.method, &found.place.path);
                if named.is_given != given_first {
                    continue;
                }
                let numbered = (2..).map(|number| format!("{}_{number}", named.name));
                let free = std::iter::once(named.name.clone())
                    .chain(numbered)
                    .find(|name| !taken.contains_key(name));
                *slot = free.unwrap_or_default();
                taken.insert(slot.clone(), ());
                if let (false, Some(id)) = (given_first, id) {
                    let (id, slot) = (shortened(id), shortened(slot));
                    let reason = format!("its name `{id}` is written `{slot}`, which MCP allows");
                    self.say(&found.place, Severity::Note, reason);
                }
            }
        }
        Ok(names)
    }

    fn operation(&mut self, found: &Found<'d>, name: String) -> Result<Operation, String> {
        let Found { place, item, raw } = found;
        let mut notes = Vec::new();
        let server = server::choose(&[raw, item, self.document.root()], self.options)?;
        let mut declared = parameter_plan::read(self.document, item, raw, &mut notes)?;
        let template = template::read(&place.path, &mut declared)?;
        notes.extend(template.notes);
        let body = body_plan::read(self.document, raw)?;
        if body.is_some() && matches!(place.method.as_str(), "GET" | "HEAD" | "DELETE") {
            notes.push(format!("it sends a body with {}, which many servers ignore", place.method));
        }
        if server.choices > 1 {
            notes.push(format!("of its {} servers the first is called: {}", server.choices, server.base));
        }
        let over = selection::override_of(place, &self.options.overrides);
        let description = match over.and_then(|one| one.description.clone()) {
            Some(description) => description,
            None => description(raw, item),
        };
        let arguments = arguments::combine(self.document, declared.clone(), body)?;
        let input = Value::Object(arguments.input_schema);
        let plan = Plan {
            server: server.base,
            path: template.pieces,
            parameters: arguments.parameters,
            body: arguments.body,
            accept: refused_by_aws::accept(self.document, raw),
        };
        self.count("input schema", input.to_string().len())?;
        let written =
            serde_json::to_string(&plan).map_err(|error| format!("it cannot be stored: {error}"))?;
        self.count("plan", written.len())?;
        let mut refused = server.refused_by_aws;
        refused.extend(template.refused_by_aws);
        refused.extend(refused_by_aws::of_operation(self.document, raw, &declared, &input));
        if over.is_some() {
            refused.retain(|reason| !reason.contains("no operationId"));
        }
        if name.chars().count() > refused_by_aws::NAME_LIMIT {
            refused.push(format!("its name is longer than {} characters", refused_by_aws::NAME_LIMIT));
        }
        for argument in refused_by_aws::unusual_arguments(&input) {
            notes.push(format!("the APIs of common models refuse its argument `{}`", shortened(argument)));
        }
        if let Some(alias) = self.options.target.as_deref().and_then(|target| short_alias(target, &name)) {
            notes.push(format!("its full name is longer than the 64 characters that the APIs of common models take: `{alias}` is a short alias"));
        }
        let output_schema = self.output_schema(raw);
        refused.into_iter().for_each(|reason| self.say(place, Severity::RefusedByAws, reason));
        notes.into_iter().for_each(|reason| self.say(place, Severity::Note, reason));
        let Value::Object(input_schema) = input else { return Err("it has no input schema".to_owned()) };
        Ok(Operation {
            name,
            description,
            method: place.method.clone(),
            path: place.path.clone(),
            input_schema,
            output_schema,
            plan,
        })
    }

    /// Counts what a tool is stored with, and holds it against the bound of one tool.
    fn count(&mut self, what: &str, bytes: usize) -> Result<(), String> {
        self.stored_bytes += bytes;
        let limit = self.options.max_schema_bytes;
        if bytes > limit {
            return Err(format!("its {what} has {bytes} bytes and the limit is {limit}"));
        }
        Ok(())
    }

    /// The schema of the first 2xx answer that is a JSON object; an answer that cannot be described is not.
    fn output_schema(&mut self, raw: &Value) -> Option<Map<String, Value>> {
        let OutputSchemas::UpTo(limit) = self.options.output_schemas else { return None };
        let responses = object(raw, "responses")?;
        let (_, response) = responses
            .iter()
            .filter(|(status, _)| status.starts_with('2'))
            .min_by_key(|(status, _)| *status)?;
        let content = object(self.document.follow(response).ok()?, "content")?;
        let (_, media) = content.iter().find(|(name, _)| media::kind(name) == media::Kind::Json)?;
        let schema = media.get("schema")?;
        let resolved = self.document.follow(schema).ok()?;
        if resolved.get("type").is_none_or(|name| name != "object") {
            return None;
        }
        let mut schemas = Schemas::new(self.document, Purpose::Output);
        let Ok(Value::Object(mut converted)) = schemas.convert(resolved) else { return None };
        let definitions = schemas.definitions().ok()?;
        if !definitions.is_empty() {
            converted.insert("$defs".to_owned(), Value::Object(definitions));
        }
        // A 3.0 object that may be null has two types, and a tool's output has one.
        converted.insert("type".to_owned(), Value::from("object"));
        let size = Value::Object(converted.clone()).to_string().len();
        self.stored_bytes += size;
        (size <= limit).then_some(converted)
    }
}

/// The summary and the description, each once.
fn description(raw: &Value, item: &Value) -> String {
    let of = |member| text(raw, member).or_else(|| text(item, member));
    let whole = match (of("summary"), of("description")) {
        (Some(summary), Some(description)) if !description.starts_with(summary) => {
            format!("{summary}\n\n{description}")
        }
        (summary, description) => description.or(summary).unwrap_or_default().to_owned(),
    };
    let mut start: String = whole.chars().take(MAX_DESCRIPTION).collect();
    if start.len() < whole.len() {
        start.push('…');
    }
    start
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
