//! What a change of a target's tools does to the policies that guard its gateway, found out before the change is made.
//!
//! A policy was checked against the tools that there were when it was written. AWS lets tools change under it without a
//! word. A permit that no longer fits permits less, and that is reported; a forbid that no longer fits no longer protects
//! (what it forbids may now be called otherwise), so such a change is refused while the forbid binds.
//!
//! A target that is taken away and made again with other tools is the same change in two steps: whoever makes it is told
//! of the policies that name it and do not fit what it offers now.

use aws::Fault;
use domain::{Gateway, Policy, PolicyEnforcement, PolicyMode, Target, Upstream};
use policy::{Effect, Offered, Outline, ResourceScope, Schema, Validation};
use store::{Page, StoreError, Tx};

use super::engine_of;
use crate::fault::Failure;
use crate::pinning;

/// How many policies are named in a report.
const MOST_NAMED: usize = 10;
/// How much is said of one policy, in characters.
const LONGEST_PROBLEM: usize = 400;
/// How much of a report stands in one audit event, in characters.
const LONGEST_NOTE: usize = 1_024;

/// What a change would do.
#[derive(Debug, Default)]
pub struct Impact {
    broken: Vec<Broken>,
}

/// A policy that does not fit the tools that there would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The policy's id.
    pub policy: String,
    /// Its name.
    pub name: String,
    /// What it does.
    pub effect: Effect,
    /// Whether calls are decided by it: it is ACTIVE, and the gateway enforces.
    pub binds: bool,
    /// What does not fit, without a full stop.
    pub problem: String,
}

/// Why it cannot be known what a change would do.
#[derive(Debug, thiserror::Error)]
pub enum ImpactError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The comparison ended before its time.
    #[error("the policies could not be held against the tools: {0}")]
    Unfinished(#[from] tokio::task::JoinError),
}

impl From<ImpactError> for Failure {
    fn from(error: ImpactError) -> Self {
        match error {
            ImpactError::Store(error) => error.into(),
            error @ ImpactError::Unfinished(_) => Self::internal(&error),
        }
    }
}

/// Finds out what becomes of the gateway's policies when the target `before` becomes `after`; absent, it is not there.
///
/// # Errors
/// When the store fails.
pub async fn of_change(
    tx: &mut Tx,
    gateway: &Gateway,
    before: Option<&Target>,
    after: Option<&Target>,
) -> Result<Impact, ImpactError> {
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
    let comparison = Comparison {
        present: Offered::by_targets(gateway, &present),
        future: Offered::by_targets(gateway, &future),
        appears: after
            .filter(|target| before.is_none_or(offers_nothing) && !offers_nothing(target))
            .map(|target| target.name.clone()),
        enforced: attached.mode == PolicyMode::Enforce,
    };
    let broken = tokio::task::spawn_blocking(move || comparison.broken(&in_force)).await?;
    Ok(Impact { broken })
}

/// What becomes of the gateway's policies when what is held of a target is approved.
///
/// # Errors
/// When the store fails.
pub async fn of_approval(tx: &mut Tx, gateway: &Gateway, target: &Target) -> Result<Impact, ImpactError> {
    let Some(held) = &target.held else { return Ok(Impact::default()) };
    let approved = Target { tools: held.tools.clone(), held: None, ..target.clone() };
    of_change(tx, gateway, Some(target), Some(&approved)).await
}

impl Impact {
    /// The policies that would be left behind.
    #[must_use]
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

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

    /// What the change does, for the status reasons of what is changed. It is said in the log, too.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let reasons = self.told();
        for reason in &reasons {
            tracing::warn!(reason, "A change of a target leaves a policy behind.");
        }
        reasons
    }

    /// What the change would do, in sentences: a policy each, and how many more where there are many.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        tell(self.broken.iter())
    }

    /// What an approval would do, for the status reasons of a target whose tools are held.
    pub(super) fn warnings(&self) -> Vec<String> {
        let told = self.told().into_iter();
        told.map(|reason| pinning::about_held(&format!("an approval leaves a policy behind. {reason}")))
            .collect()
    }

    /// What the change does, for its audit event: nothing where it does nothing.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let told = self.told();
        (!told.is_empty()).then(|| told.join(" ").chars().take(LONGEST_NOTE).collect())
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
        told.push(format!(
            "The {} policy {} does not fit the changed tools: {}.",
            policy.effect.as_str(),
            policy.name,
            policy.problem
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
            (it.name.clone(), tools, matches!(it.upstream, Upstream::Http(_)))
        })
    };
    seen(before) == seen(after)
}

/// Whether a target has nothing that a policy could be about, such as one whose server was not asked yet.
fn offers_nothing(target: &Target) -> bool {
    target.tools.is_empty() && !matches!(target.upstream, Upstream::Http(_))
}

/// The tools that there are, beside those that there would be.
struct Comparison {
    present: Offered,
    future: Offered,
    /// The name of a target that there was not before.
    appears: Option<String>,
    /// Whether the gateway enforces what is decided.
    enforced: bool,
}

impl Comparison {
    /// The policies about the gateway that the change leaves behind.
    fn broken(&self, policies: &[Policy]) -> Vec<Broken> {
        let schema = |offered: &Offered| Schema::build(&[offered.tools()]);
        let (Ok(now), Ok(then)) = (schema(&self.present), schema(&self.future)) else {
            // A schema that cannot be made is the change's own fault, and told as such elsewhere.
            return Vec::new();
        };
        policies.iter().filter_map(|policy| self.breaks(policy, &now, &then)).collect()
    }

    fn breaks(&self, policy: &Policy, now: &Schema, then: &Schema) -> Option<Broken> {
        let statement = policy.in_force.as_deref()?;
        let checked = |schema| policy::check(statement, schema, Validation::IgnoreAllFindings);
        let problems = checked(then).err()?;
        let outline = Outline::read(statement).ok()?;
        let about_it = match &outline.resource {
            ResourceScope::Gateway(arn) => arn == self.present.arn(),
            ResourceScope::Any | ResourceScope::AnyGateway => true,
            ResourceScope::Other => false,
        };
        if !about_it || (checked(now).is_err() && !self.names_what_appears(&outline)) {
            return None;
        }
        let problem = problems.first().map(ToString::to_string).unwrap_or_default();
        Some(Broken {
            policy: policy.id.to_string(),
            name: policy.name.clone(),
            effect: outline.effect,
            binds: self.enforced && policy.enforcement == PolicyEnforcement::Active,
            problem: problem.trim_end_matches('.').chars().take(LONGEST_PROBLEM).collect(),
        })
    }

    /// Whether a policy is about a target that there was not before: one of its name was there when it was written.
    fn names_what_appears(&self, outline: &Outline) -> bool {
        let Some(name) = &self.appears else { return false };
        outline.actions().iter().any(|action| {
            action.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with("___"))
        })
    }
}
