//! Where an operation is served: the first server of the operation, its path or the document.
//!
//! The URL must be absolute once its variables have their values; the document's own address, which a relative URL
//! would be relative to, is not known. User information, queries and fragments have no place in it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::Value;
use url::{Host, Url};

use crate::document::{list, object, shortened};
use crate::options::Options;

/// The longest URL, before and after its variables have their values.
const MAX_URL: usize = 2_048;

/// An absolute URL without a slash at its end, and what is unusual about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) base: String,
    /// What AWS refuses, or warns of, in the URL.
    pub(crate) refused_by_aws: Vec<String>,
    /// How many servers there were to choose from.
    pub(crate) choices: usize,
}

/// The server of an operation; the scopes go from the narrowest to the widest.
pub(crate) fn choose(scopes: &[&Value], options: &Options) -> Result<Server, String> {
    if let Some(server) = &options.server {
        return resolve(server, None, &options.server_variables).map(|(base, refused_by_aws)| Server {
            base,
            refused_by_aws,
            choices: 1,
        });
    }
    let servers = scopes.iter().map(|scope| list(scope, "servers")).find(|servers| !servers.is_empty());
    let Some((first, rest)) = servers.and_then(<[Value]>::split_first) else {
        return Err("the document names no server: add `servers` with an absolute URL".to_owned());
    };
    let url = first.get("url").and_then(Value::as_str).unwrap_or_default();
    let (base, mut refused_by_aws) = resolve(url, Some(first), &options.server_variables)?;
    if options.filters.is_empty() && url.contains('{') {
        // Exports of API Gateway's stages, which are filtered, have one for the base path.
        refused_by_aws.push(format!("its server URL `{}` has variables", shortened(url)));
    }
    Ok(Server { base, refused_by_aws, choices: rest.len() + 1 })
}

fn resolve(
    template: &str,
    server: Option<&Value>,
    given: &BTreeMap<String, String>,
) -> Result<(String, Vec<String>), String> {
    let mut refused = Vec::new();
    let filled = fill(template, server, given)?;
    let url = Url::parse(filled.trim()).map_err(|error| {
        format!(
            "its server URL `{}` is not absolute ({error}): write `https://host/path`",
            shortened(&filled)
        )
    })?;
    let (Some(host), "https" | "http") = (url.host(), url.scheme()) else {
        return Err(format!("its server URL `{}` is neither https nor http", shortened(&filled)));
    };
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(format!(
            "its server URL `{}` has a user, a query or a fragment: leave them out",
            shortened(&filled)
        ));
    }
    if is_private(&host) {
        refused.push(format!("its server `{host}` is not on the public internet"));
    }
    held(url.as_str().len())?;
    Ok((url.as_str().trim_end_matches('/').to_owned(), refused))
}

/// Puts the variables' values in: ours, then the document's defaults, each held against `enum`.
fn fill(template: &str, server: Option<&Value>, given: &BTreeMap<String, String>) -> Result<String, String> {
    let variables = server.and_then(|server| object(server, "variables"));
    held(template.len())?;
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err(format!("its server URL `{}` has a brace that does not close", shortened(template)));
        };
        let variable = variables.and_then(|variables| variables.get(name));
        let default = variable.and_then(|variable| variable.get("default")).and_then(Value::as_str);
        let value = given.get(name).map(String::as_str).or(default).ok_or_else(|| {
            format!("its server URL's variable `{}` has no default: give it a value", shortened(name))
        })?;
        let allowed = variable.map(|variable| list(variable, "enum")).unwrap_or_default();
        if given.contains_key(name) && !allowed.is_empty() && !allowed.iter().any(|one| one == value) {
            return Err(format!(
                "`{}` is none of the values that the document allows for `{}`",
                shortened(value),
                shortened(name)
            ));
        }
        held(filled.len() + before.len() + value.len())?;
        filled.push_str(before);
        // API Gateway exports the base path as `/prod` behind a slash of the template.
        filled.push_str(if filled.ends_with('/') { value.strip_prefix('/').unwrap_or(value) } else { value });
        rest = after;
    }
    held(filled.len() + rest.len())?;
    filled.push_str(rest);
    Ok(filled)
}

