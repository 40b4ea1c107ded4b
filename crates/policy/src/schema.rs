//! The Cedar schema of one or several gateways: what a policy may talk about.
//!
//! A tool that two gateways offer under one name is one action. Where its inputs differ, a policy that names
//! no gateway sees what both have in common (a property that one of them lacks is optional, a property whose
//! types disagree cannot be read), and a policy that names its gateway is checked against that gateway alone.
//! Both are sound: what is read of a call is always typed by the gateway that the call goes to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use cedar_policy::Validator;

use crate::input_type::{self, Field, InputType, Record, ToolInput, Unreadable};
use crate::names::{CALL_TOOL, MCP, is_built_in, target_of};
use crate::nesting::on_a_deep_stack;
use crate::schema_read;
use crate::schema_text;

/// The largest schema, in bytes of Cedar text ("Limitations" in the AgentCore developer guide: 400 KB).
pub const MAX_SCHEMA_BYTES: usize = 400 * 1024;

/// A gateway and the tools it offers.
#[derive(Clone, Debug)]
pub struct GatewayTools<'a> {
    /// The gateway's ARN.
    pub arn: &'a str,
    /// Its tools, in the order in which [`crate::Engine::visible`] answers.
    pub tools: Vec<ToolDefinition<'a>>,
}

/// A tool as a gateway offers it.
#[derive(Clone, Copy, Debug)]
pub struct ToolDefinition<'a> {
    /// Its full name, `{target}___{tool}`.
    pub name: &'a str,
    /// Its `inputSchema`: JSON text.
    pub input_schema: &'a str,
}

/// What policies of an engine may talk about: the gateways it guards, their tools and the tools' arguments.
#[derive(Debug)]
pub struct Schema {
    everything: Scope,
    gateways: BTreeMap<String, Scope>,
    /// Whether nobody knows which gateways there are, so that a policy may name any.
    anywhere: bool,
}

/// A part of a tool's arguments that no policy can read, because JSON Schema says something of it that Cedar
/// has no type for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableArgument {
    /// The tool's full name.
    pub tool: String,
    /// The argument, with dots between the names of nested properties; empty for all arguments.
    pub argument: String,
    /// Why, as the end of a sentence that begins with the argument.
    pub why: String,
}

/// The schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The tools are too many, or their inputs too complex.
    #[error(
        "the Cedar schema of these tools has {bytes} bytes and the limit is {MAX_SCHEMA_BYTES}: attach the \
         policy engine to fewer gateways, or simplify the tools' input schemas"
    )]
    TooLarge {
        /// The size of the schema.
        bytes: usize,
    },
    /// Cedar refuses the schema: a fault of ours.
    #[error("the Cedar schema of these tools is not valid: {0}")]
    Invalid(String),
}

