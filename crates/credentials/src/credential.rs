//! A credential, ready to be put on requests.

use std::sync::Arc;

use aws::sigv4;
use bytes::Bytes;
use domain::{ApiKeyOutbound, Clock, Region, Secret};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request};
use mask::Mask;
use mcp::upstream::Dress;

use crate::{Refused, key};

/// A credential with what takes it out of answers.
pub struct Credential {
    form: Form,
    /// The token, when it is one that may be asked for again.
    token: Option<Secret>,
    mask: Option<Mask>,
}

enum Form {
    None,
    Header(HeaderName, HeaderValue),
    Query(String, Secret),
    Signature { credentials: sigv4::Credentials, service: String, region: Region, clock: Arc<dyn Clock> },
}

impl Credential {
    /// None: requests go without.
    #[must_use]
    pub fn none() -> Self {
        Self { form: Form::None, token: None, mask: None }
    }

    /// A key, where the target wants it.
    pub(crate) fn api_key(place: &ApiKeyOutbound, secret: &Secret, mask: Mask) -> Result<Self, Refused> {
        let form = match key::place(place)? {
            key::Place::Query(name) => Form::Query(name, secret.clone()),
            key::Place::Header { name, prefix: None } => Form::Header(name, value(secret.expose())?),
            key::Place::Header { name, prefix: Some(prefix) } => {
                Form::Header(name, value(&format!("{prefix} {}", secret.expose()))?)
            }
        };
        Ok(Self { form, token: None, mask: Some(mask) })
    }

    /// A token (RFC 6750, section 2.1).
    pub(crate) fn bearer(token: Secret, mask: Mask) -> Result<Self, Refused> {
        let value = value(&format!("Bearer {}", token.expose()))?;
        Ok(Self { form: Form::Header(AUTHORIZATION, value), token: Some(token), mask: Some(mask) })
    }

    /// A signature.
    pub(crate) fn signing(
        credentials: sigv4::Credentials,
        service: &str,
        region: Region,
        clock: Arc<dyn Clock>,
        mask: Option<Mask>,
    ) -> Self {
        let form = Form::Signature { credentials, service: service.to_owned(), region, clock };
        Self { form, token: None, mask }
    }

    /// What takes the secrets of this credential out of answers; `None` where there are no secrets.
    #[must_use]
    pub fn mask(&self) -> Option<&Mask> {
        self.mask.as_ref()
    }

    pub(crate) fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }
}

/// Puts the credential on a request. What the request may hold of another `Authorization` goes: no argument and no
/// header of a caller gets to be one.
impl Dress for Credential {
    fn dress(&self, request: &mut Request<Bytes>) -> Result<(), String> {
        request.headers_mut().remove(AUTHORIZATION);
        match &self.form {
            Form::None => Ok(()),
            Form::Header(name, value) => {
                request.headers_mut().insert(name.clone(), value.clone());
                Ok(())
            }
            Form::Query(name, secret) => {
                let uri = key::in_query(request.uri(), name, secret)?;
                *request.uri_mut() = uri;
                Ok(())
            }
            Form::Signature { credentials, service, region, clock } => {
                sigv4::sign(request, credentials, service, region, clock.now())
                    .map_err(|error| error.to_string())
            }
        }
    }
}

fn value(text: &str) -> Result<HeaderValue, Refused> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Refused::new("the credential holds characters that no header can carry: give another")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
#[path = "credential_tests.rs"]
mod tests;
