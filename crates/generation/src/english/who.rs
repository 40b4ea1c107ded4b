//! Who is meant: everybody, those with something, everybody but those.

use super::claims::Claims;
use super::cursor::{Cursor, Misunderstood, Understood};
use super::intent::{Expr, Test};
use super::values::{Joined, value, values};
use super::words::{EVERYBODY, EXCEPT, IN_THE_TOKEN, NOBODY, known_claim};

/// Some callers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Who {
    /// What is true of them; `None` for everybody.
    pub(crate) expr: Option<Expr>,
    /// Whether it was said of nobody, or of nobody but those.
    pub(crate) nobody: bool,
}

/// What may follow "user" and is no user's name.
const NO_NAMES: &[&str] = &[
    "with",
    "without",
    "who",
    "whose",
    "that",
    "to",
    "from",
    "may",
    "can",
    "must",
    "should",
    "shall",
    "will",
    "is",
    "are",
    "in",
    "having",
    "has",
    "have",
    "holding",
    "except",
    "other",
    "but",
    "and",
    "or",
    "access",
    "calling",
    "using",
    "invoking",
    "when",
    "if",
    "unless",
    "never",
    "not",
    "of",
    "for",
    "on",
    "only",
    "cannot",
    "role",
    "group",
    "scope",
    "apart",
    "aside",
    "besides",
    "excluding",
    "between",
    "before",
    "after",
    "during",
    "until",
    "by",
    "where",
    "while",
    "does",
    "do",
    "get",
    "gets",
    "named",
    "called",
    "claim",
];

