//! What users, groups and roles have in common: they are found by name and decided about by ARN, and they hold policies,
//! written into them or attached to them. Conditions see the tags and the boundary that one has ("Service Authorization
//! Reference": `iam:ResourceTag`, `iam:PermissionsBoundary`).

use std::collections::BTreeMap;

use ::iam::Context as Conditions;
use aws::Fault;
use aws_shapes::iam::AttachedPolicy;
use domain::{Arn, Document, Holder};
use store::{StoreError, Tx};

use super::document::{Kind, compile, size};
use super::listing::{Listed, Listing};
use super::managed_policy::{key, read_arn};
use super::{no_such, no_such_holder, over_quota};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// How many managed policies may be attached to a user, a group or a role.
const MOST_ATTACHED: usize = 10;

/// Decides whether the caller may do this operation on a user, a role or the account itself.
///
/// # Errors
/// AWS's error when no policy allows it. It calls a user or a role by name, so that a path is not told to strangers.
pub(super) async fn authorize<'a>(context: &'a Context, holder: &Holder) -> Result<Authorized<'a>, Failure> {
    authorize_with(context, holder, |conditions| conditions).await
}

/// The same, with condition keys of the operation's own.
pub(super) async fn authorize_with<'a>(
    context: &'a Context,
    holder: &Holder,
    conditions: impl FnOnce(Conditions) -> Conditions,
) -> Result<Authorized<'a>, Failure> {
    let located = locate(context, holder).await?;
    let called = called(holder, &located.arn);
    decide(context, located, &called, conditions)
}

/// The same, for a request that names the user or the role by something else: a refusal calls it by that.
pub(super) async fn authorize_called<'a>(
    context: &'a Context,
    holder: &Holder,
    called: &str,
) -> Result<Authorized<'a>, Failure> {
    decide(context, locate(context, holder).await?, called, |conditions| conditions)
}

fn decide<'a>(
    context: &'a Context,
    Located { arn, boundary, tags }: Located,
    called: &str,
    conditions: impl FnOnce(Conditions) -> Conditions,
) -> Result<Authorized<'a>, Failure> {
    context.authorize_called(&arn, called, |known| {
        let known = known.with_tags("aws:ResourceTag", &tags).with_tags("iam:ResourceTag", &tags);
        conditions(match boundary {
            Some(boundary) => known.with("iam:PermissionsBoundary", boundary),
            None => known,
        })
    })
}

/// The same for attaching or detaching a policy, which conditions may look at.
async fn authorize_about<'a>(
    context: &'a Context,
    holder: &Holder,
    policy: &Arn,
) -> Result<Authorized<'a>, Failure> {
    authorize_with(context, holder, |conditions| conditions.with("iam:PolicyARN", policy.as_str())).await
}

/// What a decision about a user, a group or a role looks at.
struct Located {
    arn: Arn,
    boundary: Option<Arn>,
    tags: BTreeMap<String, String>,
}

/// The ARN of a user or a role with the path that it has; of one that does not exist, the ARN without a path. It is read
/// before the decision, because the decision is about it, and nothing else is read.
async fn locate(context: &Context, holder: &Holder) -> Result<Located, Failure> {
    let account = &context.scope.account;
    let mut tx = context.setup().store.read().await?;
    let found = match holder {
        Holder::User(name) => {
            let user = tx.user(account, name).await?;
            user.map(|user| Located { arn: user.arn(), boundary: user.boundary, tags: user.tags })
        }
        Holder::Role(name) => {
            let role = tx.role(account, name).await?;
            role.map(|role| Located { arn: role.arn(), boundary: role.boundary, tags: role.tags })
        }
        Holder::Root | Holder::Group(_) => arn(&mut tx, context, holder).await?.map(bare),
    };
    let pathless = || bare(Arn::iam(account, &format!("{}/{}", holder.kind(), holder.name())));
    Ok(found.unwrap_or_else(pathless))
}

fn bare(arn: Arn) -> Located {
    Located { arn, boundary: None, tags: BTreeMap::new() }
}

