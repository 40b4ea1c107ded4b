//! Patterns for ARNs: each of the six components is matched by itself.
//!
//! A `*` in one of the first five components therefore never reaches over a colon, while the sixth, the
//! resource, may contain colons and slashes and its `*` spans them.
//! Source: IAM User Guide, "Amazon Resource Name (ARN) condition operators".

use crate::Context;
use crate::pattern::{Case, Pattern, Piece, Variables, Wildcards, wild_match};

/// The six components of an ARN; nothing if there are fewer.
pub(crate) fn components(text: &str) -> Option<[&str; 6]> {
    let mut parts = text.splitn(6, ':');
    let mut found = [""; 6];
    for slot in &mut found {
        *slot = parts.next()?;
    }
    Some(found)
}

/// The components of a pattern. Those missing at its end are `*` if the last that is written ends in one, so
/// that a lone `*` is any ARN; otherwise it is no pattern for ARNs.
pub(crate) fn pattern_components(text: &str) -> Option<[&str; 6]> {
    components(text).or_else(|| {
        text.ends_with('*').then(|| {
            let mut parts = text.split(':');
            std::array::from_fn(|_| parts.next().unwrap_or("*"))
        })
    })
}

/// A pattern in an ARN condition. Unlike in `Resource`, a variable may stand anywhere in it, even for the
/// whole ARN, so that its components are known only when its value is.
#[derive(Debug)]
pub(crate) enum ArnPattern {
    Fixed(Box<[Pattern; 6]>),
    Variable(Pattern),
}

impl ArnPattern {
    /// Nothing for a text that can never describe an ARN.
    pub(crate) fn compile(text: &str, variables: Variables) -> Option<Self> {
        let whole = Pattern::compile(text, Wildcards::Special, variables);
        if whole.has_variables() {
            return Some(Self::Variable(whole));
        }
        // `${*}` and its like contain no colon, so that they survive the cut.
        let compile = |part| Pattern::compile(part, Wildcards::Special, variables);
        Some(Self::Fixed(Box::new(pattern_components(text)?.map(compile))))
    }

    pub(crate) fn matches(&self, arn: &[&str; 6], context: &Context) -> bool {
        match self {
            Self::Fixed(patterns) => {
                patterns.iter().zip(arn).all(|(pattern, part)| pattern.matches(part, Case::Exact, context))
            }
            Self::Variable(pattern) => {
                pattern.pieces(context).and_then(|pieces| split(&pieces)).is_some_and(|groups| {
                    groups.iter().zip(arn).all(|(group, part)| {
                        wild_match(group.len(), |at| group.get(at).copied(), part, Case::Exact)
                    })
                })
            }
        }
    }
}

/// Cuts the pieces at the first five colons of their literals.
fn split<'a>(pieces: &[Piece<'a>]) -> Option<Vec<Vec<Piece<'a>>>> {
    let mut groups = vec![Vec::new()];
    for piece in pieces {
        let mut piece = *piece;
        while let Piece::Literal(literal) = piece
            && groups.len() < 6
            && let Some((before, after)) = literal.split_once(':')
        {
            groups.last_mut()?.push(Piece::Literal(before));
            groups.push(Vec::new());
            piece = Piece::Literal(after);
        }
        groups.last_mut()?.push(piece);
    }
    (groups.len() == 6).then_some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_matched_one_by_one() {
        let context = Context::new()
            .with("aws:PrincipalAccount", "111122223333")
            .with("aws:PrincipalArn", "arn:aws:iam::111122223333:role/R")
            .with("aws:short", "arn:aws:iam");
        // The second and third are the user guide's own example.
        for (pattern, arn, expected) in [
            (
                "arn:aws:someservice:*:111122223333:finance/*",
                "arn:aws:someservice:us-east-2:111122223333:finance/a:b/c",
                true,
            ),
            (
                "arn:aws:someservice:*:111122223333:finance/*",
                "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt",
                false,
            ),
            ("*", "arn:aws:s3:::bucket", true),
            ("arn:aws:iam::*", "arn:aws:iam::111122223333:role/R", true),
            ("arn:aws:iam::${aws:PrincipalAccount}:role/*", "arn:aws:iam::111122223333:role/R", true),
            ("arn:aws:iam::${aws:PrincipalAccount}:role/*", "arn:aws:iam::444455556666:role/R", false),
            ("${aws:PrincipalArn}", "arn:aws:iam::111122223333:role/R", true),
            ("${aws:short}", "arn:aws:iam::111122223333:role/R", false),
            (
                "arn:aws:lambda:*:${aws:PrincipalAccount}:function:f:*",
                "arn:aws:lambda:us-west-2:111122223333:function:f:PROD",
                true,
            ),
            ("arn:aws:iam::${aws:absent}:role/*", "arn:aws:iam:::role/R", false),
        ] {
            let compiled = ArnPattern::compile(pattern, Variables::Replaced).unwrap();
            let parts = components(arn).unwrap();
            assert_eq!(compiled.matches(&parts, &context), expected, "{pattern} on {arn}");
        }
        assert!(ArnPattern::compile("arn:aws:iam", Variables::Replaced).is_none());
    }
}
