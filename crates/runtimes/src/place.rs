//! What a path under `/runtimes/` asks for: which runtime, and what of it.

use domain::{AccountId, AgentRuntimeId, Arn};
use http::Method;
use percent_encoding::percent_decode_str;

/// The longest name of a runtime that is looked at, in bytes.
const LONGEST: usize = 2_048;

/// What is asked of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `InvokeAgentRuntime`.
    Invoke,
    /// `InvokeAgentRuntimeWithWebSocketStream`.
    Open,
    /// `StopRuntimeSession`.
    Stop,
    /// `GetRuntimeProtectedResourceMetadata`.
    Metadata,
}

impl Asked {
    /// The operation's name.
    #[must_use]
    pub fn operation(self) -> &'static str {
        match self {
            Self::Invoke => "InvokeAgentRuntime",
            Self::Open => "InvokeAgentRuntimeWithWebSocketStream",
            Self::Stop => "StopRuntimeSession",
            Self::Metadata => "GetRuntimeProtectedResourceMetadata",
        }
    }

    /// The IAM action.
    pub(crate) fn action(self) -> String {
        format!("bedrock-agentcore:{}", self.operation())
    }

    /// The one method that it has.
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Invoke | Self::Stop => Method::POST,
            Self::Open | Self::Metadata => Method::GET,
        }
    }
}

/// Which runtime, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The runtime as the caller named it, decoded: an ARN or an id.
    pub runtime: String,
    /// What is asked of it.
    pub asked: Asked,
}

/// How paths end.
const ENDS: [(&str, Asked); 4] = [
    ("/invocations/.well-known/oauth-protected-resource", Asked::Metadata),
    ("/invocations", Asked::Invoke),
    ("/stopruntimesession", Asked::Stop),
    ("/ws", Asked::Open),
];

impl Place {
    /// Reads a path as it stands on the request line. The ARN of a runtime may be percent-encoded or not: what stands
    /// before the end is its name.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/runtimes/")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (name, asked) = ENDS.iter().find_map(|(end, asked)| Some((rest.strip_suffix(end)?, *asked)))?;
        let runtime = percent_decode_str(name).decode_utf8().ok()?.into_owned();
        let sound = !runtime.is_empty() && runtime.len() <= LONGEST;
        sound.then_some(Self { runtime, asked })
    }

    /// The runtime that is named.
    pub(crate) fn named(&self) -> Option<Named> {
        if self.runtime.starts_with("arn:") {
            let arn = Arn::parse(&self.runtime).ok()?;
            return match arn.as_agent_runtime()? {
                (_, _, None) => Some(Named::Arn(arn)),
                (_, _, Some(_)) => None,
            };
        }
        (!self.runtime.contains('/')).then(|| Named::Id(AgentRuntimeId::from_text(self.runtime.as_str())))
    }
}

/// How a caller names a runtime.
pub(crate) enum Named {
    /// By its ARN.
    Arn(Arn),
    /// By its id; the account stands in the query.
    Id(AgentRuntimeId),
}

/// The parameters of a request.
pub(crate) struct Query {
    /// The endpoint; `DEFAULT` where none is named.
    pub(crate) qualifier: String,
    /// Whose the runtime is, where its ARN does not say so.
    pub(crate) account: Option<AccountId>,
    /// All parameters, decoded.
    pub(crate) all: Vec<(String, String)>,
}

impl Query {
    /// Reads a query string.
    pub(crate) fn read(query: &str) -> Self {
        let all: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let first = |name: &str| all.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let qualifier = first("qualifier").filter(|name| !name.is_empty());
        Self {
            qualifier: qualifier.unwrap_or(domain::DEFAULT_ENDPOINT).to_owned(),
            account: first("accountId").and_then(|account| AccountId::parse(account).ok()),
            all,
        }
    }

    /// The first value of a parameter, whatever the case of its name.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let known = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.all.iter().find(known).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:bedrock-agentcore:us-west-2:000000000000:runtime/a-0123456789";
    const ESCAPED: &str = "arn%3Aaws%3Abedrock-agentcore%3Aus-west-2%3A000000000000%3Aruntime%2Fa-0123456789";

    #[test]
    fn runtimes_are_named_by_arn_encoded_or_not_and_by_id() {
        for name in [ARN, ESCAPED] {
            for (end, asked) in ENDS {
                let place = Place::of(&format!("/runtimes/{name}{end}")).unwrap();
                assert_eq!((place.runtime.as_str(), place.asked), (ARN, asked), "{name}{end}");
                assert!(matches!(place.named(), Some(Named::Arn(_))));
            }
        }
        let place = Place::of("/runtimes/a-0123456789/invocations/").unwrap();
        assert!(matches!(place.named(), Some(Named::Id(id)) if id.as_str() == "a-0123456789"));
    }

    #[test]
    fn what_is_the_control_planes_is_not_taken() {
        for path in [
            "/runtimes/",
            "/runtimes/a-0123456789/",
            "/runtimes/a-0123456789/versions/",
            "/runtimes/a-0123456789/runtime-endpoints/DEFAULT/",
            "/runtimes//invocations",
            "/gateways/a/invocations",
        ] {
            assert_eq!(Place::of(path), None, "{path}");
        }
    }

    #[test]
    fn what_names_no_runtime_is_none() {
        for name in ["arn:aws:s3:::x", "a/b", &format!("{ARN}/runtime-endpoint/x"), "arn:x"] {
            assert!(Place::of(&format!("/runtimes/{name}/ws")).unwrap().named().is_none(), "{name}");
        }
    }
}
