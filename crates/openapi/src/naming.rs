//! What tools are called.
//!
//! A tool has the operation's `operationId`. What MCP does not allow in a tool's name (2025-11-25, "Tool Names": ASCII
//! letters, digits, underscore, hyphen and dot) becomes one underscore a run. An operation without one is named by its
//! method and path: `GET /pets/{petId}/toys` is `get_pets_petId_toys`. Where one of these two rules makes two names
//! equal, the later one in the order of paths and methods gets `_2`, `_3` and so on; two equal operationIds are an
//! error of the document.

/// The longest name that the APIs of common models take.
const MODEL_LIMIT: usize = 64;

/// A name and whether it is the document's, to the letter.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) is_given: bool,
}

/// The name of an operation.
pub(crate) fn name(operation_id: Option<&str>, method: &str, path: &str) -> Named {
    if let Some(id) = operation_id {
        let plain = plain(id);
        if !plain.is_empty() {
            return Named { is_given: plain == id, name: plain };
        }
    }
    let words =
        path.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = method.to_ascii_lowercase();
    for word in words {
        name.push('_');
        name.push_str(word);
    }
    Named { name, is_given: false }
}

fn plain(id: &str) -> String {
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    let mut plain = String::with_capacity(id.len());
    let mut in_run = false;
    for character in id.chars() {
        if fits(character) {
            plain.push(character);
        } else if !in_run && !plain.is_empty() {
            plain.push('_');
        }
        in_run = !fits(character);
    }
    if in_run { plain.trim_end_matches('_').to_owned() } else { plain }
}

/// A name of at most 64 characters for a tool whose full name, `target___tool`, is longer than the APIs of common
/// models take; nothing when it is not. The same two names always have the same alias: the full name's first 55
/// characters and a hash (FNV-1a, folded to 32 bits). AWS has no such thing.
#[must_use]
pub fn short_alias(target: &str, tool: &str) -> Option<String> {
    let full = format!("{target}___{tool}");
    if full.chars().count() <= MODEL_LIMIT {
        return None;
    }
    let hash = full.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let folded = (hash >> 32) ^ (hash & 0xffff_ffff);
    let start: String = full.chars().take(MODEL_LIMIT - 9).collect();
    Some(format!("{start}_{folded:08x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_rule() {
        for (id, method, path, expected, given) in [
            (Some("listPets"), "GET", "/pets", "listPets", true),
            (Some("repos/get-content"), "GET", "/x", "repos_get-content", false),
            (Some("Größe (alt)"), "GET", "/x", "Gr_e_alt", false),
            (Some("  "), "PUT", "/a", "put_a", false),
            (None, "GET", "/pets/{petId}/toys", "get_pets_petId_toys", false),
            (None, "POST", "/", "post", false),
            (None, "DELETE", "/v1.0/a-b//{c}", "delete_v1_0_a_b_c", false),
        ] {
            let named = name(id, method, path);
            assert_eq!((named.name.as_str(), named.is_given), (expected, given), "{id:?} {path}");
        }
    }

    #[test]
    fn aliases_are_short_steady_and_distinct() {
        assert_eq!(short_alias("pets", "list"), None);
        assert_eq!(short_alias("t", &"x".repeat(60)), None);
        let one = short_alias("target", &("x".repeat(80) + "1")).unwrap();
        let two = short_alias("target", &("x".repeat(80) + "2")).unwrap();
        assert_eq!(one.len(), 64);
        assert_ne!(one, two);
        assert_eq!(Some(one), short_alias("target", &("x".repeat(80) + "1")));
    }
}
