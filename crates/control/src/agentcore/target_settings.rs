//! What CreateGatewayTarget and UpdateGatewayTarget configure: read from the request, completed with the tools of its
//! documents, and written into a target.

use aws_shapes::bedrock_agentcore_control::{CreateGatewayTargetRequest, UpdateGatewayTargetRequest};
use domain::{
    Arn, Document, Gateway, GatewayId, Offers, Outbound, Propagation, Target, TargetId, TargetStatus,
    Timestamp, Tool, Upstream, tool_name,
};
use objects::Location;
use store::Tx;

use super::imports::{self, Imported};
use super::schema_source::object;
use super::target_upstream::{self, Described, kind, lists_itself, same_place};
use super::{fit, outbound, propagation, providers, tools, written};
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::pinning::{self, Pins};

/// The longest name of a tool with its target's prefix ("Quotas" of the gateway).
const MAX_TOOL_NAME: usize = 256;

/// Where the exports of an account's stages of API Gateway are, as `{restApiId}/{stage}.json`: in a bucket of the
/// account's with this name, a hyphen and the account's digits.
const EXPORTS: &str = "portcullis-apigateway-exports";

/// What CreateGatewayTarget and UpdateGatewayTarget configure.
pub(super) struct Settings {
    description: Option<String>,
    configuration: Document,
    credentials: Document,
    metadata: Option<Document>,
    upstream: Upstream,
    outbound: Outbound,
    propagation: Propagation,
    described: Described,
}

impl Settings {
    pub(super) fn of_create(input: CreateGatewayTargetRequest) -> Result<Self, Failure> {
        let credentials = input.credential_provider_configurations.unwrap_or_default();
        let (upstream, described) = target_upstream::read(&input.target_configuration)?;
        let outbound = outbound::read(&upstream, &credentials)?;
        Ok(Self {
            description: input.description,
            configuration: written(&input.target_configuration)?,
            credentials: written(&credentials)?,
            metadata: input.metadata_configuration.as_ref().map(written).transpose()?,
            propagation: propagation::read(input.metadata_configuration.as_ref(), &upstream, &outbound)?,
            upstream,
            outbound,
            described,
        })
    }

    pub(super) fn of_update(input: UpdateGatewayTargetRequest) -> Result<Self, Failure> {
        Self::of_create(CreateGatewayTargetRequest {
            gateway_identifier: input.gateway_identifier,
            name: None,
            description: input.description,
            client_token: None,
            target_configuration: input.target_configuration,
            credential_provider_configurations: input.credential_provider_configurations,
            metadata_configuration: input.metadata_configuration,
        })
    }

    /// The condition keys of CreateGatewayTarget and UpdateGatewayTarget.
    pub(super) fn condition_keys(&self, conditions: ::iam::Context) -> ::iam::Context {
        let key = match self.upstream {
            Upstream::Http(_) => "bedrock-agentcore:HttpTargetConfigurationType",
            _ => "bedrock-agentcore:McpTargetConfigurationType",
        };
        let (kept, texts) = (&self.propagation, |list: &[String]| list.to_vec());
        let scopes = match &self.outbound {
            Outbound::OAuth(oauth) => texts(&oauth.scopes),
            _ => Vec::new(),
        };
        let conditions = conditions
            .with(key, kind(&self.upstream))
            .with_many("bedrock-agentcore:AllowedRequestHeaders", texts(&kept.request_headers))
            .with_many("bedrock-agentcore:AllowedQueryParameters", texts(&kept.query_parameters))
            .with_many("bedrock-agentcore:AllowedResponseHeaders", texts(&kept.response_headers))
            .with_many("bedrock-agentcore:CredentialProviderScope", scopes);
        match outbound::type_name(&self.outbound) {
            Some(name) => conditions.with("bedrock-agentcore:CredentialProviderType", name),
            None => conditions,
        }
    }

    /// What must fit the gateway, and what must be there.
    pub(super) async fn check(&self, tx: &mut Tx, gateway: &Gateway, name: &str) -> Result<(), Failure> {
        fit::check(gateway, name, &self.upstream, &self.outbound, &self.propagation)?;
        providers::check(tx, &gateway.scope, &self.outbound).await
    }

    /// Reads the documents that describe the tools.
    pub(super) async fn complete(self, context: &Context, name: &str) -> Result<Complete, Failure> {
        let mut settings = self;
        let described = std::mem::replace(&mut settings.described, Described::Here(Vec::new()));
        let imported = import(described, &settings.upstream, context).await?;
        if let Some(signing_name) = imported.signing_name {
            settings.upstream = Upstream::Smithy { signing_name };
        }
        check_tools(context, name, &imported.tools)?;
        propagation::check_schema(&settings.propagation, &imported.headers, &imported.queries)?;
        Ok(Complete { settings, tools: imported.tools, remarks: imported.remarks })
    }
}

