//! Policy documents, as far as rules look into them: statements with their lists made plain.
//!
//! This is no evaluator (`crates/iam` is): it sees what a statement says, not what a request would get.

use serde_json::Value;

/// A statement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statement {
    pub(crate) allows: bool,
    pub(crate) actions: Vec<String>,
    pub(crate) resources: Vec<String>,
    /// Services in `Principal`.
    pub(crate) services: Vec<String>,
    /// Whether `Principal` is everybody.
    pub(crate) anybody: bool,
    /// The condition keys, in lower case.
    pub(crate) conditions: Vec<String>,
}

/// The statements of a document; none of one that is no policy.
pub(crate) fn statements(document: &str) -> Vec<Statement> {
    let Ok(document) = serde_json::from_str::<Value>(document) else { return Vec::new() };
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().map(statement).collect(),
        Some(one @ Value::Object(_)) => vec![statement(one)],
        _ => Vec::new(),
    }
}

fn statement(value: &Value) -> Statement {
    let principal = value.get("Principal");
    let conditions = value.get("Condition").and_then(Value::as_object);
    let keys = conditions.into_iter().flat_map(|it| it.values()).filter_map(Value::as_object);
    Statement {
        allows: value.get("Effect").and_then(Value::as_str) == Some("Allow"),
        actions: texts(value.get("Action")),
        resources: texts(value.get("Resource")),
        services: texts(principal.and_then(|it| it.get("Service"))),
        anybody: principal
            .is_some_and(|it| it.as_str() == Some("*") || texts(it.get("AWS")).iter().any(|arn| arn == "*")),
        conditions: keys.flat_map(|it| it.keys().map(|key| key.to_ascii_lowercase())).collect(),
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

impl Statement {
    /// Whether a condition looks at a key.
    pub(crate) fn looks_at(&self, key: &str) -> bool {
        self.conditions.iter().any(|it| it.eq_ignore_ascii_case(key))
    }

    /// Whether one of its actions, with its wildcards, covers an action. `covers("s3:*")` asks for the whole service.
    pub(crate) fn covers(&self, action: &str) -> bool {
        self.actions.iter().any(|it| fits(&it.to_ascii_lowercase(), &action.to_ascii_lowercase()))
    }

    /// Whether it speaks of every resource.
    pub(crate) fn of_everything(&self) -> bool {
        self.resources.iter().any(|it| it == "*")
    }
}

/// Whether a text fits a pattern of `*`.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|left| {
            let mut from = left.char_indices().map(|(at, _)| at).chain([left.len()]);
            from.any(|at| left.get(at..).is_some_and(|tail| fits(rest, tail)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_statements_say_is_seen() {
        let one = statements(
            r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a.amazonaws.com"},"Action":"sts:AssumeRole",
                "Condition":{"ArnLike":{"aws:SourceArn":"x"}}}}"#,
        );
        assert!(one[0].allows && one[0].looks_at("AWS:SourceArn") && !one[0].anybody);
        assert_eq!(one[0].services, ["a.amazonaws.com"]);
        let two = statements(
            r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:Get*"],"Resource":"*"}]}"#,
        );
        assert!(two[0].anybody && two[0].of_everything());
        assert!(two[0].covers("s3:GetObject") && !two[0].covers("s3:PutObject") && !two[0].covers("s3:*"));
        assert!(statements("no json").is_empty());
    }
}
