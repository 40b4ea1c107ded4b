//! What is measured, set up by signed AWS calls as anybody would: a user pool and its token, a function, three policy
//! engines, and gateways with every number of tools under every number of policies.
//!
//! In every engine each gateway has one general permit, whose condition asks for the scope of the token: by it alone
//! all tools are visible and may be called. All other policies are about single tools of the largest gateways: permits
//! for a scope that nobody has, and forbids that read an argument.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use super::aws::{Aws, text};
use super::machine::Machine;
use crate::failure::Failure;
use crate::tools::{self, SIZES, STREAM_PATH};

/// How many policies each engine has.
pub(super) const POLICIES: [usize; 3] = [10, 100, 1_000];
/// The engine that guards the gateways whose sizes do not vary.
pub(super) const OTHER_POLICIES: usize = 100;
/// The name of every target.
pub(super) const TARGET: &str = "Reports";
/// The tool of the largest gateways about which there is a policy that reads an argument.
pub(super) const READ_TOOL: usize = 1;

const SERVER: &str = "bench";
const SCOPE: &str = "bench/file";

/// A gateway: with how many tools, under how many policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Which {
    /// In front of the MCP server.
    Mcp { tools: usize, policies: usize },
    /// In front of the function.
    Function,
    /// In front of the REST service.
    OpenApi,
    /// In front of the MCP server, and answers with streams.
    Streaming,
    /// In front of the MCP server, with neither authorizer nor policies.
    Unguarded,
}

/// What was set up.
pub(super) struct Stage {
    /// The caller's token.
    pub(super) token: String,
    /// The path of each gateway's endpoint.
    pub(super) paths: BTreeMap<Which, String>,
}

/// A gateway before its policies are attached.
struct Gateway {
    which: Which,
    id: String,
    arn: String,
    settings: Value,
}

/// What gateways are made with.
struct Ground {
    discovery_url: String,
    client: String,
    role: String,
    function: String,
    upstream: String,
}

pub(super) async fn set_up(
    machine: &Machine,
    server: &str,
    upstream: &str,
    say: &impl Fn(&str),
) -> Result<Stage, Failure> {
    let aws = Aws::new(server, machine.credentials()?)?;
    say("a user pool, roles and a function");
    let pool = text(&aws.cognito("CreateUserPool", &json!({ "PoolName": "bench" })).await?, "/UserPool/Id")?;
    let (client, token) = caller(&aws, &pool).await?;
    let ground = Ground {
        discovery_url: format!("http://{server}/{pool}/.well-known/openid-configuration"),
        client,
        role: aws.role("BenchGateway", "bedrock-agentcore.amazonaws.com", "lambda:InvokeFunction").await?,
        function: function(&aws, machine).await?,
        upstream: upstream.to_owned(),
    };
    let mut gateways = Vec::new();
    let guarded = SIZES.into_iter().flat_map(|tools| POLICIES.map(|policies| Which::Mcp { tools, policies }));
    for which in guarded.chain([Which::Function, Which::OpenApi, Which::Streaming, Which::Unguarded]) {
        say(&format!("the gateway {}", name(which)));
        gateways.push(gateway(&aws, &ground, which).await?);
    }
    for policies in POLICIES {
        say(&format!("{policies} policies"));
        let own: Vec<_> =
            gateways.iter().filter(|gateway| engine_of(gateway.which) == Some(policies)).collect();
        engine(&aws, policies, &own).await?;
    }
    let paths = gateways.iter().map(|gateway| (gateway.which, format!("/gateways/{}/mcp", gateway.id)));
    Ok(Stage { token, paths: paths.collect() })
}

