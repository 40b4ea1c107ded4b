//! JSON-RPC 2.0 messages whose parts stay the bytes they came as.
//!
//! A message is read once, into slices of itself; a repeated member is an error, so that what is decided about is what
//! is passed on. Members that are not known are passed on with everything else.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The message is no JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The message is no request.
pub const INVALID_REQUEST: i64 = -32600;
/// There is no such method.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters are not what the method wants.
pub const INVALID_PARAMS: i64 = -32602;
/// Something went wrong on our side.
pub const INTERNAL_ERROR: i64 = -32603;
/// Nobody that is accepted is calling (AgentCore: with HTTP status 401).
pub const UNAUTHENTICATED: i64 = -32001;
/// The caller may not (AgentCore: with HTTP status 403).
pub const FORBIDDEN: i64 = -32002;
/// There is no such resource, before 2026-07-28; since then it is [`INVALID_PARAMS`].
pub const RESOURCE_NOT_FOUND: i64 = -32002;
/// Too many requests (AgentCore, "MCP protocol contract").
pub const THROTTLED: i64 = -32003;
/// A header says something else than the body (2026-07-28, "Server Validation").
pub const HEADER_MISMATCH: i64 = -32020;
/// The client lacks a capability (2026-07-28, `MissingRequiredClientCapabilityError`).
pub const MISSING_CAPABILITY: i64 = -32021;
/// The version is not spoken (2026-07-28, `UnsupportedProtocolVersionError`).
pub const UNSUPPORTED_VERSION: i64 = -32022;

/// A request or a notification.
#[derive(Deserialize)]
pub struct Request<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    /// Its id; absent for a notification.
    #[serde(borrow, default, deserialize_with = "given")]
    pub id: Option<&'a RawValue>,
    /// The method.
    #[serde(borrow, default)]
    pub method: Option<Cow<'a, str>>,
    /// Its parameters, unread.
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
    /// Present in an answer to a request of ours.
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    /// Present in an answer to a request of ours.
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// A member that is there, even if it is `null`: an id that is `null` is a wrong id, and not none.
fn given<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// What a message is.
pub enum Message<'a> {
    /// A request, which gets an answer.
    Request {
        /// Its id: a string or a number.
        id: &'a RawValue,
        /// The method.
        method: Cow<'a, str>,
        /// Its parameters, unread.
        params: Option<&'a RawValue>,
    },
    /// A notification, which gets none.
    Notification {
        /// The method.
        method: Cow<'a, str>,
        /// Its parameters, unread.
        params: Option<&'a RawValue>,
    },
    /// An answer to a request of ours.
    Answer {
        /// The id of the request.
        id: &'a RawValue,
        /// The result, unread; `None` for an error.
        result: Option<&'a RawValue>,
        /// The error, unread.
        error: Option<&'a RawValue>,
    },
}

impl<'a> Message<'a> {
    /// Reads one message.
    ///
    /// # Errors
    /// [`Malformed`], with the id of the message where it can be told.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        // Of members that nobody here reads, the parser would not look whether they are UTF-8 (RFC 8259, section 8.1).
        let text = std::str::from_utf8(bytes).map_err(|error| Malformed {
            code: PARSE_ERROR,
            detail: error.to_string(),
            id: None,
        })?;
        let request: Request<'a> = serde_json::from_str(text).map_err(|error| malformed(bytes, &error))?;
        let refuse = |detail: &str| Malformed {
            code: INVALID_REQUEST,
            detail: detail.to_owned(),
            id: request.id.filter(|id| is_id(id)).map(|id| id.get().to_owned()),
        };
        if request.jsonrpc != "2.0" {
            return Err(refuse("`jsonrpc` must be \"2.0\""));
        }
        if request.id.is_some_and(|id| !is_id(id)) {
            return Err(refuse("`id` must be a string or a whole number"));
        }
        if request.params.is_some_and(|params| !params.get().starts_with('{')) {
            return Err(refuse("`params` must be an object"));
        }
        match (&request.method, request.id) {
            (Some(_), _) if request.result.is_some() || request.error.is_some() => {
                Err(refuse("a message is either a request or an answer"))
            }
            (Some(method), Some(id)) => {
                Ok(Self::Request { id, method: method.clone(), params: request.params })
            }
            (Some(method), None) => Ok(Self::Notification { method: method.clone(), params: request.params }),
            (None, Some(id)) if request.result.is_some() != request.error.is_some() => {
                Ok(Self::Answer { id, result: request.result, error: request.error })
            }
            (None, _) => Err(refuse("`method` is missing")),
        }
    }
}

/// A message that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// [`PARSE_ERROR`] or [`INVALID_REQUEST`].
    pub code: i64,
    /// What is wrong.
    pub detail: String,
    /// The id, as it was written, where it could be told.
    pub id: Option<String>,
}