/// The ARN of a holder that exists.
async fn arn(tx: &mut Tx, context: &Context, holder: &Holder) -> Result<Option<Arn>, StoreError> {
    let account = &context.scope.account;
    Ok(match holder {
        Holder::Root => Some(Arn::iam(account, "root")),
        Holder::User(name) => tx.user(account, name).await?.map(|user| user.arn()),
        Holder::Role(name) => tx.role(account, name).await?.map(|role| role.arn()),
        Holder::Group(name) => tx.group(account, name).await?.map(|group| group.arn()),
    })
}

/// What a refusal calls a holder.
fn called(holder: &Holder, arn: &Arn) -> String {
    match holder {
        Holder::Root => arn.to_string(),
        Holder::User(name) | Holder::Role(name) | Holder::Group(name) => format!("{} {name}", holder.kind()),
    }
}

/// Sees that a holder is there, and still the one that was decided about.
///
/// # Errors
/// `NoSuchEntity` when it is not there.
pub(super) async fn require(
    tx: &mut Tx,
    context: &Context,
    allowed: &Authorized<'_>,
    holder: &Holder,
) -> Result<(), Failure> {
    let present = arn(tx, context, holder).await?.ok_or_else(|| no_such_holder(holder))?;
    still(allowed, &present)
}

/// Sees that nobody put another user or role of the same name in the place of the one that was decided about.
///
/// # Errors
/// `ConcurrentModification` when somebody did.
pub(super) fn still(allowed: &Authorized<'_>, present: &Arn) -> Result<(), Failure> {
    if allowed.resource() == present {
        return Ok(());
    }
    let message = "The entity was replaced by another request at the same time. Retry.";
    Err(Fault::new("ConcurrentModificationException", message).into())
}

/// Sees that a holder is one that its account may change: roles of services are theirs.
///
/// # Errors
/// `UnmodifiableEntity` for a service-linked role.
pub(super) fn modifiable(arn: &Arn) -> Result<(), Failure> {
    if !arn.resource().starts_with("role/aws-service-role/") {
        return Ok(());
    }
    let name = arn.resource().rsplit('/').next().unwrap_or_default();
    let message = format!(
        "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
    );
    Err(Fault::new("UnmodifiableEntityException", message).into())
}

/// Sees that a holder holds no policies, so that it may be deleted.
///
/// # Errors
/// `DeleteConflict` when it does.
pub(super) async fn require_bare(tx: &mut Tx, context: &Context, holder: &Holder) -> Result<(), Failure> {
    let account = &context.scope.account;
    if !tx.attached_policies(account, holder).await?.is_empty() {
        return Err(super::delete_conflict("Cannot delete entity, must detach all policies first."));
    }
    if !tx.inline_policies(account, holder).await?.is_empty() {
        return Err(super::delete_conflict("Cannot delete entity, must delete policies first."));
    }
    Ok(())
}

/// Writes a policy into a holder.
pub(super) async fn put_inline(
    context: &Context,
    holder: &Holder,
    name: &str,
    text: &str,
) -> Result<(), Failure> {
    let document = compile(text, Kind::Inline)?;
    let allowed = authorize(context, holder).await?;
    modifiable(allowed.resource())?;
    let mut tx = allowed.begin().await?;
    require(&mut tx, context, &allowed, holder).await?;
    let others = tx.inline_policies(&context.scope.account, holder).await?;
    let others = others.iter().filter(|(known, _)| known != name);
    let together = size(&document) + others.map(|(_, other)| size(other)).sum::<usize>();
    let most = match holder {
        Holder::Role(_) => 10_240,
        Holder::Group(_) => 5_120,
        Holder::User(_) | Holder::Root => 2_048,
    };
    if together > most {
        let (kind, holder) = (holder.kind(), holder.name());
        return Err(over_quota(format!("Maximum policy size of {most} bytes exceeded for {kind} {holder}")));
    }
    tx.put_inline_policy(&context.scope.account, holder, name, &document).await?;
    Ok(allowed.commit(tx).await?)
}

/// A policy that was written into a holder.
pub(super) async fn inline(context: &Context, holder: &Holder, name: &str) -> Result<Document, Failure> {
    let allowed = authorize(context, holder).await?;
    let mut tx = allowed.read().await?;
    require(&mut tx, context, &allowed, holder).await?;
    let policies = tx.inline_policies(&context.scope.account, holder).await?;
    let found = policies.into_iter().find(|(known, _)| known == name);
    found.map(|(_, document)| document).ok_or_else(|| no_such_inline(holder, name))
}

