//! Groups of users. A user may do what its groups' policies allow, too; a group itself can do nothing.

use aws_shapes::iam::{
    AddUserToGroupRequest, AttachGroupPolicyRequest, CreateGroupRequest, CreateGroupResponse,
    DeleteGroupPolicyRequest, DeleteGroupRequest, DetachGroupPolicyRequest, GetGroupPolicyRequest,
    GetGroupPolicyResponse, GetGroupRequest, GetGroupResponse, Group as WireGroup, GroupOperations,
    ListAttachedGroupPoliciesRequest, ListAttachedGroupPoliciesResponse, ListGroupPoliciesRequest,
    ListGroupPoliciesResponse, ListGroupsForUserRequest, ListGroupsForUserResponse, ListGroupsRequest,
    ListGroupsResponse, PutGroupPolicyRequest, RemoveUserFromGroupRequest,
};
use domain::{Arn, Group, Holder};
use store::{Page, StoreError, Tx};

use super::document::encoded;
use super::listing::Listing;
use super::{Iam, NO_PATH, already_exists, delete_conflict, holder, no_such_holder, over_quota, user};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// How many groups one user may be in.
const MOST_OF_USER: usize = 10;

impl GroupOperations<Context> for Iam {
    type Error = Failure;

    async fn create_group(
        &self,
        context: &Context,
        input: CreateGroupRequest,
    ) -> Result<CreateGroupResponse, Failure> {
        let group = Group {
            account: context.scope.account.clone(),
            path: input.path.unwrap_or_else(|| NO_PATH.to_owned()),
            id: Group::mint_id(&*context.setup().random),
            created_at: context.now,
            name: input.group_name,
        };
        let allowed = context.authorize(&group.arn())?;
        let mut tx = allowed.begin().await?;
        tx.insert_group(&group).await.map_err(|error| match error {
            StoreError::Exists => already_exists(format!("Group with name {} already exists.", group.name)),
            error => error.into(),
        })?;
        allowed.commit(tx).await?;
        Ok(CreateGroupResponse { group: describe(group) })
    }

