//! Which hosts are answered, and who answers them.
//!
//! The rule is one regular expression, because the hooks of other languages follow it too: it keeps to what Rust, Python
//! and JavaScript read alike.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use regex::Regex;

/// The services whose regional hosts are answered: those of `models/surface.toml` by the first label of their hosts, and
/// the data plane of AgentCore, which has gateways and runtimes.
const SERVICES: &str = "bedrock-agentcore|bedrock-agentcore-control|bedrock-runtime|cloudtrail|cognito-idp|email|iam|kms|lambda|logs|secretsmanager|sts|xray";
/// A region, as AWS writes it.
const REGION: &str = "[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}";

/// Where something is answered: `http://`, a host, perhaps a port and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What comes before the path of each request; empty, or begins with a slash and ends without one.
    pub(crate) base: String,
}

impl FromStr for Place {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no URL to send requests to: write it like http://127.0.0.1:8080");
        let uri: http::Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if uri.scheme_str() == Some("https") {
            return Err(format!(
                "`{text}` is behind TLS, which names the wrong host here: give the http:// address behind it"
            ));
        }
        let sound = uri.scheme_str() == Some("http")
            && uri.query().is_none()
            && !authority.as_str().contains('@')
            && !text.contains('#');
        if !sound {
            return Err(wrong());
        }
        Ok(Self {
            host: unbracketed(authority.host()).to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(80),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, base } = self;
        if host.contains(':') {
            write!(formatter, "http://[{host}]:{port}{base}")
        } else {
            write!(formatter, "http://{host}:{port}{base}")
        }
    }
}

/// A host, or all names under one, and who answers there: `HOST=URL`, where HOST may be `*.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name, or the name under which all are meant.
    name: String,
    is_wild: bool,
    place: Place,
}

impl FromStr for Answer {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (host, place) = text.split_once('=').ok_or_else(|| {
            format!("`{text}` is no HOST=URL: write it like api.example.com=http://127.0.0.1:8080")
        })?;
        let lower = host.to_ascii_lowercase();
        let name = lower.strip_prefix("*.").unwrap_or(&lower);
        if !is_name(name) {
            return Err(format!(
                "`{host}` is no host to answer for: write a name like api.example.com or *.example.com, without scheme and port"
            ));
        }
        if name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok() {
            return Err(format!("`{host}` goes by its own address: only names can be answered for"));
        }
        Ok(Self { name: name.to_owned(), is_wild: name.len() != lower.len(), place: place.parse()? })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wild = if self.is_wild { "*." } else { "" };
        write!(formatter, "{wild}{}={}", self.name, self.place)
    }
}

/// A DNS name (RFC 1123, section 2.1), with the underscores that are seen in practice.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// All that is answered.
pub(crate) struct Names {
    endpoint: Place,
    answers: Vec<Answer>,
    rule: Regex,
}

impl Names {
    pub(crate) fn new(endpoint: Place, answers: Vec<Answer>) -> Result<Self, regex::Error> {
        let services = [
            format!("(?:{SERVICES})\\.{REGION}\\.amazonaws\\.com"),
            "(?:iam|sts)\\.amazonaws\\.com".to_owned(),
            format!("[a-z0-9-]+\\.gateway\\.bedrock-agentcore\\.{REGION}\\.amazonaws\\.com"),
            format!("[a-z0-9-]+\\.auth\\.{REGION}\\.amazoncognito\\.com"),
            // Buckets may be labels before it, and may have dots of their own.
            format!("(?:[a-z0-9][a-z0-9._-]*\\.)?s3(?:(?:\\.dualstack)?[.-]{REGION})?\\.amazonaws\\.com"),
        ];
        let given = answers.iter().map(|answer| {
            let under = if answer.is_wild { "(?:[a-z0-9_-]+\\.)+" } else { "" };
            // A name has no character but the dot that means something in an expression.
            format!("{under}{}", answer.name.replace('.', "\\."))
        });
        let rule = services.into_iter().chain(given).collect::<Vec<_>>().join("|");
        Ok(Self { endpoint, answers, rule: Regex::new(&format!("^(?:{rule})$"))? })
    }

    /// Who answers for a host; nobody, when it goes where it always goes. An exact name is asked before names under one.
    pub(crate) fn place(&self, host: &str) -> Option<&Place> {
        let host = plain(host);
        if !self.rule.is_match(&host) {
            return None;
        }
        let exact = self.answers.iter().find(|answer| !answer.is_wild && answer.name == host);
        let under = |answer: &&Answer| {
            answer.is_wild && host.strip_suffix(&answer.name).is_some_and(|rest| rest.ends_with('.'))
        };
        let given = exact.or_else(|| self.answers.iter().find(under));
        Some(given.map_or(&self.endpoint, |answer| &answer.place))
    }

    /// The rule, for the hooks.
    pub(crate) fn rule(&self) -> &str {
        self.rule.as_str()
    }

    /// The names under which all that is answered is: the authority can vouch for no other.
    pub(crate) fn domains(&self) -> impl Iterator<Item = &str> {
        ["amazonaws.com", "amazoncognito.com"]
            .into_iter()
            .chain(self.answers.iter().map(|it| it.name.as_str()))
    }

