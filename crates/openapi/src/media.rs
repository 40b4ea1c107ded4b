//! Media types, as far as bodies need them.

use http::HeaderValue;

/// The longest media type; a type and a subtype have at most 127 characters each (RFC 6838, section 4.2).
const MAX_LENGTH: usize = 255;

/// What a media type means for a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `application/json`, `*+json`, and what leaves the choice to us.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// `application/xml`, `text/xml` and `*+xml`.
    Xml,
    /// `text/*`.
    Text,
    /// Anything else.
    Binary,
}

/// The kind of a media type, whatever its parameters.
pub(crate) fn kind(media_type: &str) -> Kind {
    let essence = essence(media_type);
    match essence.as_str() {
        "application/json" | "text/json" | "*/*" | "application/*" | "application/x-ndjson" => Kind::Json,
        "application/x-www-form-urlencoded" => Kind::Form,
        "multipart/form-data" | "multipart/*" => Kind::Multipart,
        "application/xml" | "text/xml" => Kind::Xml,
        _ if essence.ends_with("+json") => Kind::Json,
        _ if essence.ends_with("+xml") && !essence.starts_with("image/") => Kind::Xml,
        _ if essence.starts_with("text/") => Kind::Text,
        _ => Kind::Binary,
    }
}

/// `type/subtype` in lower case; nothing for what is too long to be one.
pub(crate) fn essence(media_type: &str) -> String {
    if media_type.len() > MAX_LENGTH {
        return String::new();
    }
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What is sent as `Content-Type` for a media type of the document, which may be a range; nothing when it is too long.
pub(crate) fn content_type(media_type: &str) -> Option<String> {
    if media_type.len() > MAX_LENGTH {
        return None;
    }
    let chosen = match essence(media_type).as_str() {
        "*/*" | "application/*" => "application/json".to_owned(),
        "multipart/form-data" | "multipart/*" => "multipart/form-data".to_owned(),
        "text/*" => "text/plain".to_owned(),
        range if range.ends_with("/*") => "application/octet-stream".to_owned(),
        _ => media_type.trim().to_owned(),
    };
    let (kind, subtype) = chosen.split_once('/')?;
    let fits = !kind.is_empty() && !subtype.is_empty() && HeaderValue::from_str(&chosen).is_ok();
    fits.then_some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (media_type, expected) in [
            ("application/json; charset=utf-8", Kind::Json),
            ("application/vnd.api+JSON", Kind::Json),
            ("*/*", Kind::Json),
            ("application/x-www-form-urlencoded", Kind::Form),
            ("multipart/form-data", Kind::Multipart),
            ("text/xml", Kind::Xml),
            ("application/soap+xml", Kind::Xml),
            ("image/svg+xml", Kind::Binary),
            ("text/csv", Kind::Text),
            ("application/pdf", Kind::Binary),
        ] {
            assert_eq!(kind(media_type), expected, "{media_type}");
        }
        assert_eq!(content_type("image/*").as_deref(), Some("application/octet-stream"));
        assert_eq!(content_type("a/b\r\nX: y"), None);
        assert_eq!(content_type("nonsense"), None);
        let long = |length: usize| format!("text/{}", "x".repeat(length - 5));
        assert_eq!(content_type(&long(255)), Some(long(255)));
        assert_eq!((content_type(&long(256)), essence(&long(256))), (None, String::new()));
    }
}
