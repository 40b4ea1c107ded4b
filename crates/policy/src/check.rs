//! Checks one statement before it becomes a policy.
//!
//! In this order: it parses and is exactly one static policy; its scope keeps AgentCore's rules ("Resource
//! specificity requirements" in the developer guide); it reads only what can be read; it passes Cedar's
//! strict validation against the tools that exist; and it does not do what is hardly meant. Each step
//! reports all that it finds, and a later step runs only when the earlier ones found nothing.

use cedar_policy::{PolicySet, ValidationError, ValidationMode, ValidationWarning};

use crate::findings::{self, Finding};
use crate::input_type::{ToolInput, Unreadable};
use crate::names::{ACTION, PrincipalKind};
use crate::nesting::on_a_deep_stack;
use crate::problem::{Locator, Problem, ProblemKind};
use crate::reads::Reads;
use crate::schema::{Schema, Scope};
use crate::schema_text::ANY_FUTURE_TOOLS;
use crate::statement::{ActionScope, Effect, ResourceScope, Statement};
use crate::suggest::suggest;

/// What to do with findings (`PolicyValidationMode` of the control plane). Everything else is always fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// A finding is a problem.
    FailOnAnyFindings,
    /// Findings are reported and the policy is accepted.
    IgnoreAllFindings,
}

/// A statement that may become a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether it permits or forbids.
    pub effect: Effect,
    /// The kinds of caller that it can apply to.
    pub principals: Vec<PrincipalKind>,
    /// The tools and targets that its scope names; empty when it is about every tool.
    pub actions: Vec<String>,
    /// The gateways that it is about.
    pub resource: ResourceScope,
    /// Whether its conditions look at the call's arguments or the time.
    pub uses_context: bool,
    /// What was found and is not fatal.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// The ARN of the gateway that the scope names with `resource ==`.
    #[must_use]
    pub fn gateway(&self) -> Option<&str> {
        match &self.resource {
            ResourceScope::Gateway(arn) => Some(arn),
            _ => None,
        }
    }
}

/// Checks a statement against the tools that exist.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text where that is known.
pub fn check(statement: &str, schema: &Schema, validation: Validation) -> Result<Checked, Vec<Problem>> {
    on_a_deep_stack(|| check_here(statement, schema, validation)).unwrap_or_else(|| {
        let problem = Problem::new(ProblemKind::Internal, "the statement could not be checked");
        Err(vec![problem])
    })
}

/// The ARNs of the gateways that a statement names with `resource ==`: what the schema must contain before
/// the statement can be checked. A text that does not parse names none.
#[must_use]
pub fn named_gateways(statement: &str) -> Vec<String> {
    match resource_scope(statement) {
        Some(ResourceScope::Gateway(arn)) => vec![arn],
        _ => Vec::new(),
    }
}

/// The name that a statement gives itself by `@id("…")`, as Cedar's own tools read it.
#[must_use]
pub fn annotated_id(statement: &str) -> Option<String> {
    let parsed = on_a_deep_stack(|| Statement::parse(ID, statement).ok())??;
    parsed.policy.annotation("id").filter(|id| !id.is_empty()).map(str::to_owned)
}

/// Which gateways a statement is about; `None` for a text that does not parse.
#[must_use]
pub fn resource_scope(statement: &str) -> Option<ResourceScope> {
    on_a_deep_stack(|| Statement::parse(ID, statement).map(|parsed| parsed.resource))?.ok()
}

/// A statement has no policy's id yet.
const ID: &str = "statement";

/// AgentCore's words ("a constrained action scope was encountered").
const GATEWAY_REQUIRED: &str = "When parsing the policy statement, a constrained action scope was encountered, \
     please constrain the resource to a specific AgentCore::Gateway resource when creating tool-specific \
     policies.";

fn check_here(text: &str, schema: &Schema, validation: Validation) -> Result<Checked, Vec<Problem>> {
    let statement = Statement::parse(ID, text)?;
    let locator = Locator::new(text);
    let scope = keep_scope_rules(&statement, schema).map_err(|problem| vec![problem])?;
    read_what_can_be_read(&statement, scope)?;
    let impossible = validate(&statement, scope, &locator)?;
    let findings = findings::find(&statement, impossible);
    if validation == Validation::FailOnAnyFindings && !findings.is_empty() {
        let problem = |finding: Finding| Problem::new(ProblemKind::Finding(finding.kind), finding.message);
        return Err(findings.into_iter().map(problem).collect());
    }
    Ok(Checked {
        effect: statement.effect,
        actions: statement.action.names().to_vec(),
        uses_context: !statement.reads.is_empty(),
        principals: statement.principals,
        resource: statement.resource,
        findings,
    })
}

