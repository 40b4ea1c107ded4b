//! A whole answer of the endpoint, in Bedrock's words.

use std::time::Duration;

use aws::Fault;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::fault::failed;

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    id: String,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    arguments: String,
}

/// How many tokens went in and came out.
#[derive(Clone, Copy, Default, Deserialize)]
pub(crate) struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

impl Usage {
    /// `TokenUsage`.
    pub(crate) fn written(self) -> Value {
        json!({
            "inputTokens": self.prompt_tokens,
            "outputTokens": self.completion_tokens,
            "totalTokens": self.prompt_tokens.saturating_add(self.completion_tokens),
        })
    }
}

/// `stopReason` for the endpoint's `finish_reason`.
pub(crate) fn stop_reason(finish: Option<&str>, calls_tools: bool) -> &'static str {
    match finish {
        Some("length") => "max_tokens",
        Some("content_filter") => "content_filtered",
        Some("tool_calls" | "function_call") => "tool_use",
        // Some endpoints say `stop` when the model calls a tool.
        _ if calls_tools => "tool_use",
        _ => "end_turn",
    }
}

/// Reads an answer, and writes the body of `Converse`.
pub(crate) fn read(body: &[u8], took: Duration) -> Result<Value, Fault> {
    let unusable =
        |why: &str| failed(format!("The model's endpoint gave an answer that cannot be used: {why}."));
    let completion: Completion =
        serde_json::from_slice(body).map_err(|_| unusable("it is no chat completion"))?;
    let choice = completion.choices.into_iter().next().ok_or_else(|| unusable("it has no choices"))?;
    let mut content = Vec::new();
    if let Some(text) = choice.message.content.filter(|text| !text.is_empty()) {
        content.push(json!({ "text": text }));
    }
    let calls = choice.message.tool_calls.unwrap_or_default();
    let calls_tools = !calls.is_empty();
    for call in calls {
        let input = arguments(&call.function.arguments)
            .ok_or_else(|| unusable("it calls a tool with no JSON object"))?;
        content.push(json!({
            "toolUse": { "toolUseId": call.id, "name": call.function.name, "input": input },
        }));
    }
    Ok(json!({
        "output": { "message": { "role": "assistant", "content": content } },
        "stopReason": stop_reason(choice.finish_reason.as_deref(), calls_tools),
        "usage": completion.usage.unwrap_or_default().written(),
        "metrics": { "latencyMs": u64::try_from(took.as_millis()).unwrap_or(u64::MAX) },
    }))
}

/// A tool's arguments, which the endpoint gives as a text. None at all is an empty object.
fn arguments(text: &str) -> Option<Value> {
    if text.trim().is_empty() {
        return Some(Value::Object(Map::new()));
    }
    serde_json::from_str(text).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_calls_become_blocks() {
        let said = json!({
            "choices": [{ "finish_reason": "stop", "message": { "content": "Let me look.", "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{\"at\": 1}" } },
                { "id": "c2", "type": "function", "function": { "name": "wait", "arguments": "" } }] } }],
            "usage": { "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10 },
        });
        let answer = read(said.to_string().as_bytes(), Duration::from_millis(5)).unwrap();
        assert_eq!(
            answer,
            json!({
                "output": { "message": { "role": "assistant", "content": [
                    { "text": "Let me look." },
                    { "toolUse": { "toolUseId": "c1", "name": "look", "input": { "at": 1 } } },
                    { "toolUse": { "toolUseId": "c2", "name": "wait", "input": {} } }] } },
                "stopReason": "tool_use",
                "usage": { "inputTokens": 7, "outputTokens": 3, "totalTokens": 10 },
                "metrics": { "latencyMs": 5 },
            })
        );
    }

    #[test]
    fn what_is_no_completion_is_the_models_error() {
        let call = r#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":"[1]"}}]}}]}"#;
        for wrong in ["", "{}", r#"{"choices":[]}"#, "<html>", call] {
            assert_eq!(
                read(wrong.as_bytes(), Duration::ZERO).unwrap_err().code,
                "ModelErrorException",
                "{wrong}"
            );
        }
    }
}
