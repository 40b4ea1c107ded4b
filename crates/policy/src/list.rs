//! Which tools a caller may see.
//!
//! A tool is shown "if there exists any set of circumstances under which a call to that tool would be
//! permitted" (AgentCore developer guide, "Use a gateway with policy"). Policies that read neither arguments
//! nor time are evaluated as for a call. The others go through Cedar's type-aware partial evaluation with an
//! unknown context: what it proves is used, what it leaves open may happen. So a tool that could be called is
//! never hidden, and a tool whose calls are proven to be denied is never shown. (What is left open includes
//! conditions that only the types decide, such as `has` of an argument that the tool does not take.)
//!
//! The question is asked once for every distinct layer of policies and input type, not once for every tool.

use std::collections::HashMap;

use cedar_policy::{Context, Decision, PartialEntities, PartialRequest, PolicySet, Schema};

use crate::decide::Verdict;
use crate::engine::{Engine, Tool};
use crate::model::Model;
use crate::nesting::on_a_deep_stack;
use crate::principal::Principal;
use crate::slice::{Layer, Questions};
use crate::source::SHALLOW;

impl Engine {
    /// For each tool, in the order of [`Engine::tools`], whether the caller may see it.
    ///
    /// The answer holds for this engine and every principal that is equal to this one, at any time: it may be
    /// kept for as long as both are.
    #[must_use]
    pub fn visible(&self, principal: &Principal) -> Vec<bool> {
        if self.depth <= SHALLOW {
            return self.visible_here(principal);
        }
        // Without an answer nothing is shown.
        on_a_deep_stack(|| self.visible_here(principal)).unwrap_or_else(|| vec![false; self.tools.len()])
    }

    /// Whether the caller may see one tool.
    #[must_use]
    pub fn lists(&self, principal: &Principal, tool: &str) -> bool {
        let here = || {
            let mut inquiry = Inquiry { engine: self, principal, known: HashMap::new(), entities: None };
            self.tool(tool).is_some_and(|tool| inquiry.is_visible(tool))
        };
        if self.depth <= SHALLOW { here() } else { on_a_deep_stack(here).unwrap_or(false) }
    }

    fn visible_here(&self, principal: &Principal) -> Vec<bool> {
        let mut inquiry = Inquiry { engine: self, principal, known: HashMap::new(), entities: None };
        self.tools.iter().map(|tool| inquiry.is_visible(tool)).collect()
    }
}

/// How sure something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likelihood {
    Never,
    Maybe,
    Always,
}

/// What a set of policies does to the calls of a tool, whatever their arguments.
#[derive(Clone, Copy, Debug)]
struct Outlook {
    permits: Likelihood,
    forbids: Likelihood,
}

impl Outlook {
    const NOTHING: Self = Self { permits: Likelihood::Never, forbids: Likelihood::Never };

    fn and(self, other: Self) -> Self {
        Self { permits: self.permits.max(other.permits), forbids: self.forbids.max(other.forbids) }
    }
}

/// One caller's question about all tools.
struct Inquiry<'e> {
    engine: &'e Engine,
    principal: &'e Principal,
    known: HashMap<Key, Outlook>,
    /// What partial evaluation knows of the caller, made when it is first needed.
    entities: Option<PartialEntities>,
}

/// What an outlook depends on, besides the caller.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    layer: usize,
    /// The input type, where the layer reads the context.
    input: Option<usize>,
    /// The tool's position, where the layer looks at the action.
    tool: Option<usize>,
}

