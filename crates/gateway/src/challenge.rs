//! Where a gateway and its metadata are, for what it tells callers whom it does not accept.

use domain::{Authorizer, Gateway, UserPoolId};
use identity::Challenge;
use identity::provider::Names;

/// The challenges of a gateway. `local` is the pool of our own that the authorizer trusts, if it is one.
pub(crate) fn of(gateway: &Gateway, names: &Names, local: Option<&UserPoolId>) -> Challenge {
    let Authorizer::CustomJwt(jwt) = &gateway.authorizer else { return Challenge::default() };
    let base = format!("{}/gateways/{}", names.public_url(), gateway.id);
    let metadata = format!("{base}/.well-known/oauth-protected-resource");
    Challenge::of(jwt, &format!("{base}/mcp"), &metadata, names, local)
}
