//! Who calls, as policies see it.
//!
//! The rules are AgentCore's ("Principal-scoped policies" in the developer guide): a caller with a JWT is
//! `AgentCore::OAuthUser`, named by the token's `sub`, and every claim is a tag whose value is a string:
//! strings as they are, numbers and booleans as their JSON text, arrays and objects as their compact JSON
//! text, and no tag for `null`. `sub` is a tag too, because AWS's own sample asks for it there. A caller with
//! AWS credentials is `AgentCore::IamEntity`, named by ARN without a session name, and has no tags.

use std::fmt;

use cedar_policy::{Entities, Entity, EntityUid, RestrictedExpression};
use domain::Arn;
use serde_json::{Map, Value};

use crate::names::PrincipalKind;

/// A caller. Made once for a verified token or signature and used for every decision about it, whatever the
/// gateway.
#[derive(Clone)]
pub struct Principal {
    kind: PrincipalKind,
    id: String,
    pub(crate) uid: EntityUid,
    pub(crate) entity: Entity,
    pub(crate) entities: Entities,
}

/// Without the claims: they are about a person.
impl fmt::Debug for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Principal")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Cedar refused the caller's attributes. It has no reason to: every one of them is a string.
#[derive(Debug, thiserror::Error)]
#[error("the caller cannot be described to Cedar: {0}")]
pub struct InvalidPrincipal(String);

impl Principal {
    /// A caller with a JWT. `subject` is the token's `sub`; a token without one has a caller without a name, whom
    /// its tags alone tell apart.
    ///
    /// # Errors
    /// [`InvalidPrincipal`] when Cedar refuses the entity, which it has no reason to do.
    pub fn oauth(subject: &str, claims: &Map<String, Value>) -> Result<Self, InvalidPrincipal> {
        let tags = claims.iter().filter_map(|(name, value)| Some((name.clone(), tag(value)?)));
        Self::new(PrincipalKind::OAuthUser, subject, tags)
    }

    /// A caller with AWS credentials. The session's name is dropped from the ARN of an assumed role:
    /// `arn:aws:sts::{account}:assumed-role/{role}`.
    ///
    /// # Errors
    /// [`InvalidPrincipal`] when Cedar refuses the entity, which it has no reason to do.
    pub fn iam(arn: &Arn) -> Result<Self, InvalidPrincipal> {
        Self::new(PrincipalKind::IamEntity, without_session(arn), std::iter::empty())
    }

    /// Which kind of caller it is.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The id that policies compare: the `sub`, or the ARN.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn new(
        kind: PrincipalKind,
        id: &str,
        tags: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, InvalidPrincipal> {
        let uid = kind.uid(id);
        let string = RestrictedExpression::new_string;
        let attributes = [("id".to_owned(), string(id.to_owned()))];
        let tags = tags.map(|(name, value)| (name, string(value)));
        let entity = Entity::new_with_tags(uid.clone(), attributes, [], tags)
            .map_err(|error| InvalidPrincipal(error.to_string()))?;
        let entities = Entities::from_entities([entity.clone()], None)
            .map_err(|error| InvalidPrincipal(error.to_string()))?;
        Ok(Self { kind, id: id.to_owned(), uid, entity, entities })
    }
}

fn tag(claim: &Value) -> Option<String> {
    match claim {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(claim.to_string()),
    }
}

