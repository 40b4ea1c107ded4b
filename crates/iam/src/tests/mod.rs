//! What the crate promises, told as questions and answers.
//!
//! `Ask` builds a question piece by piece; each file asks about one subject, with cases as data where that reads
//! better.

mod across_accounts;
mod cases;
mod conditions;
mod explanations;
mod limits;
mod malformed;
mod naive;
mod principals;
mod properties;
mod same_account;
mod seeds;
mod trust;

use std::sync::Arc;

use domain::{AccessKeyId, AccountId, Caller, Principal};

use crate::{Context, Effect, Named, Policy, PolicyKind, PolicySets, Question, Requester, Verdict, evaluate};

pub(super) const HOME: &str = "111122223333";
pub(super) const AWAY: &str = "444455556666";

/// A question in the making.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    who: Who,
    action: String,
    resource: String,
    context: Context,
    identity: Vec<Named>,
    boundary: Option<Named>,
    session: Option<Vec<Named>>,
    resource_policy: Option<Named>,
}

#[derive(Clone, Debug)]
pub(super) enum Who {
    Caller(Box<Caller>),
    Service(&'static str),
    Federated(&'static str),
    Nobody,
}

impl Ask {
    /// Asks for `s3:GetObject` on an object of [`HOME`], with no policy at all.
    pub(super) fn by(who: Who) -> Self {
        Self {
            who,
            action: "s3:GetObject".to_owned(),
            resource: format!("arn:aws:s3::{HOME}:bucket/key"),
            context: Context::new(),
            identity: Vec::new(),
            boundary: None,
            session: None,
            resource_policy: None,
        }
    }

    pub(super) fn to(mut self, action: &str) -> Self {
        action.clone_into(&mut self.action);
        self
    }

    pub(super) fn on(mut self, resource: &str) -> Self {
        resource.clone_into(&mut self.resource);
        self
    }

    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.context = self.context.with(key, value);
        self
    }

    pub(super) fn within(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Adds an identity policy with these statements.
    pub(super) fn holding(mut self, statements: &str) -> Self {
        self.identity.push(identity(statements));
        self
    }

    pub(super) fn bounded_by(mut self, statements: &str) -> Self {
        self.boundary = Some(identity(statements));
        self
    }

    pub(super) fn in_session(mut self, statements: &str) -> Self {
        self.session.get_or_insert_default().push(identity(statements));
        self
    }

    pub(super) fn resource_says(mut self, statements: &str) -> Self {
        self.resource_policy = Some(named("the resource's", statements, PolicyKind::Resource));
        self
    }

    pub(super) fn trusted_by(mut self, statements: &str) -> Self {
        self.resource_policy = Some(named("the role's", statements, PolicyKind::Trust));
        self
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.put(evaluate)
    }

    pub(super) fn denial(&self) -> Option<String> {
        self.put(|question, sets| evaluate(question, sets).denial(question))
    }

    fn put<T>(&self, answer: impl FnOnce(&Question<'_>, &PolicySets<'_>) -> T) -> T {
        let question = Question {
            requester: match &self.who {
                Who::Caller(caller) => Requester::Iam(caller),
                Who::Service(name) => Requester::Service(name),
                Who::Federated(name) => Requester::Federated(name),
                Who::Nobody => Requester::Anonymous,
            },
            action: &self.action,
            resource: &self.resource,
            resource_account: None,
            context: &self.context,
        };
        let sets = PolicySets {
            identity: &self.identity,
            boundary: self.boundary.as_ref(),
            session: self.session.as_deref(),
            resource: self.resource_policy.as_ref(),
        };
        answer(&question, &sets)
    }

    #[track_caller]
    pub(super) fn is_allowed(&self) {
        let verdict = self.verdict();
        assert_eq!(verdict.effect, Effect::Allow, "{verdict}");
    }

    /// Is denied, with this tail in AWS's message.
    #[track_caller]
    pub(super) fn is_denied(&self, tail: &str) {
        let verdict = self.verdict();
        let said = verdict.tail(&self.action).unwrap_or_default();
        let expected = tail.replace("ACTION", &self.action);
        assert_eq!(said, expected, "{verdict}");
    }
}

pub(super) const NO_IDENTITY: &str = "because no identity-based policy allows the ACTION action";
pub(super) const NO_RESOURCE: &str = "because no resource-based policy allows the ACTION action";
pub(super) const NO_BOUNDARY: &str = "because no permissions boundary allows the ACTION action";
pub(super) const NO_SESSION: &str = "because no session policy allows the ACTION action";
pub(super) const NO_TRUST: &str = "because no role trust policy allows the ACTION action";
pub(super) const IDENTITY_DENIES: &str = "with an explicit deny in an identity-based policy";
pub(super) const RESOURCE_DENIES: &str = "with an explicit deny in a resource-based policy";
pub(super) const SESSION_DENIES: &str = "with an explicit deny in a session policy";
pub(super) const BOUNDARY_DENIES: &str = "with an explicit deny in a permissions boundary";
pub(super) const TRUST_DENIES: &str = "with an explicit deny in the role trust policy";

pub(super) const ALLOW_ALL: &str = r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#;
pub(super) const ALLOW_NOTHING: &str = r#"{"Effect": "Allow", "Action": "none:None", "Resource": "*"}"#;
pub(super) const DENY_ALL: &str = r#"{"Effect": "Deny", "Action": "*", "Resource": "*"}"#;

pub(super) fn identity(statements: &str) -> Named {
    named("the requester's", statements, PolicyKind::Identity)
}

/// A policy of version 2012-10-17 with these statements.
pub(super) fn named(name: &str, statements: &str, kind: PolicyKind) -> Named {
    document(name, &format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#), kind)
}

pub(super) fn document(name: &str, text: &str, kind: PolicyKind) -> Named {
    match Policy::parse(text, kind) {
        Ok(policy) => Named { name: name.to_owned(), policy: Arc::new(policy) },
        Err(error) => panic!("{error}\n{text}"),
    }
}

pub(super) fn user(account: &str, name: &str) -> Who {
    caller(
        account,
        Principal::User {
            name: name.to_owned(),
            path: "/".to_owned(),
            id: format!("AIDA{}", name.to_ascii_uppercase()),
        },
    )
}

pub(super) fn session(account: &str, role: &str, session: &str) -> Who {
    caller(
        account,
        Principal::AssumedRole {
            role: role.to_owned(),
            path: "/".to_owned(),
            id: format!("AROA{}", role.to_ascii_uppercase()),
            session: session.to_owned(),
        },
    )
}

pub(super) fn root(account: &str) -> Who {
    caller(account, Principal::Root)
}

fn caller(account: &str, principal: Principal) -> Who {
    Who::Caller(Box::new(Caller {
        account: AccountId::parse(account).unwrap(),
        principal,
        access_key: AccessKeyId::from_text("AKIAEXAMPLE"),
        session_policies: Vec::new(),
        issued_at: None,
        expires_at: None,
        session: domain::SessionFacts::default(),
    }))
}

/// The context that a requester brings along.
pub(super) fn context_of(who: &Who) -> Context {
    match who {
        Who::Caller(caller) => Context::of(&Requester::Iam(caller)),
        Who::Service(name) => Context::of(&Requester::Service(name)),
        Who::Federated(name) => Context::of(&Requester::Federated(name)),
        Who::Nobody => Context::of(&Requester::Anonymous),
    }
}
