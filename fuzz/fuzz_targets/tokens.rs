//! Tokens and key sets: whatever comes breaks nothing; one token has one spelling; and a token is believed only with the
//! signature of whoever has the key, over what that signature is of.
//!
//! The parts of an input: a key set, a token.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::token::{Jws, KeySet, MAX_TOKEN};
use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::parts;

/// The key of RFC 7515, appendix A.3, and what it has signed there. A seed has the whole token.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
const SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

static OWN: LazyLock<KeySet> = LazyLock::new(|| {
    let keys = KeySet::parse(KEYS.as_bytes()).expect("it is a key set");
    let token = format!("{SIGNED}.{SIGNATURE}");
    keys.verify(&Jws::parse(&token).expect("it is a token")).expect("it is the key's");
    keys
});

fuzz_target!(|input: &[u8]| {
    let Some(mut parts) = parts(input) else { return };
    let keys = KeySet::parse(parts.next().unwrap_or_default().as_bytes());
    if let Ok(keys) = &keys {
        assert!(keys.ids().count() <= 100, "a set without bounds");
    }
    let token = parts.next().unwrap_or_default();
    let Ok(parsed) = Jws::parse(token) else { return };
    assert!(token.len() <= MAX_TOKEN);
    let again = format!("{}.{}", parsed.signed, URL_SAFE_NO_PAD.encode(&parsed.signature));
    assert_eq!(again, token, "one token has two spellings");
    assert!(OWN.verify(&parsed).is_err() || parsed.signed == SIGNED, "what nobody signed is believed");
    if let Ok(keys) = &keys
        && keys.is_empty()
    {
        assert!(keys.verify(&parsed).is_err(), "nobody's signature is believed");
    }
    let _ = keys.map(|keys| keys.verify(&parsed).is_ok());
});
