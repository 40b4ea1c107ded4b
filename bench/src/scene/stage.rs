//! What is measured, set up by signed AWS calls as anybody would: a user pool and its token, a function, policy engines,
//! and gateways with so many tools under so many policies.
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
use super::machine::{Machine, Running};
use crate::failure::Failure;
use crate::load::Plan;
use crate::tools::{self, ANSWER, SIZES, STREAM_PATH};

/// How many policies each engine has.
pub(crate) const POLICIES: [usize; 3] = [10, 100, 1_000];
/// The engine that guards the gateways whose sizes do not vary.
pub(crate) const OTHER_POLICIES: usize = 100;
/// The name of every target.
pub(crate) const TARGET: &str = "Reports";
/// The tool of the largest gateways about which there is a policy that reads an argument.
pub(crate) const READ_TOOL: usize = 1;

/// The gateway that measurements are about which do not vary it.
pub(crate) const GUARDED: Which = Which::Mcp { tools: 100, policies: 100 };

const SERVER: &str = "bench";
const SCOPE: &str = "bench/file";

/// A gateway: with how many tools, under how many policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Which {
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
pub(crate) struct Stage {
    /// The caller's token.
    pub(crate) token: String,
    /// The path of each gateway's endpoint.
    pub(crate) paths: BTreeMap<Which, String>,
    /// What was made for the callers.
    pub(crate) callers: Callers,
    /// What more gateways can be made with.
    pub(crate) ground: Ground,
    /// The engines, by the number of their policies.
    pub(crate) engines: BTreeMap<usize, Engine>,
}

/// A user pool and its client.
pub(crate) struct Callers {
    pub(crate) pool: String,
    pub(crate) client: String,
    pub(crate) secret: String,
}

/// A policy engine.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) id: String,
    pub(crate) arn: String,
}

/// A gateway before its policies are attached.
pub(crate) struct Gateway {
    which: Which,
    pub(crate) id: String,
    pub(crate) arn: String,
    settings: Value,
}

/// What gateways are made with.
pub(crate) struct Ground {
    discovery_url: String,
    client: String,
    role: String,
    /// Where the function is, if one is among what is measured.
    function: String,
    upstream: String,
}

impl Stage {
    /// How a tool of a gateway is called for as long as a measuring of capacity takes.
    pub(crate) fn plan(&self, which: Which, server: &Running, concurrency: usize) -> Result<Plan, Failure> {
        let path = self.paths.get(&which).cloned();
        Ok(Plan {
            address: server.address.clone(),
            path: path.ok_or_else(|| Failure::new("the gateway was not set up"))?,
            token: (which != Which::Unguarded).then(|| self.token.clone()),
            body: tools::call(&format!("{TARGET}___{}", tools::name(0))),
            expected: ANSWER.to_owned(),
            least: 0,
            events: 0,
            concurrency,
            warm_up_ms: 1_000,
            window_ms: 5_000,
            watched: server.pid(),
            beside: Vec::new(),
            session: false,
            exact: true,
        })
    }
}

/// What a full measuring is about: every number of tools under every number of policies, and every other kind.
pub(crate) fn everything() -> Vec<Which> {
    let guarded = SIZES.into_iter().flat_map(|tools| POLICIES.map(|policies| Which::Mcp { tools, policies }));
    guarded.chain([Which::Function, Which::OpenApi, Which::Streaming, Which::Unguarded]).collect()
}

/// Makes the gateways that are wanted at the server of this name. Of those under one engine, the one with the most tools
/// must have as many as the engine has policies, or nearly.
pub(crate) async fn set_up(
    machine: &Machine,
    server: (&str, &Running),
    upstream: &str,
    wanted: &[Which],
    say: &impl Fn(&str),
) -> Result<Stage, Failure> {
    let aws = Aws::new(&server.1.address, machine.credentials(server.0)?)?;
    say("a user pool and roles");
    let pool = text(&aws.cognito("CreateUserPool", &json!({ "PoolName": "bench" })).await?, "/UserPool/Id")?;
    let (callers, token) = caller(&aws, pool).await?;
    let role = aws.role("BenchGateway", "bedrock-agentcore.amazonaws.com", "lambda:InvokeFunction").await?;
    let has_function = wanted.contains(&Which::Function);
    let ground = Ground {
        discovery_url: format!(
            "http://{}/{}/.well-known/openid-configuration",
            server.1.address, callers.pool
        ),
        client: callers.client.clone(),
        role,
        function: if has_function { function(&aws, machine).await? } else { String::new() },
        upstream: upstream.to_owned(),
    };
    let mut gateways = Vec::new();
    for which in wanted {
        say(&format!("the gateway {}", name(*which)));
        gateways.push(gateway(&aws, &ground, *which, &name(*which)).await?);
    }
    let mut engines = BTreeMap::new();
    for policies in POLICIES {
        let own: Vec<_> =
            gateways.iter().filter(|gateway| engine_of(gateway.which) == Some(policies)).collect();
        if !own.is_empty() {
            say(&format!("{policies} policies"));
            engines.insert(policies, engine(&aws, policies, &own).await?);
        }
    }
    let paths = gateways.iter().map(|gateway| (gateway.which, format!("/gateways/{}/mcp", gateway.id)));
    let paths = paths.collect();
    Ok(Stage { token, paths, callers, ground, engines })
}

