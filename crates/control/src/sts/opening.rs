//! What sessions have in common when they are opened: which role, how long, narrowed by what, with which tags.

use std::collections::BTreeMap;
use std::time::Duration;

use ::iam::Context as Conditions;
use aws::Fault;
use aws_shapes::sts::{AssumedRoleUser, Credentials as WireCredentials, PolicyDescriptorType, Tag};
use domain::{AccountId, Arn, Document, Role, SessionFacts};
use identity::principal::Credentials;

use super::{access_denied, validation_error};
use crate::context::Context;
use crate::fault::Failure;
use crate::iam::{Kind, compile, read_policy_arn};
use crate::roles;

/// How long a session lasts when the caller does not say, and at most when a session opens it, in seconds.
pub(super) const HOUR: u32 = 3_600;
/// How long the policy of a session may be, in characters.
const LONGEST_POLICY: usize = 2_048;
/// How many managed policies may narrow a session.
const MOST_POLICIES: usize = 10;
/// How many tags a session may have.
const MOST_TAGS: usize = 50;

/// The ARN of a role.
pub(super) fn read_role(text: &str) -> Result<Arn, Failure> {
    let arn = Arn::parse(text).map_err(|_| validation_error(format!("{text} is invalid")))?;
    if arn.service() == "iam" && arn.resource().starts_with("role/") {
        return Ok(arn);
    }
    Err(validation_error("Request ARN is invalid"))
}

/// The role of an ARN, in whatever account. It is read before the decision, because its trust policy is half of that.
pub(super) async fn find(context: &Context, arn: &Arn) -> Result<Option<Role>, Failure> {
    let Ok(account) = AccountId::parse(arn.account()) else { return Ok(None) };
    roles::find(&mut context.setup().store.read().await?, &account, arn).await
}

/// How long a session of a role lasts, as far as the role has a say.
pub(super) fn lifetime(role: &Role, asked: Option<i64>) -> Result<Duration, Failure> {
    let seconds = asked.map_or(HOUR, |seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
    if seconds > role.max_session_seconds {
        return Err(validation_error(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(Duration::from_secs(seconds.into()))
}

/// What narrows a session: the policy that the request brings, and managed policies of the role's account.
pub(super) struct Narrowed {
    inline: Option<Document>,
    arns: Vec<Arn>,
}

impl Narrowed {
    pub(super) fn read(
        policy: Option<&str>,
        arns: Option<Vec<PolicyDescriptorType>>,
    ) -> Result<Self, Failure> {
        let arns: Vec<String> = arns.unwrap_or_default().into_iter().filter_map(|it| it.arn).collect();
        if arns.len() > MOST_POLICIES {
            return Err(validation_error(format!("PolicyArns must have {MOST_POLICIES} items at most.")));
        }
        Ok(Self {
            inline: policy.map(read_policy).transpose()?,
            arns: arns.iter().map(|arn| read_policy_arn(arn)).collect::<Result<_, _>>()?,
        })
    }

    /// Gives the policies to a session. None may be missing: a session that was to be narrowed must not come out wide.
    pub(super) async fn narrow(
        self,
        context: &Context,
        role: &Role,
        facts: &mut SessionFacts,
    ) -> Result<Vec<Document>, Failure> {
        let mut tx = context.setup().store.read().await?;
        for arn in &self.arns {
            let near = [role.account.as_str(), "aws"].contains(&arn.account());
            if !near || tx.managed_policy(arn).await?.is_none() {
                return Err(validation_error(format!("Policy {arn} does not exist.")));
            }
        }
        facts.policies = self.arns;
        Ok(self.inline.into_iter().collect())
    }

    /// How much of what may be packed into a session this takes, in percent (`PackedPolicySize`).
    pub(super) fn percent(&self, facts: &SessionFacts) -> Option<i64> {
        let inline = self.inline.as_ref().map_or(0, |document| document.0.chars().count());
        let arns: usize = self.arns.iter().map(|arn| arn.as_str().len()).sum();
        let tags: usize = facts.tags.iter().map(|(key, value)| key.len() + value.len()).sum();
        let packed = inline + arns + tags;
        (packed > 0).then(|| i64::try_from((packed * 100).div_ceil(LONGEST_POLICY * 4)).unwrap_or(i64::MAX))
    }
}

fn read_policy(text: &str) -> Result<Document, Failure> {
    let length = text.chars().count();
    if length > LONGEST_POLICY {
        let percent = length * 100 / LONGEST_POLICY;
        let message =
            format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
        return Err(Fault::new("PackedPolicyTooLargeException", message).into());
    }
    compile(text, Kind::Inline)
}

/// The tags that a request gives a session.
pub(super) fn read_tags(given: Option<Vec<Tag>>) -> Result<BTreeMap<String, String>, Failure> {
    let given = given.unwrap_or_default();
    if given.len() > MOST_TAGS {
        return Err(validation_error(format!("Tags must have {MOST_TAGS} items at most.")));
    }
    let mut tags: BTreeMap<String, String> = BTreeMap::new();
    for tag in given {
        if tags.keys().any(|known| known.eq_ignore_ascii_case(&tag.key)) {
            return Err(validation_error(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(validation_error("Tag keys may not begin with aws:, which is reserved."));
        }
        tags.insert(tag.key, tag.value);
    }
    Ok(tags)
}

/// What the decision sees of the tags that a session is to have.
pub(super) fn asked_of(
    conditions: Conditions,
    asked: &BTreeMap<String, String>,
    transitive: &[String],
) -> Conditions {
    conditions
        .requesting_tags(asked)
        .with_many("sts:TransitiveTagKeys", transitive.iter().map(String::as_str))
}

/// The one refusal, in AWS's words, which do not say what was missing.
pub(super) fn denied(context: &Context, arn: &Arn) -> Failure {
    match context.identity() {
        Ok(identity) => access_denied(format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
            identity.caller.arn()
        )),
        Err(_) => access_denied("Not authorized to perform sts:AssumeRoleWithWebIdentity"),
    }
}

pub(super) fn wire(session: &Credentials) -> WireCredentials {
    WireCredentials {
        access_key_id: session.access_key.to_string(),
        secret_access_key: session.secret.expose().to_owned(),
        session_token: session.session_token.expose().to_owned(),
        expiration: session.expires_at,
    }
}

pub(super) fn assumed(session: &Credentials) -> AssumedRoleUser {
    let caller = &session.caller;
    AssumedRoleUser { assumed_role_id: caller.principal.unique_id(&caller.account), arn: caller.arn().into() }
}
