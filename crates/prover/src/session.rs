//! The questions of one call: policies are compiled for an environment, the solver is asked, and what it finds
//! is decided again by Cedar.

use std::time::Instant;

use cedar_policy::{
    Authorizer, Decision, Entities, Entity, EntityId, EntityUid, EvalResult, PolicySet, Request, RequestEnv,
    RestrictedExpression, Schema,
};
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicySet, WellFormedAsserts};

use crate::compare::Search;
use crate::environment::{Environment, Requests};
use crate::settings::SolverSettings;
use crate::solver::Cvc5;
use crate::undecided::Undecided;
use crate::witness::Witness;

/// What a question is asked with.
pub(crate) struct Session {
    compiler: CedarSymCompiler<Cvc5>,
}

/// A set of policies in one environment.
pub(crate) struct Compiled<'p> {
    policies: &'p PolicySet,
    formulas: CompiledPolicySet,
}

impl Session {
    pub(crate) fn new(settings: SolverSettings, deadline: Instant) -> Result<Self, Undecided> {
        let compiler = CedarSymCompiler::new(Cvc5::new(settings, deadline))
            .map_err(|error| Undecided::from_compiler(&error))?;
        Ok(Self { compiler })
    }

    /// What the requests of an environment look like as formulas, while there is time.
    pub(crate) fn requests(
        &self,
        environment: &Environment,
        concrete: RequestEnv,
        schema: &Schema,
    ) -> Result<Requests, Undecided> {
        self.compiler.solver().time_left().ok_or(Undecided::OutOfBudget)?;
        Requests::of(environment, concrete, schema)
    }

    /// Turns policies into formulas.
    pub(crate) fn compile<'p>(
        &self,
        policies: &'p PolicySet,
        requests: &Requests,
        schema: &Schema,
    ) -> Result<Compiled<'p>, Undecided> {
        self.compiler.solver().time_left().ok_or(Undecided::OutOfBudget)?;
        let symbolic = requests.symbolic.clone();
        let formulas =
            CompiledPolicySet::compile_with_custom_symenv(policies, &requests.concrete, schema, symbolic)
                .map_err(|error| Undecided::from_compiler(&error))?;
        Ok(Compiled { policies, formulas })
    }

    /// Looks for a request that `this` allows and `other` does not.
    pub(crate) async fn allowed_beyond(&mut self, this: &Compiled<'_>, other: &Compiled<'_>) -> Search {
        let asserts = cedar_policy_symcc::implies_asserts(&this.formulas, &other.formulas);
        self.search(&asserts, |request, entities| {
            allows(this.policies, request, entities) && !allows(other.policies, request, entities)
        })
        .await
    }

    /// Looks for a request that it allows.
    pub(crate) async fn allowed(&mut self, this: &Compiled<'_>) -> Search {
        let asserts = cedar_policy_symcc::always_denies_asserts(&this.formulas);
        self.search(&asserts, |request, entities| allows(this.policies, request, entities)).await
    }

    /// The same for policies that are no formulas yet.
    pub(crate) async fn look_for_allowed(
        &mut self,
        policies: &PolicySet,
        requests: &Requests,
        schema: &Schema,
    ) -> Search {
        match self.compile(policies, requests, schema) {
            Ok(compiled) => self.allowed(&compiled).await,
            Err(why) => Search::Undecided(why),
        }
    }

    /// Looks for a request that it does not allow.
    pub(crate) async fn not_allowed(&mut self, this: &Compiled<'_>) -> Search {
        let asserts = cedar_policy_symcc::always_allows_asserts(&this.formulas);
        self.search(&asserts, |request, entities| !allows(this.policies, request, entities)).await
    }

    async fn search(
        &mut self,
        asserts: &WellFormedAsserts<'_>,
        shows_it: impl Fn(&Request, &Entities) -> bool,
    ) -> Search {
        match self.compiler.check_sat(asserts).await {
            Ok(None) => Search::Nothing,
            Ok(Some(found)) => {
                let shown = as_they_occur(&found.request, &found.entities)
                    .into_iter()
                    .find(|(request, entities)| shows_it(request, entities));
                let witness = shown.and_then(|(request, entities)| Witness::read(&request, &entities));
                witness.map_or(Search::Undecided(Undecided::Unconfirmed), |witness| {
                    Search::Found(Box::new(witness))
                })
            }
            Err(error) => {
                let failure = self.compiler.solver_mut().take_failure();
                Search::Undecided(failure.unwrap_or_else(|| Undecided::from_compiler(&error)))
            }
        }
    }
}

fn allows(policies: &PolicySet, request: &Request, entities: &Entities) -> bool {
    Authorizer::new().is_authorized(request, policies, entities).decision() == Decision::Allow
}

/// The requests that may be meant: a caller's attribute `id` is the id that the caller is named by, which the
/// solver does not know. Either the name is right, or the attribute.
fn as_they_occur(request: &Request, entities: &Entities) -> Vec<(Request, Entities)> {
    let Some(caller) = request.principal().and_then(|principal| entities.get(principal)) else {
        return vec![(request.clone(), entities.clone())];
    };
    let name = caller.uid().id().unescaped().to_owned();
    let attribute = match caller.attr("id") {
        Some(Ok(EvalResult::String(id))) if id != name => Some(id),
        _ => None,
    };
    let names = std::iter::once(name).chain(attribute);
    names.filter_map(|name| with_caller_called(&name, caller, request, entities)).collect()
}

fn with_caller_called(
    name: &str,
    caller: &Entity,
    request: &Request,
    entities: &Entities,
) -> Option<(Request, Entities)> {
    let string = RestrictedExpression::new_string;
    let uid = EntityUid::from_type_name_and_id(caller.uid().type_name().clone(), EntityId::new(name));
    let mut tags = Vec::new();
    for (tag, value) in caller.tags() {
        match value {
            Ok(EvalResult::String(text)) => tags.push((tag.to_owned(), string(text))),
            _ => return None,
        }
    }
    let attributes = [("id".to_owned(), string(name.to_owned()))];
    let renamed = Entity::new_with_tags(uid.clone(), attributes, [], tags).ok()?;
    let others = entities.iter().filter(|entity| entity.uid() != caller.uid() && entity.uid() != uid);
    let entities = Entities::from_entities(others.cloned().chain([renamed]), None).ok()?;
    let (action, resource) = (request.action()?.clone(), request.resource()?.clone());
    let request = Request::new(uid, action, resource, request.context()?.clone(), None).ok()?;
    Some((request, entities))
}
