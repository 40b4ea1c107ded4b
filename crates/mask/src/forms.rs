//! How a secret may be written, as patterns for the two automata.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use domain::Secret;
use zeroize::Zeroizing;

use crate::SHORTEST;
use crate::automaton::{Automaton, Writing};
use crate::unit::{self, Unit};

/// What is left of a pattern when its ends are cut off must have this many bytes, or it would match too much.
const FEWEST: usize = 6;
const FEWEST_BEHIND: usize = 5;

/// How much of a secret an escape before it can swallow: `u` and four digits.
const LONGEST_SWALLOWED: usize = 5;

/// How many bytes in a row may be left out of a text; longer gaps end a match, so that a stream need not wait.
pub(crate) const GAP: usize = 128;

type Bytes = Zeroizing<Vec<u8>>;

/// Adds every form of the secret to the automata.
pub(crate) fn add(secret: &Secret, exact: &mut Automaton, loose: &mut Automaton) {
    let raw = secret.expose().as_bytes();
    if raw.len() < SHORTEST {
        return;
    }
    exact.add(without_escape_at_end(raw), Writing::Text);
    let plain = normal(raw).filter(|plain| plain.len() >= FEWEST);
    // Percent signs and backslashes of its own read like escapes, and differently behind those of an encoding; line ends are
    // left out: such secrets are looked for in their usual spellings too.
    if plain.is_none() || !raw.iter().all(|byte| unit::is_plain(*byte)) {
        spelled(raw).iter().for_each(|form| exact.add(form, Writing::Text));
    }
    if let Some(plain) = plain {
        loose.add(&plain, Writing::Text);
        behind_an_escape(raw).for_each(|rest| loose.add(&rest, Writing::Text));
    }
    let markup = in_markup(without_escape_at_end(raw)).map(|form| (form, Writing::Text));
    let inside = percent_encoded(raw).into_iter().filter(|form| **form != *raw);
    let forms = encoded(raw).into_iter().chain(inside.flat_map(|form| encoded(&form))).chain(markup);
    for (form, writing) in forms {
        exact.add(&form, writing);
        if let Some(form) = normal(&form) {
            loose.add(&form, writing);
        }
    }
}

/// The secret without the backslashes at its end: in a JSON string one of them may belong to what follows.
fn without_escape_at_end(raw: &[u8]) -> &[u8] {
    let kept = raw.iter().rposition(|byte| *byte != b'\\').map_or(0, |last| last + 1);
    raw.get(..kept).filter(|kept| kept.len() >= FEWEST).unwrap_or(raw)
}

/// The bytes with escapes taken back, up to the first that depends on what follows; nothing when a gap is too long.
fn normal(bytes: &[u8]) -> Option<Bytes> {
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len() * 4));
    let (mut rest, mut gap) = (bytes, 0);
    while let Unit::Taken { length, text } = unit::next(rest) {
        gap = if text.bytes().is_empty() { gap + length } else { 0 };
        if gap > GAP {
            return None;
        }
        plain.extend_from_slice(text.bytes());
        rest = rest.get(length..).unwrap_or_default();
    }
    Some(plain)
}

/// What is left of the secret when something before it takes its first characters for the end of an escape: behind a
/// backslash an `n` is a line end, behind a percent sign two digits are a byte.
fn behind_an_escape(raw: &[u8]) -> impl Iterator<Item = Bytes> {
    let swallowed = raw.iter().take_while(|byte| byte.is_ascii_hexdigit() || b"nrtu".contains(byte)).count();
    let rests = (1..=swallowed.min(LONGEST_SWALLOWED)).filter_map(|taken| normal(raw.get(taken..)?));
    rests.filter(|rest| rest.len() >= FEWEST_BEHIND)
}

/// Hexadecimal in both cases; base64 in both alphabets, wherever in a longer text the secret begins. Of base64 the characters
/// that the secret has for itself are taken: those at its ends hold bits of what stands beside it, and stay.
fn encoded(raw: &[u8]) -> Vec<(Bytes, Writing)> {
    let lower = Zeroizing::new(hex::encode(raw).into_bytes());
    let upper = Zeroizing::new(lower.to_ascii_uppercase());
    let mut forms = vec![(lower, Writing::Text), (upper, Writing::Text)];
    for before in 0..3_usize {
        let mut shifted = Zeroizing::new(vec![0; before + raw.len()]);
        if let Some(place) = shifted.get_mut(before..) {
            place.copy_from_slice(raw);
        }
        let (begins, ends) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let whole = Zeroizing::new(engine.encode(&*shifted).into_bytes());
            forms.extend(whole.get(begins..ends).map(|own| (Zeroizing::new(own.to_vec()), Writing::Base64)));
        }
    }
    forms
}

