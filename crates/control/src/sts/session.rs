//! Sessions that a signed call opens.
//!
//! A role is assumed if its trust policy says so and, where that names only an account or another account, the caller's
//! own policies too; tags and a source identity are permissions of their own. A refusal is the same whatever the reason,
//! so that nobody learns which roles there are; the log says what was missing. The root of an account may assume a role
//! that trusts its account (AWS lets it assume none): it is the one identity that a new installation has, and it may do
//! anything in its account anyway.

use std::collections::BTreeMap;
use std::time::Duration;

use ::iam::{Context as Conditions, Named};
use aws_shapes::sts::{
    AssumeRoleRequest, AssumeRoleResponse, GetSessionTokenRequest, GetSessionTokenResponse, SessionOperations,
};
use domain::{Arn, Caller, Principal, SessionFacts};
use identity::principal::{Lasts, issue, issue_again};

use super::opening::{HOUR, Narrowed, asked_of, assumed, denied, find, lifetime, read_role, read_tags, wire};
use super::{Sts, access_denied, of_role, validation_error};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;
use crate::roles;

/// How long the session of a user lasts when it does not say, in seconds; that of an account's root has an hour at most.
const HALF_A_DAY: u32 = 43_200;

impl SessionOperations<Context> for Sts {
    type Error = Failure;

    /// Changes nothing in the database but the audit trail: the credentials are the session.
    async fn assume_role(
        &self,
        context: &Context,
        input: AssumeRoleRequest,
    ) -> Result<AssumeRoleResponse, Failure> {
        let arn = read_role(&input.role_arn)?;
        let narrowed = Narrowed::read(input.policy.as_deref(), input.policy_arns)?;
        let tags = read_tags(input.tags)?;
        let transitive = input.transitive_tag_keys.unwrap_or_default();
        let facts = facts(&context.identity()?.caller, tags.clone(), &transitive, input.source_identity)?;
        let role = find(context, &arn).await?.ok_or_else(|| denied(context, &arn))?;
        let trust = roles::trust_policy(&role)?;
        let conditions = |conditions: Conditions| {
            let conditions = conditions.with("sts:RoleSessionName", &input.role_session_name);
            let conditions = asked_of(of_role(conditions, &role), &tags, &transitive);
            let said =
                [("sts:ExternalId", &input.external_id), ("sts:SourceIdentity", &facts.source_identity)];
            said.into_iter().fold(conditions, |conditions, (key, value)| match value {
                Some(value) => conditions.with(key, value),
                None => conditions,
            })
        };
        let allowed = permit(context, &arn, &trust, &facts, !tags.is_empty(), conditions)?;
        let lasts = Lasts::from(
            context.now,
            chained(context, input.duration_seconds, lifetime(&role, input.duration_seconds))?,
        );
        let setup = context.setup();
        let percent = narrowed.percent(&facts);
        let mut facts = facts;
        let policies = narrowed.narrow(context, &role, &mut facts).await?;
        let source_identity = facts.source_identity.clone();
        let name = &input.role_session_name;
        let session = issue(&setup.store, &*setup.random, &role, name, policies, facts, lasts)?;
        allowed.commit(allowed.begin().await?).await?;
        Ok(AssumeRoleResponse {
            credentials: Some(wire(&session)),
            assumed_role_user: Some(assumed(&session)),
            packed_policy_size: percent,
            source_identity,
        })
    }

    /// A session of the caller itself, with the same permissions. No policy is asked (API reference); it is for those who
    /// sign with a lasting key.
    async fn get_session_token(
        &self,
        context: &Context,
        input: GetSessionTokenRequest,
    ) -> Result<GetSessionTokenResponse, Failure> {
        let caller = &context.identity()?.caller;
        if caller.issued_at.is_some() {
            return Err(access_denied("Cannot call GetSessionToken with session credentials"));
        }
        let longest = if matches!(caller.principal, Principal::Root) { HOUR } else { u32::MAX };
        let asked = input.duration_seconds.and_then(|seconds| u32::try_from(seconds).ok());
        let seconds = asked.unwrap_or(HALF_A_DAY).min(longest);
        let allowed = context.open_to_everyone(caller.arn());
        let setup = context.setup();
        let lasts = Lasts::from(context.now, Duration::from_secs(seconds.into()));
        let session = issue_again(&setup.store, &*setup.random, caller, lasts)?;
        allowed.commit(allowed.begin().await?).await?;
        Ok(GetSessionTokenResponse { credentials: Some(wire(&session)) })
    }
}

