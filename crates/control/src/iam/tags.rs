//! Tags of users, roles, managed policies and identity providers. A key's case does not matter (IAM User Guide, "Rules
//! for tagging").

use std::collections::BTreeMap;

use ::iam::Context as Conditions;
use aws_shapes::iam::{
    EntityTagOperations, ListPolicyTagsRequest, ListPolicyTagsResponse, ListRoleTagsRequest,
    ListRoleTagsResponse, ListUserTagsRequest, ListUserTagsResponse, Tag, TagPolicyRequest, TagRoleRequest,
    TagUserRequest, UntagPolicyRequest, UntagRoleRequest, UntagUserRequest,
};
use domain::{Holder, ManagedPolicy, Role, User};

use super::listing::{Listed, Listing};
use super::{Iam, holder, invalid_input, managed_policy, over_quota, role, user};
use crate::context::Context;
use crate::fault::Failure;

/// How many tags one resource may have.
const MOST: usize = 50;

/// A resource's tags.
type Tags = BTreeMap<String, String>;

impl EntityTagOperations<Context> for Iam {
    type Error = Failure;

    async fn tag_user(&self, context: &Context, input: TagUserRequest) -> Result<(), Failure> {
        let more = read(input.tags)?;
        change_user(context, input.user_name, |it| it.requesting_tags(&more), |tags| add(tags, &more)).await
    }

    async fn untag_user(&self, context: &Context, input: UntagUserRequest) -> Result<(), Failure> {
        let keys = input.tag_keys;
        change_user(context, input.user_name, |it| asked(it, &keys), |tags| remove(tags, &keys)).await
    }

    async fn list_user_tags(
        &self,
        context: &Context,
        input: ListUserTagsRequest,
    ) -> Result<ListUserTagsResponse, Failure> {
        let holder = Holder::User(input.user_name);
        let allowed = holder::authorize(context, &holder).await?;
        let user = user::find(&mut allowed.read().await?, context, &allowed, &holder).await?;
        let page = page(&user.tags, input.marker.as_deref(), input.max_items)?;
        Ok(ListUserTagsResponse { tags: page.items, is_truncated: page.is_truncated, marker: page.marker })
    }

    async fn tag_role(&self, context: &Context, input: TagRoleRequest) -> Result<(), Failure> {
        let more = read(input.tags)?;
        change_role(context, input.role_name, |it| it.requesting_tags(&more), |tags| add(tags, &more)).await
    }

    async fn untag_role(&self, context: &Context, input: UntagRoleRequest) -> Result<(), Failure> {
        let keys = input.tag_keys;
        change_role(context, input.role_name, |it| asked(it, &keys), |tags| remove(tags, &keys)).await
    }

    async fn list_role_tags(
        &self,
        context: &Context,
        input: ListRoleTagsRequest,
    ) -> Result<ListRoleTagsResponse, Failure> {
        let holder = Holder::Role(input.role_name);
        let allowed = holder::authorize(context, &holder).await?;
        let role = role::find(&mut allowed.read().await?, context, &allowed, &holder).await?;
        let page = page(&role.tags, input.marker.as_deref(), input.max_items)?;
        Ok(ListRoleTagsResponse { tags: page.items, is_truncated: page.is_truncated, marker: page.marker })
    }

    async fn tag_policy(&self, context: &Context, input: TagPolicyRequest) -> Result<(), Failure> {
        let more = read(input.tags)?;
        change_policy(context, &input.policy_arn, |it| it.requesting_tags(&more), |tags| add(tags, &more))
            .await
    }

    async fn untag_policy(&self, context: &Context, input: UntagPolicyRequest) -> Result<(), Failure> {
        let keys = input.tag_keys;
        change_policy(context, &input.policy_arn, |it| asked(it, &keys), |tags| remove(tags, &keys)).await
    }

    async fn list_policy_tags(
        &self,
        context: &Context,
        input: ListPolicyTagsRequest,
    ) -> Result<ListPolicyTagsResponse, Failure> {
        let arn = managed_policy::read_near_arn(context, &input.policy_arn)?;
        let allowed = managed_policy::authorize(context, &arn).await?;
        let found = allowed.read().await?.managed_policy(&arn).await?;
        let policy = found.ok_or_else(|| managed_policy::not_found(&arn))?;
        let page = page(&policy.tags, input.marker.as_deref(), input.max_items)?;
        Ok(ListPolicyTagsResponse { tags: page.items, is_truncated: page.is_truncated, marker: page.marker })
    }
}

