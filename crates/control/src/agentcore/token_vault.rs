//! The token vault: which key its secrets are under. An account has one vault in a region, `default`, which nobody makes.

use aws::Fault;
use aws_shapes::bedrock_agentcore_control::{
    GetTokenVaultRequest, GetTokenVaultResponse, KeyType, KmsConfiguration,
    ResetTokenVaultKeyMaterialRequest, ResetTokenVaultKeyMaterialResponse, SetTokenVaultCMKRequest,
    SetTokenVaultCMKResponse, TokenVaultOperations,
};
use domain::{Arn, Scope, TokenVault};
use store::Tx;

use super::gateway_settings::read_kms_key;
use super::{AgentCore, not_found};
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::kms;

/// The one vault.
const DEFAULT: &str = "default";
/// The service by which KMS is asked (`kms:ViaService`).
const SERVICE: &str = "bedrock-agentcore-identity";

impl TokenVaultOperations<Context> for AgentCore {
    type Error = Failure;

    async fn get_token_vault(
        &self,
        context: &Context,
        input: GetTokenVaultRequest,
    ) -> Result<GetTokenVaultResponse, Failure> {
        let allowed = context.authorize(&arn(context, input.token_vault_id.as_deref()))?;
        check_id(input.token_vault_id.as_deref())?;
        let vault = find(&mut allowed.read().await?, &context.scope).await?;
        Ok(GetTokenVaultResponse {
            token_vault_id: DEFAULT.to_owned(),
            kms_configuration: describe(&vault),
            last_modified_date: vault.changed_at,
        })
    }

    async fn set_token_vault_cmk(
        &self,
        context: &Context,
        input: SetTokenVaultCMKRequest,
    ) -> Result<SetTokenVaultCMKResponse, Failure> {
        let allowed = context.authorize(&arn(context, input.token_vault_id.as_deref()))?;
        check_id(input.token_vault_id.as_deref())?;
        let key = read_key(input.kms_configuration)?;
        let mut tx = allowed.begin().await?;
        if let Some(key) = &key {
            kms::usable_by_caller(&mut tx, context, key, SERVICE).await?;
        }
        let former = find(&mut tx, &context.scope).await?.key;
        if let Some(former) = former.filter(|former| key.as_ref() != Some(former)) {
            kms::openable_by_caller(&mut tx, context, &former, SERVICE).await?;
        }
        let vault = TokenVault { scope: context.scope.clone(), key, changed_at: context.now };
        tx.put_token_vault(&vault).await?;
        allowed.commit(tx).await?;
        Ok(SetTokenVaultCMKResponse {
            token_vault_id: DEFAULT.to_owned(),
            kms_configuration: describe(&vault),
            last_modified_date: vault.changed_at,
        })
    }

    /// Only a vault whose key is gone for good: what could still be opened is not given up.
    async fn reset_token_vault_key_material(
        &self,
        context: &Context,
        input: ResetTokenVaultKeyMaterialRequest,
    ) -> Result<ResetTokenVaultKeyMaterialResponse, Failure> {
        let allowed = context.authorize(&arn(context, Some(&input.token_vault_id)))?;
        check_id(Some(&input.token_vault_id))?;
        let mut tx = allowed.begin().await?;
        let refuse = |message: String| Failure::from(Fault::new("ValidationException", message));
        let vault = find(&mut tx, &context.scope).await?;
        let key = vault.key.as_ref().ok_or_else(|| {
            refuse("The token vault is under a service managed key: there is nothing to reset.".to_owned())
        })?;
        if let Some((scope, id)) = key.as_kms_key()
            && let Some(found) = tx.kms_key(&scope, id).await?.filter(|found| !found.is_gone(context.now))
        {
            return Err(refuse(format!(
                "The token vault's KMS key {key} exists and is {}. Enable it or cancel its deletion in KMS to use the \
                 vault, or use SetTokenVaultCMK to change its key.",
                found.state.in_words()
            )));
        }
        let vault = TokenVault { key: None, changed_at: context.now, ..vault };
        tx.reset_token_vault(&vault).await?;
        allowed.commit(tx).await?;
        Ok(ResetTokenVaultKeyMaterialResponse {
            token_vault_id: DEFAULT.to_owned(),
            kms_configuration: describe(&vault),
            last_modified_date: vault.changed_at,
        })
    }
}

/// The vault of a scope. One that nobody has changed was always there: it is as old as its account.
async fn find(tx: &mut Tx, scope: &Scope) -> Result<TokenVault, Failure> {
    if let Some(found) = tx.token_vault(scope).await? {
        return Ok(found);
    }
    let account = tx.accounts().await?.into_iter().find(|account| account.id == scope.account);
    let account = account.ok_or_else(|| Failure::internal(&"a caller's account does not exist"))?;
    Ok(TokenVault { scope: scope.clone(), key: None, changed_at: account.created_at })
}

fn arn(context: &Context, id: Option<&str>) -> Arn {
    Arn::agentcore(&context.scope, &format!("token-vault/{}", id.unwrap_or(DEFAULT)))
}

fn check_id(id: Option<&str>) -> Result<(), Failure> {
    match id {
        None | Some(DEFAULT) => Ok(()),
        Some(other) => Err(not_found("Token vault", &other)),
    }
}

fn read_key(given: KmsConfiguration) -> Result<Option<Arn>, Failure> {
    match (given.key_type, given.kms_key_arn) {
        (KeyType::ServiceManagedKey, None) => Ok(None),
        (KeyType::ServiceManagedKey, Some(_)) => Err(invalid(
            "kmsConfiguration/kmsKeyArn",
            "A ServiceManagedKey has no kmsKeyArn: leave it out, or use CustomerManagedKey.",
        )),
        (KeyType::CustomerManagedKey, None) => {
            Err(invalid("kmsConfiguration/kmsKeyArn", "A CustomerManagedKey needs the kmsKeyArn."))
        }
        (KeyType::CustomerManagedKey, Some(arn)) => read_kms_key("kmsConfiguration/kmsKeyArn", Some(arn)),
    }
}

fn describe(vault: &TokenVault) -> KmsConfiguration {
    KmsConfiguration {
        key_type: match vault.key {
            Some(_) => KeyType::CustomerManagedKey,
            None => KeyType::ServiceManagedKey,
        },
        kms_key_arn: vault.key.as_ref().map(ToString::to_string),
    }
}
