//! Tokens that say to others who the caller is.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::Fault;
use aws_shapes::sts::{GetWebIdentityTokenRequest, GetWebIdentityTokenResponse, Tag, WebIdentityOperations};
use domain::Arn;
use identity::web_identity::{LIFE, WebIdentityAlgorithm, WebIdentityAsk, WebIdentityError};

use super::Sts;
use crate::context::Context;
use crate::fault::{Failure, sentence};

impl WebIdentityOperations<Context> for Sts {
    type Error = Failure;

    /// Decided about the caller's own session, with what the token is to say as condition keys ("Service Authorization
    /// Reference"); tags are a permission of their own. Nothing is kept of the token.
    async fn get_web_identity_token(
        &self,
        context: &Context,
        input: GetWebIdentityTokenRequest,
    ) -> Result<GetWebIdentityTokenResponse, Failure> {
        let algorithm = WebIdentityAlgorithm::parse(&input.signing_algorithm).ok_or_else(|| {
            validation_error("SigningAlgorithm must be RS256 or ES384: those are what tokens are signed by.")
        })?;
        let seconds = input.duration_seconds.map_or(LIFE.as_secs(), i64::unsigned_abs);
        let tags = read_tags(input.tags.unwrap_or_default())?;
        let caller = &context.identity()?.caller;
        let conditions = |conditions: iam::Context| {
            let conditions = conditions
                .with_many("sts:IdentityTokenAudience", input.audience.iter().map(String::as_str))
                .with("sts:DurationSeconds", seconds.to_string())
                .with("sts:SigningAlgorithm", algorithm.as_str())
                .with_many("aws:TagKeys", tags.keys().map(String::as_str));
            tags.iter().fold(conditions, |conditions, (key, value)| {
                conditions.with(&format!("aws:RequestTag/{key}"), value.as_str())
            })
        };
        let own = own_session(context);
        let allowed = context.authorize_with(&own, conditions)?;
        if !tags.is_empty() {
            context.require("sts:TagGetWebIdentityToken", &own, conditions)?;
        }
        let ask = WebIdentityAsk {
            caller,
            region: &context.scope.region,
            audiences: &input.audience,
            life: Duration::from_secs(seconds),
            algorithm,
            tags: &tags,
        };
        let watched = allowed.watch();
        match context.setup().outbound.web_identities().issue(&ask, context.now).await {
            Ok((token, expires)) => {
                watched.done(None).await;
                let web_identity_token = Some(token.expose().to_owned());
                Ok(GetWebIdentityTokenResponse { web_identity_token, expiration: Some(expires) })
            }
            Err(error) => {
                watched.refused();
                Err(fault(&error))
            }
        }
    }
}

/// What is decided about: the caller's session, whoever it is.
pub(crate) fn own_session(context: &Context) -> Arn {
    Arn::new("sts", "", context.scope.account.as_str(), "self")
}

fn read_tags(given: Vec<Tag>) -> Result<BTreeMap<String, String>, Failure> {
    let count = given.len();
    let tags: BTreeMap<_, _> = given.into_iter().map(|tag| (tag.key, tag.value)).collect();
    if tags.len() < count {
        return Err(validation_error("A key stands twice in Tags: give each once."));
    }
    Ok(tags)
}

fn fault(error: &WebIdentityError) -> Failure {
    let code = match error {
        WebIdentityError::Disabled => "OutboundWebIdentityFederationDisabledException",
        WebIdentityError::Outlives => "SessionDurationEscalationException",
        WebIdentityError::TooLarge => "JWTPayloadSizeExceededException",
        WebIdentityError::Store(error) => return Failure::from(&**error),
        WebIdentityError::NoKey => return Failure::internal(error),
    };
    Fault::new(code, sentence(error)).into()
}

fn validation_error(message: &str) -> Failure {
    Fault::new("ValidationError", message).into()
}
