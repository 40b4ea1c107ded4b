//! Access keys of users, and of the account itself. The secret part is told once, to whoever makes the key.

use aws_shapes::iam::{
    AccessKey as WireKey, AccessKeyLastUsed, AccessKeyMetadata, AccessKeyOperations, CreateAccessKeyRequest,
    CreateAccessKeyResponse, DeleteAccessKeyRequest, GetAccessKeyLastUsedRequest,
    GetAccessKeyLastUsedResponse, ListAccessKeysRequest, ListAccessKeysResponse, StatusType,
    UpdateAccessKeyRequest,
};
use domain::{AccessKey, AccessKeyId, AccessKeyStatus, Holder, Secret};
use store::Tx;

use super::listing::Listing;
use super::user::{ROOT, named_or_own};
use super::{Iam, holder, no_such, over_quota, validation_error};
use crate::context::Context;
use crate::fault::Failure;

/// How many keys a user may have.
const MOST_KEYS: usize = 2;
/// What secrets are drawn from: 40 of these are 240 bits.
const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl AccessKeyOperations<Context> for Iam {
    type Error = Failure;

    async fn create_access_key(
        &self,
        context: &Context,
        input: CreateAccessKeyRequest,
    ) -> Result<CreateAccessKeyResponse, Failure> {
        let holder = named_or_own(context, input.user_name)?;
        let allowed = holder::authorize(context, &holder).await?;
        let mut tx = allowed.begin().await?;
        holder::require(&mut tx, context, &allowed, &holder).await?;
        if tx.access_keys(&context.scope.account, &holder).await?.len() >= MOST_KEYS {
            return Err(over_quota(format!("Cannot exceed quota for AccessKeysPerUser: {MOST_KEYS}")));
        }
        let random = &*context.setup().random;
        let key = AccessKey {
            id: AccessKeyId::mint(random),
            secret: Secret::new(random.text(40, SECRET)),
            account: context.scope.account.clone(),
            holder,
            status: AccessKeyStatus::Active,
            created_at: context.now,
        };
        tx.insert_access_key(&key).await?;
        allowed.commit(tx).await?;
        Ok(CreateAccessKeyResponse {
            access_key: WireKey {
                user_name: name(&key.holder),
                access_key_id: key.id.to_string(),
                status: status(key.status),
                secret_access_key: key.secret.expose().to_owned(),
                create_date: Some(key.created_at),
            },
        })
    }

    async fn list_access_keys(
        &self,
        context: &Context,
        input: ListAccessKeysRequest,
    ) -> Result<ListAccessKeysResponse, Failure> {
        let holder = named_or_own(context, input.user_name)?;
        let allowed = holder::authorize(context, &holder).await?;
        let listing = Listing::new(input.marker.as_deref(), input.max_items)?;
        let mut tx = allowed.read().await?;
        holder::require(&mut tx, context, &allowed, &holder).await?;
        let keys = tx.access_keys(&context.scope.account, &holder).await?;
        let page = listing.page(keys, |key| key.id.to_string()).map(|key| AccessKeyMetadata {
            user_name: Some(name(&holder)),
            access_key_id: Some(key.id.to_string()),
            status: Some(status(key.status)),
            create_date: Some(key.created_at),
        });
        Ok(ListAccessKeysResponse {
            access_key_metadata: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }

    async fn update_access_key(
        &self,
        context: &Context,
        input: UpdateAccessKeyRequest,
    ) -> Result<(), Failure> {
        let wanted = match input.status {
            StatusType::Active => AccessKeyStatus::Active,
            StatusType::Inactive => AccessKeyStatus::Inactive,
            StatusType::Expired => {
                return Err(validation_error("A key cannot be set to Expired: use Active or Inactive."));
            }
        };
        let holder = named_or_own(context, input.user_name)?;
        let allowed = holder::authorize(context, &holder).await?;
        let mut tx = allowed.begin().await?;
        holder::require(&mut tx, context, &allowed, &holder).await?;
        let key = find(&mut tx, context, &holder, input.access_key_id).await?;
        tx.set_access_key_status(&context.scope.account, &key, wanted).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn delete_access_key(
        &self,
        context: &Context,
        input: DeleteAccessKeyRequest,
    ) -> Result<(), Failure> {
        let holder = named_or_own(context, input.user_name)?;
        let allowed = holder::authorize(context, &holder).await?;
        let mut tx = allowed.begin().await?;
        holder::require(&mut tx, context, &allowed, &holder).await?;
        let key = find(&mut tx, context, &holder, input.access_key_id).await?;
        tx.delete_access_key(&context.scope.account, &key).await?;
        Ok(allowed.commit(tx).await?)
    }

    /// Decided about the user whose key it is; a key that nobody here has is refused as one that may not be looked at.
    async fn get_access_key_last_used(
        &self,
        context: &Context,
        input: GetAccessKeyLastUsedRequest,
    ) -> Result<GetAccessKeyLastUsedResponse, Failure> {
        let id = AccessKeyId::from_text(input.access_key_id);
        let found = context.setup().store.read().await?.access_key(&id).await?;
        let known = found.filter(|key| key.account == context.scope.account);
        let holder = known.as_ref().map_or_else(|| Holder::User("*".to_owned()), |key| key.holder.clone());
        let allowed = holder::authorize_called(context, &holder, &format!("access key {id}")).await?;
        let key = known.ok_or_else(|| no_such(format!("The Access Key with id {id} cannot be found.")))?;
        let used = allowed.read().await?.access_key_use(&id).await?;
        let never = || "N/A".to_owned();
        Ok(GetAccessKeyLastUsedResponse {
            user_name: Some(name(&key.holder)),
            access_key_last_used: Some(AccessKeyLastUsed {
                last_used_date: used.as_ref().map(|used| used.at),
                service_name: used.as_ref().map_or_else(never, |used| used.service.clone()),
                region: used.map_or_else(never, |used| used.region),
            }),
        })
    }
}

/// The key of this id, if it is this holder's.
async fn find(tx: &mut Tx, context: &Context, holder: &Holder, id: String) -> Result<AccessKeyId, Failure> {
    let keys = tx.access_keys(&context.scope.account, holder).await?;
    let found = keys.into_iter().find(|key| key.id.as_str() == id);
    let missing = || no_such(format!("The Access Key with id {id} cannot be found."));
    found.map(|key| key.id).ok_or_else(missing)
}

fn name(holder: &Holder) -> String {
    match holder {
        Holder::Root => ROOT.to_owned(),
        Holder::User(name) | Holder::Role(name) | Holder::Group(name) => name.clone(),
    }
}

fn status(status: AccessKeyStatus) -> StatusType {
    match status {
        AccessKeyStatus::Active => StatusType::Active,
        AccessKeyStatus::Inactive => StatusType::Inactive,
    }
}
