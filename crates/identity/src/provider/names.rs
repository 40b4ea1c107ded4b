//! Where a pool is found: its issuer, its endpoints, and the AWS-shaped names that mean the same.
//!
//! The public URL is the one source of every name. AWS's hosts are aliases for pools that exist here, so that code which
//! writes them out works without a lookup; an issuer elsewhere never gets one.

use domain::{Region, UserPoolId};

/// How issuers are written in tokens and metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IssuerStyle {
    /// `{public-url}/{poolId}`: the URL from which the metadata are fetched.
    #[default]
    Public,
    /// `https://cognito-idp.{region}.amazonaws.com/{poolId}`, for those who compare.
    Aws,
}

/// The names of this installation.
#[derive(Clone, Debug)]
pub struct Names {
    /// Without a slash at its end.
    public_url: String,
    style: IssuerStyle,
}

/// What a request at the token endpoint says about the pool it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolHint {
    /// Its id.
    Id(UserPoolId),
    /// A host label: a domain prefix, or the pool's id without its underscore.
    Domain {
        /// The label.
        label: String,
        /// The region of the host.
        region: Region,
    },
    /// Nothing: it is the pool of the client that asks.
    OfTheClient,
}

impl Names {
    /// The names of an installation that is reached at `public_url`.
    #[must_use]
    pub fn new(public_url: &str, style: IssuerStyle) -> Self {
        Self { public_url: public_url.trim_end_matches('/').to_owned(), style }
    }

    /// The URL under which this installation is reached, without a slash at its end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// `{public-url}/{poolId}`.
    #[must_use]
    pub fn public(&self, pool: &UserPoolId) -> String {
        format!("{}/{pool}", self.public_url)
    }

    /// The issuer that a pool's tokens name.
    #[must_use]
    pub fn issuer(&self, pool: &UserPoolId, region: &Region) -> String {
        match self.style {
            IssuerStyle::Public => self.public(pool),
            IssuerStyle::Aws => aws_issuer(pool, region),
        }
    }

    /// Every issuer that means a pool.
    pub(crate) fn issuers_of(&self, pool: &UserPoolId, region: Option<&Region>) -> Vec<String> {
        let mut issuers = vec![self.public(pool)];
        issuers.extend(region.map(|region| aws_issuer(pool, region)));
        issuers
    }

    /// The pool that a discovery URL means if it is ours: by the public URL or by AWS's host.
    #[must_use]
    pub fn pool_of_discovery_url(&self, url: &str) -> Option<UserPoolId> {
        let base = url.strip_suffix("/.well-known/openid-configuration")?;
        let ours = base.strip_prefix(&self.public_url).and_then(|rest| rest.strip_prefix('/'));
        let id = ours.or_else(|| {
            let (host, id) = base.strip_prefix("https://")?.split_once('/')?;
            let region = cognito_region(host)?;
            // A pool's id begins with its region, and no other region's host knows it.
            id.strip_prefix(region.as_str())?.starts_with('_').then_some(id)
        })?;
        (!id.is_empty() && !id.contains('/')).then(|| UserPoolId::from_text(id))
    }

    /// What a token endpoint's URL says about a pool if it is ours: by the public URL or by AWS's host.
    #[must_use]
    pub fn pool_of_token_endpoint(&self, url: &str) -> Option<PoolHint> {
        let base = url.strip_suffix("/oauth2/token")?;
        if let Some(ours) = base.strip_prefix(&self.public_url) {
            let id = match ours {
                "" => return Some(PoolHint::OfTheClient),
                ours => ours.strip_prefix('/')?,
            };
            return (!id.is_empty() && !id.contains('/')).then(|| PoolHint::Id(UserPoolId::from_text(id)));
        }
        let host = base.strip_prefix("https://")?.to_ascii_lowercase();
        let (label, region) = host.strip_suffix(".amazoncognito.com")?.split_once(".auth.")?;
        Some(PoolHint::Domain { label: label.to_owned(), region: Region::parse(region).ok()? })
    }
}

fn aws_issuer(pool: &UserPoolId, region: &Region) -> String {
    format!("https://cognito-idp.{region}.amazonaws.com/{pool}")
}

/// The region of `cognito-idp.{region}.amazonaws.com`.
fn cognito_region(host: &str) -> Option<Region> {
    let host = host.to_ascii_lowercase();
    let region = host.strip_prefix("cognito-idp.")?.strip_suffix(".amazonaws.com")?;
    Region::parse(region).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_urls_of_our_pools_are_recognised() {
        let names = Names::new("http://127.0.0.1:4848/", IssuerStyle::Public);
        let pool = |url: &str| names.pool_of_discovery_url(url).map(|id| id.to_string());
        let id = Some("us-west-2_abc".to_owned());
        assert_eq!(pool("http://127.0.0.1:4848/us-west-2_abc/.well-known/openid-configuration"), id);
        assert_eq!(
            pool(
                "https://cognito-idp.us-west-2.amazonaws.com/us-west-2_abc/.well-known/openid-configuration"
            ),
            id
        );
        assert_eq!(
            pool("https://cognito-idp.us-west-2.evil.com/us-west-2_abc/.well-known/openid-configuration"),
            None
        );
        assert_eq!(
            pool(
                "https://cognito-idp.eu-west-1.amazonaws.com/us-west-2_abc/.well-known/openid-configuration"
            ),
            None
        );
        assert_eq!(pool("http://127.0.0.1:4848/a/b/.well-known/openid-configuration"), None);
        assert_eq!(pool("http://127.0.0.1:4848/us-west-2_abc"), None);
        assert_eq!(pool("http://127.0.0.1:48480/us-west-2_abc/.well-known/openid-configuration"), None);
    }

    #[test]
    fn token_endpoints_of_our_pools_are_recognised() {
        let names = Names::new("http://127.0.0.1:4848", IssuerStyle::Public);
        let hint = |url: &str| names.pool_of_token_endpoint(url);
        let id = PoolHint::Id(UserPoolId::from_text("us-west-2_abc"));
        assert_eq!(hint("http://127.0.0.1:4848/us-west-2_abc/oauth2/token"), Some(id));
        assert_eq!(hint("http://127.0.0.1:4848/oauth2/token"), Some(PoolHint::OfTheClient));
        let domain =
            PoolHint::Domain { label: "my-domain".to_owned(), region: Region::parse("us-west-2").unwrap() };
        assert_eq!(hint("https://My-Domain.auth.us-west-2.amazoncognito.com/oauth2/token"), Some(domain));
        for other in [
            "http://127.0.0.1:48480/us-west-2_abc/oauth2/token",
            "http://127.0.0.1:4848/a/b/oauth2/token",
            "https://my-domain.auth.us-west-2.amazoncognito.com.evil.example/oauth2/token",
            "http://my-domain.auth.us-west-2.amazoncognito.com/oauth2/token",
            "https://as.example/oauth2/token",
        ] {
            assert_eq!(hint(other), None, "{other}");
        }
    }

    #[test]
    fn both_names_of_a_pool_mean_it() {
        let names = Names::new("https://gate.example", IssuerStyle::Aws);
        let (pool, region) = (UserPoolId::from_text("us-west-2_abc"), Region::parse("us-west-2").unwrap());
        let aws = "https://cognito-idp.us-west-2.amazonaws.com/us-west-2_abc";
        assert_eq!(names.issuer(&pool, &region), aws);
        assert_eq!(names.issuers_of(&pool, Some(&region)), ["https://gate.example/us-west-2_abc", aws]);
    }
}
