//! Conditions: what is compared, how, with what, and how conditions are joined.
//!
//! `a or b and c` could be read in two ways and is not read at all, unless commas or brackets say which is meant.

use super::arguments::{Argument, Arguments};
use super::claims::Claims;
use super::comparison;
use super::cursor::{Cursor, Understood, shown, written};
use super::intent::Expr;
use super::numbers::number;
use super::operators::{Operator, operator};
use super::times;
use super::values::Joined;
use super::words::TIMES;

/// How deep brackets may nest.
const DEEPEST: usize = 8;
/// How many words an argument is named with at most.
const LONGEST_PHRASE: usize = 8;

/// Reads conditions about a call of certain tools by certain callers.
pub(crate) struct Conditions<'g> {
    pub(crate) arguments: &'g Arguments,
    pub(crate) claims: Claims<'g>,
}

/// What a comparison is about and whether it was in the negative, when it need not be said again ("more than 5 and less than 10").
type Subject<'g> = Option<(&'g Argument, bool)>;

impl<'g> Conditions<'g> {
    /// Conditions with `and` and `or` between them.
    pub(crate) fn expr(&self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        self.joined(cursor, 0)
    }

    fn joined(&self, cursor: &mut Cursor<'_>, depth: usize) -> Understood<Expr> {
        if depth > DEEPEST {
            return cursor.fail("brackets are nested too deep");
        }
        let mut subject = None;
        let _ = cursor.take_any(&["either", "both"]);
        let mut parts = vec![self.operand(cursor, &mut subject, depth)?];
        let mut joints = Vec::new();
        loop {
            let before = *cursor;
            let comma = cursor.take(",");
            let how = match cursor.take_any(&[
                "and",
                "and also",
                "and that",
                "and if",
                "and when",
                "and where",
                "and either",
                "or",
                "or that",
                "or if",
                "or when",
                "or where",
                "but",
                "or else",
                "as well as",
                "&",
            ]) {
                Some(word) if word.starts_with("or") => Some(Joined::Or),
                Some(_) => Some(Joined::And),
                None => None,
            };
            if (how.is_none() && !comma) || !self.begins(*cursor, subject) {
                *cursor = before;
                break;
            }
            joints.push((how, comma));
            parts.push(self.operand(cursor, &mut subject, depth)?);
        }
        match grouped(parts, &joints) {
            Some(expr) => Ok(expr),
            None => cursor.fail(
                "`and` and `or` are mixed, which can be read in two ways; use brackets, as in `(a or b) and c`, or a comma before \
                 the weaker of the two",
            ),
        }
    }

    /// Whether a condition begins here.
    fn begins(&self, cursor: Cursor<'_>, subject: Subject<'g>) -> bool {
        let mut at = cursor;
        cursor.sees("(")
            || cursor.sees("not (")
            || self.claims.condition_begins(cursor)
            || operator(&mut at).is_some_and(|(_, operator)| subject.is_some() && operator != Operator::Is)
            || cursor.sees_any(TIMES) && times::time(&mut { cursor }).is_ok()
            || self.head(&mut { cursor }).is_ok()
    }

    fn operand(&self, cursor: &mut Cursor<'_>, subject: &mut Subject<'g>, depth: usize) -> Understood<Expr> {
        if cursor.sees("(") || cursor.sees("not (") {
            let negated = cursor.take("not");
            cursor.take("(");
            let inner = self.joined(cursor, depth + 1)?;
            if !cursor.take(")") {
                return cursor.fail("a bracket is not closed");
            }
            return Ok(if negated { inner.not() } else { inner });
        }
        if self.claims.condition_begins(*cursor) {
            return self.claims.condition(cursor);
        }
        if let Some(expr) = self.moment(cursor)? {
            return Ok(expr);
        }
        // "more than 10 and less than 100": of the same thing.
        let mut ahead = *cursor;
        if let (Some((argument, before)), Some((negated, operator))) = (*subject, operator(&mut ahead))
            && operator != Operator::Is
        {
            if before && !negated {
                return cursor.fail(format!(
                    "{} may be said of what is not, or of what is; say again what is compared",
                    cursor.said()
                ));
            }
            *cursor = ahead;
            return comparison::read(cursor, argument, negated, operator, |cursor| self.begins(cursor, None));
        }
        let (argument, negated, operator) = match self.head(cursor) {
            Ok(head) => head,
            // A claim without a subject, as in "the scope contains admin:write".
            Err(unknown) if !self.claims.bare_begins(*cursor) => return Err(unknown),
            Err(_) => return self.claims.bare(cursor),
        };
        *subject = Some((argument, negated));
        comparison::read(cursor, argument, negated, operator, |cursor| self.begins(cursor, None))
    }

