//! What is told of a credential that is had for a target out of the token vault: AgentCore Identity's number of it, and its
//! span where somebody takes spans. The provider is named, never what it gave.

use std::time::Instant;

use credentials::Refused;
use domain::{Arn, OAuthGrant, Outbound, Timestamp};
use telemetry::{Fetch, Given, Span, SpanKind, TraceContext, Value};

use crate::snapshot::TargetEntry;
use crate::turn::Turn;

/// What AWS calls a credential that cannot be had.
const REFUSED: &str = "CredentialException";

/// A credential that is asked for.
pub(crate) struct Fetching<'a> {
    turn: &'a Turn,
    given: Given,
    operation: &'static str,
    provider: &'a Arn,
    flow: Option<&'static str>,
    /// Where and when the span begins, if there is one.
    span: Option<(TraceContext, Instant, Timestamp)>,
}

impl<'a> Fetching<'a> {
    /// Nothing for a target whose calls need none of the vault's.
    pub(crate) fn begin(turn: &'a Turn, target: &'a TargetEntry) -> Option<Self> {
        let (given, operation, provider, flow) = match &target.outbound {
            Outbound::ApiKey(it) => (Given::ApiKey, "GetResourceApiKey", &it.provider, None),
            Outbound::OAuth(it) => {
                let flow = match it.grant {
                    OAuthGrant::ClientCredentials => "M2M",
                    OAuthGrant::AuthorizationCode => "USER_FEDERATION",
                    OAuthGrant::TokenExchange => "ON_BEHALF_OF_TOKEN_EXCHANGE",
                };
                (Given::ResourceAccessToken, "GetResourceOauth2Token", &it.provider, Some(flow))
            }
            Outbound::None | Outbound::GatewayRole(_) | Outbound::CallerIam(_) | Outbound::JwtPassthrough => {
                return None;
            }
        };
        let recorded = turn.trace.recorded();
        let span = recorded.map(|(context, _)| (context.clone(), Instant::now(), turn.now()));
        Some(Self { turn, given, operation, provider, flow, span })
    }

    /// It is had, or refused.
    pub(crate) fn done(self, refused: Option<&Refused>) {
        let setup = &self.turn.lane.plane.setup;
        let provider = self.provider.resource().rsplit('/').next().unwrap_or_default();
        let error = refused.map(|_| REFUSED);
        setup.fetches.count(&Fetch { given: self.given, operation: self.operation, provider, error });
        let Some((parent, began, at)) = &self.span else { return };
        let gateway = &self.turn.gate.gateway;
        let request_id = || Value::from(self.turn.request_id.to_string());
        let kind = if self.given == Given::ApiKey { "API Key" } else { "OAuth2" };
        let mut attributes = vec![
            ("aws.operation.name", self.operation.into()),
            ("aws.resource.arn", self.provider.to_string().into()),
            ("aws.request.id", request_id()),
            ("aws.request_id", request_id()),
            ("aws.account.id", gateway.scope.account.to_string().into()),
            ("aws.region", gateway.scope.region.to_string().into()),
            ("gateway.id", gateway.id.to_string().into()),
            ("credential.provider.name", provider.to_owned().into()),
            ("credential.provider.type", kind.into()),
            ("token.vault.name", "default".into()),
            ("latency_ms", began.elapsed().into()),
        ];
        if let Some(workload) = gateway.workload_identity.as_ref().and_then(Arn::as_workload_identity) {
            attributes.push(("workload.identity.id", workload.to_owned().into()));
            attributes.push(("workload.identity.directory", "default".into()));
        }
        if let Some(flow) = self.flow {
            attributes.push(("oauth2.flow", flow.into()));
        }
        if let Some(refused) = refused {
            attributes.push(("error_type", class(refused).into()));
            attributes.push(("exception.type", REFUSED.into()));
        }
        setup.telemetry.span(Span {
            context: parent.child(&*setup.random),
            parent: Some(parent.span),
            name: format!("AgentCore.Identity.{}", self.operation).into(),
            kind: SpanKind::Internal,
            began: telemetry::nanos(*at),
            took: began.elapsed(),
            attributes,
            error: error.map(str::to_owned),
        });
    }
}

/// Whose fault it is, in AgentCore's words (`error_type`): the provider's token endpoint answers like any service.
fn class(refused: &Refused) -> &'static str {
    match refused.status {
        Some(429) => "throttle",
        Some(500..) => "system",
        _ => "user",
    }
}
