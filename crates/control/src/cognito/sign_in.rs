//! Signing in through the API. Nobody signs these operations, as on AWS: who calls is what they find out. The provider
//! decides, and leaves the audit event.

use std::collections::BTreeMap;

use aws::Fault;
use aws_shapes::ServiceSpec;
use aws_shapes::cognito_idp::{
    AuthFlowType, AuthenticationResultType, ChallengeNameType, InitiateAuthRequest, InitiateAuthResponse,
    RespondToAuthChallengeRequest, RespondToAuthChallengeResponse, SignInOperations,
};
use domain::PoolUser;
use http::HeaderMap;
use identity::provider::{ApiSignIn, SignInError, SignedIn, Step, TriggerError, UserTokens};
use serde_json::Value;

use super::{Cognito, invalid, not_found};
use crate::context::Context;
use crate::fault::Failure;

/// The operations that are not signed (`authtype: none` in the model).
const OPEN: [&str; 2] = ["InitiateAuth", "RespondToAuthChallenge"];

/// Whether a request is for an operation that nobody signs.
pub(crate) fn is_open(service: &ServiceSpec, headers: &HeaderMap) -> bool {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    service.name == "cognito-idp"
        && target
            .split_once('.')
            .is_some_and(|(prefix, name)| service.target_prefix == Some(prefix) && OPEN.contains(&name))
}

impl SignInOperations<Context> for Cognito {
    type Error = Failure;

    async fn initiate_auth(
        &self,
        context: &Context,
        input: InitiateAuthRequest,
    ) -> Result<InitiateAuthResponse, Failure> {
        let step = match input.auth_flow {
            AuthFlowType::UserPasswordAuth => Step::Password,
            AuthFlowType::RefreshTokenAuth | AuthFlowType::RefreshToken => Step::Refresh,
        };
        let parameters = input.auth_parameters.unwrap_or_default();
        Ok(answer(take(context, step, &input.client_id, &parameters).await?))
    }

    async fn respond_to_auth_challenge(
        &self,
        context: &Context,
        input: RespondToAuthChallengeRequest,
    ) -> Result<RespondToAuthChallengeResponse, Failure> {
        let ChallengeNameType::NewPasswordRequired = input.challenge_name;
        let responses = input.challenge_responses.unwrap_or_default();
        let step = Step::NewPassword(input.session.as_deref());
        Ok(answer(take(context, step, &input.client_id, &responses).await?))
    }
}

async fn take(
    context: &Context,
    step: Step<'_>,
    client: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<SignedIn, Failure> {
    let request = ApiSignIn {
        client,
        parameters,
        source_ip: Some(context.peer.to_string()),
        request_id: &context.request_id,
    };
    context.setup().provider.sign_in(step, request).await.map_err(|error| face(&error))
}

/// What the caller is told.
pub(super) fn face(error: &SignInError) -> Failure {
    let message = error.to_string();
    match error {
        SignInError::Incorrect
        | SignInError::Exceeded
        | SignInError::Expired
        | SignInError::NotAuthorized(_) => Fault::new("NotAuthorizedException", message).into(),
        SignInError::UnknownClient(_) => not_found(message),
        SignInError::Invalid(_) => invalid(message),
        SignInError::WeakPassword(_) => Fault::new("InvalidPasswordException", message).into(),
        SignInError::Trigger(TriggerError::Failed(_)) => {
            Fault::new("UserLambdaValidationException", message).into()
        }
        SignInError::Trigger(TriggerError::NotInvoked(_)) => {
            Fault::new("UnexpectedLambdaException", message).into()
        }
        SignInError::Trigger(TriggerError::Unrecognizable) => {
            Fault::new("InvalidLambdaResponseException", message).into()
        }
        SignInError::Busy => Fault::new("TooManyRequestsException", message).into(),
        SignInError::Unavailable(told) => Failure::unavailable(told),
        SignInError::Internal(_) => Failure::Internal(message),
    }
}

fn answer(signed_in: SignedIn) -> InitiateAuthResponse {
    match signed_in {
        SignedIn::Tokens(tokens) => {
            InitiateAuthResponse { authentication_result: Some(result(&tokens)), ..Default::default() }
        }
        SignedIn::NewPassword { session, user } => InitiateAuthResponse {
            challenge_name: Some(ChallengeNameType::NewPasswordRequired),
            session: Some(session.expose().to_owned()),
            challenge_parameters: Some(demand(&user)),
            authentication_result: None,
        },
    }
}

fn demand(user: &PoolUser) -> BTreeMap<String, String> {
    let attributes = user.attributes.iter().map(|it| (it.name.clone(), Value::from(it.value.as_str())));
    let attributes = Value::Object(attributes.collect());
    BTreeMap::from([
        ("USER_ID_FOR_SRP".to_owned(), user.name.clone()),
        ("requiredAttributes".to_owned(), "[]".to_owned()),
        ("userAttributes".to_owned(), attributes.to_string()),
    ])
}

fn result(tokens: &UserTokens) -> AuthenticationResultType {
    AuthenticationResultType {
        access_token: Some(tokens.access.expose().to_owned()),
        expires_in: Some(tokens.expires_in),
        token_type: Some("Bearer".to_owned()),
        refresh_token: tokens.refresh.as_ref().map(|token| token.expose().to_owned()),
        id_token: Some(tokens.id.expose().to_owned()),
    }
}
