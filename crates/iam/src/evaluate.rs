//! The decision: which policies have a say, and what follows from what they say.
//!
//! First, every policy is asked for a `Deny` that applies: one is enough, wherever it is. Then the rules differ
//! by where the requester stands. Within an account, the requester's own policies or the resource's are enough;
//! across accounts, both are needed; a role is assumed only if its trust policy says so. A permissions boundary
//! and session policies limit what the requester's own policies grant, and what a resource policy grants to the
//! role, but not what it grants to the very user or session.
//! Source: IAM User Guide, "Policy evaluation logic" and "Cross-account policy evaluation logic"; "How IAM roles
//! differ from resource-based policies" for trust policies.

use domain::Principal;

use crate::action::Action;
use crate::explain::near_misses;
use crate::policy::{PolicyKind, Says, Statement};
use crate::principal::{Grip, Who};
use crate::resource::Resource;
use crate::verdict::{Effect, PolicySource, StatementRef, Verdict};
use crate::{Context, Named, PolicySets, Question, Requester};

/// Decides a question by the policies that apply to it.
///
/// A resource policy that was parsed as [`PolicyKind::Trust`] is taken for the trust policy of a role, as in
/// [`evaluate_trust`]. For services, federated users and strangers only the resource policy counts. The root
/// of an account needs no policy for what its account owns, and is bound by explicit denies of resource
/// policies alone.
#[must_use]
pub fn evaluate(question: &Question<'_>, sets: &PolicySets<'_>) -> Verdict {
    let trust = sets.resource.is_some_and(|named| named.policy.kind() == PolicyKind::Trust);
    let role = if trust { ResourceRole::Trust } else { ResourceRole::Policy };
    decide(question, *sets, role)
}

/// Decides whether a role may be assumed (`sts:AssumeRole`, `sts:AssumeRoleWithWebIdentity`, `sts:TagSession`),
/// by its trust policy and the requester's own policies; `sets.resource` is not looked at.
///
/// The trust policy must speak about the requester, in the same account too. Where it names only their account,
/// and across accounts always, their own policies must allow the action as well. The root of an account, which
/// AWS lets assume no role at all, needs the trust policy alone.
#[must_use]
pub fn evaluate_trust(question: &Question<'_>, trust: &Named, sets: &PolicySets<'_>) -> Verdict {
    let sets = PolicySets { resource: Some(trust), ..*sets };
    decide(question, sets, ResourceRole::Trust)
}

/// What the resource's policy is to the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceRole {
    /// One of two ways to be allowed.
    Policy,
    /// The door that has to be open.
    Trust,
}

impl ResourceRole {
    pub(crate) fn source(self) -> PolicySource {
        match self {
            Self::Policy => PolicySource::Resource,
            Self::Trust => PolicySource::Trust,
        }
    }
}

fn decide(question: &Question<'_>, sets: PolicySets<'_>, role: ResourceRole) -> Verdict {
    let standing = Standing::of(question);
    let sets = standing.heard(sets);
    let asked = Asked::new(question, sets.boundary.is_some());
    let findings = Findings::gather(&asked, &sets, role);
    let decision = findings.explicit_deny().unwrap_or_else(|| findings.without_deny(standing));
    let near_misses = match decision.effect {
        Effect::ImplicitDeny => near_misses(&asked, &sets, role),
        Effect::Allow | Effect::ExplicitDeny => Vec::new(),
    };
    Verdict {
        effect: decision.effect,
        source: decision.source,
        deciding: decision.statement.map(|found| found.reference()),
        near_misses,
    }
}

/// Where the requester stands to the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The root of the account that owns it.
    OwnRoot,
    /// A user or a role session of the account that owns it.
    Own,
    /// The root of another account.
    OtherRoot,
    /// A user or a role session of another account.
    Other,
    /// Nobody of any account: a service, a federated user, a stranger.
    Outside,
}

