//! Filter patterns ("Filter pattern syntax" in the CloudWatch Logs user guide): words that a message has, has not, or of
//! which it has one; or selectors of a message that is JSON. Regular expressions and space-delimited patterns are refused.

use serde_json::Value;

/// A pattern, read.
#[derive(Debug)]
pub(super) enum Pattern {
    Words {
        /// All of these.
        all: Vec<String>,
        /// One of these, if there are any.
        any: Vec<String>,
        /// None of these.
        none: Vec<String>,
    },
    /// One of these, each of which is all of its selectors.
    Json(Vec<Vec<Selector>>),
}

/// `$.a.b = value`.
#[derive(Debug)]
pub(super) struct Selector {
    path: Vec<String>,
    equal: bool,
    value: String,
}

impl Pattern {
    /// Reads a pattern. The error is for whoever wrote it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            let parsed = inner.split("||").map(|any| any.split("&&").map(Selector::parse).collect());
            return parsed.collect::<Result<_, _>>().map(Self::Json);
        }
        if text.starts_with(['[', '%', '{']) {
            return Err(
                "Invalid filter pattern: words and JSON selectors of the form { $.name = value } are understood.",
            );
        }
        let (mut all, mut any, mut none) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = text;
        while !rest.is_empty() {
            let (list, after) = match rest.strip_prefix('-') {
                Some(after) => (&mut none, after),
                None => match rest.strip_prefix('?') {
                    Some(after) => (&mut any, after),
                    None => (&mut all, rest),
                },
            };
            let (word, after) = match after.strip_prefix('"') {
                Some(quoted) => {
                    quoted.split_once('"').ok_or("Invalid filter pattern: a quotation mark is not closed.")?
                }
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            if !word.is_empty() {
                list.push(word.to_owned());
            }
            rest = after.trim_start();
        }
        Ok(Self::Words { all, any, none })
    }

    /// Whether a message fits.
    pub(super) fn matches(&self, message: &str) -> bool {
        match self {
            Self::Words { all, any, none } => {
                all.iter().all(|word| message.contains(word))
                    && (any.is_empty() || any.iter().any(|word| message.contains(word)))
                    && !none.iter().any(|word| message.contains(word))
            }
            Self::Json(alternatives) => match serde_json::from_str::<Value>(message) {
                Ok(value) => alternatives.iter().any(|all| all.iter().all(|it| it.matches(&value))),
                Err(_) => false,
            },
        }
    }
}

impl Selector {
    fn parse(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "Invalid filter pattern: write JSON selectors as { $.name = value }.";
        let (path, equal, value) = match text.split_once("!=") {
            Some((path, value)) => (path, false, value),
            None => text.split_once('=').map(|(path, value)| (path, true, value)).ok_or(WRONG)?,
        };
        let path = path.trim().strip_prefix("$.").ok_or(WRONG)?;
        let value = value.trim();
        if path.is_empty()
            || value.is_empty()
            || path.contains(['[', ' ', '<', '>'])
            || value.starts_with('%')
        {
            return Err(WRONG);
        }
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        Ok(Self { path: path.split('.').map(str::to_owned).collect(), equal, value: value.to_owned() })
    }

    fn matches(&self, message: &Value) -> bool {
        let found = self.path.iter().try_fold(message, |value, name| value.get(name));
        let text = match found {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => return false,
            Some(other) => other.to_string(),
        };
        fits(&self.value, &text) == self.equal
    }
}

/// Whether a text fits a value in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, message: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(message)
    }

    #[test]
    fn words_are_looked_for() {
        assert!(found("", "anything"));
        assert!(found("ERROR failed", "an ERROR: it failed") && !found("ERROR failed", "an ERROR"));
        assert!(found("\"it failed\"", "so it failed") && !found("\"it failed\"", "it has failed"));
        assert!(found("?a ?b", "b") && !found("?a ?b", "c"));
        assert!(!found("ERROR -Exiting", "ERROR Exiting") && found("ERROR -Exiting", "ERROR"));
        assert!(Pattern::parse("\"open").is_err() && Pattern::parse("[a, b]").is_err());
    }

    #[test]
    fn json_is_selected() {
        let message = r#"{"body":{"isError":true,"log":"Started x"},"n":3}"#;
        assert!(found("{ $.body.isError = true }", message) && !found("{ $.body.isError = false }", message));
        assert!(found("{ $.body.log = \"Started*\" && $.n = 3 }", message));
        assert!(found("{ $.n != 4 }", message) && !found("{ $.none != 4 }", message));
        assert!(found("{ $.n = 4 || $.body.log = *x }", message));
        assert!(!found("{ $.n = 3 }", "no json"));
        for wrong in ["{ n = 3 }", "{ $.n > 3 }", "{ $.n = }", "{}", "{ $.n[0] = 1 }"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
