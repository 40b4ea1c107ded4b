//! The pre-token-generation trigger: a function of the pool's account sees whose tokens are made, and adds and suppresses
//! claims and scopes. What makes a token what it is, it cannot touch; when it fails, nobody gets a token.
//!
//! Source: "Pre token generation Lambda trigger" in the Cognito developer guide.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use domain::{Arn, PoolClient, PoolUser, PoolUserStatus, TriggerVersion, UserPool};
use serde_json::{Map, Value, json};

use super::Provider;

/// The largest answer of a function, in bytes: tokens travel in headers.
const MAX_ANSWER: usize = 16 * 1024;
/// How much of a function's own words is told, in characters.
const TOLD: usize = 256;

/// Claims that no function adds, overrides or suppresses.
const RESERVED: [&str; 18] = [
    "acr",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "client_id",
    "device_key",
    "event_id",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "origin_jti",
    "sub",
    "token_use",
];
/// The same of access tokens alone: scopes are changed by their own members.
const RESERVED_IN_ACCESS: [&str; 3] = ["scope", "username", "version"];

/// Runs the functions of pools.
pub trait Triggers: Send + Sync {
    /// Runs a function for a pool, as Cognito does: where the function's resource policy lets
    /// `cognito-idp.amazonaws.com` invoke it for this pool.
    fn invoke<'a>(&'a self, pool: &'a UserPool, function: &'a Arn, event: Bytes) -> Answered<'a>;
}

/// What a function answers.
pub type Answered<'a> = Pin<Box<dyn Future<Output = Result<Bytes, TriggerError>> + Send + 'a>>;

/// Why there are no tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// The function failed, with these words.
    #[error("PreTokenGeneration failed with error {0}.")]
    Failed(String),
    /// It could not be run.
    #[error("PreTokenGeneration invocation failed due to error {0}.")]
    NotInvoked(&'static str),
    /// What it answered says nothing.
    #[error("Unrecognizable lambda output")]
    Unrecognizable,
}

impl TriggerError {
    /// A function's own words, short and in one line.
    #[must_use]
    pub fn failed(words: &str) -> Self {
        let words = words.chars().map(|it| if it.is_control() { ' ' } else { it }).take(TOLD);
        Self::Failed(words.collect::<String>().trim_end_matches('.').to_owned())
    }
}

/// What tokens are made for (`triggerSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A code of the pages.
    HostedAuth,
    /// A password, by the API.
    Authentication,
    /// A new password, by the API.
    NewPassword,
    /// A refresh token.
    Refresh,
    /// A client that asks for itself.
    ClientCredentials,
}

impl Source {
    fn as_str(self) -> &'static str {
        match self {
            Self::HostedAuth => "TokenGeneration_HostedAuth",
            Self::Authentication => "TokenGeneration_Authentication",
            Self::NewPassword => "TokenGeneration_NewPasswordChallenge",
            Self::Refresh => "TokenGeneration_RefreshTokens",
            Self::ClientCredentials => "TokenGeneration_ClientCredentials",
        }
    }
}

/// Whose tokens are made.
pub(super) struct About<'a> {
    pub(super) source: Source,
    pub(super) pool: &'a UserPool,
    pub(super) client: &'a PoolClient,
    pub(super) user: Option<&'a PoolUser>,
    pub(super) groups: &'a [String],
    pub(super) scopes: &'a [String],
}

/// What a function makes of tokens.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Shape {
    access: Change,
    id: Change,
    scopes_to_add: Vec<String>,
    scopes_to_suppress: Vec<String>,
    groups: Option<Vec<String>>,
}

#[derive(Debug, Default, PartialEq)]
struct Change {
    add: Map<String, Value>,
    suppress: Vec<String>,
}

impl Shape {
    /// The scopes of an access token.
    pub(super) fn scopes(&self, granted: &[String]) -> Vec<String> {
        let mut scopes = granted.to_vec();
        scopes.extend(self.scopes_to_add.iter().filter(|scope| !granted.contains(scope)).cloned());
        scopes.retain(|scope| !self.scopes_to_suppress.contains(scope));
        scopes
    }

    /// Shapes the claims of an access token.
    pub(super) fn shape_access(&self, claims: &mut Map<String, Value>) {
        self.shape_groups(claims);
        self.access.apply(claims, &RESERVED_IN_ACCESS);
    }

    /// Shapes the claims of an id token.
    pub(super) fn shape_id(&self, claims: &mut Map<String, Value>) {
        self.shape_groups(claims);
        self.id.apply(claims, &[]);
    }

