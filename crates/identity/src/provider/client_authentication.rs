//! What a client sends to an endpoint of OAuth, and how it proves who it is (RFC 6749, sections 2.3, 3.2 and 5.2).

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{PoolClient, Secret, UserPool};
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::client_documents::DocumentError;
use super::third_party::ClientError;
use super::trail::Trail;
use super::{PoolHint, Provider, TokenAnswer, TokenRequest};

/// The length of a client's id, in bytes.
const ID_LENGTH: usize = 26;
/// How much of a client's own words an answer repeats, in characters.
const QUOTED: usize = 64;

/// A refusal in the words of RFC 6749, section 5.2.
pub(super) struct Refusal {
    pub(super) error: &'static str,
    pub(super) description: String,
    /// Whether the client tried to authenticate by the `Authorization` header.
    by_header: bool,
    /// What went wrong is ours, not the client's.
    pub(super) internal: bool,
    /// It may go well in a moment.
    passes: bool,
}

impl Refusal {
    pub(super) fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { error, description: description.into(), by_header: false, internal: false, passes: false }
    }

    pub(super) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "The token endpoint failed.");
        Self {
            internal: true,
            ..Self::new("server_error", "Portcullis could not do this; its log has the cause")
        }
    }
}

impl From<Refusal> for TokenAnswer {
    fn from(refusal: Refusal) -> Self {
        let challenge = refusal.error == "invalid_client" && refusal.by_header;
        let status = match () {
            () if refusal.passes => 503,
            () if refusal.internal => 500,
            () if challenge => 401,
            () => 400,
        };
        let body = json!({ "error": refusal.error, "error_description": refusal.description });
        Self { status, body, challenge }
    }
}

impl From<store::StoreError> for Refusal {
    fn from(error: store::StoreError) -> Self {
        match error.outage() {
            Some(told) => {
                tracing::error!(%error, "The token endpoint does not serve.");
                Self { internal: true, passes: true, ..Self::new("temporarily_unavailable", told) }
            }
            None => Self::internal(&error),
        }
    }
}

/// The client's credentials as they were presented.
pub(super) struct Presented {
    id: String,
    secret: Option<Secret>,
    by_header: bool,
}

impl Presented {
    /// The one answer for every way in which a client may not be known.
    pub(super) fn unknown(&self) -> Refusal {
        Refusal {
            by_header: self.by_header,
            ..Refusal::new("invalid_client", "the client is not known, or its secret is another")
        }
    }
}

impl Provider {
    /// Recognises the client: it exists, belongs to the pool that was meant, and knows its secret. One answer for every
    /// way in which it may not.
    pub(super) async fn authenticate(
        &self,
        hint: &PoolHint,
        presented: &Presented,
        trail: &mut Trail,
    ) -> Result<(UserPool, PoolClient), Refusal> {
        let invalid = || presented.unknown();
        let meant = self.find(hint).await?;
        let found = self.meant_client(hint, &presented.id).await.map_err(|error| match error {
            ClientError::Store(error) => error.into(),
            ClientError::Document(DocumentError::Busy) => {
                Refusal::new("temporarily_unavailable", DocumentError::Busy.told())
            }
            ClientError::Document(_) => presented.unknown(),
        })?;
        let Some((client, pool)) = found else {
            // As much work as for a client that exists.
            let _ =
                Secret::new("no such client").matches(presented.secret.as_ref().map_or("", Secret::expose));
            return Err(invalid());
        };
        // From here on it is this account's affair, however it ends.
        trail.saw_client(&client);
        let of_this_pool = match (hint, &meant) {
            (PoolHint::OfTheClient, _) => true,
            (_, Some(pool)) => pool.id == client.pool,
            (_, None) => false,
        };
        let knows_secret = match (&client.secret, &presented.secret) {
            (Some(secret), Some(presented)) => secret.matches(presented.expose()),
            // A public client cannot prove who it is; what it shows proves whom it acts for.
            (None, None) => true,
            _ => false,
        };
        if !of_this_pool || !knows_secret {
            return Err(invalid());
        }
        Ok((pool, client))
    }
}

pub(super) fn read_form(request: &TokenRequest<'_>) -> Result<HashMap<String, String>, Refusal> {
    let kind = request.content_type.unwrap_or_default();
    if !kind
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
    {
        return Err(Refusal::new(
            "invalid_request",
            "Content-Type must be application/x-www-form-urlencoded",
        ));
    }
    let mut form = HashMap::new();
    for (name, value) in form_urlencoded::parse(request.body) {
        // RFC 6749, section 3.2: parameters must not be included more than once.
        if form.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            let name = quoted(&name);
            return Err(Refusal::new("invalid_request", format!("{name} is given more than once")));
        }
    }
    Ok(form)
}

/// The client's id and secret, from the header or from the body, and not from both (RFC 6749, section 2.3).
pub(super) fn presented(
    authorization: Option<&str>,
    form: &HashMap<String, String>,
    trail: &mut Trail,
) -> Result<Presented, Refusal> {
    let presented = read_presented(authorization, form)?;
    // What is longer than an id may be a secret that was put into the wrong field.
    trail.client = Some(presented.id.clone()).filter(|id| id.len() <= ID_LENGTH);
    Ok(presented)
}

fn read_presented(authorization: Option<&str>, form: &HashMap<String, String>) -> Result<Presented, Refusal> {
    let in_body = form.get("client_secret").map(|secret| Secret::new(secret.as_str()));
    let Some(header) = authorization else {
        let id = form.get("client_id").filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Refusal::new("invalid_request", "client_id is missing"))?;
        return Ok(Presented { id: id.clone(), secret: in_body, by_header: false });
    };
    let malformed = || Refusal {
        by_header: true,
        ..Refusal::new("invalid_client", "the Authorization header is no Basic credential")
    };
    let (scheme, encoded) = header.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    if in_body.is_some() {
        return Err(Refusal::new(
            "invalid_request",
            "the client authenticates twice: by header and in the body",
        ));
    }
    // RFC 6749, section 2.3.1: both parts are form-encoded before they are joined.
    let unfold = |text: &str| {
        percent_decode_str(&text.replace('+', " ")).decode_utf8().map(std::borrow::Cow::into_owned)
    };
    let (id, secret) = (unfold(id).map_err(|_| malformed())?, unfold(secret).map_err(|_| malformed())?);
    if form.get("client_id").is_some_and(|other| *other != id) {
        return Err(Refusal::new("invalid_request", "client_id in the body is another than in the header"));
    }
    Ok(Presented { id, secret: Some(Secret::new(secret)), by_header: true })
}

/// A client's own words in a description: short, and of the characters that it may hold (RFC 6749, section 5.2).
pub(super) fn quoted(words: &str) -> String {
    let legal = |character: char| matches!(character, ' '..='~') && !matches!(character, '"' | '\\' | '`');
    let shown: String = words.chars().take(QUOTED).map(|it| if legal(it) { it } else { '?' }).collect();
    format!("`{shown}`")
}