/// The client that calls, and its token.
async fn caller(aws: &Aws, pool: String) -> Result<(Callers, String), Failure> {
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
    let secret = text(&made, "/UserPoolClient/ClientSecret")?;
    let token = aws.token(&pool, &client, &secret).await?;
    Ok((Callers { pool, client, secret }, token))
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

/// Makes a gateway of a name with its target, and waits until both are ready.
pub(crate) async fn gateway(
    aws: &Aws,
    ground: &Ground,
    which: Which,
    name: &str,
) -> Result<Gateway, Failure> {
    let mut settings = json!({
        "name": name,
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
async fn engine(aws: &Aws, policies: usize, gateways: &[&Gateway]) -> Result<Engine, Failure> {
    let made = aws
        .agentcore(Method::POST, "/policy-engines", &json!({ "name": format!("bench_{policies}") }))
        .await?;
    let (id, arn) = (text(&made, "/policyEngineId")?, text(&made, "/policyEngineArn")?);
    aws.until(&format!("/policy-engines/{id}"), "ACTIVE").await?;
    let tools = |gateway: &&&Gateway| match gateway.which {
        Which::Mcp { tools, .. } => tools,
        _ => 0,
    };
    let largest = gateways.iter().max_by_key(tools);
    let largest = largest.ok_or_else(|| Failure::new("an engine needs a gateway"))?;
    let general = gateways.iter().map(|gateway| general(&gateway.arn));
    let single = (READ_TOOL..).map(|tool| about_one_tool(&largest.arn, tool));
    for (number, statement) in general.chain(single).take(policies).enumerate() {
        // What is found about them is not what is measured, and takes a while with 1,000 tools.
        let name = format!("bench_{policies}_{number}");
        checked(aws, &id, &name, &statement, "IGNORE_ALL_FINDINGS").await?;
    }
    let engine = Engine { id, arn };
    for gateway in gateways {
        attach(aws, gateway, &engine).await?;
    }
    Ok(engine)
}

/// Makes a policy, and waits until it is active; gives its id.
pub(crate) async fn policy(aws: &Aws, engine: &str, name: &str, statement: &str) -> Result<String, Failure> {
    checked(aws, engine, name, statement, "FAIL_ON_ANY_FINDINGS").await
}

async fn checked(
    aws: &Aws,
    engine: &str,
    name: &str,
    statement: &str,
    mode: &str,
) -> Result<String, Failure> {
    let definition = json!({ "cedar": { "statement": statement } });
    let path = format!("/policy-engines/{engine}/policies");
    let policy = json!({ "name": name, "definition": definition, "validationMode": mode });
    let id = text(&aws.agentcore(Method::POST, &path, &policy).await?, "/policyId")?;
    aws.until(&format!("{path}/{id}"), "ACTIVE").await?;
    Ok(id)
}

/// Puts a gateway under an engine, and waits until it is.
pub(crate) async fn attach(aws: &Aws, gateway: &Gateway, engine: &Engine) -> Result<(), Failure> {
    let mut settings = gateway.settings.clone();
    if let Some(settings) = settings.as_object_mut() {
        let configuration = json!({ "arn": engine.arn, "mode": "ENFORCE" });
        settings.insert("policyEngineConfiguration".to_owned(), configuration);
    }
    let path = format!("/gateways/{}/", gateway.id);
    aws.agentcore(Method::PUT, &path, &settings).await?;
    aws.until(&path, "READY").await
}

/// Lets everybody in whose token has the scope.
pub(crate) fn general(gateway: &str) -> String {
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
