//! Puts the house together: every part is made here, once, and handed what it stands on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use compute::agents::Agents;
use control::ControlPlane;
use credentials::Credentials;
use domain::{AccessKey, Clock, Random, SystemClock, SystemRandom};
use egress::Client;
use functions::Functions;
use gateway::{Lane, Leases, Loader, Sessions, Snapshot};
use identity::issuer::Issuers;
use identity::outbound::Outbound;
use identity::principal::Principals;
use identity::provider::{ClientDocuments, Names, Provider};
use identity::web_identity::WebIdentities;
use inference::Inference;
use objects::{Limits, Objects};
use prover::Prover;
use runtimes::Runtimes;
use store::{AuditLog, LogWriter, Replica, Store};
use telemetry::{Exporter, Fetches, Telemetry};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use trail::Checkpointer;

use crate::audit_trail;
use crate::bootstrap;
use crate::configuration::{Configuration, Metrics};
use crate::doors::Doors;
use crate::drain::{self, Phase};
use crate::master_key;
use crate::numbers::Numbers;
use crate::processes::{agents, supervisor};
use crate::proxies::{Proxies, Transport};
use crate::recordings;
use crate::replica::Membership;
use crate::sockets::Addresses;
use crate::terminal::Failure;
use crate::tls::Tls;

/// How long functions and agents have to end when the server does.
const FUNCTION_GRACE: Duration = Duration::from_secs(3);

/// The parts that requests come to.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) control: ControlPlane,
    pub(crate) objects: Objects,
    pub(crate) inference: Inference,
    pub(crate) provider: Arc<Provider>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) web_identities: Arc<WebIdentities>,
    pub(crate) principals: Arc<Principals>,
    pub(crate) calls: watch::Sender<()>,
    pub(crate) lane: Lane,
    pub(crate) names: Arc<Names>,
    pub(crate) random: Arc<dyn Random>,
    /// The proxies that say whom requests come from.
    pub(crate) proxies: ArcSwap<Proxies>,
    /// Who may read the metrics.
    pub(crate) metrics: ArcSwap<Metrics>,
    /// How many come in.
    pub(crate) doors: Arc<Doors>,
    /// Absent, the listener speaks in the clear.
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The root credentials of the first account.
    pub(crate) root: AccessKey,
    functions: Functions,
    agents: Arc<Agents>,
    audit: AuditLog,
    /// Its part among those who share the database, if it can be shared.
    membership: Option<Membership>,
    checkpointer: Checkpointer,
    logs: LogWriter,
    leases: Leases,
    numbers: Numbers,
    exporter: Mutex<Option<Exporter>>,
}

impl House {
    /// Builds the house for a server that listens on `addresses`, and ends as `phases` say.
    pub(crate) async fn build(
        configuration: &Configuration,
        addresses: Addresses,
        phases: &watch::Receiver<Phase>,
    ) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let runtime = Handle::current();
        let tls = configuration.tls.as_ref().map(|files| Tls::start(&files.pair, &*clock)).transpose()?;
        let tls = tls.map(Arc::new);
        if let Some(tls) = &tls {
            runtime.spawn(Arc::clone(tls).follow(Arc::clone(&clock)));
        }
        bootstrap::make_data_dir(configuration)?;
        // Before the store, because it is what finds out that another server uses the data directory.
        let supervisor = supervisor(configuration, runtime.clone(), &clock, &random)?;
        let agents = Arc::new(agents(configuration, runtime.clone(), &clock, &random)?);
        let store = master_key::open_store(configuration, &random).await?;
        let root = bootstrap::prepare(configuration, &store, &*clock, &*random).await?;
        let local = addresses.local_url();
        let usual = || local_url(addresses.outside, configuration.transport());
        let public_url = configuration.public_url.as_ref().map_or_else(usual, ToString::to_string);
        bootstrap::write_client_files(configuration, &root, &public_url, &local)?;

