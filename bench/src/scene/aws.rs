//! A client of the server's AWS APIs, which signs, and of its token endpoint.

use std::time::Duration;

use aws::sigv4::{Request as Signable, Signer};
use bytes::Bytes;
use domain::{Clock as _, Region, Secret, SystemClock};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::failure::Failure;

/// The account of a fresh installation.
const ACCOUNT: &str = "000000000000";
/// How long something may take to be ready.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Aws {
    client: Client<HttpConnector, Full<Bytes>>,
    address: String,
    key: String,
    secret: Secret,
    region: Region,
}

impl Aws {
    /// A client of the server at `address`.
    pub(crate) fn new(address: &str, (key, secret): (String, String)) -> Result<Self, Failure> {
        let region = Region::parse("us-west-2").map_err(|error| Failure::new(error.to_string()))?;
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Ok(Self { client, address: address.to_owned(), key, secret: Secret::new(secret), region })
    }

    /// A call of a service that speaks REST.
    pub(crate) async fn rest(
        &self,
        service: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.signed(service, method, path, &[("content-type", "application/json")], body).await
    }

    /// A call of AgentCore's control plane that changes something.
    pub(crate) async fn agentcore(&self, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
        self.rest("bedrock-agentcore", method, path, body).await
    }

    /// A call of Cognito.
    pub(crate) async fn cognito(&self, operation: &str, body: &Value) -> Result<Value, Failure> {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        self.signed("cognito-idp", Method::POST, "/", &headers, body.to_string()).await
    }

    /// Makes a role that a service may assume, with one statement; gives its ARN.
    pub(crate) async fn role(&self, name: &str, service: &str, action: &str) -> Result<String, Failure> {
        let document =
            |statement: Value| json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let trust = document(json!({
            "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }));
        let grant = document(json!({ "Effect": "Allow", "Action": action, "Resource": "*" }));
        self.iam("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)]).await?;
        let parameters = [("RoleName", name), ("PolicyName", "grant"), ("PolicyDocument", grant.as_str())];
        self.iam("PutRolePolicy", &parameters).await?;
        Ok(format!("arn:aws:iam::{ACCOUNT}:role/{name}"))
    }

    async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<(), Failure> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", "2010-05-08").extend_pairs(parameters);
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        // The answer is XML, which nobody reads.
        self.signed("iam", Method::POST, "/", &headers, form.finish()).await.map(drop)
    }

    /// A token for a client of a pool.
    pub(crate) async fn token(&self, pool: &str, client: &str, secret: &str) -> Result<String, Failure> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", client)
            .append_pair("client_secret", secret)
            .finish();
        let builder = Request::post(format!("http://{}/{pool}/oauth2/token", self.address))
            .header("content-type", "application/x-www-form-urlencoded");
        text(&self.send(builder, form).await?, "/access_token")
    }

    /// Asks a gateway for its tools.
    pub(crate) async fn list(&self, path: &str, token: &str) -> Result<(), Failure> {
        let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
        self.mcp(path, token, list.to_string()).await.map(drop)
    }

    /// Sends a gateway a message.
    pub(crate) async fn mcp(&self, path: &str, token: &str, message: String) -> Result<Value, Failure> {
        let builder = Request::post(format!("http://{}{path}", self.address))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("authorization", format!("Bearer {token}"));
        self.send(builder, message).await
    }

    /// Waits until a resource has a status.
    pub(crate) async fn until(&self, path: &str, wanted: &str) -> Result<(), Failure> {
        let waiting = async {
            loop {
                let resource = self.agentcore(Method::GET, path, &Value::Null).await?;
                let status = text(&resource, "/status")?;
                if status == wanted {
                    return Ok(());
                }
                if status.ends_with("FAILED") || status.ends_with("UNSUCCESSFUL") {
                    return Err(Failure::new(format!("{path} is {status}: {resource}")));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| Err(Failure::new(format!("{path} does not become {wanted}"))))
    }

    async fn signed(
        &self,
        service: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Value, Failure> {
        let mut signable: Vec<(&str, &[u8])> = vec![("host", self.address.as_bytes())];
        signable.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        let signer = Signer {
            access_key_id: &self.key,
            secret: &self.secret,
            session_token: None,
            region: &self.region,
            service,
        };
        let request =
            Signable { method: method.as_str(), path, query: "", headers: &signable, body: body.as_bytes() };
        let added = signer.sign(&request, SystemClock.now());
        let mut builder = Request::builder().method(&method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        for (name, value) in added {
            builder = builder.header(name, value);
        }
        self.send(builder, body).await
    }

    async fn send(&self, builder: http::request::Builder, body: String) -> Result<Value, Failure> {
        let request = builder
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failure::of("a request cannot be written", error))?;
        let asked = format!("{} {}", request.method(), request.uri());
        let answer = self.client.request(request).await.map_err(|error| Failure::of(&asked, error))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| Failure::of(&asked, error))?.to_bytes();
        if !status.is_success() {
            return Err(Failure::new(format!("{asked}: {status} {}", String::from_utf8_lossy(&body))));
        }
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }
}

/// The text at a place of a document.
pub(crate) fn text(document: &Value, place: &str) -> Result<String, Failure> {
    let found = document.pointer(place).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| Failure::new(format!("the answer has no {place}: {document}")))
}
