//! An answer in pieces, turned into Bedrock's events as the pieces come.
//!
//! The endpoint sends changes of one message: some text, a piece of the arguments of its n-th tool call. Bedrock's events
//! come in blocks, one after another, so a block begins with the first piece of it and ends when another begins. How many
//! tokens there were comes last of all, after the reason for which the model stopped.

use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Usage, stop_reason};
use crate::event_stream::{event, exception};

/// The longest event of the endpoint, in bytes.
const LONGEST_EVENT: usize = 1024 * 1024;
/// The most bytes of a whole stream.
const LONGEST_STREAM: usize = 64 * 1024 * 1024;

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    index: u64,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<String>,
}

/// The block that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    /// The endpoint's number of the call.
    Tool(u64),
}

/// Turns the endpoint's pieces into events.
pub(crate) struct Translation {
    events: mcp::Events,
    began: Instant,
    received: usize,
    has_begun: bool,
    open: Option<Open>,
    /// The number of the open block, or of the next one.
    block: u64,
    calls_tools: bool,
    finish: Option<String>,
    usage: Usage,
    over: bool,
}

impl Translation {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            events: mcp::Events::default(),
            began,
            received: 0,
            has_begun: false,
            open: None,
            block: 0,
            calls_tools: false,
            finish: None,
            usage: Usage::default(),
            over: false,
        }
    }

    /// Takes more bytes of the endpoint; gives the events that come of them. An error is an event, and the last one.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if self.over {
            return out;
        }
        self.received = self.received.saturating_add(bytes.len());
        for data in self.events.push(bytes) {
            if self.over {
                return out;
            }
            if data == b"[DONE]" {
                self.close(&mut out);
                return out;
            }
            match serde_json::from_slice::<Chunk>(&data) {
                Ok(chunk) if chunk.error.is_none() => self.take(chunk, &mut out),
                Ok(_) => out.extend(self.fail("The model's endpoint broke off with an error.")),
                Err(_) => {
                    out.extend(self.fail("The model's endpoint sent something that is no chat completion."));
                }
            }
        }
        if self.events.waiting() > LONGEST_EVENT || self.received > LONGEST_STREAM {
            out.extend(self.fail("The model's endpoint said more than is accepted."));
        }
        out
    }

    /// The endpoint has ended; gives what is still to be said.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.over {
            return out;
        }
        if self.finish.is_some() {
            self.close(&mut out);
            return out;
        }
        self.fail("The model's endpoint broke off.")
    }

    /// The event of an error, after which there is nothing.
    pub(crate) fn fail(&mut self, message: &str) -> Vec<u8> {
        if std::mem::replace(&mut self.over, true) {
            return Vec::new();
        }
        exception("modelStreamErrorException", &json!({ "message": message }))
    }

    /// Whether nothing more comes.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    fn take(&mut self, chunk: Chunk, out: &mut Vec<u8>) {
        if !self.has_begun {
            self.has_begun = true;
            out.extend(event("messageStart", &json!({ "role": "assistant" })));
        }
        if let Some(usage) = chunk.usage {
            self.usage = usage;
        }
        let Some(choice) = chunk.choices.into_iter().next() else { return };
        if let Some(text) = choice.delta.content.filter(|text| !text.is_empty()) {
            if self.open != Some(Open::Text) {
                self.close_block(out);
                self.open = Some(Open::Text);
            }
            self.delta(&json!({ "text": text }), out);
        }
        for call in choice.delta.tool_calls.unwrap_or_default() {
            self.take_call(call, out);
        }
        if choice.finish_reason.is_some() {
            self.finish = choice.finish_reason;
        }
    }

    fn take_call(&mut self, call: Call, out: &mut Vec<u8>) {
        let (name, arguments) = call.function.map(|it| (it.name, it.arguments)).unwrap_or_default();
        if self.open != Some(Open::Tool(call.index)) {
            let (Some(id), Some(name)) = (call.id, name) else {
                out.extend(self.fail("The model's endpoint went on with a call that it did not begin."));
                return;
            };
            self.close_block(out);
            self.open = Some(Open::Tool(call.index));
            self.calls_tools = true;
            let start = json!({ "toolUse": { "toolUseId": id, "name": name } });
            out.extend(event(
                "contentBlockStart",
                &json!({ "start": start, "contentBlockIndex": self.block }),
            ));
        }
        if let Some(input) = arguments.filter(|arguments| !arguments.is_empty()) {
            self.delta(&json!({ "toolUse": { "input": input } }), out);
        }
    }

    fn delta(&self, delta: &Value, out: &mut Vec<u8>) {
        let payload = json!({ "delta": delta, "contentBlockIndex": self.block });
        out.extend(event("contentBlockDelta", &payload));
    }

    fn close_block(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            out.extend(event("contentBlockStop", &json!({ "contentBlockIndex": self.block })));
            self.block += 1;
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.over = true;
        if !self.has_begun {
            out.extend(event("messageStart", &json!({ "role": "assistant" })));
        }
        self.close_block(out);
        let reason = stop_reason(self.finish.as_deref(), self.calls_tools);
        out.extend(event("messageStop", &json!({ "stopReason": reason })));
        let latency = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let metadata = json!({ "usage": self.usage.written(), "metrics": { "latencyMs": latency } });
        out.extend(event("metadata", &metadata));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kinds and payloads of events.
    fn told(bytes: &[u8]) -> Vec<(String, Value)> {
        let mut rest = bytes;
        let mut found = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            let headers = u32::from_be_bytes(rest[4..8].try_into().unwrap()) as usize;
            let (head, payload) = (&rest[12..12 + headers], &rest[12 + headers..length - 4]);
            let kind = &head[1 + usize::from(head[0]) + 3..];
            let kind = &kind[..usize::from(head[1 + usize::from(head[0]) + 2])];
            found.push((String::from_utf8(kind.to_vec()).unwrap(), serde_json::from_slice(payload).unwrap()));
            rest = &rest[length..];
        }
        found
    }

    fn translate(pieces: &str, size: usize) -> Vec<(String, Value)> {
        let mut translation = Translation::new(Instant::now());
        let mut out: Vec<u8> =
            pieces.as_bytes().chunks(size).flat_map(|piece| translation.push(piece)).collect();
        out.extend(translation.end());
        told(&out)
    }

    #[test]
    fn blocks_follow_one_another_however_the_bytes_arrive() {
        let pieces = concat!(
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"Let \"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"me\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"look\",\"arguments\":\"\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"c2\",\"function\":{\"name\":\"wait\",\"arguments\":\"{}\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n",
            "data: [DONE]\n\n",
        );
        for size in [1, 7, pieces.len()] {
            let mut events = translate(pieces, size);
            let (kind, metadata) = events.pop().unwrap();
            assert_eq!((kind.as_str(), &metadata["usage"]["totalTokens"]), ("metadata", &json!(7)));
            let expected = [
                ("messageStart", json!({ "role": "assistant" })),
                ("contentBlockDelta", json!({ "delta": { "text": "Let " }, "contentBlockIndex": 0 })),
                ("contentBlockDelta", json!({ "delta": { "text": "me" }, "contentBlockIndex": 0 })),
                ("contentBlockStop", json!({ "contentBlockIndex": 0 })),
                (
                    "contentBlockStart",
                    json!({ "start": { "toolUse": { "toolUseId": "c1", "name": "look" } }, "contentBlockIndex": 1 }),
                ),
                (
                    "contentBlockDelta",
                    json!({ "delta": { "toolUse": { "input": "{}" } }, "contentBlockIndex": 1 }),
                ),
                ("contentBlockStop", json!({ "contentBlockIndex": 1 })),
                (
                    "contentBlockStart",
                    json!({ "start": { "toolUse": { "toolUseId": "c2", "name": "wait" } }, "contentBlockIndex": 2 }),
                ),
                (
                    "contentBlockDelta",
                    json!({ "delta": { "toolUse": { "input": "{}" } }, "contentBlockIndex": 2 }),
                ),
                ("contentBlockStop", json!({ "contentBlockIndex": 2 })),
                ("messageStop", json!({ "stopReason": "tool_use" })),
            ];
            assert_eq!(
                events,
                expected.map(|(kind, payload)| (kind.to_owned(), payload)),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn a_stream_that_breaks_ends_with_its_error_and_nothing_else() {
        let begun = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
        for rest in ["", "data: nonsense\n\n", "data: {\"error\":{\"message\":\"no\"}}\n\ndata: [DONE]\n\n"] {
            let events = translate(&format!("{begun}{rest}"), 1000);
            assert_eq!(events.last().unwrap().0, "modelStreamErrorException", "{rest}");
            assert_eq!(events.len(), 3, "{rest}");
        }
        let long = translate(&format!("{begun}data: {}", "x".repeat(LONGEST_EVENT + 1)), 64 * 1024);
        assert_eq!(long.last().unwrap().0, "modelStreamErrorException");
    }
}
