//! What a sentence means, before it is Cedar.

use policy::Step;

/// One policy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Intent {
    pub(crate) effect: Effect,
    pub(crate) what: What,
    /// When it applies; `None` is always.
    pub(crate) condition: Option<Expr>,
    /// Whether the sentence said "only", which a permit by itself does not enforce against other permits.
    pub(crate) only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Permit,
    Forbid,
}

/// The tools it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Everything,
    /// All tools of a target.
    Target(String),
    /// At least one, by their full names.
    Tools(Vec<String>),
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    /// What does not fulfil it, whatever is absent: "unless", "except", "without".
    Not(Box<Expr>),
    /// A comparison said in the negative: "is not", "does not contain". Of something absent it is read so that less is allowed.
    IsNot(Box<Expr>),
    /// An argument is there.
    Present(Vec<Step>),
    /// An argument passes a test. Never true of one that is not there.
    Argument(Vec<Step>, Test),
    /// A claim of the caller's token passes a test. Never true of one that is not there.
    Claim(String, Test),
    /// The token has the claim.
    HasClaim(String),
    /// The scope is among the token's scopes.
    Scope(String),
    /// The name stands in a claim that is a list.
    Listed(String, String),
    /// The caller has this `sub`.
    Subject(String),
    /// The caller's ARN matches, with `*` as the only wildcard between the parts.
    Arn(Vec<String>),
    Time(Time),
}

/// A test of one value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Is(Vec<String>),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    True,
    Whole(Order, i64),
    Decimal(Order, String),
    IsWhole(Vec<i64>),
    IsDecimal(Vec<String>),
    HasAny(Vec<String>),
    HasAll(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    AtMost,
    More,
    AtLeast,
}

/// Times are in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// Minutes after midnight, both included.
    Daily(Order, u32),
    /// The day's first moment.
    Date(Order, String),
    /// The moment at which the day is over.
    DateEnd(Order, String),
}

impl Expr {
    pub(crate) fn not(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// The comparison in the negative, when it was said so.
    pub(crate) fn negated(self, negated: bool) -> Self {
        match self {
            Self::Present(_) | Self::HasClaim(_) if negated => self.not(),
            Self::Not(_) if negated => self.not(),
            Self::All(parts) if negated => {
                Self::Any(parts.into_iter().map(|part| part.negated(true)).collect())
            }
            Self::Any(parts) if negated => {
                Self::All(parts.into_iter().map(|part| part.negated(true)).collect())
            }
            Self::IsNot(inner) if negated => *inner,
            other if negated => Self::IsNot(Box::new(other)),
            other => other,
        }
    }

    /// All of the parts that there are.
    pub(crate) fn all(parts: impl IntoIterator<Item = Expr>) -> Option<Self> {
        let mut parts: Vec<Expr> = parts.into_iter().collect();
        match parts.len() {
            0 | 1 => parts.pop(),
            _ => Some(Self::All(parts)),
        }
    }

    /// At least one of the parts, of which there is one.
    pub(crate) fn any(mut parts: Vec<Expr>) -> Self {
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            Some(last) => {
                parts.push(last);
                Self::Any(parts)
            }
            None => Self::Any(parts),
        }
    }
}

/// A scope in the condition that is named without its resource server.
pub(crate) fn short_scope(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::All(parts) | Expr::Any(parts) => parts.iter().find_map(short_scope),
        Expr::Not(inner) | Expr::IsNot(inner) => short_scope(inner),
        Expr::Scope(scope) if !scope.contains('/') => Some(scope),
        _ => None,
    }
}