/// Whether the caller may assume the role, give it tags if there are any, and say who is behind it if it does.
fn permit<'a>(
    context: &'a Context,
    arn: &Arn,
    trust: &Named,
    facts: &SessionFacts,
    tagged: bool,
    conditions: impl Fn(Conditions) -> Conditions,
) -> Result<Authorized<'a>, Failure> {
    let hide = |failure| match failure {
        Failure::Fault(_) => denied(context, arn),
        failure @ Failure::Internal(_) => failure,
    };
    if tagged {
        context.require_by_trust("sts:TagSession", arn, trust, &conditions).map_err(hide)?;
    }
    if facts.source_identity.is_some() {
        context.require_by_trust("sts:SetSourceIdentity", arn, trust, &conditions).map_err(hide)?;
    }
    context.authorize_by_trust(arn, trust, &conditions).map_err(hide)
}

/// A session that opens another cannot prolong itself.
fn chained(
    context: &Context,
    asked: Option<i64>,
    lifetime: Result<Duration, Failure>,
) -> Result<Duration, Failure> {
    let is_session = matches!(context.identity()?.caller.principal, Principal::AssumedRole { .. });
    if is_session && asked.is_some_and(|seconds| seconds > i64::from(HOUR)) {
        return Err(validation_error(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    lifetime
}

/// What is said of the session: what the request says, and what goes on from the caller's own.
fn facts(
    caller: &Caller,
    mut tags: BTreeMap<String, String>,
    transitive: &[String],
    source_identity: Option<String>,
) -> Result<SessionFacts, Failure> {
    if let Some(missing) =
        transitive.iter().find(|key| !tags.keys().any(|known| known.eq_ignore_ascii_case(key)))
    {
        return Err(validation_error(format!(
            "The specified transitive tag key must be included in the requested tags: {missing}"
        )));
    }
    let own = &caller.session;
    let mut going_on: Vec<String> = transitive.to_vec();
    for (key, value) in &own.tags {
        if !own.transitive.iter().any(|known| known.eq_ignore_ascii_case(key)) {
            continue;
        }
        if tags.keys().any(|known| known.eq_ignore_ascii_case(key)) {
            return Err(validation_error(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag \
                 key from the calling session.",
            ));
        }
        tags.insert(key.clone(), value.clone());
        going_on.push(key.clone());
    }
    let source_identity = match (&own.source_identity, source_identity) {
        (Some(own), Some(asked)) if *own != asked => {
            return Err(access_denied(
                "The source identity of a session cannot be changed by one that it opens.",
            ));
        }
        (Some(own), _) => Some(own.clone()),
        (None, asked) => asked,
    };
    Ok(SessionFacts { tags, transitive: going_on, source_identity, ..SessionFacts::default() })
}

#[cfg(test)]
mod tests {
    use domain::{AccessKeyId, AccountId};

    use super::*;

    fn caller(session: SessionFacts) -> Caller {
        let (role, path) = ("R".to_owned(), "/".to_owned());
        Caller {
            account: AccountId::first(),
            principal: Principal::AssumedRole { role, path, id: "AROA".to_owned(), session: "s".to_owned() },
            access_key: AccessKeyId::from_text("ASIA"),
            session_policies: Vec::new(),
            issued_at: None,
            expires_at: None,
            session,
        }
    }

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn transitive_tags_and_the_source_identity_go_on_down_the_chain() {
        let first = facts(
            &caller(SessionFacts::default()),
            tags(&[("team", "blue"), ("job", "x")]),
            &["team".to_owned()],
            Some("ann".to_owned()),
        );
        let second = facts(&caller(first.unwrap()), tags(&[("job", "y")]), &[], None).unwrap();
        assert_eq!(second.tags, tags(&[("team", "blue"), ("job", "y")]));
        assert_eq!(
            (second.transitive.as_slice(), second.source_identity.as_deref()),
            (&["team".to_owned()][..], Some("ann"))
        );
        let own = caller(second);
        assert!(facts(&own, tags(&[("Team", "red")]), &[], None).is_err());
        assert!(facts(&own, BTreeMap::new(), &[], Some("eve".to_owned())).is_err());
        assert!(facts(&own, BTreeMap::new(), &["team".to_owned()], None).is_err());
    }
}
