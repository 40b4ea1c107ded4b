//! A function, read from the store: what its processes are started with, and who may invoke it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compute::{Code, Credentials, Digest, Launch, Provider, ProviderError};
use domain::{Arn, Function, FunctionStatement, Role, Scope, Timestamp};
use iam::{Context, Named, Policy, PolicyKind, PolicySets, Question, Requester};
use identity::principal::{self, Lasts};
use store::StoreError;

use crate::{CREDENTIAL_SECONDS, Functions};

/// The service that assumes the roles of functions.
const SERVICE: &str = "lambda.amazonaws.com";

/// A function that is ready to run.
pub struct Prepared {
    /// The function.
    pub function: Function,
    /// What its processes are started with.
    pub(crate) launch: Arc<Launch>,
    /// Its resource policy, where it has one.
    pub resource_policy: Option<Named>,
}

pub(crate) async fn read(
    functions: &Functions,
    scope: &Scope,
    name: &str,
) -> Result<Option<Prepared>, StoreError> {
    let mut tx = functions.0.store.read().await?;
    let Some(function) = tx.function(scope, name).await? else { return Ok(None) };
    let environment = tx.function_environment(scope, name).await?;
    let statements = tx.function_statements(scope, name).await?;
    drop(tx);
    let corrupt = |detail: String| StoreError::Corrupt { table: "functions", detail };
    let digest = Digest::from_base64(&function.code_sha256)
        .ok_or_else(|| corrupt("the digest of the code is none".to_owned()))?;
    let launch = Launch {
        function: function.arn(),
        revision_id: function.revision_id.clone(),
        updated_at: function.updated_at,
        name: function.name.clone(),
        runtime: function.runtime.clone(),
        handler: function.handler.clone(),
        memory_mib: function.memory_mib,
        timeout_seconds: function.timeout_seconds,
        code: Code::Archive { digest, archive: archive(functions, &function) },
        environment: environment.into_iter().collect(),
        server_environment: Vec::new(),
        endpoint_url: Some(functions.0.endpoint_url.clone()),
        credentials: credentials(functions, &function),
    };
    let resource_policy = resource_policy(&function.arn(), &statements).map_err(corrupt)?;
    Ok(Some(Prepared { function, launch: Arc::new(launch), resource_policy }))
}

fn archive(functions: &Functions, function: &Function) -> Provider<Bytes> {
    let (functions, digest) = (functions.clone(), function.code_sha256.clone());
    Provider::new(move || {
        let (functions, digest) = (functions.clone(), digest.clone());
        async move {
            let code = functions.0.store.read().await?.function_code(&digest).await?;
            code.map(Bytes::from).ok_or_else(|| ProviderError::from("the function's code is gone"))
        }
    })
}

/// The function's processes sign as a session of its role, named like the function, as Lambda's do.
fn credentials(functions: &Functions, function: &Function) -> Provider<Credentials> {
    let (functions, function) = (functions.clone(), function.clone());
    Provider::new(move || {
        let (functions, function) = (functions.clone(), function.clone());
        async move {
            let inner = &functions.0;
            let name = function.role.resource().rsplit('/').next().unwrap_or_default().to_owned();
            let role = inner.store.read().await?.role(&function.scope.account, &name).await?;
            let now = inner.clock.now();
            let role = role.filter(|role| role.arn() == function.role && trusts(role, &function.arn(), now));
            let role = role.ok_or_else(|| {
                let role = &function.role;
                ProviderError::from(format!("the role {role} is gone, or does not trust {SERVICE}"))
            })?;
            let lasts = Lasts::from(now, Duration::from_secs(CREDENTIAL_SECONDS));
            let issued =
                principal::issue(&inner.store, &*inner.random, &role, &function.name, Vec::new(), lasts)?;
            Ok(Credentials {
                access_key_id: issued.access_key.to_string(),
                secret_access_key: issued.secret,
                session_token: Some(issued.session_token),
                expires_at: Some(issued.expires_at),
            })
        }
    })
}

/// Whether a role may be assumed for a function, now: its trust policy may have changed since the function was made.
fn trusts(role: &Role, function: &Arn, now: Timestamp) -> bool {
    let Ok(trust) = Policy::parse(&role.trust_policy.0, PolicyKind::Trust) else { return false };
    let requester = Requester::Service(SERVICE);
    let conditions = Context::of(&requester)
        .at(now)
        .with("aws:SourceArn", function.as_str())
        .with("aws:SourceAccount", function.account());
    let arn = role.arn();
    let question = Question {
        requester,
        action: "sts:AssumeRole",
        resource: arn.as_str(),
        resource_account: Some(&role.account),
        context: &conditions,
    };
    let trust = Named { name: String::new(), policy: Arc::new(trust) };
    iam::evaluate_trust(&question, &trust, &PolicySets::default()).is_allowed()
}

/// The statements of a function's resource policy as one document, as Lambda's `GetPolicy` shows it.
#[must_use]
pub fn policy_document(statements: &[FunctionStatement]) -> String {
    let statements: Vec<_> = statements.iter().map(|statement| statement.statement.0.as_str()).collect();
    format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{}]}}"#, statements.join(","))
}

fn resource_policy(function: &Arn, statements: &[FunctionStatement]) -> Result<Option<Named>, String> {
    if statements.is_empty() {
        return Ok(None);
    }
    let document = policy_document(statements);
    let policy = Policy::parse(&document, PolicyKind::Resource).map_err(|error| error.to_string())?;
    Ok(Some(Named { name: format!("the resource policy of {function}"), policy: Arc::new(policy) }))
}
