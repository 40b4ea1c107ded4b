//! `Condition`: when a statement is in force.
//!
//! Every condition of a statement must hold. One condition compares the values that the request has for a key
//! with the values of the policy: any of them may match, and for a negated operator none may. An absent key
//! matches no operator but the negated ones; a value that is not of the operator's type makes the condition
//! fail, negated or not, so that a statement whose condition cannot be evaluated is not in force.
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Conditions with multiple
//! context keys or values"; Access Analyzer's policy checks for empty lists of values.

mod operator;

mod comparison;

mod address;
mod date;
mod number;

use crate::Context;
use crate::context::Values;

pub(crate) use comparison::Test;
pub(crate) use operator::{Kind, Operator, Quantifier};

/// Whether a text is a date that `Date…` operators understand.
pub(crate) fn is_date(text: &str) -> bool {
    date::parse_date(text).is_some()
}

/// One operator applied to one key.
#[derive(Debug)]
pub(crate) struct Condition {
    /// The operator, the key and the values as they were written, for explanations.
    pub(crate) written_operator: Box<str>,
    pub(crate) written_key: Box<str>,
    pub(crate) written_values: Box<[String]>,
    /// The key in lower case.
    pub(crate) key: Box<str>,
    pub(crate) quantifier: Quantifier,
    pub(crate) if_exists: bool,
    pub(crate) test: Test,
}

impl Condition {
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let found = context.get(&self.key);
        if let Test::Null(wanted) = &self.test {
            let absent = found.is_none_or(Values::is_null);
            return wanted.contains(&absent);
        }
        let accepts = |value: &String| self.test.accepts(value, context);
        match (self.quantifier, found) {
            (Quantifier::AllValues, None) => true,
            (Quantifier::AllValues, Some(values)) => values.is_null() || values.all().iter().all(accepts),
            // `IfExists` changes nothing here: without a value there is none that could match.
            (Quantifier::AnyValue, None) => false,
            (Quantifier::AnyValue, Some(values)) => !values.is_null() && values.all().iter().any(accepts),
            (Quantifier::One, None) => self.if_exists || self.test.is_negated(),
            (Quantifier::One, Some(Values::One(value))) => accepts(value),
            // "Multivalued context keys require a condition set operator."
            (Quantifier::One, Some(Values::Many(_))) => false,
        }
    }
}
