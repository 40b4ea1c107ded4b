//! Domain prefixes: `{prefix}.auth.{region}.amazoncognito.com` names a pool's token endpoint. A prefix is taken once in a
//! region, whichever account has it, and is ready at once: there is no DNS to wait for.

use aws_shapes::cognito_idp::{
    CreateUserPoolDomainRequest, CreateUserPoolDomainResponse, DeleteUserPoolDomainRequest,
    DeleteUserPoolDomainResponse, DescribeUserPoolDomainRequest, DescribeUserPoolDomainResponse,
    DomainDescriptionType, DomainStatusType, UserPoolDomainOperations,
};
use domain::{Arn, PoolDomain, UserPoolId};
use store::StoreError;

use super::{Cognito, all_pools, find_pool, invalid};
use crate::context::Context;
use crate::fault::Failure;

/// Words that no prefix may hold (Cognito developer guide, "Using the Amazon Cognito domain").
const RESERVED: [&str; 3] = ["aws", "amazon", "cognito"];

impl UserPoolDomainOperations<Context> for Cognito {
    type Error = Failure;

    async fn create_user_pool_domain(
        &self,
        context: &Context,
        input: CreateUserPoolDomainRequest,
    ) -> Result<CreateUserPoolDomainResponse, Failure> {
        let id = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &id))?;
        // The documents name a pool's domain after the pool, whose letters are drawn at random.
        let own_label = input.domain == id.host_label();
        if let Some(word) = RESERVED.iter().find(|word| !own_label && input.domain.contains(**word)) {
            return Err(invalid(format!("Domain cannot contain reserved word: {word}")));
        }
        let mut tx = allowed.begin().await?;
        let pool = find_pool(&mut tx, &context.scope, &id).await?;
        if tx.domain_of_pool(&id).await?.is_some() {
            return Err(invalid("User pool already has a domain configured."));
        }
        // Every pool answers at its own label too, and nobody else may stand there.
        if tx.user_pool_by_label(&input.domain).await?.is_some_and(|other| other.id != id) {
            return Err(taken());
        }
        let domain = PoolDomain { domain: input.domain, pool: id, scope: pool.scope };
        tx.insert_pool_domain(&domain).await.map_err(|error| match error {
            StoreError::Exists => taken(),
            error => error.into(),
        })?;
        allowed.commit(tx).await?;
        Ok(CreateUserPoolDomainResponse::default())
    }

    /// The request names no pool, so none is decided about. A prefix that nobody has, or somebody else,
    /// has an empty description.
    async fn describe_user_pool_domain(
        &self,
        context: &Context,
        input: DescribeUserPoolDomainRequest,
    ) -> Result<DescribeUserPoolDomainResponse, Failure> {
        let allowed = context.authorize_without_resource(&all_pools(&context.scope))?;
        let found = allowed.read().await?.pool_domain(&context.scope.region, &input.domain).await?;
        let own = found.filter(|domain| domain.scope == context.scope);
        let domain_description = Some(own.map(describe).unwrap_or_default());
        Ok(DescribeUserPoolDomainResponse { domain_description })
    }

    async fn delete_user_pool_domain(
        &self,
        context: &Context,
        input: DeleteUserPoolDomainRequest,
    ) -> Result<DeleteUserPoolDomainResponse, Failure> {
        let id = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &id))?;
        let mut tx = allowed.begin().await?;
        find_pool(&mut tx, &context.scope, &id).await?;
        let found = tx.domain_of_pool(&id).await?.filter(|domain| domain.domain == input.domain);
        let domain = found.ok_or_else(|| invalid("No such domain or user pool exists."))?;
        tx.delete_pool_domain(&domain).await?;
        allowed.commit(tx).await?;
        Ok(DeleteUserPoolDomainResponse::default())
    }
}

fn taken() -> Failure {
    invalid("Domain already associated with another user pool.")
}

fn describe(domain: PoolDomain) -> DomainDescriptionType {
    DomainDescriptionType {
        user_pool_id: Some(domain.pool.to_string()),
        aws_account_id: Some(domain.scope.account.to_string()),
        domain: Some(domain.domain),
        version: None,
        status: Some(DomainStatusType::Active),
    }
}
