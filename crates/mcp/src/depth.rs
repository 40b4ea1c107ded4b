//! How deep a message is nested. What passes through is not parsed whole, so its depth is looked at by itself: a reader
//! behind us may be one that a few thousand brackets bring down.

/// The deepest message that is passed on: what JSON readers take by default.
pub const DEEPEST: usize = 128;

/// Whether JSON is nested deeper than [`DEEPEST`]. Of bytes that are no JSON it says something or other.
#[must_use]
pub fn is_too_deep(json: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > DEEPEST {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                // To the end of the text; what a backslash stands before is part of it.
                while let Some(inside) = bytes.next() {
                    match inside {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_of_texts() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(nested(DEEPEST).as_bytes()));
        assert!(is_too_deep(nested(DEEPEST + 1).as_bytes()));
        let wide = format!("[{}]", vec!["{}"; 1_000].join(","));
        assert!(!is_too_deep(wide.as_bytes()));
        let text = format!("[\"\\\"{}\\\\\",\"{}\"]", "[".repeat(500), "{".repeat(500));
        assert!(!is_too_deep(text.as_bytes()));
        assert!(!is_too_deep(b"\"\\"));
    }
}
