//! The policies of one gateway, compiled: an immutable value on the hot path.
//!
//! Compiling answers once what is the same for every call: which policies can be about which tool and which
//! kind of caller, what they read of the arguments, and how those are typed. Afterwards a decision costs what
//! its few candidate policies cost, however many others there are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::{Authorizer, Entity, EntityUid};
use domain::PolicyId;

use crate::input::{ContextPlan, project};
use crate::input_type::{self, Record, ToolInput};
use crate::model::Models;
use crate::names::{CALL_TOOL, MCP, PrincipalKind, action_uid, gateway_uid, is_built_in, target_of};
use crate::nesting::on_a_deep_stack;
use crate::problem::{Problem, ProblemKind};
use crate::reads::Reads;
use crate::schema::{GatewayTools, Schema, ToolDefinition};
use crate::slice::{Index, Purpose, Slice};
use crate::source::{Source, Sources};

/// The policies that guard one gateway.
#[derive(Debug)]
pub struct Engine {
    pub(crate) gateway: EntityUid,
    pub(crate) tools: Vec<Tool>,
    by_name: HashMap<String, usize>,
    pub(crate) authorizer: Authorizer,
    pub(crate) models: Models,
    /// How deep the deepest policy is at most.
    pub(crate) depth: usize,
    /// All statements, for whoever asks why.
    pub(crate) sources: Sources,
}

/// A tool with everything that a decision about it needs.
#[derive(Debug)]
pub(crate) struct Tool {
    /// Its place among the gateway's tools.
    pub(crate) position: usize,
    pub(crate) name: String,
    pub(crate) action: EntityUid,
    /// The action with the groups that it is in, for conditions that ask about them.
    pub(crate) entity: Entity,
    /// Which of the gateway's distinct inputs it takes, as far as policies read them; `None` when none does.
    pub(crate) input: Option<usize>,
    oauth: Candidates,
    iam: Candidates,
}

/// The policies that may apply to a call, and how to make the context that they read.
#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) slice: Slice,
    pub(crate) plan: Option<ContextPlan>,
    /// A part of the arguments that a forbid asks about, and that the tool's schema hides from policies. Such a forbid
    /// was not accepted; the schema changed after it was written.
    pub(crate) unseen: Option<String>,
}

impl Tool {
    pub(crate) fn candidates(&self, kind: PrincipalKind) -> &Candidates {
        match kind {
            PrincipalKind::OAuthUser => &self.oauth,
            PrincipalKind::IamEntity => &self.iam,
        }
    }
}

/// A policy cannot be compiled, so that no decision can be made: the gateway must deny every call.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The statement is not a policy. Only what [`crate::check`] accepted should come here.
    #[error("policy `{policy}` cannot be compiled: {problem}")]
    Statement {
        /// The policy.
        policy: PolicyId,
        /// What is wrong with it.
        problem: Problem,
    },
    /// Two policies have one id.
    #[error("policy `{0}` is there twice")]
    Repeated(PolicyId),
    /// The work could not be done.
    #[error("the policies cannot be compiled: {0}")]
    Internal(String),
}

impl Engine {
    /// Compiles the policies of the engine that is attached to `gateway`: all that are in force, whatever
    /// gateway they are about.
    ///
    /// # Errors
    /// [`CompileError`] when a statement is not a policy. Leaving it out could allow what it forbids.
    pub fn compile<S: AsRef<str>>(
        gateway: &GatewayTools<'_>,
        policies: impl IntoIterator<Item = (PolicyId, S)>,
    ) -> Result<Self, CompileError> {
        Self::compile_after(None, gateway, policies)
    }

    /// The same, where `former` is an engine that most of the policies are from: what was found out about a policy whose id
    /// and statement are the same is not found out again. Nothing else of it is in the new engine.
    ///
    /// # Errors
    /// As [`Engine::compile`].
    pub fn compile_after<S: AsRef<str>>(
        former: Option<&Self>,
        gateway: &GatewayTools<'_>,
        policies: impl IntoIterator<Item = (PolicyId, S)>,
    ) -> Result<Self, CompileError> {
        Self::compile_for(Purpose::Decide, former, gateway, policies)
    }

    pub(crate) fn compile_for<S: AsRef<str>>(
        purpose: Purpose,
        former: Option<&Self>,
        gateway: &GatewayTools<'_>,
        policies: impl IntoIterator<Item = (PolicyId, S)>,
    ) -> Result<Self, CompileError> {
        let read = |tool: &ToolDefinition<'_>| (tool.name.to_owned(), input_type::read(tool.input_schema));
        let named = gateway.tools.iter().filter(|tool| !is_built_in(tool.name));
        let known = former.map(|former| &former.sources);
        Self::compile_all(purpose, known, gateway.arn, &|| named.clone().map(read).collect(), policies)
    }

