//! The form of a token: its parts, its base64url, its JSON, its size.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::*;

const TOO_LONG: TokenError = TokenError::Malformed("it is longer than 32 KiB");
const GOOD_HEADER: &[u8] = br#"{"alg":"RS256","kid":"rsa"}"#;
const GOOD_PAYLOAD: &[u8] = br#"{"iss":"ISSUER","exp":1763721000}"#;

/// A good token's parts.
fn parts(lab: &Lab) -> [String; 3] {
    let token = lab.good().token;
    let mut parts = token.split('.').map(str::to_owned);
    [parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap()]
}

fn joined(lab: &Lab, parts: &[&str]) -> Try {
    lab.try_token(parts.join("."))
}

/// The good token with one part written in another way.
fn with_part(lab: &Lab, at: usize, rewrite: impl FnOnce(&str) -> String) -> Try {
    let mut parts = parts(lab);
    parts[at] = rewrite(&parts[at]);
    lab.try_token(parts.join("."))
}

/// The same bytes with one of the bits set that no byte needs: another spelling of one token.
fn with_a_stray_bit(part: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_ne!(part.len() % 4, 0, "a part with bits to spare");
    let (rest, last) = part.split_at(part.len() - 1);
    let next = ALPHABET.find(last).unwrap() + 1;
    format!("{rest}{}", &ALPHABET[next..=next])
}

