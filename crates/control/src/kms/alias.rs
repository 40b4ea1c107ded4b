//! Aliases: other names of keys.

use aws::Fault;
use aws_shapes::kms::{
    AliasListEntry, AliasOperations, CreateAliasRequest, DeleteAliasRequest, ListAliasesRequest,
    ListAliasesResponse,
};
use domain::Arn;
use store::{KmsAlias, StoreError};

use super::{Kms, invalid_marker, invalid_state, named, not_found};
use crate::context::Context;
use crate::fault::Failure;
use crate::paging::Paging;

/// How many aliases a page has when the caller does not say (`ListAliases`).
const PAGE: usize = 50;
/// How many aliases a key has at most ("Resource quotas").
const MOST_ALIASES: usize = 50;

impl AliasOperations<Context> for Kms {
    type Error = Failure;

    /// The caller must be allowed it on the alias and on the key ("Controlling access to aliases").
    async fn create_alias(&self, context: &Context, input: CreateAliasRequest) -> Result<(), Failure> {
        let name = input.alias_name;
        check_name(&name)?;
        let arn = named::alias_arn(&context.scope, &name);
        context.require(context.action, &arn, |given| given)?;
        let allowed = named::authorize(context, &input.target_key_id, |given| given).await?;
        let mut tx = allowed.begin().await?;
        let key = named::find(&mut tx, context, &allowed, &input.target_key_id).await?;
        if key.gone_at.is_some() {
            return Err(invalid_state(format!("{} is pending deletion.", key.arn())));
        }
        let of_key = tx.kms_aliases(&context.scope).await?.iter().filter(|alias| alias.key == key.id).count();
        if of_key >= MOST_ALIASES {
            let message = format!("A key may have {MOST_ALIASES} aliases.");
            return Err(Fault::new("LimitExceededException", message).into());
        }
        let alias = KmsAlias { scope: context.scope.clone(), name, key: key.id, created_at: context.now };
        tx.insert_kms_alias(&alias).await.map_err(|error| match error {
            StoreError::Exists => {
                let message = format!("An alias with the name {arn} already exists");
                Fault::new("AlreadyExistsException", message).into()
            }
            error => Failure::from(error),
        })?;
        allowed.commit(tx).await?;
        Ok(())
    }

    async fn delete_alias(&self, context: &Context, input: DeleteAliasRequest) -> Result<(), Failure> {
        let arn = named::alias_arn(&context.scope, &input.alias_name);
        let allowed = context.authorize(&arn)?;
        let mut tx = allowed.begin().await?;
        let alias = named::alias_of(&mut tx, &context.scope, &input.alias_name).await?;
        let alias = alias.ok_or_else(|| not_found(format!("Alias {arn} is not found.")))?;
        context.require(context.action, &Arn::kms_key(&context.scope, &alias.key), |given| given)?;
        tx.delete_kms_alias(&context.scope, &alias.name).await?;
        allowed.commit(tx).await?;
        Ok(())
    }

    async fn list_aliases(
        &self,
        context: &Context,
        input: ListAliasesRequest,
    ) -> Result<ListAliasesResponse, Failure> {
        let paging = Paging::new(input.marker.as_deref(), input.limit, PAGE).ok_or_else(invalid_marker)?;
        let allowed = context.authorize_without_resource(&named::alias_arn(&context.scope, "alias/*"))?;
        let mut tx = allowed.read().await?;
        let mut aliases = tx.kms_aliases(&context.scope).await?;
        if let Some(id) = &input.key_id {
            let id = id.rsplit_once('/').map_or(id.as_str(), |(_, id)| id);
            if tx.kms_key(&context.scope, id).await?.is_none() {
                return Err(not_found(format!("Key '{}' does not exist", Arn::kms_key(&context.scope, id))));
            }
            aliases.retain(|alias| alias.key == id);
        }
        aliases.retain(|alias| alias.name.as_str() > paging.page().after);
        let (aliases, next) = paging.cut(aliases, |alias| alias.name.clone());
        Ok(ListAliasesResponse {
            aliases: Some(aliases.into_iter().map(describe).collect()),
            truncated: Some(next.is_some()),
            next_marker: next,
        })
    }
}

fn describe(alias: KmsAlias) -> AliasListEntry {
    AliasListEntry {
        alias_arn: Some(named::alias_arn(&alias.scope, &alias.name).into()),
        alias_name: Some(alias.name),
        target_key_id: Some(alias.key),
        creation_date: Some(alias.created_at),
        last_updated_date: Some(alias.created_at),
    }
}

fn check_name(name: &str) -> Result<(), Failure> {
    let rest = name.strip_prefix("alias/").filter(|rest| !rest.is_empty() && !rest.contains(':'));
    if rest.is_none() || name.starts_with("alias/aws/") {
        let message = "An alias must be alias/ and letters, digits, hyphens, underscores or slashes; alias/aws/ is AWS's own.";
        return Err(Fault::new("InvalidAliasNameException", message).into());
    }
    Ok(())
}