    /// The same for a gateway whose tools only their schema describes.
    ///
    /// # Errors
    /// As [`Engine::compile`].
    pub fn compile_typed<S: AsRef<str>>(
        gateway: &str,
        schema: &Schema,
        policies: impl IntoIterator<Item = (PolicyId, S)>,
    ) -> Result<Self, CompileError> {
        Self::compile_all(Purpose::Decide, None, gateway, &|| schema.inputs(gateway), policies)
    }

    fn compile_all<S: AsRef<str>>(
        purpose: Purpose,
        known: Option<&Sources>,
        gateway: &str,
        inputs: &(dyn Fn() -> Vec<(String, ToolInput)> + Sync),
        policies: impl IntoIterator<Item = (PolicyId, S)>,
    ) -> Result<Self, CompileError> {
        let policies: Vec<(PolicyId, String)> =
            policies.into_iter().map(|(id, statement)| (id, statement.as_ref().to_owned())).collect();
        on_a_deep_stack(|| Self::compile_here(purpose, known, gateway, &inputs(), &policies))
            .unwrap_or_else(|| Err(CompileError::Internal("the compiler did not finish".to_owned())))
    }

    fn compile_here(
        purpose: Purpose,
        known: Option<&Sources>,
        gateway: &str,
        offered: &[(String, ToolInput)],
        policies: &[(PolicyId, String)],
    ) -> Result<Self, CompileError> {
        let (index, sources) = index(purpose, known, gateway, policies)?;
        let mut inputs = Inputs::default();
        let mut slices = index.slices(offered.iter().map(|(name, _)| name.as_str()));
        let mut tools: Vec<Tool> = Vec::with_capacity(offered.len());
        for (name, input) in offered {
            let record = &input.record;
            let mut candidates = |kind| -> Result<Candidates, CompileError> {
                let slice = slices.slice(name, kind).map_err(CompileError::Internal)?;
                let plan = ContextPlan::new(record, slice.reads());
                let unseen = slice.unseen_by_a_forbid(input);
                Ok(Candidates { slice, plan, unseen })
            };
            let (oauth, iam) = (candidates(PrincipalKind::OAuthUser)?, candidates(PrincipalKind::IamEntity)?);
            tools.push(Tool {
                position: tools.len(),
                name: name.clone(),
                action: action_uid(name),
                entity: Entity::new_no_attrs(action_uid(name), groups(name)),
                input: inputs.intern(record, [&oauth.slice, &iam.slice]),
                oauth,
                iam,
            });
        }
        let actions = slices.actions().map(str::to_owned).collect();
        Ok(Self {
            gateway: gateway_uid(gateway),
            models: Models::new(inputs.records, tools.len(), actions),
            by_name: tools.iter().map(|tool| (tool.name.clone(), tool.position)).collect(),
            tools,
            authorizer: Authorizer::new(),
            depth: slices.depth(),
            sources,
        })
    }

    /// The full names of the gateway's tools, in the order in which they were given.
    pub fn tools(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tools.iter().map(|tool| tool.name.as_str())
    }

    pub(crate) fn tool(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(name).and_then(|index| self.tools.get(*index))
    }
}

/// Parses the policies that are not known yet, and files those that are about the gateway.
fn index(
    purpose: Purpose,
    known: Option<&Sources>,
    gateway: &str,
    policies: &[(PolicyId, String)],
) -> Result<(Index, Sources), CompileError> {
    let mut index = Index::new(purpose);
    let mut sources = Sources::new();
    for (id, text) in policies {
        let same = known.and_then(|known| known.get(id)).filter(|source| source.text() == text);
        let source = match same {
            Some(source) => Arc::clone(source),
            None => Arc::new(Source::read(id, text).map_err(|problems| {
                let unknown = || Problem::new(ProblemKind::Internal, "nothing is known");
                CompileError::Statement {
                    policy: id.clone(),
                    problem: problems.into_iter().next().unwrap_or_else(unknown),
                }
            })?),
        };
        if source.statement().resource.may_match(gateway) {
            index.add(&source).map_err(CompileError::Internal)?;
        }
        if sources.insert(id.clone(), source).is_some() {
            return Err(CompileError::Repeated(id.clone()));
        }
    }
    Ok((index, sources))
}

fn groups(tool: &str) -> HashSet<EntityUid> {
    let target = target_of(tool).map(action_uid);
    target.into_iter().chain([action_uid(CALL_TOOL), action_uid(MCP)]).collect()
}

/// The distinct inputs of a gateway's tools, as far as policies read them: tools that agree in that can share
/// what is found out about them.
#[derive(Default)]
struct Inputs {
    records: Vec<Record>,
    known: BTreeMap<Record, usize>,
}

impl Inputs {
    fn intern(&mut self, record: &Record, slices: [&Slice; 2]) -> Option<usize> {
        let mut reads = Reads::default();
        slices.into_iter().for_each(|slice| reads.merge(slice.reads()));
        if reads.is_empty() {
            return None;
        }
        let record = reads.field("input").map(|reads| project(record, reads)).unwrap_or_default();
        let next = self.records.len();
        Some(*self.known.entry(record).or_insert_with_key(|record| {
            self.records.push(record.clone());
            next
        }))
    }
}
