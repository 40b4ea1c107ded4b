//! What to write instead, where Cedar's own words do not help who comes from JSON and tokens.
//!
//! A claim is no attribute but a tag, and a JSON `number` is a decimal, which has comparisons of its own. Cedar says what is
//! wrong in its own terms; here is what its author most likely wants.

use crate::names::{IAM_ENTITY, OAUTH_USER};

/// The hint for an error of Cedar's about `text`, at the byte `start`.
pub(crate) fn hint(message: &str, text: &str, start: Option<usize>) -> Option<String> {
    if let Some(claim) = attribute_of(message, OAUTH_USER) {
        return Some(format!(
            "claims are tags: write `principal.hasTag({claim:?}) && principal.getTag({claim:?}) == \"…\"`"
        ));
    }
    if let Some(claim) = attribute_of(message, IAM_ENTITY) {
        return Some(format!(
            "only callers with a token have claims, as tags: write `principal is {OAUTH_USER}` in the scope, and \
             `principal.hasTag({claim:?}) && principal.getTag({claim:?}) == \"…\"`"
        ));
    }
    if message.ends_with("expected Long but saw decimal") {
        return Some(
            "a `number` of JSON is a decimal: compare it with `.lessThan(decimal(\"1.5\"))`, `.lessThanOrEqual`, \
             `.greaterThan` or `.greaterThanOrEqual`, and an `integer` with `<` and whole numbers"
                .to_owned(),
        );
    }
    if message.ends_with("expected decimal but saw Long") {
        return Some(
            "write a decimal, such as `decimal(\"2.0\")`; an `integer` of JSON is compared with `<`"
                .to_owned(),
        );
    }
    if message.contains("types Long and decimal are not compatible") {
        return Some("a `number` of JSON is a decimal: write `== decimal(\"1.0\")`".to_owned());
    }
    fraction(message, text, start?).map(|number| format!("write a decimal, such as `decimal(\"{number}\")`"))
}

/// The name of an attribute that an entity type does not have.
fn attribute_of<'m>(message: &'m str, entity_type: &str) -> Option<&'m str> {
    let (_, rest) = message.split_once("attribute `")?;
    let (name, rest) = rest.split_once("` on entity type `")?;
    rest.strip_prefix(entity_type)?.starts_with("` not found").then_some(name)
}

/// The number with a fraction that the parser stopped in.
fn fraction<'t>(message: &str, text: &'t str, start: usize) -> Option<&'t str> {
    if !message.starts_with("unexpected token") {
        return None;
    }
    let (before, rest) = text.split_at_checked(start)?;
    let whole = before.strip_suffix('.')?;
    let begin = whole.trim_end_matches(|it: char| it.is_ascii_digit()).len();
    let digits = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
    (begin < whole.len() && digits > 0).then(|| text.get(begin..start + digits))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_fraction_is_found_where_the_parser_stopped() {
        let text = "x < 12.50 }";
        assert_eq!(fraction("unexpected token `50`", text, 7), Some("12.50"));
        assert_eq!(fraction("unexpected token `50`", text, 4), None);
        assert_eq!(fraction("something else", text, 7), None);
        assert_eq!(fraction("unexpected token `y`", "a.y", 2), None);
        assert_eq!(fraction("unexpected token", "\u{e4}.5", 1), None);
    }
}
