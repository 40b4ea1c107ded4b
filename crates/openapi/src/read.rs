//! Text to tree: JSON strictly, YAML with budgets.
//!
//! A document that begins with a brace is JSON, and a repeated member makes it none. Anything else is YAML 1.2, where
//! aliases could unfold a small text into an endless tree (the "billion laughs"): events, nodes, depth and replayed
//! aliases are bounded.

use serde_json::Value;

use crate::findings::ImportError;

/// How deep a YAML document may nest. (`serde_json` allows 128; the YAML reader needs more stack for each level.)
const MAX_DEPTH: usize = 64;
/// The most parts of a YAML document: those of a document of 10 MB in the densest style that is in use.
const MAX_NODES: usize = 2_000_000;
/// The most events that aliases may replay.
const MAX_REPLAYED: usize = 200_000;

/// Reads a document of any kind: JSON if it begins with a brace, and YAML otherwise.
///
/// # Errors
/// [`ImportError::TooLarge`] beyond `max_bytes`, [`ImportError::Unreadable`] when it is neither.
pub fn read(text: &str, max_bytes: usize) -> Result<Value, ImportError> {
    if text.len() > max_bytes {
        return Err(ImportError::TooLarge { bytes: text.len(), limit: max_bytes });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return strict_json::parse(text.as_bytes())
            .map_err(|error| ImportError::Unreadable(error.to_string()));
    }
    yaml(text)
}

fn yaml(text: &str) -> Result<Value, ImportError> {
    let mut alias_limits = serde_saphyr::options::AliasLimits::default();
    alias_limits.max_total_replayed_events = MAX_REPLAYED;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            max_documents: 1,
        },
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        alias_limits: alias_limits,
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| ImportError::Unreadable(first_line(&error.to_string())))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(text: &str) -> Result<Value, ImportError> {
        read(text, 10_000_000)
    }

    #[test]
    fn json_and_yaml_are_read_alike() {
        let expected = json!({"openapi": "3.0.0", "paths": {"/a": {"get": {"responses": {"200": {"description": "no"}}}}}});
        assert_eq!(of(&format!("\u{feff} {expected}")).unwrap(), expected);
        let yaml = "openapi: 3.0.0\npaths:\n  /a:\n    get:\n      responses:\n        200:\n          description: no\n";
        assert_eq!(of(yaml).unwrap(), expected);
        let anchored = "a: &x {type: string}\nb: *x\n";
        assert_eq!(of(anchored).unwrap(), json!({"a": {"type": "string"}, "b": {"type": "string"}}));
    }

    #[test]
    fn what_is_repeated_too_deep_or_too_large_is_refused() {
        assert!(of(r#"{"a":1,"a":2}"#).unwrap_err().to_string().contains("duplicate member"));
        assert!(of("a: 1\na: 2\n").is_err());
        assert!(of(&format!("{}{}", "{\"a\":".repeat(200), "}".repeat(200))).is_err());
        assert!(of(&(0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>()).is_err());
        assert_eq!(read("{}       ", 5), Err(ImportError::TooLarge { bytes: 9, limit: 5 }));
        for text in [
            "",
            "\u{0}",
            "[",
            "a: b: c",
            "--- a\n--- b\n",
            &"[".repeat(99_999),
            &"- ".repeat(99_999),
            &"? ".repeat(99_999),
        ] {
            let _ = of(text);
        }
    }

    #[test]
    fn aliases_do_not_unfold_without_end() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..10 {
            let before = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(","));
        }
        assert!(of(&text).is_err());
    }
}
