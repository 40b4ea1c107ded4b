//! AgentCore's findings: a policy that allows or denies everything, or nothing.
//!
//! "Everything" is every request of a combination of caller, tool and gateway ("Validation and analysis
//! overview" in the AgentCore developer guide). A policy about every gateway is held against every tool, for
//! each kind of caller. One that names its gateway and restricts nothing says so openly, and is no finding; one
//! whose conditions always hold promises a restriction that is not there, and is one.

use cedar_policy::Schema;
use policy::{Conditions, Finding, PrincipalKind, ResourceScope};

use super::Subject;
use crate::compare::Search;
use crate::environment::{self, World};
use crate::session::Session;
use crate::undecided::Undecided;

/// Looks at one policy. Of the world only the schema matters: the policy's own scope names the gateways.
pub(crate) async fn effects(
    session: &mut Session,
    world: &World,
    schema: &Schema,
    subject: &Subject,
) -> Result<Vec<Finding>, Undecided> {
    let gateways = match &subject.outline.resource {
        ResourceScope::Gateway(arn) => vec![arn.clone()],
        _ => Vec::new(),
    };
    let own = World { schema: world.schema.clone(), gateways };
    let environments = environment::list(&own, schema);
    let environments: Vec<_> =
        environments.into_iter().filter(|(environment, _)| subject.is_about(environment)).collect();
    if environments.is_empty() {
        return Ok(Vec::new());
    }
    let mut never = Verdict::Holds;
    let mut always: Vec<(PrincipalKind, Verdict)> =
        subject.outline.principals.iter().map(|kind| (*kind, Verdict::Holds)).collect();
    for (environment, concrete) in environments {
        let throughout = always.iter_mut().find(|(kind, _)| kind.entity_type() == environment.principal);
        let Some((_, throughout)) = throughout else { continue };
        if !(never.is_open() || throughout.is_open()) {
            continue;
        }
        let requests = session.requests(&environment, concrete, schema)?;
        let matching = session.compile(&subject.matching, &requests, schema)?;
        if never.is_open() {
            never.consider(session.allowed(&matching).await);
        }
        if throughout.is_open() {
            throughout.consider(session.not_allowed(&matching).await);
        }
    }
    conclude(subject, &never, &always)
}

fn conclude(
    subject: &Subject,
    never: &Verdict,
    always: &[(PrincipalKind, Verdict)],
) -> Result<Vec<Finding>, Undecided> {
    let outline = &subject.outline;
    if never.is_proven()? {
        return Ok(vec![Finding::never_applies(outline.effect)]);
    }
    let mut kinds = Vec::new();
    for (kind, verdict) in always {
        if verdict.is_proven()? {
            kinds.push(*kind);
        }
    }
    if outline.is_about_every_gateway() && outline.actions().is_empty() {
        return Ok(kinds.into_iter().map(|kind| Finding::always_applies(outline.effect, kind)).collect());
    }
    let restricts_nothing = kinds.len() == always.len() && outline.conditions == Conditions::Depend;
    if !restricts_nothing {
        return Ok(Vec::new());
    }
    let gateway = match &outline.resource {
        ResourceScope::Gateway(arn) => arn.as_str(),
        _ => "gateway/*",
    };
    let actions = match outline.actions() {
        [] => "all tools".to_owned(),
        named => named.join(", "),
    };
    let finding = |kind: PrincipalKind| {
        let mut finding = Finding::applies_throughout(outline.effect, kind.entity_type(), &actions, gateway);
        finding.message.push_str(": its conditions hold for each of them");
        finding
    };
    Ok(kinds.into_iter().map(finding).collect())
}

/// Whether something holds in every environment that was looked at.
enum Verdict {
    Holds,
    Refuted,
    Undecided(Undecided),
}

impl Verdict {
    /// Whether another environment could change it.
    fn is_open(&self) -> bool {
        !matches!(self, Self::Refuted)
    }

    /// Takes in a search for what refutes it.
    fn consider(&mut self, refutation: Search) {
        match refutation {
            Search::Nothing => {}
            Search::Found(_) => *self = Self::Refuted,
            Search::Undecided(why) => *self = Self::Undecided(why),
        }
    }

    fn is_proven(&self) -> Result<bool, Undecided> {
        match self {
            Self::Holds => Ok(true),
            Self::Refuted => Ok(false),
            Self::Undecided(why) => Err(why.clone()),
        }
    }
}
