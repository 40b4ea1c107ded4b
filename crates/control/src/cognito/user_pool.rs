//! User pools. A pool is an issuer: it is made with the key that it signs with.

use std::sync::Arc;

use aws_shapes::cognito_idp::{
    AdminCreateUserConfigType, CreateUserPoolRequest, CreateUserPoolResponse, DeleteUserPoolRequest,
    DeletionProtectionType, DescribeUserPoolRequest, DescribeUserPoolResponse, ListUserPoolsRequest,
    ListUserPoolsResponse, UpdateUserPoolRequest, UpdateUserPoolResponse, UserPoolDescriptionType,
    UserPoolOperations, UserPoolType,
};
use domain::{Arn, Document, PoolDomain, SigningKey, ThirdParties, UserPool, UserPoolId};
use identity::provider::generate_key;
use store::Page;

use super::{Cognito, all_pools, find_pool, invalid, over_limit, page, read, triggers, written};
use crate::context::Context;
use crate::fault::Failure;

/// How many pools an account may have in a region (Cognito quotas).
const MOST_POOLS: usize = 1_000;

impl UserPoolOperations<Context> for Cognito {
    type Error = Failure;

    async fn create_user_pool(
        &self,
        context: &Context,
        input: CreateUserPoolRequest,
    ) -> Result<CreateUserPoolResponse, Failure> {
        let allowed = context.authorize_without_resource(&all_pools(&context.scope))?;
        let id = UserPoolId::mint(&*context.setup().random, context.scope.region.as_str());
        let key = make_key(context, &id).await?;
        let mut tx = allowed.begin().await?;
        if tx.user_pools(&context.scope, Page::ALL).await?.len() >= MOST_POOLS {
            return Err(over_limit("user pools per account and region", MOST_POOLS));
        }
        let pool = UserPool {
            id,
            scope: context.scope.clone(),
            name: input.pool_name,
            settings: settings(input.admin_create_user_config)?,
            deletion_protected: input.deletion_protection == Some(DeletionProtectionType::Active),
            pre_token: triggers::read(input.lambda_config, &context.scope)?,
            third_parties: ThirdParties::default(),
            created_at: context.now,
            updated_at: context.now,
            revision: 1,
        };
        tx.insert_user_pool(&pool).await?;
        tx.insert_signing_key(&pool.scope, &key).await?;
        allowed.commit_about(tx, &Arn::user_pool(&pool.scope, &pool.id)).await?;
        Ok(CreateUserPoolResponse { user_pool: Some(describe(&pool, None, 0)?) })
    }

    async fn describe_user_pool(
        &self,
        context: &Context,
        input: DescribeUserPoolRequest,
    ) -> Result<DescribeUserPoolResponse, Failure> {
        let id = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &id))?;
        let mut tx = allowed.read().await?;
        let pool = find_pool(&mut tx, &context.scope, &id).await?;
        let domain = tx.domain_of_pool(&id).await?;
        let users = tx.count_pool_users(&id).await?;
        Ok(DescribeUserPoolResponse { user_pool: Some(describe(&pool, domain, users)?) })
    }

    /// What is not given is set back to what a new pool has, as on AWS; but a pool keeps its name, and its protection
    /// until it is taken off in so many words.
    async fn update_user_pool(
        &self,
        context: &Context,
        input: UpdateUserPoolRequest,
    ) -> Result<UpdateUserPoolResponse, Failure> {
        let id = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &id))?;
        let mut tx = allowed.begin().await?;
        let mut pool = find_pool(&mut tx, &context.scope, &id).await?;
        if let Some(name) = input.pool_name {
            pool.name = name;
        }
        if let Some(protection) = input.deletion_protection {
            pool.deletion_protected = protection == DeletionProtectionType::Active;
        }
        pool.pre_token = triggers::read(input.lambda_config, &context.scope)?;
        pool.settings = settings(input.admin_create_user_config)?;
        pool.updated_at = context.now;
        tx.update_user_pool(&mut pool).await?;
        allowed.commit(tx).await?;
        Ok(UpdateUserPoolResponse::default())
    }

    async fn delete_user_pool(&self, context: &Context, input: DeleteUserPoolRequest) -> Result<(), Failure> {
        let id = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &id))?;
        let mut tx = allowed.begin().await?;
        let pool = find_pool(&mut tx, &context.scope, &id).await?;
        if pool.deletion_protected {
            return Err(invalid(
                "The user pool cannot be deleted because deletion protection is activated. Deletion protection \
                 must be inactivated first.",
            ));
        }
        if tx.domain_of_pool(&id).await?.is_some() {
            return Err(invalid(
                "User pool cannot be deleted. It has a domain configured that should be deleted first.",
            ));
        }
        tx.delete_user_pool(&context.scope, &id).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn list_user_pools(
        &self,
        context: &Context,
        input: ListUserPoolsRequest,
    ) -> Result<ListUserPoolsResponse, Failure> {
        let allowed = context.authorize_without_resource(&all_pools(&context.scope))?;
        let paging = page(input.next_token.as_deref(), Some(input.max_results))?;
        let found = allowed.read().await?.user_pools(&context.scope, paging.page()).await?;
        let (pools, next_token) = paging.cut(found, |pool| pool.id.to_string());
        Ok(ListUserPoolsResponse { user_pools: Some(pools.iter().map(summarise).collect()), next_token })
    }
}

/// The key that a new pool signs with.
async fn make_key(context: &Context, pool: &UserPoolId) -> Result<SigningKey, Failure> {
    let random = Arc::clone(&context.setup().random);
    let (pool, now) = (pool.clone(), context.now);
    let making = tokio::task::spawn_blocking(move || generate_key(&*random, &pool, now));
    making.await.map_err(|error| Failure::internal(&error))?.map_err(|error| Failure::internal(&error))
}

/// `AdminCreateUserConfig`. Only administrators make users here, so it is only echoed.
fn settings(given: Option<AdminCreateUserConfigType>) -> Result<Document, Failure> {
    let only_admins = given.and_then(|config| config.allow_admin_create_user_only).unwrap_or_default();
    written(&AdminCreateUserConfigType { allow_admin_create_user_only: Some(only_admins) })
}

fn describe(pool: &UserPool, domain: Option<PoolDomain>, users: i64) -> Result<UserPoolType, Failure> {
    Ok(UserPoolType {
        id: Some(pool.id.to_string()),
        name: Some(pool.name.clone()),
        deletion_protection: Some(match pool.deletion_protected {
            true => DeletionProtectionType::Active,
            false => DeletionProtectionType::Inactive,
        }),
        last_modified_date: Some(pool.updated_at),
        creation_date: Some(pool.created_at),
        estimated_number_of_users: Some(users),
        domain: domain.map(|domain| domain.domain),
        admin_create_user_config: Some(read(&pool.settings)?),
        lambda_config: pool.pre_token.as_ref().map(triggers::describe),
        arn: Some(Arn::user_pool(&pool.scope, &pool.id).into()),
    })
}

fn summarise(pool: &UserPool) -> UserPoolDescriptionType {
    UserPoolDescriptionType {
        id: Some(pool.id.to_string()),
        name: Some(pool.name.clone()),
        last_modified_date: Some(pool.updated_at),
        creation_date: Some(pool.created_at),
    }
}
