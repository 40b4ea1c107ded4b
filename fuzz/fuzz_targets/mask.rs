//! Secrets in bodies: however a body is cut, the same comes out of the mask, and none of the secrets does.
//!
//! The parts of an input: secrets, a line each; a body, with `@1@` where the first secret belongs, and so on.
#![no_main]

use domain::Secret;
use libfuzzer_sys::fuzz_target;
use mask::Mask;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_fuzz::parts;

fuzz_target!(|input: &[u8]| {
    let Some(mut parts) = parts(input) else { return };
    let texts: Vec<&str> = parts.next().unwrap_or_default().lines().take(4).collect();
    let mut body = parts.next().unwrap_or_default().to_owned();
    for (number, text) in texts.iter().enumerate() {
        body = body.replace(&format!("@{}@", number + 1), text);
        let quoted = serde_json::Value::from(*text).to_string();
        let escaped = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
        body = body.replace(&format!("@j{}@", number + 1), escaped);
        let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        body = body.replace(&format!("@u{}@", number + 1), &encoded);
        if body.len() > 64 * 1024 {
            return;
        }
    }
    let secrets: Vec<Secret> = texts.iter().map(|text| Secret::new(*text)).collect();
    let mask = Mask::new(&secrets);
    let whole = mask.bytes(body.as_bytes());
    for size in [1, 3, 17] {
        let mut masker = mask.stream();
        let mut cut: Vec<u8> = body.as_bytes().chunks(size).flat_map(|piece| masker.push(piece)).collect();
        cut.extend(masker.finish());
        assert_eq!(String::from_utf8_lossy(&cut), String::from_utf8_lossy(&whole), "in pieces of {size}");
    }
    let left = String::from_utf8_lossy(&whole);
    for text in texts.iter().filter(|text| text.len() >= mask::SHORTEST && !is_like_a_mark(text)) {
        assert!(!left.contains(text), "a secret is left in {left:?}");
    }
});

/// Whether what stands for a secret could make up this one, together with what stands around it.
fn is_like_a_mark(text: &str) -> bool {
    let of_mark =
        |character: Option<char>| character.is_some_and(|character| "[masked]9\\".contains(character));
    of_mark(text.chars().next())
        || of_mark(text.chars().last())
        || text.contains("mask")
        || text.contains("9999")
}
