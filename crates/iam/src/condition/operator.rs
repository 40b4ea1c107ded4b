//! The names of condition operators: `ForAnyValue:StringLikeIfExists` and its like.

/// An operator's name, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) quantifier: Quantifier,
    /// `…IfExists`: holds when the key is absent.
    pub(crate) if_exists: bool,
    pub(crate) kind: Kind,
}

/// How the several values of a key are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// The key has one value.
    One,
    /// `ForAllValues:`
    AllValues,
    /// `ForAnyValue:`
    AnyValue,
}

/// What the operator compares, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text(TextMatch, Polarity),
    Number(Comparison),
    Date(Comparison),
    Bool,
    Binary,
    Address(Polarity),
    Arn(Polarity),
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextMatch {
    Equals,
    EqualsIgnoringCase,
    Like,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polarity {
    Positive,
    Negated,
}

/// How what the request has relates to what the policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equals,
    NotEquals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// Every operator of the IAM User Guide, without prefix and suffix.
const OPERATORS: [(&str, Kind); 27] = [
    ("StringEquals", Kind::Text(TextMatch::Equals, Polarity::Positive)),
    ("StringNotEquals", Kind::Text(TextMatch::Equals, Polarity::Negated)),
    ("StringEqualsIgnoreCase", Kind::Text(TextMatch::EqualsIgnoringCase, Polarity::Positive)),
    ("StringNotEqualsIgnoreCase", Kind::Text(TextMatch::EqualsIgnoringCase, Polarity::Negated)),
    ("StringLike", Kind::Text(TextMatch::Like, Polarity::Positive)),
    ("StringNotLike", Kind::Text(TextMatch::Like, Polarity::Negated)),
    ("NumericEquals", Kind::Number(Comparison::Equals)),
    ("NumericNotEquals", Kind::Number(Comparison::NotEquals)),
    ("NumericLessThan", Kind::Number(Comparison::LessThan)),
    ("NumericLessThanEquals", Kind::Number(Comparison::LessThanEquals)),
    ("NumericGreaterThan", Kind::Number(Comparison::GreaterThan)),
    ("NumericGreaterThanEquals", Kind::Number(Comparison::GreaterThanEquals)),
    ("DateEquals", Kind::Date(Comparison::Equals)),
    ("DateNotEquals", Kind::Date(Comparison::NotEquals)),
    ("DateLessThan", Kind::Date(Comparison::LessThan)),
    ("DateLessThanEquals", Kind::Date(Comparison::LessThanEquals)),
    ("DateGreaterThan", Kind::Date(Comparison::GreaterThan)),
    ("DateGreaterThanEquals", Kind::Date(Comparison::GreaterThanEquals)),
    ("Bool", Kind::Bool),
    ("BinaryEquals", Kind::Binary),
    ("IpAddress", Kind::Address(Polarity::Positive)),
    ("NotIpAddress", Kind::Address(Polarity::Negated)),
    ("ArnEquals", Kind::Arn(Polarity::Positive)),
    ("ArnLike", Kind::Arn(Polarity::Positive)),
    ("ArnNotEquals", Kind::Arn(Polarity::Negated)),
    ("ArnNotLike", Kind::Arn(Polarity::Negated)),
    ("Null", Kind::Null),
];

impl Operator {
    /// Understands an operator's name, in whatever case it is written. `Null` asks whether a key exists, so
    /// that `NullIfExists` would mean nothing and is no operator.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (quantifier, name) = if let Some(rest) = strip_prefix(name, "ForAllValues:") {
            (Quantifier::AllValues, rest)
        } else if let Some(rest) = strip_prefix(name, "ForAnyValue:") {
            (Quantifier::AnyValue, rest)
        } else {
            (Quantifier::One, name)
        };
        let (if_exists, name) = match strip_suffix(name, "IfExists") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        let (_, kind) = OPERATORS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        (!(if_exists && *kind == Kind::Null)).then_some(Self { quantifier, if_exists, kind: *kind })
    }
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    tail.eq_ignore_ascii_case(suffix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood() {
        let operator = Operator::parse("ForAnyValue:StringLikeIfExists").unwrap();
        assert_eq!(operator.quantifier, Quantifier::AnyValue);
        assert!(operator.if_exists);
        assert_eq!(operator.kind, Kind::Text(TextMatch::Like, Polarity::Positive));
        assert!(Operator::parse("forallvalues:stringequals").is_some());
        assert!(Operator::parse("DateLessThanIfExists").is_some());
        for (name, _) in OPERATORS {
            assert!(Operator::parse(name).is_some(), "{name}");
        }
    }

    #[test]
    fn unknown_names_are_not() {
        for name in [
            "",
            "StringMatches",
            "ForAnyValue::StringEquals",
            "ForSomeValues:StringEquals",
            "StringEqualsIfExistsIfExists",
            "NullIfExists",
            "IfExists",
            "String Equals",
            "StringÉquals",
        ] {
            assert!(Operator::parse(name).is_none(), "{name}");
        }
    }
}
