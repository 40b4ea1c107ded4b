//! What is said behind who and what: conditions, exceptions, amounts, times, the gateway.

use super::arguments::Arguments;
use super::claims::Claims;
use super::conditions::Conditions;
use super::cursor::{Cursor, Misunderstood, Understood, shown};
use super::intent::Expr;
use super::operators::{Operator, operator};
use super::times;
use super::who::Who;
use super::words::{EXCEPT, IN_THE_TOKEN, TIMES, UNLESS, WHEN};

/// Says nothing.
const NOISE: &[&str] = &[
    "at all",
    "ever",
    "at any time",
    "under any circumstances",
    "in any case",
    "always",
    "no matter what",
    "under all circumstances",
    "whatsoever",
    "at all times",
    "on this gateway",
    "on the gateway",
    "for this gateway",
    "for the gateway",
    "in this gateway",
    "of this gateway",
    "of the gateway",
    "through this gateway",
    "through the gateway",
    "via the gateway",
    "please",
    "successfully",
    "per call",
    "per request",
    "in a call",
    "in a single call",
    "in a request",
];

/// Reads what comes behind the tools.
pub(crate) struct Tails<'g> {
    conditions: Conditions<'g>,
    gateway: &'g str,
}

/// What was said.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) conditions: Vec<Expr>,
    /// The callers, when they are named behind the tools.
    pub(crate) who: Option<Who>,
    pub(crate) only: bool,
}

impl<'g> Tails<'g> {
    pub(crate) fn new(arguments: &'g Arguments, claims: Claims<'g>, gateway: &'g str) -> Self {
        Self { conditions: Conditions { arguments, claims }, gateway }
    }

