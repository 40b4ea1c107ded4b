//! What would have to be different for a condition to hold, in words.
//!
//! The words follow the syntax and say no more than it: which claim, argument or fact is asked about, and what the policy
//! wants of it. What has no words of its own is quoted.

use cedar_policy::pst::{BinaryOp, Expr, Literal, PatternElem, UnaryOp, Var};

use crate::conjuncts::Wanted;
use crate::names::{GATEWAY, IAM_ENTITY, OAUTH_USER};
use crate::shown::shown;

/// How long a quoted part may be, in characters.
const MAX_QUOTED: usize = 300;

/// What would have to be so for `expression` to hold: "claim `scope` would have to contain `tools/manager`".
pub(crate) fn remedy(expression: &Expr) -> String {
    Voice { must: "would have to", must_not: "would have not to" }.words(expression, Wanted::True)
}

/// What has to be so for `expression` to hold, of whoever calls: "claim `scope` has to contain `tools/manager`".
pub(crate) fn requirement(expression: &Expr) -> String {
    Voice { must: "has to", must_not: "must not" }.words(expression, Wanted::True)
}

/// How a demand is worded.
struct Voice {
    must: &'static str,
    must_not: &'static str,
}

/// How parts make up a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Junction {
    All,
    Any,
}

impl Junction {
    fn of(op: BinaryOp, wanted: Wanted) -> Option<Self> {
        match (op, wanted) {
            (BinaryOp::And, Wanted::True) | (BinaryOp::Or, Wanted::False) => Some(Self::All),
            (BinaryOp::And, Wanted::False) | (BinaryOp::Or, Wanted::True) => Some(Self::Any),
            _ => None,
        }
    }
}

impl Voice {
    fn words(&self, expression: &Expr, wanted: Wanted) -> String {
        match expression {
            Expr::UnaryOp { op: UnaryOp::Not, expr } => self.words(expr, wanted.contrary()),
            Expr::UnaryOp { op: UnaryOp::IsEmpty, expr } => self.would(&subject(expr), wanted, "be empty"),
            Expr::BinaryOp { op, left, right } => self.binary(*op, left, right, wanted, expression),
            Expr::HasAttr { expr, attrs } => {
                let names: Vec<&str> = attrs.iter().map(|name| &**name).collect();
                self.has(expr, &names.join("."), wanted)
            }
            Expr::Like { expr, pattern } => self.would(&subject(expr), wanted, &like(pattern)),
            Expr::Is { expr, entity_type, in_expr: None } => {
                self.would(&subject(expr), wanted, &kind(&entity_type.to_string()))
            }
            Expr::IfThenElse { .. } => self.quoted(expression, wanted),
            // An attribute that is true or false by itself.
            Expr::GetAttr { .. } => {
                let be = if wanted == Wanted::True { "true" } else { "false" };
                format!("{} {} be {be}", subject(expression), self.must)
            }
            _ => self.quoted(expression, wanted),
        }
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr, wanted: Wanted, whole: &Expr) -> String {
        let compared = |words: &str| self.would(&subject(left), wanted, &format!("{words} {}", value(right)));
        // What is written the other way round (`1000 > context.input.amount`) is said about the attribute all the same.
        let turned = |words: &str| self.would(&subject(right), wanted, &format!("{words} {}", value(left)));
        let is_turned = matches!(left, Expr::Literal(_)) && !matches!(right, Expr::Literal(_));
        if let Some(junction) = Junction::of(op, wanted) {
            let parts = self.joined(whole, wanted, junction);
            return match junction {
                Junction::All => parts.join(", and "),
                Junction::Any => format!("either {}", parts.join(", or ")),
            };
        }
        match (op, wanted) {
            (BinaryOp::Eq, _) => {
                if is_turned {
                    turned("be")
                } else {
                    compared("be")
                }
            }
            (BinaryOp::NotEq, _) => {
                let (about, other) = if is_turned { (right, left) } else { (left, right) };
                self.would(&subject(about), wanted.contrary(), &format!("be {}", value(other)))
            }
            (BinaryOp::Less, _) if is_turned => turned("be more than"),
            (BinaryOp::LessEq, _) if is_turned => turned("be at least"),
            (BinaryOp::Greater, _) if is_turned => turned("be less than"),
            (BinaryOp::GreaterEq, _) if is_turned => turned("be at most"),
            (BinaryOp::Less | BinaryOp::DecimalLessThan, _) => compared("be less than"),
            (BinaryOp::LessEq | BinaryOp::DecimalLessEq, _) => compared("be at most"),
            (BinaryOp::Greater | BinaryOp::DecimalGreater, _) => compared("be more than"),
            (BinaryOp::GreaterEq | BinaryOp::DecimalGreaterEq, _) => compared("be at least"),
            (BinaryOp::In, _) => compared("be in"),
            (BinaryOp::Contains, _) if matches!(left, Expr::Set(_)) => turned("be one of"),
            (BinaryOp::Contains, _) => compared("contain"),
            (BinaryOp::ContainsAll, _) => compared("contain all of"),
            (BinaryOp::ContainsAny, _) => compared("contain one of"),
            (BinaryOp::IsInRange, _) => compared("be in the range"),
            (BinaryOp::HasTag, _) => self.has(left, &bare(right), wanted),
            _ => self.quoted(whole, wanted),
        }
    }

