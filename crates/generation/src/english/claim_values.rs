//! The values of claims: what a role, a scope or a group is compared with, and how it is asked.

use super::claims::{BOTH, Claims};
use super::comparison::NEITHER_OR_NOT_BOTH;
use super::cursor::{Cursor, Understood, shown};
use super::intent::{Expr, Test};
use super::operators::{Operator, operator};
use super::tokens::Token;
use super::values::{Joined, value, values};
use super::words::{VAGUE, known_claim};

/// Claims that are lists: one of them contains a name when it is an element.
const LISTS: [&str; 5] = ["groups", "cognito:groups", "roles", "permissions", "scp"];

impl Claims<'_> {
    /// A relation to values, behind the name of a claim.
    pub(super) fn said_of(self, cursor: &mut Cursor<'_>, claim: &str, exactly: bool) -> Understood<Expr> {
        let begin = *cursor;
        let told = match operator(cursor) {
            None if cursor.take_any(&["of", "named", "called"]).is_some() => Some((false, Operator::Is)),
            told => told,
        };
        if exactly && told.is_none() {
            // "users with the claim X" have it, whatever it is.
            self.must_have_tokens(cursor)?;
            return Ok(Expr::HasClaim(claim.to_owned()));
        }
        let (negated, operator) = told.unwrap_or((false, Operator::Is));
        let expr = match operator {
            Operator::Present => Expr::HasClaim(claim.to_owned()),
            Operator::Absent => Expr::HasClaim(claim.to_owned()).not(),
            Operator::Is => {
                let (names, joined) = self.several(cursor)?;
                self.one_way(&begin, cursor, claim, &names, joined)?;
                self.is_a_value(&begin, cursor, claim, &names)?;
                if exactly {
                    self.one_text(cursor, claim, names, joined)?
                } else {
                    self.is(&begin, cursor, claim, names, joined)?
                }
            }
            Operator::StartsWith
            | Operator::EndsWith
            | Operator::Contains
            | Operator::ContainsAll
            | Operator::ContainsAny => {
                let (names, joined) = self.several(cursor)?;
                if negated && joined == Joined::And && operator == Operator::Contains {
                    return begin.fail(NEITHER_OR_NOT_BOTH);
                }
                self.partly(&begin, cursor, claim, operator, names, joined)?
            }
            Operator::Compare(_) | Operator::Between | Operator::Holds => {
                return begin.fail("claims are texts, which cannot be compared as numbers");
            }
        };
        if self.tokens || exactly || claim != "role" {
            self.must_have_tokens(cursor)?;
        }
        Ok(expr.negated(negated))
    }

    /// "The groups a and b" may be both or either.
    pub(super) fn one_way(
        self,
        begin: &Cursor<'_>,
        cursor: &Cursor<'_>,
        kind: &str,
        names: &[String],
        joined: Joined,
    ) -> Understood<()> {
        let before = begin.slice(begin.at.saturating_sub(4)..begin.at).iter().rev();
        let links = |token: &&Token| {
            !token.quoted
                && (matches!(token.lower.as_str(), "the" | "of" | "claim" | "claims" | "a" | "any")
                    || known_claim(&token.lower).is_some())
        };
        let both = |token: &Token| !token.quoted && matches!(token.lower.as_str(), "both" | "all" | "each");
        let is_said =
            before.clone().find(|token| !links(token)).is_some_and(both) || begin.peek().is_some_and(both);
        match names {
            [.., one, other] if joined == Joined::And && !is_said && matches!(kind, "scope" | "group") => cursor
                .fail(format!(
                    "`{one} and {other}` may mean both or either; say `both the {one} and the {other} {kind}` or `the {one} or {other} {kind}`"
                )),
            _ => Ok(()),
        }
    }

    /// A word that says how a claim is, and no value of it.
    pub(super) fn is_a_value(
        self,
        begin: &Cursor<'_>,
        cursor: &Cursor<'_>,
        claim: &str,
        names: &[String],
    ) -> Understood<()> {
        let quoted = begin.slice(begin.at..cursor.at).iter().any(|token| token.quoted);
        let wrong = |name: &&String| {
            VAGUE.contains(&name.to_lowercase().as_str()) || (claim == "email" && !name.contains('@'))
        };
        match names.iter().find(wrong).filter(|_| !quoted) {
            Some(name) => cursor
                .fail(format!("`{name}` may say how the {claim} is; put it in quotes if it is its value")),
            None => Ok(()),
        }
    }

    fn partly(
        self,
        begin: &Cursor<'_>,
        cursor: &mut Cursor<'_>,
        claim: &str,
        operator: Operator,
        names: Vec<String>,
        joined: Joined,
    ) -> Understood<Expr> {
        let every =
            operator == Operator::ContainsAll || (joined == Joined::And && operator != Operator::ContainsAny);
        let contains = !matches!(operator, Operator::StartsWith | Operator::EndsWith);
        if contains && matches!(claim, "scope" | "group") {
            return self.is(begin, cursor, claim, names, if every { Joined::And } else { Joined::Or });
        }
        if !contains && matches!(claim, "scope" | "group") {
            return cursor.fail(format!("name the whole {claim}"));
        }
        let one = |name: String| match operator {
            Operator::StartsWith => Expr::Claim(claim.to_owned(), Test::StartsWith(name)),
            Operator::EndsWith => Expr::Claim(claim.to_owned(), Test::EndsWith(name)),
            _ if LISTS.contains(&claim) => Expr::Listed(claim.to_owned(), name),
            _ => Expr::Claim(claim.to_owned(), Test::Contains(name)),
        };
        let parts: Vec<Expr> = names.into_iter().map(one).collect();
        Ok(if every { Expr::all(parts).unwrap_or_else(|| Expr::Any(Vec::new())) } else { Expr::any(parts) })
    }

    /// The claim of a known kind is, or has, these names.
    pub(super) fn is(
        self,
        begin: &Cursor<'_>,
        cursor: &mut Cursor<'_>,
        kind: &str,
        names: Vec<String>,
        joined: Joined,
    ) -> Understood<Expr> {
        if kind == "role" && !self.tokens {
            return self.iam_roles(begin, cursor, &names, joined);
        }
        self.must_have_tokens(cursor)?;
        let join = |parts: Vec<Expr>| match joined {
            Joined::And => Expr::all(parts).unwrap_or_else(|| Expr::Any(Vec::new())),
            Joined::Or => Expr::any(parts),
        };
        let group = |name: String| {
            Expr::Any(
                ["cognito:groups", "groups"].map(|claim| Expr::Listed(claim.to_owned(), name.clone())).into(),
            )
        };
        match kind {
            "scope" => match names.iter().find(|name| name.contains(char::is_whitespace)) {
                Some(name) => cursor.fail(format!("{} is no scope: a scope has no spaces", shown(name))),
                None => Ok(join(names.into_iter().map(Expr::Scope).collect())),
            },
            "group" => Ok(join(names.into_iter().map(group).collect())),
            _ => self.one_text(cursor, kind, names, joined),
        }
    }

    fn one_text(
        self,
        cursor: &Cursor<'_>,
        claim: &str,
        names: Vec<String>,
        joined: Joined,
    ) -> Understood<Expr> {
        if joined == Joined::And {
            return cursor
                .fail(format!("the claim `{claim}` has one value; say `or` between the possible ones"));
        }
        Ok(Expr::Claim(claim.to_owned(), Test::Is(names)))
    }

    fn must_have_tokens(self, cursor: &Cursor<'_>) -> Understood<()> {
        if self.tokens {
            Ok(())
        } else {
            cursor.fail("callers of this gateway sign with AWS credentials and have no claims")
        }
    }

    /// Names, of which the next one is not the beginning of something else.
    pub(super) fn several(self, cursor: &mut Cursor<'_>) -> Understood<(Vec<String>, Joined)> {
        let _ = cursor.take_any(&["either", "one of", "any of"]).or_else(|| cursor.take_any(BOTH));
        let name = |cursor: &mut Cursor<'_>| {
            let names_claim = |word: &str| known_claim(word).is_some() || word == "claim";
            if cursor.word_ahead(1).is_some_and(names_claim) || cursor.word_ahead(2).is_some_and(names_claim)
            {
                cursor.skip_article();
            }
            value(cursor, &[])
        };
        let starts = |cursor: Cursor<'_>| {
            let mut at = cursor;
            at.skip_article();
            let claim = |token: Option<&Token>| {
                token
                    .is_some_and(|it| !it.quoted && (known_claim(&it.lower).is_some() || it.lower == "claim"))
            };
            claim(at.peek()) || self.condition_begins(cursor) || begins_elsewhere(cursor)
        };
        values(cursor, name, starts)
    }
}

/// Whether what comes after `and` is another condition: somebody's name is not followed by what is said of it.
fn begins_elsewhere(cursor: Cursor<'_>) -> bool {
    (1..=4).any(|length| {
        let mut at = cursor;
        at.at = (cursor.at + length).min(cursor.end);
        let stops = cursor.slice(cursor.at..at.at).last().is_some_and(|token| {
            !token.quoted
                && matches!(
                    token.lower.as_str(),
                    "to" | "," | "and" | "or" | "from" | "can" | "may" | "must" | "when" | "if" | "unless"
                )
        });
        let mut ahead = at;
        !stops
            && operator(&mut ahead)
                .is_some_and(|(negated, operator)| negated || operator != Operator::Present)
            && !at.sees_any(&[
                "is allowed",
                "are allowed",
                "is permitted",
                "are permitted",
                "is authorized",
                "are authorized",
                "is not allowed",
                "are not allowed",
                "is able",
                "are able",
                "over",
                "under",
                "above",
                "below",
                "between",
                "up to",
                "exceeding",
                "more than",
                "less than",
                "at most",
                "at least",
                "must not",
                "may not",
                "can not",
                "should not",
                "do not",
                "does not",
                "is forbidden",
                "are forbidden",
                "in",
            ])
    })
}
