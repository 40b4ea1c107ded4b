//! A comparison of an argument: what may be said of which type, and what it is compared with.

use policy::ArgumentKind;

use super::arguments::Argument;
use super::contradiction;
use super::cursor::{Cursor, Understood, shown};
use super::intent::{Expr, Order, Test};
use super::numbers::{Number, number};
use super::operators::Operator;
use super::values::{Joined, value, values};

/// "Does not contain a and b" is said of what contains neither, and of what does not contain both.
pub(crate) const NEITHER_OR_NOT_BOTH: &str =
    "`not` with `and` can be read in two ways; say `do not contain a or b` or `do not contain both a and b`";

/// Whether an operator can be said of an argument.
pub(crate) fn fits(argument: &Argument, operator: Operator) -> bool {
    let is_text = argument.kind == ArgumentKind::Text;
    let is_set = matches!(argument.kind, ArgumentKind::Texts | ArgumentKind::Wholes | ArgumentKind::Set);
    match operator {
        Operator::Compare(_) | Operator::Between => argument.is_number(),
        Operator::StartsWith | Operator::EndsWith => is_text,
        Operator::Contains => is_text || argument.kind == ArgumentKind::Texts,
        Operator::ContainsAll | Operator::ContainsAny => argument.kind == ArgumentKind::Texts || is_text,
        Operator::Is => !is_set && argument.kind != ArgumentKind::Record,
        Operator::Present | Operator::Absent => true,
        Operator::Holds => argument.kind == ArgumentKind::Truth,
    }
}