    fn shape_groups(&self, claims: &mut Map<String, Value>) {
        match &self.groups {
            Some(groups) if groups.is_empty() => drop(claims.remove("cognito:groups")),
            Some(groups) => drop(claims.insert("cognito:groups".to_owned(), json!(groups))),
            None => {}
        }
    }

    fn read(answer: &[u8], version: TriggerVersion) -> Result<Self, TriggerError> {
        if answer.len() > MAX_ANSWER {
            return Err(TriggerError::Unrecognizable);
        }
        let answer = strict_json::parse(answer).map_err(|_| TriggerError::Unrecognizable)?;
        let response = object(Some(&answer))?.and_then(|answer| answer.get("response"));
        let Some(response) = object(response)? else { return Err(TriggerError::Unrecognizable) };
        let mut shape = Self::default();
        if version == TriggerVersion::V1 {
            let Some(details) = object(response.get("claimsOverrideDetails"))? else { return Ok(shape) };
            shape.id = change(Some(details))?;
            // The first version knows texts alone.
            if !shape.id.add.values().all(Value::is_string) {
                return Err(TriggerError::Unrecognizable);
            }
            shape.groups = groups(details)?;
            return Ok(shape);
        }
        let Some(details) = object(response.get("claimsAndScopeOverrideDetails"))? else { return Ok(shape) };
        let access = object(details.get("accessTokenGeneration"))?;
        shape.id = change(object(details.get("idTokenGeneration"))?)?;
        shape.access = change(access)?;
        shape.scopes_to_add = texts(access.and_then(|access| access.get("scopesToAdd")))?;
        shape.scopes_to_suppress = texts(access.and_then(|access| access.get("scopesToSuppress")))?;
        if !shape.scopes_to_add.iter().all(|scope| is_scope(scope)) {
            return Err(TriggerError::Unrecognizable);
        }
        shape.groups = groups(details)?;
        Ok(shape)
    }
}

impl Change {
    fn apply(&self, claims: &mut Map<String, Value>, reserved: &[&str]) {
        let may = |name: &String| {
            !RESERVED.contains(&name.as_str())
                && !reserved.contains(&name.as_str())
                && !name.starts_with("cognito:")
                && !name.starts_with("dev:")
        };
        for name in self.suppress.iter().filter(|name| may(name)) {
            claims.remove(name);
        }
        for (name, value) in self.add.iter().filter(|(name, _)| may(name)) {
            claims.insert(name.clone(), value.clone());
        }
    }
}

fn change(given: Option<&Map<String, Value>>) -> Result<Change, TriggerError> {
    let Some(given) = given else { return Ok(Change::default()) };
    let add = object(given.get("claimsToAddOrOverride"))?.cloned().unwrap_or_default();
    Ok(Change { add, suppress: texts(given.get("claimsToSuppress"))? })
}

fn groups(details: &Map<String, Value>) -> Result<Option<Vec<String>>, TriggerError> {
    let Some(given) = object(details.get("groupOverrideDetails"))? else { return Ok(None) };
    match given.get("groupsToOverride") {
        None | Some(Value::Null) => Ok(None),
        groups => texts(groups).map(Some),
    }
}

fn object(value: Option<&Value>) -> Result<Option<&Map<String, Value>>, TriggerError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(TriggerError::Unrecognizable),
    }
}

fn texts(value: Option<&Value>) -> Result<Vec<String>, TriggerError> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or(TriggerError::Unrecognizable)
        }
        Some(_) => Err(TriggerError::Unrecognizable),
    }
}

/// RFC 6749, section 3.3.
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_graphic() && !matches!(it, b'"' | b'\\'))
}

impl Provider {
    /// What the pool's function makes of these tokens; nothing where the pool has none, or not for such tokens.
    pub(super) async fn shape(&self, about: &About<'_>) -> Result<Shape, TriggerError> {
        let Some(trigger) = &about.pool.pre_token else { return Ok(Shape::default()) };
        if about.source == Source::ClientCredentials && trigger.version < TriggerVersion::V3 {
            return Ok(Shape::default());
        }
        let triggers = self.triggers.as_ref().ok_or(TriggerError::NotInvoked("ServiceUnavailable"))?;
        let event = Bytes::from(event(about, trigger.version).to_string());
        let answered = triggers.invoke(about.pool, &trigger.function, event).await;
        let shape = answered.and_then(|answer| Shape::read(&answer, trigger.version));
        shape.inspect_err(|error| {
            tracing::warn!(pool.id = %about.pool.id, lambda.arn = %trigger.function, %error, "A pool's function gave no tokens.");
        })
    }
}

