//! Amazon Resource Names: `arn:partition:service:region:account:resource`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, AgentRuntimeId, CredentialKind, GatewayId, PolicyEngineId, PolicyGenerationId, PolicyId,
    Region, Scope, TargetId, UserPoolId,
};

/// An ARN with its six parts. The resource part is everything after the fifth colon and may itself contain
/// colons and slashes. Source: "Amazon Resource Names (ARNs)" in the AWS General Reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn {
    text: String,
    /// Byte offsets of the five colons, so that parts are slices of `text`.
    colons: [usize; 5],
}

impl Arn {
    /// Splits an ARN into its parts.
    ///
    /// # Errors
    /// [`InvalidArn`] when it does not begin with `arn:`, has fewer than six parts, or has an empty
    /// partition, service or resource.
    pub fn parse(text: &str) -> Result<Self, InvalidArn> {
        let invalid = || InvalidArn(text.to_owned());
        let mut colons = [0; 5];
        let mut found = text.match_indices(':').map(|(at, _)| at);
        for slot in &mut colons {
            *slot = found.next().ok_or_else(invalid)?;
        }
        let arn = Self { text: text.to_owned(), colons };
        let complete = arn.part(0) == "arn"
            && !arn.partition().is_empty()
            && !arn.service().is_empty()
            && !arn.resource().is_empty();
        if complete { Ok(arn) } else { Err(invalid()) }
    }

    /// Builds an ARN of the `aws` partition.
    #[must_use]
    pub fn new(service: &str, region: &str, account: &str, resource: &str) -> Self {
        let text = format!("arn:aws:{service}:{region}:{account}:{resource}");
        let service_end = 7 + service.len() + 1;
        let region_end = service_end + region.len() + 1;
        let account_end = region_end + account.len() + 1;
        Self { text, colons: [3, 7, service_end, region_end, account_end] }
    }

    /// `arn:aws:bedrock-agentcore:{region}:{account}:gateway/{id}`; with `*` for the id, every gateway.
    #[must_use]
    pub fn gateway(scope: &Scope, id: &GatewayId) -> Self {
        Self::agentcore(scope, &format!("gateway/{id}"))
    }

    /// `…:gateway/{id}/target/{target}`: the API has no ARN for targets, policies may still name them.
    #[must_use]
    pub fn target(scope: &Scope, id: &GatewayId, target: &TargetId) -> Self {
        Self::agentcore(scope, &format!("gateway/{id}/target/{target}"))
    }

    /// `…:runtime/{id}`; with `*` for the id, every agent runtime.
    #[must_use]
    pub fn agent_runtime(scope: &Scope, id: &AgentRuntimeId) -> Self {
        Self::agentcore(scope, &format!("runtime/{id}"))
    }

    /// `…:runtime/{id}/runtime-endpoint/{name}`.
    #[must_use]
    pub fn agent_runtime_endpoint(scope: &Scope, id: &AgentRuntimeId, name: &str) -> Self {
        Self::agentcore(scope, &format!("runtime/{id}/runtime-endpoint/{name}"))
    }

    /// The scope and the id of the agent runtime that the ARN names, and the endpoint where it names one.
    #[must_use]
    pub fn as_agent_runtime(&self) -> Option<(Scope, AgentRuntimeId, Option<&str>)> {
        let rest =
            self.resource().strip_prefix("runtime/").filter(|_| self.service() == "bedrock-agentcore")?;
        let (id, endpoint) = match rest.split_once("/runtime-endpoint/") {
            Some((id, endpoint)) => (id, Some(endpoint)),
            None => (rest, None),
        };
        let whole = |text: &str| !text.is_empty() && !text.contains('/');
        (whole(id) && endpoint.is_none_or(whole))
            .then(|| Some((self.scope()?, AgentRuntimeId::from_text(id), endpoint)))?
    }

    /// `…:policy-engine/{id}`.
    #[must_use]
    pub fn policy_engine(scope: &Scope, id: &PolicyEngineId) -> Self {
        Self::agentcore(scope, &format!("policy-engine/{id}"))
    }

    /// `…:policy-engine/{engine}/policy/{id}`.
    #[must_use]
    pub fn policy(scope: &Scope, engine: &PolicyEngineId, id: &PolicyId) -> Self {
        Self::agentcore(scope, &format!("policy-engine/{engine}/policy/{id}"))
    }