impl Standing {
    fn of(question: &Question<'_>) -> Self {
        let Requester::Iam(caller) = question.requester else {
            return Self::Outside;
        };
        let own = question.owner().is_none_or(|owner| owner == caller.account.as_str());
        let root = matches!(caller.principal, Principal::Root);
        match (own, root) {
            (true, true) => Self::OwnRoot,
            (true, false) => Self::Own,
            (false, true) => Self::OtherRoot,
            (false, false) => Self::Other,
        }
    }

    /// The policies that have a say about a requester who stands so.
    fn heard(self, sets: PolicySets<'_>) -> PolicySets<'_> {
        match self {
            Self::Own | Self::Other => sets,
            Self::OwnRoot | Self::OtherRoot | Self::Outside => {
                PolicySets { resource: sets.resource, ..PolicySets::default() }
            }
        }
    }
}

/// A question whose parts are ready to be matched.
pub(crate) struct Asked<'a> {
    pub(crate) action: Action<'a>,
    pub(crate) resource: Resource<'a>,
    pub(crate) who: Who<'a>,
    pub(crate) context: &'a Context,
    /// Whether the requester is under a permissions boundary.
    pub(crate) bounded: bool,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(question: &Question<'a>, bounded: bool) -> Self {
        Self {
            action: Action::new(question.action),
            resource: Resource::new(question.resource),
            who: Who::new(question.requester),
            context: question.context,
            bounded,
        }
    }

    /// How a statement holds the requester. One without a principal speaks about whoever holds the policy,
    /// and about nobody if it is a resource's.
    pub(crate) fn grip(&self, statement: &Statement, holder: Holder) -> Option<Grip> {
        match (&statement.principal, holder) {
            (Some(principal), _) => principal.grip(&self.who, statement.says, self.bounded),
            (None, Holder::Requester) => Some(Grip::Direct),
            (None, Holder::Resource) => None,
        }
    }

    pub(crate) fn covers_resource(&self, statement: &Statement) -> bool {
        statement.resources.as_ref().is_none_or(|resources| resources.covers(self.resource, self.context))
    }

    /// How an applicable statement holds the requester; nothing if it does not apply.
    pub(crate) fn applies(&self, statement: &Statement, holder: Holder) -> Option<Grip> {
        let about = statement.actions.covers(self.action) && self.covers_resource(statement);
        let grip = about.then(|| self.grip(statement, holder)).flatten()?;
        let mut conditions = statement.conditions.iter();
        conditions.all(|condition| condition.holds(self.context)).then_some(grip)
    }
}

/// Whose a policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    Requester,
    Resource,
}

/// A statement that applies.
#[derive(Clone, Copy)]
struct Found<'a> {
    policy: &'a Named,
    statement: &'a Statement,
    grip: Grip,
}

impl Found<'_> {
    fn reference(&self) -> StatementRef {
        StatementRef::new(self.policy, self.statement)
    }
}

/// What one set of policies says.
#[derive(Clone, Copy, Default)]
struct Survey<'a> {
    deny: Option<Found<'a>>,
    /// The allow with the firmest grip.
    allow: Option<Found<'a>>,
}

impl<'a> Survey<'a> {
    fn of(asked: &Asked<'_>, policies: &'a [Named], holder: Holder) -> Self {
        let mut survey = Self::default();
        for policy in policies {
            for statement in &policy.policy.statements {
                // Once an allow is as firm as can be, only a deny is news.
                let settled = survey.allow.is_some_and(|found| found.grip == Grip::Direct);
                if settled && statement.says == Says::Allow {
                    continue;
                }
                let Some(grip) = asked.applies(statement, holder) else {
                    continue;
                };
                let found = Found { policy, statement, grip };
                match statement.says {
                    Says::Deny => {
                        survey.deny = Some(found);
                        return survey;
                    }
                    Says::Allow if survey.allow.is_none_or(|known| known.grip < grip) => {
                        survey.allow = Some(found);
                    }
                    Says::Allow => {}
                }
            }
        }
        survey
    }
}

