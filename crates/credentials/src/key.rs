//! Where an API key stands in a request (API type `ApiKeyCredentialProvider`).

use domain::{ApiKeyLocation, ApiKeyOutbound, Secret};
use http::header::AUTHORIZATION;
use http::{HeaderName, Uri};

use crate::Refused;

/// The parameter of the query where none is named.
const PARAMETER: &str = "api_key";

/// Where a key goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A header, with what stands before the key.
    Header { name: HeaderName, prefix: Option<String> },
    /// A parameter of the query.
    Query(String),
}

/// Where the key of a target goes: into `Authorization` after `Bearer`, unless its settings say otherwise.
pub(crate) fn place(settings: &ApiKeyOutbound) -> Result<Place, Refused> {
    let named = settings.parameter.as_deref();
    if settings.location == ApiKeyLocation::Query {
        return Ok(Place::Query(named.unwrap_or(PARAMETER).to_owned()));
    }
    let name = match named {
        None => AUTHORIZATION,
        Some(name) => HeaderName::try_from(name)
            .map_err(|_| Refused::new(format!("`{name}` is no header that an API key can be sent in")))?,
    };
    let usual = (name == AUTHORIZATION).then(|| "Bearer".to_owned());
    let prefix = match settings.prefix.as_deref().map(str::trim) {
        None => usual,
        Some("") => None,
        Some(prefix) => Some(prefix.to_owned()),
    };
    Ok(Place::Header { name, prefix })
}

/// A URL with the key in its query. A parameter of the same name that was there is replaced, however it is written.
pub(crate) fn in_query(uri: &Uri, name: &str, secret: &Secret) -> Result<Uri, String> {
    let query = uri.query().unwrap_or_default();
    let is_same = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).any(|(given, _)| given == name);
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter(|pair| !is_same(pair))
        .map(str::to_owned)
        .collect();
    let own = form_urlencoded::Serializer::new(String::new()).append_pair(name, secret.expose()).finish();
    // A space is %20 in every query, and a plus sign in forms alone.
    pairs.push(own.replace('+', "%20"));
    let broken = |_| "the API key cannot be put into the query of the target's URL".to_owned();
    let mut parts = uri.clone().into_parts();
    let written = format!("{}?{}", uri.path(), pairs.join("&"));
    parts.path_and_query = Some(written.parse().map_err(|_| broken(()))?);
    Uri::from_parts(parts).map_err(|_| broken(()))
}
