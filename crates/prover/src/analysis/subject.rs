//! A policy that is looked at.

use cedar_policy::{Policy, PolicySet};
use policy::Outline;

use crate::environment::Environment;
use crate::identity;
use crate::policies::Statement;
use crate::rewrite::Draft;
use crate::undecided::Undecided;

/// A policy, what its text says of itself, and a permit of what it matches.
pub(crate) struct Subject {
    pub(crate) id: String,
    pub(crate) outline: Outline,
    pub(crate) draft: Draft,
    /// The policy alone, as it is.
    pub(crate) policy: Policy,
    /// A permit of what it matches, alone.
    pub(crate) matching: PolicySet,
    question: Policy,
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
        let question = Draft::of(&policy).and_then(|draft| draft.permitting().policy(&statement.id));
        let question = question.ok_or_else(unreadable)?;
        let matching = set([&question]);
        Ok(Self { id: statement.id.clone(), outline, draft, policy, matching, question })
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

/// A permit of what any of these matches.
pub(super) fn matching<'s>(subjects: impl IntoIterator<Item = &'s Subject>) -> PolicySet {
    set(subjects.into_iter().map(|subject| &subject.question))
}

/// A set of policies of different names.
pub(super) fn set<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> PolicySet {
    let mut set = PolicySet::new();
    for policy in policies {
        // Fails for a name that is taken; the names are told apart before.
        let _ = set.add(policy.clone());
    }
    set
}