fn without_session(arn: &Arn) -> &str {
    let whole = arn.as_str();
    let session = arn
        .resource()
        .strip_prefix("assumed-role/")
        .and_then(|role_and_session| role_and_session.split_once('/'))
        .map(|(_, session)| session);
    match session {
        Some(session) if arn.service() == "sts" => {
            whole.strip_suffix(session).and_then(|rest| rest.strip_suffix('/')).unwrap_or(whole)
        }
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::EvalResult;
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_of_every_type_become_strings() {
        let claims = json!({
            "sub": "user-1",
            "username": "clare",
            "scope": ["insurance:claim", "insurance:view"],
            "exp": 1_735_689_600,
            "ratio": 1.5,
            "email_verified": true,
            "address": {"city": "Ulm"},
            "nothing": null,
        });
        let principal = Principal::oauth("user-1", claims.as_object().unwrap()).unwrap();
        let tags: Vec<(String, String)> = principal
            .entity
            .tags()
            .map(|(name, value)| match value.unwrap() {
                EvalResult::String(text) => (name.to_owned(), text),
                other => panic!("{name}: {other:?}"),
            })
            .collect();
        let mut expected: Vec<(String, String)> = [
            ("sub", "user-1"),
            ("username", "clare"),
            ("scope", "[\"insurance:claim\",\"insurance:view\"]"),
            ("exp", "1735689600"),
            ("ratio", "1.5"),
            ("email_verified", "true"),
            ("address", "{\"city\":\"Ulm\"}"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        expected.sort();
        let mut tags = tags;
        tags.sort();
        assert_eq!(tags, expected);
        assert_eq!(principal.uid.to_string(), "AgentCore::OAuthUser::\"user-1\"");
    }

    fn tags_of(claims: &str) -> Vec<(String, String)> {
        let claims: Value = serde_json::from_str(claims).unwrap();
        let principal = Principal::oauth("user-1", claims.as_object().unwrap()).unwrap();
        let text = |value| match value {
            EvalResult::String(text) => text,
            other => panic!("{other:?}"),
        };
        principal.entity.tags().map(|(name, value)| (name.to_owned(), text(value.unwrap()))).collect()
    }

    #[test]
    fn a_claim_is_never_more_than_a_text() {
        for (claim, text) in [
            ("0", "0"),
            ("-7", "-7"),
            ("18446744073709551615", "18446744073709551615"),
            // What has no exact number here is rounded as a double is.
            ("1000000000000000000000000000000", "1e+30"),
            ("1.50", "1.5"),
            ("1e3", "1000.0"),
            ("\"\"", ""),
            ("\"*\"", "*"),
            ("[]", "[]"),
            ("{}", "{}"),
            ("[ 1, [true, null], \"a b\" ]", "[1,[true,null],\"a b\"]"),
            (r#"{"a": {"b": [{"c": null}]}}"#, r#"{"a":{"b":[{"c":null}]}}"#),
            (r#""\u0000\ud83d\ude00""#, "\0😀"),
        ] {
            assert_eq!(
                tags_of(&format!(r#"{{"x": {claim}}}"#)),
                [("x".to_owned(), text.to_owned())],
                "{claim}"
            );
        }
        assert!(tags_of(r#"{"x": null}"#).is_empty());
        assert_eq!(tags_of(r#"{"": 1, "a\"b": 2, "__cedar::x": 3}"#).len(), 3);
    }

    #[test]
    fn large_and_deep_claims_are_claims() {
        let many: Map<String, Value> =
            (0..5_000).map(|number| (format!("claim_{number}"), Value::from("x".repeat(10)))).collect();
        assert_eq!(Principal::oauth("u", &many).unwrap().entity.tags().count(), 5_000);
        let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
        assert_eq!(tags_of(&format!(r#"{{"x": {deep}}}"#)), [("x".to_owned(), deep)]);
        let long = "x".repeat(1 << 20);
        assert_eq!(tags_of(&format!(r#"{{"x": "{long}"}}"#)), [("x".to_owned(), long)]);
    }

    #[test]
    fn who_has_no_name_is_nobody_in_particular() {
        let claims = json!({"client_id": "m2m"});
        let nameless = Principal::oauth("", claims.as_object().unwrap()).unwrap();
        assert_eq!((nameless.id(), nameless.uid.to_string().as_str()), ("", "AgentCore::OAuthUser::\"\""));
        assert_eq!(nameless.entity.tags().count(), 1);
    }

    #[test]
    fn claims_are_not_printed() {
        let claims = json!({"email": "clare@example.com"});
        let principal = Principal::oauth("user-1", claims.as_object().unwrap()).unwrap();
        assert!(!format!("{principal:?}").contains("clare"));
    }

    #[test]
    fn a_session_has_no_name() {
        let id = |arn: &str| Principal::iam(&Arn::parse(arn).unwrap()).unwrap().id().to_owned();
        assert_eq!(
            id("arn:aws:sts::123456789012:assumed-role/Claims/session-7"),
            "arn:aws:sts::123456789012:assumed-role/Claims"
        );
        for whole in [
            "arn:aws:sts::123456789012:assumed-role/Claims",
            "arn:aws:iam::123456789012:user/team/ann",
            "arn:aws:iam::123456789012:root",
        ] {
            assert_eq!(id(whole), whole);
        }
    }
}
