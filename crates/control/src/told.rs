//! What the audit trail is told of a call: how it came, and what was asked, without what is secret.
//!
//! What was asked is told by AWS's model: only members that are honoured, none that the model calls sensitive, no bytes,
//! and none whose name says that it is a secret. Names and descriptions of AgentCore's resources are `***`, as in
//! CloudTrail ("Understanding gateway CloudTrail log entries"). It is cut to a bounded size.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aws_shapes::{OperationSpec, Schema, ServiceSpec};
use domain::{AuditCall, Shown};
use http::header::{HOST, HeaderName, USER_AGENT};
use serde_json::Value;
use telemetry::TraceContext;

use crate::plane::Request;

/// What stands where a secret was: CloudTrail's words.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
/// What stands where a name or a description was.
const MASKED: &str = "***";
/// How much of one text is told, in characters.
const LONGEST_TEXT: usize = 1_024;
/// How much of a request is told: names and texts, in bytes.
const BUDGET: usize = 8 * 1024;
/// How deep a request is told.
const DEPTH: usize = 12;

/// How a request came, and where it stands in its trace.
pub(crate) fn came(request: &Request, place: Option<&TraceContext>) -> AuditCall {
    let text = |name: &HeaderName| {
        request.headers.get(name).and_then(|value| value.to_str().ok()).map(AuditCall::bounded)
    };
    let trace = place.map(TraceContext::audited);
    AuditCall { user_agent: text(&USER_AGENT), host: text(&HOST), trace, ..AuditCall::default() }
}

/// What was asked.
pub(crate) fn parameters(service: &ServiceSpec, operation: &OperationSpec, value: &Value) -> Option<Shown> {
    let masks_names = service.name.starts_with("bedrock-agentcore");
    let mut teller = Teller { masks_names, hides: contents(service), left: BUDGET };
    let told = teller.tell(operation.input?, value, DEPTH);
    match &told {
        Shown::Map(members) if members.is_empty() => None,
        _ => Some(told),
    }
}

/// The members of a service's requests that are kept under a key of the customer's, so that they stand nowhere in clear:
/// what targets are configured with, what policies say. And those that are not about a resource, but what people and
/// programs wrote: letters with those they are for ("Logging Amazon SES API calls with CloudTrail"), lines of logs.
fn contents(service: &ServiceSpec) -> &'static [&'static str] {
    match service.name {
        "bedrock-agentcore-control" => &["targetConfiguration", "definition", "content"],
        "ses" => &["Destination", "Destinations", "Message", "RawMessage", "ReplyToAddresses"],
        "logs" => &["logEvents"],
        _ => &[],
    }
}

struct Teller {
    masks_names: bool,
    hides: &'static [&'static str],
    left: usize,
}

impl Teller {
    fn tell(&mut self, schema: &Schema, value: &Value, depth: usize) -> Shown {
        if depth == 0 {
            return Shown::from("...");
        }
        match (schema, value) {
            (_, Value::Null) | (Schema::NotHonoured, _) => Shown::Nothing(()),
            (Schema::Text { sensitive: true, .. } | Schema::Blob { .. }, _) => Shown::from(HIDDEN),
            (Schema::Structure(members) | Schema::Union(members), Value::Object(found)) => {
                // A tag, or what else is a name and a value.
                let named = found.get("Key").or_else(|| found.get("key")).and_then(Value::as_str);
                let is_secret_pair = named.is_some_and(is_secret);
                let mut told = BTreeMap::new();
                for member in *members {
                    let Some(value) = found.get(member.name) else { continue };
                    if !self.has_room(member.name.len()) {
                        break;
                    }
                    let shown = match member.name {
                        "Value" | "value" if is_secret_pair => Shown::from(HIDDEN),
                        name => self.member(name, member.schema, value, depth),
                    };
                    told.insert(member.name.to_owned(), shown);
                }
                Shown::Map(told)
            }
            (Schema::Map { value: schema, .. }, Value::Object(found)) => {
                let mut told = BTreeMap::new();
                for (name, value) in found {
                    if !self.has_room(name.len()) {
                        break;
                    }
                    let shown = if is_secret(name) {
                        Shown::from(HIDDEN)
                    } else {
                        self.tell(schema, value, depth - 1)
                    };
                    told.insert(self.text(name), shown);
                }
                Shown::Map(told)
            }
            (Schema::List { element, .. }, Value::Array(items)) => {
                let mut told = Vec::new();
                for item in items {
                    if !self.has_room(2) {
                        break;
                    }
                    told.push(self.tell(element, item, depth - 1));
                }
                Shown::List(told)
            }
            (_, Value::Bool(it)) => Shown::Boolean(*it),
            (_, Value::Number(it)) => it.as_i64().map_or_else(|| Shown::Text(it.to_string()), Shown::Number),
            (_, Value::String(text)) => Shown::Text(self.text(text)),
            // It does not fit its schema, so nobody said that it may be told.
            (_, Value::Object(_) | Value::Array(_)) => Shown::from(HIDDEN),
        }
    }

