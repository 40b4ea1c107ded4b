//! What may stand as it is in a part of a request.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but RFC 3986's unreserved characters.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same without those reserved characters that mean nothing within a query's value. `&`, `=`, `+`, `#`, `%` and
/// brackets stay encoded even where a parameter allows reserved characters: they would end the value or change it.
const RESERVED: &AsciiSet = &STRICT
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';');

/// How texts of a parameter are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Everything but unreserved characters.
    Strict,
    /// Reserved characters stay where they can.
    AllowReserved,
    /// Nothing: header values are not percent-encoded.
    None,
}

/// Escapes a text.
pub(crate) fn escape(text: &str, how: Escape) -> String {
    match how {
        Escape::Strict => utf8_percent_encode(text, STRICT).to_string(),
        Escape::AllowReserved => utf8_percent_encode(text, RESERVED).to_string(),
        Escape::None => text.to_owned(),
    }
}
