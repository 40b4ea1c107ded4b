//! Conditions that no request fulfils, such as an amount over 500 and under 100.
//!
//! The condition is taken apart into alternatives, each of which is a list of tests. One test of a thing rules another out when no
//! value passes both; an alternative that holds such a pair is none, and a condition without any alternative is never true. What is too
//! large to be taken apart counts as true of something.

use super::intent::{Expr, Order, Test, Time};

/// The most alternatives that are looked at.
const MOST: usize = 256;

type Alternative<'e> = Vec<(bool, &'e Expr)>;

/// Whether nothing can fulfil the condition.
pub(crate) fn is_never(expr: &Expr) -> bool {
    alternatives(expr, true).is_some_and(|all| all.iter().all(|one| is_contradicted(one)))
}

/// The alternatives of a condition, or of its opposite; `None` when they are too many.
fn alternatives(expr: &Expr, holds: bool) -> Option<Vec<Alternative<'_>>> {
    match (expr, holds) {
        (Expr::Not(inner), _) | (Expr::IsNot(inner), true) => alternatives(inner, !holds),
        // What is absent may count as either.
        (Expr::IsNot(_), false) => None,
        (Expr::All(parts), true) | (Expr::Any(parts), false) => {
            let mut all = vec![Vec::new()];
            for part in parts {
                let its = alternatives(part, holds)?;
                if all.len() * its.len() > MOST {
                    return None;
                }
                let mut joined = Vec::with_capacity(all.len() * its.len());
                for one in &all {
                    joined.extend(its.iter().map(|other| [one.as_slice(), other].concat()));
                }
                all = joined;
            }
            Some(all)
        }
        (Expr::Any(parts), true) | (Expr::All(parts), false) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(alternatives(part, holds)?);
            }
            (all.len() <= MOST).then_some(all)
        }
        (one, _) => Some(vec![vec![(holds, one)]]),
    }
}

fn is_contradicted(tests: &Alternative<'_>) -> bool {
    tests.iter().enumerate().any(|(at, one)| tests.iter().skip(at + 1).any(|other| excludes(*one, *other)))
}

/// Whether nothing passes both tests.
fn excludes((holds, one): (bool, &Expr), (other_holds, other): (bool, &Expr)) -> bool {
    match (holds, other_holds) {
        (true, true) => match (one, other) {
            (Expr::Argument(path, test), Expr::Argument(other_path, other_test)) => {
                path == other_path && tests_exclude(test, other_test)
            }
            (Expr::Claim(claim, test), Expr::Claim(other_claim, other_test)) => {
                claim == other_claim && tests_exclude(test, other_test)
            }
            (Expr::Subject(one), Expr::Subject(other)) => one != other,
            (Expr::Arn(one), Expr::Arn(other)) => arns_exclude(one, other),
            (Expr::Time(one), Expr::Time(other)) => times_exclude(one, other),
            _ => false,
        },
        (true, false) => follows(one, other),
        (false, true) => follows(other, one),
        (false, false) => false,
    }
}

/// Whether what passes the one passes the other too.
fn follows(one: &Expr, other: &Expr) -> bool {
    if one == other {
        return true;
    }
    match (one, other) {
        (Expr::Argument(path, _), Expr::Present(other)) => path == other,
        (Expr::Claim(claim, _) | Expr::Listed(claim, _), Expr::HasClaim(other)) => claim == other,
        (Expr::Scope(_), Expr::HasClaim(other)) => other == "scope",
        (Expr::Argument(path, test), Expr::Argument(other, wider)) => path == other && implies(test, wider),
        (Expr::Claim(claim, test), Expr::Claim(other, wider)) => claim == other && implies(test, wider),
        _ => false,
    }
}

fn implies(test: &Test, wider: &Test) -> bool {
    match (test, wider) {
        (Test::Is(values), wider) => values.iter().all(|value| passes(value, wider).unwrap_or(false)),
        (one, other) => match (range(one), range(other)) {
            (Some(one), Some(other)) => one.0 >= other.0 && one.1 <= other.1,
            _ => false,
        },
    }
}

