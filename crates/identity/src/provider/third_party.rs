//! Which client an id means, and what those may do that no administrator made: less than others, and only for gateways
//! that trust the pool.

use domain::{Authorizer, ClientId, ClientOrigin, Document, GatewayId, PoolClient, Timestamp, UserPool};
use store::StoreError;

use super::client_documents::{DocumentError, is_address};
use super::client_metadata::ClientMetadata;
use super::{PoolHint, Provider};

/// How long access and id tokens of such a client live, in seconds.
const TOKEN_LIFE: u32 = 3_600;
/// How long a sign-in by such a client can be refreshed, in seconds.
pub(super) const REFRESH_LIFE: u32 = 30 * 86_400;

/// Why it is not known which client is meant.
pub(super) enum ClientError {
    Store(StoreError),
    Document(DocumentError),
}

impl From<StoreError> for ClientError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Provider {
    /// The client that an id means, and its pool. None where the pool does not let such clients in (any more); its scopes
    /// are those that it may have now.
    pub(super) async fn meant_client(
        &self,
        hint: &PoolHint,
        id: &str,
    ) -> Result<Option<(PoolClient, UserPool)>, ClientError> {
        if is_address(id) {
            return self.client_of_document(hint, id).await;
        }
        let Some((mut client, pool)) = self.client_and_pool(id).await? else { return Ok(None) };
        if !pool.third_parties.admit(client.origin) {
            return Ok(None);
        }
        if client.origin.is_third_party() {
            client.scopes.clone_from(&pool.third_parties.scopes);
        }
        Ok(Some((client, pool)))
    }

    async fn client_of_document(
        &self,
        hint: &PoolHint,
        id: &str,
    ) -> Result<Option<(PoolClient, UserPool)>, ClientError> {
        let Some(pool) = self.find(hint).await? else { return Ok(None) };
        let Some(documents) = &self.documents else { return Ok(None) };
        let metadata = documents.read(&pool.third_parties.documents, id).await;
        let metadata = metadata.map_err(ClientError::Document)?;
        let origin = ClientOrigin::MetadataDocument;
        let id = ClientId::from_text(id);
        Ok(Some((third_party(id, origin, &metadata, &pool, self.clock.now()), pool)))
    }

    /// Whether a token for this address is one for a gateway that trusts the pool: the URL of its MCP endpoint.
    pub(super) async fn is_gateway_of(&self, pool: &UserPool, resource: &str) -> Result<bool, StoreError> {
        let id = resource
            .strip_prefix(self.names.public_url())
            .and_then(|rest| rest.strip_prefix("/gateways/"))
            .and_then(|rest| rest.strip_suffix("/mcp"));
        let Some(id) = id.filter(|id| !id.is_empty() && !id.contains('/')) else { return Ok(false) };
        let found = self.store.read().await?.gateway_of_id(&GatewayId::from_text(id)).await?;
        let trusts = found.and_then(|gateway| match gateway.authorizer {
            Authorizer::CustomJwt(jwt) => self.names.pool_of_discovery_url(&jwt.discovery_url),
            _ => None,
        });
        Ok(trusts.is_some_and(|trusted| trusted == pool.id))
    }
}

/// A client that no administrator made: public, for the code flow, with the scopes that the pool lets such clients have.
pub(super) fn third_party(
    id: ClientId,
    origin: ClientOrigin,
    metadata: &ClientMetadata,
    pool: &UserPool,
    now: Timestamp,
) -> PoolClient {
    PoolClient {
        id,
        pool: pool.id.clone(),
        scope: pool.scope.clone(),
        name: metadata.name.clone(),
        origin,
        secret: None,
        flows: vec!["code".to_owned()],
        // Whatever it wished for on the day it came: a gateway may want more later, and the person is asked each time.
        scopes: pool.third_parties.scopes.clone(),
        oauth_enabled: true,
        sign_in_flows: Vec::new(),
        callback_urls: metadata.redirect_uris.clone(),
        logout_urls: Vec::new(),
        access_token_seconds: TOKEN_LIFE,
        id_token_seconds: TOKEN_LIFE,
        refresh_token_seconds: REFRESH_LIFE,
        settings: Document("{}".to_owned()),
        created_at: now,
        updated_at: now,
        revision: 1,
    }
}
