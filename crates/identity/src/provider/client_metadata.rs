//! What a client says of itself (RFC 7591, section 2): the words of a stranger, of which little is believed and all is
//! bounded. A client may only be sent a code over `https`, or on the person's own machine (RFC 8252, section 7.3).

use serde_json::Value;
use url::{Host, Url};

/// The most addresses of one client.
const MOST_REDIRECT_URIS: usize = 10;
/// The longest address, in bytes.
const LONGEST_URI: usize = 2_000;
/// The longest name that is shown, in characters.
const LONGEST_NAME: usize = 60;

/// What is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientMetadata {
    /// `client_name`, made fit to be shown.
    pub(super) name: String,
    /// `redirect_uris`, of which there is at least one.
    pub(super) redirect_uris: Vec<String>,
}

/// Why it is refused (RFC 7591, section 3.2.2).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MetadataError {
    /// `invalid_redirect_uri`.
    RedirectUri(&'static str),
    /// `invalid_client_metadata`.
    Metadata(&'static str),
}

impl MetadataError {
    /// The code of RFC 7591, and what is wrong.
    pub(super) fn told(&self) -> (&'static str, &'static str) {
        match self {
            Self::RedirectUri(why) => ("invalid_redirect_uri", why),
            Self::Metadata(why) => ("invalid_client_metadata", why),
        }
    }
}

impl ClientMetadata {
    /// Reads an object of client metadata. Members that mean nothing here are left alone, as RFC 7591, section 2, wants it.
    pub(super) fn read(metadata: &Value) -> Result<Self, MetadataError> {
        let wrong = |why: &'static str| Err(MetadataError::Metadata(why));
        let Some(metadata) = metadata.as_object() else { return wrong("the metadata is no JSON object") };
        let redirect_uris = redirect_uris(metadata.get("redirect_uris"))?;
        if !lists(metadata.get("grant_types"), "authorization_code") {
            return wrong("grant_types must list authorization_code, the one grant of such clients");
        }
        if !lists(metadata.get("response_types"), "code") {
            return wrong("response_types must list code");
        }
        let name = match metadata.get("client_name") {
            None | Some(Value::Null) => "An application without a name".to_owned(),
            Some(Value::String(name)) => shown(name),
            Some(_) => return wrong("client_name must be a text"),
        };
        Ok(Self { name, redirect_uris })
    }
}

fn redirect_uris(given: Option<&Value>) -> Result<Vec<String>, MetadataError> {
    let wrong = |why: &'static str| Err(MetadataError::RedirectUri(why));
    let Some(Value::Array(given)) = given else { return wrong("redirect_uris must be a list") };
    if given.is_empty() || given.len() > MOST_REDIRECT_URIS {
        return wrong("redirect_uris must list 1 to 10 addresses");
    }
    let mut uris: Vec<String> = Vec::new();
    for uri in given {
        let Some(uri) = uri.as_str() else { return wrong("redirect_uris must list texts") };
        check_redirect_uri(uri)?;
        if uris.iter().all(|known| known != uri) {
            uris.push(uri.to_owned());
        }
    }
    Ok(uris)
}

fn check_redirect_uri(uri: &str) -> Result<(), MetadataError> {
    let wrong = |why: &'static str| Err(MetadataError::RedirectUri(why));
    let odd = ['\\', '"', '<', '>', '`', '{', '}', '*', ';', ','];
    if uri.len() > LONGEST_URI || !uri.bytes().all(|it| it.is_ascii_graphic()) || uri.contains(odd) {
        return wrong("an address of redirect_uris is too long, or has characters that mean several or none");
    }
    if uri.contains('#') {
        return wrong("an address of redirect_uris has a fragment");
    }
    let Ok(parsed) = Url::parse(uri) else { return wrong("an address of redirect_uris is no absolute URL") };
    if !parsed.username().is_empty() || parsed.password().is_some() || uri.contains('@') {
        return wrong("an address of redirect_uris names somebody at a host");
    }
    match parsed.scheme() {
        "https" if uri.starts_with("https://") => Ok(()),
        "http" if uri.starts_with("http://") && is_this_machine(&parsed) => Ok(()),
        _ => wrong("redirect_uris must be https, or http on 127.0.0.1, [::1] or localhost"),
    }
}

/// Whether an address is one of the person's own machine.
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether a list of words, where it is given, has a word.
fn lists(given: Option<&Value>, word: &str) -> bool {
    match given {
        None | Some(Value::Null) => true,
        Some(Value::Array(words)) => words.iter().any(|it| it.as_str() == Some(word)),
        Some(_) => false,
    }
}

/// A name as a page may show it: of letters, digits, spaces and harmless marks, so that it can neither turn the text
/// around nor look like something else that the page says.
fn shown(name: &str) -> String {
    let harmless =
        |it: char| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_' | '.' | '(' | ')' | '+' | '&' | '\'');
    let kept: String =
        name.chars().map(|it| if harmless(it) { it } else { ' ' }).take(LONGEST_NAME).collect();
    let kept = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    if kept.is_empty() { "An application without a name".to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(metadata: &Value) -> &'static str {
        ClientMetadata::read(metadata).unwrap_err().told().0
    }

    #[test]
    fn a_code_goes_over_https_or_to_the_persons_own_machine() {
        for good in [
            "https://app.example/cb",
            "https://app.example:8443/cb?from=here",
            "http://127.0.0.1:33418/",
            "http://[::1]/cb",
            "http://localhost:3334/oauth/callback",
        ] {
            assert!(ClientMetadata::read(&json!({ "redirect_uris": [good] })).is_ok(), "{good}");
        }
        for bad in [
            "http://app.example/cb",
            "http://localhost.evil.example/cb",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.2/",
            "http://0.0.0.0/",
            "https://app.example/cb#x",
            "https://user@app.example/cb",
            "https://app.example\\@evil.example/",
            "https:app.example/cb",
            "https://*.example/cb",
            "/cb",
            "",
            "javascript:alert(1)",
            "data:text/html,x",
            "com.example.app:/cb",
            "https://app.example/c b",
        ] {
            assert_eq!(error(&json!({ "redirect_uris": [bad] })), "invalid_redirect_uri", "{bad}");
        }
        let many = vec!["https://app.example/cb"; 11];
        for bad in [
            json!({}),
            json!({ "redirect_uris": [] }),
            json!({ "redirect_uris": "https://a.example/" }),
            json!({ "redirect_uris": many }),
        ] {
            assert_eq!(error(&bad), "invalid_redirect_uri", "{bad}");
        }
    }

    #[test]
    fn only_the_code_flow_can_be_had() {
        let with =
            |name: &str, value: Value| json!({ "redirect_uris": ["https://a.example/cb"], name: value });
        for bad in [
            with("grant_types", json!(["client_credentials"])),
            with("grant_types", json!("authorization_code")),
            with("response_types", json!(["token"])),
            with("client_name", json!(7)),
            json!([]),
        ] {
            assert_eq!(error(&bad), "invalid_client_metadata", "{bad}");
        }
        assert!(
            ClientMetadata::read(&with("grant_types", json!(["authorization_code", "refresh_token"])))
                .is_ok()
        );
    }

    #[test]
    fn a_name_is_shown_without_its_tricks() {
        assert_eq!(shown("Good App (v1.2)"), "Good App (v1.2)");
        assert_eq!(shown("a\u{202e}b\u{200b}\n<b>c</b>"), "a b b c b");
        assert_eq!(shown("\u{0}\u{7}"), "An application without a name");
        assert_eq!(shown(&"x".repeat(500)).len(), LONGEST_NAME);
    }
}
