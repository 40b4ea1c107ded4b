//! `portcullis identity`: credential providers, and whether what they promise can be had.
//!
//! A try goes the way that a call of a target goes. What came of it is printed; no key, secret or token is.

use std::sync::Arc;

use domain::{
    AccountId, CredentialKind, CredentialProvider, CredentialSettings, OAuth2Discovery, Region, Scope,
};
use egress::{ConnectError, EgressError};
use identity::outbound::{Ask, Brought, Grant, Granted, Need, OAuthNeed, Outbound, Refusal};
use identity::provider::Provider;
use identity::workload::{RevocationError, revoke_tokens};
use mask::{Mask, SHORTEST};
use serde_json::{Value, json};
use store::{AuditLog, Page};
use tokio::runtime::Handle;

use super::open::{Opened, block_on, open};
use crate::command_line::{Identity as Arguments, IdentityVerb, Place};
use crate::terminal::{Failure, Shown, say, table, visible};

const KINDS: [CredentialKind; 2] = [CredentialKind::ApiKey, CredentialKind::OAuth2];

/// Lists providers, or tries one.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        IdentityVerb::List { settings, place, json } => block_on(async {
            let opened = open(&settings).await?;
            let scope = scope(&opened, &place)?;
            let mut tx = opened.store.read().await?;
            let mut providers = Vec::new();
            for kind in KINDS {
                providers.extend(tx.credential_providers(&scope, kind, Page::ALL).await?);
            }
            if json {
                say(Value::from(providers.iter().map(listed).collect::<Vec<_>>()))
            } else {
                list(&providers)
            }
        }),
        IdentityVerb::TestProvider { settings, place, name, scope: scopes, json } => {
            block_on(async { test(&open(&settings).await?, &place, &name, &scopes, Shown::of(json)).await })
        }
        IdentityVerb::Revoke { settings, place, name, json } => {
            block_on(async { revoke(&open(&settings).await?, &place, &name, Shown::of(json)).await })
        }
    }
}

/// Ends the access tokens of a workload. Every server sees it at the next use of one.
async fn revoke(opened: &Opened, place: &Place, name: &str, shown: Shown) -> Result<(), Failure> {
    let scope = scope(opened, place)?;
    let done = revoke_tokens(&opened.store, &*opened.clock, &*opened.random, &scope, name).await;
    let identity = done.map_err(|error| match error {
        RevocationError::Unknown { .. } => Failure::usage(error.to_string()),
        RevocationError::Store(error) => error.into(),
    })?;
    match shown {
        Shown::Json => say(json!({
            "name": identity.name,
            "arn": identity.arn().to_string(),
            "generation": identity.generation,
        })),
        Shown::Text => say(format!(
            "Every workload access token of {} that was issued so far has ended. Whoever may get tokens for it can get \
             others: take the permission away, or delete the identity, to keep them from it.",
            visible(&identity.name)
        )),
    }
}

fn scope(opened: &Opened, place: &Place) -> Result<Scope, Failure> {
    let account = match &place.account {
        Some(account) => AccountId::parse(account).map_err(|error| Failure::usage(error.to_string()))?,
        None => AccountId::first(),
    };
    let region = match &place.region {
        Some(region) => Region::parse(region).map_err(|error| Failure::usage(error.to_string()))?,
        None => opened.configuration.region.clone(),
    };
    Ok(Scope { account, region })
}

fn list(providers: &[CredentialProvider]) -> Result<(), Failure> {
    let mut shown = table(&["NAME", "KIND", "VENDOR", "CREATED"]);
    for provider in providers {
        shown.add_row([
            provider.name.clone(),
            kind(provider).to_owned(),
            vendor(provider).unwrap_or("-").to_owned(),
            provider.created_at.to_string(),
        ]);
    }
    say(shown)
}

fn listed(provider: &CredentialProvider) -> Value {
    json!({
        "name": provider.name,
        "kind": kind(provider),
        "vendor": vendor(provider),
        "createdAt": provider.created_at.to_string(),
        "arn": provider.arn().to_string(),
    })
}

/// As a target's credentialProviderType names it.
fn kind(provider: &CredentialProvider) -> &'static str {
    match provider.kind() {
        CredentialKind::ApiKey => "API_KEY",
        CredentialKind::OAuth2 => "OAUTH",
    }
}

/// As the API names it (`CredentialProviderVendorType`).
fn vendor(provider: &CredentialProvider) -> Option<&'static str> {
    match &provider.settings {
        CredentialSettings::ApiKey => None,
        CredentialSettings::OAuth2(settings) => Some(control::vendor_name(settings.vendor)),
    }
}

async fn test(
    opened: &Opened,
    place: &Place,
    name: &str,
    scopes: &[String],
    shown: Shown,
) -> Result<(), Failure> {
    let scope = scope(opened, place)?;
    let mut found = Vec::new();
    for kind in KINDS {
        found.extend(opened.store.read().await?.credential_provider(&scope, kind, name).await?);
    }
    if found.is_empty() {
        return Err(Failure::usage(format!(
            "there is no credential provider {name} in {} of {}: `portcullis identity list` lists those there are",
            scope.region, scope.account
        )));
    }
    let audit = AuditLog::start(opened.store.clone(), &Handle::current());
    let outbound = outbound(opened, &audit)?;
    let mut tries = Vec::new();
    for provider in &found {
        tries.push(attempt(&outbound, &scope, provider, scopes).await);
    }
    // A pool of this installation has written down that it gave a token.
    audit.flush().await;
    match shown {
        Shown::Json => say(Value::from(tries.iter().map(Try::json).collect::<Vec<_>>()))?,
        Shown::Text => tries.iter().try_for_each(Try::show)?,
    }
    match tries.iter().filter(|it| it.failure.is_some()).count() {
        0 => Ok(()),
        _ => Err(Failure::new(format!("nothing can be called with {name} now"))),
    }
}

