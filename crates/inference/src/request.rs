//! What `Converse` and `ConverseStream` are asked: the members that are honoured. Any other is refused by its name.
//!
//! Source: Amazon Bedrock API Reference, "Converse", request body.

use aws::Fault;
use serde::Deserialize;
use serde_json::Value;

use crate::fault::invalid;

/// The most messages of one conversation.
const MOST_MESSAGES: usize = 1_000;
/// The most tools that a model is told of (`ToolConfiguration.tools`).
const MOST_TOOLS: usize = 512;

/// The request's body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Converse {
    #[serde(default)]
    pub(crate) messages: Vec<Message>,
    #[serde(default)]
    pub(crate) system: Vec<System>,
    #[serde(default)]
    pub(crate) inference_config: InferenceConfig,
    pub(crate) tool_config: Option<ToolConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) content: Vec<Content>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    User,
    Assistant,
}

/// A `ContentBlock`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Content {
    Text(String),
    Image(Image),
    ToolUse(ToolUse),
    ToolResult(ToolResult),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum System {
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    pub(crate) format: ImageFormat,
    pub(crate) source: ImageSource,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImageFormat {
    Png,
    Jpeg,
    Gif,
    Webp,
}

impl ImageFormat {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Gif => "gif",
            Self::Webp => "webp",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ImageSource {
    /// In base64.
    Bytes(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ToolUse {
    pub(crate) tool_use_id: String,
    pub(crate) name: String,
    pub(crate) input: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ToolResult {
    pub(crate) tool_use_id: String,
    pub(crate) content: Vec<Told>,
    #[serde(default)]
    pub(crate) status: Status,
}

/// What a tool said.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Told {
    Text(String),
    Json(Value),
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    #[default]
    Success,
    Error,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct InferenceConfig {
    pub(crate) max_tokens: Option<u32>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    #[serde(default)]
    pub(crate) stop_sequences: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ToolConfig {
    pub(crate) tools: Vec<Tool>,
    pub(crate) tool_choice: Option<ToolChoice>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Tool {
    ToolSpec(ToolSpec),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ToolSpec {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) input_schema: InputSchema,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InputSchema {
    pub(crate) json: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ToolChoice {
    Auto(Nothing),
    Any(Nothing),
    Tool(NamedTool),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedTool {
    pub(crate) name: String,
}

/// Reads a request's body.
pub(crate) fn read(body: &[u8]) -> Result<Converse, Fault> {
    let request: Converse = serde_json::from_slice(body)
        .map_err(|error| invalid(format!("The request is not one that is understood here: {error}.")))?;
    let Some(first) = request.messages.first() else {
        return Err(invalid("A conversation must have at least one message."));
    };
    if first.role != Role::User {
        return Err(invalid("A conversation must start with a user message."));
    }
    if request.messages.len() > MOST_MESSAGES {
        return Err(invalid(format!("A conversation has at most {MOST_MESSAGES} messages.")));
    }
    if request.messages.iter().any(|message| message.content.is_empty()) {
        return Err(invalid("A message must have at least one block of content."));
    }
    let tools = request.tool_config.as_ref().map_or(0, |config| config.tools.len());
    if request.tool_config.is_some() && tools == 0 || tools > MOST_TOOLS {
        return Err(invalid(format!("toolConfig.tools has 1 to {MOST_TOOLS} tools.")));
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_honoured_is_refused_by_name() {
        for (body, word) in [
            (
                r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"guardrailConfig":{}}"#,
                "guardrailConfig",
            ),
            (r#"{"messages":[{"role":"user","content":[{"cachePoint":{"type":"default"}}]}]}"#, "cachePoint"),
            (r#"{"messages":[{"role":"system","content":[{"text":"hi"}]}]}"#, "system"),
            (r#"{"messages":[]}"#, "at least one message"),
            (r#"{"messages":[{"role":"assistant","content":[{"text":"hi"}]}]}"#, "start with a user"),
            (r#"{"messages":[{"role":"user","content":[]}]}"#, "block of content"),
            (
                r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"toolConfig":{"tools":[]}}"#,
                "toolConfig",
            ),
            ("[]", "not one"),
        ] {
            let Err(fault) = read(body.as_bytes()) else { panic!("{body}") };
            assert!(fault.message.contains(word), "{body}: {}", fault.message);
            assert_eq!(fault.code, "ValidationException");
        }
    }
}
