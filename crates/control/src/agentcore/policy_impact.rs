//! What a change of a target's tools does to the policies that guard its gateway, found out before the change is made.
//!
//! A policy was checked against the tools that there were when it was written. AWS lets tools change under it without a
//! word. A permit that no longer fits permits less, and that is reported; a forbid that no longer fits no longer protects
//! (what it forbids may now be called otherwise), so such a change is refused while the forbid binds.

use aws::Fault;
use domain::{Gateway, Policy, PolicyEnforcement, PolicyMode, Target};
use policy::{Effect, ResourceScope, Schema, Validation};
use store::{Page, Tx};

use super::engine_of;
use super::policy_check::Offered;
use crate::fault::Failure;

/// How many policies are named in a report.
const MOST_NAMED: usize = 10;
/// How much is said of one policy, in characters.
const LONGEST_PROBLEM: usize = 400;

/// What a change would do.
#[derive(Default)]
pub(super) struct Impact {
    broken: Vec<Broken>,
}

/// A policy that fits the tools that there are and not those that there would be.
struct Broken {
    name: String,
    effect: Effect,
    binds: bool,
    problem: String,
}

/// Finds out what becomes of the gateway's policies when the target `before` becomes `after`; absent, it is not there.
///
/// # Errors
/// When the store fails.
pub(super) async fn of_change(
    tx: &mut Tx,
    gateway: &Gateway,
    before: Option<&Target>,
    after: Option<&Target>,
) -> Result<Impact, Failure> {
    let Some(attached) = &gateway.policy else { return Ok(Impact::default()) };
    if same_tools(before, after) {
        return Ok(Impact::default());
    }
    let Some(engine) = engine_of(&attached.engine, &gateway.scope) else { return Ok(Impact::default()) };
    let policies = tx.policies(&gateway.scope, &engine, Page::ALL).await?;
    let in_force: Vec<Policy> =
        policies.into_iter().filter(|it| it.status.decides() && it.in_force.is_some()).collect();
    if in_force.is_empty() {
        return Ok(Impact::default());
    }
    let changed = before.or(after).map(|it| it.id.clone());
    let others = tx.targets(&gateway.scope, &gateway.id, Page::ALL).await?.into_iter();
    let mut present: Vec<Target> = others.filter(|it| Some(&it.id) != changed.as_ref()).collect();
    let mut future = present.clone();
    present.extend(before.cloned());
    future.extend(after.cloned());
    let enforced = attached.mode == PolicyMode::Enforce;
    let (present, future) = (Offered::new(gateway, &present), Offered::new(gateway, &future));
    let comparing = tokio::task::spawn_blocking(move || compare(&present, &future, &in_force, enforced));
    let broken = comparing.await.map_err(|error| Failure::internal(&error))?;
    Ok(Impact { broken })
}

impl Impact {
    /// The refusal of a change under which a forbid that binds would no longer fit.
    pub(super) fn refusal(&self) -> Result<(), Failure> {
        let protecting = |it: &&Broken| it.binds && it.effect == Effect::Forbid;
        let told = tell(self.broken.iter().filter(protecting));
        if told.is_empty() {
            return Ok(());
        }
        let message = format!(
            "The change would leave what a policy forbids unprotected. {} Change the policy first, delete it, or set its \
             enforcementMode to LOG_ONLY.",
            told.join(" ")
        );
        Err(Fault::new("ConflictException", message).into())
    }

    /// What the change does, for the status reasons of what is changed and the audit trail.
    pub(super) fn reasons(&self) -> Vec<String> {
        let reasons = tell(self.broken.iter());
        for reason in &reasons {
            tracing::warn!(reason, "A change of a target leaves a policy behind.");
        }
        reasons
    }
}

fn tell<'a>(broken: impl Iterator<Item = &'a Broken>) -> Vec<String> {
    let mut told = Vec::new();
    let mut more = 0_usize;
    for policy in broken {
        if told.len() == MOST_NAMED {
            more += 1;
            continue;
        }
        let effect = match policy.effect {
            Effect::Permit => "permit",
            Effect::Forbid => "forbid",
        };
        told.push(format!(
            "The {effect} policy {} does not fit the changed tools: {}.",
            policy.name, policy.problem
        ));
    }
    if more > 0 {
        told.push(format!("Neither do {more} other policies."));
    }
    told
}

/// Whether policies can see no difference.
fn same_tools(before: Option<&Target>, after: Option<&Target>) -> bool {
    let seen = |target: Option<&Target>| {
        target.map(|it| {
            let mut tools: Vec<_> =
                it.tools.iter().map(|tool| (tool.name.clone(), tool.input_schema.0.clone())).collect();
            tools.sort();
            (it.name.clone(), tools, matches!(it.upstream, domain::Upstream::Http(_)))
        })
    };
    seen(before) == seen(after)
}

/// The policies about the gateway that fit `present` and not `future`.
fn compare(present: &Offered, future: &Offered, policies: &[Policy], enforced: bool) -> Vec<Broken> {
    let (Ok(now), Ok(then)) = (Schema::build(&[present.as_input()]), Schema::build(&[future.as_input()]))
    else {
        // A schema that cannot be made is the change's own fault, and told as such elsewhere.
        return Vec::new();
    };
    let mut broken = Vec::new();
    for policy in policies {
        let Some(statement) = &policy.in_force else { continue };
        let Ok(fits) = policy::check(statement, &now, Validation::IgnoreAllFindings) else { continue };
        let about_it = match &fits.resource {
            ResourceScope::Gateway(arn) => arn == present.arn(),
            ResourceScope::Any | ResourceScope::AnyGateway => true,
            ResourceScope::Other => false,
        };
        if !about_it {
            continue;
        }
        if let Err(problems) = policy::check(statement, &then, Validation::IgnoreAllFindings) {
            let problem = problems.first().map(ToString::to_string).unwrap_or_default();
            broken.push(Broken {
                name: policy.name.clone(),
                effect: fits.effect,
                binds: enforced && policy.enforcement == PolicyEnforcement::Active,
                problem: problem.trim_end_matches('.').chars().take(LONGEST_PROBLEM).collect(),
            });
        }
    }
    broken
}
