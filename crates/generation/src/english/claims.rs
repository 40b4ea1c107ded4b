//! What is said of a caller: roles, scopes, groups and other claims of the token, or the AWS identity of one who signs.
//!
//! A role, a username or a department is the claim of that name, compared as a whole. A scope is one word of the claim `scope`. A
//! group is an element of `cognito:groups` or `groups`. Any other claim is named as one ("the claim tenant is acme").

use policy::PrincipalKind;

use super::conditions::grouped;
use super::contradiction::is_never;
use super::cursor::{Cursor, Understood, shown, written};
use super::intent::Expr;
use super::operators::operator;
use super::values::{Joined, is_value};
use super::words::{IN_THE_TOKEN, known_claim};

/// The caller, as conditions speak of it.
const CALLER: &[&str] = &[
    "they",
    "the user",
    "the principal",
    "the caller",
    "user",
    "principal",
    "caller",
    "users",
    "principals",
    "callers",
    "he",
    "she",
    "the users",
    "the principals",
    "the callers",
    "the agent",
    "the client",
    "who",
    "that",
];
const WHOSE: &[&str] = &[
    "their",
    "the user's",
    "the principal's",
    "the caller's",
    "user's",
    "principal's",
    "caller's",
    "his",
    "her",
    "the client's",
    "the agent's",
    "the users'",
    "users'",
    "whose",
    "the token's",
];
const HAVE: &[&str] = &[
    "have",
    "has",
    "hold",
    "holds",
    "had",
    "have been granted",
    "has been granted",
    "have got",
    "has got",
    "is granted",
    "are granted",
    "carry",
    "carries",
];
/// Say that all of what follows is meant together.
pub(super) const BOTH: &[&str] = &["both", "both of", "all of", "each of"];
pub(super) const ACCOUNT: &[&str] = &[
    "the account",
    "the aws account",
    "account",
    "aws account",
    "the accounts",
    "the aws accounts",
    "accounts",
    "aws accounts",
];
const HAVE_NOT: &[&str] = &[
    "do not have",
    "does not have",
    "do not hold",
    "does not hold",
    "have not",
    "has not",
    "have no",
    "has no",
    "lack",
    "lacks",
];

/// Reads what is said of callers of a gateway that lets in these kinds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claims<'g> {
    pub(crate) tokens: bool,
    pub(crate) signatures: bool,
    /// The gateway's ARN: roles are those of its account when no other is said.
    pub(crate) gateway: &'g str,
}

impl<'g> Claims<'g> {
    pub(crate) fn new(principals: &[PrincipalKind], gateway: &'g str) -> Self {
        let lets_in = |kind| principals.is_empty() || principals.contains(&kind);
        Self {
            tokens: lets_in(PrincipalKind::OAuthUser),
            signatures: lets_in(PrincipalKind::IamEntity),
            gateway,
        }
    }

    /// Whether a condition about the caller begins here.
    pub(crate) fn condition_begins(self, cursor: Cursor<'_>) -> bool {
        let mut at = cursor;
        if at.take_any(WHOSE).is_some() {
            let mut claim = at;
            claim.next();
            let _ = claim.take("claim");
            return at.word().is_some()
                && operator(&mut claim).is_some()
                && (cursor.word() != Some("their")
                    || at.word().is_some_and(|word| known_claim(word).is_some()));
        }
        at.take_any(CALLER).is_some()
            && (at.sees_any(HAVE)
                || at.sees_any(HAVE_NOT)
                || at.sees_any(&[
                    "is in",
                    "are in",
                    "is not in",
                    "are not in",
                    "belong to",
                    "belongs to",
                    "does not belong to",
                    "do not belong to",
                    "is a member of",
                    "are members of",
                    "is not a member of",
                    "are not members of",
                    "with",
                    "without",
                ]))
    }

    /// "they have the scope X", "the user's department is finance", "the caller is in the group Y".
    pub(crate) fn condition(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        if cursor.take_any(WHOSE).is_some() {
            return self.possessed(cursor);
        }
        let _ = cursor.take_any(CALLER);
        let expr = if cursor.take_any(HAVE_NOT).is_some() || cursor.take("without") {
            self.lacking(cursor)?
        } else if cursor.take_any(HAVE).is_some() || cursor.take("with") {
            if cursor.take_any(&["no", "not"]).is_some() {
                self.lacking(cursor)?
            } else {
                self.qualifiers(cursor)?
            }
        } else {
            let negated = cursor.take_any(&["is not", "are not", "does not", "do not"]).is_some();
            let _ = cursor.take_any(&["is", "are"]);
            let _ = cursor.take_any(&["in", "belong to", "belongs to", "a member of", "members of"]);
            let expr = self.membership(cursor)?;
            if negated { expr.not() } else { expr }
        };
        Ok(expr)
    }

