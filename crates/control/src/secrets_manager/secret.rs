//! Secrets: made, described, deleted and restored. What they hold is in `secret_value.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::Fault;
use aws_shapes::secretsmanager::{
    CreateSecretRequest, CreateSecretResponse, DeleteSecretRequest, DeleteSecretResponse,
    DescribeSecretRequest, DescribeSecretResponse, ListSecretsRequest, ListSecretsResponse,
    RestoreSecretRequest, RestoreSecretResponse, SecretOperations, Tag,
};
use domain::{Arn, CURRENT, KeptSecret, SecretVersion, Timestamp};
use store::Tx;

use super::content::Content;
use super::named::{self, Found};
use super::secret_value::{self, version_id};
use super::{SecretsManager, exists, invalid_parameter, invalid_request, listing};
use crate::context::Context;
use crate::fault::Failure;

/// How many secrets an account may have in a region. AWS has a higher limit; lists are put together in memory here.
const MOST_SECRETS: usize = 10_000;
/// The most tags of a secret, and how long they may be (Secrets Manager quotas).
const MOST_TAGS: usize = 50;
/// How many days a deleted secret may be kept for its owner, and how many it is when nobody says.
const RECOVERY_DAYS: std::ops::RangeInclusive<i64> = 7..=30;
const DEFAULT_RECOVERY_DAYS: i64 = 30;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl SecretOperations<Context> for SecretsManager {
    type Error = Failure;

    async fn create_secret(
        &self,
        context: &Context,
        input: CreateSecretRequest,
    ) -> Result<CreateSecretResponse, Failure> {
        check_name(&input.name)?;
        let content = Content::read(input.secret_string, input.secret_binary)?;
        let tags = read_tags(input.tags.unwrap_or_default())?;
        let secret = KeptSecret {
            scope: context.scope.clone(),
            name: input.name,
            suffix: KeptSecret::mint_suffix(&*context.setup().random),
            description: input.description.filter(|text| !text.is_empty()),
            tags,
            versions: Vec::new(),
            created_at: context.now,
            changed_at: context.now,
            accessed_on: None,
            gone_at: None,
            owner: None,
        };
        let allowed = context.authorize_called(&secret.arn(), &secret.name, |given| {
            let given = given.with("secretsmanager:Name", secret.name.as_str());
            let given = given.with_many("aws:TagKeys", secret.tags.keys().map(String::as_str));
            secret.tags.iter().fold(given, |given, (key, value)| {
                given
                    .with(&format!("aws:RequestTag/{key}"), value.as_str())
                    .with(&format!("secretsmanager:ResourceTag/{key}"), value.as_str())
            })
        })?;
        let mut tx = allowed.begin().await?;
        let token = input.client_request_token.as_deref();
        if let Some(existing) = tx.secret(&context.scope, &secret.name).await? {
            if !is_gone(&existing, context.now) {
                return made_before(&mut tx, &existing, token, content.as_ref()).await;
            }
            tx.delete_secret(&existing).await?;
        }
        if tx.count_secrets(&context.scope).await? >= MOST_SECRETS {
            let message =
                format!("The limit of {MOST_SECRETS} secrets is reached. Delete what you no longer need.");
            return Err(Fault::new("LimitExceededException", message).into());
        }
        let mut secret = secret;
        if let Some(content) = content {
            let version = SecretVersion {
                id: version_id(context, token),
                labels: vec![CURRENT.to_owned()],
                is_binary: content.is_binary,
                created_at: context.now,
            };
            tx.insert_secret_value(&secret, &version.id, &content.secret).await?;
            secret.add_version(version);
        }
        tx.insert_secret(&secret).await?;
        allowed.commit(tx).await?;
        Ok(made(&secret))
    }

    async fn describe_secret(
        &self,
        context: &Context,
        input: DescribeSecretRequest,
    ) -> Result<DescribeSecretResponse, Failure> {
        let allowed = named::authorize(context, &input.secret_id, |given| given).await?;
        let mut tx = allowed.read().await?;
        let Found { secret, .. } = named::find(&mut tx, context, &allowed, &input.secret_id).await?;
        Ok(DescribeSecretResponse {
            arn: Some(secret.arn().into()),
            version_ids_to_stages: listing::labels(&secret),
            tags: show_tags(&secret.tags),
            owning_service: secret.owner.map(str::to_owned),
            name: Some(secret.name),
            description: secret.description,
            last_changed_date: Some(secret.changed_at),
            last_accessed_date: secret.accessed_on,
            deleted_date: secret.gone_at,
            created_date: Some(secret.created_at),
        })
    }

    async fn list_secrets(
        &self,
        context: &Context,
        input: ListSecretsRequest,
    ) -> Result<ListSecretsResponse, Failure> {
        let allowed = context.authorize_without_resource(&Arn::secret(&context.scope, "*"))?;
        listing::list(&mut allowed.read().await?, context, input).await
    }

    /// A secret that is deleted at once may be one that is not there: whoever wants it gone has what they want.
    async fn delete_secret(
        &self,
        context: &Context,
        input: DeleteSecretRequest,
    ) -> Result<DeleteSecretResponse, Failure> {
        let DeleteSecretRequest { secret_id, recovery_window_in_days: days, .. } = input;
        let at_once = input.force_delete_without_recovery == Some(true);
        check_window(days, at_once)?;
        let allowed = named::authorize(context, &secret_id, |given| {
            let given = given.with("secretsmanager:ForceDeleteWithoutRecovery", at_once.to_string());
            match days {
                Some(days) => given.with("secretsmanager:RecoveryWindowInDays", days.to_string()),
                None => given,
            }
        })
        .await?;
        let mut tx = allowed.begin().await?;
        let found = match named::find(&mut tx, context, &allowed, &secret_id).await {
            Err(Failure::Fault(fault)) if at_once && fault.code == "ResourceNotFoundException" => {
                return Ok(DeleteSecretResponse {
                    arn: Some(Arn::secret(&context.scope, &secret_id).into()),
                    name: Some(secret_id),
                    deletion_date: Some(context.now),
                });
            }
            found => found?,
        };
        found.is_its_owners()?;
        let mut secret = found.secret;
        let gone_at = if at_once {
            tx.delete_secret(&secret).await?;
            context.now
        } else {
            if secret.gone_at.is_some() {
                return Err(invalid_request(
                    "You tried to perform the operation on a secret that's currently marked deleted.",
                ));
            }
            let days = u32::try_from(days.unwrap_or(DEFAULT_RECOVERY_DAYS)).unwrap_or(u32::MAX);
            let gone_at = context.now.plus(DAY.saturating_mul(days));
            secret.gone_at = Some(gone_at);
            secret.changed_at = context.now;
            tx.update_secret(&secret).await?;
            gone_at
        };
        allowed.commit(tx).await?;
        Ok(DeleteSecretResponse {
            arn: Some(secret.arn().into()),
            name: Some(secret.name),
            deletion_date: Some(gone_at),
        })
    }

    async fn restore_secret(
        &self,
        context: &Context,
        input: RestoreSecretRequest,
    ) -> Result<RestoreSecretResponse, Failure> {
        let allowed = named::authorize(context, &input.secret_id, |given| given).await?;
        let mut tx = allowed.begin().await?;
        let found = named::find(&mut tx, context, &allowed, &input.secret_id).await?;
        found.is_its_owners()?;
        let mut secret = found.secret;
        if secret.gone_at.take().is_some() {
            secret.changed_at = context.now;
            tx.update_secret(&secret).await?;
            allowed.commit(tx).await?;
        }
        Ok(RestoreSecretResponse { arn: Some(secret.arn().into()), name: Some(secret.name) })
    }
}