/// Every operation has a copy of its URL.
fn held(length: usize) -> Result<(), String> {
    if length > MAX_URL {
        return Err(format!("its server URL is longer than {MAX_URL} bytes: shorten it"));
    }
    Ok(())
}

fn is_private(host: &Host<&str>) -> bool {
    let private = |address: Ipv4Addr| {
        address.is_private() || address.is_loopback() || address.is_link_local() || address.is_unspecified()
    };
    match host {
        Host::Domain(name) => {
            *name == "localhost"
                || [".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end))
        }
        Host::Ipv4(address) => private(*address),
        Host::Ipv6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.to_ipv4_mapped().is_some_and(private)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base(servers: &Value) -> Result<String, String> {
        choose(&[&json!({}), &json!({"servers": servers})], &Options::default()).map(|server| server.base)
    }

    #[test]
    fn variables_have_their_defaults_or_our_values() {
        let servers = json!([{"url": "https://{region}.example.com:8443/{stage}/", "variables": {
            "region": {"default": "eu", "enum": ["eu", "us"]}, "stage": {"default": "v1"}}}]);
        assert_eq!(base(&servers).unwrap(), "https://eu.example.com:8443/v1");
        let with = |name: &str, value: &str| {
            let options = Options {
                server_variables: [(name.to_owned(), value.to_owned())].into(),
                ..Options::default()
            };
            choose(&[&json!({"servers": servers})], &options).map(|server| server.base)
        };
        assert_eq!(with("region", "us").unwrap(), "https://us.example.com:8443/v1");
        assert!(with("region", "evil.example/").unwrap_err().contains("none of the values"));
    }

    #[test]
    fn what_is_no_absolute_address_is_refused() {
        for (servers, why) in [
            (json!([]), "names no server"),
            (json!([{"url": "/v1"}]), "not absolute"),
            (json!([{"url": ""}]), "not absolute"),
            (json!([{}]), "not absolute"),
            (json!([{"url": "ftp://x"}]), "neither https nor http"),
            (json!([{"url": "https://user:word@x/"}]), "a user"),
            (json!([{"url": "https://x/?a=b"}]), "a query"),
            (json!([{"url": "https://{host}/"}]), "no default"),
            (json!([{"url": "https://{host/"}]), "does not close"),
        ] {
            assert!(base(&servers).unwrap_err().contains(why), "{servers}: {:?}", base(&servers));
        }
    }

    #[test]
    fn urls_have_a_length() {
        let of = |length: usize| json!([{"url": format!("https://x/{}", "a".repeat(length - 10))}]);
        assert_eq!(base(&of(2_048)).unwrap().len(), 2_048);
        assert!(base(&of(2_049)).unwrap_err().contains("longer than 2048"));
        assert!(
            base(&json!([{"url": format!("https://x/{}", " a".repeat(900))}]))
                .unwrap_err()
                .contains("longer")
        );
        let large = json!({"a": {"default": "y".repeat(1_000_000)}});
        let filled = json!([{"url": format!("https://x/{}", "{a}".repeat(500)), "variables": large}]);
        assert!(base(&filled).unwrap_err().contains("longer than 2048"));
    }

    #[test]
    fn private_and_variable_servers_are_noticed() {
        for (url, count) in [
            ("https://example.com", 0),
            ("http://127.0.0.1:8080/x", 1),
            ("http://[::ffff:10.0.0.1]/", 1),
            ("https://10.1.2.3", 1),
            ("http://localhost", 1),
            ("https://169.254.169.254/latest", 1),
        ] {
            let server = choose(&[&json!({"servers": [{"url": url}]})], &Options::default()).unwrap();
            assert_eq!(server.refused_by_aws.len(), count, "{url}");
        }
    }

    #[test]
    fn the_narrowest_servers_are_taken() {
        let scope = |url: &str| json!({"servers": [{"url": url}]});
        let (narrow, wide) = (scope("https://narrow.example"), scope("https://wide.example"));
        let server = choose(&[&narrow, &wide], &Options::default()).unwrap();
        assert_eq!(server.base, "https://narrow.example");
        let options = Options { server: Some("http://127.0.0.1:1/api".to_owned()), ..Options::default() };
        assert_eq!(choose(&[&narrow], &options).unwrap().base, "http://127.0.0.1:1/api");
    }
}
