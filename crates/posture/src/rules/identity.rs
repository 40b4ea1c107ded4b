//! Credential providers, workload identities, the token vault.

use std::time::Duration;

use domain::Timestamp;
use serde_json::Value;

use super::authorizer::is_plain;
use super::{breach, word};
use crate::Inventory;
use crate::inventory::{list, text};
use crate::rule::{Breach, Rule, Severity};

/// How old a credential may be.
const OLDEST: Duration = Duration::from_secs(90 * 24 * 60 * 60);

pub(super) const UNUSED_PROVIDER: Rule = Rule {
    id: "credential-provider-unused",
    severity: Severity::Low,
    title: "A credential provider is used by a target.",
    rationale: "A secret that nobody needs can only be lost.",
    check: |inventory| {
        // Where agents run, what they use cannot be known.
        if !inventory.runtimes.is_empty() {
            return Vec::new();
        }
        each(inventory, |provider| {
            let arn = text(provider, "/credentialProviderArn");
            let targets = inventory.gateways.iter().flat_map(|gateway| &gateway.targets);
            let used = targets.flat_map(|it| list(it, "/credentialProviderConfigurations")).any(|it| {
                ["oauthCredentialProvider", "apiKeyCredentialProvider"]
                    .iter()
                    .any(|kind| text(it, &format!("/credentialProvider/{kind}/providerArn")) == arn)
            });
            (!used).then(|| breach(arn, "no target names it", [delete(provider)]))
        })
    },
};

pub(super) const OLD_CREDENTIAL: Rule = Rule {
    id: "credential-provider-old",
    severity: Severity::Medium,
    title: "A provider's credential is younger than 90 days.",
    rationale: "The longer a client secret or an API key lives, the more places know it.",
    check: |inventory| {
        each(inventory, |provider| {
            let changed = provider.get("lastUpdatedTime").and_then(moment)?;
            let age = inventory.now.since(changed);
            (age > OLDEST).then(|| {
                let days = age.as_secs() / (24 * 60 * 60);
                breach(
                    text(provider, "/credentialProviderArn"),
                    format!("it was last changed {days} days ago"),
                    [
                        "# get a new credential of its issuer, then:".to_owned(),
                        format!(
                            "aws bedrock-agentcore-control update-{}-credential-provider --name {} …",
                            kind(provider),
                            word(text(provider, "/name"))
                        ),
                    ],
                )
            })
        })
    },
};

pub(super) const BROKEN_PROVIDER: Rule = Rule {
    id: "credential-provider-unusable",
    severity: Severity::Medium,
    title: "A credential provider can be used.",
    rationale: "A provider that failed, or whose credential is over, fails every call that needs it; people then look for a way around it.",
    check: |inventory| {
        each(inventory, |provider| {
            let status = text(provider, "/status");
            (status.ends_with("_FAILED") || status == "EXPIRED").then(|| {
                breach(
                    text(provider, "/credentialProviderArn"),
                    format!("its status is {status}"),
                    [format!(
                        "aws bedrock-agentcore-control update-{}-credential-provider --name {} …",
                        kind(provider),
                        word(text(provider, "/name"))
                    )],
                )
            })
        })
    },
};

pub(super) const PLAIN_DISCOVERY: Rule = Rule {
    id: "credential-provider-plain-http",
    severity: Severity::High,
    title: "A provider's authorization server is reached by https.",
    rationale: "Client secrets and tokens are sent to whatever the discovery document names, and whoever is on the way can write it.",
    check: |inventory| {
        each(inventory, |provider| {
            let url = plain_url(provider.get("oauth2ProviderConfigOutput")?)?;
            Some(breach(
                text(provider, "/credentialProviderArn"),
                format!("it names {url}"),
                [format!(
                    "aws bedrock-agentcore-control update-oauth2-credential-provider --name {} …",
                    word(text(provider, "/name"))
                )],
            ))
        })
    },
};

pub(super) const PLAIN_RETURN: Rule = Rule {
    id: "workload-return-plain-http",
    severity: Severity::Medium,
    title: "People come back from consent by https.",
    rationale: "The URL that a person returns to holds the session, and in the clear anybody on the way can take it.",
    check: |inventory| {
        let of = |workload: &Value| {
            let urls = list(workload, "/allowedResourceOauth2ReturnUrls").iter().filter_map(Value::as_str);
            let plain: Vec<_> = urls.filter(|url| is_plain(url)).collect();
            (!plain.is_empty()).then(|| {
                breach(text(workload, "/workloadIdentityArn"), format!("allowedResourceOauth2ReturnUrls has {}", plain.join(", ")), [format!(
                    "aws bedrock-agentcore-control update-workload-identity --name {} --allowed-resource-oauth2-return-urls https://…",
                    word(text(workload, "/name"))
                )])
            })
        };
        inventory.workloads.iter().filter_map(of).collect()
    },
};