    /// "the time is between 9 and 17", or a time without a subject.
    fn moment(&self, cursor: &mut Cursor<'_>) -> Understood<Option<Expr>> {
        let mut ahead = *cursor;
        let told = ahead.take_any(&[
            "it is",
            "the time is",
            "the current time is",
            "the time of day is",
            "the hour is",
            "the date is",
            "the current date is",
            "today is",
            "now is",
            "time is",
            "the day is",
            "called",
            "the call is made",
            "the request is made",
            "the call happens",
        ]);
        // An argument may be called so.
        let subject = cursor.slice(cursor.at..ahead.at.saturating_sub(1));
        if told.is_some() && self.arguments.named(subject, |_| true).is_err() {
            let negated = ahead.take("not");
            let expr = match times::time(&mut ahead) {
                Ok(expr) => expr,
                Err(_) if told == Some("it is") => return Ok(None),
                Err(wrong) => return Err(wrong),
            };
            *cursor = ahead;
            return Ok(Some(if negated { expr.not() } else { expr }));
        }
        let mut ahead = *cursor;
        match times::time(&mut ahead) {
            Ok(expr) if cursor.sees_any(TIMES) => {
                *cursor = ahead;
                Ok(Some(expr))
            }
            _ => Ok(None),
        }
    }

    /// An argument and what is said of it, up to its values.
    fn head(&self, cursor: &mut Cursor<'_>) -> Understood<(&'g Argument, bool, Operator)> {
        let begin = *cursor;
        for length in 1..=LONGEST_PHRASE {
            let mut ahead = begin;
            ahead.at = (begin.at + length).min(begin.end);
            let phrase = begin.slice(begin.at..ahead.at);
            if phrase.len() < length
                || phrase.last().is_some_and(|token| {
                    !token.quoted
                        && matches!(
                            token.lower.as_str(),
                            "and" | "or" | "," | "when" | "if" | "unless" | "(" | ")"
                        )
                })
            {
                break;
            }
            let mut told = ahead;
            if let Some((negated, operator)) = operator(&mut told) {
                if let Some(head) = self.boolean(begin, ahead, told, negated) {
                    let (argument, negated, end) = head;
                    cursor.at = end;
                    return Ok((argument, negated, Operator::Holds));
                }
                return match self.arguments.named(phrase, |argument| comparison::fits(argument, operator)) {
                    Ok(argument) => {
                        *cursor = told;
                        Ok((argument, negated, operator))
                    }
                    Err(why) => begin.fail(why),
                };
            }
            // A boolean by itself, as in "when approved".
            let ends = ahead.is_done() || matches!(ahead.word(), Some("and" | "or" | "," | ")" | "unless"));
            let (negated, bare) = match phrase.split_first() {
                Some((first, rest)) if !first.quoted && first.lower == "not" => (true, rest),
                _ => (false, phrase),
            };
            if ends && let Some(argument) = self.arguments.truth(bare) {
                *cursor = ahead;
                return Ok((argument, negated, Operator::Holds));
            }
        }
        let said = begin.said();
        begin.fail(format!("the condition {said} was not understood; say what is compared with what, as in `when the amount is less than 500`"))
    }

    /// "the product is eligible" for an argument `productEligible`.
    fn boolean(
        &self,
        begin: Cursor<'_>,
        subject: Cursor<'_>,
        told: Cursor<'_>,
        negated: bool,
    ) -> Option<(&'g Argument, bool, usize)> {
        for length in (1..=3).rev() {
            let end = told.at + length;
            if end > told.end {
                continue;
            }
            let words = [begin.slice(begin.at..subject.at), told.slice(told.at..end)].concat();
            if let Some(argument) = self.arguments.truth(&words) {
                return Some((argument, negated, end));
            }
        }
        None
    }

