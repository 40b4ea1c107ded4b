//! The conversation in the words of OpenAI's chat completions.
//!
//! A user's message that carries tool results becomes one `tool` message for each, before what else the user says, because
//! the endpoint wants the answers right after the calls. That a tool failed has no place of its own there, and stands before
//! what the tool said. Source: OpenAI API reference, "Create chat completion".

use aws::Fault;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::fault::invalid;
use crate::request::{
    Content, Converse, ImageSource, Message, Role, Status, System, Told, Tool, ToolChoice, ToolResult,
};

/// Whether the answer is wanted in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Pieces,
}

/// The body that is posted.
pub(crate) fn body(request: &Converse, model: &str, delivery: Delivery) -> Result<Value, Fault> {
    let mut messages = Vec::new();
    let system: Vec<_> = request.system.iter().map(|System::Text(text)| text.as_str()).collect();
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system.join("\n\n") }));
    }
    for message in &request.messages {
        match message.role {
            Role::User => user(message, &mut messages)?,
            Role::Assistant => messages.push(assistant(message)?),
        }
    }
    let mut body =
        Map::from_iter([("model".to_owned(), json!(model)), ("messages".to_owned(), json!(messages))]);
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    let config = &request.inference_config;
    if let Some(tokens) = config.max_tokens {
        set("max_tokens", json!(tokens));
    }
    if let Some(temperature) = config.temperature {
        set("temperature", json!(temperature));
    }
    if let Some(top_p) = config.top_p {
        set("top_p", json!(top_p));
    }
    if !config.stop_sequences.is_empty() {
        set("stop", json!(config.stop_sequences));
    }
    if let Some(tools) = &request.tool_config {
        set("tools", tools.tools.iter().map(tool).collect());
        if let Some(choice) = &tools.tool_choice {
            set("tool_choice", tool_choice(choice));
        }
    }
    if delivery == Delivery::Pieces {
        set("stream", json!(true));
        set("stream_options", json!({ "include_usage": true }));
    }
    Ok(Value::Object(body))
}

fn user(message: &Message, messages: &mut Vec<Value>) -> Result<(), Fault> {
    let mut parts = Vec::new();
    for content in &message.content {
        match content {
            Content::ToolResult(result) => messages.push(tool_result(result)),
            Content::Text(text) => parts.push(json!({ "type": "text", "text": text })),
            Content::Image(image) => {
                let ImageSource::Bytes(bytes) = &image.source;
                if STANDARD.decode(bytes).is_err() {
                    return Err(invalid("The bytes of an image are not in base64."));
                }
                let url = format!("data:image/{};base64,{bytes}", image.format.as_str());
                parts.push(json!({ "type": "image_url", "image_url": { "url": url } }));
            }
            Content::ToolUse(_) => return Err(invalid("A user message cannot have a toolUse block.")),
        }
    }
    let texts: Option<Vec<_>> = parts.iter().map(|part| part.get("text").and_then(Value::as_str)).collect();
    match texts {
        Some(texts) if texts.is_empty() => {}
        // Plain text, which every endpoint understands.
        Some(texts) => messages.push(json!({ "role": "user", "content": texts.join("\n") })),
        None => messages.push(json!({ "role": "user", "content": parts })),
    }
    Ok(())
}

fn assistant(message: &Message) -> Result<Value, Fault> {
    let (mut texts, mut calls) = (Vec::new(), Vec::new());
    for content in &message.content {
        match content {
            Content::Text(text) => texts.push(text.as_str()),
            Content::ToolUse(used) => calls.push(json!({
                "id": used.tool_use_id,
                "type": "function",
                "function": { "name": used.name, "arguments": used.input.to_string() },
            })),
            Content::Image(_) | Content::ToolResult(_) => {
                return Err(invalid("An assistant message has text and toolUse blocks only."));
            }
        }
    }
    let content = if texts.is_empty() { Value::Null } else { json!(texts.join("\n")) };
    Ok(if calls.is_empty() {
        json!({ "role": "assistant", "content": content })
    } else {
        json!({ "role": "assistant", "content": content, "tool_calls": calls })
    })
}

fn tool_result(result: &ToolResult) -> Value {
    let said = result.content.iter().map(|told| match told {
        Told::Text(text) => text.clone(),
        Told::Json(value) => value.to_string(),
    });
    let mut said = said.collect::<Vec<_>>().join("\n");
    if result.status == Status::Error {
        said.insert_str(0, "error: ");
    }
    json!({ "role": "tool", "tool_call_id": result.tool_use_id, "content": said })
}

fn tool(tool: &Tool) -> Value {
    let Tool::ToolSpec(spec) = tool;
    let mut function = Map::from_iter([
        ("name".to_owned(), json!(spec.name)),
        ("parameters".to_owned(), spec.input_schema.json.clone()),
    ]);
    if let Some(description) = &spec.description {
        function.insert("description".to_owned(), json!(description));
    }
    json!({ "type": "function", "function": function })
}

fn tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto(_) => json!("auto"),
        ToolChoice::Any(_) => json!("required"),
        ToolChoice::Tool(named) => json!({ "type": "function", "function": { "name": named.name } }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request;

    #[test]
    fn a_conversation_with_tools_is_said_in_the_endpoints_words() {
        let asked = json!({
            "system": [{ "text": "Be brief." }],
            "messages": [
                { "role": "user", "content": [{ "text": "What is it?" },
                    { "image": { "format": "png", "source": { "bytes": "aGk=" } } }] },
                { "role": "assistant", "content": [{ "toolUse": { "toolUseId": "t1", "name": "look", "input": { "at": 1 } } }] },
                { "role": "user", "content": [
                    { "toolResult": { "toolUseId": "t1", "status": "error", "content": [{ "text": "dark" }, { "json": { "lux": 0 } }] } },
                    { "text": "And now?" }] },
            ],
            "inferenceConfig": { "maxTokens": 10, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"] },
            "toolConfig": {
                "tools": [{ "toolSpec": { "name": "look", "description": "Looks.", "inputSchema": { "json": { "type": "object" } } } }],
                "toolChoice": { "any": {} },
            },
        });
        let request = request::read(asked.to_string().as_bytes()).unwrap();
        let body = body(&request, "small", Delivery::Pieces).unwrap();
        assert_eq!(
            body,
            json!({
                "model": "small",
                "messages": [
                    { "role": "system", "content": "Be brief." },
                    { "role": "user", "content": [
                        { "type": "text", "text": "What is it?" },
                        { "type": "image_url", "image_url": { "url": "data:image/png;base64,aGk=" } }] },
                    { "role": "assistant", "content": null, "tool_calls": [
                        { "id": "t1", "type": "function", "function": { "name": "look", "arguments": "{\"at\":1}" } }] },
                    { "role": "tool", "tool_call_id": "t1", "content": "error: dark\n{\"lux\":0}" },
                    { "role": "user", "content": "And now?" },
                ],
                "max_tokens": 10, "temperature": 0.5, "top_p": 0.9, "stop": ["END"],
                "tools": [{ "type": "function", "function": { "name": "look", "description": "Looks.", "parameters": { "type": "object" } } }],
                "tool_choice": "required",
                "stream": true, "stream_options": { "include_usage": true },
            })
        );
    }
}