    pub(crate) fn claims(&self) -> Claims<'g> {
        self.conditions.claims
    }

    /// Reads as long as something is understood.
    pub(crate) fn read(&self, cursor: &mut Cursor<'_>, said: &mut Said) -> Understood<()> {
        while !cursor.is_done() {
            let before = *cursor;
            let _ = cursor.take(",");
            let _ = cursor.take_any(&["and", "but"]).filter(|_| {
                cursor.sees_any(WHEN)
                    || cursor.sees_any(UNLESS)
                    || cursor.sees_any(TIMES)
                    || cursor.sees("only")
            });
            if !self.one(cursor, said)? {
                *cursor = before;
                break;
            }
        }
        Ok(())
    }

    /// A condition in front of the sentence, which has to be one from end to end.
    pub(crate) fn lead(&self, cursor: &mut Cursor<'_>, said: &mut Said) -> Understood<()> {
        self.read(cursor, said)?;
        if cursor.is_done() { Ok(()) } else { self.stuck(cursor) }
    }

    pub(crate) fn stuck<T>(&self, cursor: &Cursor<'_>) -> Understood<T> {
        cursor.fail(format!("{} was not understood", cursor.said()))
    }

    fn one(&self, cursor: &mut Cursor<'_>, said: &mut Said) -> Understood<bool> {
        if cursor.take_any(NOISE).is_some() || cursor.take_any(IN_THE_TOKEN).is_some() {
            return Ok(true);
        }
        if self.names_the_gateway(cursor)? {
            return Ok(true);
        }
        if let Some(expr) = self.exception(cursor)? {
            said.conditions.push(expr);
            return Ok(true);
        }
        if let Some(word) = cursor.take_any(WHEN) {
            said.only |= word.contains("only");
            said.conditions.push(self.conditions.expr(cursor)?);
            return Ok(true);
        }
        if said.who.is_none() && self.callers(cursor, said)? {
            return Ok(true);
        }
        if cursor.sees_any(TIMES)
            && let Some(expr) = self.time(cursor)?
        {
            said.conditions.push(expr);
            return Ok(true);
        }
        if let Some(expr) = self.adverb(cursor)? {
            said.conditions.push(expr);
            return Ok(true);
        }
        Ok(false)
    }

    fn exception(&self, cursor: &mut Cursor<'_>) -> Understood<Option<Expr>> {
        if cursor.take_any(UNLESS).is_some() {
            return Ok(Some(self.conditions.expr(cursor)?.not()));
        }
        let mut ahead = *cursor;
        if ahead.take_any(EXCEPT).is_some() {
            let _ = ahead.take_any(&["for", "by", "to"]);
            let expr = if ahead.sees_any(TIMES) {
                times::time(&mut ahead)?
            } else if ahead.take("with") {
                self.conditions.adverb(&mut ahead)?
            } else {
                self.claims().exception(&mut ahead)?
            };
            *cursor = ahead;
            return Ok(Some(expr.not()));
        }
        Ok(None)
    }

    /// "for users with the role X", "by members of the group Y".
    fn callers(&self, cursor: &mut Cursor<'_>, said: &mut Said) -> Understood<bool> {
        let mut ahead = *cursor;
        let only = ahead.take("only");
        if ahead.take_any(&["for", "by", "to", "from", "only for", "only by", "only to"]).is_none() {
            return Ok(false);
        }
        match self.claims().who(&mut ahead) {
            Ok(who) => {
                said.only |= only;
                said.who = Some(who);
                *cursor = ahead;
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    /// A time, unless the same words compare an amount ("between 5 and 10 dollars" is no time).
    fn time(&self, cursor: &mut Cursor<'_>) -> Understood<Option<Expr>> {
        let mut ahead = *cursor;
        match times::time(&mut ahead) {
            Ok(expr) => {
                if cursor.sees("between") && ahead.sees_any(&["dollars", "usd", "dollar"]) {
                    return Ok(None);
                }
                *cursor = ahead;
                Ok(Some(expr))
            }
            Err(wrong)
                if cursor.sees_any(&[
                    "before",
                    "after",
                    "until",
                    "since",
                    "during",
                    "outside",
                    "on weekdays",
                    "on weekends",
                    "on mondays",
                    "on holidays",
                ]) =>
            {
                Err(wrong)
            }
            Err(_) => Ok(None),
        }
    }

    fn adverb(&self, cursor: &mut Cursor<'_>) -> Understood<Option<Expr>> {
        let mut ahead = *cursor;
        let without = ahead.take("without");
        let with =
            without || ahead.take_any(&["with", "having", "for", "of", "worth", "on", "in", "to"]).is_some();
        if with {
            // "of at most 500".
            let mut amount = ahead;
            if operator(&mut { ahead }).is_some()
                && let Ok(expr) = self.conditions.amount(&mut amount)
            {
                *cursor = amount;
                return Ok(Some(expr));
            }
            let expr = self.conditions.adverb(&mut ahead)?;
            *cursor = ahead;
            return Ok(Some(if without { expr.not() } else { expr }));
        }
        // "over 500"; what "is" something is a sentence's end.
        if matches!(operator(&mut { ahead }), Some((_, Operator::Compare(_) | Operator::Between))) {
            let expr = self.conditions.amount(cursor)?;
            return Ok(Some(expr));
        }
        Ok(None)
    }

    /// "for gateway arn:…": it has to be this one.
    fn names_the_gateway(&self, cursor: &mut Cursor<'_>) -> Understood<bool> {
        let mut ahead = *cursor;
        if ahead.take_any(&["for", "on", "of", "in", "through", "via", "at"]).is_none() {
            return Ok(false);
        }
        ahead.skip_article();
        if ahead.take_any(&["gateway", "agentcore gateway"]).is_none() {
            return Ok(false);
        }
        let _ = ahead.take_any(&["with arn", "with the arn", "arn", "named", "with id", "id"]);
        match ahead.next() {
            Some(token) if self.is_this_gateway(&token.text) => {
                *cursor = ahead;
                Ok(true)
            }
            Some(token) => {
                let why = format!(
                    "{} is another gateway than `{}`, which the policy is for",
                    shown(&token.text),
                    self.gateway
                );
                Err(Misunderstood { reached: ahead.at, why })
            }
            None => Ok(false),
        }
    }

    fn is_this_gateway(&self, name: &str) -> bool {
        name == self.gateway || self.gateway.rsplit_once('/').is_some_and(|(_, id)| id == name)
    }
}
