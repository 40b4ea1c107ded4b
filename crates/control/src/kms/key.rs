//! Keys: made, described, and taken out of use.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::Fault;
use aws_shapes::kms::{
    CancelKeyDeletionRequest, CancelKeyDeletionResponse, CreateKeyRequest, CreateKeyResponse,
    DescribeKeyRequest, DescribeKeyResponse, DisableKeyRequest, EnableKeyRequest, EncryptionAlgorithmSpec,
    GetKeyPolicyRequest, GetKeyPolicyResponse, KeyListEntry, KeyManagerType, KeyMetadata, KeyOperations,
    KeySpec, KeyState, KeyUsageType, ListKeysRequest, ListKeysResponse, OriginType,
    ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse, Tag,
};
use domain::{Arn, KmsKey, KmsKeyState};
use serde_json::json;

use super::{Kms, invalid_marker, invalid_state, named, not_found};
use crate::context::Context;
use crate::fault::Failure;
use crate::paging::Paging;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a deletion can be taken back when the caller does not say (`ScheduleKeyDeletion`).
const WINDOW_DAYS: i64 = 30;
/// How many keys a page has when the caller does not say (`ListKeys`).
const PAGE: usize = 100;
/// How many keys an account has in a region at most. AWS's quota is 100,000 ("Resource quotas").
const MOST_KEYS: usize = 10_000;
/// How many tags a key has at most ("Resource quotas").
const MOST_TAGS: usize = 50;
/// The one key policy that a key has.
const POLICY_NAME: &str = "default";

impl KeyOperations<Context> for Kms {
    type Error = Failure;

    async fn create_key(
        &self,
        context: &Context,
        input: CreateKeyRequest,
    ) -> Result<CreateKeyResponse, Failure> {
        let key = KmsKey {
            scope: context.scope.clone(),
            id: KmsKey::mint_id(&*context.setup().random),
            description: input.description.unwrap_or_default(),
            tags: read_tags(input.tags.unwrap_or_default())?,
            state: KmsKeyState::Enabled,
            created_at: context.now,
            gone_at: None,
        };
        let allowed = context.authorize_without_resource(&key.arn())?;
        let mut tx = allowed.begin().await?;
        if tx.kms_keys(&context.scope).await?.len() >= MOST_KEYS {
            let message = format!("An account may have {MOST_KEYS} keys in a region.");
            return Err(Fault::new("LimitExceededException", message).into());
        }
        tx.insert_kms_key(&key).await?;
        allowed.commit(tx).await?;
        Ok(CreateKeyResponse { key_metadata: Some(describe(&key)) })
    }

    async fn describe_key(
        &self,
        context: &Context,
        input: DescribeKeyRequest,
    ) -> Result<DescribeKeyResponse, Failure> {
        let allowed = named::authorize(context, &input.key_id, |given| given).await?;
        let key = named::find(&mut allowed.read().await?, context, &allowed, &input.key_id).await?;
        Ok(DescribeKeyResponse { key_metadata: Some(describe(&key)) })
    }

    async fn list_keys(
        &self,
        context: &Context,
        input: ListKeysRequest,
    ) -> Result<ListKeysResponse, Failure> {
        let allowed = context.authorize_without_resource(&Arn::kms_key(&context.scope, "*"))?;
        let paging = Paging::new(input.marker.as_deref(), input.limit, PAGE).ok_or_else(invalid_marker)?;
        let mut keys = allowed.read().await?.kms_keys(&context.scope).await?;
        keys.retain(|key| key.id.as_str() > paging.page().after && !key.is_gone(context.now));
        let (keys, next) = paging.cut(keys, |key| key.id.clone());
        let entry = |key: KmsKey| KeyListEntry { key_arn: Some(key.arn().into()), key_id: Some(key.id) };
        Ok(ListKeysResponse {
            keys: Some(keys.into_iter().map(entry).collect()),
            truncated: Some(next.is_some()),
            next_marker: next,
        })
    }

    async fn enable_key(&self, context: &Context, input: EnableKeyRequest) -> Result<(), Failure> {
        set_state(context, &input.key_id, KmsKeyState::Enabled).await
    }

    async fn disable_key(&self, context: &Context, input: DisableKeyRequest) -> Result<(), Failure> {
        set_state(context, &input.key_id, KmsKeyState::Disabled).await
    }

