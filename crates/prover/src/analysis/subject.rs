//! A policy that is looked at.

use cedar_policy::PolicySet;
use policy::Outline;

use crate::environment::Environment;
use crate::failing::{self, Weighed};
use crate::identity;
use crate::policies::Statement;
use crate::rewrite::Draft;
use crate::undecided::Undecided;

/// A policy, what its text says of itself, and what it applies to.
pub(crate) struct Subject {
    pub(crate) id: String,
    pub(crate) outline: Outline,
    pub(crate) draft: Draft,
    /// The policy alone, as it is.
    pub(crate) policy: Weighed,
    /// What it applies to, as a set that permits just that.
    pub(crate) matching: PolicySet,
}

impl Subject {
    pub(crate) fn read(statement: &Statement) -> Result<Self, Undecided> {
        let outline = Outline::read(&statement.text).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            statement.invalid(&problems.join("; "))
        })?;
        let parsed = statement.parse()?;
        let unreadable = || statement.invalid(&"it has no JSON form");
        let draft = Draft::of(&parsed).ok_or_else(unreadable)?;
        let policy = identity::by_name(parsed);
        let policy = Weighed::of(policy)?;
        let matching = failing::as_applied([&policy])?;
        Ok(Self { id: statement.id.clone(), outline, draft, policy, matching })
    }

    /// The same for those of the tools and targets that it names which are known. `None` when none of them is.
    pub(crate) fn about(&self, known: &[&str]) -> Option<Self> {
        let draft = self.draft.clone().about(known);
        let text = draft.policy(&self.id)?.to_cedar()?;
        let same = !known.is_empty();
        same.then(|| Self::read(&Statement { id: self.id.clone(), text }).ok()).flatten()
    }

    /// Whether its scope lets such requests through.
    pub(crate) fn is_about(&self, environment: &Environment) -> bool {
        let callers = self.outline.principals.iter();
        callers.map(|kind| kind.entity_type()).any(|name| name == environment.principal)
            && self.outline.may_call(&environment.action)
            && environment.gateway.as_ref().is_none_or(|gateway| self.outline.may_reach(gateway))
    }
}

/// What any of these applies to, as a set that permits just that.
pub(super) fn matching<'s>(subjects: impl IntoIterator<Item = &'s Subject>) -> Result<PolicySet, Undecided> {
    failing::as_applied(subjects.into_iter().map(|subject| &subject.policy))
}
