//! Which requests there are: a schema's kinds of caller, tools and gateways.

use cedar_policy::{EntityId, EntityUid, RequestEnv, Schema};
use cedar_policy_symcc::SymEnv;

use crate::undecided::Undecided;

/// The requests that a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The schema, as [`policy::Schema`] writes it.
    pub schema: String,
    /// The ARNs of the gateways that the requests go to; empty for any gateway, also those yet to come.
    pub gateways: Vec<String>,
}

/// One sort of requests: the caller's kind, the tool and the gateway. Questions are answered for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Environment {
    /// The full name of the tool.
    pub action: String,
    /// The caller's entity type, such as `AgentCore::OAuthUser`.
    pub principal: String,
    /// The gateway's ARN; absent when it may be any.
    pub gateway: Option<String>,
}

/// An environment as Cedar sees it.
pub(crate) struct Requests {
    pub(crate) concrete: RequestEnv,
    pub(crate) symbolic: SymEnv,
}

/// Parses the world's schema.
pub(crate) fn parse(world: &World) -> Result<Schema, Undecided> {
    Schema::from_cedarschema_str(&world.schema)
        .map(|(schema, _)| schema)
        .map_err(|error| Undecided::Invalid(error.to_string()))
}

/// The environments of the world, in the order of their tools, without their formulas.
pub(crate) fn list(world: &World, schema: &Schema) -> Vec<(Environment, RequestEnv)> {
    let mut found: Vec<(Environment, RequestEnv)> = schema
        .request_envs()
        .flat_map(|concrete| {
            let gateways = if world.gateways.is_empty() {
                vec![None]
            } else {
                world.gateways.iter().cloned().map(Some).collect()
            };
            gateways.into_iter().map(move |gateway| {
                let environment = Environment {
                    action: concrete.action().id().unescaped().to_owned(),
                    principal: concrete.principal().to_string(),
                    gateway,
                };
                (environment, concrete.clone())
            })
        })
        .collect();
    found.sort_by(|(left, _), (right, _)| left.cmp(right));
    found
}

impl Requests {
    /// The environment's formulas.
    pub(crate) fn of(
        environment: &Environment,
        concrete: RequestEnv,
        schema: &Schema,
    ) -> Result<Self, Undecided> {
        let mut symbolic =
            SymEnv::new(schema, &concrete).map_err(|error| Undecided::from_compiler(&error))?;
        if let Some(arn) = &environment.gateway {
            let gateway = EntityUid::from_type_name_and_id(concrete.resource().clone(), EntityId::new(arn));
            symbolic.request.resource = gateway.into();
        }
        Ok(Self { concrete, symbolic })
    }
}
