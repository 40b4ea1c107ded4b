//! A function, read from the store: what its processes are started with, and who may invoke it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compute::{Code, Credentials, Digest, Launch, Provider, ProviderError};
use domain::{Arn, Function, FunctionStatement, Random, Role, Timestamp};
use iam::{Context, Named, Policy, PolicyKind, PolicySets, Question, Requester};
use identity::principal::{self, Lasts};
use store::{StoreError, Tx};

use crate::versions::{Meant, meant};
use crate::{CREDENTIAL_SECONDS, FunctionName, Functions};

/// The service that assumes the roles of functions.
const SERVICE: &str = "lambda.amazonaws.com";

/// A function that is ready to run.
pub struct Prepared {
    /// The version that runs; of an alias with two, the one that the alias means.
    pub function: Function,
    /// The ARN by which it was named, with the version or alias: what permissions to invoke it are about.
    pub arn: Arn,
    /// What its processes are started with.
    launch: Arc<Launch>,
    /// The same of another version, which serves a share of the invocations.
    beside: Option<(f64, Arc<Launch>)>,
    /// The resource policy of what was named, where it has one.
    pub resource_policy: Option<Named>,
}

impl Prepared {
    /// Which version serves the next invocation.
    pub(crate) fn launch(&self, random: &dyn Random) -> &Arc<Launch> {
        match &self.beside {
            Some((share, launch)) if draw(random) < *share => launch,
            _ => &self.launch,
        }
    }
}

/// A number from 0 up to 1.
fn draw(random: &dyn Random) -> f64 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

pub(crate) async fn read(functions: &Functions, name: &FunctionName) -> Result<Option<Prepared>, StoreError> {
    let mut tx = functions.0.store.read().await?;
    let Some(Meant { function, beside }) = meant(&mut tx, name).await? else { return Ok(None) };
    let qualifier = name.qualifier.as_deref().unwrap_or_default();
    let statements = tx.function_statements(&name.scope, &name.name, qualifier).await?;
    let arn = name.arn();
    let launch = launch_of(functions, &mut tx, &arn, &function).await?;
    let beside = match beside {
        Some((share, other)) => Some((share, launch_of(functions, &mut tx, &arn, &other).await?)),
        None => None,
    };
    let corrupt = |detail: String| StoreError::Corrupt { table: "function_permissions", detail };
    let resource_policy = resource_policy(&arn, &statements).map_err(corrupt)?;
    Ok(Some(Prepared { function, arn, launch, beside, resource_policy }))
}

/// What the processes of a version are started with, when it is invoked by `arn`.
async fn launch_of(
    functions: &Functions,
    tx: &mut Tx,
    arn: &Arn,
    function: &Function,
) -> Result<Arc<Launch>, StoreError> {
    let environment = tx.function_environment(function).await?;
    let digest = Digest::from_base64(&function.code_sha256).ok_or_else(|| StoreError::Corrupt {
        table: "functions",
        detail: "the digest of the code is none".to_owned(),
    })?;
    Ok(Arc::new(Launch {
        function: function.arn(),
        invoked_as: arn.clone(),
        version: function.version.clone(),
        revision_id: function.revision_id.clone(),
        updated_at: function.updated_at,
        name: function.name.clone(),
        runtime: function.runtime.clone(),
        handler: function.handler.clone(),
        memory_mib: function.memory_mib,
        timeout_seconds: function.timeout_seconds,
        code: Code::Archive { digest, archive: archive(functions, function) },
        environment: environment.into_iter().collect(),
        server_environment: Vec::new(),
        endpoint_url: Some(functions.0.endpoint_url.clone()),
        credentials: credentials(functions, function),
    }))
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
            let issued = principal::issue(
                &inner.store,
                &*inner.random,
                &role,
                &function.name,
                Vec::new(),
                domain::SessionFacts::default(),
                lasts,
            )?;
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