    /// Whether a claim without a subject begins here: "the scope contains admin:write".
    pub(crate) fn bare_begins(self, mut cursor: Cursor<'_>) -> bool {
        cursor.skip_article();
        matches!(
            cursor.word(),
            Some("role" | "roles" | "scope" | "scopes" | "group" | "groups" | "username" | "claim")
        )
    }

    /// What is said of a claim without a subject.
    pub(crate) fn bare(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        cursor.skip_article();
        self.possessed(cursor)
    }

    /// What callers lack. Of several with `and` between them it might be each or only some.
    pub(crate) fn lacking(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let begin = *cursor;
        let expr = self.qualifiers(cursor)?;
        if !begin.sees_any(BOTH) && joins_all(&expr) {
            return begin.fail(
                "`without` and `not` with `and` can be read in two ways; put `or` between what callers must not have, or `both` before it",
            );
        }
        Ok(expr.not())
    }

    /// Several of what callers have, with `and` or `or` between them.
    pub(crate) fn qualifiers(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let _ = cursor.take_any(&["either"]).or_else(|| cursor.take_any(BOTH));
        let mut parts = vec![self.qualifier(cursor)?];
        let mut joints = Vec::new();
        loop {
            let before = *cursor;
            let comma = cursor.take(",");
            let how = match cursor.take_any(&[
                "and",
                "or",
                "and with",
                "or with",
                "and have",
                "or have",
                "and has",
                "or has",
                "as well as",
                "but also",
            ]) {
                Some(word) if word.starts_with("or") => Joined::Or,
                Some(_) => Joined::And,
                None => {
                    *cursor = before;
                    break;
                }
            };
            if !self.qualifier_begins(*cursor) {
                *cursor = before;
                break;
            }
            joints.push((Some(how), comma));
            parts.push(self.qualifier(cursor)?);
        }
        match grouped(parts, &joints) {
            Some(expr) if is_never(&expr) => {
                cursor.fail("a claim has one value; say `or` between the possible ones")
            }
            Some(expr) => Ok(expr),
            None => cursor
                .fail("`and` and `or` are mixed, which can be read in two ways; make two sentences of it"),
        }
    }

    /// Whether something that callers have begins here: `the role X`, `the X role`, `claim X`.
    pub(crate) fn qualifier_begins(self, cursor: Cursor<'_>) -> bool {
        let mut at = cursor;
        at.skip_article();
        let _ = at.take("iam");
        let is_claim =
            |word: Option<&str>| word.is_some_and(|word| known_claim(word).is_some() || word == "claim");
        is_claim(at.word())
            || (at.peek().is_some_and(|token| token.quoted || is_value(&token.lower))
                && is_claim(at.word_ahead(1)))
    }

    /// One of what callers have.
    pub(crate) fn qualifier(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let begin = *cursor;
        cursor.skip_article();
        let expr = match self.prefixed(cursor) {
            Ok(expr) => expr,
            Err(first) => {
                *cursor = begin;
                cursor.skip_article();
                self.postfixed(cursor)
                    .map_err(|second| if second.reached > first.reached { second } else { first })?
            }
        };
        let _ = cursor.take_any(IN_THE_TOKEN);
        Ok(expr)
    }

    /// "role manager", "scope containing X", "claim department equal to finance".
    fn prefixed(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let begin = *cursor;
        if cursor.take_any(&["iam role", "iam roles", "aws role"]).is_some() {
            let (roles, joined) = self.several(cursor)?;
            return self.iam_roles(&begin, cursor, &roles, joined);
        }
        if cursor.take_any(&["claim", "jwt claim", "token claim", "claim named", "claim called"]).is_some() {
            let name = match cursor.peek() {
                Some(token) if !token.text.is_empty() && (token.quoted || is_value(&token.lower)) => {
                    token.text.clone()
                }
                _ => return cursor.fail("the name of the claim is missing"),
            };
            cursor.next();
            return self.said_of(cursor, &name, true);
        }
        match cursor.word().and_then(known_claim) {
            Some(known) => {
                cursor.next();
                let _ = cursor.take_any(&["claim", "claims"]);
                self.said_of(cursor, known, false)
            }
            None => cursor.fail(format!(
                "{} says nothing that a policy can tell callers apart by; say `with the role X`, `with the scope X`, `in the group X` or \
                 `whose claim X is Y`",
                cursor.said()
            )),
        }
    }

