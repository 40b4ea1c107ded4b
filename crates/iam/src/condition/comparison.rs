//! What one value of the request is compared with: the policy's values, compiled for their operator.

use crate::Context;
use crate::arn_pattern::{ArnPattern, components};
use crate::condition::address::{AddressRange, parse_address};
use crate::condition::date::parse_date;
use crate::condition::number::Number;
use crate::condition::operator::{Comparison, Kind, Polarity, TextMatch};
use crate::pattern::{Case, Pattern, Variables, Wildcards};

/// A compiled comparison. A policy value that is not of the operator's type is kept as nothing: it matches no
/// value, and under a negated operator it makes the whole comparison fail.
#[derive(Debug)]
pub(crate) enum Test {
    Text {
        how: TextMatch,
        polarity: Polarity,
        patterns: Box<[Pattern]>,
    },
    Number(Ordered<Number>),
    /// Dates, in nanoseconds since the epoch.
    Date(Ordered<i128>),
    /// Texts that variables may complete to `true` or `false`.
    Bool(Box<[Pattern]>),
    /// Base64 texts without padding: equal texts are equal bytes.
    Binary(Box<[Box<str>]>),
    Address {
        polarity: Polarity,
        ranges: Box<[Option<AddressRange>]>,
    },
    Arn {
        polarity: Polarity,
        patterns: Box<[Option<ArnPattern>]>,
    },
    /// Whether the key should be absent.
    Null(Box<[bool]>),
}

/// Values that have an order.
#[derive(Debug)]
pub(crate) struct Ordered<T> {
    comparison: Comparison,
    values: Box<[Option<T>]>,
}

impl Test {
    pub(crate) fn compile(kind: Kind, values: &[String], variables: Variables) -> Self {
        match kind {
            Kind::Text(how, polarity) => {
                let wildcards = match how {
                    TextMatch::Like => Wildcards::Special,
                    TextMatch::Equals | TextMatch::EqualsIgnoringCase => Wildcards::Literal,
                };
                let compile = |text: &String| Pattern::compile(text, wildcards, variables);
                Self::Text { how, polarity, patterns: values.iter().map(compile).collect() }
            }
            Kind::Number(comparison) => Self::Number(Ordered {
                comparison,
                values: values.iter().map(|text| Number::parse(text)).collect(),
            }),
            Kind::Date(comparison) => Self::Date(Ordered {
                comparison,
                values: values.iter().map(|text| parse_date(text)).collect(),
            }),
            Kind::Bool => {
                let compile = |text: &String| Pattern::compile(text, Wildcards::Literal, variables);
                Self::Bool(values.iter().map(compile).collect())
            }
            Kind::Binary => Self::Binary(values.iter().map(|text| unpadded(text).into()).collect()),
            Kind::Address(polarity) => Self::Address {
                polarity,
                ranges: values.iter().map(|text| AddressRange::parse(text)).collect(),
            },
            Kind::Arn(polarity) => Self::Arn {
                polarity,
                patterns: values.iter().map(|text| ArnPattern::compile(text, variables)).collect(),
            },
            Kind::Null => Self::Null(values.iter().filter_map(|text| parse_bool(text)).collect()),
        }
    }

    /// Whether the operator is one that an absent key satisfies.
    pub(crate) fn is_negated(&self) -> bool {
        match self {
            Self::Text { polarity, .. } | Self::Address { polarity, .. } | Self::Arn { polarity, .. } => {
                *polarity == Polarity::Negated
            }
            Self::Number(ordered) => ordered.comparison == Comparison::NotEquals,
            Self::Date(ordered) => ordered.comparison == Comparison::NotEquals,
            Self::Bool(_) | Self::Binary(_) | Self::Null(_) => false,
        }
    }

    /// Whether one value of the request passes.
    pub(crate) fn accepts(&self, value: &str, context: &Context) -> bool {
        match self {
            Self::Text { how, polarity, patterns } => {
                let matched = patterns.iter().any(|pattern| match how {
                    TextMatch::Equals | TextMatch::Like => pattern.matches(value, Case::Exact, context),
                    TextMatch::EqualsIgnoringCase => pattern.equals_ignoring_case(value, context),
                });
                matched == (*polarity == Polarity::Positive)
            }
            Self::Number(ordered) => Number::parse(value).is_some_and(|number| ordered.accepts(&number)),
            Self::Date(ordered) => parse_date(value).is_some_and(|date| ordered.accepts(&date)),
            Self::Bool(patterns) => parse_bool(value).is_some_and(|wanted| {
                let wanted = if wanted { "true" } else { "false" };
                let mut patterns = patterns.iter();
                patterns.any(|pattern| pattern.equals_ignoring_case(wanted, context))
            }),
            Self::Binary(texts) => texts.iter().any(|text| **text == *unpadded(value)),
            Self::Address { polarity, ranges } => parse_address(value)
                .is_some_and(|address| settle(*polarity, ranges, |range| range.contains(address))),
            Self::Arn { polarity, patterns } => components(value)
                .is_some_and(|arn| settle(*polarity, patterns, |pattern| pattern.matches(&arn, context))),
            // Answered before any value is looked at.
            Self::Null(_) => false,
        }
    }
}

impl<T: PartialOrd> Ordered<T> {
    fn accepts(&self, value: &T) -> bool {
        let mut values = self.values.iter();
        match self.comparison {
            Comparison::NotEquals => values.all(|limit| limit.as_ref().is_some_and(|limit| value != limit)),
            comparison => values.flatten().any(|limit| match comparison {
                Comparison::Equals => value == limit,
                Comparison::NotEquals => value != limit,
                Comparison::LessThan => value < limit,
                Comparison::LessThanEquals => value <= limit,
                Comparison::GreaterThan => value > limit,
                Comparison::GreaterThanEquals => value >= limit,
            }),
        }
    }
}

/// Whether any of the policy's values matches or, negated, none does and all could have.
fn settle<T>(polarity: Polarity, values: &[Option<T>], matches: impl Fn(&T) -> bool) -> bool {
    match polarity {
        Polarity::Positive => values.iter().flatten().any(matches),
        Polarity::Negated => values.iter().all(|value| value.as_ref().is_some_and(|value| !matches(value))),
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else {
        text.eq_ignore_ascii_case("false").then_some(false)
    }
}

fn unpadded(base64: &str) -> &str {
    base64.trim_end_matches('=')
}
