//! `multipart/form-data` (RFC 7578): texts, JSON and files.
//!
//! The boundary is derived from the content and held against it, so that it needs no randomness and cannot occur in
//! what it separates. Names are escaped as browsers do (WHATWG HTML, "multipart/form-data encoding algorithm").

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use crate::body::bytes_of;
use crate::operation::Part;
use crate::request::ArgumentFault;
use crate::style::plain;

/// What every boundary begins with; sixteen hexadecimal digits follow.
const PREFIX: &str = "portcullis-";

/// A body and what separates its parts.
#[derive(Debug)]
pub(crate) struct Multipart {
    pub(crate) boundary: String,
    pub(crate) bytes: Vec<u8>,
}

/// Writes the members as parts; a list becomes one part an element.
pub(crate) fn write(
    members: &Map<String, Value>,
    parts: &BTreeMap<String, Part>,
) -> Result<Multipart, ArgumentFault> {
    let mut written: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, value) in members {
        let part = parts.get(name);
        match value {
            Value::Null => {}
            Value::Array(elements) => {
                for element in elements.iter().filter(|element| !element.is_null()) {
                    written.push(one(name, element, part)?);
                }
            }
            value => written.push(one(name, value, part)?),
        }
    }
    let boundary = boundary(&written);
    let mut bytes = Vec::new();
    for (head, content) in &written {
        bytes.extend_from_slice(format!("--{boundary}\r\n{head}\r\n\r\n").as_bytes());
        bytes.extend_from_slice(content);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(Multipart { boundary, bytes })
}

fn one(name: &str, value: &Value, part: Option<&Part>) -> Result<(String, Vec<u8>), ArgumentFault> {
    let escaped = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let mut head = format!("Content-Disposition: form-data; name=\"{escaped}\"");
    let content = match part {
        Some(part) if part.binary => {
            head.push_str(&format!("; filename=\"{escaped}\""));
            bytes_of(name, value)?
        }
        _ => plain(value).into_bytes(),
    };
    let content_type = match (part, value) {
        (Some(part), _) => Some(part.content_type.as_str()),
        (None, Value::Object(_) | Value::Array(_)) => Some("application/json"),
        (None, _) => None,
    };
    if let Some(content_type) = content_type {
        head.push_str(&format!("\r\nContent-Type: {content_type}"));
    }
    Ok((head, content))
}

/// A boundary that occurs in no part.
fn boundary(parts: &[(String, Vec<u8>)]) -> String {
    let all = parts.iter().flat_map(|(head, content)| head.as_bytes().iter().chain(content));
    let hash = all.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let texts = parts.iter().flat_map(|(head, content)| [head.as_bytes(), content]);
    format!("{PREFIX}{:016x}", free(hash, texts))
}

/// The first number from `start` on that makes a boundary of no text. One pass finds every number that is taken, so
/// that no content makes this try again and again.
fn free<'a>(start: u64, texts: impl Iterator<Item = &'a [u8]>) -> u64 {
    let taken: HashSet<u64> = texts.flat_map(numbers).collect();
    let mut tried = (0..=u64::MAX).map(|step| start.wrapping_add(step));
    tried.find(|number| !taken.contains(number)).unwrap_or(start)
}

/// The numbers of all boundaries that occur in a text.
fn numbers(text: &[u8]) -> impl Iterator<Item = u64> {
    text.windows(PREFIX.len() + 16).filter_map(|window| {
        let digits = window.strip_prefix(PREFIX.as_bytes())?;
        digits.iter().try_fold(0_u64, |number, digit| {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            Some(number << 4 | u64::from(value))
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_json_and_files() {
        let members =
            json!({"note": "hi", "tags": ["a", "b"], "meta": {"k": 1}, "file\"\r\n": "AAEC", "none": null});
        let parts = BTreeMap::from([
            ("file\"\r\n".to_owned(), Part { content_type: "image/png".to_owned(), binary: true }),
            ("meta".to_owned(), Part { content_type: "application/json".to_owned(), binary: false }),
        ]);
        let written = write(members.as_object().unwrap(), &parts).unwrap();
        let boundary = written.boundary.clone();
        let expected = [
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n"),
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"tags\"\r\n\r\na\r\n"),
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"tags\"\r\n\r\nb\r\n"),
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{{\"k\":1}}\r\n"),
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"file%22%0D%0A\"; filename=\"file%22%0D%0A\"\r\nContent-Type: image/png\r\n\r\n\u{0}\u{1}\u{2}\r\n"),
            format!("--{boundary}--\r\n"),
        ]
        .concat();
        assert_eq!(String::from_utf8(written.bytes).unwrap(), expected);
        let faulty = json!({"file\"\r\n": "no base64!"});
        assert!(write(faulty.as_object().unwrap(), &parts).is_err());
    }

    #[test]
    fn the_boundary_occurs_in_no_part() {
        let head = "Content-Disposition: form-data; name=\"a\"".to_owned();
        let mut content = Vec::new();
        // The content holds the boundary that it would have had, and the next one.
        let first = boundary(&[(head.clone(), content.clone())]);
        content.extend_from_slice(first.as_bytes());
        let second = boundary(&[(head.clone(), content.clone())]);
        assert_ne!(first, second);
        assert!(!String::from_utf8(content.clone()).unwrap().contains(&second));
        assert_eq!(second, boundary(&[(head, content)]));
    }

    #[test]
    fn boundaries_are_found_wherever_they_stand() {
        let text = b"portcullis-000000000000000aportcullis-ffffffffffffffff0 portcullis-00000000000000AA portcullis-1";
        assert_eq!(numbers(text).collect::<Vec<_>>(), [10, u64::MAX]);
        assert_eq!(numbers(b"portcullis-").count(), 0);
    }

    #[test]
    fn a_content_of_boundaries_takes_one_pass() {
        let started = std::time::Instant::now();
        let write = |numbers: std::ops::Range<u64>| -> String {
            numbers.map(|number| format!("portcullis-{number:016x}")).collect()
        };
        let (first, second) = (write(0..100_000), write(100_000..200_000) + &write(u64::MAX - 1..u64::MAX));
        let texts = || [first.as_bytes(), second.as_bytes(), b"portcullis-ffffffffffffffff"].into_iter();
        assert_eq!(free(0, texts()), 200_000);
        assert_eq!(free(u64::MAX - 1, texts()), 200_000);
        assert_eq!(free(u64::MAX - 2, texts()), u64::MAX - 2);
        assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    }
}