        let names = Arc::new(Names::new(&public_url, configuration.issuer_style));
        let checkpointer = audit_trail::checkpoints(configuration, &store, &clock).await?;
        runtime.spawn(checkpointer.clone().write_for_ever());
        let audit = AuditLog::start_with_room(store.clone(), &runtime, configuration.audit.buffer);
        let logs = LogWriter::start(store.clone(), &runtime);
        let fetches = Fetches::default();
        let client =
            Client::new(configuration.reach.clone()).map_err(|error| Failure::new(error.to_string()))?;
        audit_trail::deliver(configuration, &store, &client, &clock, &runtime)?;
        let (telemetry, mut exporter) = match &configuration.telemetry {
            Some(settings) => {
                let started = Exporter::start(Arc::clone(settings), &runtime);
                let (telemetry, exporter) = started.map_err(|error| Failure::new(error.to_string()))?;
                (telemetry, Some(exporter))
            }
            None => (Telemetry::off(), None),
        };
        let principals = Arc::new(Principals::new(store.clone(), Arc::clone(&clock)));
        let issuers =
            Arc::new(Issuers::new(store.clone(), client.clone(), Arc::clone(&clock), Arc::clone(&names)));
        let documents = ClientDocuments::new(client.clone(), Arc::clone(&clock))
            .map_err(|error| Failure::new(error.to_string()))?;
        let provider = Provider::new(
            store.clone(),
            Arc::clone(&names),
            Arc::clone(&clock),
            Arc::clone(&random),
            audit.clone(),
        );
        let functions =
            Functions::new(store.clone(), supervisor, Arc::clone(&clock), Arc::clone(&random), local.clone());
        let provider = provider.with_client_documents(documents).with_triggers(Arc::new(functions.clone()));
        let provider = Arc::new(provider);
        let outbound = Arc::new(Outbound::new(
            store.clone(),
            client.clone(),
            Arc::clone(&clock),
            Arc::clone(&random),
            Arc::clone(&names),
            Arc::clone(&provider),
        ));
        let web_identities = Arc::clone(outbound.web_identities());
        let credentials = Arc::new(Credentials::new(
            Arc::clone(&outbound),
            store.clone(),
            Arc::clone(&clock),
            Arc::clone(&random),
        ));

        let runtimes = Runtimes::new(
            runtimes::Setup {
                store: store.clone(),
                principals: Arc::clone(&principals),
                issuers: Arc::clone(&issuers),
                outbound: Arc::clone(&outbound),
                audit: audit.clone(),
                telemetry: telemetry.clone(),
                names: Arc::clone(&names),
                clock: Arc::clone(&clock),
                random: Arc::clone(&random),
                agents: Arc::clone(&agents),
                endpoint_url: local.clone(),
                partners: configuration.partners.clone(),
                ending: ending(phases.clone(), &runtime),
            },
            &client,
        )
        .map_err(|error| Failure::new(error.to_string()))?;
        let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        let (in_force, reached) = watch::channel(0);
        let sessions = Arc::new(Sessions::new(store.clone()));
        let leases = Leases::start(&store, &clock, &*random, &runtime).await;
        let loader = Loader {
            store: store.clone(),
            snapshot: Arc::clone(&snapshot),
            in_force,
            functions: functions.clone(),
            principals: Arc::clone(&principals),
            issuers: Arc::clone(&issuers),
            provider: Arc::clone(&provider),
            outbound: Arc::clone(&outbound),
            names: Arc::clone(&names),
            runtimes: runtimes.clone(),
            sessions: Arc::clone(&sessions),
            leases: leases.clone(),
            client: client.clone(),
            guard_role: configuration.guard_role,
            clock: Arc::clone(&clock),
        };
        loader.load().await?;
        runtime.spawn(loader.follow());
        let replica = Replica::join(&store, configuration.lease, &*random).await?.map(Arc::new);

        let objects = Objects::new(objects::Setup {
            store: store.clone(),
            principals: Arc::clone(&principals),
            audit: audit.clone(),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            hosts: object_hosts(&public_url, &configuration.hosts),
            region: configuration.region.clone(),
            limits: Limits { object_bytes: configuration.max_object_bytes, ..Limits::default() },
        });
        runtime.spawn(objects.clone().sweep_for_ever());

        let inference = Inference::new(inference::Setup {
            principals: Arc::clone(&principals),
            audit: audit.clone(),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            client: client.clone(),
            model: configuration.inference.clone(),
            region: configuration.region.clone(),
        });

