//! The story: a pool, two roles, a real function behind a gateway, Cedar policies; then both roles list and call.

use std::io::{Cursor, Write as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{AuditKind, Random as _, SystemRandom};
use http::Method;
use serde_json::{Value, json};
use store::AuditFilter;

use super::client::{AwsClient, text};
use super::stage::Stage;
use crate::composition::House;
use crate::terminal::Failure;
use crate::verbs::audit;

const FUNCTION: &str = include_str!("function.py");
const SERVER: &str = "my-resource-server";
const TARGET: &str = "MyTarget";
const SENDER: &str = "reports@example.com";

/// Who calls in the story: a role, its client, and the scopes that make the difference.
struct Role {
    name: &'static str,
    client_id: String,
    secret: String,
    scopes: String,
}

/// Tells the story; gives the gateway's URL.
pub(super) async fn tell(stage: &Stage, client: &AwsClient, house: &House) -> Result<String, Failure> {
    let suffix = SystemRandom.text(4, b"abcdefghijklmnopqrstuvwxyz0123456789");
    let pool = identity(stage, client).await?;
    let roles =
        [role(stage, client, &pool, "manager").await?, role(stage, client, &pool, "developer").await?];
    let function = tool(stage, client, &suffix).await?;
    let gateway = gateway(stage, client, house, &pool, &roles, &function, &suffix).await?;
    policies(stage, client, &gateway, &suffix).await?;
    for role in &roles {
        visibility(stage, client, house, &pool, &gateway, role).await?;
    }
    calls(stage, client, house, &pool, &gateway, &roles).await?;
    trail(stage, house).await?;
    Ok(gateway.url)
}

/// Identity: who is calling. A user pool with the scopes that roles are made of.
async fn identity(stage: &Stage, client: &AwsClient) -> Result<String, Failure> {
    stage.heading("Identity: who is calling")?;
    stage.begin("Creating a user pool");
    let made = client.cognito("CreateUserPool", &json!({ "PoolName": "demo" })).await?;
    let pool = text(&made, "/UserPool/Id")?;
    stage.done(&pool);
    stage.begin("Creating a resource server with the scopes invoke, manager and developer");
    let scopes = ["invoke", "manager", "developer"];
    let scopes =
        scopes.map(|name| json!({ "ScopeName": name, "ScopeDescription": format!("{name} permission") }));
    let server = json!({ "UserPoolId": pool, "Identifier": SERVER, "Name": "Demo", "Scopes": scopes });
    client.cognito("CreateResourceServer", &server).await?;
    stage.done(SERVER);
    Ok(pool)
}

async fn role(stage: &Stage, client: &AwsClient, pool: &str, name: &'static str) -> Result<Role, Failure> {
    stage.begin(&format!("Creating a client for the {name} role"));
    let scopes = [format!("{SERVER}/invoke"), format!("{SERVER}/{name}")];
    let wanted = json!({
        "UserPoolId": pool,
        "ClientName": format!("demo-{name}"),
        "GenerateSecret": true,
        "AllowedOAuthFlows": ["client_credentials"],
        "AllowedOAuthScopes": scopes,
        "AllowedOAuthFlowsUserPoolClient": true,
    });
    let made = client.cognito("CreateUserPoolClient", &wanted).await?;
    let client_id = text(&made, "/UserPoolClient/ClientId")?;
    stage.done(&client_id);
    Ok(Role {
        name,
        client_id,
        secret: text(&made, "/UserPoolClient/ClientSecret")?,
        scopes: scopes.join(" "),
    })
}

/// The tool: a real function, which runs as a process with the credentials of its role and nothing else.
async fn tool(stage: &Stage, client: &AwsClient, suffix: &str) -> Result<String, Failure> {
    stage.heading("Gateway: which tools exist")?;
    stage.begin("Deploying a Python function with two tools");
    let role = format!("DemoFunctionRole-{suffix}");
    let region = client.region.as_str();
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" }] });
    let mail = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "ses:SendEmail",
        "Resource": format!("arn:aws:ses:{region}:000000000000:identity/{SENDER}") }] });
    client
        .iam("CreateRole", &[("RoleName", &role), ("AssumeRolePolicyDocument", &trust.to_string())])
        .await?;
    client
        .iam(
            "PutRolePolicy",
            &[("RoleName", &role), ("PolicyName", "mail"), ("PolicyDocument", &mail.to_string())],
        )
        .await?;
    let wanted = json!({
        "FunctionName": format!("demo-tools-{suffix}"),
        "Runtime": "python3.13",
        "Handler": "app.lambda_handler",
        "Role": format!("arn:aws:iam::000000000000:role/{role}"),
        "Timeout": 30,
        "Environment": { "Variables": { "SES_SENDER_EMAIL": SENDER } },
        "Code": { "ZipFile": STANDARD.encode(archive()?) },
    });
    let made = client.rest("lambda", Method::POST, "/2015-03-31/functions", &wanted).await?;
    let arn = text(&made, "/FunctionArn")?;
    stage.done(&arn);
    Ok(arn)
}

