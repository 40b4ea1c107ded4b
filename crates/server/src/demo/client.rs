//! The demo's own client of AWS's APIs, of the token endpoint and of MCP.

use std::time::Duration;

use aws::sigv4::{Request as Signable, Signer};
use bytes::Bytes;
use domain::{AccessKey, Clock as _, Region, SystemClock};
use egress::{Client, Fetched, Reach};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::composition::House;
use crate::terminal::Failure;

const PATIENCE: Duration = Duration::from_secs(30);
const MAX_ANSWER: usize = 6 * 1024 * 1024;

/// A client that signs with the root credentials.
pub(super) struct AwsClient {
    client: Client,
    endpoint: String,
    key: AccessKey,
    pub(super) region: Region,
}

impl AwsClient {
    pub(super) fn new(house: &House, endpoint: &str, region: Region) -> Result<Self, Failure> {
        let client = Client::new(Reach { allowed: Vec::new(), loopback: true })
            .map_err(|error| Failure::new(error.to_string()))?;
        Ok(Self { client, endpoint: endpoint.to_owned(), key: house.root.clone(), region })
    }

    /// A call of a service that speaks REST.
    pub(super) async fn rest(
        &self,
        service: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("content-type", "application/json")];
        json_of(&self.signed(service, method, path, &headers, body).await?)
    }

    /// A call of Cognito.
    pub(super) async fn cognito(&self, operation: &str, body: &Value) -> Result<Value, Failure> {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        json_of(&self.signed("cognito-idp", Method::POST, "/", &headers, body.to_string()).await?)
    }

    /// A call of IAM, whose answer nobody reads.
    pub(super) async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<(), Failure> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", "2010-05-08");
        form.extend_pairs(parameters);
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = self.signed("iam", Method::POST, "/", &headers, form.finish()).await?;
        succeeded(&answer)
    }

    async fn signed(
        &self,
        service: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Fetched, Failure> {
        let host = self.endpoint.split_once("://").map_or("", |(_, host)| host);
        let mut signable: Vec<(&str, &[u8])> = vec![("host", host.as_bytes())];
        signable.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        let signer = Signer {
            access_key_id: self.key.id.as_str(),
            secret: &self.key.secret,
            session_token: None,
            region: &self.region,
            service,
        };
        let request =
            Signable { method: method.as_str(), path, query: "", headers: &signable, body: body.as_bytes() };
        let added = signer.sign(&request, SystemClock.now());
        let mut builder = Request::builder().method(&method).uri(format!("{}{path}", self.endpoint));
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        for (name, value) in added {
            builder = builder.header(name, value);
        }
        self.send(builder, body).await
    }

    /// A token for a client of a pool, by its credentials.
    pub(super) async fn token(
        &self,
        endpoint: &str,
        client_id: &str,
        secret: &str,
        scopes: &str,
    ) -> Result<String, Failure> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", client_id)
            .append_pair("client_secret", secret)
            .append_pair("scope", scopes)
            .finish();
        let builder = Request::post(endpoint).header("content-type", "application/x-www-form-urlencoded");
        let answer = json_of(&self.send(builder, form).await?)?;
        text(&answer, "/access_token")
    }

    /// A request to an MCP endpoint; the status and the answer.
    pub(super) async fn mcp(
        &self,
        url: &str,
        token: &str,
        method: &str,
        params: &Value,
    ) -> Result<(u16, Value), Failure> {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let builder = Request::post(url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-11-25")
            .header("authorization", format!("Bearer {token}"));
        let answer = self.send(builder, message.to_string()).await?;
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok((answer.status.as_u16(), body))
    }

    async fn send(&self, builder: http::request::Builder, body: String) -> Result<Fetched, Failure> {
        let request =
            builder.body(Full::new(Bytes::from(body))).map_err(|error| Failure::new(error.to_string()))?;
        let answered = self.client.exchange(request, MAX_ANSWER, PATIENCE).await;
        answered.map_err(|error| Failure::new(format!("the server does not answer: {error}")))
    }
}

/// The text at a place of a document.
pub(super) fn text(document: &Value, place: &str) -> Result<String, Failure> {
    let found = document.pointer(place).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| Failure::new(format!("the answer has no {place}")))
}

fn succeeded(answer: &Fetched) -> Result<(), Failure> {
    if answer.status.is_success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the server answered {}: {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    )))
}

fn json_of(answer: &Fetched) -> Result<Value, Failure> {
    succeeded(answer)?;
    if answer.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer.body).map_err(|error| Failure::new(error.to_string()))
}
