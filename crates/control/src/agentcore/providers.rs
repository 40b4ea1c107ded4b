//! Credential providers, as far as targets name them: one that is named must be there, in the gateway's own account and
//! region.

use domain::{Arn, CredentialKind, Outbound, Scope};
use store::Tx;

use crate::fault::{Failure, invalid};

/// Looks for the provider that a target's credentials come from.
///
/// # Errors
/// AWS's ValidationException when there is none.
pub(super) async fn check(tx: &mut Tx, scope: &Scope, outbound: &Outbound) -> Result<(), Failure> {
    let (arn, kind) = match outbound {
        Outbound::ApiKey(key) => (&key.provider, CredentialKind::ApiKey),
        Outbound::OAuth(oauth) => (&oauth.provider, CredentialKind::OAuth2),
        _ => return Ok(()),
    };
    let named = arn.as_credential_provider().filter(|(of, is, _)| of == scope && *is == kind);
    let found = match named {
        Some((_, _, name)) => tx.credential_provider(scope, kind, &name).await?,
        None => None,
    };
    found.map(|_| ()).ok_or_else(|| {
        let form = Arn::credential_provider(scope, kind, "NAME");
        invalid(
            "credentialProviderConfigurations",
            format!(
                "{arn} is no credential provider of this kind in the gateway's account and region: it must have the \
                 form {form}, and exist."
            ),
        )
    })
}
