//! `GetResourceOauth2Token` for a person: the token out of the vault, or the page where the person consents first.

use std::collections::BTreeMap;

use aws_shapes::bedrock_agentcore::{
    GetResourceOauth2TokenRequest, GetResourceOauth2TokenResponse, SessionStatus,
};
use domain::{CredentialKind, WorkloadUser};
use identity::outbound::federation::{Progress, UserAsk, check_parameters};
use identity::workload::WorkloadGrant;

use super::resource_credential::{permitted, refused};
use crate::context::Context;
use crate::fault::{Failure, invalid, sentence};

/// AWS's own words, for a workload without return URLs and for a request without one.
const NO_RETURN_URL: &str = "You must register and use at least one ResourceOauth2ReturnUrl on your workload identity to use this flow";

/// The token of the person for whom the workload acts. Without one, a session is begun; a request that names it looks how
/// far it is.
pub(super) async fn get(
    context: &Context,
    grant: &WorkloadGrant,
    input: &GetResourceOauth2TokenRequest,
    parameters: &BTreeMap<String, String>,
) -> Result<GetResourceOauth2TokenResponse, Failure> {
    if grant.user == WorkloadUser::Nobody {
        return Err(invalid(
            "workloadIdentityToken",
            "The workload access token is for nobody: USER_FEDERATION needs one of GetWorkloadAccessTokenForJWT or \
             GetWorkloadAccessTokenForUserId.",
        ));
    }
    let name = &input.resource_credential_provider_name;
    let (allowed, provider) = permitted(context, grant, CredentialKind::OAuth2, name).await?;
    let return_url = return_url(grant, input)?;
    check_parameters(parameters).map_err(|refusal| invalid("customParameters", sentence(&refusal)))?;
    let ask = UserAsk {
        provider: &provider,
        workload: &grant.identity,
        user: &grant.user,
        scopes: &input.scopes,
        parameters,
    };
    let outbound = &context.setup().outbound;
    // One that was begun anew forgot what was there, and whoever waits for it waits for what comes of it.
    let anew = input.force_authentication == Some(true) && input.session_uri.is_none();
    if !anew {
        let watched = allowed.watch();
        match outbound.user_token(&ask).await {
            Ok(Some(token)) => {
                watched.done(None).await;
                let access_token = Some(token.expose().to_owned());
                return Ok(GetResourceOauth2TokenResponse { access_token, ..Default::default() });
            }
            Ok(None) => watched.refused(),
            Err(refusal) => {
                watched.refused();
                return Err(refused(&refusal));
            }
        }
    }
    if let Some(uri) = &input.session_uri {
        let progress = outbound.progress(&ask, uri).await?;
        return progress.map(|progress| shown(progress, uri)).ok_or_else(|| {
            invalid(
                "sessionUri",
                "There is no such session for this workload, user, provider, scopes and parameters, or its ten minutes \
                 are over: leave sessionUri out to begin another.",
            )
        });
    }
    let new = outbound
        .new_session(&ask, return_url, input.custom_state.as_deref())
        .map_err(|refusal| refused(&refusal))?;
    let mut tx = allowed.begin().await?;
    if anew {
        outbound.forget_user_token(&mut tx, &ask).await?;
    }
    tx.insert_authorization_session(&new.session, context.now).await?;
    allowed.commit(tx).await?;
    Ok(shown(Progress::Waiting { url: new.url }, &new.uri))
}

/// Where the person is sent at the end: one of the URLs that the workload registered, letter by letter.
fn return_url<'a>(
    grant: &WorkloadGrant,
    input: &'a GetResourceOauth2TokenRequest,
) -> Result<&'a str, Failure> {
    const FIELD: &str = "resourceOauth2ReturnUrl";
    let registered = &grant.identity.return_urls;
    match input.resource_oauth2_return_url.as_deref() {
        Some(url) if registered.iter().any(|known| known == url) => Ok(url),
        Some(_) if !registered.is_empty() => Err(invalid(
            FIELD,
            "The resourceOauth2ReturnUrl is none of the allowedResourceOauth2ReturnUrls of the workload identity: \
             register it with UpdateWorkloadIdentity, letter by letter.",
        )),
        _ => Err(invalid(FIELD, NO_RETURN_URL)),
    }
}

fn shown(progress: Progress, uri: &str) -> GetResourceOauth2TokenResponse {
    let (authorization_url, status) = match progress {
        Progress::Waiting { url } => (Some(url), SessionStatus::InProgress),
        Progress::Underway => (None, SessionStatus::InProgress),
        Progress::Failed => (None, SessionStatus::Failed),
    };
    GetResourceOauth2TokenResponse {
        authorization_url,
        access_token: None,
        session_uri: Some(uri.to_owned()),
        session_status: Some(status),
    }
}