/// The names of the policies that were written into a holder.
pub(super) async fn inline_names(
    context: &Context,
    holder: &Holder,
    (marker, max_items): (Option<&str>, Option<i64>),
) -> Result<Listed<String>, Failure> {
    let allowed = authorize(context, holder).await?;
    let listing = Listing::new(marker, max_items)?;
    let mut tx = allowed.read().await?;
    require(&mut tx, context, &allowed, holder).await?;
    let policies = tx.inline_policies(&context.scope.account, holder).await?;
    Ok(listing.page(policies.into_iter().map(|(name, _)| name).collect(), String::clone))
}

/// Takes a policy out of a holder.
pub(super) async fn delete_inline(context: &Context, holder: &Holder, name: &str) -> Result<(), Failure> {
    let allowed = authorize(context, holder).await?;
    modifiable(allowed.resource())?;
    let mut tx = allowed.begin().await?;
    require(&mut tx, context, &allowed, holder).await?;
    match tx.delete_inline_policy(&context.scope.account, holder, name).await {
        Ok(()) => Ok(allowed.commit(tx).await?),
        Err(StoreError::Stale) => Err(no_such_inline(holder, name)),
        Err(error) => Err(error.into()),
    }
}

/// Attaches a managed policy. Attaching it twice is attaching it once.
pub(super) async fn attach(context: &Context, holder: &Holder, policy: &str) -> Result<(), Failure> {
    let policy = read_arn(policy)?;
    let allowed = authorize_about(context, holder, &policy).await?;
    modifiable(allowed.resource())?;
    let mut tx = allowed.begin().await?;
    require(&mut tx, context, &allowed, holder).await?;
    let account = &context.scope.account;
    let attachable = policy.account() == account.as_str() || policy.account() == "aws";
    if !attachable || tx.managed_policy(&policy).await?.is_none() {
        return Err(no_such(format!("Policy {policy} does not exist or is not attachable.")));
    }
    let attached = tx.attached_policies(account, holder).await?;
    let known = attached.iter().any(|known| known.arn == policy);
    if !known && attached.len() >= MOST_ATTACHED {
        let quota = match holder {
            Holder::Role(_) => "PoliciesPerRole",
            Holder::Group(_) => "PoliciesPerGroup",
            Holder::User(_) | Holder::Root => "PoliciesPerUser",
        };
        return Err(over_quota(format!("Cannot exceed quota for {quota}: {MOST_ATTACHED}")));
    }
    tx.attach_policy(account, holder, &policy).await?;
    Ok(allowed.commit(tx).await?)
}

/// Detaches a managed policy.
pub(super) async fn detach(context: &Context, holder: &Holder, policy: &str) -> Result<(), Failure> {
    let policy = read_arn(policy)?;
    let allowed = authorize_about(context, holder, &policy).await?;
    modifiable(allowed.resource())?;
    let mut tx = allowed.begin().await?;
    require(&mut tx, context, &allowed, holder).await?;
    match tx.detach_policy(&context.scope.account, holder, &policy).await {
        Ok(()) => Ok(allowed.commit(tx).await?),
        Err(StoreError::Stale) => Err(no_such(format!("Policy {policy} was not found."))),
        Err(error) => Err(error.into()),
    }
}

/// The managed policies that are attached to a holder.
pub(super) async fn attached(
    context: &Context,
    holder: &Holder,
    path_prefix: Option<&str>,
    (marker, max_items): (Option<&str>, Option<i64>),
) -> Result<Listed<AttachedPolicy>, Failure> {
    let allowed = authorize(context, holder).await?;
    let listing = Listing::new(marker, max_items)?;
    let mut tx = allowed.read().await?;
    require(&mut tx, context, &allowed, holder).await?;
    let mut policies = tx.attached_policies(&context.scope.account, holder).await?;
    policies.retain(|policy| path_prefix.is_none_or(|prefix| policy.path.starts_with(prefix)));
    Ok(listing
        .page(policies, key)
        .map(|policy| AttachedPolicy { policy_name: Some(policy.name), policy_arn: Some(policy.arn.into()) }))
}

fn no_such_inline(holder: &Holder, name: &str) -> Failure {
    no_such(format!("The {} policy with name {name} cannot be found.", holder.kind()))
}