/// Reads what the argument is compared with.
pub(crate) fn read(
    cursor: &mut Cursor<'_>,
    argument: &Argument,
    negated: bool,
    operator: Operator,
    begins_other: impl Fn(Cursor<'_>) -> bool,
) -> Understood<Expr> {
    if !fits(argument, operator) {
        return cursor.fail(format!("this cannot be said of the argument `{}`", argument.name()));
    }
    let begin = *cursor;
    let test = |test: Test| Expr::Argument(argument.path.clone(), test);
    let expr = match operator {
        Operator::Present => Expr::Present(argument.path.clone()),
        Operator::Absent => Expr::Present(argument.path.clone()).not(),
        Operator::Holds => test(Test::True),
        Operator::Compare(order) => compare(cursor, argument, order)?,
        Operator::Between => {
            let low = compare(cursor, argument, Order::AtLeast)?;
            if cursor.take_any(&["and", "to"]).is_none() {
                return cursor.fail("the upper end of the range is missing");
            }
            let high = compare(cursor, argument, Order::AtMost)?;
            let _ = cursor.take("inclusive");
            let range = Expr::All(vec![low, high]);
            if contradiction::is_never(&range) {
                return begin.fail("the range ends before it begins; say the smaller number first");
            }
            range
        }
        Operator::Is if argument.is_number() => number_is(cursor, argument, begins_other)?,
        Operator::Is if argument.kind == ArgumentKind::Truth => {
            let truth = match cursor.take_any(&[
                "true",
                "yes",
                "enabled",
                "on",
                "requested",
                "false",
                "no",
                "disabled",
                "off",
            ]) {
                Some("true" | "yes" | "enabled" | "on" | "requested") => true,
                Some(_) => false,
                None => return cursor.fail(format!("`{}` is `true` or `false`", argument.name())),
            };
            test(Test::True).negated(!truth)
        }
        Operator::Is => {
            let (all, joined) = values(cursor, |cursor| value(cursor, &argument.values), begins_other)?;
            if joined == Joined::And {
                return cursor.fail(format!(
                    "`{}` has one value; say `or` between the possible ones",
                    argument.name()
                ));
            }
            test(Test::Is(all))
        }
        Operator::StartsWith | Operator::EndsWith => {
            let (all, joined) = values(cursor, |cursor| value(cursor, &[]), begins_other)?;
            if joined == Joined::And {
                return cursor.fail("a text begins and ends in one way; say `or` between the possible ones");
            }
            let one = |value| {
                if operator == Operator::StartsWith { Test::StartsWith(value) } else { Test::EndsWith(value) }
            };
            Expr::any(all.into_iter().map(|value| test(one(value))).collect())
        }
        Operator::Contains | Operator::ContainsAll | Operator::ContainsAny => {
            let allowed: &[String] =
                if argument.kind == ArgumentKind::Texts { &argument.values } else { &[] };
            let (all, joined) = values(cursor, |cursor| value(cursor, allowed), begins_other)?;
            let every = operator == Operator::ContainsAll
                || (operator == Operator::Contains && joined == Joined::And);
            if negated && every && operator == Operator::Contains {
                return begin.fail(NEITHER_OR_NOT_BOTH);
            }
            match (argument.kind == ArgumentKind::Texts, every) {
                (true, true) => test(Test::HasAll(all)),
                (true, false) => test(Test::HasAny(all)),
                (false, _) => {
                    let parts: Vec<Expr> = all.into_iter().map(|value| test(Test::Contains(value))).collect();
                    if every {
                        Expr::all(parts).unwrap_or_else(|| Expr::Any(Vec::new()))
                    } else {
                        Expr::any(parts)
                    }
                }
            }
        }
    };
    Ok(expr.negated(negated))
}

fn compare(cursor: &mut Cursor<'_>, argument: &Argument, order: Order) -> Understood<Expr> {
    let number = a_number(cursor, argument)?;
    Ok(Expr::Argument(argument.path.clone(), ordered(cursor, argument, order, number)?))
}

fn a_number(cursor: &mut Cursor<'_>, argument: &Argument) -> Understood<Number> {
    let begin = *cursor;
    match (number(cursor), &argument.no_dollars) {
        (Some(number), Some(why)) if number.dollars => begin.fail(why.clone()),
        (Some(number), _) => Ok(number),
        (None, _) => begin.fail(match begin.peek() {
            Some(token) => format!(
                "{} is no number that can be compared exactly; write it as in `1,000` or `99.5`",
                shown(&token.text)
            ),
            None => "a number is missing at the end".to_owned(),
        }),
    }
}

fn ordered(cursor: &Cursor<'_>, argument: &Argument, order: Order, number: Number) -> Understood<Test> {
    let test = match argument.kind {
        ArgumentKind::Whole => number.whole().map(|number| Test::Whole(order, number)),
        _ => number.decimal().map(|number| Test::Decimal(order, number)),
    };
    match test {
        Some(test) => Ok(test),
        None if argument.kind == ArgumentKind::Whole => {
            cursor.fail(format!("`{}` is a whole number and can only be compared with one", argument.name()))
        }
        None => cursor.fail(format!("the number is too large for `{}`", argument.name())),
    }
}

/// "is 5", "is 5 or 6", "is 500 or less".
fn number_is(
    cursor: &mut Cursor<'_>,
    argument: &Argument,
    begins_other: impl Fn(Cursor<'_>) -> bool,
) -> Understood<Expr> {
    let begin = *cursor;
    let first = a_number(cursor, argument)?;
    let order = match cursor.take_any(&[
        "or less",
        "or below",
        "or under",
        "or lower",
        "or fewer",
        "or smaller",
        "at most",
        "or more",
        "or above",
        "or over",
        "or higher",
        "or greater",
        "at least",
    ]) {
        Some("or more" | "or above" | "or over" | "or higher" | "or greater" | "at least") => {
            Some(Order::AtLeast)
        }
        Some(_) => Some(Order::AtMost),
        None => None,
    };
    if let Some(order) = order {
        return Ok(Expr::Argument(argument.path.clone(), ordered(cursor, argument, order, first)?));
    }
    *cursor = begin;
    let (all, joined) = values(cursor, |cursor| a_number(cursor, argument), begins_other)?;
    if joined == Joined::And {
        return cursor
            .fail(format!("`{}` has one value; say `or` between the possible ones", argument.name()));
    }
    let test = if argument.kind == ArgumentKind::Whole {
        all.iter().map(|number| number.whole()).collect::<Option<Vec<_>>>().map(Test::IsWhole)
    } else {
        all.iter().map(|number| number.decimal()).collect::<Option<Vec<_>>>().map(Test::IsDecimal)
    };
    match test {
        Some(test) => Ok(Expr::Argument(argument.path.clone(), test)),
        None => cursor.fail(format!("`{}` cannot have this value", argument.name())),
    }
}
