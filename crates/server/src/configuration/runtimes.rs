//! `[runtimes]`: how many sessions of agents may run at once, and the partners that show a key in a header of their own.
//! There are none unless the file names them.

use std::num::NonZeroUsize;
use std::str::FromStr;

use ::runtimes::Partner;
use domain::Arn;
use http::HeaderName;
use serde::Deserialize;

use super::file::Written;

/// Headers in which something else stands.
const TAKEN: [&str; 5] = ["authorization", "cookie", "host", "content-type", "content-length"];

/// What the file says about agent runtimes.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Runtimes {
    pub(crate) max_sessions: Option<NonZeroUsize>,
    partner: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    header: Written<KeyHeader>,
    provider: Written<ProviderArn>,
    principal: Written<PartnerName>,
    runtimes: Vec<Written<RuntimeArn>>,
}

impl Runtimes {
    /// The partners, as the runtimes take them.
    pub(crate) fn partners(self) -> Vec<Partner> {
        let partner = |entry: Entry| Partner {
            header: entry.header.0.0,
            provider: entry.provider.0.0,
            principal: entry.principal.0.0,
            runtimes: entry.runtimes.into_iter().map(|runtime| runtime.0.0).collect(),
        };
        self.partner.into_iter().map(partner).collect()
    }
}

struct KeyHeader(HeaderName);

impl FromStr for KeyHeader {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let name =
            HeaderName::from_bytes(text.as_bytes()).map_err(|_| format!("`{text}` is no header's name"))?;
        if TAKEN.contains(&name.as_str()) || name.as_str().starts_with("x-amz") {
            return Err(format!(
                "the header `{text}` says something else: choose one of your own, such as x-partner-key"
            ));
        }
        Ok(Self(name))
    }
}

struct ProviderArn(Arn);

impl FromStr for ProviderArn {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let arn = Arn::parse(text).map_err(|error| error.to_string())?;
        let is_one = matches!(arn.as_credential_provider(), Some((_, domain::CredentialKind::ApiKey, _)));
        is_one
            .then_some(Self(arn))
            .ok_or_else(|| format!("`{text}` is not the ARN of an API key credential provider"))
    }
}

struct RuntimeArn(Arn);

impl FromStr for RuntimeArn {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let arn = Arn::parse(text).map_err(|error| error.to_string())?;
        let is_one = matches!(arn.as_agent_runtime(), Some((_, _, None)));
        is_one.then_some(Self(arn)).ok_or_else(|| format!("`{text}` is not the ARN of an agent runtime"))
    }
}

struct PartnerName(String);

impl FromStr for PartnerName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let sound = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        sound
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| "a partner's name has 1 to 128 visible characters".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"
        [[partner]]
        header = "X-Partner-Key"
        provider = "arn:aws:bedrock-agentcore:us-west-2:000000000000:token-vault/default/apikeycredentialprovider/acme"
        principal = "acme"
        runtimes = ["arn:aws:bedrock-agentcore:us-west-2:000000000000:runtime/a-0123456789"]
    "#;

    #[test]
    fn partners_are_read_and_mistakes_are_named() {
        let partners = toml::from_str::<Runtimes>(ENTRY).unwrap().partners();
        assert_eq!((partners[0].header.as_str(), partners[0].principal.as_str()), ("x-partner-key", "acme"));
        for (right, wrong) in [
            ("X-Partner-Key", "Authorization"),
            ("X-Partner-Key", "X-Amz-Key"),
            ("apikeycredentialprovider", "oauth2credentialprovider"),
            ("runtime/a-0123456789", "gateway/a"),
            ("\"acme\"\n", "\"a b\"\n"),
        ] {
            assert!(toml::from_str::<Runtimes>(&ENTRY.replace(right, wrong)).is_err(), "{wrong}");
        }
    }
}