/// The function's code as Lambda takes it.
fn archive() -> Result<Vec<u8>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("cannot write the archive: {error}"));
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("app.py", zip::write::SimpleFileOptions::default()).map_err(|error| failed(&error))?;
    writer.write_all(FUNCTION.as_bytes()).map_err(|error| failed(&error))?;
    Ok(writer.finish().map_err(|error| failed(&error))?.into_inner())
}

/// A gateway that was made.
struct Gateway {
    id: String,
    arn: String,
    url: String,
    /// What UpdateGateway must repeat.
    settings: Value,
}

async fn gateway(
    stage: &Stage,
    client: &AwsClient,
    house: &House,
    pool: &str,
    roles: &[Role],
    function: &str,
    suffix: &str,
) -> Result<Gateway, Failure> {
    let region = client.region.as_str();
    stage.begin("Creating a role that only this account's gateways may assume");
    let role = format!("DemoGatewayRole-{suffix}");
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "bedrock-agentcore.amazonaws.com" }, "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": { "aws:SourceAccount": "000000000000" },
            "ArnLike": { "aws:SourceArn": format!("arn:aws:bedrock-agentcore:{region}:000000000000:gateway/*") } } }] });
    let invoke = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function }] });
    client
        .iam("CreateRole", &[("RoleName", &role), ("AssumeRolePolicyDocument", &trust.to_string())])
        .await?;
    client
        .iam(
            "PutRolePolicy",
            &[("RoleName", &role), ("PolicyName", "invoke"), ("PolicyDocument", &invoke.to_string())],
        )
        .await?;
    stage.done(&role);

    stage.begin("Creating a gateway that accepts the tokens of both clients");
    let clients: Vec<_> = roles.iter().map(|role| role.client_id.as_str()).collect();
    let settings = json!({
        "name": format!("demo-{suffix}"),
        "roleArn": format!("arn:aws:iam::000000000000:role/{role}"),
        "protocolType": "MCP",
        "authorizerType": "CUSTOM_JWT",
        "authorizerConfiguration": { "customJWTAuthorizer": {
            "discoveryUrl": format!("{}/{pool}/.well-known/openid-configuration", house.names.public_url()),
            "allowedClients": clients } },
    });
    let made = client.rest("bedrock-agentcore", Method::POST, "/gateways/", &settings).await?;
    let gateway = Gateway {
        id: text(&made, "/gatewayId")?,
        arn: text(&made, "/gatewayArn")?,
        url: text(&made, "/gatewayUrl")?,
        settings,
    };
    until(client, &format!("/gateways/{}/", gateway.id), "READY").await?;
    stage.done(&gateway.id);

    stage.begin("Registering the function as the target MyTarget");
    let path = format!("/gateways/{}/targets/", gateway.id);
    let made = client.rest("bedrock-agentcore", Method::POST, &path, &target(function)).await?;
    until(client, &format!("{path}{}/", text(&made, "/targetId")?), "READY").await?;
    stage.done("MyTarget___markdown_to_email, MyTarget___format_report");
    Ok(gateway)
}