    fn member(&mut self, name: &str, schema: &Schema, value: &Value, depth: usize) -> Shown {
        if is_secret(name) || self.hides.contains(&name) {
            return Shown::from(HIDDEN);
        }
        if self.masks_names && matches!(name, "name" | "description") {
            return Shown::from(MASKED);
        }
        self.tell(schema, value, depth - 1)
    }

    fn text(&mut self, text: &str) -> String {
        let text = &without_secrets_of_a_url(text);
        let most = LONGEST_TEXT.min(self.left);
        let told: String = text.chars().take(most).collect();
        self.left = self.left.saturating_sub(told.len());
        if told.len() < text.len() { format!("{told}...") } else { told }
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        self.left = self.left.saturating_sub(bytes);
        self.left > 0
    }
}

/// A URL without whom it is opened as and what it is asked: both may be secrets. Other texts stay what they are.
fn without_secrets_of_a_url(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return Cow::Borrowed(text) };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let (path, query) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
    if user.is_none() && query.is_empty() {
        return Cow::Borrowed(text);
    }
    let user = if user.is_some() { format!("{MASKED}@") } else { String::new() };
    let query = if query.is_empty() { String::new() } else { format!("?{MASKED}") };
    Cow::Owned(format!("{scheme}://{user}{host}{path}{query}"))
}

/// Whether a member's name says that it holds a secret, whatever its model says: a password, a token that is none of
/// paging or of retries, a secret that is no reference to one.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let references = ["arn", "id", "name", "source", "config", "type", "jsonkey", "endpoint"];
    let is_reference = references.iter().any(|end| name.ends_with(end));
    let paging = ["nexttoken", "clienttoken", "clientrequesttoken", "paginationtoken", "marker"];
    if paging.contains(&name.as_str()) {
        return false;
    }
    ["password", "authorization", "cookie", "privatekey", "sessionuri", "confirmationcode", "externalid"]
        .iter()
        .any(|word| name.contains(word))
        || (name.contains("secret") && !is_reference)
        || (name.contains("token")
            && !is_reference
            && !name.contains("validity")
            && !name.contains("exchange"))
        || name == "apikey"
        || name == "session"
}

#[cfg(test)]
mod tests {
    use aws_shapes::SERVICES;
    use serde_json::json;

    use super::*;

    fn told(service: &str, operation: &str, value: &Value) -> String {
        let service = SERVICES.iter().find(|it| it.name == service).unwrap();
        let operation = service.operations.iter().find(|it| it.name == operation).unwrap();
        serde_json::to_string(&parameters(service, operation, value)).unwrap()
    }

