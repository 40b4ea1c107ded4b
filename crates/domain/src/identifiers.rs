//! The identifiers that Portcullis mints, in the forms that AWS's clients accept.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Random;

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// RFC 4648 base 32: what AWS draws access keys and unique ids from.
const BASE_32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes an identifier as a caller or a row wrote it. Nothing is checked: an identifier that
            /// was never minted simply names nothing.
            #[must_use]
            pub fn from_text(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The identifier's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )*};
}

identifiers! {
    /// `{name in lower case}-{10 of a-z0-9}`: fit for a host label.
    GatewayId,
    /// `{name}-{10 of a-z0-9}`.
    AgentRuntimeId,
    /// Ten of `A-Z0-9`.
    TargetId,
    /// `{name}-{10 of a-z0-9}`.
    PolicyEngineId,
    /// `{name, hyphens as underscores}-{10 of a-z0-9}`.
    PolicyId,
    /// `{name, hyphens as underscores}-{10 of a-z0-9}`.
    PolicyGenerationId,
    /// `{region}_{9 of a-z0-9}`.
    UserPoolId,
    /// 26 of `a-z0-9`, unique in the whole installation.
    ClientId,
    /// `AKIA` (lasting) or `ASIA` (of a session) and 16 of base 32.
    AccessKeyId,
    /// A random UUID: `x-amzn-requestid`.
    RequestId,
    /// A random UUID that names one audit event.
    EventId,
}

impl GatewayId {
    /// A new identifier for a gateway called `name`.
    #[must_use]
    pub fn mint(random: &dyn Random, name: &str) -> Self {
        Self(format!("{}-{}", name.to_ascii_lowercase(), random.text(10, LOWER)))
    }
}

impl AgentRuntimeId {
    /// A new identifier for an agent runtime called `name`.
    #[must_use]
    pub fn mint(random: &dyn Random, name: &str) -> Self {
        Self(format!("{name}-{}", random.text(10, LOWER)))
    }

    /// A new identifier for an endpoint called `name`.
    #[must_use]
    pub fn mint_endpoint(random: &dyn Random, name: &str) -> String {
        format!("{name}-{}", random.text(10, LOWER))
    }
}

impl TargetId {
    /// A new identifier for a target.
    #[must_use]
    pub fn mint(random: &dyn Random) -> Self {
        Self(random.text(10, UPPER))
    }
}

impl PolicyEngineId {
    /// A new identifier for a policy engine called `name`.
    #[must_use]
    pub fn mint(random: &dyn Random, name: &str) -> Self {
        Self(format!("{name}-{}", random.text(10, LOWER)))
    }
}

impl PolicyId {
    /// A new identifier for a policy called `name`. The API's pattern for identifiers knows no hyphen in
    /// the name part, so a hyphen of the name becomes an underscore.
    #[must_use]
    pub fn mint(random: &dyn Random, name: &str) -> Self {
        Self(format!("{}-{}", name.replace('-', "_"), random.text(10, LOWER)))
    }
}

impl PolicyGenerationId {
    /// A new identifier for a generation called `name`; hyphens are treated as in [`PolicyId::mint`].
    #[must_use]
    pub fn mint(random: &dyn Random, name: &str) -> Self {
        Self(format!("{}-{}", name.replace('-', "_"), random.text(10, LOWER)))
    }

    /// A new identifier for an asset of a generation.
    #[must_use]
    pub fn mint_asset(random: &dyn Random) -> String {
        format!("asset-{}", random.text(10, LOWER))
    }
}

impl UserPoolId {
    /// A new identifier for a user pool in `region`. All lower case, so that the pool can be named in a
    /// host name, where case is lost.
    #[must_use]
    pub fn mint(random: &dyn Random, region: &str) -> Self {
        Self(format!("{region}_{}", random.text(9, LOWER)))
    }

    /// The identifier as a host label: without its underscore, lower case.
    #[must_use]
    pub fn host_label(&self) -> String {
        self.0.replace('_', "").to_ascii_lowercase()
    }
}

impl ClientId {
    /// A new identifier for an app client.
    #[must_use]
    pub fn mint(random: &dyn Random) -> Self {
        Self(random.text(26, LOWER))
    }
}

impl AccessKeyId {
    /// A new identifier for a lasting access key.
    #[must_use]
    pub fn mint(random: &dyn Random) -> Self {
        Self(format!("AKIA{}", random.text(16, BASE_32)))
    }

    /// A new identifier for the access key of a session.
    #[must_use]
    pub fn mint_temporary(random: &dyn Random) -> Self {
        Self(format!("ASIA{}", random.text(16, BASE_32)))
    }

    /// Whether this is the key of a session, which is worth nothing without its session token.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.0.starts_with("ASIA")
    }
}

impl RequestId {
    /// A new request id.
    #[must_use]
    pub fn mint(random: &dyn Random) -> Self {
        Self(name(random))
    }
}

impl EventId {
    /// A new event id.
    #[must_use]
    pub fn mint(random: &dyn Random) -> Self {
        Self(name(random))
    }
}

/// IAM's unique ids: `AIDA…` for users, `AROA…` for roles, `ANPA…` for managed policies.
pub(crate) fn unique_id(random: &dyn Random, prefix: &str) -> String {
    format!("{prefix}{}", random.text(17, BASE_32))
}

/// A version 4 UUID (RFC 9562, section 5.4).
#[must_use]
pub fn uuid(random: &dyn Random) -> String {
    let mut bytes = [0_u8; 16];
    random.fill(&mut bytes);
    uuid_of(bytes)
}

/// A UUID that names something which everybody may see.
fn name(random: &dyn Random) -> String {
    let mut bytes = [0_u8; 16];
    random.fill_name(&mut bytes);
    uuid_of(bytes)
}

fn uuid_of(mut bytes: [u8; 16]) -> String {
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = *version & 0x0F | 0x40;
    *variant = *variant & 0x3F | 0x80;
    // Every request has several of these: they are not worth the machinery of `format!`.
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    let mut text = Vec::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        text.extend_from_slice(&[digit(byte >> 4), digit(byte & 0x0F)]);
    }
    // Digits and hyphens are always text.
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    #[test]
    fn gateways_are_named_in_lower_case() {
        let id = GatewayId::mint(&SystemRandom, "MyGateway-1");
        assert!(id.as_str().starts_with("mygateway-1-"), "{id}");
        assert_eq!(id.as_str().len(), "mygateway-1-".len() + 10);
    }

    #[test]
    fn policies_keep_one_hyphen() {
        let id = PolicyId::mint(&SystemRandom, "manager-email-policy");
        assert!(id.as_str().starts_with("manager_email_policy-"), "{id}");
        assert_eq!(id.as_str().matches('-').count(), 1);
    }

    #[test]
    fn request_ids_are_uuids_of_version_4() {
        let id = RequestId::mint(&SystemRandom).to_string();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        let counted = std::array::from_fn(|at| u8::try_from(at * 17).unwrap());
        assert_eq!(uuid_of(counted), "00112233-4455-4677-8899-aabbccddeeff");
    }

    #[test]
    fn pools_lose_their_underscore_in_a_host() {
        assert_eq!(UserPoolId::from_text("us-west-2_gmSGKKGr9").host_label(), "us-west-2gmsgkkgr9");
    }
}
