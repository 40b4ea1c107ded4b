//! JSON-RPC messages: whatever comes, nothing breaks; what is read of a message is what any other reader of JSON finds
//! in it; what is passed on means the same as what came; a name that stands twice is refused.
#![no_main]

use std::fmt;

use libfuzzer_sys::fuzz_target;
use mcp::jsonrpc::{self, CallParams, Message, Split};
use mcp::{Members, RequestMeta};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|input: &[u8]| {
    match jsonrpc::split(input) {
        Ok(Split::One(message)) => one(message),
        Ok(Split::Batch(messages)) => messages.into_iter().for_each(one),
        Err(refused) => answered(refused.id.as_deref(), refused.code, &refused.detail),
    }
});

fn one(bytes: &[u8]) {
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(refused) => return answered(refused.id.as_deref(), refused.code, &refused.detail),
    };
    let whole: Value = match serde_json::from_slice(bytes) {
        Ok(whole) => whole,
        Err(error) => return assert!(is_beyond(&error.to_string()), "it is no JSON: {error}"),
    };
    if let Ok(raw) = serde_json::from_slice::<&RawValue>(bytes) {
        members(raw);
    }
    match message {
        Message::Request { id, method, params } => {
            assert_eq!(whole["id"], json(id));
            assert_eq!(whole["method"], *method);
            asked(&whole, params);
            answered(Some(id.get()), jsonrpc::INTERNAL_ERROR, &method);
            let result = jsonrpc::result(id.get(), params.map_or("{}", RawValue::get));
            let Ok(Message::Answer { id: again, result: Some(result), error: None }) =
                Message::parse(&result)
            else {
                panic!("a result is an answer");
            };
            assert_eq!((again.get(), result.get()), (id.get(), params.map_or("{}", RawValue::get)));
        }
        Message::Notification { method, params } => {
            assert_eq!(whole["method"], *method);
            assert!(whole.get("id").is_none());
            asked(&whole, params);
        }
        Message::Answer { id, result, error } => {
            assert_eq!(whole["id"], json(id));
            assert_eq!(result.map(json), whole.get("result").filter(|found| !found.is_null()).cloned());
            assert_eq!(error.map(json), whole.get("error").filter(|found| !found.is_null()).cloned());
        }
    }
}

/// Whether JSON is sound, and a tree of it cannot be made here: what is passed on unread may be so.
fn is_beyond(error: &str) -> bool {
    ["recursion limit", "number out of range", "surrogate", "end of hex escape"]
        .iter()
        .any(|known| error.contains(known))
}

/// The parameters of a request or a notification.
fn asked(whole: &Value, params: Option<&RawValue>) {
    assert_eq!(params.map(json), whole.get("params").filter(|found| !found.is_null()).cloned());
    let Some(params) = params else { return };
    members(params);
    if let Ok(call) = CallParams::parse(params) {
        assert_eq!(whole["params"]["name"], *call.name);
        passed_on(&call, "name", whole);
    }
    if let Ok(call) = CallParams::parse_uri(params) {
        assert_eq!(whole["params"]["uri"], *call.name);
        passed_on(&call, "uri", whole);
    }
    if let Ok(meta) = RequestMeta::read(Some(params)) {
        let written = &whole["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
        assert_eq!(meta.version.as_deref(), written.as_str());
        if let Some(capabilities) = meta.capabilities {
            let capabilities: Value = serde_json::from_str(capabilities.as_json()).expect("they are JSON");
            let names = capabilities.as_object().expect("they are an object").keys();
            names.for_each(|name| assert!(["elicitation", "sampling", "roots"].contains(&name.as_str())));
        }
    }
}

/// What goes on to a server has the members that were read, once, and no others.
fn passed_on(call: &CallParams<'_>, member: &str, whole: &Value) {
    let text = format!("{{{}}}", call.members(member, &call.name));
    let raw = RawValue::from_string(text).expect("it is JSON");
    Members::parse(&raw).expect("no name stands twice");
    let sent = json(&raw);
    for (name, value) in sent.as_object().expect("it is an object") {
        let known = [member, "arguments", "inputResponses", "requestState"];
        assert!(known.contains(&name.as_str()));
        assert_eq!(*value, whole["params"][name]);
    }
}

/// An object's members: read when each name stands once, and written as what they were.
fn members(raw: &RawValue) {
    let Ok(Count(count)) = serde_json::from_str(raw.get()) else { return };
    let Value::Object(object) = json(raw) else { return };
    match Members::parse(raw) {
        Ok(members) => {
            assert_eq!(count, object.len(), "a name stands twice");
            let written: Value = serde_json::from_str(&members.to_string()).expect("they are JSON");
            assert_eq!(written, Value::Object(object.clone()));
            for (name, value) in &object {
                let found = members.get(name).expect("it is there");
                assert_eq!(serde_json::from_str::<Value>(found).ok().as_ref(), Some(value));
            }
        }
        Err(_) => assert!(count != object.len() || count > 10_000, "they are refused without a reason"),
    }
}

fn answered(id: Option<&str>, code: i64, detail: &str) {
    let answer = jsonrpc::error(id, code, detail);
    let answer: Value = serde_json::from_slice(&answer).expect("an error is JSON");
    assert_eq!(
        (answer["error"]["code"].as_i64(), answer["error"]["message"].as_str()),
        (Some(code), Some(detail))
    );
}

fn json(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).expect("it was read as JSON")
}

/// How many members an object has, those that stand twice twice.
struct Count(usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Counting;
        impl<'de> Visitor<'de> for Counting {
            type Value = Count;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
                let mut count = 0;
                while map.next_entry::<String, IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Count(count))
            }
        }
        from.deserialize_map(Counting)
    }
}
