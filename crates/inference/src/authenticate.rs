//! Who asks, by the signature of the request.

use std::sync::Arc;

use aws::Fault;
use aws::sigv4::{PathStyle, Request, Signed};
use domain::Region;
use http::request::Parts;
use identity::principal::{Identity, PrincipalError};

use crate::fault::{Failure, unavailable};
use crate::plane::Setup;

/// The name that requests for Bedrock and for Bedrock Runtime are signed for.
const SIGNING_NAME: &str = "bedrock";

/// Who asks, and in which region.
pub(crate) async fn authenticate(
    setup: &Setup,
    head: &Parts,
    body: &[u8],
) -> Result<(Arc<Identity>, Region), Failure> {
    let protocol = aws::protocol_of(&head.headers);
    let refuse = |error| Failure::from(Fault::signature(protocol, &error));
    let headers: Vec<_> =
        head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let signed = Signed::read(Request {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &headers,
        body,
    })
    .map_err(refuse)?;
    if signed.service() != SIGNING_NAME {
        let message =
            format!("The request is signed for `{}`; sign it for `{SIGNING_NAME}`.", signed.service());
        return Err(Fault::new("InvalidSignatureException", message).with_status(403).into());
    }
    let identity = match setup.principals.find(signed.access_key_id(), signed.session_token()).await {
        Ok(identity) => identity,
        Err(PrincipalError::Unknown) => return Err(Fault::unknown_key(protocol).into()),
        Err(PrincipalError::Expired) => return Err(Fault::expired_session(protocol).into()),
        Err(PrincipalError::Store(error)) => {
            tracing::error!(%error, "An identity cannot be read.");
            return Err(unavailable("The caller's identity cannot be read now. Try again.").into());
        }
        Err(error) => return Err(Failure::Internal(error.to_string())),
    };
    signed.verify(&identity.secret, setup.clock.now(), PathStyle::Normalized).map_err(refuse)?;
    Ok((identity, signed.region().clone()))
}