fn malformed(bytes: &[u8], error: &serde_json::Error) -> Malformed {
    // JSON that does not fit the message is an invalid request; what is no JSON is a parse error.
    let code =
        if error.is_data() && strict_json::check(bytes).is_ok() { INVALID_REQUEST } else { PARSE_ERROR };
    Malformed { code, detail: error.to_string(), id: None }
}

/// MCP allows strings and whole numbers, and no `null`.
fn is_id(id: &RawValue) -> bool {
    let text = id.get();
    text.starts_with('"') || text.parse::<i64>().is_ok()
}

/// The messages of a body: one, or, where batches are spoken, those of an array.
///
/// # Errors
/// [`Malformed`] for what is neither.
pub fn split(bytes: &[u8]) -> Result<Split<'_>, Malformed> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
        return Ok(Split::One(bytes));
    }
    let messages: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(|error| Malformed {
        code: PARSE_ERROR,
        detail: error.to_string(),
        id: None,
    })?;
    Ok(Split::Batch(messages.into_iter().map(|message| message.get().as_bytes()).collect()))
}

/// What a body holds.
pub enum Split<'a> {
    /// One message.
    One(&'a [u8]),
    /// An array of messages.
    Batch(Vec<&'a [u8]>),
}

/// The parameters of `tools/call`, `prompts/get` or `resources/read`: whatever is about one named thing.
pub struct CallParams<'a> {
    /// The tool's or prompt's name, or the resource's URI.
    pub name: Cow<'a, str>,
    /// Its arguments, unread.
    pub arguments: Option<&'a RawValue>,
    /// `_meta`, unread.
    pub meta: Option<&'a RawValue>,
    /// What the server asked for in an earlier round (2026-07-28, "Multi Round-Trip Requests").
    pub input_responses: Option<&'a RawValue>,
    /// What the server wants back from an earlier round.
    pub request_state: Option<&'a RawValue>,
}

impl<'a> CallParams<'a> {
    /// Reads the parameters of a request about something that has a `name`.
    ///
    /// # Errors
    /// When they are not what such a request wants, in words for the caller.
    pub fn parse(params: &'a RawValue) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            #[serde(borrow)]
            name: &'a RawValue,
            #[serde(borrow, default)]
            arguments: Option<&'a RawValue>,
            #[serde(borrow, default, rename = "_meta")]
            meta: Option<&'a RawValue>,
            #[serde(borrow, default, rename = "inputResponses")]
            input_responses: Option<&'a RawValue>,
            #[serde(borrow, default, rename = "requestState")]
            request_state: Option<&'a RawValue>,
        }
        let Fields { name, arguments, meta, input_responses, request_state } =
            serde_json::from_str(params.get()).map_err(|error| format!("Invalid params: {error}"))?;
        let name = text(name, "name")?;
        if arguments.is_some_and(|arguments| !arguments.get().starts_with('{')) {
            return Err("`arguments` must be an object".to_owned());
        }
        Ok(Self { name, arguments, meta, input_responses, request_state })
    }

    /// Reads the parameters of a request about something that has a `uri`.
    ///
    /// # Errors
    /// When they are not what such a request wants, in words for the caller.
    pub fn parse_uri(params: &'a RawValue) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            #[serde(borrow)]
            uri: &'a RawValue,
            #[serde(borrow, default, rename = "_meta")]
            meta: Option<&'a RawValue>,
            #[serde(borrow, default, rename = "inputResponses")]
            input_responses: Option<&'a RawValue>,
            #[serde(borrow, default, rename = "requestState")]
            request_state: Option<&'a RawValue>,
        }
        let Fields { uri, meta, input_responses, request_state } =
            serde_json::from_str(params.get()).map_err(|error| format!("Invalid params: {error}"))?;
        Ok(Self { name: text(uri, "uri")?, arguments: None, meta, input_responses, request_state })
    }

    /// The members of the parameters for a server that knows the thing as `name`, made of what was read alone: a member
    /// that nobody here looked at, such as a `Name` beside the `name`, could mean another call to a server that reads
    /// names regardless of case. The arguments stay byte for byte; `_meta` is the caller's to add.
    #[must_use]
    pub fn members(&self, member: &str, name: &str) -> String {
        let name = serde_json::Value::from(name).to_string();
        let values = [self.arguments, self.input_responses, self.request_state];
        let long = values.iter().flatten().map(|value| value.get().len() + 24).sum::<usize>();
        let mut members = String::with_capacity(member.len() + name.len() + 3 + long);
        members.extend(["\"", member, "\":", &name]);
        for (member, value) in ["arguments", "inputResponses", "requestState"].into_iter().zip(values) {
            if let Some(value) = value {
                members.extend([",\"", member, "\":", value.get()]);
            }
        }
        members
    }
}

