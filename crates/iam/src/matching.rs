//! Every statement that applies to a question, for those who ask what a decision rests on rather than what it is:
//! simulations show them.

use crate::evaluate::{Asked, Holder};
use crate::policy::Says;
use crate::verdict::{PolicySource, StatementRef};
use crate::{Named, PolicySets, Question};

/// A statement that applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// The statement.
    pub statement: StatementRef,
    /// The part that its policy plays.
    pub source: PolicySource,
    /// Whether it denies.
    pub denies: bool,
}

/// The statements that apply, in the order of the requester's own policies, the boundary, the session's policies and the
/// resource's.
#[must_use]
pub fn matching(question: &Question<'_>, sets: &PolicySets<'_>) -> Vec<Matched> {
    let asked = Asked::new(question, sets.boundary.is_some());
    let slice = std::slice::from_ref::<Named>;
    let all = [
        (sets.identity, PolicySource::Identity, Holder::Requester),
        (sets.boundary.map(slice).unwrap_or_default(), PolicySource::Boundary, Holder::Requester),
        (sets.session.unwrap_or_default(), PolicySource::Session, Holder::Requester),
        (sets.resource.map(slice).unwrap_or_default(), PolicySource::Resource, Holder::Resource),
    ];
    let mut found = Vec::new();
    for (policies, source, holder) in all {
        for named in policies {
            let applying = named.policy.statements.iter().filter(|it| asked.applies(it, holder).is_some());
            found.extend(applying.map(|statement| Matched {
                statement: StatementRef::new(named, statement),
                source,
                denies: statement.says == Says::Deny,
            }));
        }
    }
    found
}