        let control = ControlPlane::new(control::Setup {
            store: store.clone(),
            principals: Arc::clone(&principals),
            issuers: Arc::clone(&issuers),
            provider: Arc::clone(&provider),
            functions: functions.clone(),
            outbound: Arc::clone(&outbound),
            trusted_issuers: configuration.trusted_issuers.clone(),
            credentials: Arc::clone(&credentials),
            prover: Prover::new(configuration.solver.clone()),
            generator: configuration.generator(&client),
            relay: configuration
                .relay
                .as_ref()
                .map(mail::Relay::new)
                .transpose()
                .map_err(|error| Failure::usage(error.to_string()))?,
            objects: objects.clone(),
            client: client.clone(),
            audit: audit.clone(),
            fetches: fetches.clone(),
            telemetry: telemetry.clone(),
            names: Arc::clone(&names),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            quotas: configuration.quotas,
            largest_payload: configuration.largest_payload,
            guard_role: configuration.guard_role,
            pins: configuration.pins,
            in_force: reached.clone(),
            replica: replica.clone(),
            runtime: runtime.clone(),
        });
        let membership = match replica {
            Some(replica) => Some(Membership::begin(replica, control.clone(), reached, &runtime).await?),
            None => None,
        };
        control.resume().await?;
        runtime.spawn(control.clone().sweep_for_ever());
        runtime.spawn(recordings::prune_for_ever(
            store.clone(),
            Arc::clone(&clock),
            configuration.recording.retention,
        ));
        if let Some(retention) = configuration.audit.retention {
            let (clock, random) = (Arc::clone(&clock), Arc::clone(&random));
            runtime.spawn(audit_trail::retire_for_ever(store.clone(), clock, random, retention));
        }
        let lane = Lane::new(
            gateway::Setup {
                snapshot,
                issuers,
                principals: Arc::clone(&principals),
                functions: functions.clone(),
                credentials,
                audit: audit.clone(),
                names: Arc::clone(&names),
                hosts: configuration.hosts.clone(),
                clock: Arc::clone(&clock),
                random: Arc::clone(&random),
                fetches: fetches.clone(),
                sessions,
                logs: logs.clone(),
                telemetry: telemetry.clone(),
                call_timeout: configuration.call_timeout,
                largest_payload: configuration.largest_payload,
                traffic: configuration.traffic,
                leases: leases.clone(),
                recorder: configuration.recording.recorder.clone(),
                prompts_and_resources: configuration.prompts_and_resources,
            },
            client,
            runtimes,
        );
        let doors = Arc::new(Doors::new(configuration.limits));
        let numbers = Numbers {
            lane: lane.clone(),
            fetches,
            audit: audit.clone(),
            telemetry,
            store: store.clone(),
            doors: Arc::clone(&doors),
            tls: tls.clone(),
        };
        if let Some(exporter) = &mut exporter {
            let numbers = numbers.clone();
            exporter.export_metrics(Arc::clone(&clock), move || numbers.read());
        }
        Ok(Self {
            store,
            control,
            objects,
            inference,
            provider,
            outbound,
            web_identities,
            principals,
            calls: watch::Sender::default(),
            lane,
            names,
            random,
            proxies: ArcSwap::from_pointee(Proxies::new(configuration.trusted_proxies.clone())),
            metrics: ArcSwap::from_pointee(configuration.metrics),
            doors,
            tls,
            clock,
            root,
            functions,
            agents,
            audit,
            membership,
            checkpointer,
            logs,
            leases,
            numbers,
            exporter: Mutex::new(exporter),
        })
    }

    /// Everything that is counted.
    pub(crate) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Waits until every audit event that was recorded so far is written.
    pub(crate) async fn written(&self) {
        self.audit.flush().await;
    }

    /// Waits until this server must end, because it knows what the database does not.
    pub(crate) async fn broken(&self) -> Failure {
        match &self.membership {
            Some(membership) => membership.lost().await,
            None => std::future::pending().await,
        }
    }

    /// Ends the functions, writes what waits, closes the database.
    pub(crate) async fn close(&self) {
        if let Some(membership) = &self.membership {
            membership.leave().await;
        }
        tokio::join!(self.functions.shutdown(FUNCTION_GRACE), self.agents.shutdown(FUNCTION_GRACE));
        self.audit.flush().await;
        if let Err(error) = self.checkpointer.write().await {
            tracing::error!(%error, "The last checkpoint of the audit trail cannot be written.");
        }
        self.logs.flush().await;
        self.leases.leave().await;
        if let Some(exporter) = self.exporter.lock().await.take() {
            exporter.stop().await;
        }
        self.store.close().await;
    }
}

/// The names before which a label is a bucket's.
fn object_hosts(public_url: &str, hosts: &[String]) -> Vec<String> {
    let public = public_url.parse::<http::Uri>().ok();
    let public = public.and_then(|url| url.host().map(str::to_ascii_lowercase));
    let is_name = |host: &String| host.parse::<std::net::IpAddr>().is_err();
    public.into_iter().chain(hosts.iter().map(|host| host.to_ascii_lowercase())).filter(is_name).collect()
}

/// The URL under which this machine reaches an address of the server.
pub(crate) fn local_url(address: SocketAddr, transport: Transport) -> String {
    let scheme = match transport {
        Transport::Clear => "http",
        Transport::Tls => "https",
    };
    if address.ip().is_unspecified() {
        format!("{scheme}://127.0.0.1:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}

impl Addresses {
    /// The URL under which this machine reaches the server in the clear.
    pub(crate) fn local_url(&self) -> String {
        local_url(self.inside.unwrap_or(self.outside), Transport::Clear)
    }
}

/// Becomes true when streams are to end.
fn ending(mut phases: watch::Receiver<Phase>, runtime: &Handle) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    runtime.spawn(async move {
        drain::reached(&mut phases, Phase::Ending).await;
        sender.send_replace(true);
        // Whoever looks later is told, too.
        sender.closed().await;
    });
    receiver
}
