//! URI templates and host prefixes, taken apart: `/{Bucket}/{Key+}?x-id=PutObject` and `{AccountId}.data-`.
//!
//! What is literal is checked here once, so that a request made of it has the path the model means. Source: "URI
//! patterns" of the `http` trait and the `endpoint` trait in the Smithy 2.0 specification.

use crate::plan::{HostPart, Segment};
use crate::texts::shortened;

/// The longest template, in bytes.
const MAX_TEMPLATE: usize = 2_048;

/// A URI template's parts.
pub(crate) struct Template {
    pub(crate) path: Vec<Segment>,
    pub(crate) query: Vec<(String, Option<String>)>,
}

/// Reads a URI template; the error is the end of a sentence that begins with the operation.
pub(crate) fn uri(text: &str) -> Result<Template, String> {
    let wrong = |why: &str| Err(format!("has the URI `{}`, {why}", shortened(text)));
    if text.len() > MAX_TEMPLATE {
        return Err(format!("has a URI of more than {MAX_TEMPLATE} bytes"));
    }
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let Some(path) = path.strip_prefix('/') else { return wrong("which does not begin with a slash") };
    let mut segments = Vec::new();
    for segment in path.split('/').filter(|_| !path.is_empty()) {
        segments.push(match label(segment) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Segment::Greedy(name.to_owned()),
                None => Segment::Label(name.to_owned()),
            },
            None if matches!(segment, "." | "..") || !segment.bytes().all(is_path) => {
                return wrong("which no path can be made of");
            }
            None => Segment::Literal(segment.to_owned()),
        });
    }
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if !pair.bytes().all(is_path) {
            return wrong("whose query holds what a query cannot");
        }
        let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
        pairs.push((name.to_owned(), value.map(str::to_owned)));
    }
    Ok(Template { path: segments, query: pairs })
}

/// Reads a host prefix.
pub(crate) fn host_prefix(text: &str) -> Result<Vec<HostPart>, String> {
    let wrong = || format!("has the host prefix `{}`, which no host can begin with", shortened(text));
    let mut parts = Vec::new();
    let mut rest = text;
    if text.len() > MAX_TEMPLATE {
        return Err(wrong());
    }
    while let Some((literal, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(wrong)?;
        parts.extend([HostPart::Literal(literal.to_owned()), HostPart::Label(name.to_owned())]);
        rest = after;
    }
    parts.push(HostPart::Literal(rest.to_owned()));
    let sound = |part: &HostPart| match part {
        HostPart::Literal(text) => {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        }
        HostPart::Label(name) => !name.is_empty(),
    };
    if parts.iter().all(sound) { Ok(parts) } else { Err(wrong()) }
}

/// The name in a segment that is a label as a whole.
fn label(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+');
    (!name.is_empty() && name.bytes().all(sound)).then_some(name)
}

/// What a literal of a path or a query may hold (RFC 3986, section 3.3, without what parts queries).
fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$'()*+,;=:@%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_come_apart() {
        let found =
            uri("/{Bucket}/x/{Key+}?x-id=PutObject&acl").unwrap_or(Template { path: vec![], query: vec![] });
        assert_eq!(
            found.path,
            [Segment::Label("Bucket".into()), Segment::Literal("x".into()), Segment::Greedy("Key".into())]
        );
        assert_eq!(found.query, [("x-id".into(), Some("PutObject".into())), ("acl".into(), None)]);
        assert!(uri("/").is_ok_and(|found| found.path.is_empty()));
        for wrong in ["", "x", "/a/../b", "/a b", "/a{b}c", "/{}", "/a?x=#", "/é", "//evil.example\\"] {
            assert!(uri(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn host_prefixes_come_apart() {
        assert_eq!(
            host_prefix("a.{Id}-b."),
            Ok(vec![
                HostPart::Literal("a.".into()),
                HostPart::Label("Id".into()),
                HostPart::Literal("-b.".into())
            ])
        );
        for wrong in ["a/", "{", "{}", "a@b", "a:80"] {
            assert!(host_prefix(wrong).is_err(), "{wrong}");
        }
    }
}
