//! Resource servers: each is a namespace of scopes, which clients are allowed by their full names, `{identifier}/{scope}`.

use std::collections::HashSet;

use aws_shapes::cognito_idp::{
    CreateResourceServerRequest, CreateResourceServerResponse, DeleteResourceServerRequest,
    DescribeResourceServerRequest, DescribeResourceServerResponse, ListResourceServersRequest,
    ListResourceServersResponse, ResourceServerOperations, ResourceServerScopeType, ResourceServerType,
    UpdateResourceServerRequest, UpdateResourceServerResponse,
};
use domain::{Arn, ResourceServer, ResourceServerScope, UserPoolId};
use store::{Page, StoreError, Tx};

use super::{Cognito, find_pool, invalid, not_found, over_limit, page};
use crate::context::Context;
use crate::fault::Failure;

/// How many resource servers a pool may have (Cognito quotas). How many scopes each may have, the model says: 100.
const MOST_SERVERS: usize = 25;

impl ResourceServerOperations<Context> for Cognito {
    type Error = Failure;

    async fn create_resource_server(
        &self,
        context: &Context,
        input: CreateResourceServerRequest,
    ) -> Result<CreateResourceServerResponse, Failure> {
        let server = read(input)?;
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &server.pool))?;
        let mut tx = allowed.begin().await?;
        find_pool(&mut tx, &context.scope, &server.pool).await?;
        if tx.resource_servers(&server.pool, Page::ALL).await?.len() >= MOST_SERVERS {
            return Err(over_limit("resource servers per user pool", MOST_SERVERS));
        }
        tx.insert_resource_server(&context.scope, &server).await.map_err(|error| match error {
            StoreError::Exists => {
                invalid(format!("{} already exists in user pool {}.", server.identifier, server.pool))
            }
            error => error.into(),
        })?;
        allowed.commit(tx).await?;
        Ok(CreateResourceServerResponse { resource_server: describe(server) })
    }

    async fn describe_resource_server(
        &self,
        context: &Context,
        input: DescribeResourceServerRequest,
    ) -> Result<DescribeResourceServerResponse, Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let mut tx = allowed.read().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        let server = find(&mut tx, &pool, &input.identifier).await?;
        Ok(DescribeResourceServerResponse { resource_server: describe(server) })
    }

    /// A full replacement. A scope that is gone is granted to no client any more, though clients may still list it.
    async fn update_resource_server(
        &self,
        context: &Context,
        input: UpdateResourceServerRequest,
    ) -> Result<UpdateResourceServerResponse, Failure> {
        let server = read(input)?;
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &server.pool))?;
        let mut tx = allowed.begin().await?;
        find_pool(&mut tx, &context.scope, &server.pool).await?;
        find(&mut tx, &server.pool, &server.identifier).await?;
        tx.update_resource_server(&context.scope, &server).await?;
        allowed.commit(tx).await?;
        Ok(UpdateResourceServerResponse { resource_server: describe(server) })
    }

    async fn delete_resource_server(
        &self,
        context: &Context,
        input: DeleteResourceServerRequest,
    ) -> Result<(), Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let mut tx = allowed.begin().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        find(&mut tx, &pool, &input.identifier).await?;
        tx.delete_resource_server(&context.scope, &pool, &input.identifier).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn list_resource_servers(
        &self,
        context: &Context,
        input: ListResourceServersRequest,
    ) -> Result<ListResourceServersResponse, Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let paging = page(input.next_token.as_deref(), input.max_results)?;
        let mut tx = allowed.read().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        let found = tx.resource_servers(&pool, paging.page()).await?;
        let (servers, next_token) = paging.cut(found, |server| server.identifier.clone());
        let resource_servers = servers.into_iter().map(describe).collect();
        Ok(ListResourceServersResponse { resource_servers, next_token })
    }
}

async fn find(tx: &mut Tx, pool: &UserPoolId, identifier: &str) -> Result<ResourceServer, Failure> {
    let found = tx.resource_server(pool, identifier).await?;
    found.ok_or_else(|| not_found(format!("Resource server {identifier} does not exist.")))
}

fn read(input: CreateResourceServerRequest) -> Result<ResourceServer, Failure> {
    let scopes = input.scopes.unwrap_or_default();
    let mut seen = HashSet::new();
    if let Some(twice) = scopes.iter().find(|scope| !seen.insert(scope.scope_name.as_str())) {
        return Err(invalid(format!("The scope {} is given more than once.", twice.scope_name)));
    }
    let scope = |scope: ResourceServerScopeType| ResourceServerScope {
        name: scope.scope_name,
        description: scope.scope_description,
    };
    Ok(ResourceServer {
        pool: UserPoolId::from_text(input.user_pool_id),
        identifier: input.identifier,
        name: input.name,
        scopes: scopes.into_iter().map(scope).collect(),
    })
}

fn describe(server: ResourceServer) -> ResourceServerType {
    let scope = |scope: ResourceServerScope| ResourceServerScopeType {
        scope_name: scope.name,
        scope_description: scope.description,
    };
    ResourceServerType {
        user_pool_id: Some(server.pool.to_string()),
        identifier: Some(server.identifier),
        name: Some(server.name),
        scopes: Some(server.scopes.into_iter().map(scope).collect()),
        managed_by: None,
    }
}
