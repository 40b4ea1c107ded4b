//! The tools that everything here is about: how they are named, defined and called, and what they answer.

use serde_json::{Value, json};

use crate::load::Plan;

/// What a call of an upstream's tool answers.
pub(crate) const ANSWER: &str = "The report was filed under number 4711; nothing else is to be done.";

/// How many messages the upstream sends before the answer when it streams.
pub(crate) const EVENTS: usize = 16;

/// Where the upstream is a REST service.
pub(crate) const REST_PATH: &str = "/rest/reports";

/// Where the upstream streams.
pub(crate) const STREAM_PATH: &str = "/stream/mcp";

/// How many tools the upstream can offer: a path of its own for each.
pub(crate) const SIZES: [usize; 3] = [1, 100, 1_000];

/// The name of a tool.
pub(crate) fn name(number: usize) -> String {
    format!("tool_{number:04}")
}

/// What the input of every tool must be.
pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "text": { "type": "string", "description": "What is to be filed" },
            "amount": { "type": "integer", "description": "How much it is about" },
        },
        "required": ["text"],
    })
}

/// The definition of a tool, as `tools/list` gives it.
pub(crate) fn definition(number: usize) -> Value {
    json!({
        "name": name(number),
        "description": format!("Files a report in department {number}. Use this when a report is ready to be sent."),
        "inputSchema": schema(),
    })
}

/// The REST service's document, whose one operation takes what every tool takes.
pub(crate) fn document(server: &str) -> Value {
    let answer = json!({ "type": "object", "properties": { "filed": { "type": "string" } } });
    json!({
        "openapi": "3.0.3",
        "info": { "title": "Reports", "version": "1" },
        "servers": [{ "url": server }],
        "paths": { REST_PATH: { "post": {
            "operationId": name(0),
            "summary": "Files a report. Use this when a report is ready to be sent.",
            "requestBody": { "required": true, "content": { "application/json": { "schema": schema() } } },
            "responses": { "200": {
                "description": "It is filed", "content": { "application/json": { "schema": answer } } } },
        } } },
    })
}

/// The message that calls a tool by its name.
pub(crate) fn call(name: &str) -> String {
    let params = json!({ "name": name, "arguments": arguments() });
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"tools/call\",\"params\":{params}}}", Plan::ID)
}

/// The arguments of every call: 256 characters of text and a number.
pub(crate) fn arguments() -> Value {
    json!({ "text": text(), "amount": 12 })
}

/// The text in the arguments.
pub(crate) fn text() -> String {
    "All is well in the north. ".chars().cycle().take(256).collect()
}