/// What all the policies say.
struct Findings<'a> {
    identity: Survey<'a>,
    boundary: Option<Survey<'a>>,
    session: Option<Survey<'a>>,
    resource: Survey<'a>,
    role: ResourceRole,
}

struct Decision<'a> {
    effect: Effect,
    source: Option<PolicySource>,
    statement: Option<Found<'a>>,
}

impl<'a> Findings<'a> {
    fn gather(asked: &Asked<'_>, sets: &PolicySets<'a>, role: ResourceRole) -> Self {
        let requester = |policies| Survey::of(asked, policies, Holder::Requester);
        let resource =
            sets.resource.map(|policy| Survey::of(asked, std::slice::from_ref(policy), Holder::Resource));
        Self {
            identity: requester(sets.identity),
            boundary: sets.boundary.map(std::slice::from_ref).map(requester),
            session: sets.session.map(requester),
            resource: resource.unwrap_or_default(),
            role,
        }
    }

    fn explicit_deny(&self) -> Option<Decision<'a>> {
        let sets = [
            (Some(self.identity), PolicySource::Identity),
            (self.boundary, PolicySource::Boundary),
            (self.session, PolicySource::Session),
            (Some(self.resource), self.role.source()),
        ];
        sets.into_iter().find_map(|(survey, source)| {
            Some(Decision {
                effect: Effect::ExplicitDeny,
                source: Some(source),
                statement: Some(survey?.deny?),
            })
        })
    }

    fn without_deny(&self, standing: Standing) -> Decision<'a> {
        let granted = self.resource.allow;
        match (standing, granted) {
            // What nobody's own policies can speak for, the resource's must.
            (Standing::Outside, granted) => self.by_resource(granted),
            (Standing::OwnRoot, _) if self.role == ResourceRole::Policy => Decision::allow(None, None),
            (Standing::OwnRoot | Standing::OtherRoot, granted) => self.by_resource(granted),
            (Standing::Own, Some(found)) if found.grip == Grip::Direct => self.by_resource(granted),
            (Standing::Own, Some(found)) if found.grip == Grip::Role => match self.limit() {
                None => self.by_resource(granted),
                Some(limit) => Decision::implicit_deny(limit),
            },
            (Standing::Own, None) if self.role == ResourceRole::Policy => self.by_identity(),
            // The resource's policy delegates to the account, whose policies must now allow.
            (Standing::Own | Standing::Other, Some(_)) => self.by_identity(),
            (Standing::Own, None) => self.by_resource(None),
            (Standing::Other, None) => {
                let identity = self.by_identity();
                match identity.effect {
                    Effect::Allow => self.by_resource(None),
                    Effect::ImplicitDeny | Effect::ExplicitDeny => identity,
                }
            }
        }
    }

    fn by_resource(&self, granted: Option<Found<'a>>) -> Decision<'a> {
        match granted {
            Some(found) => Decision::allow(Some(self.role.source()), Some(found)),
            None => Decision::implicit_deny(self.role.source()),
        }
    }

    fn by_identity(&self) -> Decision<'a> {
        match (self.identity.allow, self.limit()) {
            (None, _) => Decision::implicit_deny(PolicySource::Identity),
            (Some(_), Some(limit)) => Decision::implicit_deny(limit),
            (Some(found), None) => Decision::allow(Some(PolicySource::Identity), Some(found)),
        }
    }

    /// The limit that does not allow, if there is one.
    fn limit(&self) -> Option<PolicySource> {
        let limits = [(self.boundary, PolicySource::Boundary), (self.session, PolicySource::Session)];
        limits
            .into_iter()
            .find(|(survey, _)| survey.is_some_and(|survey| survey.allow.is_none()))
            .map(|(_, source)| source)
    }
}

impl<'a> Decision<'a> {
    fn allow(source: Option<PolicySource>, statement: Option<Found<'a>>) -> Self {
        Self { effect: Effect::Allow, source, statement }
    }

    fn implicit_deny(source: PolicySource) -> Self {
        Self { effect: Effect::ImplicitDeny, source: Some(source), statement: None }
    }
}