    /// A condition in the place of an adverb: "with an amount under 500", "with a reason", "for amounts less than 500".
    pub(crate) fn adverb(&self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let begin = *cursor;
        let mut ahead = begin;
        if let Ok(expr) = self.expr(&mut ahead) {
            *cursor = ahead;
            return Ok(expr);
        }
        // "with an amount of 5" and "with a reason".
        let mut end = begin.at;
        while begin.slice(end..begin.end).first().is_some_and(|token| {
            token.quoted
                || !matches!(
                    token.lower.as_str(),
                    "and"
                        | "or"
                        | ","
                        | "when"
                        | "if"
                        | "unless"
                        | "of"
                        | "only"
                        | "by"
                        | "for"
                        | "before"
                        | "after"
                        | "between"
                )
        }) && end - begin.at < LONGEST_PHRASE
        {
            end += 1;
        }
        let phrase = begin.slice(begin.at..end);
        match self.arguments.named(phrase, |_| true) {
            Ok(argument) => {
                cursor.at = end;
                if cursor.take("of") {
                    let operator = operator(cursor).unwrap_or((false, Operator::Is));
                    return comparison::read(cursor, argument, operator.0, operator.1, |cursor| {
                        self.begins(cursor, None)
                    });
                }
                Ok(Expr::Present(argument.path.clone()))
            }
            Err(why) => begin.fail(if phrase.is_empty() {
                format!("{} was not understood", begin.said())
            } else {
                format!("{why} (in {})", shown(&written(phrase)))
            }),
        }
    }

    /// What is counted behind a number, and where that ends: "at most 3 attachments".
    fn counted(&self, cursor: Cursor<'_>, operator: Operator) -> Option<(&'g Argument, usize)> {
        let mut behind = cursor;
        number(&mut behind)?;
        if operator == Operator::Between {
            behind.take("and").then_some(())?;
            number(&mut behind)?;
        }
        (1..=3).rev().find_map(|length| {
            let end = behind.at + length;
            let phrase = behind.slice(behind.at..end.min(behind.end));
            let named = self.arguments.named(phrase, Argument::is_number).ok()?;
            (phrase.len() == length).then_some((named, end))
        })
    }

    /// A comparison with the only number that the tools take: "over 500".
    pub(crate) fn amount(&self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let begin = *cursor;
        let _ = cursor.take_any(&["of", "worth", "for"]);
        match operator(cursor) {
            Some((negated, operator @ (Operator::Compare(_) | Operator::Between))) => {
                let counted = self.counted(*cursor, operator);
                let argument = match counted
                    .map_or_else(|| self.arguments.only_number(), |(argument, _)| Ok(argument))
                {
                    Ok(argument) => argument,
                    Err(why) => return begin.fail(why),
                };
                let expr = comparison::read(cursor, argument, negated, operator, |cursor| {
                    self.begins(cursor, None)
                })?;
                if let Some((_, end)) = counted {
                    cursor.at = end;
                }
                Ok(expr)
            }
            _ => begin.fail(format!("{} was not understood", begin.said())),
        }
    }
}

/// Joins conditions as commas, `and` and `or` say; `None` when that can be read in two ways.
pub(crate) fn grouped(parts: Vec<Expr>, joints: &[(Option<Joined>, bool)]) -> Option<Expr> {
    // A comma without a word is what the next word is.
    let mut words: Vec<(Joined, bool)> = Vec::new();
    let mut next = None;
    for (how, comma) in joints.iter().rev() {
        let how = (*how).or(next).unwrap_or(Joined::And);
        next = Some(how);
        words.push((how, *comma));
    }
    words.reverse();
    let uniform =
        |words: &[(Joined, bool)]| words.windows(2).all(|pair| matches!(pair, [a, b] if a.0 == b.0));
    let join = |how: Joined, parts: Vec<Expr>| match how {
        Joined::And => Expr::all(parts),
        Joined::Or => Some(Expr::any(parts)),
    };
    let first = words.first().map_or(Joined::And, |word| word.0);
    if uniform(&words) {
        return join(first, parts);
    }
    let weak: Vec<_> = words.iter().filter(|word| word.1).copied().collect();
    if weak.is_empty() || !uniform(&weak) {
        return None;
    }
    let outer = weak.first().map_or(Joined::And, |word| word.0);
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let mut inner: Vec<(Joined, bool)> = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        group.push(part);
        match words.get(index) {
            Some(word) if !word.1 => inner.push(*word),
            _ => {
                if !uniform(&inner) {
                    return None;
                }
                let how = inner.first().map_or(Joined::And, |word| word.0);
                groups.push(join(how, std::mem::take(&mut group))?);
                inner.clear();
            }
        }
    }
    join(outer, groups)
}
