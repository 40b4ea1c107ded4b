//! For any secret, any surroundings, any encoding and any cuts: the secret does not come out.

#![expect(clippy::unwrap_used, clippy::string_slice, reason = "what does not hold fails the test")]

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use domain::Secret;
use mask::{Mask, SHORTEST};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::collection::vec;
use proptest::prelude::*;

/// What `encodeURIComponent` leaves alone (ECMA-262, section 19.2.6).
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
/// As careless as a client may be that only escapes what breaks a query.
const CARELESS: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'&').add(b'#').add(b'"');

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

/// JSON in ASCII alone, as Python writes it.
fn json_in_ascii(text: &str) -> String {
    let mut out = String::new();
    for unit in json(text).encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\u{unit:04x}")),
        }
    }
    out
}

fn json_all_escaped(text: &str, upper: bool) -> String {
    text.encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ if upper => format!("\\u{unit:04X}"),
            _ => format!("\\u{unit:04x}"),
        })
        .collect()
}

fn lower_percent(text: &str) -> String {
    let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut after = 0;
    encoded
        .chars()
        .map(|character| {
            after = if character == '%' { 3_i32 } else { after - 1 };
            if after > 0 { character.to_ascii_lowercase() } else { character }
        })
        .collect()
}

fn form(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Every way of writing that is promised, as (name, how it stands in a text).
fn written(before: &str, secret: &str, after: &str) -> Vec<(&'static str, String)> {
    // What stands before an encoded secret was not encoded with it, and is no cut-off escape that takes it for its end.
    let around = |middle: String| format!("{before}|{middle}{after}");
    let all = format!("{before}{secret}{after}");
    let percent = |set| utf8_percent_encode(secret, set).to_string();
    vec![
        ("raw", all.clone()),
        ("json", json(&all)),
        ("json, slashes too", json(&all).replace('/', "\\/")),
        ("json in ascii", json_in_ascii(&all)),
        ("json, all escaped", json_all_escaped(&all, false)),
        ("json, all escaped, upper case", json_all_escaped(&all, true)),
        ("json in json", json(&json(&all))),
        ("json in ascii in json", json(&json_in_ascii(&all))),
        ("json thrice", json(&json(&json(&all)))),
        ("json in a url", form(&json(&all))),
        ("form", form(&all)),
        ("form, json around", json(&form(&all))),
        ("percent", around(percent(NON_ALPHANUMERIC))),
        ("percent, whole", utf8_percent_encode(&all, NON_ALPHANUMERIC).to_string()),
        ("percent, lower case", lower_percent(&all)),
        ("percent, component", utf8_percent_encode(&all, COMPONENT).to_string()),
        ("percent, careless", utf8_percent_encode(&all, CARELESS).to_string()),
        ("percent twice", utf8_percent_encode(&form(&all), NON_ALPHANUMERIC).to_string()),
        ("percent, every byte", around(secret.bytes().map(|byte| format!("%{byte:02x}")).collect())),
        ("hex", around(hex::encode(secret))),
        ("hex, upper case", around(hex::encode_upper(secret))),
    ]
}

/// The text with every promised encoding taken back once, twice and so on, which is what an attentive reader would try.
fn readings(text: &str) -> Vec<String> {
    let mut readings = vec![text.to_owned()];
    for _ in 0..4 {
        let known = readings.clone();
        for reading in &known {
            if let Ok(text) = serde_json::from_str::<String>(&format!("\"{reading}\"")) {
                readings.push(text);
            }
            readings.push(percent_encoding::percent_decode_str(reading).decode_utf8_lossy().into_owned());
            readings.push(
                percent_encoding::percent_decode_str(&reading.replace('+', " "))
                    .decode_utf8_lossy()
                    .into_owned(),
            );
        }
        readings.sort();
        readings.dedup();
    }
    readings
}

fn cut(mask: &Mask, text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut stream = mask.stream();
    let mut out = Vec::new();
    let mut rest = text;
    for length in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, next) = rest.split_at((*length).min(rest.len()));
        out.extend(stream.push(piece));
        rest = next;
    }
    out.extend(stream.finish());
    out
}

/// What is left out of a text or begins an escape: too many of these together are found in the usual spellings only.
const ESCAPES: &str = "\\%\r\n";

fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9_-]{8,40}",
        "[ -~]{8,60}",
        "[0-9]{8,20}",
        "[nrtbfu0-9a-f]{1,6}[\\\\%\"/+ n0-9u]{4,12}[A-Za-z]{5,8}",
        "\\PC{8,30}",
        "[a-z\\\\\"%\n\r]{8,40}",
    ]
    .prop_filter("long enough, and not of escapes alone", |secret| {
        let mut runs = secret.split(|character| !ESCAPES.contains(character)).map(str::len);
        secret.len() >= SHORTEST
            && secret.chars().filter(|character| !ESCAPES.contains(*character)).count() >= 8
            && runs.all(|run| run <= 6)
    })
}

fn surrounding() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,30}", "\\PC{0,10}", "[\\\\%25n0-9]{0,12}", Just(String::new())]
}

