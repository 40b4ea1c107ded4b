//! One question to the model and its answer, in either protocol.

use bytes::Bytes;
use egress::Client;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::prompt::{Conversation, Message};
use super::settings::{ModelProtocol, ModelSettings};
use crate::GenerationError;

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 512 * 1024;
/// The most that the model may write, in its own tokens.
const MOST_TOKENS: u32 = 8_192;
/// The version of the protocol that Anthropic's servers ask for.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// The text that the model answers with.
pub(super) async fn ask(
    settings: &ModelSettings,
    client: &Client,
    conversation: &Conversation,
) -> Result<String, GenerationError> {
    let body = Bytes::from(body(settings, conversation).to_string());
    let sent = client.post(&settings.url, headers(settings)?, body, LARGEST_ANSWER, settings.timeout);
    let fetched = sent.await.map_err(|error| GenerationError::Unanswered(error.to_string()))?;
    if fetched.status != StatusCode::OK {
        // What the endpoint says beside the status may repeat the key.
        return Err(GenerationError::Unanswered(format!("its endpoint answered {}", fetched.status)));
    }
    let text = match settings.protocol {
        ModelProtocol::OpenAi => of_openai(&fetched.body),
        ModelProtocol::Anthropic => of_anthropic(&fetched.body),
    };
    text.ok_or_else(|| {
        GenerationError::Unusable("the endpoint does not speak the protocol that is configured".to_owned())
    })
}

fn headers(settings: &ModelSettings) -> Result<HeaderMap, GenerationError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if settings.protocol == ModelProtocol::Anthropic {
        headers.insert("anthropic-version", HeaderValue::from_static(ANTHROPIC_VERSION));
    }
    if let Some(key) = &settings.api_key {
        let shown = match settings.protocol {
            ModelProtocol::OpenAi => HeaderValue::from_str(&format!("Bearer {}", key.expose())),
            ModelProtocol::Anthropic => HeaderValue::from_str(key.expose()),
        };
        let mut shown =
            shown.map_err(|_| GenerationError::Unanswered("its key cannot stand in a header".to_owned()))?;
        shown.set_sensitive(true);
        let name = match settings.protocol {
            ModelProtocol::OpenAi => header::AUTHORIZATION,
            ModelProtocol::Anthropic => header::HeaderName::from_static("x-api-key"),
        };
        headers.insert(name, shown);
    }
    Ok(headers)
}

fn body(settings: &ModelSettings, conversation: &Conversation) -> Value {
    let message = |message: &Message| {
        let role = if message.from_model { "assistant" } else { "user" };
        json!({"role": role, "content": message.text})
    };
    let messages = conversation.messages.iter().map(message);
    match settings.protocol {
        ModelProtocol::OpenAi => {
            let system = json!({"role": "system", "content": conversation.instructions});
            json!({
                "model": settings.model,
                "messages": std::iter::once(system).chain(messages).collect::<Vec<_>>(),
                "response_format": {"type": "json_object"},
                "max_completion_tokens": MOST_TOKENS,
            })
        }
        ModelProtocol::Anthropic => json!({
            "model": settings.model,
            "system": conversation.instructions,
            "messages": messages.collect::<Vec<_>>(),
            "max_tokens": MOST_TOKENS,
        }),
    }
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Said {
    content: String,
}

fn of_openai(body: &[u8]) -> Option<String> {
    let completion: Completion = serde_json::from_slice(body).ok()?;
    completion.choices.into_iter().next().map(|choice| choice.message.content)
}

#[derive(Deserialize)]
struct Answered {
    content: Vec<Block>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
}

fn of_anthropic(body: &[u8]) -> Option<String> {
    let answered: Answered = serde_json::from_slice(body).ok()?;
    let texts = answered.content.into_iter().filter(|block| block.kind == "text").map(|block| block.text);
    Some(texts.collect::<Vec<_>>().concat()).filter(|text| !text.is_empty())
}