    /// `…:policy-engine/{engine}/policy-generation/{id}`.
    #[must_use]
    pub fn policy_generation(scope: &Scope, engine: &PolicyEngineId, id: &PolicyGenerationId) -> Self {
        Self::agentcore(scope, &format!("policy-engine/{engine}/policy-generation/{id}"))
    }

    /// The policy engine that holds a policy or a generation, whose ARN goes on after the engine's.
    #[must_use]
    pub fn engine_around(&self) -> Option<Self> {
        let held = self
            .resource()
            .strip_prefix("policy-engine/")
            .filter(|_| self.service() == "bedrock-agentcore")?;
        let (engine, _) = held.split_once('/')?;
        Some(Self::agentcore(&self.scope()?, &format!("policy-engine/{engine}")))
    }

    /// `…:workload-identity-directory/default`: the directory that every account has.
    #[must_use]
    pub fn workload_directory(scope: &Scope) -> Self {
        Self::agentcore(scope, "workload-identity-directory/default")
    }

    /// `…:workload-identity-directory/default/workload-identity/{name}`; with `*` for the name, every one.
    #[must_use]
    pub fn workload_identity(scope: &Scope, name: &str) -> Self {
        Self::agentcore(scope, &format!("workload-identity-directory/default/workload-identity/{name}"))
    }

    /// The name of the workload identity that the ARN names, if it names one.
    #[must_use]
    pub fn as_workload_identity(&self) -> Option<&str> {
        self.resource().strip_prefix("workload-identity-directory/default/workload-identity/")
    }

    /// `…:token-vault/default`: the vault that every account has.
    #[must_use]
    pub fn token_vault(scope: &Scope) -> Self {
        Self::agentcore(scope, "token-vault/default")
    }

    /// `…:token-vault/default/{kind}/{name}`; with `*` for the name, every provider of the kind.
    #[must_use]
    pub fn credential_provider(scope: &Scope, kind: CredentialKind, name: &str) -> Self {
        Self::agentcore(scope, &format!("token-vault/default/{}/{name}", kind.as_str()))
    }

    /// The credential provider that the ARN names, if it names one. AWS's models call the service `acps`, AWS itself
    /// `bedrock-agentcore`; both mean the same.
    #[must_use]
    pub fn as_credential_provider(&self) -> Option<(Scope, CredentialKind, String)> {
        if !matches!(self.service(), "bedrock-agentcore" | "acps") {
            return None;
        }
        let (kind, name) = self.resource().strip_prefix("token-vault/default/")?.split_once('/')?;
        let kind =
            [CredentialKind::ApiKey, CredentialKind::OAuth2].into_iter().find(|it| it.as_str() == kind)?;
        let named = !name.is_empty() && !name.contains('/');
        named.then(|| Some((self.scope()?, kind, name.to_owned())))?
    }

    /// An ARN of the `bedrock-agentcore` service.
    #[must_use]
    pub fn agentcore(scope: &Scope, resource: &str) -> Self {
        Self::new("bedrock-agentcore", scope.region.as_str(), scope.account.as_str(), resource)
    }

    /// `arn:aws:secretsmanager:{region}:{account}:secret:{end}`, where the end is a name, a hyphen and six characters.
    #[must_use]
    pub fn secret(scope: &Scope, end: &str) -> Self {
        Self::new("secretsmanager", scope.region.as_str(), scope.account.as_str(), &format!("secret:{end}"))
    }

    /// `arn:aws:kms:{region}:{account}:key/{id}`.
    #[must_use]
    pub fn kms_key(scope: &Scope, id: &str) -> Self {
        Self::new("kms", scope.region.as_str(), scope.account.as_str(), &format!("key/{id}"))
    }

    /// The scope and the id of the KMS key that the ARN names, if it names one.
    #[must_use]
    pub fn as_kms_key(&self) -> Option<(Scope, &str)> {
        let id = self.resource().strip_prefix("key/").filter(|_| self.service() == "kms")?;
        Some((self.scope()?, id))
    }

    /// `arn:aws:cognito-idp:{region}:{account}:userpool/{id}`.
    #[must_use]
    pub fn user_pool(scope: &Scope, id: &UserPoolId) -> Self {
        Self::new("cognito-idp", scope.region.as_str(), scope.account.as_str(), &format!("userpool/{id}"))
    }