fn text<'a>(raw: &'a RawValue, member: &str) -> Result<Cow<'a, str>, String> {
    serde_json::from_str::<Text<'a>>(raw.get())
        .map(|text| text.0)
        .map_err(|_| format!("`{member}` must be a string"))
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// An answer that carries a result.
#[must_use]
pub fn result(id: &str, result: &str) -> Vec<u8> {
    let mut answer = Vec::with_capacity(40 + id.len() + result.len());
    answer.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    answer.extend_from_slice(id.as_bytes());
    answer.extend_from_slice(b",\"result\":");
    answer.extend_from_slice(result.as_bytes());
    answer.push(b'}');
    answer
}

/// An answer that carries an error. Without an id it answers a message that had none to be told.
#[must_use]
pub fn error(id: Option<&str>, code: i64, message: &str) -> Vec<u8> {
    let message = serde_json::Value::from(message).to_string();
    let id = id.unwrap_or("null");
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":{code},\"message\":{message}}}}}")
        .into_bytes()
}

/// An answer that carries an error with data, which is JSON.
#[must_use]
pub fn error_with(id: &str, code: i64, message: &str, data: &str) -> Vec<u8> {
    let message = serde_json::Value::from(message).to_string();
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":{code},\"message\":{message},\"data\":{data}}}}}")
        .into_bytes()
}

/// A tool's result that is one text.
#[must_use]
pub fn text_result(text: &str, is_error: bool) -> String {
    let text = serde_json::Value::from(text).to_string();
    format!("{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}],\"isError\":{is_error}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> i64 {
        Message::parse(text.as_bytes()).err().map_or(0, |malformed| malformed.code)
    }

    #[test]
    fn messages_are_told_apart() {
        let call =
            br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","future":1},"more":true}"#;
        match Message::parse(call).unwrap() {
            Message::Request { id, method, params } => {
                assert_eq!((id.get(), &*method), ("7", "tools/call"));
                assert_eq!(params.unwrap().get(), r#"{"name":"a","future":1}"#);
            }
            _ => panic!("a request"),
        }
        let note = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert!(matches!(Message::parse(note), Ok(Message::Notification { .. })));
        let answer = br#"{"jsonrpc":"2.0","id":"a","result":{}}"#;
        assert!(matches!(Message::parse(answer), Ok(Message::Answer { result: Some(_), error: None, .. })));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in ["", "{", "nonsense", r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#] {
            assert_eq!(code(text), PARSE_ERROR, "{text}");
        }
        for text in [
            "{}",
            "1",
            "[]",
            r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":5}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"a","result":{}}"#,
        ] {
            assert_eq!(code(text), INVALID_REQUEST, "{text}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_refused_wherever_it_stands() {
        let whole = br#"{"jsonrpc":"2.0","id":1,"method":"a","other":{"x":"*"}}"#;
        assert!(Message::parse(whole).is_ok());
        let broken = whole.map(|byte| if byte == b'*' { 0xd6 } else { byte });
        assert_eq!(Message::parse(&broken).err().map(|malformed| malformed.code), Some(PARSE_ERROR));
    }

    #[test]
    fn a_call_goes_on_as_what_was_read_of_it() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let params = raw(
            r#"{ "_meta":{"progressToken":1}, "name" : "T___a\u0062", "arguments":{"x":1.0},"Name":"b","future":[ ]}"#,
        );
        let call = CallParams::parse(&params).unwrap();
        assert_eq!(&*call.name, "T___ab");
        assert_eq!(call.arguments.unwrap().get(), r#"{"x":1.0}"#);
        assert_eq!(call.members("name", "q\"q"), r#""name":"q\"q","arguments":{"x":1.0}"#);
        assert_eq!(call.meta.unwrap().get(), r#"{"progressToken":1}"#);
        for wrong in
            [r#"{}"#, r#"{"name":1}"#, r#"{"name":"a","name":"b"}"#, r#"{"name":"a","arguments":[]}"#]
        {
            assert!(CallParams::parse(&raw(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_are_written() {
        assert_eq!(result("\"x\"", "{}"), br#"{"jsonrpc":"2.0","id":"x","result":{}}"#);
        assert_eq!(
            error(None, PARSE_ERROR, "not \"JSON\""),
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"not \"JSON\""}}"#
        );
    }

    #[test]
    fn bodies_are_split() {
        assert!(matches!(split(b" {}"), Ok(Split::One(_))));
        match split(br#" [{"a":1}, 2]"#).unwrap() {
            Split::Batch(messages) => assert_eq!(messages, [&br#"{"a":1}"#[..], b"2"]),
            Split::One(_) => panic!("a batch"),
        }
        assert!(split(b"[1,").is_err());
    }
}
