//! Whose permissions are simulated: the policies of a user, a group or a role, and those that a request brings.

use std::sync::Arc;

use ::iam::{Context as Conditions, Named, Policy, PolicyKind, Requester};
use aws_shapes::iam::PolicySourceType;
use domain::{AccessKeyId, AccountId, Arn, Caller, Document, Holder, Principal, SessionFacts};
use store::Tx;

use super::{invalid_input, no_such_holder};
use crate::context::Context;
use crate::fault::Failure;

/// A policy of a simulation.
pub(super) struct Input {
    pub(super) kind: PolicySourceType,
    pub(super) text: Document,
    pub(super) named: Named,
}

impl Input {
    /// A policy that is called `id` in the answer.
    ///
    /// # Errors
    /// `InvalidInput` for one that IAM would not take.
    pub(super) fn read(id: String, kind: PolicySourceType, text: Document) -> Result<Self, Failure> {
        let parsed = match kind {
            PolicySourceType::Resource => PolicyKind::Resource,
            _ => PolicyKind::Identity,
        };
        let policy = Policy::parse(&text.0, parsed)
            .map_err(|error| invalid_input(format!("Policy {id} is invalid: {error}")))?;
        Ok(Self { kind, text, named: Named { name: id, policy: Arc::new(policy) } })
    }

    /// The policies that a request brings, numbered as it lists them.
    pub(super) fn read_all(list: &str, texts: Vec<String>) -> Result<Vec<Self>, Failure> {
        let numbered = texts.into_iter().enumerate();
        numbered
            .map(|(at, text)| {
                Self::read(format!("{list}.{}", at + 1), PolicySourceType::None, Document(text))
            })
            .collect()
    }
}

/// Who is simulated, and what belongs to them.
pub(super) struct Source {
    pub(super) caller: Caller,
    /// The condition keys that requests of theirs have, whatever they ask.
    pub(super) facts: Conditions,
    pub(super) policies: Vec<Input>,
    pub(super) boundary: Option<Input>,
}

impl Source {
    /// Nobody in particular.
    pub(super) fn nobody(account: &AccountId) -> Self {
        let principal = Principal::User { name: String::new(), path: "/".to_owned(), id: String::new() };
        Self {
            caller: caller(account, principal),
            facts: Conditions::new(),
            policies: Vec::new(),
            boundary: None,
        }
    }

    /// The user of an ARN, with none of its policies.
    pub(super) async fn caller_of(tx: &mut Tx, context: &Context, text: &str) -> Result<Caller, Failure> {
        match read_holder(context, text)? {
            Holder::User(name) => {
                let user = tx.user(&context.scope.account, &name).await?;
                let user = user.ok_or_else(|| no_such_holder(&Holder::User(name)))?;
                let principal = Principal::User { name: user.name, path: user.path, id: user.id };
                Ok(caller(&context.scope.account, principal))
            }
            _ => Err(invalid_input(format!("CallerArn {text} must be the ARN of a user."))),
        }
    }

    /// A user, a group or a role with everything that it has.
    pub(super) async fn read(tx: &mut Tx, context: &Context, holder: &Holder) -> Result<Self, Failure> {
        let account = &context.scope.account;
        let mut source = Self::nobody(account);
        source.policies = held(tx, account, holder).await?;
        let missing = || no_such_holder(holder);
        let boundary = match holder {
            Holder::User(name) => {
                let user = tx.user(account, name).await?.ok_or_else(missing)?;
                for group in tx.groups_of(account, name).await? {
                    source.policies.extend(held(tx, account, &Holder::Group(group.name)).await?);
                }
                source.is(Principal::User { name: user.name, path: user.path, id: user.id }, &user.tags);
                user.boundary
            }
            Holder::Role(name) => {
                let role = tx.role(account, name).await?.ok_or_else(missing)?;
                let session = "simulation".to_owned();
                let principal =
                    Principal::AssumedRole { role: role.name, path: role.path, id: role.id, session };
                source.is(principal, &role.tags);
                role.boundary
            }
            Holder::Group(_) | Holder::Root => None,
        };
        if let Some(arn) = boundary {
            let policy = tx.managed_policy(&arn).await?;
            let policy =
                policy.ok_or_else(|| invalid_input(format!("The boundary {arn} does not exist.")))?;
            source.boundary = Some(Input::read(policy.name, managed_kind(&arn), policy.document)?);
        }
        Ok(source)
    }

    fn is(&mut self, principal: Principal, tags: &std::collections::BTreeMap<String, String>) {
        self.caller = caller(&self.caller.account, principal);
        self.facts = Conditions::of(&Requester::Iam(&self.caller)).with_tags("aws:PrincipalTag", tags);
    }
}

/// Whose ARN it is.
///
/// # Errors
/// `InvalidInput` for anything but a user, a group or a role of the account.
pub(super) fn read_holder(context: &Context, text: &str) -> Result<Holder, Failure> {
    let refuse =
        || invalid_input(format!("Invalid Entity Arn: {text} does not clearly define entity type and name."));
    let arn = Arn::parse(text).map_err(|_| refuse())?;
    if arn.service() != "iam" || arn.account() != context.scope.account.as_str() {
        return Err(refuse());
    }
    let (kind, rest) = arn.resource().split_once('/').ok_or_else(refuse)?;
    let name = rest.rsplit('/').next().unwrap_or_default().to_owned();
    match kind {
        "user" => Ok(Holder::User(name)),
        "group" => Ok(Holder::Group(name)),
        "role" => Ok(Holder::Role(name)),
        _ => Err(refuse()),
    }
}

fn caller(account: &AccountId, principal: Principal) -> Caller {
    Caller {
        account: account.clone(),
        principal,
        access_key: AccessKeyId::from_text("simulation"),
        session_policies: Vec::new(),
        issued_at: None,
        expires_at: None,
        session: SessionFacts::default(),
    }
}

/// The policies of a holder, called as AWS calls them: `user_ann_Policy` for one that is written into it.
async fn held(tx: &mut Tx, account: &AccountId, holder: &Holder) -> Result<Vec<Input>, Failure> {
    let kind = match holder {
        Holder::Group(_) => PolicySourceType::Group,
        Holder::Role(_) => PolicySourceType::Role,
        Holder::User(_) | Holder::Root => PolicySourceType::User,
    };
    let mut found = Vec::new();
    for (name, document) in tx.inline_policies(account, holder).await? {
        let id = format!("{}_{}_{name}", holder.kind(), holder.name());
        found.push(Input::read(id, kind, document)?);
    }
    for policy in tx.attached_policies(account, holder).await? {
        found.push(Input::read(policy.name, managed_kind(&policy.arn), policy.document)?);
    }
    Ok(found)
}

fn managed_kind(arn: &Arn) -> PolicySourceType {
    if arn.account() == "aws" { PolicySourceType::AwsManaged } else { PolicySourceType::UserManaged }
}