/// A payload of so many bytes that a part has bits to spare, signed.
fn uneven(lab: &Lab) -> [String; 3] {
    let pad = |extra: usize| format!(r#"{{"iss":"{}","exp":1763721000}}{}"#, lab.issuer(), " ".repeat(extra));
    let payload = [pad(0), pad(1)].into_iter().find(|payload| payload.len() % 3 != 0).unwrap();
    let token = lab.written(br#"{"alg":"RS256","kid":"rsa"} "#, payload.as_bytes()).token;
    let mut parts = token.split('.').map(str::to_owned);
    [parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap()]
}

/// The uneven token with a stray bit in one part. The signature is of the text as it is sent.
fn strayed(lab: &Lab, at: usize) -> Try {
    let [mut header, mut payload, _] = uneven(lab);
    match at {
        0 => header = with_a_stray_bit(&header),
        _ => payload = with_a_stray_bit(&payload),
    }
    let message = format!("{header}.{payload}");
    let signature = crate::support::keys::encode(&rsa().sign(message.as_bytes()));
    lab.try_token(format!("{message}.{signature}"))
}

fn written(lab: &Lab) -> Try {
    lab.written(GOOD_HEADER, GOOD_PAYLOAD)
}

/// A payload that nests so deep.
fn nested(depth: usize) -> Vec<u8> {
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    format!(r#"{{"iss":"ISSUER","exp":1763721000,"deep":{open}{close}}}"#).into_bytes()
}

/// A token of exactly this length.
fn of_length(lab: &Lab, length: usize) -> Try {
    // Only some lengths can be: the payload's bytes come in threes of four characters.
    let with = |size: usize| lab.claiming(json!({ "filler": "x".repeat(size) }));
    let (mut size, mut tried) = (0, with(0));
    while tried.token.len() < length {
        size += ((length - tried.token.len()) * 3 / 4).max(1);
        tried = with(size);
    }
    tried
}

#[tokio::test]
async fn parts_of_a_token() {
    run(&[
        Case {
            name: "one segment",
            wrong: |lab| joined(lab, &[&parts(lab)[0]]),
            refused: Refused::Unasked(NOT_THREE_PARTS),
            right: Lab::good,
        },
        Case {
            name: "no segment",
            wrong: |lab| lab.try_token(""),
            refused: Refused::Unasked(NOT_THREE_PARTS),
            right: Lab::good,
        },
        Case {
            name: "two segments",
            wrong: |lab| joined(lab, &[&parts(lab)[0], &parts(lab)[1]]),
            refused: Refused::Unasked(NOT_THREE_PARTS),
            right: |lab| joined(lab, &parts(lab).each_ref().map(String::as_str)),
        },
        Case {
            name: "four segments",
            wrong: |lab| lab.try_token(format!("{}.AAAA", lab.good().token)),
            refused: Refused::Unasked(NOT_THREE_PARTS),
            right: Lab::good,
        },
        Case {
            name: "four segments, the last empty",
            wrong: |lab| lab.try_token(format!("{}.", lab.good().token)),
            refused: Refused::Unasked(NOT_THREE_PARTS),
            right: Lab::good,
        },
        Case {
            name: "five segments, as an encrypted token has",
            wrong: |lab| lab.try_token(format!("{}.AAAA.AAAA", lab.good().token)),
            refused: Refused::Unasked(NOT_THREE_PARTS),
            right: Lab::good,
        },
        Case {
            name: "an empty signature",
            wrong: |lab| joined(lab, &[&parts(lab)[0], &parts(lab)[1], ""]),
            refused: Refused::Token(TokenError::Signature),
            right: Lab::good,
        },
        Case {
            name: "an empty payload, signed",
            wrong: |lab| lab.written(GOOD_HEADER, b""),
            refused: Refused::Token(MALFORMED_JSON_PAYLOAD),
            right: written,
        },
        Case {
            name: "an empty header",
            wrong: |lab| lab.written(b"", GOOD_PAYLOAD),
            refused: Refused::Unasked(MALFORMED_JSON_HEADER),
            right: written,
        },
        Case {
            name: "the JSON serialisation of a token",
            wrong: |lab| {
                let [protected, payload, signature] = parts(lab);
                let object = json!({ "protected": protected, "payload": payload, "signature": signature });
                lab.try_token(object.to_string())
            },
            refused: Refused::Unasked(NOT_THREE_PARTS),
            right: Lab::good,
        },
        Case {
            name: "1 MB token",
            wrong: |lab| of_length(lab, 1 << 20),
            refused: Refused::Unasked(TOO_LONG),
            right: |lab| of_length(lab, 32 * 1024 - 4),
        },
        Case {
            name: "a token a little too long",
            wrong: |lab| of_length(lab, 32 * 1024 + 1),
            refused: Refused::Unasked(TOO_LONG),
            right: |lab| of_length(lab, 32 * 1024 - 4),
        },
    ])
    .await;
}

#[tokio::test]
async fn base64url() {
    run(&[
        Case {
            name: "base64 padding on the signature",
            wrong: |lab| with_part(lab, 2, |part| format!("{part}==")),
            refused: Refused::Unasked(NOT_BASE64URL),
            right: |lab| with_part(lab, 2, str::to_owned),
        },
        Case {
            name: "base64 padding on the header, signed as it is sent",
            wrong: |lab| {
                let header = URL_SAFE.encode(br#"{"alg":"RS256","kid":"rsa"} "#);
                assert!(header.ends_with('='));
                let message = format!("{header}.{}", parts(lab)[1]);
                let signature = crate::support::keys::encode(&rsa().sign(message.as_bytes()));
                lab.try_token(format!("{message}.{signature}"))
            },
            refused: Refused::Unasked(NOT_BASE64URL),
            right: |lab| joined(lab, &uneven(lab).each_ref().map(String::as_str)),
        },
        Case {
            name: "the standard alphabet",
            wrong: |lab| {
                let signature = loop {
                    // Every signature of this scheme differs, and all but a few hold one of the two letters.
                    let token =
                        token(&json!({ "alg": "PS256", "kid": "rsa" }), &claims(&lab.issuer()), rsa());
                    let signature = token.rsplit('.').next().unwrap().to_owned();
                    if signature.contains(['-', '_']) {
                        break signature;
                    }
                };
                with_part(lab, 2, |_| signature.replace('-', "+").replace('_', "/"))
            },
            refused: Refused::Unasked(NOT_BASE64URL),
            right: Lab::good,
        },
        Case {
            name: "padded standard base64",
            wrong: |lab| with_part(lab, 2, |_| STANDARD.encode([0xfb; 256])),
            refused: Refused::Unasked(NOT_BASE64URL),
            right: Lab::good,
        },
        Case {
            name: "white space before the token",
            wrong: |lab| lab.try_token(format!(" {}", lab.good().token)),
            refused: Refused::Unasked(NOT_BASE64URL),
            right: Lab::good,
        },
        Case {
            name: "white space behind the token",
            wrong: |lab| lab.try_token(format!("{} ", lab.good().token)),
            refused: Refused::Unasked(NOT_BASE64URL),
            right: Lab::good,
        },
        Case {
            name: "a line break in the signature",
            wrong: |lab| with_part(lab, 2, |part| format!("{}\r\n{}", &part[..76], &part[76..])),
            refused: Refused::Unasked(NOT_BASE64URL),
            right: |lab| with_part(lab, 2, |part| format!("{}{}", &part[..76], &part[76..])),
        },
        Case {
            name: "a NUL in the signature",
            wrong: |lab| with_part(lab, 2, |part| format!("{part}\0")),
            refused: Refused::Unasked(NOT_BASE64URL),
            right: Lab::good,
        },
        Case {
            name: "a letter that is not ASCII",
            wrong: |lab| with_part(lab, 2, |part| part.replacen(char::is_alphanumeric, "Ａ", 1)),
            refused: Refused::Unasked(NOT_BASE64URL),
            right: Lab::good,
        },
        Case {
            name: "non-canonical tail bits of the signature",
            wrong: |lab| with_part(lab, 2, with_a_stray_bit),
            refused: Refused::Unasked(NOT_BASE64URL),
            right: Lab::good,
        },
        Case {
            name: "non-canonical tail bits of the header, signed as it is sent",
            wrong: |lab| strayed(lab, 0),
            refused: Refused::Unasked(NOT_BASE64URL),
            right: |lab| joined(lab, &uneven(lab).each_ref().map(String::as_str)),
        },
        Case {
            name: "non-canonical tail bits of the payload, signed as it is sent",
            wrong: |lab| strayed(lab, 1),
            refused: Refused::Unasked(NOT_BASE64URL),
            right: |lab| joined(lab, &uneven(lab).each_ref().map(String::as_str)),
        },
    ])
    .await;
}

#[tokio::test]
async fn json_of_a_header() {
    run(&[
        Case {
            name: "duplicate alg in the header",
            wrong: |lab| lab.written(br#"{"alg":"none","alg":"RS256","kid":"rsa"}"#, GOOD_PAYLOAD),
            refused: Refused::Unasked(MALFORMED_JSON_HEADER),
            right: written,
        },
        Case {
            name: "duplicate kid in the header, once escaped",
            wrong: |lab| lab.written(br#"{"alg":"RS256","kid":"rsa","\u006bid":"rsa"}"#, GOOD_PAYLOAD),
            refused: Refused::Unasked(MALFORMED_JSON_HEADER),
            right: |lab| lab.written(br#"{"alg":"RS256","\u006bid":"rsa"}"#, GOOD_PAYLOAD),
        },
        Case {
            name: "duplicates deep in the header",
            wrong: |lab| lab.written(br#"{"alg":"RS256","kid":"rsa","x":{"a":1,"a":1}}"#, GOOD_PAYLOAD),
            refused: Refused::Unasked(MALFORMED_JSON_HEADER),
            right: |lab| lab.written(br#"{"alg":"RS256","kid":"rsa","x":{"a":1,"b":1}}"#, GOOD_PAYLOAD),
        },
        Case {
            name: "non-UTF-8 in the header",
            wrong: |lab| lab.written(b"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"\xff\"}", GOOD_PAYLOAD),
            refused: Refused::Unasked(MALFORMED_JSON_HEADER),
            right: |lab| lab.written(b"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"\xc3\xa9\"}", GOOD_PAYLOAD),
        },
        Case {
            name: "half a surrogate pair in the header",
            wrong: |lab| lab.written(br#"{"alg":"RS256","kid":"rsa","x":"\ud800"}"#, GOOD_PAYLOAD),
            refused: Refused::Unasked(MALFORMED_JSON_HEADER),
            right: |lab| lab.written(br#"{"alg":"RS256","kid":"rsa","x":"\ud83d\ude00"}"#, GOOD_PAYLOAD),
        },
        Case {
            name: "deep JSON in the header",
            wrong: |lab| {
                let deep =
                    format!(r#"{{"alg":"RS256","kid":"rsa","x":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
                lab.written(deep.as_bytes(), GOOD_PAYLOAD)
            },
            refused: Refused::Unasked(MALFORMED_JSON_HEADER),
            right: |lab| {
                let deep =
                    format!(r#"{{"alg":"RS256","kid":"rsa","x":{}1{}}}"#, "[".repeat(50), "]".repeat(50));
                lab.written(deep.as_bytes(), GOOD_PAYLOAD)
            },
        },
        Case {
            name: "more behind the header's object",
            wrong: |lab| lab.written(br#"{"alg":"RS256","kid":"rsa"}{}"#, GOOD_PAYLOAD),
            refused: Refused::Unasked(MALFORMED_JSON_HEADER),
            right: written,
        },
        Case {
            name: "a byte order mark before the header",
            wrong: |lab| lab.written(b"\xef\xbb\xbf{\"alg\":\"RS256\",\"kid\":\"rsa\"}", GOOD_PAYLOAD),
            refused: Refused::Unasked(MALFORMED_JSON_HEADER),
            right: written,
        },
        Case {
            name: "a header that is a list",
            wrong: |lab| lab.written(br#"["RS256"]"#, GOOD_PAYLOAD),
            refused: Refused::Unasked(TokenError::Malformed("its header is not a JSON object")),
            right: written,
        },
    ])
    .await;
}

#[tokio::test]
async fn json_of_claims() {
    run(&[
        Case {
            name: "duplicate exp in the claims",
            wrong: |lab| lab.written(GOOD_HEADER, br#"{"iss":"ISSUER","exp":1,"exp":1763721000}"#),
            refused: Refused::Token(MALFORMED_JSON_PAYLOAD),
            right: written,
        },
        Case {
            name: "duplicate sub in the claims, once escaped",
            wrong: |lab| {
                let payload = br#"{"iss":"ISSUER","exp":1763721000,"sub":"a","s\u0075b":"b"}"#;
                lab.written(GOOD_HEADER, payload)
            },
            refused: Refused::Token(MALFORMED_JSON_PAYLOAD),
            right: |lab| lab.written(GOOD_HEADER, br#"{"iss":"ISSUER","exp":1763721000,"s\u0075b":"b"}"#),
        },
        Case {
            name: "duplicates deep in the claims",
            wrong: |lab| {
                let payload = br#"{"iss":"ISSUER","exp":1763721000,"x":[{"a":1,"a":1}]}"#;
                lab.written(GOOD_HEADER, payload)
            },
            refused: Refused::Token(MALFORMED_JSON_PAYLOAD),
            right: |lab| {
                lab.written(GOOD_HEADER, br#"{"iss":"ISSUER","exp":1763721000,"x":[{"a":1},{"a":1}]}"#)
            },
        },
        Case {
            name: "non-UTF-8 in the claims",
            wrong: |lab| {
                let payload = format!(r#"{{"iss":"{}","exp":1763721000,"sub":"?"}}"#, lab.issuer());
                let bytes: Vec<u8> =
                    payload.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
                lab.written(GOOD_HEADER, &bytes)
            },
            refused: Refused::Token(MALFORMED_JSON_PAYLOAD),
            right: |lab| {
                lab.written(GOOD_HEADER, "{\"iss\":\"ISSUER\",\"exp\":1763721000,\"sub\":\"é\"}".as_bytes())
            },
        },
        Case {
            name: "UTF-16 claims",
            wrong: |lab| {
                let payload = format!(r#"{{"iss":"{}","exp":1763721000}}"#, lab.issuer());
                let wide: Vec<u8> = payload.encode_utf16().flat_map(u16::to_le_bytes).collect();
                lab.try_token(raw(GOOD_HEADER, &wide, |message| rsa().sign(message)))
            },
            refused: Refused::Token(MALFORMED_JSON_PAYLOAD),
            right: written,
        },
        Case {
            name: "deep JSON in the claims",
            wrong: |lab| lab.written(GOOD_HEADER, &nested(5000)),
            refused: Refused::Token(MALFORMED_JSON_PAYLOAD),
            right: |lab| lab.written(GOOD_HEADER, &nested(100)),
        },
        Case {
            name: "claims that are a list",
            wrong: |lab| lab.written(GOOD_HEADER, br#"[{"iss":"ISSUER","exp":1763721000}]"#),
            refused: Refused::Token(TokenError::Malformed("its payload is not a JSON object")),
            right: written,
        },
        Case {
            name: "claims in single quotes",
            wrong: |lab| lab.written(GOOD_HEADER, br"{'iss':'ISSUER','exp':1763721000}"),
            refused: Refused::Token(MALFORMED_JSON_PAYLOAD),
            right: written,
        },
        Case {
            name: "more behind the claims' object",
            wrong: |lab| lab.written(GOOD_HEADER, br#"{"iss":"ISSUER","exp":1763721000},"#),
            refused: Refused::Token(MALFORMED_JSON_PAYLOAD),
            right: written,
        },
    ])
    .await;
}