    /// Whether a host may be spoken to although everything else is refused: this machine itself, and the server.
    pub(crate) fn is_near(&self, host: &str) -> bool {
        let host = plain(host);
        let address = host.parse::<IpAddr>();
        host == "localhost"
            || host.ends_with(".localhost")
            || host == self.endpoint.host
            || address.is_ok_and(|address| address.is_loopback())
    }

    pub(crate) fn endpoint(&self) -> &Place {
        &self.endpoint
    }
}

/// A host as it is compared: in lower case, without brackets and without the dot of the root.
fn plain(host: &str) -> String {
    unbracketed(host).trim_end_matches('.').to_ascii_lowercase()
}

/// An address of version 6 without what a URL puts around it.
pub(crate) fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(answers: &[&str]) -> Names {
        let answers = answers.iter().map(|answer| answer.parse().unwrap()).collect();
        Names::new("http://127.0.0.1:4848".parse().unwrap(), answers).unwrap()
    }

    #[test]
    fn hosts_of_the_promised_services_are_answered() {
        let names = names(&[]);
        for host in [
            "bedrock-agentcore-control.us-west-2.amazonaws.com",
            "bedrock-agentcore.eu-central-1.amazonaws.com",
            "g-1.gateway.bedrock-agentcore.us-west-2.amazonaws.com",
            "agentcore-1a2b3c4d.auth.us-west-2.amazoncognito.com",
            "Cognito-IDP.us-gov-west-1.amazonaws.com.",
            "iam.amazonaws.com",
            "sts.amazonaws.com",
            "sts.us-west-2.amazonaws.com",
            "email.us-west-2.amazonaws.com",
            "lambda.us-west-2.amazonaws.com",
            "s3.amazonaws.com",
            "s3.us-west-2.amazonaws.com",
            "s3-us-west-2.amazonaws.com",
            "a.bucket.s3.us-west-2.amazonaws.com",
            "bucket.s3.dualstack.us-west-2.amazonaws.com",
            "bucket.s3.amazonaws.com",
        ] {
            assert_eq!(names.place(host), Some(names.endpoint()), "{host}");
        }
    }

    #[test]
    fn every_promised_service_is_among_them() {
        let promised = include_str!("../../../models/surface.toml").lines();
        let promised = promised.filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
        for service in promised.filter(|section| !section.contains('.')) {
            // SES's hosts have another name.
            let label = if service == "ses" { "email" } else { service };
            let host = format!("{label}.us-west-2.amazonaws.com");
            assert!(
                names(&[]).place(&host).is_some(),
                "{host}: its label belongs into SERVICES and docs/exec.md"
            );
        }
    }

    #[test]
    fn other_hosts_are_not() {
        let names = names(&["api.example.com=http://127.0.0.1:1"]);
        for host in [
            "example.com",
            "x.api.example.com",
            "apixexample.com",
            "ec2.us-west-2.amazonaws.com",
            "dynamodb.us-west-2.amazonaws.com",
            "amazonaws.com",
            "iam.amazonaws.com.example.com",
            "evil-iam.amazonaws.com",
            "iam.amazonaws.com\n",
            "auth.us-west-2.amazoncognito.com",
            "xs3.us-west-2.amazonaws.com",
            "127.0.0.1",
            "",
        ] {
            assert_eq!(names.place(host), None, "{host}");
        }
    }

    #[test]
    fn the_nearest_answer_wins() {
        let names = names(&[
            "*.example.com=http://127.0.0.1:1/base/",
            "api.example.com=http://[::1]:2",
            "sts.us-west-2.amazonaws.com=http://127.0.0.1:3",
        ]);
        let place = |host: &str| names.place(host).map(ToString::to_string);
        assert_eq!(place("a.b.example.com").as_deref(), Some("http://127.0.0.1:1/base"));
        assert_eq!(place("api.example.com").as_deref(), Some("http://[::1]:2"));
        assert_eq!(place("sts.us-west-2.amazonaws.com").as_deref(), Some("http://127.0.0.1:3"));
        assert_eq!(place("example.com"), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "api.example.com",
            "=http://127.0.0.1:1",
            "https://api.example.com=http://127.0.0.1:1",
            "api.example.com:443=http://127.0.0.1:1",
            "127.0.0.1=http://127.0.0.1:1",
            "localhost=http://127.0.0.1:1",
            "a.*.example.com=http://127.0.0.1:1",
            "*=http://127.0.0.1:1",
            "api.example.com=https://127.0.0.1:1",
            "api.example.com=127.0.0.1:1",
            "api.example.com=http://user@127.0.0.1:1",
            "api.example.com=http://127.0.0.1:1/?a=b",
        ] {
            assert!(text.parse::<Answer>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_near_is_this_machine() {
        let names = names(&[]);
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "a.localhost"] {
            assert!(names.is_near(host), "{host}");
        }
        for host in ["example.com", "10.0.0.1", "169.254.169.254", "[2001:db8::1]"] {
            assert!(!names.is_near(host), "{host}");
        }
    }
}