/// The tags of a request.
///
/// # Errors
/// `InvalidInput` when a key stands twice, `LimitExceeded` when there are too many.
pub(super) fn read(given: Vec<Tag>) -> Result<Tags, Failure> {
    let mut tags = Tags::new();
    for tag in given {
        if tags.keys().any(|known| known.eq_ignore_ascii_case(&tag.key)) {
            return Err(invalid_input(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned(),
            ));
        }
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid_input("Tag keys may not begin with aws:, which is reserved.".to_owned()));
        }
        tags.insert(tag.key, tag.value);
    }
    bounded(tags)
}

/// Tags as answers carry them; nothing where there are none.
pub(super) fn wire(tags: &Tags) -> Option<Vec<Tag>> {
    (!tags.is_empty()).then(|| tags.iter().map(tag).collect())
}

fn tag((key, value): (&String, &String)) -> Tag {
    Tag { key: key.clone(), value: value.clone() }
}

fn bounded(tags: Tags) -> Result<Tags, Failure> {
    if tags.len() > MOST {
        return Err(over_quota(format!("Cannot exceed quota for TagsPerResource: {MOST}")));
    }
    Ok(tags)
}

fn add(tags: &Tags, more: &Tags) -> Result<Tags, Failure> {
    let mut all = remove(tags, &more.keys().cloned().collect::<Vec<_>>())?;
    all.extend(more.clone());
    bounded(all)
}

#[expect(clippy::unnecessary_wraps, reason = "it stands beside `add`, which can fail")]
fn remove(tags: &Tags, keys: &[String]) -> Result<Tags, Failure> {
    let kept = tags.iter().filter(|(known, _)| !keys.iter().any(|key| key.eq_ignore_ascii_case(known)));
    Ok(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn asked(conditions: Conditions, keys: &[String]) -> Conditions {
    conditions.with_many("aws:TagKeys", keys.iter().map(String::as_str))
}

fn page(tags: &Tags, marker: Option<&str>, max_items: Option<i64>) -> Result<Listed<Tag>, Failure> {
    let listing = Listing::new(marker, max_items)?;
    Ok(listing.page(tags.iter().map(tag).collect(), |tag: &Tag| tag.key.clone()))
}

async fn change_user(
    context: &Context,
    name: String,
    conditions: impl FnOnce(Conditions) -> Conditions,
    how: impl FnOnce(&Tags) -> Result<Tags, Failure>,
) -> Result<(), Failure> {
    let holder = Holder::User(name);
    let allowed = holder::authorize_with(context, &holder, conditions).await?;
    let mut tx = allowed.begin().await?;
    let user = user::find(&mut tx, context, &allowed, &holder).await?;
    let tags = how(&user.tags)?;
    tx.update_user(&User { tags, ..user }).await?;
    Ok(allowed.commit(tx).await?)
}

async fn change_role(
    context: &Context,
    name: String,
    conditions: impl FnOnce(Conditions) -> Conditions,
    how: impl FnOnce(&Tags) -> Result<Tags, Failure>,
) -> Result<(), Failure> {
    let holder = Holder::Role(name);
    let allowed = holder::authorize_with(context, &holder, conditions).await?;
    let mut tx = allowed.begin().await?;
    let role = role::find(&mut tx, context, &allowed, &holder).await?;
    let tags = how(&role.tags)?;
    tx.update_role(&Role { tags, ..role }).await?;
    Ok(allowed.commit(tx).await?)
}

async fn change_policy(
    context: &Context,
    arn: &str,
    conditions: impl FnOnce(Conditions) -> Conditions,
    how: impl FnOnce(&Tags) -> Result<Tags, Failure>,
) -> Result<(), Failure> {
    let arn = managed_policy::read_near_arn(context, arn)?;
    let allowed = managed_policy::authorize_with(context, &arn, conditions).await?;
    if arn.account() == managed_policy::AWS {
        return Err(managed_policy::outside());
    }
    let mut tx = allowed.begin().await?;
    let policy = tx.managed_policy(&arn).await?.ok_or_else(|| managed_policy::not_found(&arn))?;
    let tags = how(&policy.tags)?;
    tx.update_managed_policy(&context.scope.account, &ManagedPolicy { tags, ..policy }).await?;
    Ok(allowed.commit(tx).await?)
}
