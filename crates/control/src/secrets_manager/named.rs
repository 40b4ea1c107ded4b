//! Which secret a `SecretId` names: a name, an ARN, or an ARN without its last seven characters ("What's in a Secrets
//! Manager secret?").

use domain::{Arn, CredentialProvider, KeptSecret};
use store::Tx;

use super::{invalid_request, managed, not_found};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;

/// A secret that is there.
pub(super) struct Found {
    pub(super) secret: KeptSecret,
    /// The credential provider that keeps it, if one does.
    pub(super) provider: Option<CredentialProvider>,
}

/// Decides whether the caller may do the operation on the secret that is named. It is looked up before the decision, because
/// the decision is about its ARN and its tags, and nothing else is read. A refusal calls it what the caller called it.
pub(super) async fn authorize<'a>(
    context: &'a Context,
    id: &str,
    conditions: impl FnOnce(::iam::Context) -> ::iam::Context,
) -> Result<Authorized<'a>, Failure> {
    let found = look_up(&mut context.setup().store.read().await?, context, id).await?;
    let arn = found.as_ref().map_or_else(|| unknown_arn(context, id), |found| found.secret.arn());
    context.authorize_called(&arn, id, |given| conditions(with_keys(given, id, found.as_ref())))
}

/// The secret that a request of another service refers to, if its caller may read it. The transaction is that service's.
pub(crate) async fn referred(
    tx: &mut Tx,
    context: &Context,
    id: &str,
) -> Result<Option<KeptSecret>, Failure> {
    let found = look_up(tx, context, id).await?;
    let arn = found.as_ref().map_or_else(|| unknown_arn(context, id), |found| found.secret.arn());
    context.require("secretsmanager:GetSecretValue", &arn, |given| with_keys(given, id, found.as_ref()))?;
    Ok(found.map(|found| found.secret))
}

/// The condition keys that every call about a secret has.
fn with_keys(given: ::iam::Context, id: &str, found: Option<&Found>) -> ::iam::Context {
    let given = given.with("secretsmanager:SecretId", id);
    let tags = found.iter().flat_map(|found| &found.secret.tags);
    tags.fold(given, |given, (key, value)| {
        given
            .with(&format!("aws:ResourceTag/{key}"), value.as_str())
            .with(&format!("secretsmanager:ResourceTag/{key}"), value.as_str())
    })
}

/// The secret that was decided about.
pub(super) async fn find(
    tx: &mut Tx,
    context: &Context,
    allowed: &Authorized<'_>,
    id: &str,
) -> Result<Found, Failure> {
    let found = look_up(tx, context, id).await?.filter(|found| found.secret.arn() == *allowed.resource());
    found.ok_or_else(|| not_found("Secrets Manager can't find the specified secret."))
}

impl Found {
    /// Fails when the secret was deleted, though it may still be restored.
    pub(super) fn is_in_use(&self) -> Result<(), Failure> {
        if self.secret.gone_at.is_none() {
            return Ok(());
        }
        Err(invalid_request(
            "You can't perform this operation on the secret because it was marked for deletion.",
        ))
    }

    /// Fails when a service keeps the secret, which alone changes it.
    pub(super) fn is_its_owners(&self) -> Result<(), Failure> {
        let Some(owner) = self.secret.owner else { return Ok(()) };
        Err(invalid_request(format!(
            "You can't perform this operation on the secret because it is managed by {owner}. Update or delete the \
             credential provider that it belongs to."
        )))
    }
}

async fn look_up(tx: &mut Tx, context: &Context, id: &str) -> Result<Option<Found>, Failure> {
    let arn = Arn::parse(id).ok();
    let readings = match &arn {
        None => vec![(id, None)],
        Some(arn) => match arn.resource().strip_prefix("secret:") {
            Some(end)
                if arn.service() == "secretsmanager" && arn.scope().as_ref() == Some(&context.scope) =>
            {
                KeptSecret::readings(end)
            }
            _ => return Ok(None),
        },
    };
    for (name, suffix) in readings {
        let found = match managed::find(tx, &context.scope, name).await? {
            Some(provider) => Some(Found { secret: managed::describe(&provider), provider: Some(provider) }),
            None => tx.secret(&context.scope, name).await?.map(|secret| Found { secret, provider: None }),
        };
        let is_meant = |found: &Found| {
            suffix.is_none_or(|suffix| suffix == found.secret.suffix)
                && found.secret.gone_at.is_none_or(|gone_at| context.now < gone_at)
        };
        if let Some(found) = found.filter(is_meant) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What is decided about where there is no secret: an ARN that the patterns match which would match one of this name.
fn unknown_arn(context: &Context, id: &str) -> Arn {
    let arn = Arn::parse(id).ok().filter(|arn| arn.service() == "secretsmanager");
    arn.unwrap_or_else(|| Arn::secret(&context.scope, &format!("{id}-??????")))
}