    async fn schedule_key_deletion(
        &self,
        context: &Context,
        input: ScheduleKeyDeletionRequest,
    ) -> Result<ScheduleKeyDeletionResponse, Failure> {
        let days = input.pending_window_in_days.unwrap_or(WINDOW_DAYS);
        if !(7..=30).contains(&days) {
            return Err(super::invalid("PendingWindowInDays must be between 7 and 30, inclusive."));
        }
        let allowed = named::authorize(context, &input.key_id, |given| {
            given.with("kms:ScheduleKeyDeletionPendingWindowInDays", days.to_string())
        })
        .await?;
        let mut tx = allowed.begin().await?;
        let mut key = named::find(&mut tx, context, &allowed, &input.key_id).await?;
        refuse_pending(&key)?;
        let gone_at = context.now.plus(DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX)));
        key.state = KmsKeyState::PendingDeletion;
        key.gone_at = Some(gone_at);
        tx.update_kms_key(&key).await?;
        allowed.commit(tx).await?;
        Ok(ScheduleKeyDeletionResponse {
            key_id: Some(key.arn().into()),
            deletion_date: Some(gone_at),
            key_state: Some(KeyState::PendingDeletion),
            pending_window_in_days: Some(days),
        })
    }

    /// The key is disabled afterwards, as AWS has it.
    async fn cancel_key_deletion(
        &self,
        context: &Context,
        input: CancelKeyDeletionRequest,
    ) -> Result<CancelKeyDeletionResponse, Failure> {
        let allowed = named::authorize(context, &input.key_id, |given| given).await?;
        let mut tx = allowed.begin().await?;
        let mut key = named::find(&mut tx, context, &allowed, &input.key_id).await?;
        if key.state != KmsKeyState::PendingDeletion {
            return Err(invalid_state(format!("{} is not pending deletion.", key.arn())));
        }
        key.state = KmsKeyState::Disabled;
        key.gone_at = None;
        tx.update_kms_key(&key).await?;
        allowed.commit(tx).await?;
        Ok(CancelKeyDeletionResponse { key_id: Some(key.arn().into()) })
    }

    async fn get_key_policy(
        &self,
        context: &Context,
        input: GetKeyPolicyRequest,
    ) -> Result<GetKeyPolicyResponse, Failure> {
        let allowed = named::authorize(context, &input.key_id, |given| given).await?;
        let key = named::find(&mut allowed.read().await?, context, &allowed, &input.key_id).await?;
        if input.policy_name.is_some_and(|name| name != POLICY_NAME) {
            return Err(not_found("No such policy exists: a key has the policy `default` alone."));
        }
        let policy = json!({
            "Version": "2012-10-17",
            "Id": "key-default-1",
            "Statement": [{
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": Arn::iam(&key.scope.account, "root")},
                "Action": "kms:*",
                "Resource": "*",
            }],
        });
        Ok(GetKeyPolicyResponse {
            policy: Some(policy.to_string()),
            policy_name: Some(POLICY_NAME.to_owned()),
        })
    }
}

async fn set_state(context: &Context, id: &str, state: KmsKeyState) -> Result<(), Failure> {
    let allowed = named::authorize(context, id, |given| given).await?;
    let mut tx = allowed.begin().await?;
    let mut key = named::find(&mut tx, context, &allowed, id).await?;
    refuse_pending(&key)?;
    if key.state != state {
        key.state = state;
        tx.update_kms_key(&key).await?;
    }
    allowed.commit(tx).await?;
    Ok(())
}

fn refuse_pending(key: &KmsKey) -> Result<(), Failure> {
    if key.state == KmsKeyState::PendingDeletion {
        return Err(invalid_state(format!("{} is pending deletion.", key.arn())));
    }
    Ok(())
}

fn describe(key: &KmsKey) -> KeyMetadata {
    KeyMetadata {
        aws_account_id: Some(key.scope.account.to_string()),
        key_id: key.id.clone(),
        arn: Some(key.arn().into()),
        creation_date: Some(key.created_at),
        enabled: Some(key.state == KmsKeyState::Enabled),
        description: Some(key.description.clone()),
        key_usage: Some(KeyUsageType::EncryptDecrypt),
        key_state: Some(match key.state {
            KmsKeyState::Enabled => KeyState::Enabled,
            KmsKeyState::Disabled => KeyState::Disabled,
            KmsKeyState::PendingDeletion => KeyState::PendingDeletion,
        }),
        deletion_date: key.gone_at,
        origin: Some(OriginType::AwsKms),
        key_manager: Some(KeyManagerType::Customer),
        key_spec: Some(KeySpec::SymmetricDefault),
        encryption_algorithms: Some(vec![EncryptionAlgorithmSpec::SymmetricDefault]),
        multi_region: Some(false),
    }
}

fn read_tags(given: Vec<Tag>) -> Result<BTreeMap<String, String>, Failure> {
    let wrong = |message: String| Failure::from(Fault::new("TagException", message));
    let mut tags = BTreeMap::new();
    for Tag { tag_key, tag_value } in given {
        if tag_key.starts_with("aws:") {
            return Err(wrong(format!("The tag {tag_key} cannot be set: aws: is AWS's own prefix.")));
        }
        if tags.contains_key(&tag_key) {
            return Err(wrong(format!("The tag {tag_key} is given more than once.")));
        }
        tags.insert(tag_key, tag_value);
    }
    if tags.len() > MOST_TAGS {
        return Err(wrong(format!("A key may have {MOST_TAGS} tags at most.")));
    }
    Ok(tags)
}