fn event(about: &About<'_>, version: TriggerVersion) -> Value {
    let mut attributes = Map::new();
    if let Some(user) = about.user {
        attributes.insert("sub".into(), json!(user.sub));
        let status = match user.status {
            PoolUserStatus::Confirmed => "CONFIRMED",
            PoolUserStatus::ForceChangePassword => "FORCE_CHANGE_PASSWORD",
        };
        attributes.insert("cognito:user_status".into(), json!(status));
        attributes.extend(user.attributes.iter().map(|it| (it.name.clone(), json!(it.value))));
    }
    let mut request = json!({
        "userAttributes": attributes,
        "groupConfiguration": {
            "groupsToOverride": about.groups, "iamRolesToOverride": [], "preferredRole": null,
        },
    });
    let response = match version {
        TriggerVersion::V1 => json!({ "claimsOverrideDetails": null }),
        _ => json!({ "claimsAndScopeOverrideDetails": null }),
    };
    if let (Value::Object(request), true) = (&mut request, version > TriggerVersion::V1) {
        request.insert("scopes".into(), json!(about.scopes));
    }
    json!({
        "version": version.number(),
        "triggerSource": about.source.as_str(),
        "region": about.pool.scope.region.as_str(),
        "userPoolId": about.pool.id,
        "userName": about.user.map_or(about.client.id.as_str(), |user| user.name.as_str()),
        "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": about.client.id },
        "request": request,
        "response": response,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(claims) => claims,
            _ => Map::new(),
        }
    }

    #[test]
    fn what_makes_a_token_what_it_is_stays() {
        let answer = json!({ "response": { "claimsAndScopeOverrideDetails": {
            "idTokenGeneration": {
                "claimsToAddOrOverride": { "family": "Doe", "sub": "x", "aud": "x", "cognito:username": "x", "dev:x": 1 },
                "claimsToSuppress": ["email", "exp"],
            },
            "accessTokenGeneration": {
                "claimsToAddOrOverride": { "department": ["a", "b"], "scope": "all", "client_id": "x", "username": "x" },
                "scopesToAdd": ["tools/call", "openid"],
                "scopesToSuppress": ["email"],
            },
            "groupOverrideDetails": { "groupsToOverride": ["new"] },
        }}});
        let shape = Shape::read(answer.to_string().as_bytes(), TriggerVersion::V2).unwrap();
        let mut id =
            claims(json!({ "sub": "s", "aud": "c", "email": "e", "exp": 1, "cognito:username": "u" }));
        shape.shape_id(&mut id);
        let told = json!({ "sub": "s", "aud": "c", "exp": 1, "cognito:username": "u", "cognito:groups": ["new"], "family": "Doe" });
        assert_eq!(Value::Object(id), told);
        let mut access = claims(json!({ "scope": "openid", "client_id": "c", "username": "u" }));
        shape.shape_access(&mut access);
        let told = json!({ "scope": "openid", "client_id": "c", "username": "u", "cognito:groups": ["new"], "department": ["a", "b"] });
        assert_eq!(Value::Object(access), told);
        assert_eq!(shape.scopes(&["openid".to_owned(), "email".to_owned()]), ["openid", "tools/call"]);
    }

    #[test]
    fn an_answer_that_says_nothing_gives_no_tokens() {
        let read = |text: &str, version| Shape::read(text.as_bytes(), version);
        let details = |inner: &str| format!("{{\"response\":{{\"claimsAndScopeOverrideDetails\":{inner}}}}}");
        for bad in [
            String::new(),
            "null".to_owned(),
            "{}".to_owned(),
            "[]".to_owned(),
            "{\"response\":3}".to_owned(),
            details("[]"),
            details("{\"accessTokenGeneration\":{\"scopesToAdd\":\"openid\"}}"),
            details("{\"accessTokenGeneration\":{\"scopesToAdd\":[\"a b\"]}}"),
            details("{\"idTokenGeneration\":{\"claimsToSuppress\":[1]}}"),
            format!("{{\"response\":{{}},\"x\":\"{}\"}}", "x".repeat(MAX_ANSWER)),
        ] {
            assert_eq!(read(&bad, TriggerVersion::V2), Err(TriggerError::Unrecognizable), "{bad}");
        }
        assert_eq!(read("{\"response\":{}}", TriggerVersion::V2), Ok(Shape::default()));
        let number = "{\"response\":{\"claimsOverrideDetails\":{\"claimsToAddOrOverride\":{\"a\":1}}}}";
        assert_eq!(read(number, TriggerVersion::V1), Err(TriggerError::Unrecognizable));
        assert!(read(&number.replace('1', "\"1\""), TriggerVersion::V1).unwrap().id.add.contains_key("a"));
    }
}
