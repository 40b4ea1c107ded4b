//! What is said of an argument or a claim: `is less than`, `does not start with`, `is missing`.

use super::cursor::Cursor;
use super::intent::Order;

/// A relation. Whether it is negated stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Is,
    Compare(Order),
    Between,
    StartsWith,
    EndsWith,
    Contains,
    ContainsAll,
    ContainsAny,
    Present,
    Absent,
    /// A boolean that is asked for by itself.
    Holds,
}

const COPULA: &[&str] = &[
    "is",
    "are",
    "was",
    "be",
    "been",
    "must be",
    "has to be",
    "have to be",
    "should be",
    "has been",
    "have been",
    "being",
];
const AUXILIARY: &[&str] =
    &["does not", "do not", "did not", "must not", "should not", "can not", "may not", "has not", "have not"];

const COMPARISONS: &[(&[&str], Operator)] = &[
    (
        &[
            "less than",
            "under",
            "below",
            "lower than",
            "smaller than",
            "fewer than",
            "strictly less than",
            "<",
        ],
        Operator::Compare(Order::Less),
    ),
    (
        &[
            "at most",
            "up to",
            "no more than",
            "no greater than",
            "no higher than",
            "no larger than",
            "less than or equal to",
            "lower than or equal to",
            "less or equal to",
            "equal to or under",
            "equal to or below",
            "up to and including",
            "maximum of",
            "fewer than or equal to",
            "smaller than or equal to",
            "<=",
            "≤",
            "equal to or less than",
            "a maximum of",
            "at maximum",
            "no bigger than",
        ],
        Operator::Compare(Order::AtMost),
    ),
    (
        &[
            "more than",
            "over",
            "above",
            "greater than",
            "higher than",
            "larger than",
            "bigger than",
            "exceeding",
            "exceeds",
            "exceed",
            "in excess of",
            "strictly greater than",
            ">",
        ],
        Operator::Compare(Order::More),
    ),
    (
        &[
            "at least",
            "no less than",
            "no lower than",
            "no fewer than",
            "no smaller than",
            "greater than or equal to",
            "greater or equal to",
            "equal to or more than",
            "equal to or above",
            "equal to or over",
            "from and including",
            "minimum of",
            "more than or equal to",
            "higher than or equal to",
            "larger than or equal to",
            ">=",
            "≥",
            "equal to or greater than",
            "a minimum of",
            "at minimum",
        ],
        Operator::Compare(Order::AtLeast),
    ),
    (&["between"], Operator::Between),
    (
        &[
            "starts with",
            "start with",
            "begins with",
            "begin with",
            "starting with",
            "beginning with",
            "prefixed with",
        ],
        Operator::StartsWith,
    ),
    (&["ends with", "end with", "ends in", "end in", "ending with", "ending in"], Operator::EndsWith),
    (
        &[
            "contains",
            "contain",
            "containing",
            "includes",
            "include",
            "including",
            "contains the word",
            "contains the text",
        ],
        Operator::Contains,
    ),
    (
        &[
            "contains all of",
            "contain all of",
            "includes all of",
            "include all of",
            "contains both",
            "contain both",
        ],
        Operator::ContainsAll,
    ),
    (
        &[
            "contains any of",
            "contain any of",
            "includes any of",
            "include any of",
            "contains one of",
            "contain one of",
            "contains either",
            "contain either",
            "includes one of",
            "include one of",
        ],
        Operator::ContainsAny,
    ),
    (
        &[
            "equals",
            "equal to",
            "equal",
            "exactly",
            "precisely",
            "identical to",
            "=",
            "==",
            "the same as",
            "set to",
            "one of",
            "any of",
            "either",
            "in",
        ],
        Operator::Is,
    ),
    (
        &[
            "exists",
            "exist",
            "provided",
            "given",
            "present",
            "specified",
            "supplied",
            "included",
            "set",
            "there",
        ],
        Operator::Present,
    ),
    (&["missing", "absent", "omitted", "left out", "unset"], Operator::Absent),
];

/// The operator that comes next and whether it is negated. Values that it takes come after it.
pub(crate) fn operator(cursor: &mut Cursor<'_>) -> Option<(bool, Operator)> {
    let begin = *cursor;
    if cursor.take_any(&["!=", "≠", "differs from", "differ from"]).is_some() {
        return Some((true, Operator::Is));
    }
    let mut negated = false;
    let auxiliary = cursor.take_any(AUXILIARY).is_some();
    let copula = !auxiliary && cursor.take_any(COPULA).is_some();
    if auxiliary {
        negated = true;
        let _ = cursor.take_any(&["be", "been"]);
    } else if copula && (cursor.take("not") || cursor.take("never")) {
        negated = true;
    } else if copula && cursor.take_any(&["neither", "different from"]).is_some() {
        return Some((true, Operator::Is));
    } else if !copula && cursor.take("not") {
        negated = true;
    }
    let phrases = COMPARISONS
        .iter()
        .flat_map(|(phrases, operator)| phrases.iter().map(move |phrase| (*phrase, *operator)));
    let seen = phrases.filter(|(phrase, _)| cursor.sees(phrase));
    let found = seen.max_by_key(|(phrase, _)| phrase.split(' ').count());
    match found {
        // "to exceed" a value and the value that "is set".
        Some((phrase, operator)) => {
            cursor.take(phrase);
            if operator == Operator::Is {
                let _ = cursor.take_any(&[
                    "one of",
                    "any of",
                    "either",
                    "exactly",
                    "precisely",
                    "identical to",
                    "to",
                    "the values",
                    "one of the values",
                ]);
            }
            let widened = match operator {
                Operator::Compare(Order::Less) => Some(Order::AtMost),
                Operator::Compare(Order::More) => Some(Order::AtLeast),
                _ => None,
            };
            if let Some(order) = widened
                && cursor.take("or equal to")
            {
                return Some((negated, Operator::Compare(order)));
            }
            Some((negated, operator))
        }
        None if copula => Some((negated, Operator::Is)),
        None => {
            *cursor = begin;
            None
        }
    }
}
