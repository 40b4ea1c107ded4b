//! `_meta` of a request: what the protocol itself says there since 2026-07-28, and what is passed on to a server.
//!
//! Source: 2026-07-28, "Overview", "`_meta`"; "Progress"; "Logging".

use serde_json::value::RawValue;

use crate::{Members, Version};

/// The member that names the version.
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// The member that names the client.
const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
/// The member that says what the client can do.
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// The member that asks for log messages.
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// What the members of the protocol begin with.
const OWN: &str = "io.modelcontextprotocol/";

/// The levels of log messages (RFC 5424, section 6.2.1).
pub const LOG_LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Of the client's capabilities, those that a server can make use of during a request.
const USED: [&str; 3] = ["elicitation", "sampling", "roots"];

/// What the protocol says in a request's `_meta`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestMeta {
    /// The version that the request speaks, as it is written.
    pub version: Option<String>,
    /// What the client can do.
    pub capabilities: Option<Capabilities>,
    /// From which level on the client wants log messages.
    pub log_level: Option<String>,
}

impl RequestMeta {
    /// Reads the `_meta` of a request's parameters.
    ///
    /// # Errors
    /// When it is not what the protocol wants, in words for the caller.
    pub fn read(params: Option<&RawValue>) -> Result<Self, String> {
        let wrong = |error: serde_json::Error| format!("Invalid params: {error}");
        let Some(params) = params else { return Ok(Self::default()) };
        let params = Members::parse(params).map_err(wrong)?;
        let Some(meta) = params.get("_meta") else { return Ok(Self::default()) };
        let meta: Members<'_> =
            serde_json::from_str(meta).map_err(|error| format!("Invalid _meta: {error}"))?;
        let capabilities = meta.get(CAPABILITIES).map(Capabilities::read).transpose()?;
        let log_level = meta.text(LOG_LEVEL);
        if log_level.as_deref().is_some_and(|level| !LOG_LEVELS.contains(&level)) {
            return Err(format!("Invalid params: {LOG_LEVEL} must be one of {}", LOG_LEVELS.join(", ")));
        }
        Ok(Self { version: meta.text(VERSION), capabilities, log_level })
    }
}

/// The largest capabilities that are kept, in bytes.
const MAX_CAPABILITIES: usize = 4 * 1024;

/// What a client can do on a server's behalf, as far as a server can make use of it: the members `elicitation`,
/// `sampling` and `roots` of its capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(String);

impl Capabilities {
    /// Reads a client's capabilities, which are a JSON object.
    ///
    /// # Errors
    /// When they are none.
    pub fn read(json: &str) -> Result<Self, String> {
        let mut members: Members<'_> =
            serde_json::from_str(json).map_err(|error| format!("Invalid client capabilities: {error}"))?;
        members.retain(|name| USED.contains(&name));
        if members.to_string().len() > MAX_CAPABILITIES {
            return Err(format!("Invalid client capabilities: they have more than {MAX_CAPABILITIES} bytes"));
        }
        Ok(if members.is_empty() { Self::default() } else { Self(members.to_string()) })
    }

    /// Them, as JSON.
    #[must_use]
    pub fn as_json(&self) -> &str {
        if self.0.is_empty() { "{}" } else { &self.0 }
    }

    /// Whether the client can answer a server's request of this method.
    #[must_use]
    pub fn answers(&self, method: &str) -> bool {
        required_for(method).is_some_and(|capability| {
            serde_json::from_str::<Members<'_>>(self.as_json())
                .is_ok_and(|members| members.get(capability).is_some())
        })
    }
}

/// The capability that a client needs for a server's request of this method.
#[must_use]
pub fn required_for(method: &str) -> Option<&'static str> {
    match method {
        "elicitation/create" => Some("elicitation"),
        "sampling/createMessage" => Some("sampling"),
        "roots/list" => Some("roots"),
        _ => None,
    }
}

/// `_meta` for a server: what the client wrote, without what the protocol says there, and with what it has to say to
/// this server. `progress` is the token that the server is given if the client gave one. The second value is the
/// client's own token, as JSON.
pub(crate) fn for_server(
    given: Option<&RawValue>,
    version: Version,
    capabilities: &Capabilities,
    log_level: Option<&str>,
    progress: u64,
) -> (Option<String>, Option<String>) {
    let mut meta = given.and_then(|meta| Members::parse(meta).ok()).unwrap_or_default();
    meta.retain(|name| !name.starts_with(OWN));
    let token = meta.get("progressToken").map(str::to_owned);
    if token.is_some() {
        meta.set("progressToken", progress.to_string());
    }
    if version.is_modern() {
        meta.set(VERSION, format!("\"{version}\""));
        meta.set(
            CLIENT,
            concat!("{\"name\":\"portcullis\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}"),
        );
        meta.set(CAPABILITIES, capabilities.as_json().to_owned());
        if let Some(level) = log_level {
            meta.set(LOG_LEVEL, serde_json::Value::from(level).to_string());
        }
    }
    ((!meta.is_empty()).then(|| meta.to_string()), token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn what_the_protocol_says_is_read() {
        let params = raw(
            r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/logLevel":"info",
                "io.modelcontextprotocol/clientCapabilities":{"sampling":{"tools":{}},"experimental":{}}}}"#,
        );
        let meta = RequestMeta::read(Some(&params)).unwrap();
        assert_eq!(meta.version.as_deref(), Some("2026-07-28"));
        assert_eq!(meta.log_level.as_deref(), Some("info"));
        let capabilities = meta.capabilities.unwrap();
        assert_eq!(capabilities.as_json(), r#"{"sampling":{"tools":{}}}"#);
        assert!(capabilities.answers("sampling/createMessage") && !capabilities.answers("roots/list"));
        assert_eq!(RequestMeta::read(None).unwrap(), RequestMeta::default());
        let wrong = raw(r#"{"_meta":{"io.modelcontextprotocol/clientCapabilities":[]}}"#);
        assert!(RequestMeta::read(Some(&wrong)).is_err());
    }

    #[test]
    fn a_server_gets_what_is_its_own() {
        let given = raw(
            r#"{"progressToken":"p","traceparent":"00-1","io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#,
        );
        let none = Capabilities::default();
        let (meta, token) = for_server(Some(&given), Version::V2025_11_25, &none, None, 7);
        assert_eq!(meta.as_deref(), Some(r#"{"progressToken":7,"traceparent":"00-1"}"#));
        assert_eq!(token.as_deref(), Some("\"p\""));
        let (meta, token) = for_server(None, Version::V2026_07_28, &none, Some("debug"), 7);
        let meta: serde_json::Value = serde_json::from_str(&meta.unwrap()).unwrap();
        assert_eq!(meta[VERSION], "2026-07-28");
        assert_eq!(meta[CAPABILITIES], serde_json::json!({}));
        assert_eq!((meta[LOG_LEVEL].as_str(), token), (Some("debug"), None));
        assert_eq!(for_server(None, Version::V2025_06_18, &none, Some("debug"), 7), (None, None));
    }
}