fn tests_exclude(one: &Test, other: &Test) -> bool {
    match (one, other) {
        (Test::Is(values), test) | (test, Test::Is(values)) => {
            values.iter().all(|value| passes(value, test) == Some(false))
        }
        (Test::StartsWith(one), Test::StartsWith(other)) => {
            !(one.starts_with(other) || other.starts_with(one))
        }
        (Test::EndsWith(one), Test::EndsWith(other)) => !(one.ends_with(other) || other.ends_with(one)),
        (Test::IsWhole(values), test) | (test, Test::IsWhole(values)) => {
            let within = |value: &i64| match (range(test), test) {
                (_, Test::IsWhole(others)) => others.contains(value),
                (Some((low, high)), _) => (low..=high).contains(&(i128::from(*value) * UNIT)),
                _ => true,
            };
            !values.iter().any(within)
        }
        (Test::IsDecimal(values), test) | (test, Test::IsDecimal(values)) => {
            let within = |value: &String| match (range(test), test) {
                (_, Test::IsDecimal(others)) => others.contains(value),
                (Some((low, high)), _) => parts(value).is_none_or(|value| (low..=high).contains(&value)),
                _ => true,
            };
            !values.iter().any(within)
        }
        (one, other) => match (range(one), range(other)) {
            (Some(one), Some(other)) => one.0.max(other.0) > one.1.min(other.1),
            _ => false,
        },
    }
}

fn passes(value: &str, test: &Test) -> Option<bool> {
    Some(match test {
        Test::Is(values) => values.iter().any(|one| one == value),
        Test::StartsWith(text) => value.starts_with(text),
        Test::EndsWith(text) => value.ends_with(text),
        Test::Contains(text) => value.contains(text),
        _ => return None,
    })
}

/// Ten-thousandths of one, in which all numbers are whole.
const UNIT: i128 = 10_000;

/// The smallest and the largest number that passes, in ten-thousandths.
fn range(test: &Test) -> Option<(i128, i128)> {
    let (order, value, step) = match test {
        Test::Whole(order, value) => (*order, i128::from(*value) * UNIT, UNIT),
        Test::Decimal(order, value) => (*order, parts(value)?, 1),
        _ => return None,
    };
    Some(span(order, value, step))
}

fn span(order: Order, value: i128, step: i128) -> (i128, i128) {
    match order {
        Order::Less => (i128::MIN, value - step),
        Order::AtMost => (i128::MIN, value),
        Order::More => (value + step, i128::MAX),
        Order::AtLeast => (value, i128::MAX),
    }
}

/// The text of a `decimal` in ten-thousandths.
fn parts(text: &str) -> Option<i128> {
    let (units, places) = text.split_once('.')?;
    format!("{units}{places:0<4}").parse().ok()
}

fn times_exclude(one: &Time, other: &Time) -> bool {
    let daily = |time: &Time| match time {
        Time::Daily(order, minutes) => Some(span(*order, i128::from(*minutes) * 2, 1)),
        Time::Date(..) | Time::DateEnd(..) => None,
    };
    // A day begins where it is named, and ends after everything that begins on it.
    let date = |time: &Time| match time {
        Time::Date(order, day) => Some((*order, (day.clone(), false))),
        Time::DateEnd(order, day) => Some((*order, (day.clone(), true))),
        Time::Daily(..) => None,
    };
    if let (Some(one), Some(other)) = (daily(one), daily(other)) {
        return one.0.max(other.0) > one.1.min(other.1);
    }
    let (Some((one, at)), Some((other, other_at))) = (date(one), date(other)) else { return false };
    let is_upper = |order| matches!(order, Order::Less | Order::AtMost);
    let touches = one != Order::Less && one != Order::More && other != Order::Less && other != Order::More;
    match (is_upper(one), is_upper(other)) {
        (true, false) => at < other_at || (at == other_at && !touches),
        (false, true) => other_at < at || (at == other_at && !touches),
        _ => false,
    }
}

fn arns_exclude(one: &[String], other: &[String]) -> bool {
    match (one, other) {
        ([one], [other]) => one != other,
        ([whole], [prefix, _]) | ([prefix, _], [whole]) => !whole.starts_with(prefix.as_str()),
        ([one, _], [other, _]) => !(one.starts_with(other.as_str()) || other.starts_with(one.as_str())),
        _ => false,
    }
}
