//! Amazon Bedrock AgentCore's control plane: gateways, their targets, policy engines and policies, and the providers of
//! credentials for what gateways call.

mod agent_runtime;
mod agent_runtime_artifact;
mod agent_runtime_endpoint;
mod agent_runtime_headers;
mod agent_runtime_settings;
mod agent_runtime_settle;
mod agent_runtime_wire;
mod api_key_provider;
mod credential;
mod fit;
mod gateway;
mod gateway_authorizer;
mod gateway_protocol;
mod gateway_settings;
mod generation;
mod generation_settle;
mod generation_wire;
mod guard_role;
mod imports;
mod interceptors;
mod linked_identity;
mod listing;
mod oauth2_config;
mod oauth2_provider;
mod oauth2_vendor;
mod on_behalf_of;
mod outbound;
mod policy;
mod policy_check;
mod policy_engine;
pub mod policy_impact;
mod policy_permission;
mod policy_settle;
mod policy_wire;
mod private_key_jwt;
mod propagation;
mod providers;
mod rate_limit;
mod rate_limit_settings;
mod resource_policy;
mod schema_source;
mod synchronize;
mod tag;
mod target;
pub mod target_proposal;
mod target_settings;
mod target_upstream;
mod target_wire;
mod token_vault;
mod tools;
mod workload_identity;

use aws::Fault;
use domain::{Arn, Document, PolicyEngineId, Scope, Vendor};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::Failure;

pub(crate) use agent_runtime_settle::{settle_agent_runtime, settle_agent_runtime_endpoint};
pub(crate) use credential::find as find_provider;
pub(crate) use gateway::settle_gateway;
pub use generation_settle::generation_subject;
pub(crate) use generation_settle::settle_generation;
pub(crate) use linked_identity::is_the_callers;
pub(crate) use policy_check::Schemas;
pub(crate) use policy_engine::settle_engine;
pub(crate) use policy_settle::settle_policy;
pub(crate) use synchronize::settle_target;
pub(crate) use target_settings::respell;
pub(crate) use workload_identity::{authorize_workload, find as find_workload};

/// A vendor as the API names it (`CredentialProviderVendorType`).
#[must_use]
pub fn vendor_name(vendor: Vendor) -> &'static str {
    oauth2_vendor::name(vendor).as_str()
}

/// The operations of the service.
pub(crate) struct AgentCore;

/// How many items a page has when the caller does not say.
const PAGE: usize = 100;

/// The ARN that stands for all gateways of a scope: what creating and listing are decided about.
fn all_gateways(scope: &Scope) -> Arn {
    Arn::agentcore(scope, "gateway/*")
}

/// The ARN that stands for all policy engines of a scope.
fn all_engines(scope: &Scope) -> Arn {
    Arn::agentcore(scope, "policy-engine/*")
}

fn not_found(what: &str, id: &impl std::fmt::Display) -> Failure {
    Fault::new("ResourceNotFoundException", format!("{what} {id} does not exist in this account and region."))
        .into()
}

fn conflict(message: impl Into<String>) -> Failure {
    Fault::new("ConflictException", message).into()
}

fn name_taken(what: &str, name: &str) -> Failure {
    conflict(format!(
        "{what} with the name {name} already exists. Choose another name, or use the one that exists."
    ))
}

fn over_quota(what: &str, most: usize) -> Failure {
    Fault::new(
        "ServiceQuotaExceededException",
        format!("The quota of {most} {what} is reached. Delete what you no longer need."),
    )
    .into()
}

fn bad_token() -> Failure {
    crate::fault::invalid(
        "nextToken",
        "nextToken is not a token of this list. Use the one that the page before returned.",
    )
}

/// The id of the engine that an ARN names, if it is one of this scope.
fn engine_of(arn: &Arn, scope: &Scope) -> Option<PolicyEngineId> {
    let id = arn.resource().strip_prefix("policy-engine/")?;
    (arn.service() == "bedrock-agentcore" && arn.scope().as_ref() == Some(scope))
        .then(|| PolicyEngineId::from_text(id))
}

/// What the API echoes, as it is kept.
fn written<T: Serialize>(value: &T) -> Result<Document, Failure> {
    serde_json::to_string(value).map(Document).map_err(|error| Failure::internal(&error))
}

/// What was kept, as the API echoes it.
fn read_document<T: DeserializeOwned>(document: &Document) -> Result<T, Failure> {
    serde_json::from_str(&document.0).map_err(|error| Failure::internal(&error))
}