pub(super) const VAULT_KEY: Rule = Rule {
    id: "token-vault-without-customer-key",
    severity: Severity::Low,
    title: "The token vault is sealed under a key of the customer's.",
    rationale: "With a KMS key of one's own, taking the key away shuts the vault, and each use of it is on record.",
    check: |inventory| {
        let own = |vault: &&Value| text(vault, "/kmsConfiguration/keyType") == "CustomerManagedKey";
        let without = inventory.vault.iter().filter(|vault| !own(vault));
        without
            .map(|vault| {
                breach(format!("token-vault/{}", text(vault, "/tokenVaultId")), "kmsConfiguration.keyType is ServiceManagedKey", [
                    "aws bedrock-agentcore-control set-token-vault-cmk --kms-configuration keyType=CustomerManagedKey,kmsKeyArn=KEY_ARN".to_owned(),
                ])
            })
            .collect()
    },
};

fn each(inventory: &Inventory, check: impl Fn(&Value) -> Option<Breach>) -> Vec<Breach> {
    inventory.oauth_providers.iter().chain(&inventory.key_providers).filter_map(check).collect()
}

/// The kind of a provider, as the command line names it.
fn kind(provider: &Value) -> &'static str {
    if provider.get("credentialProviderVendor").is_some() { "oauth2" } else { "api-key" }
}

fn delete(provider: &Value) -> String {
    let name = word(text(provider, "/name"));
    format!("aws bedrock-agentcore-control delete-{}-credential-provider --name {name}", kind(provider))
}

/// A moment as the API writes it: seconds since the epoch, or RFC 3339.
fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(seconds) => Some(Timestamp::from_millis((seconds.as_f64()? * 1000.0) as i64)),
        Value::String(text) => Timestamp::parse(text),
        _ => None,
    }
}

/// The first URL in the clear, wherever it stands.
fn plain_url(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => is_plain(text).then_some(text),
        Value::Array(list) => list.iter().find_map(plain_url),
        Value::Object(members) => members.values().find_map(plain_url),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(rule: Rule, provider: Value) -> usize {
        let now = Timestamp::from_seconds(1_000 * 86_400);
        (rule.check)(&Inventory { now, oauth_providers: vec![provider], ..Inventory::default() }).len()
    }

    #[test]
    fn each_rule_tells_a_provider_that_breaks_it_from_one_that_does_not() {
        let discovery = |url: &str| json!({"oauth2ProviderConfigOutput": {"customOauth2ProviderConfig": {"oauthDiscovery": {"discoveryUrl": url}}}});
        for (rule, bad, good) in [
            (
                OLD_CREDENTIAL,
                json!({"lastUpdatedTime": 909 * 86_400}),
                json!({"lastUpdatedTime": 910 * 86_400}),
            ),
            (BROKEN_PROVIDER, json!({"status": "CREATE_FAILED"}), json!({"status": "READY"})),
            (PLAIN_DISCOVERY, discovery("http://idp.example.com/x"), discovery("https://idp.example.com/x")),
        ] {
            assert_eq!(found(rule, bad), 1, "{}", rule.id);
            assert_eq!(found(rule, good), 0, "{}", rule.id);
        }
        assert_eq!(moment(&json!("1970-01-02T00:00:00Z")), Some(Timestamp::from_seconds(86_400)));
    }

    #[test]
    fn a_provider_is_used_by_a_target() {
        let mut inventory = Inventory {
            key_providers: vec![json!({"credentialProviderArn": "arn:p"})],
            ..Inventory::default()
        };
        assert_eq!((UNUSED_PROVIDER.check)(&inventory).len(), 1);
        let names = json!({"credentialProviderConfigurations": [{"credentialProvider": {"apiKeyCredentialProvider": {"providerArn": "arn:p"}}}]});
        inventory.gateways.push(crate::Gateway { targets: vec![names], ..crate::Gateway::default() });
        assert_eq!((UNUSED_PROVIDER.check)(&inventory), []);
        inventory.gateways.clear();
        inventory.runtimes.push(crate::Runtime::default());
        assert_eq!((UNUSED_PROVIDER.check)(&inventory), [], "an agent may use it");
    }

    #[test]
    fn workloads_and_the_vault() {
        let workload = |url: &str| Inventory {
            workloads: vec![json!({"allowedResourceOauth2ReturnUrls": [url]})],
            ..Inventory::default()
        };
        assert_eq!((PLAIN_RETURN.check)(&workload("http://app.example.com/cb")).len(), 1);
        assert_eq!((PLAIN_RETURN.check)(&workload("http://localhost:8081/cb")), []);
        let vault = |kind: &str| Inventory {
            vault: Some(json!({"kmsConfiguration": {"keyType": kind}})),
            ..Inventory::default()
        };
        assert_eq!((VAULT_KEY.check)(&vault("ServiceManagedKey")).len(), 1);
        assert_eq!((VAULT_KEY.check)(&vault("CustomerManagedKey")), []);
    }
}