impl Schema {
    /// Derives the schema from the gateways' tools. Tools whose input cannot be expressed are still actions
    /// ([`Schema::unreadable`] says what of them cannot be read).
    ///
    /// # Errors
    /// [`SchemaError::TooLarge`] beyond [`MAX_SCHEMA_BYTES`].
    pub fn build(gateways: &[GatewayTools<'_>]) -> Result<Self, SchemaError> {
        let mut everything = BTreeMap::new();
        let mut scopes = BTreeMap::new();
        for gateway in gateways {
            let tools = read_tools(gateway);
            for (name, input) in &tools {
                match everything.get_mut(name) {
                    None => drop(everything.insert(name.clone(), input.clone())),
                    Some(before) => intersect(before, input),
                }
            }
            scopes.insert(gateway.arn.to_owned(), Scope::new(tools));
        }
        Self::of(Scope::new(everything), scopes)
    }

    /// The schema of tools that some gateway offers, whichever it is: a policy may name any gateway.
    ///
    /// # Errors
    /// [`SchemaError::TooLarge`] beyond [`MAX_SCHEMA_BYTES`].
    pub fn anywhere(tools: &[ToolDefinition<'_>]) -> Result<Self, SchemaError> {
        let tools = read_tools(&GatewayTools { arn: "", tools: tools.to_vec() });
        Ok(Self { anywhere: true, ..Self::of(Scope::new(tools), BTreeMap::new())? })
    }

    /// The schema that a text in Cedar's syntax describes, or the same as Cedar's JSON. It names no gateways, so that a
    /// policy may name any.
    ///
    /// # Errors
    /// [`SchemaError`] when it is no schema of AgentCore's, or beyond [`MAX_SCHEMA_BYTES`].
    pub fn read(text: &str) -> Result<Self, SchemaError> {
        if text.len() > MAX_SCHEMA_BYTES * 4 {
            return Err(SchemaError::TooLarge { bytes: text.len() });
        }
        let tools = on_a_deep_stack(|| schema_read::read(text))
            .unwrap_or_else(|| Err(SchemaError::Invalid("it could not be read".to_owned())))?;
        Ok(Self { anywhere: true, ..Self::of(Scope::new(tools), BTreeMap::new())? })
    }

    fn of(everything: Scope, gateways: BTreeMap<String, Scope>) -> Result<Self, SchemaError> {
        let bytes = everything.text.len();
        if bytes > MAX_SCHEMA_BYTES {
            return Err(SchemaError::TooLarge { bytes });
        }
        everything.validator()?;
        Ok(Self { everything, gateways, anywhere: false })
    }

    /// The schema in Cedar's syntax.
    #[must_use]
    pub fn to_cedar(&self) -> &str {
        &self.everything.text
    }

    /// The schema that a statement about this gateway is checked against, or about none in particular; `None` for
    /// a gateway that it was not derived from.
    #[must_use]
    pub fn to_cedar_for(&self, gateway: Option<&str>) -> Option<&str> {
        self.scope(gateway).map(|scope| scope.text.as_str())
    }

    /// The schema as Cedar's JSON.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] when Cedar refuses its own syntax, which it has no reason to do.
    pub fn to_json(&self) -> Result<serde_json::Value, SchemaError> {
        let invalid = |error: &dyn fmt::Display| SchemaError::Invalid(error.to_string());
        let (fragment, _) = cedar_policy::SchemaFragment::from_cedarschema_str(&self.everything.text)
            .map_err(|error| invalid(&error))?;
        fragment.to_json_value().map_err(|error| invalid(&error))
    }

    /// The ARNs of the gateways it was derived from.
    pub fn gateways(&self) -> impl Iterator<Item = &str> {
        self.gateways.keys().map(String::as_str)
    }

    /// The full names of the tools, in alphabetical order.
    pub fn tools(&self) -> impl Iterator<Item = &str> {
        self.everything.tools.keys().map(String::as_str)
    }

    /// What policies cannot read, and why.
    pub fn unreadable(&self) -> impl Iterator<Item = UnreadableArgument> {
        self.everything.unreadable()
    }

    /// The tools that a gateway offers, with their inputs.
    pub(crate) fn inputs(&self, gateway: &str) -> Vec<(String, ToolInput)> {
        let scope = self.scope(Some(gateway));
        let tools = scope.into_iter().flat_map(|scope| &scope.tools);
        tools.map(|(name, input)| (name.clone(), input.clone())).collect()
    }

    /// What a policy is checked against: the gateway it names, or everything.
    pub(crate) fn scope(&self, gateway: Option<&str>) -> Option<&Scope> {
        match gateway {
            None => Some(&self.everything),
            Some(_) if self.anywhere => Some(&self.everything),
            Some(arn) => self.gateways.get(arn),
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.to_cedar())
    }
}

/// A set of tools with its schema.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) tools: BTreeMap<String, ToolInput>,
    text: String,
    validator: OnceLock<Result<Validator, String>>,
}

impl Scope {
    fn new(tools: BTreeMap<String, ToolInput>) -> Self {
        let records = tools.iter().map(|(name, input)| (name.as_str(), &input.record)).collect();
        let text = schema_text::write(&records, []);
        Self { tools, text, validator: OnceLock::new() }
    }