    /// The parts of a chain of `&&` or of `||`, however it is bracketed, in words.
    fn joined(&self, expression: &Expr, wanted: Wanted, junction: Junction) -> Vec<String> {
        match expression {
            Expr::UnaryOp { op: UnaryOp::Not, expr } => self.joined(expr, wanted.contrary(), junction),
            Expr::BinaryOp { op, left, right } if Junction::of(*op, wanted) == Some(junction) => {
                let mut parts = self.joined(left, wanted, junction);
                parts.extend(self.joined(right, wanted, junction));
                parts
            }
            part => vec![self.words(part, wanted)],
        }
    }

    fn would(&self, subject: &str, wanted: Wanted, words: &str) -> String {
        match wanted {
            Wanted::True => format!("{subject} {} {words}", self.must),
            Wanted::False => format!("{subject} {} {words}", self.must_not),
        }
    }

    fn has(&self, of: &Expr, name: &str, wanted: Wanted) -> String {
        let (holder, what) = match of {
            Expr::Var(Var::Principal) => ("the caller".to_owned(), format!("the claim `{name}`")),
            of => match path(of).as_deref() {
                Some([]) => ("the call".to_owned(), format!("`{name}`")),
                Some(["input"]) => ("the call".to_owned(), format!("the argument `{name}`")),
                _ => (subject(of), format!("`{name}`")),
            },
        };
        match wanted {
            Wanted::True => format!("{holder} {} have {what}", self.must),
            Wanted::False => format!("{holder} {} be without {what}", self.must),
        }
    }

    fn quoted(&self, expression: &Expr, wanted: Wanted) -> String {
        let be = if wanted == Wanted::True { "true" } else { "false" };
        format!("`{}` {} be {be}", cut(&shown(expression)), self.must)
    }
}

/// What an expression speaks about.
pub(crate) fn subject(expression: &Expr) -> String {
    match expression {
        Expr::Var(Var::Principal) => "the caller".to_owned(),
        Expr::Var(Var::Action) => "the tool".to_owned(),
        Expr::Var(Var::Resource) => "the gateway".to_owned(),
        Expr::BinaryOp { op: BinaryOp::GetTag, left, right } if **left == Expr::Var(Var::Principal) => {
            format!("claim `{}`", bare(right))
        }
        Expr::GetAttr { expr, attr } if **expr == Expr::Var(Var::Principal) && attr == "id" => {
            "the caller's id".to_owned()
        }
        expression => match path(expression).as_deref() {
            Some(["input"]) => "the arguments".to_owned(),
            Some(["input", names @ ..]) => format!("argument `{}`", names.join(".")),
            Some(["system", "now"]) => "the time".to_owned(),
            _ => format!("`{}`", cut(&shown(expression))),
        },
    }
}

