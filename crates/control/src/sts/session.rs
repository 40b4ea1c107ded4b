//! Sessions.
//!
//! A role is assumed if its trust policy says so and, where that names only an account or another account, the caller's
//! own policies too. A refusal is the same whatever the reason, so that nobody learns which roles there are; the log says
//! what was missing. The root of an account may assume a role that trusts its account (AWS lets it assume none): it is
//! the one identity that a new installation has, and it may do anything in its account anyway.

use std::time::Duration;

use aws::Fault;
use aws_shapes::sts::{
    AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser, Credentials as WireCredentials,
    GetCallerIdentityRequest, GetCallerIdentityResponse, SessionOperations,
};
use domain::{AccountId, Arn, Principal, Role};
use identity::principal::{Credentials, Lasts, issue};

use super::Sts;
use crate::context::Context;
use crate::fault::Failure;
use crate::iam::{Kind, compile};
use crate::roles;

/// How long a session lasts when the caller does not say, and at most when a session opens it, in seconds.
const HOUR: u32 = 3_600;
/// How long the policy of a session may be, in characters.
const LONGEST_POLICY: usize = 2_048;

impl SessionOperations<Context> for Sts {
    type Error = Failure;

    /// Changes nothing in the database but the audit trail: the credentials are the session.
    async fn assume_role(
        &self,
        context: &Context,
        input: AssumeRoleRequest,
    ) -> Result<AssumeRoleResponse, Failure> {
        let arn = read_arn(&input.role_arn)?;
        let narrowed = input.policy.as_deref().map(read_policy).transpose()?;
        let role = find(context, &arn).await?.ok_or_else(|| denied(context, &arn))?;
        let trust = roles::trust_policy(&role)?;
        let allowed = context.authorize_by_trust(&arn, &trust, |conditions| {
            let conditions = conditions.with("sts:RoleSessionName", &input.role_session_name);
            match &input.external_id {
                Some(id) => conditions.with("sts:ExternalId", id),
                None => conditions,
            }
        });
        let allowed = allowed.map_err(|failure| match failure {
            Failure::Fault(_) => denied(context, &arn),
            failure @ Failure::Internal(_) => failure,
        })?;
        let lasts = Lasts::from(context.now, lifetime(context, &role, input.duration_seconds)?);
        let setup = context.setup();
        let policies = narrowed.into_iter().collect();
        let session = issue(&setup.store, &*setup.random, &role, &input.role_session_name, policies, lasts)?;
        allowed.commit(allowed.begin().await?).await?;
        Ok(answer(&session))
    }

    /// Open to everyone who is recognised; policies cannot forbid it (API reference).
    async fn get_caller_identity(
        &self,
        context: &Context,
        _: GetCallerIdentityRequest,
    ) -> Result<GetCallerIdentityResponse, Failure> {
        let caller = &context.identity()?.caller;
        let allowed = context.open_to_everyone(caller.arn());
        Ok(GetCallerIdentityResponse {
            user_id: Some(caller.principal.unique_id(&caller.account)),
            account: Some(caller.account.to_string()),
            arn: Some(allowed.resource().to_string()),
        })
    }
}

/// The role of an ARN, in whatever account. It is read before the decision, because its trust policy is half of that.
async fn find(context: &Context, arn: &Arn) -> Result<Option<Role>, Failure> {
    let Ok(account) = AccountId::parse(arn.account()) else { return Ok(None) };
    roles::find(&mut context.setup().store.read().await?, &account, arn).await
}

fn read_arn(text: &str) -> Result<Arn, Failure> {
    let arn = Arn::parse(text).map_err(|_| validation_error(format!("{text} is invalid")))?;
    if arn.service() == "iam" && arn.resource().starts_with("role/") {
        return Ok(arn);
    }
    Err(validation_error("Request ARN is invalid".to_owned()))
}

fn read_policy(text: &str) -> Result<domain::Document, Failure> {
    let length = text.chars().count();
    if length > LONGEST_POLICY {
        let percent = length * 100 / LONGEST_POLICY;
        let message =
            format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
        return Err(Fault::new("PackedPolicyTooLargeException", message).into());
    }
    compile(text, Kind::Inline)
}

/// How long the session lasts. A session that opens another cannot prolong itself.
fn lifetime(context: &Context, role: &Role, asked: Option<i64>) -> Result<Duration, Failure> {
    let seconds = asked.map_or(HOUR, |seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
    let chained = matches!(context.identity()?.caller.principal, Principal::AssumedRole { .. });
    let problem = if chained && seconds > HOUR {
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    } else if seconds > role.max_session_seconds {
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    } else {
        return Ok(Duration::from_secs(seconds.into()));
    };
    Err(validation_error(problem.to_owned()))
}

/// The one refusal, in AWS's words, which do not say what was missing.
fn denied(context: &Context, arn: &Arn) -> Failure {
    let caller = match context.identity() {
        Ok(identity) => identity.caller.arn(),
        Err(unsigned) => return unsigned,
    };
    let message = format!("User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}");
    Fault::new("AccessDenied", message).with_status(403).into()
}

fn validation_error(message: String) -> Failure {
    Fault::new("ValidationError", message).into()
}

fn answer(session: &Credentials) -> AssumeRoleResponse {
    let caller = &session.caller;
    AssumeRoleResponse {
        credentials: Some(WireCredentials {
            access_key_id: session.access_key.to_string(),
            secret_access_key: session.secret.expose().to_owned(),
            session_token: session.session_token.expose().to_owned(),
            expiration: session.expires_at,
        }),
        assumed_role_user: Some(AssumedRoleUser {
            assumed_role_id: caller.principal.unique_id(&caller.account),
            arn: caller.arn().into(),
        }),
    }
}