/// The part of the schema that the statement is about, if its scope is one that AgentCore knows.
fn keep_scope_rules<'a>(statement: &Statement, schema: &'a Schema) -> Result<&'a Scope, Problem> {
    let gateway = match &statement.resource {
        ResourceScope::Gateway(arn) => Some(arn.as_str()),
        _ => None,
    };
    if gateway.is_none() && !statement.action.names().is_empty() {
        return Err(Problem::new(ProblemKind::Scope, GATEWAY_REQUIRED)
            .help("write `resource == AgentCore::Gateway::\"{the gateway's ARN}\"`"));
    }
    let unknown = || {
        let arn = gateway.unwrap_or_default();
        let problem = Problem::new(ProblemKind::Scope, format!("unrecognized gateway `{arn}`"));
        match suggest(arn, schema.gateways()).as_slice() {
            [] => problem.help("name a gateway that exists, by its whole ARN"),
            known => problem.help(format!("did you mean {}?", quoted(known))),
        }
    };
    let scope = schema.scope(gateway).ok_or_else(unknown)?;
    if scope.tools.is_empty() && statement.action.names().iter().any(|name| name == ANY_FUTURE_TOOLS) {
        let message = format!("unrecognized action `{ACTION}::\"{ANY_FUTURE_TOOLS}\"`");
        return Err(Problem::new(ProblemKind::Schema, message));
    }
    if let ActionScope::Is(name) = &statement.action
        && scope.groups().contains(name.as_str())
        && !scope.tools.contains_key(name)
    {
        let message = format!("`{ACTION}::\"{name}\"` is a group of tools, and no call is a call of a group");
        return Err(
            Problem::new(ProblemKind::Scope, message).help(format!("write `action in {ACTION}::\"{name}\"`"))
        );
    }
    Ok(scope)
}

/// A condition on an argument that Cedar cannot see would silently never hold.
fn read_what_can_be_read(statement: &Statement, scope: &Scope) -> Result<(), Vec<Problem>> {
    let Some(input) = statement.reads.field("input") else {
        return Ok(());
    };
    let tools = scope.tools.iter().filter(|(tool, _)| statement.action.may_match(tool));
    let unreadable =
        tools.flat_map(|(tool, tool_input)| unreadable(input, tool_input).map(move |part| (tool, part)));
    let problems: Vec<Problem> = unreadable
        .map(|(tool, part)| {
            let what = match part.path.as_slice() {
                [] => "the arguments".to_owned(),
                path => format!("argument `{}`", path.join(".")),
            };
            let message = format!("{what} of tool `{tool}` cannot be read by a policy: {}", part.why);
            Problem::new(ProblemKind::Schema, message)
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The parts of a tool's arguments that are read and cannot be.
pub(crate) fn unreadable<'t>(reads: &Reads, input: &'t ToolInput) -> impl Iterator<Item = &'t Unreadable> {
    input
        .unreadable
        .iter()
        .filter(|part| !part.path.iter().any(|name| name == "[]") && is_read(reads, &part.path))
}

fn is_read(mut reads: &Reads, path: &[String]) -> bool {
    for name in path {
        match reads.field(name) {
            Some(field) => reads = field,
            None => return false,
        }
    }
    !path.is_empty() || !reads.is_empty()
}

/// Runs Cedar's strict validation. `true` when it proves that the policy never applies.
fn validate(statement: &Statement, scope: &Scope, locator: &Locator<'_>) -> Result<bool, Vec<Problem>> {
    let internal = |why: String| vec![Problem::new(ProblemKind::Internal, why)];
    let validator = scope.validator().map_err(|error| internal(error.to_string()))?;
    let mut policies = PolicySet::new();
    policies.add(statement.policy.clone()).map_err(|error| internal(error.to_string()))?;
    let result = validator.validate(&policies, ValidationMode::Strict);
    let errors: Vec<&ValidationError> = result.validation_errors().collect();
    if errors.is_empty() {
        let impossible = |warning| matches!(warning, &ValidationWarning::ImpossiblePolicy(_));
        return Ok(result.validation_warnings().any(impossible));
    }
    // "unable to find an applicable action" only repeats what other errors say better.
    let echo = |error: &&ValidationError| matches!(error, ValidationError::InvalidActionApplication(_));
    let telling = errors.iter().filter(|error| errors.iter().all(echo) || !echo(error));
    let mut problems: Vec<Problem> = telling
        .map(|error| {
            explain(Problem::from_cedar(ProblemKind::Schema, &(*error).into(), locator), statement, scope)
        })
        .collect();
    // Cedar reports in no particular order.
    problems.sort_by_cached_key(|problem| (problem.location, problem.message.clone()));
    problems.dedup();
    Err(problems)
}

/// Says which of the tools that exist may have been meant.
fn explain(problem: Problem, statement: &Statement, scope: &Scope) -> Problem {
    let name = statement.action.names().iter().find(|name| {
        problem.message == format!("unrecognized action `{ACTION}::\"{}\"`", name.escape_debug())
    });
    let Some(name) = name else {
        return problem;
    };
    let groups = scope.groups();
    let known = scope.tools.keys().map(String::as_str).chain(groups);
    match suggest(name, known).as_slice() {
        [] => Problem { help: None, ..problem },
        known => problem.help(format!("did you mean {}?", quoted(known))),
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}
