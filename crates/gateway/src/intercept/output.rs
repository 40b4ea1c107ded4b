//! What an interceptor answers. It is read strictly: what cannot be understood must not pass for "nothing to change".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::headers;
use crate::upstream::Failed;

/// The version of the contract.
const VERSION: &str = "1.0";

/// What is to be changed. Bodies are kept as they were written.
#[derive(Default)]
pub(super) struct Output<'a> {
    pub(super) request: Option<ChangedRequest<'a>>,
    pub(super) response: Option<ChangedResponse<'a>>,
}

/// `transformedGatewayRequest`.
pub(super) struct ChangedRequest<'a> {
    pub(super) headers: Option<&'a RawValue>,
    pub(super) body: Option<String>,
}

/// `transformedGatewayResponse`.
#[derive(Default)]
pub(super) struct ChangedResponse<'a> {
    status: Option<u16>,
    headers: Option<&'a RawValue>,
    content_type: Option<String>,
    body: Option<String>,
}

/// How much of an answer may still be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    All,
    /// Its status and its headers are with the client already.
    BodyOnly,
}

/// An answer as an interceptor wants it; what is absent stays.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: Option<StatusCode>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) body: Option<Bytes>,
}

impl<'a> Output<'a> {
    /// Reads the part of an answer that is about this kind of message, `mcp` or `http`.
    pub(super) fn read(payload: &'a [u8], kind: &str) -> Result<Self, Failed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole<'a> {
            #[serde(default, rename = "interceptorOutputVersion")]
            version: Option<String>,
            #[serde(borrow, default)]
            mcp: Option<&'a RawValue>,
            #[serde(borrow, default)]
            http: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Part<'a> {
            #[serde(borrow, default)]
            transformed_gateway_request: Option<&'a RawValue>,
            #[serde(borrow, default)]
            transformed_gateway_response: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Request<'a> {
            #[serde(borrow, default)]
            headers: Option<&'a RawValue>,
            #[serde(borrow, default)]
            body: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Response<'a> {
            #[serde(default)]
            status_code: Option<u16>,
            #[serde(borrow, default)]
            headers: Option<&'a RawValue>,
            #[serde(default)]
            content_type: Option<String>,
            #[serde(borrow, default)]
            body: Option<&'a RawValue>,
        }
        strict_json::check(payload).map_err(|_| refuse("something that is no sound JSON"))?;
        let whole: Whole<'a> = object(std::str::from_utf8(payload).unwrap_or_default())?;
        let part = if kind == "mcp" { whole.mcp } else { whole.http };
        let Some(part) = part.map(|part| object::<Part<'a>>(part.get())).transpose()? else {
            return Ok(Self::default());
        };
        if whole.version.as_deref() != Some(VERSION) {
            return Err(refuse("another `interceptorOutputVersion` than \"1.0\""));
        }
        let text = |body: Option<&RawValue>| body.map(|body| body.get().to_owned());
        let request = part.transformed_gateway_request.map(|given| object::<Request<'a>>(given.get()));
        let response = part.transformed_gateway_response.map(|given| object::<Response<'a>>(given.get()));
        Ok(Self {
            request: request
                .transpose()?
                .map(|request| ChangedRequest { headers: request.headers, body: text(request.body) }),
            response: response.transpose()?.map(|response| ChangedResponse {
                status: response.status_code,
                headers: response.headers,
                content_type: response.content_type,
                body: text(response.body),
            }),
        })
    }
}

/// Reads an object: serde would take an array for one.
fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failed> {
    if !text.trim_start().starts_with('{') {
        return Err(refuse("something that is no object where one must be"));
    }
    serde_json::from_str(text)
        .map_err(|error| refuse(&format!("something that is no answer of an interceptor: {error}")))
}

impl ChangedResponse<'_> {
    /// The answer to a message: its body is a JSON object, and nothing else may be said on this endpoint.
    pub(super) fn of_message(self) -> Result<Answered, Failed> {
        if self.body.as_ref().is_some_and(|body| !body.starts_with('{')) {
            return Err(refuse("a `body` that is no JSON object"));
        }
        let body = self.body.clone().map(Bytes::from);
        Ok(Answered { content_type: None, ..self.answered(body)? })
    }

    /// The answer of an HTTP target: its body is base64.
    pub(super) fn of_http(self) -> Result<Answered, Failed> {
        let body = self.body.as_deref().map(decoded).transpose()?;
        self.answered(body)
    }

    fn answered(self, body: Option<Bytes>) -> Result<Answered, Failed> {
        let status = match self.status {
            None => None,
            Some(code) => Some(
                StatusCode::from_u16(code)
                    .ok()
                    .filter(|status| (200..600).contains(&status.as_u16()))
                    .ok_or_else(|| refuse("a `statusCode` that is none"))?,
            ),
        };
        let content_type = match &self.content_type {
            None => None,
            Some(text) => {
                Some(HeaderValue::from_str(text).map_err(|_| refuse("a `contentType` that is none"))?)
            }
        };
        let mut given = headers::given(self.headers, &HeaderMap::new())?;
        given.retain(|(name, _)| !headers::is_ours(name) && *name != CONTENT_TYPE);
        Ok(Answered { status, headers: given, content_type, body })
    }
}

/// A body that was written as a text of base64.
pub(super) fn decoded(body: &str) -> Result<Bytes, Failed> {
    let text: Option<String> = serde_json::from_str(body).ok();
    let bytes = text.and_then(|text| STANDARD.decode(text).ok());
    bytes.map(Bytes::from).ok_or_else(|| refuse("a `body` that is no base64"))
}

fn refuse(what: &str) -> Failed {
    Failed::new(format!("the interceptor answered with {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_changes_nothing_says_nothing() {
        for text in [
            "{}",
            r#"{"interceptorOutputVersion":"1.0"}"#,
            r#"{"interceptorOutputVersion":"1.0","mcp":{}}"#,
            r#"{"interceptorOutputVersion":"1.0","mcp":{"transformedGatewayRequest":null}}"#,
            r#"{"interceptorOutputVersion":"1.0","mcp":null,"http":{"transformedGatewayRequest":{}}}"#,
        ] {
            let output = Output::read(text.as_bytes(), "mcp").ok().unwrap();
            assert!(output.request.is_none() && output.response.is_none(), "{text}");
        }
        let text = r#"{"interceptorOutputVersion":"1.0","mcp":{"transformedGatewayRequest":{"headers":null,"body":null}}}"#;
        let changed = Output::read(text.as_bytes(), "mcp").ok().unwrap().request.unwrap();
        assert!(changed.headers.is_none() && changed.body.is_none());
    }

    #[test]
    fn what_cannot_be_understood_does_not_pass() {
        for text in [
            "",
            "null",
            "[]",
            "\"ok\"",
            r#"{"mcp":{}}"#,
            r#"{"interceptorOutputVersion":"2.0","mcp":{}}"#,
            r#"{"interceptorOutputVersion":1.0,"mcp":{}}"#,
            r#"{"interceptorOutputVersion":"1.0","mcp":[]}"#,
            r#"{"interceptorOutputVersion":"1.0","mcp":{"transformedGatewayResponse":[403]}}"#,
            r#"{"interceptorOutputVersion":"1.0","transformedGatewayRequest":{}}"#,
            r#"{"interceptorOutputVersion":"1.0","mcp":{"transformedGatewayResponse":{"statusCode":"403"}}}"#,
            r#"{"interceptorOutputVersion":"1.0","mcp":{},"mcp":{}}"#,
        ] {
            assert!(Output::read(text.as_bytes(), "mcp").is_err(), "{text}");
        }
        for part in [
            r#"{"statusCode":99}"#,
            r#"{"statusCode":600}"#,
            r#"{"statusCode":101}"#,
            r#"{"body":"text"}"#,
            r#"{"body":[]}"#,
        ] {
            let text = format!(
                r#"{{"interceptorOutputVersion":"1.0","mcp":{{"transformedGatewayResponse":{part}}}}}"#
            );
            let changed = Output::read(text.as_bytes(), "mcp").ok().unwrap().response.unwrap();
            assert!(changed.of_message().is_err(), "{part}");
        }
    }
}
