//! Groups of users: what `cognito:groups` of a token names, and policies can ask for.

use aws::Fault;
use aws_shapes::cognito_idp::{
    AdminAddUserToGroupRequest, AdminListGroupsForUserRequest, AdminListGroupsForUserResponse,
    CreateGroupRequest, CreateGroupResponse, GroupOperations, GroupType, ListGroupsRequest,
    ListGroupsResponse,
};
use domain::{Arn, PoolGroup, UserPoolId};
use store::{Page, StoreError};

use super::user::find_user;
use super::{Cognito, find_pool, not_found, over_limit, page};
use crate::context::Context;
use crate::fault::Failure;

/// How many groups a pool may have, and how many of them a user may be in (Cognito quotas).
const MOST_GROUPS: usize = 10_000;
const MOST_GROUPS_OF_A_USER: usize = 100;

impl GroupOperations<Context> for Cognito {
    type Error = Failure;

    async fn create_group(
        &self,
        context: &Context,
        input: CreateGroupRequest,
    ) -> Result<CreateGroupResponse, Failure> {
        let group = PoolGroup {
            pool: UserPoolId::from_text(input.user_pool_id),
            scope: context.scope.clone(),
            name: input.group_name,
            description: input.description,
            precedence: input.precedence,
            created_at: context.now,
            updated_at: context.now,
        };
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &group.pool))?;
        let mut tx = allowed.begin().await?;
        find_pool(&mut tx, &context.scope, &group.pool).await?;
        if tx.pool_groups(&group.pool, Page::ALL).await?.len() >= MOST_GROUPS {
            return Err(over_limit("groups per user pool", MOST_GROUPS));
        }
        tx.insert_pool_group(&group).await.map_err(|error| match error {
            StoreError::Exists => {
                Fault::new("GroupExistsException", "A group with the name already exists.").into()
            }
            error => Failure::from(error),
        })?;
        allowed.commit(tx).await?;
        Ok(CreateGroupResponse { group: Some(describe(group)) })
    }

    async fn list_groups(
        &self,
        context: &Context,
        input: ListGroupsRequest,
    ) -> Result<ListGroupsResponse, Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let paging = page(input.next_token.as_deref(), input.limit)?;
        let mut tx = allowed.read().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        let found = tx.pool_groups(&pool, paging.page()).await?;
        let (groups, next_token) = paging.cut(found, |group| group.name.clone());
        Ok(ListGroupsResponse { groups: Some(groups.into_iter().map(describe).collect()), next_token })
    }

    async fn admin_add_user_to_group(
        &self,
        context: &Context,
        input: AdminAddUserToGroupRequest,
    ) -> Result<(), Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let mut tx = allowed.begin().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        let user = find_user(&mut tx, &pool, &input.username).await?;
        if tx.pool_group(&pool, &input.group_name).await?.is_none() {
            return Err(not_found("Group not found.".to_owned()));
        }
        if tx.groups_of_user(&pool, &user.name, Page::ALL).await?.len() >= MOST_GROUPS_OF_A_USER {
            return Err(over_limit("groups per user", MOST_GROUPS_OF_A_USER));
        }
        tx.add_pool_member(&pool, &input.group_name, &user.name).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn admin_list_groups_for_user(
        &self,
        context: &Context,
        input: AdminListGroupsForUserRequest,
    ) -> Result<AdminListGroupsForUserResponse, Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let paging = page(input.next_token.as_deref(), input.limit)?;
        let mut tx = allowed.read().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        find_user(&mut tx, &pool, &input.username).await?;
        let found = tx.groups_of_user(&pool, &input.username, paging.page()).await?;
        let (groups, next_token) = paging.cut(found, |group| group.name.clone());
        let groups = Some(groups.into_iter().map(describe).collect());
        Ok(AdminListGroupsForUserResponse { groups, next_token })
    }
}

fn describe(group: PoolGroup) -> GroupType {
    GroupType {
        group_name: Some(group.name),
        user_pool_id: Some(group.pool.to_string()),
        description: group.description,
        precedence: group.precedence,
        last_modified_date: Some(group.updated_at),
        creation_date: Some(group.created_at),
    }
}
