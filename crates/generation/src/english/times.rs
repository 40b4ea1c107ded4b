//! Dates and times of day, in UTC.
//!
//! Cedar can compare moments and times of day. It cannot tell days of the week, months or holidays, and what "business hours" are is
//! nowhere written, so these are not understood.

use super::cursor::{Cursor, Understood, shown};
use super::intent::{Expr, Order, Time};

/// A span of time or a moment that one is before or after.
pub(crate) fn time(cursor: &mut Cursor<'_>) -> Understood<Expr> {
    let begin = *cursor;
    let _ = cursor.take("only");
    let negated = cursor.take("not");
    if cursor.sees_any(&[
        "on weekdays",
        "on weekends",
        "on mondays",
        "weekdays",
        "during business hours",
        "during working hours",
        "during office hours",
        "outside business hours",
        "outside of business hours",
        "on holidays",
    ]) {
        let said = cursor.said();
        return cursor.fail(format!(
            "{said}: a policy can compare dates and times of day, and knows neither days of the week nor hours of business; say \
             `between 9:00 and 17:00` or `before 2030-01-01`"
        ));
    }
    let _ = cursor.take_any(&["during the hours", "in the hours"]);
    let outside = cursor.take_any(&["outside of", "outside"]).is_some();
    let expr = if cursor.take_any(&["between", "from", "during", "starting from", "starting"]).is_some()
        || outside
    {
        span(cursor)?
    } else if cursor.take_any(&["before", "earlier than"]).is_some() {
        at(cursor, Order::Less, false)?
    } else if cursor.take_any(&["until", "till", "through", "up to"]).is_some() {
        at(cursor, Order::AtMost, true)?
    } else if cursor.take_any(&["after", "later than"]).is_some() {
        at(cursor, Order::More, true)?
    } else if cursor.take_any(&["since", "as of", "starting on", "from"]).is_some() {
        at(cursor, Order::AtLeast, false)?
    } else if cursor.take("on") {
        let day = date(cursor)?;
        Expr::All(vec![
            Expr::Time(Time::Date(Order::AtLeast, day.clone())),
            Expr::Time(Time::DateEnd(Order::Less, day)),
        ])
    } else {
        return begin.fail("no time is said here");
    };
    let _ = cursor.take_any(&[
        "utc",
        "gmt",
        "in utc",
        "every day",
        "each day",
        "daily",
        "utc every day",
        "utc each day",
        "utc daily",
    ]);
    Ok(if negated || outside { expr.not() } else { expr })
}

fn span(cursor: &mut Cursor<'_>) -> Understood<Expr> {
    let before = *cursor;
    if let Ok(day) = date(cursor) {
        if !cursor.sees_any(&["and", "to", "until", "through", "till"]) {
            return Ok(Expr::Time(Time::Date(Order::AtLeast, day)));
        }
        let _ = cursor.take_any(&["and", "to", "until", "through", "till"]);
        let last = date(cursor)?;
        if last < day {
            return cursor.fail("the span ends before it begins");
        }
        return Ok(Expr::All(vec![
            Expr::Time(Time::Date(Order::AtLeast, day)),
            Expr::Time(Time::DateEnd(Order::Less, last)),
        ]));
    }
    *cursor = before;
    let _ = cursor.take("the hours of");
    let written = *cursor;
    let first = clock(cursor)?;
    if cursor.take_any(&["and", "to", "until", "till", "through", "-"]).is_none() {
        return cursor.fail("the end of the span is missing");
    }
    let end = *cursor;
    let last = clock(cursor)?;
    if last < first && (is_bare(&written) || is_bare(&end)) {
        return written
            .fail("the span ends before it begins; write the hours as in 9:00 and 17:00, or with am and pm");
    }
    let begins = Expr::Time(Time::Daily(Order::AtLeast, first));
    let ends = Expr::Time(Time::Daily(Order::AtMost, last));
    // A span over midnight is two.
    Ok(if first <= last { Expr::All(vec![begins, ends]) } else { Expr::Any(vec![begins, ends]) })
}

/// Whether an hour is a number alone, of which nobody can say whether it is before or after noon.
fn is_bare(cursor: &Cursor<'_>) -> bool {
    let mut cursor = *cursor;
    let digits = |token: &super::tokens::Token| token.text.bytes().all(|byte| byte.is_ascii_digit());
    cursor.next().is_some_and(digits) && !cursor.sees_any(&["am", "pm", "a.m", "p.m"])
}

/// A side of a moment; `whole_day` is whether a date stands for its end.
fn at(cursor: &mut Cursor<'_>, order: Order, whole_day: bool) -> Understood<Expr> {
    let before = *cursor;
    match date(cursor) {
        Ok(day) if whole_day => {
            let order = if order == Order::More { Order::AtLeast } else { Order::Less };
            Ok(Expr::Time(Time::DateEnd(order, day)))
        }
        Ok(day) => Ok(Expr::Time(Time::Date(order, day))),
        Err(_) => {
            *cursor = before;
            Ok(Expr::Time(Time::Daily(order, clock(cursor)?)))
        }
    }
}

/// `2027-01-31`.
fn date(cursor: &mut Cursor<'_>) -> Understood<String> {
    let _ = cursor.take("the");
    let Some(token) = cursor.peek() else {
        return cursor.fail("a date such as 2027-01-31 is missing");
    };
    let parts: Vec<Option<u32>> = token
        .text
        .split('-')
        .map(|part| if part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse().ok() } else { None })
        .collect();
    match parts.as_slice() {
        [Some(year), Some(month), Some(day)]
            if token.text.len() == 10
                && *year >= 1970
                && (1..=12).contains(month)
                && (1..=days(*year, *month)).contains(day) =>
        {
            cursor.next();
            Ok(token.text.clone())
        }
        _ => cursor.fail(format!("{} is no date; write it as in 2027-01-31", shown(&token.text))),
    }
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `9`, `9am`, `5 pm`, `17:30`, `noon`: minutes after midnight.
fn clock(cursor: &mut Cursor<'_>) -> Understood<u32> {
    let begin = *cursor;
    let Some(token) = cursor.next() else {
        return cursor.fail("a time of day such as 17:00 is missing");
    };
    let wrong = || begin.fail(format!("{} is no time of day; write it as in 17:00", shown(&token.text)));
    match token.lower.as_str() {
        "noon" => return Ok(12 * 60),
        "midnight" => return Ok(0),
        _ => {}
    }
    let (text, half) = match (token.lower.strip_suffix("am"), token.lower.strip_suffix("pm")) {
        (Some(text), _) => (text, Some(0)),
        (_, Some(text)) => (text, Some(12)),
        _ => (token.lower.as_str(), None),
    };
    let text = text.strip_suffix('h').unwrap_or(text);
    let half = half.or_else(|| match cursor.take_any(&["am", "pm", "a.m", "p.m", "o'clock", "hours", "h"]) {
        Some("am" | "a.m") => Some(0),
        Some("pm" | "p.m") => Some(12),
        _ => None,
    });
    let (hours, minutes) = text.split_once(':').unwrap_or((text, "00"));
    let digits =
        |text: &str| !text.is_empty() && text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) || minutes.len() != 2 {
        return wrong();
    }
    match (hours.parse::<u32>(), minutes.parse::<u32>(), half) {
        (Ok(hours @ 0..=23), Ok(minutes @ 0..=59), None) => Ok(hours * 60 + minutes),
        (Ok(hours @ 1..=12), Ok(minutes @ 0..=59), Some(half)) => Ok((hours % 12 + half) * 60 + minutes),
        _ => wrong(),
    }
}