    /// "the manager role", "the 'manager' or 'admin' scope", "the department claim equal to finance".
    fn postfixed(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let begin = *cursor;
        let is_indefinite = matches!(
            begin.slice(begin.at.saturating_sub(1)..begin.at).first().map(|it| it.lower.as_str()),
            Some("a" | "an" | "any" | "their" | "its" | "his" | "her")
        );
        let (names, joined) = self.several(cursor)?;
        let quoted = begin.slice(begin.at..cursor.at).iter().any(|token| token.quoted);
        if cursor.take_any(&["claim", "jwt claim", "token claim"]).is_some() {
            return match names.as_slice() {
                [name] => self.said_of(cursor, name, true),
                _ => cursor.fail("name one claim at a time"),
            };
        }
        let iam = cursor.take("iam");
        match cursor.word().and_then(known_claim) {
            Some("role") if iam => {
                cursor.next();
                self.iam_roles(&begin, cursor, &names, joined)
            }
            // "An unverified email" is no address, and "a special role" is no name of one.
            Some(known) if !quoted && (is_indefinite || !matches!(known, "role" | "scope" | "group")) => {
                cursor.fail(format!(
                    "`{}` may say how the {known} is; if it is its value, say `the {known} '{}'`",
                    written(begin.slice(begin.at..cursor.at + 1)),
                    names.first().map_or("", String::as_str)
                ))
            }
            Some(known) => {
                cursor.next();
                let _ = cursor.take_any(&["claim", "claims"]);
                self.one_way(&begin, cursor, known, &names, joined)?;
                self.is_a_value(&begin, cursor, known, &names)?;
                self.is(&begin, cursor, known, names, joined)
            }
            None => cursor.fail(format!(
                "{} was not understood; say what kind of claim it is, as in `the role X`",
                cursor.said()
            )),
        }
    }

    /// "department is finance" after "whose" or "their".
    pub(crate) fn possessed(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let _ = cursor.take_any(&["claim", "jwt claim", "token claim", "claim named"]);
        let Some(token) = cursor.next().filter(|token| {
            (token.quoted && !token.text.is_empty())
                || is_value(&token.lower)
                || known_claim(&token.lower).is_some()
        }) else {
            return cursor.fail("the name of a claim is missing");
        };
        let named = cursor.take_any(&["claim", "claims"]).is_some() || token.quoted;
        let known = known_claim(&token.lower).filter(|_| !named);
        let begin = *cursor;
        if operator(&mut { begin }).is_none() {
            return cursor.fail(format!("it is not said what {} is", shown(&token.text)));
        }
        let expr = self.said_of(cursor, known.unwrap_or(&token.text), known.is_none())?;
        let _ = cursor.take_any(IN_THE_TOKEN);
        Ok(expr)
    }

    /// "in the group X", "in the X group", "from the X department".
    pub(crate) fn membership(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let begin = *cursor;
        if cursor.take_any(ACCOUNT).is_some() {
            let (accounts, _) = self.several(cursor)?;
            return self.accounts(cursor, &accounts);
        }
        let both = cursor.take_any(BOTH).is_some();
        let _ = cursor.take("either");
        let mut parts = vec![self.qualifier(cursor)?];
        let joint = if both { "and" } else { "or" };
        while cursor.sees(joint) && self.qualifier_begins(cursor.within(cursor.at + 1..cursor.end)) {
            cursor.take(joint);
            parts.push(self.qualifier(cursor)?);
        }
        if cursor.sees("and") && self.qualifier_begins(cursor.within(cursor.at + 1..cursor.end)) {
            return begin.fail(format!(
                "{} can be read in two ways; put `both` before it when callers must be in each, or `or` between",
                begin.said()
            ));
        }
        let all = if both { Expr::all(parts) } else { Some(Expr::any(parts)) };
        Ok(all.unwrap_or_else(|| Expr::Any(Vec::new())))
    }
}

/// Whether parts of it hold only together.
fn joins_all(expr: &Expr) -> bool {
    match expr {
        Expr::All(_) => true,
        Expr::Any(parts) => parts.iter().any(joins_all),
        _ => false,
    }
}
