//! App clients. A client's secret is made here, is shown to whoever may describe the client, and never changes.

use aws_shapes::cognito_idp::{
    CreateUserPoolClientRequest, CreateUserPoolClientResponse, DeleteUserPoolClientRequest,
    DescribeUserPoolClientRequest, DescribeUserPoolClientResponse, ListUserPoolClientsRequest,
    ListUserPoolClientsResponse, UpdateUserPoolClientRequest, UpdateUserPoolClientResponse,
    UserPoolClientDescription, UserPoolClientOperations, UserPoolClientType,
};
use domain::{Arn, ClientId, ClientOrigin, Document, PoolClient, Secret, UserPoolId};
use store::{Page, Tx};

use super::client_settings::{Settings, describe};
use super::{Cognito, find_pool, not_found, over_limit, page};
use crate::context::Context;
use crate::fault::Failure;

/// How many clients a pool may have (Cognito quotas).
const MOST_CLIENTS: usize = 1_000;
/// The length of a secret, and what it is drawn from: 268 bits.
const SECRET_LENGTH: usize = 52;
const SECRET_LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

impl UserPoolClientOperations<Context> for Cognito {
    type Error = Failure;

    async fn create_user_pool_client(
        &self,
        context: &Context,
        mut input: CreateUserPoolClientRequest,
    ) -> Result<CreateUserPoolClientResponse, Failure> {
        let pool = UserPoolId::from_text(std::mem::take(&mut input.user_pool_id));
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let random = &*context.setup().random;
        let with_secret = input.generate_secret == Some(true);
        let mut client = PoolClient {
            id: ClientId::mint(random),
            pool,
            scope: context.scope.clone(),
            name: std::mem::take(&mut input.client_name),
            origin: ClientOrigin::Administrator,
            secret: with_secret.then(|| Secret::new(random.text(SECRET_LENGTH, SECRET_LETTERS))),
            flows: Vec::new(),
            scopes: Vec::new(),
            oauth_enabled: false,
            sign_in_flows: Vec::new(),
            callback_urls: Vec::new(),
            logout_urls: Vec::new(),
            access_token_seconds: 0,
            id_token_seconds: 0,
            refresh_token_seconds: 0,
            settings: Document(String::new()),
            created_at: context.now,
            updated_at: context.now,
            revision: 1,
        };
        let settings = Settings::of_create(input);
        let mut tx = allowed.begin().await?;
        find_pool(&mut tx, &context.scope, &client.pool).await?;
        // Those who registered themselves have a bound of their own, and take nobody's place.
        let made = tx.pool_clients(&client.pool, Page::ALL).await?;
        if made.iter().filter(|client| !client.origin.is_third_party()).count() >= MOST_CLIENTS {
            return Err(over_limit("clients per user pool", MOST_CLIENTS));
        }
        let servers = tx.resource_servers(&client.pool, Page::ALL).await?;
        settings.check(&client.pool, &servers, with_secret)?;
        settings.apply(&mut client, context.now)?;
        tx.insert_pool_client(&client).await?;
        allowed.commit(tx).await?;
        Ok(CreateUserPoolClientResponse { user_pool_client: Some(show(&client)?) })
    }

    async fn describe_user_pool_client(
        &self,
        context: &Context,
        input: DescribeUserPoolClientRequest,
    ) -> Result<DescribeUserPoolClientResponse, Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let mut tx = allowed.read().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        let client = find(&mut tx, &pool, &ClientId::from_text(input.client_id)).await?;
        Ok(DescribeUserPoolClientResponse { user_pool_client: Some(show(&client)?) })
    }

    /// A full replacement of everything but the secret: what is not given is no longer allowed.
    async fn update_user_pool_client(
        &self,
        context: &Context,
        mut input: UpdateUserPoolClientRequest,
    ) -> Result<UpdateUserPoolClientResponse, Failure> {
        let pool = UserPoolId::from_text(std::mem::take(&mut input.user_pool_id));
        let id = ClientId::from_text(std::mem::take(&mut input.client_id));
        let name = input.client_name.take();
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let settings = Settings::of_update(input);
        let mut tx = allowed.begin().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        let mut client = find(&mut tx, &pool, &id).await?;
        let servers = tx.resource_servers(&pool, Page::ALL).await?;
        settings.check(&pool, &servers, client.secret.is_some())?;
        settings.apply(&mut client, context.now)?;
        client.name = name.unwrap_or(client.name);
        tx.update_pool_client(&mut client).await?;
        allowed.commit(tx).await?;
        Ok(UpdateUserPoolClientResponse { user_pool_client: Some(show(&client)?) })
    }

    async fn delete_user_pool_client(
        &self,
        context: &Context,
        input: DeleteUserPoolClientRequest,
    ) -> Result<(), Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let id = ClientId::from_text(input.client_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let mut tx = allowed.begin().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        find(&mut tx, &pool, &id).await?;
        tx.delete_pool_client(&context.scope, &pool, &id).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn list_user_pool_clients(
        &self,
        context: &Context,
        input: ListUserPoolClientsRequest,
    ) -> Result<ListUserPoolClientsResponse, Failure> {
        let pool = UserPoolId::from_text(input.user_pool_id);
        let allowed = context.authorize(&Arn::user_pool(&context.scope, &pool))?;
        let paging = page(input.next_token.as_deref(), input.max_results)?;
        let mut tx = allowed.read().await?;
        find_pool(&mut tx, &context.scope, &pool).await?;
        let found = tx.pool_clients(&pool, paging.page()).await?;
        let (clients, next_token) = paging.cut(found, |client| client.id.to_string());
        let user_pool_clients = Some(clients.iter().map(summarise).collect());
        Ok(ListUserPoolClientsResponse { user_pool_clients, next_token })
    }
}

/// The client of an id, if it is one of this pool.
async fn find(tx: &mut Tx, pool: &UserPoolId, id: &ClientId) -> Result<PoolClient, Failure> {
    let found = tx.pool_client(id).await?.filter(|client| client.pool == *pool);
    found.ok_or_else(|| not_found(format!("User pool client {id} does not exist.")))
}

/// A client with its secret, for those who may describe it.
fn show(client: &PoolClient) -> Result<UserPoolClientType, Failure> {
    let client_secret = client.secret.as_ref().map(|secret| secret.expose().to_owned());
    Ok(UserPoolClientType { client_secret, ..describe(client)? })
}

fn summarise(client: &PoolClient) -> UserPoolClientDescription {
    UserPoolClientDescription {
        client_id: Some(client.id.to_string()),
        user_pool_id: Some(client.pool.to_string()),
        client_name: Some(client.name.clone()),
    }
}