/// The attributes that lead from the context to the expression.
fn path(mut expression: &Expr) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    loop {
        match expression {
            Expr::Var(Var::Context) => {
                names.reverse();
                return Some(names);
            }
            Expr::GetAttr { expr, attr } => {
                names.push(attr.as_str());
                expression = expr;
            }
            _ => return None,
        }
    }
}

fn kind(entity_type: &str) -> String {
    match entity_type {
        OAUTH_USER => "be a caller with a token (AgentCore::OAuthUser)".to_owned(),
        IAM_ENTITY => "be a caller who signs (AgentCore::IamEntity)".to_owned(),
        GATEWAY => "be a gateway".to_owned(),
        other => format!("be a {other}"),
    }
}

/// What a pattern asks for.
fn like(pattern: &[PatternElem]) -> String {
    let is_wild = |part: &PatternElem| matches!(part, PatternElem::Wildcard);
    let text = |parts: &[PatternElem]| -> Option<String> {
        parts.iter().map(|part| if let PatternElem::Char(it) = part { Some(*it) } else { None }).collect()
    };
    let begins_wild = pattern.first().is_some_and(is_wild);
    let ends_wild = pattern.len() > usize::from(begins_wild) && pattern.last().is_some_and(is_wild);
    let inner = pattern.get(usize::from(begins_wild)..pattern.len() - usize::from(ends_wild));
    match (inner.and_then(text), begins_wild, ends_wild) {
        (Some(inner), false, false) => format!("be {inner:?}"),
        (Some(inner), true, false) if inner.is_empty() => "be any text".to_owned(),
        (Some(inner), true, false) => format!("end with {inner:?}"),
        (Some(inner), false, true) => format!("begin with {inner:?}"),
        (Some(inner), true, true) => format!("contain {inner:?}"),
        (None, ..) => {
            let shown: String = pattern
                .iter()
                .map(|part| match part {
                    PatternElem::Char('*') => "\\*".to_owned(),
                    PatternElem::Char(it) => it.to_string(),
                    PatternElem::Wildcard => "*".to_owned(),
                })
                .collect();
            format!("match the pattern \"{}\"", cut(&shown))
        }
    }
}

/// What something is compared with.
fn value(expression: &Expr) -> String {
    match expression {
        Expr::Literal(Literal::String(text)) => format!("{:?}", &**text),
        Expr::Literal(Literal::Long(number)) => number.to_string(),
        Expr::Literal(Literal::Bool(value)) => value.to_string(),
        Expr::Literal(Literal::EntityUID(uid)) => uid.to_string(),
        Expr::UnaryOp {
            op: UnaryOp::Decimal | UnaryOp::Datetime | UnaryOp::Ip | UnaryOp::Duration,
            expr,
        } => bare(expr),
        Expr::Set(elements) => {
            let elements: Vec<String> = elements.iter().map(|element| value(element)).collect();
            cut(&elements.join(", "))
        }
        other => subject(other),
    }
}

/// A text without its quotes.
fn bare(expression: &Expr) -> String {
    match expression {
        Expr::Literal(Literal::String(text)) => text.to_string(),
        other => cut(&shown(other)),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::pst::{Clause, Policy as PstPolicy};

    use super::*;

    fn words(condition: &str) -> String {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let policy = cedar_policy::Policy::parse(None, text).unwrap();
        let PstPolicy::Static(policy) = policy.to_pst().unwrap() else { panic!("{condition}") };
        let Some(Clause::When(expression)) = policy.body().clauses().first() else { panic!("{condition}") };
        requirement(expression)
    }

    #[test]
    fn a_chain_is_one_sentence() {
        let [a, b, c] = ["context.input.a == 1", "context.input.b == 2", "context.input.c == 3"];
        let any = "either argument `a` has to be 1, or argument `b` has to be 2, or argument `c` has to be 3";
        for chain in [format!("{a} || {b} || {c}"), format!("{a} || ({b} || {c})")] {
            assert_eq!(words(&chain), any);
        }
        assert_eq!(words(&format!("!({a} && ({b} && {c}))")), any.replace("has to", "must not"),);
        assert_eq!(
            words(&format!("{a} && ({b} || {c})")),
            "argument `a` has to be 1, and either argument `b` has to be 2, or argument `c` has to be 3"
        );
    }
}
