//! The questions of one call: policies are compiled for an environment, the solver is asked, and what it finds
//! is decided again by Cedar.

use std::time::Instant;

use cedar_policy::{
    Authorizer, Decision, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression, Schema,
};
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicySet, WellFormedAsserts};

use crate::compare::Search;
use crate::environment::Requests;
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

    async fn search(
        &mut self,
        asserts: &WellFormedAsserts<'_>,
        shows_it: impl Fn(&Request, &Entities) -> bool,
    ) -> Search {
        match self.compiler.check_sat(asserts).await {
            Ok(None) => Search::Nothing,
            Ok(Some(found)) => {
                let entities = as_they_are(&found.entities);
                let shown = entities.filter(|entities| shows_it(&found.request, entities));
                let witness = shown.and_then(|entities| Witness::read(&found.request, &entities));
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

/// The entities as a gateway makes them: a caller's attribute `id` is the caller's id.
fn as_they_are(found: &Entities) -> Option<Entities> {
    let entities: Option<Vec<Entity>> = found.iter().map(with_its_id).collect();
    Entities::from_entities(entities?, None).ok()
}

fn with_its_id(entity: &Entity) -> Option<Entity> {
    let uid = entity.uid();
    if !has_an_id(&uid) {
        return Some(entity.clone());
    }
    let id = RestrictedExpression::new_string(uid.id().unescaped().to_owned());
    let mut tags = Vec::new();
    for (name, value) in entity.tags() {
        match value {
            Ok(cedar_policy::EvalResult::String(text)) => {
                tags.push((name.to_owned(), RestrictedExpression::new_string(text)));
            }
            _ => return None,
        }
    }
    Entity::new_with_tags(uid, [("id".to_owned(), id)], [], tags).ok()
}

fn has_an_id(uid: &EntityUid) -> bool {
    let entity_type = uid.type_name().to_string();
    policy::PrincipalKind::ALL.iter().any(|kind| kind.entity_type() == entity_type)
}
