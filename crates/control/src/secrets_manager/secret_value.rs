//! What secrets hold: put by their owners, and given to those who may read them. A reading is audited in its transaction.

use std::time::Duration;

use aws_shapes::secretsmanager::{
    GetSecretValueRequest, GetSecretValueResponse, PutSecretValueRequest, PutSecretValueResponse,
    SecretValueOperations,
};
use domain::{CURRENT, EventId, KeptSecret, SecretVersion, Timestamp};
use store::Tx;

use super::content::Content;
use super::named::{self, Found};
use super::{SecretsManager, exists, invalid_parameter, invalid_request, managed, not_found};
use crate::context::Context;
use crate::fault::Failure;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl SecretValueOperations<Context> for SecretsManager {
    type Error = Failure;

    async fn get_secret_value(
        &self,
        context: &Context,
        input: GetSecretValueRequest,
    ) -> Result<GetSecretValueResponse, Failure> {
        let (id, label) = (input.version_id.as_deref(), input.version_stage.as_deref());
        let allowed = named::authorize(context, &input.secret_id, |given| {
            let given = match id {
                Some(id) => given.with("secretsmanager:VersionId", id),
                None => given,
            };
            match label {
                Some(label) => given.with("secretsmanager:VersionStage", label),
                None => given,
            }
        })
        .await?;
        let mut tx = allowed.begin().await?;
        let found = named::find(&mut tx, context, &allowed, &input.secret_id).await?;
        found.is_in_use()?;
        let Found { mut secret, provider } = found;
        let version = choose(&secret, id, label)?.clone();
        let content = match &provider {
            Some(provider) => managed::content(provider)?,
            None => content_of(&mut tx, &secret, &version).await?,
        };
        let today = day_of(context.now);
        if provider.is_none() && secret.accessed_on != Some(today) {
            secret.accessed_on = Some(today);
            tx.note_secret_access(&secret).await?;
        }
        allowed.commit(tx).await?;
        let (secret_string, secret_binary) = content.show()?;
        Ok(GetSecretValueResponse {
            arn: Some(secret.arn().into()),
            name: Some(secret.name),
            version_id: Some(version.id),
            secret_binary,
            secret_string,
            version_stages: Some(version.labels).filter(|labels| !labels.is_empty()),
            created_date: Some(version.created_at),
        })
    }

    /// The same value with the same token again changes nothing; another value with that token is refused, because a version
    /// is never changed.
    async fn put_secret_value(
        &self,
        context: &Context,
        input: PutSecretValueRequest,
    ) -> Result<PutSecretValueResponse, Failure> {
        let content = Content::require(input.secret_string, input.secret_binary)?;
        let labels = read_labels(input.version_stages)?;
        let allowed = named::authorize(context, &input.secret_id, |given| given).await?;
        let mut tx = allowed.begin().await?;
        let found = named::find(&mut tx, context, &allowed, &input.secret_id).await?;
        found.is_its_owners()?;
        found.is_in_use()?;
        let mut secret = found.secret;
        let token = input.client_request_token.as_deref();
        if let Some(version) = token.and_then(|token| secret.version(token)).cloned() {
            let before = content_of(&mut tx, &secret, &version).await?;
            if before.same_as(&content) {
                return Ok(put(&secret, version));
            }
            return Err(exists(format!(
                "You can't use ClientRequestToken {} because that value is already in use for a version of secret {}.",
                version.id,
                secret.arn()
            )));
        }
        let version = SecretVersion {
            id: version_id(context, token),
            labels,
            is_binary: content.is_binary,
            created_at: context.now,
        };
        tx.insert_secret_value(&secret, &version.id, &content.secret).await?;
        let id = version.id.clone();
        for forgotten in secret.add_version(version) {
            tx.delete_secret_value(&secret, &forgotten).await?;
        }
        tx.update_secret(&secret).await?;
        allowed.commit(tx).await?;
        let version = secret.version(&id).cloned();
        let version = version.ok_or_else(|| Failure::internal(&"a version that was put is not there"))?;
        Ok(put(&secret, version))
    }
}

/// The id of a new version: the client's token, or a UUID.
pub(super) fn version_id(context: &Context, token: Option<&str>) -> String {
    token.map_or_else(|| EventId::mint(&*context.setup().random).to_string(), str::to_owned)
}

/// What a version holds.
pub(super) async fn content_of(
    tx: &mut Tx,
    secret: &KeptSecret,
    version: &SecretVersion,
) -> Result<Content, Failure> {
    let held = tx.secret_value(secret, &version.id).await?;
    let held = held.ok_or_else(|| Failure::internal(&"a version of a secret holds nothing"))?;
    Ok(Content { secret: held, is_binary: version.is_binary })
}

fn put(secret: &KeptSecret, version: SecretVersion) -> PutSecretValueResponse {
    PutSecretValueResponse {
        arn: Some(secret.arn().into()),
        name: Some(secret.name.clone()),
        version_id: Some(version.id),
        version_stages: Some(version.labels).filter(|labels| !labels.is_empty()),
    }
}

/// The version that is meant by its id, by a label, or by neither: then it is the current one.
fn choose<'a>(
    secret: &'a KeptSecret,
    id: Option<&str>,
    label: Option<&str>,
) -> Result<&'a SecretVersion, Failure> {
    let missing = |what: &str, which: &str| {
        not_found(format!("Secrets Manager can't find the specified secret value for {what}: {which}"))
    };
    let Some(id) = id else {
        let label = label.unwrap_or(CURRENT);
        return secret.labelled(label).ok_or_else(|| missing("staging label", label));
    };
    let version = secret.version(id).ok_or_else(|| missing("VersionId", id))?;
    match label {
        Some(label) if !version.labels.iter().any(|it| it == label) => Err(invalid_request(
            "You provided a VersionStage that is not associated to the provided VersionId.",
        )),
        _ => Ok(version),
    }
}

fn read_labels(given: Option<Vec<String>>) -> Result<Vec<String>, Failure> {
    let mut labels = given.unwrap_or_else(|| vec![CURRENT.to_owned()]);
    let count = labels.len();
    labels.sort();
    labels.dedup();
    if labels.len() < count {
        return Err(invalid_parameter("A staging label is given more than once in VersionStages."));
    }
    Ok(labels)
}

/// The day of a moment, as the moment in which it began (UTC).
fn day_of(now: Timestamp) -> Timestamp {
    let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.millis() - now.millis().rem_euclid(day))
}
