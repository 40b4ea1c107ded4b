//! Which target a path is about, and what is asked of it. A path that two readers could understand differently is
//! refused: the service behind must not be led out of the folder that its endpoint names.

/// A path under a gateway.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// All of it.
    pub(super) whole: &'a str,
    pub(super) target: &'a str,
    /// What comes after the target's name: empty, or a slash and more.
    pub(super) below: &'a str,
}

/// The longest path, in bytes.
const LONGEST: usize = 8 * 1024;

/// Reads a path as it was written, percent-encoded.
///
/// # Errors
/// What is wrong with it, in words for the caller.
pub(super) fn read(path: &str) -> Result<Place<'_>, &'static str> {
    if path.len() > LONGEST {
        return Err("The path is longer than 8 KB");
    }
    let rest = path.strip_prefix('/').ok_or("The path must begin with a slash")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (target, below) = rest.split_at_checked(at).ok_or("The path cannot be read")?;
    if target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    {
        return Err("The path must name a target first");
    }
    let mut segments = below.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err("The path must not have an empty segment");
        }
        check(segment)?;
    }
    Ok(Place { whole: path, target, below })
}

fn check(segment: &str) -> Result<(), &'static str> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            if !(0x21..=0x7e).contains(&byte) || b"\\\"<>^`{|}#?".contains(&byte) {
                return Err("The path has a character that must be percent-encoded");
            }
            decoded.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return Err("The path has a percent sign that encodes nothing");
        };
        let byte = u8::try_from(high * 16 + low).unwrap_or_default();
        if byte < 0x20 || byte == 0x7f || matches!(byte, b'/' | b'\\' | b'%') {
            return Err(
                "The path must not encode a slash, a backslash, a percent sign or a control character",
            );
        }
        decoded.push(byte);
    }
    // Some readers take what follows a semicolon for parameters, and the rest for the segment.
    let name = decoded.split(|byte| *byte == b';').next().unwrap_or_default();
    if matches!(name, b"." | b"..") {
        return Err("The path must not lead upwards");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        for (path, target, below) in [
            ("/t", "t", ""),
            ("/t/", "t", "/"),
            ("/my-target_1/a/b", "my-target_1", "/a/b"),
            ("/t/a%20b/c.d/...", "t", "/a%20b/c.d/..."),
            ("/t/runtimes/arn:aws:x/invocations", "t", "/runtimes/arn:aws:x/invocations"),
        ] {
            assert_eq!(read(path), Ok(Place { whole: path, target, below }), "{path}");
        }
    }

    #[test]
    fn paths_that_could_lead_elsewhere_are_refused() {
        for path in [
            "",
            "t",
            "/",
            "//t",
            "/%74",
            "/../t",
            "/t/..",
            "/t/../x",
            "/t/.",
            "/t/%2e%2e/x",
            "/t/%2E./x",
            "/t/.%2e",
            "/t/a%2fb",
            "/t/a%5cb",
            "/t/a\\b",
            "/t//x",
            "/t/%00",
            "/t/%0d%0a",
            "/t/%",
            "/t/%2",
            "/t/%zz",
            "/t/%252e%252e/x",
            "/t/..;/x",
            "/t/..;a=b/x",
            "/t/a b",
            "/t/é",
            "/t/a#b",
        ] {
            assert!(read(path).is_err(), "{path}");
        }
        assert!(read(&format!("/t/{}", "a".repeat(9_000))).is_err());
    }
}