fn target(function: &str) -> Value {
    let string = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "name": TARGET,
        "description": "Lambda target providing Markdown email sending tools",
        "targetConfiguration": { "mcp": { "lambda": { "lambdaArn": function, "toolSchema": { "inlinePayload": [
            {
                "name": "markdown_to_email",
                "description": "Converts Markdown text to HTML and sends it as an email. \
                                Use this when you want to send a report or notification via email.",
                "inputSchema": { "type": "object", "required": ["markdown_content", "recipient_email"], "properties": {
                    "markdown_content": string("The Markdown content to send"),
                    "recipient_email": string("The recipient email address"),
                    "subject": string("The email subject line") } },
            },
            {
                "name": "format_report",
                "description": "Formats a title and a list of findings as a Markdown report. \
                                Use this before you send or show a report.",
                "inputSchema": { "type": "object", "required": ["title"], "properties": {
                    "title": string("The report's title"),
                    "findings": { "type": "array", "items": { "type": "string" }, "description": "One line each" } } },
            },
        ] } } } },
        "credentialProviderConfigurations": [{ "credentialProviderType": "GATEWAY_IAM_ROLE" }],
    })
}

/// Policy: who may use what. Nothing is allowed until a policy permits it.
async fn policies(stage: &Stage, client: &AwsClient, gateway: &Gateway, suffix: &str) -> Result<(), Failure> {
    stage.heading("Policy: who may use what")?;
    stage.begin("Creating a policy engine");
    let name = json!({ "name": format!("DemoEngine_{suffix}") });
    let made = client.rest("bedrock-agentcore", Method::POST, "/policy-engines", &name).await?;
    let (id, arn) = (text(&made, "/policyEngineId")?, text(&made, "/policyEngineArn")?);
    until(client, &format!("/policy-engines/{id}"), "ACTIVE").await?;
    stage.done(&id);
    let rules = [
        ("manager-email-policy", "markdown_to_email", "manager", "the guide's: managers may send email"),
        (
            "report-policy",
            "format_report",
            "invoke",
            "the demo's own addition: both roles may format reports",
        ),
    ];
    for (name, tool, scope, what) in rules {
        stage.begin(&format!("Creating the Cedar policy {name}"));
        let statement = format!(
            "permit(\n  principal,\n  action == AgentCore::Action::\"{TARGET}___{tool}\",\n  \
             resource == AgentCore::Gateway::\"{}\"\n) when {{\n  principal.hasTag(\"scope\") &&\n  \
             principal.getTag(\"scope\") like \"*{scope}*\"\n}};",
            gateway.arn
        );
        let policy = json!({ "name": format!("{name}-{suffix}"), "definition": { "cedar": { "statement": statement } } });
        let path = format!("/policy-engines/{id}/policies");
        let made = client.rest("bedrock-agentcore", Method::POST, &path, &policy).await?;
        until(client, &format!("{path}/{}", text(&made, "/policyId")?), "ACTIVE").await?;
        stage.done(what);
    }
    stage.begin("Attaching the engine to the gateway in ENFORCE mode");
    let mut update = gateway.settings.clone();
    if let Some(update) = update.as_object_mut() {
        update.insert("policyEngineConfiguration".to_owned(), json!({ "arn": arn, "mode": "ENFORCE" }));
    }
    let path = format!("/gateways/{}/", gateway.id);
    client.rest("bedrock-agentcore", Method::PUT, &path, &update).await?;
    until(client, &path, "READY").await?;
    stage.done("default deny, forbid wins, unseen when forbidden");
    Ok(())
}

