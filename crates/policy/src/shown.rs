//! Expressions as people write them: Cedar prints `((context.input).amount) < 1000`, people `context.input.amount < 1000`.
//!
//! Parentheses go where they enclose nothing but accesses and calls, which bind tighter than whatever stands around them.
//! What is left means the same, and is only ever shown: Cedar evaluates what Cedar printed.

use cedar_policy::pst::Expr;

/// An expression as text.
pub(crate) fn shown(expression: &Expr) -> String {
    without_needless_parentheses(&expression.to_string())
}

/// A text between two brackets.
#[derive(Default)]
struct Level {
    text: String,
    /// The bracket that it began with; none at the outermost level.
    opened_by: Option<char>,
    /// Whether something stands at this level that binds less than an access: an operator, which has space around it.
    has_operator: bool,
}

fn without_needless_parentheses(text: &str) -> String {
    let mut outer: Vec<Level> = Vec::new();
    let mut level = Level::default();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                level.text.push('"');
                copy_string(&mut characters, &mut level.text);
            }
            '(' | '[' | '{' => {
                let inner = Level { opened_by: Some(character), ..Level::default() };
                outer.push(std::mem::replace(&mut level, inner));
            }
            ')' | ']' | '}' => {
                let Some(enclosing) = outer.pop() else { return text.to_owned() };
                let inner = std::mem::replace(&mut level, enclosing);
                close(&mut level, &inner, character);
            }
            other => {
                level.has_operator |= other.is_whitespace();
                level.text.push(other);
            }
        }
    }
    if outer.is_empty() { level.text } else { text.to_owned() }
}

fn close(level: &mut Level, inner: &Level, bracket: char) {
    let calls = level.text.ends_with(|last: char| last.is_alphanumeric() || last == '_');
    let signed = inner.text.starts_with(['!', '-']);
    let needless = bracket == ')' && !calls && !inner.has_operator && !signed && !inner.text.is_empty();
    if needless {
        level.text.push_str(&inner.text);
    } else {
        level.text.extend(inner.opened_by);
        level.text.push_str(&inner.text);
        level.text.push(bracket);
    }
}

fn copy_string(characters: &mut std::str::Chars<'_>, text: &mut String) {
    while let Some(character) = characters.next() {
        text.push(character);
        match character {
            '\\' => text.extend(characters.next()),
            '"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cedar_policy::pst::{Clause, Policy as PstPolicy};

    use super::*;

    fn parse(condition: &str) -> Arc<Expr> {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let policy: cedar_policy::Policy = text.parse().unwrap();
        let PstPolicy::Static(policy) = policy.to_pst().unwrap() else { panic!("{text}") };
        let Some(Clause::When(expression)) = policy.body().clauses().first() else { panic!("{text}") };
        Arc::clone(expression)
    }

    #[test]
    fn what_is_shown_reads_as_it_was_written() {
        for written in [
            "context.input.amount < 1000",
            r#"principal.getTag("scope") like "*(a) b*""#,
            r#"context.input.to.city == "Ulm)""#,
            r#"["a", "b"].contains(context.input.x)"#,
            "context.input.d.lessThan(decimal(\"1.5\"))",
            "!(context.system.now > datetime(\"2026-01-01\"))",
            "!context.input.urgent",
            r#"context.input["a b"].c == 1"#,
        ] {
            assert_eq!(shown(&parse(written)), written);
        }
    }

    #[test]
    fn what_is_shown_means_the_same() {
        for written in [
            "(-5) + 3 < -context.input.n",
            "(1 + 2) * 3 == context.input.n",
            "-(-(context.input.n)) == 1",
            "(!context.input.a) == context.input.b",
            "(if context.input.a then context else context).input has b",
            "(context.input.a || context.input.b) && !(context.input.c && context.input.d)",
            "context.system.now.offset(duration(\"1h\")).toTime() >= duration(\"9h\")",
            "{a: 1, \"b c\": [1, 2]} == context.input.r",
            r#"context has "in put" && context["in put"] has "a \" (""#,
            r#"principal is AgentCore::OAuthUser && action in [AgentCore::Action::"A"]"#,
        ] {
            let parsed = parse(written);
            let shown = shown(&parsed);
            assert_eq!(parse(&shown), parsed, "{written} is shown as {shown}");
        }
    }
}