/// The secret percent-encoded (RFC 3986, section 2.1), in both cases, and as forms have it, where a space is a plus sign.
/// Basic authentication of clients has it so inside base64 (RFC 6749, section 2.3.1).
fn percent_encoded(raw: &[u8]) -> [Bytes; 3] {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let stands_in_forms = |byte: u8| byte.is_ascii_alphanumeric() || b"*-._ ".contains(&byte);
    let mut form = numbered(raw, stands_in_forms, |byte| format!("%{byte:02X}"));
    form.iter_mut().filter(|byte| **byte == b' ').for_each(|byte| *byte = b'+');
    [
        numbered(raw, is_unreserved, |byte| format!("%{byte:02X}")),
        numbered(raw, is_unreserved, |byte| format!("%{byte:02x}")),
        form,
    ]
}

/// The secret in a JSON string, in one inside another, percent-encoded, and with every sign written as a number.
fn spelled(raw: &[u8]) -> Vec<Bytes> {
    let json = json_escaped(raw);
    let [upper, lower, _] = percent_encoded(raw);
    vec![
        json_escaped(&json),
        json,
        upper,
        lower,
        numbered(
            raw,
            |byte| !byte.is_ascii() || byte.is_ascii_alphanumeric(),
            |byte| format!("\\u{byte:04X}"),
        ),
        numbered(
            raw,
            |byte| !byte.is_ascii() || byte.is_ascii_alphanumeric(),
            |byte| format!("\\u{byte:04x}"),
        ),
    ]
}

/// The bytes, each that does not stand for itself as its number.
fn numbered(raw: &[u8], stands: impl Fn(u8) -> bool, number: impl Fn(u8) -> String) -> Bytes {
    let mut text = Zeroizing::new(Vec::with_capacity(raw.len() * 6));
    for byte in raw {
        if stands(*byte) {
            text.push(*byte);
        } else {
            text.extend_from_slice(number(*byte).as_bytes());
        }
    }
    text
}

/// How XML and HTML write the characters that mean something to them (XML 1.0, section 2.4): which of the two quotes is
/// written as what differs between writers, and each keeps to its way.
const MARKUP: [[(u8, &[u8]); 5]; 5] = {
    const fn table(quote: &'static [u8], apostrophe: &'static [u8]) -> [(u8, &'static [u8]); 5] {
        [(b'&', b"&amp;"), (b'<', b"&lt;"), (b'>', b"&gt;"), (b'"', quote), (b'\'', apostrophe)]
    }
    [
        table(b"\"", b"'"),
        table(b"&quot;", b"&apos;"),
        table(b"&quot;", b"&#39;"),
        table(b"&quot;", b"&#x27;"),
        table(b"&#34;", b"&#39;"),
    ]
};

/// The secret in a text or an attribute of XML or HTML, where that differs.
fn in_markup(raw: &[u8]) -> impl Iterator<Item = Bytes> {
    let is_special = raw.iter().any(|byte| b"&<>\"'".contains(byte));
    MARKUP.iter().filter(move |_| is_special).map(move |table| {
        let mut text = Zeroizing::new(Vec::with_capacity(raw.len() * 2));
        for byte in raw {
            match table.iter().find(|(special, _)| special == byte) {
                Some((_, written)) => text.extend_from_slice(written),
                None => text.push(*byte),
            }
        }
        text
    })
}

fn json_escaped(raw: &[u8]) -> Bytes {
    let mut text = Zeroizing::new(Vec::with_capacity(raw.len() * 2));
    for byte in raw {
        match byte {
            b'\n' => text.extend_from_slice(br"\n"),
            b'\r' => text.extend_from_slice(br"\r"),
            b'\\' | b'"' => text.extend_from_slice(&[b'\\', *byte]),
            other => text.push(*other),
        }
    }
    text
}
