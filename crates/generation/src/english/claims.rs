//! What is said of a caller: roles, scopes, groups and other claims of the token, or the AWS identity of one who signs.
//!
//! A role, a username or a department is the claim of that name, compared as a whole. A scope is one word of the claim `scope`. A
//! group is an element of `cognito:groups` or `groups`. Any other claim is named as one ("the claim tenant is acme").

use policy::PrincipalKind;

use super::conditions::grouped;
use super::cursor::{Cursor, Understood};
use super::intent::{Expr, Test};
use super::operators::{Operator, operator};
use super::tokens::Token;
use super::values::{Joined, is_value, value, values};
use super::words::{IN_THE_TOKEN, known_claim};

/// Claims that are lists: one of them contains a name when it is an element.
const LISTS: [&str; 5] = ["groups", "cognito:groups", "roles", "permissions", "scp"];
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
pub(crate) struct Claims {
    pub(crate) tokens: bool,
    pub(crate) signatures: bool,
}

impl Claims {
    pub(crate) fn new(principals: &[PrincipalKind]) -> Self {
        let lets_in = |kind| principals.is_empty() || principals.contains(&kind);
        Self { tokens: lets_in(PrincipalKind::OAuthUser), signatures: lets_in(PrincipalKind::IamEntity) }
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
            self.qualifiers(cursor)?.not()
        } else if cursor.take_any(HAVE).is_some() || cursor.take("with") {
            let negated = cursor.take_any(&["no", "not"]).is_some();
            let expr = self.qualifiers(cursor)?;
            if negated { expr.not() } else { expr }
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

    /// Several of what callers have, with `and` or `or` between them.
    pub(crate) fn qualifiers(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let _ = cursor.take_any(&["either", "both"]);
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
            let (roles, _) = self.several(cursor)?;
            return self.iam_roles(&begin, roles);
        }
        if cursor.take_any(&["claim", "jwt claim", "token claim", "claim named", "claim called"]).is_some() {
            let name = match cursor.peek() {
                Some(token) if token.quoted || is_value(&token.lower) => token.text.clone(),
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
                "`{}` says nothing that a policy can tell callers apart by; say `with the role X`, `with the scope X`, `in the group X` or \
                 `whose claim X is Y`",
                cursor.rest()
            )),
        }
    }

    /// "the manager role", "the 'manager' or 'admin' scope", "the department claim equal to finance".
    fn postfixed(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let (names, joined) = self.several(cursor)?;
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
                self.iam_roles(cursor, names)
            }
            Some(known) => {
                cursor.next();
                let _ = cursor.take_any(&["claim", "claims"]);
                self.is(cursor, known, names, joined)
            }
            None => cursor.fail(format!(
                "`{}` was not understood; say what kind of claim it is, as in `the role X`",
                cursor.rest()
            )),
        }
    }

    /// "department is finance" after "whose" or "their".
    pub(crate) fn possessed(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let _ = cursor.take_any(&["claim", "jwt claim", "token claim", "claim named"]);
        let Some(token) = cursor
            .next()
            .filter(|token| token.quoted || is_value(&token.lower) || known_claim(&token.lower).is_some())
        else {
            return cursor.fail("the name of a claim is missing");
        };
        let named = cursor.take_any(&["claim", "claims"]).is_some() || token.quoted;
        let known = known_claim(&token.lower).filter(|_| !named);
        let begin = *cursor;
        if operator(&mut { begin }).is_none() {
            return cursor.fail(format!("it is not said what `{}` is", token.text));
        }
        let expr = self.said_of(cursor, known.unwrap_or(&token.text), known.is_none())?;
        let _ = cursor.take_any(IN_THE_TOKEN);
        Ok(expr)
    }

    /// "in the group X", "in the X group", "from the X department".
    pub(crate) fn membership(self, cursor: &mut Cursor<'_>) -> Understood<Expr> {
        let begin = *cursor;
        if cursor.take_any(&["the account", "the aws account", "account", "aws account"]).is_some() {
            let (accounts, _) = self.several(cursor)?;
            return self.accounts(&begin, &accounts);
        }
        self.qualifier(cursor)
    }

    /// A relation to values, behind the name of a claim.
    fn said_of(self, cursor: &mut Cursor<'_>, claim: &str, exactly: bool) -> Understood<Expr> {
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
    fn is(self, cursor: &Cursor<'_>, kind: &str, names: Vec<String>, joined: Joined) -> Understood<Expr> {
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

    fn iam_roles(self, cursor: &Cursor<'_>, names: Vec<String>) -> Understood<Expr> {
        if !self.signatures {
            return cursor.fail("callers of this gateway have tokens and no IAM role");
        }
        let role = |name: String| {
            Expr::Arn(vec!["arn:".to_owned(), ":sts::".to_owned(), format!(":assumed-role/{name}")])
        };
        Ok(Expr::any(names.into_iter().map(role).collect()))
    }

    fn accounts(self, cursor: &Cursor<'_>, accounts: &[String]) -> Understood<Expr> {
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
    fn several(self, cursor: &mut Cursor<'_>) -> Understood<(Vec<String>, Joined)> {
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