fn outbound(opened: &Opened, audit: &AuditLog) -> Result<Outbound, Failure> {
    let names = Arc::new(opened.names());
    let (store, clock, random) =
        (opened.store.clone(), Arc::clone(&opened.clock), Arc::clone(&opened.random));
    let provider = Provider::new(
        store.clone(),
        Arc::clone(&names),
        Arc::clone(&clock),
        Arc::clone(&random),
        audit.clone(),
    );
    Ok(Outbound::new(store, opened.client()?, clock, random, names, Arc::new(provider)))
}

/// What came of a try.
struct Try {
    provider: String,
    kind: &'static str,
    /// When the token ends, as far as its server said.
    expires: Option<String>,
    failure: Option<Trouble>,
}

/// Why there is nothing to call with.
struct Trouble {
    leg: &'static str,
    reason: String,
    endpoint: Option<String>,
    status: Option<u16>,
    code: Option<&'static str>,
    /// What the server wrote, without the secrets.
    said: Option<String>,
}

async fn attempt(
    outbound: &Outbound,
    scope: &Scope,
    provider: &CredentialProvider,
    scopes: &[String],
) -> Try {
    let (arn, parameters) = (provider.arn(), std::collections::BTreeMap::new());
    let need = match provider.kind() {
        CredentialKind::ApiKey => Need::ApiKey,
        CredentialKind::OAuth2 => {
            Need::OAuth(OAuthNeed { grant: Grant::ClientCredentials, scopes, parameters: &parameters })
        }
    };
    let asked = outbound
        .credential(&Ask {
            scope,
            provider: &arn,
            need,
            workload: None,
            user: None,
            brought: Brought::default(),
        })
        .await;
    let (expires, failure) = match asked {
        Ok(Granted::Token { expires, .. }) => (expires.map(|moment| moment.to_string()), None),
        Ok(Granted::ApiKey(_) | Granted::ConsentNeeded { .. }) => (None, None),
        Err(refusal) => (None, Some(trouble(provider, &refusal))),
    };
    Try { provider: provider.name.clone(), kind: kind(provider), expires, failure }
}

fn trouble(provider: &CredentialProvider, refusal: &Refusal) -> Trouble {
    Trouble {
        leg: leg(provider, refusal),
        reason: refusal.to_string(),
        endpoint: refusal.endpoint().map(str::to_owned),
        status: refusal.status(),
        code: refusal.code(),
        said: said(provider, refusal),
    }
}

/// What a token endpoint wrote, when it is certain that it holds no secret: one that is too short to be found in a text
/// leaves it unsaid.
fn said(provider: &CredentialProvider, refusal: &Refusal) -> Option<String> {
    let secret = provider.secret.as_ref().filter(|secret| secret.expose().len() >= SHORTEST)?;
    let said = refusal.said()?;
    Some(Mask::new([secret]).text(said.0.expose()).into_owned())
}

/// Where it failed.
fn leg(provider: &CredentialProvider, refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Discovery { .. } => "discovery",
        Refusal::Unreachable { cause, .. } => match cause.as_ref() {
            EgressError::Connect(ConnectError::Unresolved(_) | ConnectError::NoAddress) => "dns",
            EgressError::Connect(ConnectError::Refused(_)) => "reach",
            EgressError::Connect(_) => "connect",
            EgressError::Handshake(_) | EgressError::Tls(_) => "tls",
            EgressError::TimedOut(_) => "timeout",
            EgressError::Status(_) if has_discovery(provider) => "discovery",
            EgressError::Status(_) => "status",
            _ => "connection",
        },
        Refusal::Refused { code: Some(_), .. } => "oauth",
        Refusal::Refused { .. } => "status",
        Refusal::Answer { .. } => "answer",
        Refusal::Endpoint { .. } => "endpoint",
        _ => "provider",
    }
}

fn has_discovery(provider: &CredentialProvider) -> bool {
    matches!(&provider.settings, CredentialSettings::OAuth2(settings) if matches!(settings.discovery, OAuth2Discovery::Url(_)))
}

impl Try {
    fn json(&self) -> Value {
        let failure = self.failure.as_ref().map(|it| {
            json!({
                "leg": it.leg,
                "reason": it.reason,
                "endpoint": it.endpoint,
                "status": it.status,
                "error": it.code,
                "said": it.said,
            })
        });
        json!({
            "name": self.provider,
            "kind": self.kind,
            "works": self.failure.is_none(),
            "tokenExpiresAt": self.expires,
            "failure": failure,
        })
    }

    fn show(&self) -> Result<(), Failure> {
        let Some(trouble) = &self.failure else {
            return say(match (self.kind, &self.expires) {
                ("API_KEY", _) => format!("{}: the API key is there.", self.provider),
                (_, Some(end)) => {
                    format!("{}: the token endpoint gave a token, which ends at {end}.", self.provider)
                }
                (_, None) => format!("{}: the token endpoint gave a token.", self.provider),
            });
        };
        say(format!("{} fails ({}): {}", self.provider, trouble.leg, visible(&trouble.reason)))?;
        match &trouble.said {
            Some(said) => say(format!("  the server says: {}", visible(said))),
            None => Ok(()),
        }
    }
}