impl Claims<'_> {
    /// The callers that come next.
    pub(crate) fn who(self, cursor: &mut Cursor<'_>) -> Understood<Who> {
        let _ = cursor.take("only");
        if cursor.take_any(NOBODY).is_some() {
            let mut expr = self.qualified(cursor, None)?;
            if cursor.take_any(EXCEPT).is_some() {
                if expr.is_some() {
                    return cursor.fail("say whom it is not about in one way");
                }
                expr = self.who(cursor)?.expr.map(Expr::not);
                if expr.is_none() {
                    return cursor.fail("nobody but everybody is no rule");
                }
            }
            return Ok(Who { expr, nobody: true });
        }
        // "The manager role and the clerk role may …" are the holders of either.
        let holders = self.qualifier_begins(*cursor);
        let mut all = vec![self.one(cursor)?];
        loop {
            let before = *cursor;
            let _ = cursor.take(",");
            let more = if cursor.take_any(&["and", "or", "as well as"]).is_some() {
                if !holders && self.qualifier_begins(*cursor) {
                    return before.fail(format!(
                        "{} can be read in two ways; say again who they are, as in `… and users with the role X`",
                        before.said()
                    ));
                }
                self.one(cursor).ok().flatten()
            } else {
                None
            };
            match more {
                Some(more) => all.push(Some(more)),
                None => {
                    *cursor = before;
                    break;
                }
            }
        }
        let everybody = all.iter().any(Option::is_none);
        let expr = if everybody { None } else { Some(Expr::any(all.into_iter().flatten().collect())) };
        let expr = self.exceptions(cursor, expr)?;
        Ok(Who { expr, nobody: false })
    }

    /// `except users with the role guest`, behind whom it takes out of.
    fn exceptions(self, cursor: &mut Cursor<'_>, expr: Option<Expr>) -> Understood<Option<Expr>> {
        let before = *cursor;
        let _ = cursor.take(",");
        if cursor.take_any(EXCEPT).is_none() {
            *cursor = before;
            return Ok(expr);
        }
        let _ = cursor.take_any(&["for", "to", "by"]);
        match self.exception(cursor) {
            Ok(exception) => Ok(Expr::all(expr.into_iter().chain([exception.not()]))),
            Err(wrong) if speaks_of_claims(&before, &wrong) => Err(wrong),
            Err(_) => {
                *cursor = before;
                Ok(expr)
            }
        }
    }

    /// Those who are taken out.
    pub(crate) fn exception(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let begin = *cursor;
        match self.who(cursor)?.expr {
            Some(expr) => Ok(expr),
            None => begin.fail("everybody is taken out, so that nobody is left"),
        }
    }

    /// A subject with what is said of it. `None` is everybody.
    fn one(self, cursor: &mut Cursor<'_>) -> Understood<Option<Expr>> {
        let begin = *cursor;
        if cursor
            .take_any(&[
                "members of",
                "the members of",
                "member of",
                "all members of",
                "any member of",
                "a member of",
            ])
            .is_some()
        {
            let group = self.membership(cursor)?;
            return self.qualified(cursor, Some(group));
        }
        if let Some(word) = cursor.take_any(&["client", "the client", "clients", "the clients"]) {
            if let Ok(names) = self.names(cursor, word.ends_with('s')) {
                return self.qualified(cursor, Some(Expr::Claim("client_id".to_owned(), Test::Is(names))));
            }
            *cursor = begin;
        }
        if let Some(subject) = cursor.take_any(EVERYBODY) {
            if cursor
                .take_any(&["with id", "with the id", "with subject", "with the subject", "with sub"])
                .is_some()
            {
                self.tokens_are_shown(cursor)?;
                let id = value(cursor, &[])?;
                return self.qualified(cursor, Some(Expr::Subject(id)));
            }
            let names_people = ["user", "principal", "caller", "users", "principals", "callers"]
                .contains(&subject.split(' ').next_back().unwrap_or_default());
            let several = subject.ends_with('s');
            if names_people
                && self.tokens
                && !subject.starts_with("any")
                && !subject.starts_with("every")
                && !subject.starts_with("a")
            {
                let before = *cursor;
                let _ = cursor.take_any(&["named", "called"]);
                let named = cursor.at > before.at;
                if let Ok(names) = self.names(cursor, several && !named) {
                    return self.qualified(cursor, Some(Expr::Claim("username".to_owned(), Test::Is(names))));
                }
                *cursor = before;
            }
            return self.qualified(cursor, None);
        }
        // "the manager role", "the role manager" stand for those who have it.
        if self.qualifier_begins(*cursor) {
            let holders = self.qualifier(cursor)?;
            let _ = cursor.take_any(&["holders", "users", "owners"]);
            return self.qualified(cursor, Some(holders));
        }
        begin.fail(format!(
            "{} does not begin with callers that a policy can tell apart; say `everyone`, `users with the role X`, `users with the scope X` or \
             `members of the X group`",
            begin.said()
        ))
    }

    /// Names of users or clients; unquoted ones only where there can be but one.
    fn names(self, cursor: &mut Cursor<'_>, only_quoted: bool) -> Understood<Vec<String>> {
        let read = |cursor: &mut Cursor<'_>| match cursor.peek() {
            Some(token) if token.quoted || (!only_quoted && !NO_NAMES.contains(&token.lower.as_str())) => {
                value(cursor, &[])
            }
            _ => cursor.fail("this is nobody's name"),
        };
        self.tokens_are_shown(cursor)?;
        let (names, joined) =
            values(cursor, read, |cursor| self.qualifier_begins(cursor) || cursor.sees_any(EVERYBODY))?;
        // "users 'a' and 'b'" are both.
        let _: Joined = joined;
        Ok(names)
    }

    fn tokens_are_shown(self, cursor: &Cursor<'_>) -> Understood<()> {
        if self.tokens {
            Ok(())
        } else {
            cursor.fail("callers of this gateway sign with AWS credentials and have no names")
        }
    }

    /// All that is said of a subject.
    fn qualified(self, cursor: &mut Cursor<'_>, subject: Option<Expr>) -> Understood<Option<Expr>> {
        const WITH: &[&str] = &[
            "with",
            "having",
            "holding",
            "who have",
            "who has",
            "that have",
            "that has",
            "who hold",
            "who holds",
            "that hold",
            "that holds",
            "who had",
            "who possess",
            "granted",
            "who have been granted",
            "and who have",
            "carrying",
            "bearing",
            "who are granted",
        ];
        const WITHOUT: &[&str] = &[
            "without",
            "who do not have",
            "who does not have",
            "that do not have",
            "that does not have",
            "lacking",
            "who lack",
            "not having",
            "who have no",
            "that have no",
        ];
        const IN: &[&str] = &[
            "in",
            "who are in",
            "who is in",
            "that are in",
            "belonging to",
            "who belong to",
            "who are members of",
            "who is a member of",
            "from",
            "of",
            "that belong to",
            "who are part of",
        ];
        const NOT_IN: &[&str] = &[
            "not in",
            "who are not in",
            "who is not in",
            "that are not in",
            "not belonging to",
            "who do not belong to",
            "who are not members of",
            "outside",
        ];
        let start = *cursor;
        let mut parts: Vec<Expr> = subject.into_iter().collect();
        loop {
            let before = *cursor;
            let _ = cursor.take_any(IN_THE_TOKEN);
            let joined = !parts.is_empty() && cursor.take_any(&["and", ", and", "but"]).is_some();
            let begin = *cursor;
            let part = if cursor.take_any(WITH).is_some() {
                if cursor.take("no") { self.lacking(cursor) } else { self.qualifiers(cursor) }
            } else if cursor.take_any(WITHOUT).is_some() {
                self.lacking(cursor)
            } else if cursor.take("whose") || cursor.take("who 's") {
                self.possessed(cursor)
            } else if cursor.take_any(NOT_IN).is_some() {
                self.membership(cursor).map(Expr::not)
            } else if cursor.take_any(IN).is_some() {
                match self.membership(cursor) {
                    Ok(expr) => Ok(expr),
                    Err(wrong) if speaks_of_claims(&begin, &wrong) => Err(wrong),
                    // "from calling", "of the target".
                    Err(_) => {
                        *cursor = if joined { before } else { begin };
                        break;
                    }
                }
            } else {
                if joined {
                    *cursor = before;
                }
                break;
            };
            let ors = ["or with", "or have", "or has"];
            let said = start.within(start.at..begin.at);
            if joined && (said.at..said.end).any(|at| said.within(at..said.end).sees_any(&ors)) {
                return cursor.fail(
                    "`and` and `or` are mixed, which can be read in two ways; make two sentences of it",
                );
            }
            parts.push(part?);
        }
        let _ = cursor.take_any(IN_THE_TOKEN);
        if parts.iter().any(is_of_account) && parts.iter().any(names_role) {
            return start
                .fail("say the account behind the role, as in `the IAM role X of account 111122223333`");
        }
        Ok(Expr::all(parts))
    }
}

/// Whether it says from which account callers are.
fn is_of_account(expr: &Expr) -> bool {
    match expr {
        Expr::Arn(parts) => parts.len() > 1,
        Expr::Not(inner) => is_of_account(inner),
        Expr::Any(parts) => parts.iter().any(is_of_account),
        _ => false,
    }
}

/// Whether it names an IAM role, which is one of an account.
fn names_role(expr: &Expr) -> bool {
    match expr {
        Expr::Arn(parts) => parts.len() == 1,
        Expr::Not(inner) => names_role(inner),
        Expr::Any(parts) | Expr::All(parts) => parts.iter().any(names_role),
        _ => false,
    }
}

/// Whether what was not understood is about claims or accounts, and so about nothing else.
fn speaks_of_claims(begin: &Cursor<'_>, wrong: &Misunderstood) -> bool {
    begin.slice(begin.at..(wrong.reached + 1).clamp(begin.at, begin.end)).iter().any(|token| {
        let word = token.lower.as_str();
        !token.quoted && (known_claim(word).is_some() || matches!(word, "account" | "accounts" | "claim"))
    })
}