/// The client that calls, and its token.
async fn caller(aws: &Aws, pool: &str) -> Result<(String, String), Failure> {
    let scopes = json!([{ "ScopeName": "file", "ScopeDescription": "may file reports" }]);
    let server = json!({ "UserPoolId": pool, "Identifier": SERVER, "Name": SERVER, "Scopes": scopes });
    aws.cognito("CreateResourceServer", &server).await?;
    let wanted = json!({
        "UserPoolId": pool,
        "ClientName": "bench",
        "GenerateSecret": true,
        "AllowedOAuthFlows": ["client_credentials"],
        "AllowedOAuthScopes": [SCOPE],
        "AllowedOAuthFlowsUserPoolClient": true,
    });
    let made = aws.cognito("CreateUserPoolClient", &wanted).await?;
    let client = text(&made, "/UserPoolClient/ClientId")?;
    let token = aws.token(pool, &client, &text(&made, "/UserPoolClient/ClientSecret")?).await?;
    Ok((client, token))
}

/// Deploys the function: this program, started as a bootstrap on the core of the others.
async fn function(aws: &Aws, machine: &Machine) -> Result<String, Failure> {
    let role = aws.role("BenchFunction", "lambda.amazonaws.com", "logs:*").await?;
    let script = format!("#!/bin/sh\nexec {}\"$LAMBDA_TASK_ROOT/bench\" function\n", machine.script_prefix());
    let program = std::fs::read(&machine.bench)?;
    let archive = archive(&[("bootstrap", script.as_bytes()), ("bench", &program)]);
    let archive = archive.map_err(|error| Failure::of("the archive cannot be written", error))?;
    let wanted = json!({
        "FunctionName": "bench",
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": role,
        "Timeout": 30,
        "Code": { "ZipFile": STANDARD.encode(archive) },
    });
    let made = aws.rest("lambda", Method::POST, "/2015-03-31/functions", &wanted).await?;
    text(&made, "/FunctionArn")
}