    #[test]
    fn what_is_asked_is_told_without_secrets_and_names() {
        let shown = told(
            "bedrock-agentcore-control",
            "CreateGateway",
            &json!({"name": "mine", "description": "d", "roleArn": "arn:aws:iam::1:role/R", "other": "x"}),
        );
        assert_eq!(shown, r#"{"description":"***","name":"***","roleArn":"arn:aws:iam::1:role/R"}"#);
        for (service, operation, value) in [
            (
                "bedrock-agentcore-control",
                "CreateApiKeyCredentialProvider",
                json!({"name": "n", "apiKey": "hush"}),
            ),
            (
                "bedrock-agentcore-control",
                "CreateOauth2CredentialProvider",
                json!({"oauth2ProviderConfigInput":
                {"customOauth2ProviderConfig": {"clientId": "c", "clientSecret": "hush"}}}),
            ),
            (
                "cognito-idp",
                "AdminSetUserPassword",
                json!({"UserPoolId": "p", "Username": "u", "Password": "hush"}),
            ),
            ("cognito-idp", "InitiateAuth", json!({"AuthParameters": {"USERNAME": "u", "PASSWORD": "hush"}})),
            (
                "secretsmanager",
                "CreateSecret",
                json!({"Name": "n", "SecretString": "hush", "SecretBinary": "hush"}),
            ),
            ("kms", "Encrypt", json!({"KeyId": "k", "Plaintext": "hush"})),
            (
                "bedrock-agentcore-control",
                "CreateAgentRuntime",
                json!({"agentRuntimeName": "a", "environmentVariables": {"GREETING": "hush"}}),
            ),
            (
                "ses",
                "SendEmail",
                json!({"Destination": {"ToAddresses": ["hush"]}, "Message": {"Subject": {"Data": "hush"}},
                "ReplyToAddresses": ["hush"]}),
            ),
            ("ses", "SendRawEmail", json!({"Destinations": ["hush"], "RawMessage": {"Data": "hush"}})),
            (
                "logs",
                "PutLogEvents",
                json!({"logGroupName": "g", "logEvents": [{"timestamp": 1, "message": "hush"}]}),
            ),
            (
                "lambda",
                "CreateFunction",
                json!({"Code": {"ZipFile": "hush"}, "Environment": {"Variables": {"A": "hush"}}}),
            ),
            (
                "bedrock-agentcore",
                "GetWorkloadAccessTokenForJWT",
                json!({"workloadName": "w", "userToken": "hush"}),
            ),
            ("sts", "AssumeRoleWithWebIdentity", json!({"RoleArn": "r", "WebIdentityToken": "hush"})),
            ("iam", "TagUser", json!({"UserName": "u", "Tags": [{"Key": "apiToken", "Value": "hush"}]})),
            (
                "bedrock-agentcore-control",
                "CreateGatewayTarget",
                json!({"gatewayIdentifier": "g", "targetConfiguration": {"http": {"passthrough": {"endpoint": "https://hush"}}}}),
            ),
            (
                "bedrock-agentcore-control",
                "CreatePolicy",
                json!({"policyEngineId": "e", "definition": {"cedar": {"statement": "hush"}}}),
            ),
        ] {
            let shown = told(service, operation, &value);
            assert!(!shown.contains("hush") && shown.contains(HIDDEN), "{operation}: {shown}");
        }
    }

    /// Every text that an operation takes and whose name speaks of a secret: none is told.
    #[test]
    fn urls_are_told_without_whom_and_what_they_ask() {
        for (url, shown) in [
            ("https://user:hush@a.example/p?token=hush#hush", "https://***@a.example/p?***"),
            ("https://a.example?token=hush", "https://a.example?***"),
            ("https://hush@evil@a.example", "https://***@a.example"),
            ("https://a.example/p", "https://a.example/p"),
            ("s3://bucket/key", "s3://bucket/key"),
            ("what? no URL", "what? no URL"),
        ] {
            let container = json!({"containerConfiguration": {"containerUri": url}});
            let shown_whole = told(
                "bedrock-agentcore-control",
                "CreateAgentRuntime",
                &json!({"agentRuntimeArtifact": container}),
            );
            assert!(shown_whole.contains(&format!(r#""containerUri":"{shown}""#)), "{shown_whole}");
        }
        let tags = json!({"UserName": "u", "Tags": [{"Key": "team", "Value": "blue"}]});
        assert!(told("iam", "TagUser", &tags).contains("blue"));
    }

    #[test]
    fn no_member_that_is_called_a_secret_is_told() {
        for name in [
            "Password",
            "clientSecret",
            "SecretString",
            "apiKey",
            "accessToken",
            "refreshToken",
            "WebIdentityToken",
            "userToken",
            "workloadIdentityToken",
            "SecretHash",
            "PreviousPassword",
            "sessionUri",
            "Session",
            "ConfirmationCode",
            "privateKey",
            "TemporaryPassword",
            "SecretAccessKey",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "clientToken",
            "nextToken",
            "NextToken",
            "tokenVaultId",
            "SecretId",
            "secretArn",
            "TokenValidityUnits",
            "AccessTokenValidity",
            "clientSecretSource",
            "name",
            "AccessKeyId",
            "discoveryUrl",
            "tokenEndpoint",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn what_is_told_is_bounded() {
        let long = "x".repeat(5_000);
        let many: Vec<_> = (0..5_000).map(|at| json!({"key": format!("k{at}"), "value": long})).collect();
        let tags = json!({"Tags": many, "RoleName": long, "AssumeRolePolicyDocument": long});
        let shown = told("iam", "CreateRole", &tags);
        assert!(shown.len() < 2 * BUDGET, "{}", shown.len());
    }
}