/// Whether a deleted secret is gone for good, although its row may still be there.
pub(super) fn is_gone(secret: &KeptSecret, now: Timestamp) -> bool {
    secret.gone_at.is_some_and(|gone_at| gone_at <= now)
}

/// `Tags` of an answer.
pub(super) fn show_tags(tags: &BTreeMap<String, String>) -> Option<Vec<Tag>> {
    let show = |(key, value): (&String, &String)| Tag { key: Some(key.clone()), value: Some(value.clone()) };
    Some(tags.iter().map(show).collect()).filter(|_| !tags.is_empty())
}

/// The answer to a creation whose name is taken: what the first attempt made, if this is a retry.
async fn made_before(
    tx: &mut Tx,
    existing: &KeptSecret,
    token: Option<&str>,
    content: Option<&Content>,
) -> Result<CreateSecretResponse, Failure> {
    if existing.gone_at.is_some() {
        return Err(invalid_request(
            "You can't create this secret because a secret with this name is already scheduled for deletion. \
             Restore it with RestoreSecret.",
        ));
    }
    let version = token.and_then(|token| existing.version(token));
    if let (Some(version), Some(content)) = (version, content) {
        let before = secret_value::content_of(tx, existing, version).await?;
        if before.same_as(content) {
            let again = CreateSecretResponse { version_id: Some(version.id.clone()), ..made(existing) };
            return Ok(again);
        }
    }
    Err(exists(format!("The operation failed because the secret {} already exists.", existing.name)))
}

fn made(secret: &KeptSecret) -> CreateSecretResponse {
    CreateSecretResponse {
        arn: Some(secret.arn().into()),
        name: Some(secret.name.clone()),
        version_id: secret.labelled(CURRENT).map(|version| version.id.clone()),
    }
}

/// Names with an exclamation mark belong to the service before it.
fn check_name(name: &str) -> Result<(), Failure> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte)) {
        return Err(invalid_parameter(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@",
        ));
    }
    Ok(())
}

fn check_window(days: Option<i64>, at_once: bool) -> Result<(), Failure> {
    if days.is_some() && at_once {
        return Err(invalid_parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    if days.is_some_and(|days| !RECOVERY_DAYS.contains(&days)) {
        return Err(invalid_parameter(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        ));
    }
    Ok(())
}

fn read_tags(given: Vec<Tag>) -> Result<BTreeMap<String, String>, Failure> {
    let mut tags = BTreeMap::new();
    for Tag { key, value } in given {
        let key = key.ok_or_else(|| invalid_parameter("A tag has no Key."))?;
        if key.starts_with("aws:") {
            return Err(invalid_parameter(format!("The tag {key} cannot be set: aws: is AWS's own prefix.")));
        }
        if tags.insert(key.clone(), value.unwrap_or_default()).is_some() {
            return Err(invalid_parameter(format!("The tag {key} is given more than once.")));
        }
    }
    if tags.len() > MOST_TAGS {
        return Err(invalid_parameter(format!("A secret may have {MOST_TAGS} tags at most.")));
    }
    Ok(tags)
}
