//! The values of claims: what a role, a scope or a group is compared with, and how it is asked.

use super::claims::Claims;
use super::cursor::{Cursor, Understood};
use super::intent::{Expr, Test};
use super::operators::{Operator, operator};
use super::tokens::Token;
use super::values::{Joined, value, values};
use super::words::known_claim;

/// Claims that are lists: one of them contains a name when it is an element.
const LISTS: [&str; 5] = ["groups", "cognito:groups", "roles", "permissions", "scp"];

impl Claims {
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
                if exactly {
                    self.one_text(cursor, claim, names, joined)?
                } else {
                    self.is(cursor, claim, names, joined)?
                }
            }
            Operator::StartsWith
            | Operator::EndsWith
            | Operator::Contains
            | Operator::ContainsAll
            | Operator::ContainsAny => {
                let (names, joined) = self.several(cursor)?;
                self.partly(cursor, claim, operator, names, joined)?
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

    fn partly(
        self,
        cursor: &Cursor<'_>,
        claim: &str,
        operator: Operator,
        names: Vec<String>,
        joined: Joined,
    ) -> Understood<Expr> {
        let every =
            operator == Operator::ContainsAll || (joined == Joined::And && operator != Operator::ContainsAny);
        let contains = !matches!(operator, Operator::StartsWith | Operator::EndsWith);
        if contains && matches!(claim, "scope" | "group") {
            return self.is(cursor, claim, names, if every { Joined::And } else { Joined::Or });
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
        cursor: &Cursor<'_>,
        kind: &str,
        names: Vec<String>,
        joined: Joined,
    ) -> Understood<Expr> {
        if kind == "role" && !self.tokens {
            return self.iam_roles(cursor, names);
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
                Some(name) => cursor.fail(format!("`{name}` is no scope: a scope has no spaces")),
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

    pub(super) fn iam_roles(self, cursor: &Cursor<'_>, names: Vec<String>) -> Understood<Expr> {
        if !self.signatures {
            return cursor.fail("callers of this gateway have tokens and no IAM role");
        }
        let role = |name: String| {
            Expr::Arn(vec!["arn:".to_owned(), ":sts::".to_owned(), format!(":assumed-role/{name}")])
        };
        Ok(Expr::any(names.into_iter().map(role).collect()))
    }

    pub(super) fn accounts(self, cursor: &Cursor<'_>, accounts: &[String]) -> Understood<Expr> {
        if !self.signatures {
            return cursor.fail("callers of this gateway have tokens and belong to no AWS account");
        }
        if let Some(wrong) =
            accounts.iter().find(|it| it.len() != 12 || !it.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return cursor.fail(format!("`{wrong}` is no AWS account: it has twelve digits"));
        }
        let account = |id: &String| Expr::Arn(vec!["arn:".to_owned(), format!("::{id}:"), String::new()]);
        Ok(Expr::any(accounts.iter().map(account).collect()))
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
        let _ = cursor.take_any(&["either", "one of", "any of"]);
        let name = |cursor: &mut Cursor<'_>| {
            if cursor.word_ahead(1).is_some_and(|word| known_claim(word).is_some() || word == "claim") {
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
