//! What masked text looks like, and how much a stream holds back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;
use mask::Mask;

fn mask(secrets: &[&str]) -> Mask {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    Mask::new(&secrets)
}

#[test]
fn a_mark_stands_for_the_secret() {
    let mask = mask(&["sk_live/51+Abc\"Def"]);
    for (text, masked) in [
        ("Bearer sk_live/51+Abc\"Def.", "Bearer [masked]."),
        (r#"{"key":"sk_live\/51+Abc\"Def"}"#, r#"{"key":"[masked]"}"#),
        (r#"{"key":"sk_live/51\u002bAbc\u0022Def"}"#, r#"{"key":"[masked]"}"#),
        (r#""{\"key\":\"sk_live/51+Abc\\\"Def\"}""#, r#""{\"key\":\"[masked]\"}""#),
        ("?key=sk_live%2F51%2bAbc%22Def&x=1", "?key=[masked]&x=1"),
        ("736b5f6c6976652f35312b416263224465 66", "736b5f6c6976652f35312b416263224465 66"),
        ("736b5f6c6976652f35312b41626322446566", "[masked]"),
        ("nothing here", "nothing here"),
    ] {
        assert_eq!(mask.text(text), masked, "{text}");
    }
}

#[test]
fn markup_hides_nothing() {
    let mask = mask(&["a<secret>&'more'"]);
    for text in [
        "<key>a&lt;secret&gt;&amp;'more'</key>",
        "<key v=\"a&lt;secret&gt;&amp;&apos;more&apos;\"/>",
        "<p>a&lt;secret&gt;&amp;&#39;more&#39;</p>",
        "<p>a&lt;secret&gt;&amp;&#x27;more&#x27;</p>",
        r#"{"xml":"<key>a&lt;secret&gt;&amp;\u0027more'<\/key>"}"#,
    ] {
        let masked = mask.text(text);
        assert!(masked.contains("[masked]") && !masked.contains("secret"), "{masked}");
    }
}

#[test]
fn basic_credentials_stay_base64() {
    let header = STANDARD.encode("user:correct horse battery");
    let masked = mask(&["correct horse battery"]).text(&header).into_owned();
    assert_eq!(masked.len(), header.len());
    let read = STANDARD.decode(&masked).unwrap();
    assert!(read.starts_with(b"user:"));
    assert!(!String::from_utf8_lossy(&read).contains("orrect horse batter"));
}

#[test]
fn what_was_percent_encoded_before_is_found_in_base64_and_hexadecimal() {
    let mask = mask(&["a+b/c: d*e~f%é"]);
    for inside in [
        "a%2Bb%2Fc%3A%20d%2Ae~f%25%C3%A9",
        "a%2bb%2fc%3a%20d%2ae~f%25%c3%a9",
        "a%2Bb%2Fc%3A+d*e%7Ef%25%C3%A9",
    ] {
        for user in ["", "u", "us", "user"] {
            let joined = format!("{user}:{inside}");
            let masked = mask.text(&STANDARD.encode(&joined)).into_owned();
            let read = String::from_utf8_lossy(&STANDARD.decode(&masked).unwrap()).into_owned();
            assert!(read.starts_with(&format!("{user}:")) && !read.contains("bb%2"), "{read}");
            assert!(!read.contains("b%2Fc") && !read.contains("d*e"), "{read}");
            assert!(!mask.text(&hex::encode(&joined)).contains(&hex::encode(inside)), "{inside}");
        }
    }
}

#[test]
fn digits_stay_digits_so_that_a_number_stays_one() {
    assert_eq!(mask(&["1234567890"]).text(r#"{"id":1234567890}"#), r#"{"id":99999999}"#);
}

#[test]
fn secrets_that_overlap_or_touch_are_covered_whole() {
    assert_eq!(mask(&["abcdefgh", "efghijkl"]).text("xabcdefghijklx"), "x[masked]x");
    assert_eq!(mask(&["abcdefgh"]).text("abcdefghabcdefgh"), "[masked]");
    assert_eq!(mask(&["abcdefgh", "abcdefghijklmnop"]).text("abcdefghijklmnop"), "[masked]");
    assert_eq!(mask(&["abcdefgh", "abcdefghijklmnop"]).text("abcdefghijkl"), "[masked]ijkl");
}

#[test]
fn a_mark_never_becomes_an_escape() {
    let text = r#"{"path":"\nabcdefg"}"#;
    let masked = mask(&["nabcdefg"]).text(text).into_owned();
    assert_eq!(masked, r#"{"path":"\\[masked]"}"#);
}

#[test]
fn a_backslash_at_the_end_leaves_a_json_string_whole() {
    let mask = mask(&[r"it's-secret\"]);
    let text = r#"{"text":"it's-secret\\","other":""}"#;
    assert_eq!(mask.text(text), r#"{"text":"[masked]","other":""}"#);
}

#[test]
fn short_secrets_are_left_alone() {
    assert!(mask(&["short", ""]).is_empty());
    assert_eq!(mask(&["1234567"]).text("1234567"), "1234567");
    assert_eq!(mask(&["12345678x"]).text("12345678x"), "[masked]");
}

#[test]
fn secrets_of_nothing_but_escapes_are_found_too() {
    for secret in [r"\\\\\\\\\\", "%25%25%25%25", "\n\n\n\n\n\n\n\n\n", "%%%%%%%%"] {
        let mask = mask(&[secret]);
        let quoted = serde_json::to_string(secret).unwrap();
        let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for text in [secret.to_owned(), quoted, form] {
            assert!(mask.text(&text).contains("masked"), "{secret:?} in {text:?}");
        }
    }
}

#[test]
fn the_end_of_an_event_does_not_wait() {
    let mask = mask(&["a-very-secret-token"]);
    let mut stream = mask.stream();
    let event = b"data: {\"text\":\"hello\"}\n\n";
    assert_eq!(stream.push(event), event);
    assert_eq!(stream.push(b"data: a-very-sec"), b"data: ");
    assert_eq!(stream.push(b"ret-token\n\n"), b"[masked]\n\n");
    assert_eq!(stream.push(b"x%4"), b"x");
    assert_eq!(stream.finish(), b"%4");
}

#[test]
fn what_is_held_back_is_bounded() {
    let mask = mask(&["aaaaaaaaaaaaaaaaaaaaaaaaaaaaab"]);
    let longest = 30 * (64 + 128) + 128;
    for piece in ["a", r"\u0061", r"\", "%25", "a\n", "\n", r"\\\\\\\\\\\\\\\a"] {
        let mut stream = mask.stream();
        for _ in 0..2_000 {
            let _ = stream.push(piece.as_bytes());
            assert!(stream.holds() < longest, "{piece:?} holds {}", stream.holds());
        }
    }
}

#[test]
fn nothing_is_printed() {
    let mask = mask(&["a-very-secret-token"]);
    let mut stream = mask.stream();
    let _ = stream.push(b"a-very-secret");
    assert_eq!(format!("{mask:?} {stream:?}"), "Mask Masker");
}

#[test]
fn masks_that_are_put_together_take_out_what_either_knows_and_what_overlaps_as_a_whole() {
    let both = mask(&["first-secret-1"]).and(&mask(&["second-secret-2", "secret-1-and-more"]));
    let text = "a first-secret-1 b second-secret-2 c first-secret-1-and-more d c2Vjb25kLXNlY3JldC0y";
    let whole = both.text(text).into_owned();
    for part in ["first", "second", "secret", "and-more", "c2Vjb25k"] {
        assert!(!whole.contains(part), "{whole}");
    }
    assert!(whole.starts_with("a [masked] b [masked] c [masked] d "), "{whole}");
    for size in 1..8 {
        let mut stream = both.stream();
        let mut streamed: Vec<u8> =
            text.as_bytes().chunks(size).flat_map(|piece| stream.push(piece)).collect();
        streamed.extend(stream.finish());
        assert_eq!(String::from_utf8(streamed).unwrap(), whole, "cut after {size} bytes");
    }
    assert!(mask(&["short"]).and(&mask(&[])).is_empty());
}
