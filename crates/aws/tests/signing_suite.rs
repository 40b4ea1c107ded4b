//! AWS's published signing test suite, as it ships inside the `aws-sigv4` crate, fed to the verifier (every case is
//! accepted, and every case with one byte changed is refused) and to the signer, which makes the suite's signatures.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test may fail by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use aws::sigv4::{Credentials, PathStyle, Request, Signed, sign};
use bytes::Bytes;
use domain::{Region, Secret, Timestamp};

struct Case {
    name: String,
    secret: Secret,
    now: Timestamp,
    style: PathStyle,
    text: String,
}

struct Parsed {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

#[test]
fn every_case_of_the_suite_is_accepted() {
    let cases = cases();
    assert_eq!(cases.len(), 40, "only {} cases were found", cases.len());
    for case in &cases {
        let parsed = parse(&case.text);
        if let Err(error) = verify(case, &parsed) {
            panic!("{} is refused: {error}", case.name);
        }
    }
}

#[test]
fn every_case_with_a_changed_byte_is_refused() {
    for case in cases() {
        let sound = parse(&case.text);
        let mut changed = 0;
        for (what, mutant) in mutants(&sound) {
            assert!(verify(&case, &mutant).is_err(), "{} is accepted with {what} changed", case.name);
            changed += 1;
        }
        assert!(changed > 40, "{}: only {changed} mutants", case.name);
        let other = Case { secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEz"), ..case };
        assert!(verify(&other, &sound).is_err(), "{} is accepted with another secret", other.name);
    }
}

#[test]
fn the_signer_makes_the_signatures_of_the_suite() {
    let (mut same, mut skipped) = (0, Vec::new());
    for case in cases() {
        let parsed = parse(&case.text);
        let header = |wanted: &str| {
            let found = parsed.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| String::from_utf8(value.clone()).unwrap())
        };
        let expected = header("authorization").unwrap();
        let credential = expected.split("Credential=").nth(1).unwrap().split(',').next().unwrap();
        let [id, _, region, service, _] = credential.split('/').collect::<Vec<_>>()[..] else {
            panic!("{credential}")
        };
        let signs_token = expected.contains("x-amz-security-token");
        let credentials = Credentials {
            access_key_id: id.to_owned(),
            secret: case.secret.clone(),
            session_token: header("x-amz-security-token").filter(|_| signs_token).map(Secret::new),
        };
        let target = if parsed.query.is_empty() {
            parsed.path.clone()
        } else {
            format!("{}?{}", parsed.path, parsed.query)
        };
        let mut builder = http::Request::builder().method(parsed.method.as_str()).uri(target);
        for (name, value) in &parsed.headers {
            // A session's token that was added after signing is no part of the signature.
            if signs_token || !name.eq_ignore_ascii_case("x-amz-security-token") {
                builder = builder.header(name.as_str(), value.as_slice());
            }
        }
        let Ok(mut request) = builder.body(Bytes::from(parsed.body.clone())) else {
            skipped.push(case.name);
            continue;
        };
        if case.style != PathStyle::Normalized {
            continue;
        }
        sign(&mut request, &credentials, service, &Region::parse(region).unwrap(), case.now).unwrap();
        assert_eq!(request.headers()["authorization"].to_str().unwrap(), expected, "{}", case.name);
        assert!(request.headers()["authorization"].is_sensitive());
        same += 1;
    }
    // A path with a space is no URI.
    assert_eq!(skipped, ["get-space-normalized", "get-space-unnormalized"]);
    assert_eq!(same, 32);
}

fn verify(case: &Case, parsed: &Parsed) -> Result<(), String> {
    let headers: Vec<_> =
        parsed.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let request = Request {
        method: &parsed.method,
        path: &parsed.path,
        query: &parsed.query,
        headers: &headers,
        body: &parsed.body,
    };
    let signed = Signed::read(request).map_err(|error| error.to_string())?;
    signed.verify(&case.secret, case.now, case.style).map_err(|error| error.to_string())
}

/// Each signed byte changed, one at a time.
fn mutants(sound: &Parsed) -> Vec<(String, Parsed)> {
    let copy = || Parsed {
        method: sound.method.clone(),
        path: sound.path.clone(),
        query: sound.query.clone(),
        headers: sound.headers.clone(),
        body: sound.body.clone(),
    };
    let mut mutants = Vec::new();
    for at in 0..sound.method.len() {
        let mut mutant = copy();
        mutant.method = flipped_text(&sound.method, at);
        mutants.push((format!("byte {at} of the method"), mutant));
    }
    let mut longer = copy();
    longer.path.push('x');
    mutants.push(("a longer path".to_owned(), longer));
    let mut asking = copy();
    asking.query = if sound.query.is_empty() { "x=1".to_owned() } else { format!("{}&x=1", sound.query) };
    mutants.push(("a longer query".to_owned(), asking));
    let mut talking = copy();
    talking.body.push(b' ');
    mutants.push(("a longer body".to_owned(), talking));
    for at in 0..sound.body.len() {
        let mut mutant = copy();
        mutant.body[at] ^= 1;
        mutants.push((format!("byte {at} of the body"), mutant));
    }
    let authorization =
        sound.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization")).unwrap();
    let text = String::from_utf8(authorization.1.clone()).unwrap();
    let signed = text.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
    for (index, (name, value)) in sound.headers.iter().enumerate() {
        let is_authorization = name.eq_ignore_ascii_case("authorization");
        if !is_authorization && !signed.split(';').any(|known| known.eq_ignore_ascii_case(name)) {
            continue;
        }
        for at in (0..value.len()).filter(|at| !value[*at].is_ascii_whitespace()) {
            // The key's name decides which secret is looked up, which this test hands in.
            if is_authorization && key_at(&text).contains(&at) {
                continue;
            }
            let mut mutant = copy();
            // A bit that changes letters and digits into other letters and digits, and never into white space.
            mutant.headers[index].1[at] ^= 1;
            mutants.push((format!("byte {at} of {name}"), mutant));
        }
    }
    mutants
}

/// Where the access key's id stands in the `Authorization` header.
fn key_at(authorization: &str) -> std::ops::Range<usize> {
    let start = authorization.find("Credential=").unwrap() + "Credential=".len();
    start..start + authorization[start..].find('/').unwrap()
}

fn flipped_text(text: &str, at: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] ^= 1;
    String::from_utf8(bytes).unwrap()
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = std::fs::read_dir(suite())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.join("context.json").exists())
        .map(|folder| {
            let context: serde_json::Value =
                serde_json::from_str(&std::fs::read_to_string(folder.join("context.json")).unwrap()).unwrap();
            assert_eq!(context["timestamp"], "2015-08-30T12:36:00Z");
            Case {
                name: folder.file_name().unwrap().to_string_lossy().into_owned(),
                secret: Secret::new(context["credentials"]["secret_access_key"].as_str().unwrap()),
                now: Timestamp::from_seconds(1_440_938_160),
                style: if context["normalize"] == true { PathStyle::Normalized } else { PathStyle::AsIs },
                text: std::fs::read_to_string(folder.join("header-signed-request.txt")).unwrap(),
            }
        })
        .collect();
    for (name, secret, seconds) in [
        // The crate's own additions, whose keys and dates stand in its source.
        ("double-url-encode", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 1_620_747_645),
        ("double-encode-path", "notrealrnrELgWzOk3IfjzDKtFBhDby", 1_440_938_160),
    ] {
        cases.push(Case {
            name: name.to_owned(),
            secret: Secret::new(secret),
            now: Timestamp::from_seconds(seconds),
            style: PathStyle::Normalized,
            text: std::fs::read_to_string(suite().join(name).join("header-signed-request.txt")).unwrap(),
        });
    }
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}

/// Where Cargo unpacked the `aws-sigv4` crate.
fn suite() -> PathBuf {
    let host = Command::new("rustc").arg("-vV").output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--filter-platform",
            host,
            "--manifest-path",
        ])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "aws-sigv4").unwrap();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().join("aws-signing-test-suite/v4")
}

fn parse(text: &str) -> Parsed {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let request_line = lines.next().unwrap();
    let (method, rest) = request_line.split_once(' ').unwrap();
    let target = rest.strip_suffix(" HTTP/1.1").unwrap_or(rest);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    for line in lines {
        // Obsolete line folding (RFC 9112, section 5.2): a continuation joins the line before it with a space.
        if line.starts_with(' ') {
            let (_, value) = headers.last_mut().unwrap();
            value.push(b' ');
            value.extend_from_slice(line.trim().as_bytes());
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_owned(), value.trim().as_bytes().to_vec()));
        }
    }
    Parsed {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.as_bytes().to_vec(),
    }
}