async fn import(described: Described, upstream: &Upstream, context: &Context) -> Result<Imported, Failure> {
    let most = context.setup().quotas.tools_per_target;
    match described {
        Described::Here(tools) => Ok(Imported::of(tools)),
        Described::Definitions(source) => {
            tools::of_document(&source.text(context).await?, source.field()).map(Imported::of)
        }
        Described::McpTools(source) => {
            tools::of_mcp_document(&source.text(context).await?, source.field()).map(Imported::of)
        }
        Described::OpenApi(source) => {
            let (text, field) = (source.text(context).await?, source.field());
            aside(move || imports::openapi(&text, most, field)).await
        }
        Described::Smithy(source) => {
            let (text, field) = (source.text(context).await?, source.field());
            aside(move || imports::smithy(&text, field)).await
        }
        Described::ApiGateway(configuration) => {
            let Upstream::ApiGateway { rest_api, stage } = upstream else {
                return Err(Failure::internal(&"a stage's tools for another upstream"));
            };
            let field = "targetConfiguration/mcp/apiGateway";
            let export = format!("/restapis/{rest_api}/stages/{stage}/exports/oas30");
            let arn = Arn::new("apigateway", context.scope.region.as_str(), "", &export);
            context.require("apigateway:GET", &arn, |conditions| conditions)?;
            let at = Location {
                bucket: format!("{EXPORTS}-{}", context.scope.account),
                key: format!("{rest_api}/{stage}.json"),
            };
            let text = object(context, &at, Some(context.scope.account.as_str()), field).await?;
            aside(move || imports::api_gateway(&text, &configuration, most, field)).await
        }
    }
}

/// Reading a large document takes a while: it is done beside the requests.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::internal(&error))?
}

fn check_tools(context: &Context, name: &str, tools: &[Tool]) -> Result<(), Failure> {
    let most = context.setup().quotas.tools_per_target;
    if tools.len() > most {
        return Err(super::over_quota("tools per target", most));
    }
    match tools.iter().find(|tool| tool_name(name, &tool.name).len() > MAX_TOOL_NAME) {
        Some(tool) => Err(invalid(
            "targetConfiguration",
            format!(
                "The tool {} would be called {}, which is longer than {MAX_TOOL_NAME} characters.",
                tool.name,
                tool_name(name, &tool.name)
            ),
        )),
        None => Ok(()),
    }
}

/// Settings whose tools are known, as far as the configuration describes them.
pub(super) struct Complete {
    settings: Settings,
    tools: Vec<Tool>,
    remarks: Vec<String>,
}

impl Complete {
    /// Refuses what does not fit its gateway, as [`Settings::check`] does.
    pub(super) async fn check(&self, tx: &mut Tx, gateway: &Gateway, name: &str) -> Result<(), Failure> {
        self.settings.check(tx, gateway, name).await
    }

    pub(super) fn into_target(
        self,
        id: TargetId,
        gateway: GatewayId,
        name: String,
        context: &Context,
    ) -> Target {
        let settings = self.settings;
        Target {
            id,
            gateway,
            scope: context.scope.clone(),
            name,
            description: settings.description,
            configuration: settings.configuration,
            credentials: settings.credentials,
            upstream: settings.upstream,
            outbound: settings.outbound,
            metadata: settings.metadata,
            propagation: settings.propagation,
            tools: self.tools,
            offers: Offers::default(),
            held: None,
            status: TargetStatus::Creating,
            status_reasons: self.remarks,
            last_synchronized_at: None,
            created_at: context.now,
            updated_at: context.now,
            revision: 1,
        }
    }

    /// The tools of an upstream that lists them itself stay those that are known until they are read again, as long as
    /// it is the same upstream: at another place nothing is known.
    pub(super) fn apply(self, target: &mut Target, name: String, now: Timestamp, pins: Pins) {
        let settings = self.settings;
        let same = same_place(&target.upstream, &settings.upstream);
        target.name = name;
        target.description = settings.description;
        target.configuration = settings.configuration;
        target.credentials = settings.credentials;
        target.metadata = settings.metadata;
        target.outbound = settings.outbound;
        target.propagation = settings.propagation;
        target.updated_at = now;
        target.status_reasons = self.remarks;
        match (same, lists_itself(&settings.upstream)) {
            (true, true) => {}
            (true, false) if pins == Pins::All => pinning::put(target, self.tools, now),
            (_, listed) => {
                target.tools = self.tools;
                target.held = None;
                target.offers = Offers::default();
                if listed {
                    target.last_synchronized_at = None;
                }
            }
        }
        target.upstream = settings.upstream;
    }
}

/// `targetConfiguration` as the request gave it, with the spelling `openapi.specUri` of older guides as
/// `openApiSchema.s3.uri`.
pub(crate) fn respell(value: &mut serde_json::Value) {
    let Some(mcp) = value.pointer_mut("/targetConfiguration/mcp").and_then(|it| it.as_object_mut()) else {
        return;
    };
    let uri = mcp.get("openapi").and_then(|it| it.get("specUri")).filter(|it| it.is_string()).cloned();
    if let (Some(uri), 1) = (uri, mcp.len()) {
        *mcp = serde_json::Map::from_iter([(
            "openApiSchema".to_owned(),
            serde_json::json!({ "s3": { "uri": uri } }),
        )]);
    }
}