/// Waits until a resource has a status.
async fn until(client: &AwsClient, path: &str, wanted: &str) -> Result<(), Failure> {
    for _ in 0..100 {
        let resource = client.rest("bedrock-agentcore", Method::GET, path, &Value::Null).await?;
        let status = text(&resource, "/status")?;
        if status == wanted {
            return Ok(());
        }
        if status.ends_with("FAILED") || status.ends_with("UNSUCCESSFUL") {
            return Err(Failure::new(format!("{path} is {status}: {resource}")));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(Failure::new(format!("{path} does not become {wanted}")))
}

async fn token(client: &AwsClient, house: &House, pool: &str, role: &Role) -> Result<String, Failure> {
    let endpoint = format!("{}/{pool}/oauth2/token", house.names.public_url());
    client.token(&endpoint, &role.client_id, &role.secret, &role.scopes).await
}

/// What the guide prints in its section 6.6.
async fn visibility(
    stage: &Stage,
    client: &AwsClient,
    house: &House,
    pool: &str,
    gateway: &Gateway,
    role: &Role,
) -> Result<(), Failure> {
    stage.heading(&format!("=== Testing with {} role ===", role.name))?;
    let token = token(client, house, pool, role).await?;
    stage.line(format!("Token obtained: {}", role.scopes))?;
    let (_, answer) = client.mcp(&gateway.url, &token, "tools/list", &json!({})).await?;
    let tools = answer.pointer("/result/tools").and_then(Value::as_array);
    let tools = tools.ok_or_else(|| Failure::new(format!("no tools are listed: {answer}")))?;
    let names: Vec<_> =
        tools.iter().filter_map(|tool| tool.pointer("/name").and_then(Value::as_str)).collect();
    let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    stage.line(format!("Gateway tools: [{}]", quoted.join(", ")))?;
    let verdict = if names.iter().any(|name| name.contains("markdown_to_email")) {
        "markdown_to_email is accessible (Cedar PERMIT)"
    } else {
        "markdown_to_email excluded from tool list (Cedar DEFAULT-DENY)"
    };
    stage.line(format!("{}: {verdict}", role.name))
}

/// Calls as each role, and one with a token that nobody signed.
async fn calls(
    stage: &Stage,
    client: &AwsClient,
    house: &House,
    pool: &str,
    gateway: &Gateway,
    roles: &[Role],
) -> Result<(), Failure> {
    stage.heading("=== Calling the tools ===")?;
    let report = json!({ "title": "Weekly", "findings": ["all is well"] });
    let email = json!({ "markdown_content": "# Weekly\n\n- **all** is well", "recipient_email": "ada@example.com", "subject": "Weekly" });
    for role in roles {
        let token = token(client, house, pool, role).await?;
        for (tool, arguments) in [("format_report", &report), ("markdown_to_email", &email)] {
            let params = json!({ "name": format!("{TARGET}___{tool}"), "arguments": arguments });
            let (_, answer) = client.mcp(&gateway.url, &token, "tools/call", &params).await?;
            let said = answer.pointer("/result/content/0/text").and_then(Value::as_str).unwrap_or("?");
            stage.line(format!("{} calls {tool}: {said}", role.name))?;
        }
        if role.name == "manager" {
            let sent = house.store.read().await?.mails(&house.root.account, 1).await?;
            if let Some(mail) = sent.first() {
                stage.line(format!(
                    "  (the outbox holds the message {}; `portcullis mail list` shows it)",
                    mail.id
                ))?;
            }
        }
    }
    let forged = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYW5hZ2VyIn0.";
    let (status, answer) = client.mcp(&gateway.url, forged, "tools/list", &json!({})).await?;
    let said = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("?");
    stage.line(format!("a stranger with a forged token: {status} {said}"))
}

/// What the audit trail says of all this.
async fn trail(stage: &Stage, house: &House) -> Result<(), Failure> {
    stage.heading("=== The audit trail ===")?;
    house.written().await;
    let events = house.store.events(&AuditFilter::default(), 1000).await?;
    for stored in events.iter().filter(|stored| stored.event.kind == AuditKind::Gateway) {
        stage.line(audit::line(&stored.event))?;
    }
    let changes = events.iter().filter(|stored| stored.event.kind == AuditKind::Control).count();
    let tokens = events.iter().filter(|stored| stored.event.kind == AuditKind::Token).count();
    stage.line(format!(
        "(and {changes} changes by the control plane and {tokens} tokens, each with who did it)"
    ))
}