/// Whether a secret holds what reads like percent-encoding: then the usual spellings are found, and not all that are promised
/// of others.
fn reads_like_an_escape(secret: &str) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let mut behind = secret.split('%').skip(1).map(str::as_bytes);
    behind.any(|rest| rest.is_empty() || is_digit(rest.first()) && (is_digit(rest.get(1)) || rest.len() == 1))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_encoding_and_no_cut_lets_it_through(
        secret in secret(), before in surrounding(), after in surrounding(), cuts in vec(1_usize..12, 1..6),
    ) {
        let mask = Mask::new([&Secret::new(secret.clone())]);
        let usual = ["raw", "json", "json in json", "percent", "percent, lower case"];
        for (name, text) in written(&before, &secret, &after) {
            if reads_like_an_escape(&secret) && !usual.contains(&name) {
                continue;
            }
            let masked = mask.text(&text);
            prop_assert!(matches!(masked, Cow::Owned(_)), "{name}: nothing found in {text:?}");
            prop_assert_eq!(&cut(&mask, text.as_bytes(), &cuts), masked.as_bytes(), "{}", name);
            prop_assert!(!masked.contains(&secret), "{name}: {masked:?}");
        }
    }

    /// Ordinary secrets in ordinary surroundings: nothing that decodes the masked text finds them.
    #[test]
    fn it_cannot_be_read_out_of_what_is_left(secret in "[ -~é😀]{8,40}", before in "[a-zA-Z ]{0,10}", after in "[ .,]{1,3}") {
        prop_assume!(secret.len() >= SHORTEST && !secret.ends_with('\\'));
        let mask = Mask::new([&Secret::new(secret.clone())]);
        for (name, text) in written(&before, &secret, &after) {
            let masked = mask.text(&text);
            for reading in readings(&masked) {
                prop_assert!(!reading.contains(&secret), "{name}: {masked:?} reads {reading:?}");
            }
        }
    }

    #[test]
    fn base64_is_found_at_every_alignment(
        secret in secret(), before in vec(any::<u8>(), 0..20), after in vec(any::<u8>(), 0..20), cuts in vec(1_usize..12, 1..6),
        around in "[ -~]{0,10}", width in 4_usize..80,
    ) {
        let mask = Mask::new([&Secret::new(secret.clone())]);
        let all = [before.as_slice(), secret.as_bytes(), after.as_slice()].concat();
        for engine in [&STANDARD, &URL_SAFE, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&all);
            let wrapped: Vec<String> = encoded.as_bytes().chunks(width).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
            for text in [encoded.clone(), json(&encoded).replace('/', "\\/"), form(&encoded), wrapped.join("\r\n"), json(&wrapped.join("\r\n"))] {
                let text = format!("\"{text}\" {around}");
                let masked = mask.bytes(text.as_bytes());
                prop_assert!(matches!(masked, Cow::Owned(_)), "nothing found in {text}");
                prop_assert_eq!(&cut(&mask, text.as_bytes(), &cuts), &*masked);
            }
            // What surrounds the secret can still be read, and the secret cannot.
            let masked = mask.text(&encoded).into_owned();
            let read = engine.decode(&masked);
            prop_assert!(read.is_ok(), "{encoded} became {masked}");
            let read = read.unwrap();
            prop_assert!(!read.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }

    #[test]
    fn a_json_document_stays_one(secret in secret(), other in "\\PC{0,20}", number in 1_u64.., depth in 1_usize..3) {
        let mask = Mask::new([&Secret::new(secret.clone()), &Secret::new(number.to_string())]);
        let mut document = serde_json::json!({ "text": format!("{other}{secret}{other}"), "number": number, "other": other });
        for _ in 0..depth {
            let (plain, ascii) = (document.to_string(), serde_json::to_string_pretty(&document).unwrap());
            for text in [plain.clone(), ascii] {
                let masked = mask.text(&text);
                prop_assert!(serde_json::from_str::<serde_json::Value>(&masked).is_ok(), "{text} became {masked}");
            }
            document = serde_json::json!({ "inside": plain });
        }
    }

    #[test]
    fn what_holds_no_secret_is_not_touched(secret in "[A-Z]{8,20}", text in "[a-z0-9 %\\\\\"u\n]{0,200}", cuts in vec(1_usize..30, 1..4)) {
        let mask = Mask::new([&Secret::new(secret)]);
        prop_assert!(matches!(mask.text(&text), Cow::Borrowed(same) if same == text));
        prop_assert_eq!(cut(&mask, text.as_bytes(), &cuts), text.as_bytes());
    }

    #[test]
    fn many_secrets_and_noise_stream_as_they_do_whole(
        secrets in vec("[ab\\\\%2n]{8,12}", 1..6), text in vec(prop_oneof!["[ab\\\\%2n5u04]{1,6}", "\\PC"], 0..80), cuts in vec(1_usize..9, 1..6),
    ) {
        let secrets: Vec<Secret> = secrets.into_iter().map(Secret::new).collect();
        let mask = Mask::new(&secrets);
        let text = text.concat();
        let masked = mask.bytes(text.as_bytes());
        prop_assert_eq!(&cut(&mask, text.as_bytes(), &cuts), &*masked);
        for secret in &secrets {
            prop_assert!(!String::from_utf8_lossy(&masked).contains(secret.expose()), "{masked:?}");
        }
    }

    #[test]
    fn any_bytes_are_taken(secret in secret(), bytes in vec(any::<u8>(), 0..300), cuts in vec(1_usize..30, 1..4)) {
        let mask = Mask::new([&Secret::new(secret)]);
        prop_assert_eq!(&cut(&mask, &bytes, &cuts), &*mask.bytes(&bytes));
    }
}
