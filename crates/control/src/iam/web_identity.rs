//! Whether an account's identities may say to others who they are (`sts:GetWebIdentityToken`), and by which issuer.

use std::sync::Arc;

use aws::Fault;
use aws_shapes::iam::{
    EnableOutboundWebIdentityFederationResponse, GetOutboundWebIdentityFederationInfoResponse,
    OutboundWebIdentityFederationOperations,
};
use domain::WebIdentityIssuer;
use identity::web_identity::make_issuer;
use store::StoreError;

use super::Iam;
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

impl OutboundWebIdentityFederationOperations<Context> for Iam {
    type Error = Failure;

    /// The first time makes the issuer. Later it is the same one again, by the same keys.
    async fn enable_outbound_web_identity_federation(
        &self,
        context: &Context,
    ) -> Result<EnableOutboundWebIdentityFederationResponse, Failure> {
        let allowed = authorize(context)?;
        let account = &context.scope.account;
        let found = allowed.read().await?.web_identity_issuer(account).await?;
        let issuer = match found {
            Some(issuer) if issuer.is_enabled => return Err(already()),
            Some(issuer) => {
                let issuer = WebIdentityIssuer { is_enabled: true, ..issuer };
                change(&allowed, &issuer).await?;
                issuer
            }
            None => {
                let (random, account, now) =
                    (Arc::clone(&context.setup().random), account.clone(), context.now);
                // Before the transaction, because it takes a while and writers take turns.
                let making = tokio::task::spawn_blocking(move || make_issuer(&*random, &account, now));
                let issuer = making.await.map_err(|error| Failure::internal(&error))?;
                let issuer = issuer.map_err(|error| Failure::internal(&error))?;
                let mut tx = allowed.begin().await?;
                tx.insert_web_identity_issuer(&issuer).await.map_err(|error| match error {
                    StoreError::Exists => already(),
                    error => error.into(),
                })?;
                allowed.commit(tx).await?;
                issuer
            }
        };
        Ok(EnableOutboundWebIdentityFederationResponse { issuer_identifier: Some(url(context, &issuer)) })
    }

    /// No token is issued from now on. Those that were are good until their end, and still verify.
    async fn disable_outbound_web_identity_federation(&self, context: &Context) -> Result<(), Failure> {
        let allowed = authorize(context)?;
        let issuer = enabled(context, &allowed).await?;
        change(&allowed, &WebIdentityIssuer { is_enabled: false, ..issuer }).await
    }

    async fn get_outbound_web_identity_federation_info(
        &self,
        context: &Context,
    ) -> Result<GetOutboundWebIdentityFederationInfoResponse, Failure> {
        let allowed = authorize(context)?;
        let issuer = enabled(context, &allowed).await?;
        Ok(GetOutboundWebIdentityFederationInfoResponse {
            issuer_identifier: Some(url(context, &issuer)),
            jwt_vending_enabled: Some(true),
        })
    }
}

fn authorize(context: &Context) -> Result<Authorized<'_>, Failure> {
    context.authorize_without_resource(&WebIdentityIssuer::arn_of(&context.scope.account))
}

async fn enabled(context: &Context, allowed: &Authorized<'_>) -> Result<WebIdentityIssuer, Failure> {
    let found = allowed.read().await?.web_identity_issuer(&context.scope.account).await?;
    found.filter(|issuer| issuer.is_enabled).ok_or_else(|| {
        let message = "Outbound web identity federation is not enabled for the account: call \
                       EnableOutboundWebIdentityFederation first.";
        Fault::new("FeatureDisabledException", message).into()
    })
}

async fn change(allowed: &Authorized<'_>, issuer: &WebIdentityIssuer) -> Result<(), Failure> {
    let mut tx = allowed.begin().await?;
    tx.update_web_identity_issuer(issuer).await?;
    allowed.commit(tx).await?;
    Ok(())
}

fn url(context: &Context, issuer: &WebIdentityIssuer) -> String {
    context.setup().outbound.web_identities().url(&issuer.id)
}

fn already() -> Failure {
    let message = "Outbound web identity federation is already enabled for the account.";
    Fault::new("FeatureEnabledException", message).into()
}
