//! Workload access tokens.

use aws_shapes::bedrock_agentcore::{
    GetWorkloadAccessTokenForJWTRequest, GetWorkloadAccessTokenForJWTResponse,
    GetWorkloadAccessTokenForUserIdRequest, GetWorkloadAccessTokenForUserIdResponse,
    GetWorkloadAccessTokenRequest, GetWorkloadAccessTokenResponse, WorkloadAccessTokenOperations,
};
use domain::{Authorizer, Secret, WorkloadUser};
use identity::issuer::{IssuerError, VerifyError};
use identity::token::Claims;
use identity::workload;
use serde_json::Value;
use store::Page;

use super::AgentCoreData;
use crate::agentcore::{authorize_workload, find_workload, is_the_callers};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::{Failure, invalid};

/// The condition keys of a user's token ("Condition keys for Amazon Bedrock AgentCore").
const CLAIMS: [&str; 5] = ["iss", "sub", "aud", "client_id", "scope"];

impl WorkloadAccessTokenOperations<Context> for AgentCoreData {
    type Error = Failure;

    async fn get_workload_access_token(
        &self,
        context: &Context,
        input: GetWorkloadAccessTokenRequest,
    ) -> Result<GetWorkloadAccessTokenResponse, Failure> {
        let name = &input.workload_name;
        let allowed = authorize_workload(context, name, |conditions| conditions).await?;
        let workload_access_token = issue(context, &allowed, name, WorkloadUser::Nobody, None).await?;
        Ok(GetWorkloadAccessTokenResponse { workload_access_token })
    }

    /// The user's token is verified whole: signature, issuer, times.
    async fn get_workload_access_token_for_jwt(
        &self,
        context: &Context,
        input: GetWorkloadAccessTokenForJWTRequest,
    ) -> Result<GetWorkloadAccessTokenForJWTResponse, Failure> {
        let claims = verified(context, &input.user_token).await?;
        let name = &input.workload_name;
        let allowed =
            authorize_workload(context, name, |conditions| with_claims(conditions, &claims)).await?;
        let user = user_of(&claims)?;
        context.notes.user(&user);
        let token = Secret::new(input.user_token);
        let workload_access_token = issue(context, &allowed, name, user, Some(&token)).await?;
        Ok(GetWorkloadAccessTokenForJWTResponse { workload_access_token })
    }

    /// The id is the workload's word alone: policies say who may give which (`bedrock-agentcore:userid`).
    async fn get_workload_access_token_for_user_id(
        &self,
        context: &Context,
        input: GetWorkloadAccessTokenForUserIdRequest,
    ) -> Result<GetWorkloadAccessTokenForUserIdResponse, Failure> {
        let with_user =
            |conditions: iam::Context| conditions.with("bedrock-agentcore:userid", input.user_id.as_str());
        let name = &input.workload_name;
        let allowed = authorize_workload(context, name, with_user).await?;
        let user = WorkloadUser::Id { id: input.user_id };
        let workload_access_token = issue(context, &allowed, name, user, None).await?;
        Ok(GetWorkloadAccessTokenForUserIdResponse { workload_access_token })
    }
}

/// The person whom a token is of.
pub(super) fn user_of(claims: &Claims) -> Result<WorkloadUser, Failure> {
    let subject = claims.subject.clone().filter(|subject| !subject.is_empty());
    let subject = subject.ok_or_else(|| {
        invalid("userToken", "The user token has no subject (`sub`), so it says of nobody who it is.")
    })?;
    Ok(WorkloadUser::Token { issuer: claims.issuer.clone(), subject })
}

async fn issue(
    context: &Context,
    allowed: &Authorized<'_>,
    name: &str,
    user: WorkloadUser,
    token: Option<&Secret>,
) -> Result<String, Failure> {
    let watched = allowed.watch();
    let issuing = async {
        let store = &context.setup().store;
        let identity = find_workload(&mut store.read().await?, &context.scope, name).await?;
        is_the_callers(&identity, "retrieve an access token")?;
        Ok::<_, Failure>(workload::issue(store, &identity, user, token, context.now)?)
    };
    match issuing.await {
        Ok(token) => {
            watched.done(None).await;
            Ok(token.expose().to_owned())
        }
        Err(failure) => {
            watched.refused();
            Err(failure)
        }
    }
}

/// The claims of a user's token whose issuer is believed here.
pub(super) async fn verified(context: &Context, token: &str) -> Result<Claims, Failure> {
    let setup = context.setup();
    let refused = |why: &str| invalid("userToken", format!("The user token is not accepted: {why}."));
    let mut found = setup.issuers.verify_trusted(&context.scope, &setup.trusted_issuers, token).await;
    if matches!(found, Ok(None)) {
        // Gateways are many, and are looked through only for who is not known otherwise.
        let authorizers = issuers_of_gateways(context).await?;
        found = setup.issuers.verify_trusted(&context.scope, &authorizers, token).await;
    }
    match found {
        Ok(Some(claims)) => Ok(claims),
        Ok(None) => Err(refused(
            "its issuer is neither a user pool of this account nor one that a gateway's authorizer or the operator's \
             configuration (`identity.trusted-issuers`) names",
        )),
        Err(VerifyError::Token(error)) => Err(refused(&error.to_string())),
        Err(VerifyError::Issuer(IssuerError::Store(error))) => Err(Failure::from(&*error)),
        Err(VerifyError::Issuer(error)) => {
            tracing::warn!(%error, "A user's token cannot be verified.");
            Err(refused("its issuer cannot be reached, so it cannot be verified; try again"))
        }
    }
}

/// The discovery URLs that authorizers of the account's gateways name.
async fn issuers_of_gateways(context: &Context) -> Result<Vec<String>, Failure> {
    let gateways = context.setup().store.read().await?.gateways(&context.scope, Page::ALL).await?;
    let named = gateways.into_iter().filter_map(|gateway| match gateway.authorizer {
        Authorizer::CustomJwt(jwt) => Some(jwt.discovery_url),
        Authorizer::AwsIam | Authorizer::None => None,
    });
    Ok(named.collect())
}

pub(super) fn with_claims(conditions: iam::Context, claims: &Claims) -> iam::Context {
    CLAIMS.iter().fold(conditions, |conditions, name| {
        let key = format!("bedrock-agentcore:InboundJwtClaim/{name}");
        match claims.all.get(*name) {
            Some(Value::String(text)) if *name == "scope" => conditions.with_many(&key, text.split(' ')),
            Some(Value::String(text)) => conditions.with(&key, text.as_str()),
            Some(Value::Array(values)) => conditions.with_many(&key, values.iter().filter_map(Value::as_str)),
            _ => conditions,
        }
    })
}
