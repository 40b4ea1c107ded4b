//! Where the agent of a session listens.
//!
//! An agent by URL is the operator's: it is dialled as everything is that tenants name, by the rules for outgoing calls. An
//! agent by its code is a process of this machine, one for each session, started when the session is first used; the
//! session is in use as long as its [`Held`] is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compute::agents::{AgentLimits, AgentSpec, Language, Lease, Protocol, StartError};
use compute::{Code, Credentials, Digest, Provider, ProviderError};
use domain::{AgentArtifact, AgentCode, AgentProtocol, AgentRuntimeId, Arn, Scope};
use identity::principal::{Lasts, ServiceRole};

use crate::edge::House;
use crate::refusal::{Kind, Refusal};
use crate::registry::Served;

/// The service that assumes the roles of runtimes.
const SERVICE: &str = "bedrock-agentcore.amazonaws.com";
/// How long the credentials of a runtime's role live.
const CREDENTIAL_LIFE: Duration = Duration::from_secs(60 * 60);
/// How long after its connection broke an agent's process may be seen to end.
const TO_FALL: Duration = Duration::from_millis(500);

/// Held as long as a session is in use.
pub(crate) enum Held {
    /// The agent is not ours.
    Elsewhere,
    /// A process of ours.
    Here(Lease),
}

impl Held {
    /// The agent broke off, as one does whose process falls. Waits a moment until that is known, so that who calls again
    /// at once finds a new process, and not what is left of the old one.
    pub(crate) async fn broke_off(&self) {
        if let Self::Here(lease) = self {
            let _ = tokio::time::timeout(TO_FALL, lease.ended()).await;
        }
    }
}

/// An agent that listens.
pub(crate) struct Reached {
    /// Its URL, without a slash at its end.
    pub(crate) base: String,
    pub(crate) held: Held,
    /// Whether it is a process of ours, which nobody named an address of.
    pub(crate) ours: bool,
}

/// Finds where the agent of a session listens, and starts it if it does not.
///
/// # Errors
/// AWS's RuntimeClientError when it cannot be started.
pub(crate) async fn reach(house: &Arc<House>, served: &Served, session: &str) -> Result<Reached, Refusal> {
    let code = match &served.version.artifact {
        AgentArtifact::Url(url) => {
            return Ok(Reached { base: url.clone(), held: Held::Elsewhere, ours: false });
        }
        AgentArtifact::Code(code) => code,
    };
    let spec = served.spec.get_or_try_init(|| spec(house, served, code)).await?;
    let lease = house.setup.agents.session(spec, session).await.map_err(|error| told(served, &error))?;
    Ok(Reached { base: format!("http://{}", lease.addr()), held: Held::Here(lease), ours: true })
}

/// Ends a session. An agent by URL is not ours to end: its session is its own affair.
pub(crate) async fn stop(house: &House, served: &Served, session: &str) {
    house.setup.agents.stop(&served.runtime.arn(), session).await;
}

/// Ends the sessions of a runtime that was deleted.
pub(crate) async fn end_if_gone(house: Arc<House>, scope: Scope, id: AgentRuntimeId) {
    let reading = async { house.setup.store.read().await?.agent_runtime(&scope, &id).await };
    match reading.await {
        Ok(Some(_)) => {}
        Ok(None) => house.setup.agents.drop_runtime(&Arn::agent_runtime(&scope, &id)).await,
        Err(error) => {
            tracing::warn!(runtime.id = %id, %error, "It is not known whether an agent runtime is gone.");
        }
    }
}

/// What the processes of a version are started with.
async fn spec(house: &Arc<House>, served: &Served, code: &AgentCode) -> Result<Arc<AgentSpec>, Refusal> {
    let version = &served.version;
    let reading = async { house.setup.store.read().await?.agent_environment(version).await };
    let environment = reading.await.map_err(|error| Refusal::of_store(&error))?;
    let digest = Digest::from_base64(&code.sha256);
    let digest = digest.ok_or_else(|| Refusal::internal(&"the digest of the agent's code is none"))?;
    let language = Language::parse(&code.runtime);
    let language = language.ok_or_else(|| Refusal::internal(&"the agent's language is none"))?;
    Ok(Arc::new(AgentSpec {
        runtime: served.runtime.arn(),
        version: version.number.to_string(),
        name: served.runtime.name.clone(),
        code: Code::Archive { digest, archive: archive(house, code) },
        entry_point: code.entry_point.clone(),
        language,
        environment: environment.into_iter().collect(),
        server_environment: Vec::new(),
        endpoint_url: Some(house.setup.endpoint_url.clone()),
        credentials: Some(credentials(house, served)),
        protocol: match version.speaks() {
            AgentProtocol::Http => Protocol::Http,
            AgentProtocol::Mcp => Protocol::Mcp,
        },
        idle_timeout: Duration::from_secs(version.lifecycle.idle.into()),
        max_life: Duration::from_secs(version.lifecycle.most.into()),
        limits: AgentLimits::default(),
    }))
}

fn archive(house: &Arc<House>, code: &AgentCode) -> Provider<Bytes> {
    let (house, digest) = (Arc::clone(house), code.sha256.clone());
    Provider::new(move || {
        let (house, digest) = (Arc::clone(&house), digest.clone());
        async move {
            let code = house.setup.store.read().await?.agent_code(&digest).await?;
            code.map(Bytes::from).ok_or_else(|| ProviderError::from("the agent's code is gone"))
        }
    })
}

/// The agent signs as a session of its runtime's role, which must trust the service for this runtime whenever it is asked.
fn credentials(house: &Arc<House>, served: &Served) -> Provider<Credentials> {
    let (house, role) = (Arc::clone(house), served.version.role.clone());
    let (source, name) = (served.runtime.arn(), served.runtime.id.to_string());
    Provider::new(move || {
        let (house, role) = (Arc::clone(&house), role.clone());
        let (source, name) = (source.clone(), name.clone());
        async move {
            let setup = &house.setup;
            let lasts = Lasts::from(setup.clock.now(), CREDENTIAL_LIFE);
            let role = ServiceRole { role: &role, service: SERVICE, source: &source };
            let issued = role.open(&setup.store, &*setup.random, &name, lasts).await?;
            Ok(Credentials {
                access_key_id: issued.access_key.to_string(),
                secret_access_key: issued.secret,
                session_token: Some(issued.session_token),
                expires_at: Some(issued.expires_at),
            })
        }
    })
}

/// Why an agent was not started, as its caller is told; what it wrote is its owner's.
fn told(served: &Served, error: &StartError) -> Refusal {
    tracing::warn!(runtime.id = %served.runtime.id, %error, "An agent cannot be started.");
    match error {
        StartError::TooMany { .. } => Refusal::new(
            Kind::Quota,
            "There are as many sessions as there may be. Stop some, or try again later.",
        ),
        StartError::Stopped => Refusal::new(Kind::Conflict, "Session operation in progress, please retry"),
        StartError::ShuttingDown => Refusal::internal(error),
        StartError::Name => Refusal::invalid("The id of a session has 1 to 256 visible characters."),
        _ => Refusal::new(
            Kind::Agent,
            "An error occurred when starting the agent. Its owner finds more in the server's log and in what it writes.",
        ),
    }
}
