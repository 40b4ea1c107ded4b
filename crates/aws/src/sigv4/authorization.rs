//! The `Authorization` header of Signature Version 4, taken apart.

use super::SignatureError;

/// `AWS4-HMAC-SHA256 Credential=…/…/…/…/aws4_request, SignedHeaders=…;…, Signature=…`.
pub(super) struct Authorization<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) date: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) signed_headers: Vec<&'a str>,
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(super) fn parse(header: &'a str) -> Result<Self, SignatureError> {
        let rest = header.strip_prefix("AWS4-HMAC-SHA256").ok_or_else(|| {
            SignatureError::Incomplete(
                "Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is accepted".into(),
            )
        })?;
        let [credential, signed_headers, signature] = parameters(rest)?;
        let Some([access_key_id, date, region, service, "aws4_request"]) = five(credential) else {
            return Err(SignatureError::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
            )));
        };
        if access_key_id.is_empty() || access_key_id.len() > 128 {
            return Err(SignatureError::Incomplete(
                "Credential must begin with an access key id of 1 to 128 characters".into(),
            ));
        }
        let signed_headers: Vec<_> = signed_headers.split(';').collect();
        if signed_headers
            .iter()
            .any(|name| name.is_empty() || name.bytes().any(|byte| byte.is_ascii_uppercase()))
        {
            return Err(SignatureError::Incomplete(
                "SignedHeaders must be lower-case names parted by semicolons".into(),
            ));
        }
        Ok(Self { access_key_id, date, region, service, signed_headers, signature })
    }

    /// `date/region/service/aws4_request`.
    pub(super) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// The three parameters, each exactly once.
fn parameters(text: &str) -> Result<[&str; 3], SignatureError> {
    let mut found = [None; 3];
    const NAMES: [&str; 3] = ["Credential", "SignedHeaders", "Signature"];
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let slot = part.split_once('=').and_then(|(name, value)| {
            let at = NAMES.iter().position(|known| *known == name.trim())?;
            found.get_mut(at).filter(|slot| slot.is_none()).map(|slot| (slot, value))
        });
        match slot {
            Some((slot, value)) => *slot = Some(value.trim()),
            None => {
                return Err(SignatureError::Incomplete(
                    "Authorization header holds an unknown or a repeated parameter".into(),
                ));
            }
        }
    }
    match found {
        [Some(credential), Some(signed_headers), Some(signature)] => {
            Ok([credential, signed_headers, signature])
        }
        [credential, signed_headers, _] => {
            let missing = match (credential, signed_headers) {
                (None, _) => "Credential",
                (_, None) => "SignedHeaders",
                _ => "Signature",
            };
            Err(SignatureError::Incomplete(format!("Authorization header requires '{missing}' parameter.")))
        }
    }
}

fn five(credential: &str) -> Option<[&str; 5]> {
    let mut parts = credential.split('/');
    let five = [parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(five)
}