    /// `arn:aws:lambda:{region}:{account}:function:{name}`.
    #[must_use]
    pub fn function(scope: &Scope, name: &str) -> Self {
        Self::new("lambda", scope.region.as_str(), scope.account.as_str(), &format!("function:{name}"))
    }

    /// `arn:aws:s3:::{bucket}`, which names neither region nor account.
    #[must_use]
    pub fn bucket(bucket: &str) -> Self {
        Self::new("s3", "", "", bucket)
    }

    /// `arn:aws:s3:::{bucket}/{key}`.
    #[must_use]
    pub fn object(bucket: &str, key: &str) -> Self {
        Self::new("s3", "", "", &format!("{bucket}/{key}"))
    }

    /// The same with the version or alias that is meant: `:{qualifier}` at its end, where there is one.
    #[must_use]
    pub fn qualified_function(scope: &Scope, name: &str, qualifier: Option<&str>) -> Self {
        match qualifier {
            Some(qualifier) => Self::function(scope, &format!("{name}:{qualifier}")),
            None => Self::function(scope, name),
        }
    }

    /// An ARN of IAM, which has no region.
    #[must_use]
    pub fn iam(account: &AccountId, resource: &str) -> Self {
        Self::new("iam", "", account.as_str(), resource)
    }

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The partition, such as `aws`.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// The service, such as `lambda`.
    #[must_use]
    pub fn service(&self) -> &str {
        self.part(2)
    }

    /// The region; empty for services without one.
    #[must_use]
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The account; empty for some services, and `aws` for AWS's own managed policies.
    #[must_use]
    pub fn account(&self) -> &str {
        self.part(4)
    }

    /// The resource: everything after the fifth colon.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.part(5)
    }

    /// The scope that the ARN names, when it names an account and a region.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        let account = AccountId::parse(self.account()).ok()?;
        let region = Region::parse(self.region()).ok()?;
        Some(Scope { account, region })
    }

    fn part(&self, index: usize) -> &str {
        let start = match index.checked_sub(1).and_then(|before| self.colons.get(before)) {
            Some(colon) => colon + 1,
            None => 0,
        };
        let end = self.colons.get(index).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or_default()
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl TryFrom<String> for Arn {
    type Error = InvalidArn;
    fn try_from(text: String) -> Result<Self, InvalidArn> {
        Self::parse(&text)
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> Self {
        arn.text
    }
}

/// Text that is no ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an ARN of the form arn:partition:service:region:account:resource")]
pub struct InvalidArn(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found() {
        let arn = Arn::parse("arn:aws:lambda:us-west-2:123456789012:function:TestLambda:PROD").unwrap();
        assert_eq!(arn.partition(), "aws");
        assert_eq!(arn.service(), "lambda");
        assert_eq!(arn.region(), "us-west-2");
        assert_eq!(arn.account(), "123456789012");
        assert_eq!(arn.resource(), "function:TestLambda:PROD");
    }

    #[test]
    fn what_an_engine_holds_says_which_engine() {
        let engine = "arn:aws:bedrock-agentcore:us-west-2:123456789012:policy-engine/e-1";
        for held in ["policy/p-1", "policy-generation/g-1"] {
            let held = Arn::parse(&format!("{engine}/{held}")).unwrap();
            assert_eq!(held.engine_around().map(|it| it.to_string()).as_deref(), Some(engine));
        }
        assert_eq!(Arn::parse(engine).unwrap().engine_around(), None);
        let other = Arn::parse("arn:aws:iam:us-west-2:123456789012:policy-engine/e-1/policy/p").unwrap();
        assert_eq!(other.engine_around(), None);
    }

    #[test]
    fn built_and_parsed_are_equal() {
        let built = Arn::new("iam", "", "123456789012", "role/path/name");
        assert_eq!(Arn::parse(built.as_str()).unwrap(), built);
        assert_eq!(built.resource(), "role/path/name");
        assert_eq!(built.region(), "");
    }

    #[test]
    fn incomplete_arns_are_refused() {
        for wrong in [
            "",
            "arn",
            "arn:aws:iam::123456789012",
            "urn:aws:iam::123456789012:role/x",
            "arn::iam:::x",
            "arn:aws:s3:::",
        ] {
            assert!(Arn::parse(wrong).is_err(), "{wrong}");
        }
    }
}