    async fn get_group(
        &self,
        context: &Context,
        input: GetGroupRequest,
    ) -> Result<GetGroupResponse, Failure> {
        let holder = Holder::Group(input.group_name);
        let allowed = holder::authorize(context, &holder).await?;
        let listing = Listing::new(input.marker.as_deref(), input.max_items)?;
        let mut tx = allowed.read().await?;
        let group = find(&mut tx, context, &allowed, &holder).await?;
        let members = tx.members(&context.scope.account, holder.name()).await?;
        let page = listing.page(members, |user| user.name.to_lowercase()).map(user::describe);
        Ok(GetGroupResponse {
            group: describe(group),
            users: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }

    async fn list_groups(
        &self,
        context: &Context,
        input: ListGroupsRequest,
    ) -> Result<ListGroupsResponse, Failure> {
        let prefix = input.path_prefix.as_deref().unwrap_or(NO_PATH);
        let allowed = context.authorize(&Arn::iam(&context.scope.account, &format!("group{prefix}")))?;
        let listing = Listing::new(input.marker.as_deref(), input.max_items)?;
        let mut groups = allowed.read().await?.groups(&context.scope.account, Page::ALL).await?;
        groups.retain(|group| group.path.starts_with(prefix));
        let page = listing.page(groups, |group| group.name.to_lowercase()).map(describe);
        Ok(ListGroupsResponse { groups: page.items, is_truncated: page.is_truncated, marker: page.marker })
    }

    async fn delete_group(&self, context: &Context, input: DeleteGroupRequest) -> Result<(), Failure> {
        let holder = Holder::Group(input.group_name);
        let allowed = holder::authorize(context, &holder).await?;
        let mut tx = allowed.begin().await?;
        holder::require(&mut tx, context, &allowed, &holder).await?;
        if !tx.members(&context.scope.account, holder.name()).await?.is_empty() {
            return Err(delete_conflict("Cannot delete entity, must remove users from group first."));
        }
        holder::require_bare(&mut tx, context, &holder).await?;
        tx.delete_group(&context.scope.account, holder.name()).await?;
        Ok(allowed.commit(tx).await?)
    }

    /// Decided about the group.
    async fn add_user_to_group(
        &self,
        context: &Context,
        input: AddUserToGroupRequest,
    ) -> Result<(), Failure> {
        let (allowed, mut tx) = membership(context, &input.group_name, &input.user_name).await?;
        let account = &context.scope.account;
        let groups = tx.groups_of(account, &input.user_name).await?;
        let is_in = groups.iter().any(|group| group.name.eq_ignore_ascii_case(&input.group_name));
        if !is_in && groups.len() >= MOST_OF_USER {
            return Err(over_quota(format!("Cannot exceed quota for GroupsPerUser: {MOST_OF_USER}")));
        }
        tx.join_group(account, &input.user_name, &input.group_name).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn remove_user_from_group(
        &self,
        context: &Context,
        input: RemoveUserFromGroupRequest,
    ) -> Result<(), Failure> {
        let (allowed, mut tx) = membership(context, &input.group_name, &input.user_name).await?;
        tx.leave_group(&context.scope.account, &input.user_name, &input.group_name).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn list_groups_for_user(
        &self,
        context: &Context,
        input: ListGroupsForUserRequest,
    ) -> Result<ListGroupsForUserResponse, Failure> {
        let holder = Holder::User(input.user_name);
        let allowed = holder::authorize(context, &holder).await?;
        let listing = Listing::new(input.marker.as_deref(), input.max_items)?;
        let mut tx = allowed.read().await?;
        holder::require(&mut tx, context, &allowed, &holder).await?;
        let groups = tx.groups_of(&context.scope.account, holder.name()).await?;
        let page = listing.page(groups, |group| group.name.to_lowercase()).map(describe);
        Ok(ListGroupsForUserResponse {
            groups: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }

    async fn put_group_policy(&self, context: &Context, input: PutGroupPolicyRequest) -> Result<(), Failure> {
        let holder = Holder::Group(input.group_name);
        holder::put_inline(context, &holder, &input.policy_name, &input.policy_document).await
    }

    async fn get_group_policy(
        &self,
        context: &Context,
        input: GetGroupPolicyRequest,
    ) -> Result<GetGroupPolicyResponse, Failure> {
        let holder = Holder::Group(input.group_name.clone());
        let document = holder::inline(context, &holder, &input.policy_name).await?;
        Ok(GetGroupPolicyResponse {
            group_name: input.group_name,
            policy_name: input.policy_name,
            policy_document: encoded(&document),
        })
    }

    async fn list_group_policies(
        &self,
        context: &Context,
        input: ListGroupPoliciesRequest,
    ) -> Result<ListGroupPoliciesResponse, Failure> {
        let page = (input.marker.as_deref(), input.max_items);
        let page = holder::inline_names(context, &Holder::Group(input.group_name), page).await?;
        Ok(ListGroupPoliciesResponse {
            policy_names: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }

    async fn delete_group_policy(
        &self,
        context: &Context,
        input: DeleteGroupPolicyRequest,
    ) -> Result<(), Failure> {
        holder::delete_inline(context, &Holder::Group(input.group_name), &input.policy_name).await
    }

    async fn attach_group_policy(
        &self,
        context: &Context,
        input: AttachGroupPolicyRequest,
    ) -> Result<(), Failure> {
        holder::attach(context, &Holder::Group(input.group_name), &input.policy_arn).await
    }

    async fn detach_group_policy(
        &self,
        context: &Context,
        input: DetachGroupPolicyRequest,
    ) -> Result<(), Failure> {
        holder::detach(context, &Holder::Group(input.group_name), &input.policy_arn).await
    }

    async fn list_attached_group_policies(
        &self,
        context: &Context,
        input: ListAttachedGroupPoliciesRequest,
    ) -> Result<ListAttachedGroupPoliciesResponse, Failure> {
        let page = (input.marker.as_deref(), input.max_items);
        let holder = Holder::Group(input.group_name);
        let page = holder::attached(context, &holder, input.path_prefix.as_deref(), page).await?;
        Ok(ListAttachedGroupPoliciesResponse {
            attached_policies: Some(page.items),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

/// The permission to change who is in a group, and the transaction in which group and user are there.
async fn membership<'a>(
    context: &'a Context,
    group: &str,
    user: &str,
) -> Result<(Authorized<'a>, Tx), Failure> {
    let holder = Holder::Group(group.to_owned());
    let allowed = holder::authorize(context, &holder).await?;
    let mut tx = allowed.begin().await?;
    holder::require(&mut tx, context, &allowed, &holder).await?;
    if tx.user(&context.scope.account, user).await?.is_none() {
        return Err(no_such_holder(&Holder::User(user.to_owned())));
    }
    Ok((allowed, tx))
}

async fn find(
    tx: &mut Tx,
    context: &Context,
    allowed: &Authorized<'_>,
    holder: &Holder,
) -> Result<Group, Failure> {
    let found = tx.group(&context.scope.account, holder.name()).await?;
    let group = found.ok_or_else(|| no_such_holder(holder))?;
    holder::still(allowed, &group.arn())?;
    Ok(group)
}

fn describe(group: Group) -> WireGroup {
    WireGroup {
        arn: group.arn().into(),
        path: group.path,
        group_name: group.name,
        group_id: group.id,
        create_date: group.created_at,
    }
}