impl Inquiry<'_> {
    fn is_visible(&mut self, tool: &Tool) -> bool {
        let candidates = tool.candidates(self.principal.kind());
        if candidates.unseen.is_some() {
            return false;
        }
        let slice = &candidates.slice;
        let mut outlook = Outlook::NOTHING;
        for layer in &slice.layers {
            outlook = outlook.and(self.outlook(layer, tool));
        }
        outlook.permits > Likelihood::Never && outlook.forbids < Likelihood::Always
    }

    fn outlook(&mut self, layer: &Layer, tool: &Tool) -> Outlook {
        let reads = !layer.reads.is_empty();
        let key = Key {
            layer: layer.id,
            input: if reads { tool.input } else { None },
            tool: layer.mentions_action.then_some(tool.position),
        };
        if let Some(outlook) = self.known.get(&key) {
            return *outlook;
        }
        let outlook = if reads {
            // Without a model, whatever might apply may apply.
            self.partial(layer, tool)
                .unwrap_or_else(|| Outlook { permits: maybe(&layer.permits), forbids: maybe(&layer.forbids) })
        } else {
            self.exact(layer, tool)
        };
        self.known.insert(key, outlook);
        outlook
    }

    /// The policies do not read the context: every call has the same answer.
    fn exact(&self, layer: &Layer, tool: &Tool) -> Outlook {
        let mut outlook = Outlook::NOTHING;
        let engine = self.engine;
        engine.ask(self.principal, tool, Context::empty(), layer.mentions_action, |request, entities| {
            let verdict = Verdict::of(engine, layer, request, entities);
            if verdict.forbids() {
                outlook.forbids = Likelihood::Always;
            } else if verdict.permits() {
                outlook.permits = Likelihood::Always;
            }
        });
        outlook
    }

    /// The policies read the context, which is unknown.
    fn partial(&mut self, layer: &Layer, tool: &Tool) -> Option<Outlook> {
        let gateway = &self.engine.gateway;
        if layer.mentions_action {
            let model = self.engine.models.of_tool(tool)?;
            let entities = model.entities(self.principal, gateway)?;
            return self.evaluate(layer, model, &entities);
        }
        let model = self.engine.models.of_input(tool)?;
        if self.entities.is_none() {
            self.entities = Some(model.entities(self.principal, gateway)?);
        }
        self.evaluate(layer, model, self.entities.as_ref()?)
    }

    fn evaluate(&self, layer: &Layer, model: &Model, entities: &PartialEntities) -> Option<Outlook> {
        let request = model.request(self.principal, &self.engine.gateway)?;
        // A permit that may apply shows the tool as well as one that always does; a forbid hides it only if it always does.
        let likely = |questions: &Questions, enough| {
            let mut most = Likelihood::Never;
            for batch in &questions.batches {
                most = most.max(applies(batch, &request, entities, &model.schema));
                if most >= enough {
                    break;
                }
            }
            most
        };
        Some(Outlook {
            permits: likely(&layer.permits, Likelihood::Maybe),
            forbids: likely(&layer.forbids, Likelihood::Always),
        })
    }
}

/// How likely it is that one of the policies applies. All of them are permits, so that Cedar's decision about
/// the set is the answer.
fn applies(
    policies: &PolicySet,
    request: &PartialRequest,
    entities: &PartialEntities,
    schema: &Schema,
) -> Likelihood {
    if policies.is_empty() {
        return Likelihood::Never;
    }
    match policies.tpe(request, entities, schema) {
        Ok(response) => match response.decision() {
            Some(Decision::Allow) => Likelihood::Always,
            Some(Decision::Deny) => Likelihood::Never,
            None => Likelihood::Maybe,
        },
        // Some policy does not fit the tools as they are now, and may do anything. The others still count.
        Err(_) if policies.num_of_policies() > 1 => {
            let each = policies.policies().map(|policy| {
                PolicySet::from_policies([policy.clone()])
                    .map_or(Likelihood::Maybe, |alone| applies(&alone, request, entities, schema))
            });
            each.max().unwrap_or(Likelihood::Maybe)
        }
        Err(_) => Likelihood::Maybe,
    }
}

fn maybe(questions: &Questions) -> Likelihood {
    if questions.is_empty() { Likelihood::Never } else { Likelihood::Maybe }
}
