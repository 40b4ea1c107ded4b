//! Whether a statement is good: checked against the tools of the gateways that its engine guards and of those that its
//! `resource ==` names.
//!
//! A schema of many tools takes a while to make, and policies mostly come in series about the same gateways, so the last
//! few schemas are kept for as long as the series goes on: they are large.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{Arn, Gateway, GatewayId, Policy, PolicyValidation, Target, TargetId};
use policy::{Offered, Schema, Validation};
use prover::{Prover, SolverUse};
use store::{Page, Tx};

use crate::fault::Failure;

/// How many schemas are kept.
const KEPT: usize = 8;
/// How long they are kept after the last check.
const UNUSED: Duration = Duration::from_secs(5);

/// Why a statement is not put in force.
pub(super) enum Refusal {
    /// It is not good; the reasons are for its author.
    Unsound(Vec<String>),
    /// It could not be found out.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The schemas that were made last.
#[derive(Default)]
pub(crate) struct Schemas {
    kept: Mutex<VecDeque<(Vec<Version>, Arc<Schema>)>>,
    /// How many checks began, and how many ended.
    checks: AtomicU64,
}

/// One state of the tools of one target: another state is another revision.
type Version = (GatewayId, Option<(TargetId, i64)>);

/// Checks a policy's statement. The transaction is given back before the work that takes long.
pub(super) async fn check(
    schemas: &Arc<Schemas>,
    prover: &Prover,
    tx: Tx,
    policy: &Policy,
) -> Result<(), Refusal> {
    schemas.checks.fetch_add(1, Ordering::Relaxed);
    let examined = examine(schemas, prover, tx, policy).await;
    schemas.forget_after_the_last();
    examined
}

async fn examine(
    schemas: &Arc<Schemas>,
    prover: &Prover,
    mut tx: Tx,
    policy: &Policy,
) -> Result<(), Refusal> {
    let mut gateways = tx.gateways_of_engine(&policy.scope, &policy.engine).await?;
    for named in policy::named_gateways(&policy.statement) {
        let gateway = named_gateway(&mut tx, policy, &named).await?;
        if !gateways.iter().any(|known| known.id == gateway.id) {
            gateways.push(gateway);
        }
    }
    let mut offered = Vec::new();
    for gateway in gateways {
        let targets = tx.targets(&gateway.scope, &gateway.id, Page::ALL).await?;
        offered.push((gateway, targets));
    }
    drop(tx);
    let validation = match policy.validation {
        PolicyValidation::FailOnAnyFindings => Validation::FailOnAnyFindings,
        PolicyValidation::IgnoreAllFindings => Validation::IgnoreAllFindings,
    };
    let (schemas, statement) = (Arc::clone(schemas), policy.statement.clone());
    let checking = tokio::task::spawn_blocking(move || {
        let schema = schemas.of(&offered).map_err(|problem| vec![problem])?;
        let checked = policy::check(&statement, &schema, validation)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        // What its formulas are made with; a statement that was checked has one.
        Ok(schema.to_cedar_for(checked.gateway()).unwrap_or_default().to_owned())
    });
    match checking.await {
        Ok(Ok(_)) if validation == Validation::IgnoreAllFindings => Ok(()),
        Ok(Ok(schema)) => analyse(prover, schema, policy).await,
        Ok(Err(reasons)) => Err(Refusal::Unsound(reasons)),
        Err(error) => Err(Refusal::Failed(Failure::internal(&error))),
    }
}

/// Looks for what the statement does that is hardly meant, beyond what its text alone tells. What is not known is a
/// refusal only where a solver is required: otherwise replicas with a solver and without one could not share an engine.
async fn analyse(prover: &Prover, schema: String, policy: &Policy) -> Result<(), Refusal> {
    match prover.effects(schema, policy.statement.clone()).await {
        Ok(findings) if findings.is_empty() => Ok(()),
        Ok(findings) => Err(Refusal::Unsound(findings.into_iter().map(|finding| finding.message).collect())),
        Err(undecided) if prover.solver_use() == SolverUse::Required => Err(Refusal::Unsound(vec![format!(
            "The policy could not be analyzed: {undecided}. Findings can be ignored with the validation mode \
             IGNORE_ALL_FINDINGS."
        )])),
        Err(undecided) => {
            if prover.solver_use() == SolverUse::Auto {
                tracing::info!(policy.id = %policy.id, "a policy was accepted without the solver: {undecided}");
            }
            Ok(())
        }
    }
}

impl Schemas {
    /// The schema of these gateways and their targets.
    fn of(&self, offered: &[(Gateway, Vec<Target>)]) -> Result<Arc<Schema>, String> {
        let state: Vec<Version> = offered
            .iter()
            .flat_map(|(gateway, targets)| {
                let targets = targets.iter().map(|target| Some((target.id.clone(), target.revision)));
                std::iter::once(None).chain(targets).map(|target| (gateway.id.clone(), target))
            })
            .collect();
        if let Some((_, schema)) = self.kept().iter().find(|(known, _)| *known == state) {
            return Ok(Arc::clone(schema));
        }
        let offered: Vec<_> =
            offered.iter().map(|(gateway, targets)| Offered::by_targets(gateway, targets)).collect();
        let inputs: Vec<_> = offered.iter().map(Offered::tools).collect();
        let schema = Arc::new(Schema::build(&inputs).map_err(|error| error.to_string())?);
        let mut kept = self.kept();
        kept.push_front((state, Arc::clone(&schema)));
        kept.truncate(KEPT);
        Ok(schema)
    }

    /// Forgets them a while after a check, unless another one began or ended meanwhile.
    fn forget_after_the_last(self: &Arc<Self>) {
        let (schemas, last) = (Arc::downgrade(self), self.checks.fetch_add(1, Ordering::Relaxed) + 1);
        tokio::spawn(async move {
            tokio::time::sleep(UNUSED).await;
            if let Some(schemas) = schemas.upgrade()
                && schemas.checks.load(Ordering::Relaxed) == last
            {
                // Outside of the lock, for it takes a while.
                let forgotten = std::mem::take(&mut *schemas.kept());
                drop(forgotten);
            }
        });
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(Vec<Version>, Arc<Schema>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A gateway of the policy's own account and region: a policy cannot speak about anyone else's.
async fn named_gateway(tx: &mut Tx, policy: &Policy, named: &str) -> Result<Gateway, Refusal> {
    let unknown = || {
        Refusal::Unsound(vec![format!(
            "The policy names the gateway {named}, which does not exist in this account and region."
        )])
    };
    let arn = Arn::parse(named).map_err(|_| unknown())?;
    let id = arn.resource().strip_prefix("gateway/").ok_or_else(unknown)?;
    if arn.scope().as_ref() != Some(&policy.scope) {
        return Err(unknown());
    }
    tx.gateway(&policy.scope, &GatewayId::from_text(id)).await?.ok_or_else(unknown)
}