    /// Cedar's validator for the schema, made once.
    pub(crate) fn validator(&self) -> Result<&Validator, SchemaError> {
        let made = self.validator.get_or_init(|| parse(&self.text).map(Validator::new));
        made.as_ref().map_err(|error| SchemaError::Invalid(error.clone()))
    }

    /// The groups of actions: the built-in ones and the targets.
    pub(crate) fn groups(&self) -> BTreeSet<&str> {
        let targets = self.tools.keys().filter_map(|tool| target_of(tool));
        targets.chain([MCP, CALL_TOOL]).collect()
    }

    fn unreadable(&self) -> impl Iterator<Item = UnreadableArgument> {
        self.tools.iter().flat_map(|(tool, input)| {
            input.unreadable.iter().map(|part| UnreadableArgument {
                tool: tool.clone(),
                argument: part.path.join("."),
                why: part.why.clone(),
            })
        })
    }
}

/// Parses a schema that `schema_text` wrote.
pub(crate) fn parse(text: &str) -> Result<cedar_policy::Schema, String> {
    cedar_policy::Schema::from_cedarschema_str(text)
        .map(|(schema, _)| schema)
        .map_err(|error| error.to_string())
}

fn read_tools(gateway: &GatewayTools<'_>) -> BTreeMap<String, ToolInput> {
    let mut tools = BTreeMap::new();
    for tool in gateway.tools.iter().filter(|tool| !is_built_in(tool.name)) {
        tools.insert(tool.name.to_owned(), input_type::read(tool.input_schema));
    }
    tools
}

/// Leaves in `tool` what a policy may rely on whichever of the two inputs a call has.
fn intersect(tool: &mut ToolInput, other: &ToolInput) {
    for part in &other.unreadable {
        if !tool.unreadable.contains(part) {
            tool.unreadable.push(part.clone());
        }
    }
    if tool.record != other.record {
        intersect_records(&mut tool.record, &other.record, &mut Vec::new(), &mut tool.unreadable);
    }
}

fn intersect_records(
    record: &mut Record,
    other: &Record,
    path: &mut Vec<String>,
    unreadable: &mut Vec<Unreadable>,
) {
    let names: BTreeSet<String> = record.fields.keys().chain(other.fields.keys()).cloned().collect();
    for name in names {
        path.push(name.clone());
        match (record.fields.get_mut(&name), other.fields.get(&name)) {
            (Some(ours), Some(theirs)) => {
                if let Err(conflict) = intersect_fields(ours, theirs, path, unreadable) {
                    record.fields.remove(&name);
                    unreadable.push(conflict);
                }
            }
            (Some(ours), None) => ours.required = false,
            // A property that an earlier gateway made unreadable stays so.
            (None, Some(theirs)) if unreadable.iter().all(|part| part.path != *path) => {
                let field = Field { required: false, input_type: theirs.input_type.clone() };
                record.fields.insert(name, field);
            }
            (None, _) => {}
        }
        path.pop();
    }
}

fn intersect_fields(
    ours: &mut Field,
    theirs: &Field,
    path: &mut Vec<String>,
    unreadable: &mut Vec<Unreadable>,
) -> Result<(), Unreadable> {
    ours.required &= theirs.required;
    match (&mut ours.input_type, &theirs.input_type) {
        (InputType::Record(ours), InputType::Record(theirs)) => {
            intersect_records(ours, theirs, path, unreadable);
            Ok(())
        }
        (ours, theirs) if ours == theirs => Ok(()),
        _ => Err(Unreadable {
            path: path.clone(),
            why: "its type differs between the gateways that offer the tool: name one of them".to_owned(),
        }),
    }
}
