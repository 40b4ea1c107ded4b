//! The canonical form of a request: what is hashed and signed.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::Request;

/// Everything but RFC 3986's unreserved characters.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, and slashes stay.
const STRICT_PATH: &AsciiSet = &STRICT.remove(b'/');

/// How a service reads the path. Source: "Create a signed AWS API request", step 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStyle {
    /// Dot segments and empty segments are taken out, and what is left is encoded once more: every service but S3.
    Normalized,
    /// The path as it stands on the request line, encoded once more.
    AsIs,
    /// The path as it stands on the request line, encoded once: S3, whose keys may hold dot segments and empty ones.
    Once,
    /// The path as it stands on the request line, which is encoded already: S3, whose keys may hold anything.
    Verbatim,
}

/// The canonical request.
pub(super) fn request(
    request: &Request<'_>,
    signed_headers: &[&str],
    payload_hash: &str,
    style: PathStyle,
) -> String {
    let mut text = String::with_capacity(512);
    text.push_str(request.method);
    text.push('\n');
    text.push_str(&path(request.path, style));
    text.push('\n');
    text.push_str(&query(request.query));
    text.push('\n');
    for name in signed_headers {
        text.push_str(name);
        text.push(':');
        header_values(request, name, &mut text);
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&signed_headers.join(";"));
    text.push('\n');
    text.push_str(payload_hash);
    text
}

fn path(path: &str, style: PathStyle) -> String {
    let path = if path.is_empty() { "/" } else { path };
    let encoded = |path: &str| percent_encode(path.as_bytes(), STRICT_PATH).to_string();
    match style {
        PathStyle::Once => {
            let decoded: Vec<u8> = percent_decode_str(path).collect();
            percent_encode(&decoded, STRICT_PATH).to_string()
        }
        PathStyle::AsIs => encoded(path),
        PathStyle::Verbatim => path.to_owned(),
        PathStyle::Normalized => encoded(&normalized(path)),
    }
}

/// RFC 3986, section 5.2.4, and empty segments taken out as well; a slash at the end stays.
fn normalized(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let ends_open = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    let slash = if ends_open && !kept.is_empty() { "/" } else { "" };
    format!("/{}{slash}", kept.join("/"))
}

fn query(query: &str) -> String {
    let encoded = |text: &str| {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        percent_encode(&decoded, STRICT).to_string()
    };
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort();
    let joined: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    joined.join("&")
}

/// The values of a header, in the order in which they came, parted by commas; runs of spaces become one.
fn header_values(request: &Request<'_>, name: &str, text: &mut String) {
    let values = request.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    for (at, (_, value)) in values.enumerate() {
        if at > 0 {
            text.push(',');
        }
        // Bytes that are no UTF-8 cannot have been signed by any client: replaced, they match no signature.
        let value = String::from_utf8_lossy(value);
        for (at, word) in value.split_ascii_whitespace().enumerate() {
            if at > 0 {
                text.push(' ');
            }
            text.push_str(word);
        }
    }
}
