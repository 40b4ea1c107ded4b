//! Credential providers, as far as targets name them: one that is named must be there, in the gateway's own account and
//! region.

use domain::{Arn, Outbound, Scope};
use store::Tx;

use crate::fault::{Failure, invalid};

const FIELD: &str = "credentialProviderConfigurations";

/// Looks for the provider that a target's credentials come from.
///
/// # Errors
/// AWS's ValidationException when there is none.
pub(super) async fn check(tx: &mut Tx, scope: &Scope, outbound: &Outbound) -> Result<(), Failure> {
    let (arn, kinds): (_, &[&str]) = match outbound {
        Outbound::ApiKey(key) => (&key.provider, &["apikeycredentialprovider"]),
        Outbound::OAuth(oauth) => (&oauth.provider, &["oauth2credentialprovider", "oauthcredentialprovider"]),
        _ => return Ok(()),
    };
    let refused = || {
        invalid(
            FIELD,
            format!(
                "{arn} does not name a credential provider of this kind in the gateway's account and region: it must be \
                 arn:aws:bedrock-agentcore:{}:{}:token-vault/default/{}/NAME, and exist.",
                scope.region,
                scope.account,
                kinds.first().copied().unwrap_or_default()
            ),
        )
    };
    let (kind, name) = named(arn, scope).ok_or_else(refused)?;
    if !kinds.contains(&kind) || !exists(tx, scope, kind, name).await? {
        return Err(refused());
    }
    Ok(())
}

/// The kind and the name in a provider's ARN. The service is `acps` in one place of AWS's model.
fn named<'a>(arn: &'a Arn, scope: &Scope) -> Option<(&'a str, &'a str)> {
    let here = matches!(arn.service(), "bedrock-agentcore" | "acps") && arn.scope().as_ref() == Some(scope);
    let (kind, name) = arn.resource().strip_prefix("token-vault/default/")?.split_once('/')?;
    (here && !name.is_empty() && !name.contains('/')).then_some((kind, name))
}

/// Whether the vault has it.
async fn exists(_tx: &mut Tx, _scope: &Scope, _kind: &str, _name: &str) -> Result<bool, Failure> {
    Ok(false)
}