fn archive(files: &[(&str, &[u8])]) -> zip::result::ZipResult<Vec<u8>> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // Uncompressed: packing takes a build that is not optimised so long that the server hangs up meanwhile.
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o755);
    for (name, bytes) in files {
        writer.start_file(*name, options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

async fn gateway(aws: &Aws, ground: &Ground, which: Which) -> Result<Gateway, Failure> {
    let mut settings = json!({
        "name": name(which),
        "roleArn": ground.role,
        "protocolType": "MCP",
        "protocolConfiguration": { "mcp": { "disableMcpListToolsPagination": true } },
        "authorizerType": "NONE",
    });
    if let (Some(settings), false) = (settings.as_object_mut(), which == Which::Unguarded) {
        settings.insert("authorizerType".to_owned(), json!("CUSTOM_JWT"));
        let authorizer = json!({ "discoveryUrl": ground.discovery_url, "allowedClients": [ground.client] });
        settings.insert("authorizerConfiguration".to_owned(), json!({ "customJWTAuthorizer": authorizer }));
    }
    if let (Some(mcp), Which::Streaming) = (settings.pointer_mut("/protocolConfiguration/mcp"), which) {
        mcp["streamingConfiguration"] = json!({ "enableResponseStreaming": true });
    }
    let made = aws.agentcore(Method::POST, "/gateways/", &settings).await?;
    let (id, arn) = (text(&made, "/gatewayId")?, text(&made, "/gatewayArn")?);
    aws.until(&format!("/gateways/{id}/"), "READY").await?;
    let path = format!("/gateways/{id}/targets/");
    let made = aws.agentcore(Method::POST, &path, &target(ground, which)).await?;
    aws.until(&format!("{path}{}/", text(&made, "/targetId")?), "READY").await?;
    Ok(Gateway { which, id, arn, settings })
}

fn target(ground: &Ground, which: Which) -> Value {
    let path = match which {
        Which::Mcp { tools, .. } => format!("/{tools}/mcp"),
        Which::Unguarded => "/1/mcp".to_owned(),
        Which::Streaming => STREAM_PATH.to_owned(),
        Which::OpenApi => {
            let document = tools::document(&format!("http://{}", ground.upstream)).to_string();
            let schema = json!({ "openApiSchema": { "inlinePayload": document } });
            return json!({ "name": TARGET, "targetConfiguration": { "mcp": schema } });
        }
        Which::Function => {
            let lambda = json!({ "lambdaArn": ground.function, "toolSchema": { "inlinePayload": [tools::definition(0)] } });
            return json!({
                "name": TARGET,
                "targetConfiguration": { "mcp": { "lambda": lambda } },
                "credentialProviderConfigurations": [{ "credentialProviderType": "GATEWAY_IAM_ROLE" }],
            });
        }
    };
    let endpoint = format!("http://{}{path}", ground.upstream);
    json!({ "name": TARGET, "targetConfiguration": { "mcp": { "mcpServer": { "endpoint": endpoint } } } })
}

/// Makes an engine of so many policies, and attaches it to its gateways. It is attached last, so that the gateways are
/// compiled once and not once for each policy.
async fn engine(aws: &Aws, policies: usize, gateways: &[&Gateway]) -> Result<(), Failure> {
    let made = aws
        .agentcore(Method::POST, "/policy-engines", &json!({ "name": format!("bench_{policies}") }))
        .await?;
    let (id, arn) = (text(&made, "/policyEngineId")?, text(&made, "/policyEngineArn")?);
    aws.until(&format!("/policy-engines/{id}"), "ACTIVE").await?;
    let most = SIZES.into_iter().max().unwrap_or_default();
    let largest =
        gateways.iter().find(|gateway| matches!(gateway.which, Which::Mcp { tools, .. } if tools == most));
    let largest = largest.ok_or_else(|| Failure::new("an engine needs a large gateway"))?;
    let general = gateways.iter().map(|gateway| general(&gateway.arn));
    let single = (READ_TOOL..).map(|tool| about_one_tool(&largest.arn, tool));
    for (number, statement) in general.chain(single).take(policies).enumerate() {
        let definition = json!({ "cedar": { "statement": statement } });
        let policy = json!({ "name": format!("bench_{policies}_{number}"), "definition": definition });
        let path = format!("/policy-engines/{id}/policies");
        let made = aws.agentcore(Method::POST, &path, &policy).await?;
        aws.until(&format!("{path}/{}", text(&made, "/policyId")?), "ACTIVE").await?;
    }
    for gateway in gateways {
        let mut settings = gateway.settings.clone();
        if let Some(settings) = settings.as_object_mut() {
            settings.insert("policyEngineConfiguration".to_owned(), json!({ "arn": arn, "mode": "ENFORCE" }));
        }
        let path = format!("/gateways/{}/", gateway.id);
        aws.agentcore(Method::PUT, &path, &settings).await?;
        aws.until(&path, "READY").await?;
    }
    Ok(())
}

fn general(gateway: &str) -> String {
    format!(
        "permit(principal, action, resource == AgentCore::Gateway::\"{gateway}\") when {{ \
         principal.hasTag(\"scope\") && principal.getTag(\"scope\") like \"*{SCOPE}*\" }};"
    )
}

/// Every other policy reads an argument, [`READ_TOOL`]'s is one that does.
fn about_one_tool(gateway: &str, tool: usize) -> String {
    let (effect, condition) = if tool % 2 == READ_TOOL % 2 {
        ("forbid", "context.input has amount && context.input.amount > 1000")
    } else {
        ("permit", "principal.hasTag(\"scope\") && principal.getTag(\"scope\") like \"*bench/read*\"")
    };
    format!(
        "{effect}(principal, action == AgentCore::Action::\"{TARGET}___{}\", \
         resource == AgentCore::Gateway::\"{gateway}\") when {{ {condition} }};",
        tools::name(tool)
    )
}

/// The engine that guards a gateway, by the number of its policies.
fn engine_of(which: Which) -> Option<usize> {
    match which {
        Which::Mcp { policies, .. } => Some(policies),
        Which::Function | Which::OpenApi | Which::Streaming => Some(OTHER_POLICIES),
        Which::Unguarded => None,
    }
}

fn name(which: Which) -> String {
    match which {
        Which::Mcp { tools, policies } => format!("bench-{tools}-tools-{policies}-policies"),
        Which::Function => "bench-function".to_owned(),
        Which::OpenApi => "bench-openapi".to_owned(),
        Which::Streaming => "bench-streaming".to_owned(),
        Which::Unguarded => "bench-unguarded".to_owned(),
    }
}
