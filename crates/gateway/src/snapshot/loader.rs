//! Reads the configuration, and follows the change feed: what changed is compiled again, the rest is kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use credentials::GuardRole;
use domain::{Arn, Authorizer, Clock, Gateway, GatewayId, Scope, Target, Upstream, UserPoolId};
use egress::Client;
use functions::{FunctionName, Functions, Prepared};
use identity::Challenge;
use identity::attached::Attached;
use identity::issuer::Issuers;
use identity::outbound::Outbound;
use identity::principal::Principals;
use identity::provider::{Names, Provider};
use runtimes::Runtimes;
use store::{Belongings, Change, ChangeKind, Store, StoreError};
use tokio::sync::watch;

use super::reading::Reading;
use super::{Catalogue, Gate, Guard, McpEntry, RoleAccess, Rules, Snapshot, UpstreamEntry, guard};
use crate::challenge;
use crate::delivery::Deliveries;
use crate::intercept::{Interceptor, Interceptors};
use crate::limit::{Leases, Limits};
use crate::session::Sessions;

/// How often another process' changes are looked for, where there may be other processes.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How many gateways are read together before they are compiled: what they have is in memory twice meanwhile.
const AT_ONCE: usize = 64;
/// How long to wait after the store failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Keeps a snapshot in line with the store.
pub struct Loader {
    /// The database.
    pub store: Store,
    /// Where the snapshot is put.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Told of the place in the change feed that is served.
    pub in_force: watch::Sender<i64>,
    /// Told of changed functions.
    pub functions: Functions,
    /// Told of changes in IAM.
    pub principals: Arc<Principals>,
    /// Told of changed pools.
    pub issuers: Arc<Issuers>,
    /// Told of changed pools.
    pub provider: Arc<Provider>,
    /// Told of changed credential providers.
    pub outbound: Arc<Outbound>,
    /// The names of this installation.
    pub names: Arc<Names>,
    /// Told of changed agent runtimes.
    pub runtimes: Runtimes,
    /// Told of sessions that were ended or changed.
    pub sessions: Arc<Sessions>,
    /// What is counted together with other replicas.
    pub leases: Leases,
    /// The client of upstream servers.
    pub client: Client,
    /// Whether roles must be allowed to have calls decided.
    pub guard_role: GuardRole,
    /// The time at which roles are asked about.
    pub clock: Arc<dyn Clock>,
}

/// What a batch of changes asks for.
#[derive(Default)]
struct Work {
    /// Gateways to compile again.
    gateways: BTreeSet<GatewayId>,
    /// Gateways whose role may have changed.
    roles: BTreeSet<GatewayId>,
}

impl Loader {
    /// Reads everything, and says so.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn load(&self) -> Result<(), StoreError> {
        let mut reading = Reading::begin(&self.store).await?;
        let reached = reading.tx.last_change().await?;
        let gateways = reading.tx.all_gateways().await?;
        let gates = self.gates(&mut reading, gateways, &Snapshot::default()).await?;
        let gates = gates.into_iter().map(|gate| (gate.gateway.id.to_string(), Arc::new(gate))).collect();
        self.snapshot.store(Arc::new(Snapshot { gates }));
        self.in_force.send_replace(reached);
        Ok(())
    }

    /// Follows the change feed until the store's end.
    pub async fn follow(self) {
        let (mut changed, mut fails) = (self.store.changed(), false);
        loop {
            let reached = *self.in_force.borrow();
            match self.catch_up(reached).await {
                Ok(()) => fails = false,
                Err(_) if self.store.is_closed() => return,
                Err(error) => {
                    // Once, as long as it goes on.
                    if !std::mem::replace(&mut fails, true) {
                        tracing::error!(%error, "The configuration cannot be read; the last one is served.");
                    }
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            }
            let reached = *self.in_force.borrow();
            let told = async { changed.wait_for(|written| *written > reached).await.is_ok() };
            // Other processes write too: other servers on PostgreSQL, and `portcullis pool` on any database.
            match tokio::time::timeout(LOOK_INTERVAL, told).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => {
                    if let Err(error) = self.store.look_for_changes().await
                        && !self.store.is_closed()
                    {
                        tracing::warn!(%error, "Changes of other processes cannot be looked for.");
                    }
                }
            }
        }
    }

    async fn catch_up(&self, mut reached: i64) -> Result<(), StoreError> {
        loop {
            let changes = self.store.changes_since(reached).await?;
            let Some(last) = changes.last().map(|change| change.seq) else { return Ok(()) };
            self.apply(&changes).await?;
            reached = last;
            self.in_force.send_replace(reached);
        }
    }

    async fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        let present = self.snapshot.load_full();
        let mut work = Work::default();
        for change in changes {
            self.note(&present, change, &mut work);
        }
        if self.guard_role == GuardRole::Required {
            // Whether policies decide depends on the role, too.
            work.gateways.append(&mut work.roles);
        }
        for change in changes.iter().filter(|change| change.kind == ChangeKind::Function) {
            if self.functions.find(&change.scope, &change.id).await?.is_none() {
                self.functions.retire(&change.scope, &change.id);
            }
        }
        if work.gateways.is_empty() && work.roles.is_empty() {
            return Ok(());
        }
        let mut reading = Reading::begin(&self.store).await?;
        let (mut gates, mut gateways) = (present.gates.clone(), Vec::new());
        for id in &work.gateways {
            // A gateway that is gone, or does not serve, has no gate.
            gates.remove(id.as_str());
            if let Some(scope) = scope_of(changes, &present, id) {
                gateways.extend(reading.tx.gateway(&scope, id).await?);
            }
        }
        for gate in self.gates(&mut reading, gateways, &present).await? {
            gates.insert(gate.gateway.id.to_string(), Arc::new(gate));
        }
        for id in work.roles.difference(&work.gateways) {
            if let Some(gate) = gates.get(id.as_str()).map(Arc::clone) {
                let role = reading.role(&gate.gateway).await?;
                let challenge = self.challenge(&mut reading, &gate.gateway).await?;
                gates.insert(id.to_string(), Arc::new(gate.with_role(role, challenge)));
            }
        }
        self.snapshot.store(Arc::new(Snapshot { gates }));
        Ok(())
    }

    /// Notes what one change asks for, and tells those who remember something of it.
    fn note(&self, present: &Snapshot, change: &Change, work: &mut Work) {
        self.runtimes.note(change);
        self.sessions.note(change);
        let of_scope = || present.gates.values().filter(|gate| gate.gateway.scope == change.scope);
        let ids = |gates: &mut dyn Iterator<Item = &Arc<Gate>>| -> Vec<GatewayId> {
            gates.map(|gate| gate.gateway.id.clone()).collect()
        };
        match change.kind {
            ChangeKind::Gateway | ChangeKind::Target => {
                work.gateways.insert(GatewayId::from_text(change.id.as_str()));
            }
            ChangeKind::PolicyEngine => {
                let engine = format!("policy-engine/{}", change.id);
                work.gateways.extend(ids(&mut of_scope().filter(|gate| {
                    gate.gateway.policy.as_ref().is_some_and(|policy| policy.engine.resource() == engine)
                })));
            }
            ChangeKind::Function => {
                self.functions.forget(&change.scope, &change.id);
                work.gateways.extend(ids(&mut present.gates.values().filter(|gate| {
                    let targets =
                        gate.catalogue.targets.iter().filter_map(|target| target.upstream.function());
                    let mut functions =
                        targets.chain(gate.gateway.interceptors.iter().map(|it| &it.function));
                    functions.any(|function| names(function, &change.scope, &change.id))
                })));
            }
            ChangeKind::Iam => {
                self.principals.forget();
                let of_account =
                    present.gates.values().filter(|gate| gate.gateway.scope.account == change.scope.account);
                work.roles.extend(ids(&mut of_account.filter(|gate| {
                    let role = gate.gateway.role.resource().rsplit('/').next().unwrap_or_default();
                    change.id.starts_with("arn:") || role.eq_ignore_ascii_case(&change.id)
                })));
            }
            ChangeKind::UserPool => {
                let pool = UserPoolId::from_text(change.id.as_str());
                self.issuers.forget_pool(&pool);
                self.provider.forget_pool(&pool);
                // Callers are asked again who they are: a key may be gone.
                work.roles.extend(ids(&mut present.gates.values().filter(|gate| {
                    match &gate.gateway.authorizer {
                        Authorizer::CustomJwt(jwt) => {
                            self.names.pool_of_discovery_url(&jwt.discovery_url).as_ref() == Some(&pool)
                        }
                        Authorizer::AwsIam | Authorizer::None => false,
                    }
                })));
            }
            ChangeKind::CredentialProvider => self.outbound.forget_provider(&change.scope, &change.id),
            ChangeKind::AgentRuntime | ChangeKind::McpSession | ChangeKind::Other => {}
        }
    }

    /// The gates of those gateways that serve; `before` is what they were. One has none, so that nobody gets in, when its
    /// targets or its policies are sealed under a KMS key that cannot be used.
    async fn gates(
        &self,
        reading: &mut Reading,
        mut gateways: Vec<Gateway>,
        before: &Snapshot,
    ) -> Result<Vec<Gate>, StoreError> {
        gateways.retain(|gateway| gateway.status.serves());
        gateways.sort_by(|one, other| one.scope.cmp(&other.scope));
        let mut gates = Vec::with_capacity(gateways.len());
        for of_scope in gateways.chunk_by(|one, other| one.scope == other.scope) {
            for some in of_scope.chunks(AT_ONCE) {
                for (gateway, belongings) in reading.belongings(some).await? {
                    let former = before.gate(gateway.id.as_str()).map(|gate| &**gate);
                    match self.compile(reading, gateway, belongings, former).await {
                        Ok(gate) => gates.push(gate),
                        Err(StoreError::KeyUnusable(why)) => tracing::warn!(
                            gateway.id = %gateway.id, why,
                            "A gateway is not served, because a KMS key cannot be used."
                        ),
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(gates)
    }

    /// Compiles a gateway; `before` is what it was.
    async fn compile(
        &self,
        reading: &mut Reading,
        gateway: &Gateway,
        belongings: Result<Belongings, StoreError>,
        before: Option<&Gate>,
    ) -> Result<Gate, StoreError> {
        let Belongings { mut targets, rate_limits, resource_policy, tags, log_groups } = belongings?;
        targets.retain(|target| target.status.serves());
        targets.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        let role = reading.role(gateway).await?;
        let guard =
            guard::compile(&mut reading.tx, gateway, &targets, before.map(|gate| &gate.guard)).await?;
        let guard = self.held_to_the_role(guard, gateway, &role);
        let mut with_upstreams = Vec::with_capacity(targets.len());
        for target in targets {
            let upstream = self.upstream(&gateway.scope, &target).await?;
            with_upstreams.push((target, upstream));
        }
        let challenge = self.challenge(reading, gateway).await?;
        let limits = Limits::of(rate_limits, before.map(|gate| &gate.limits), &self.leases);
        let catalogue = Arc::new(Catalogue::of(with_upstreams));
        let interceptors = Arc::new(self.interceptors(gateway).await?);
        let meter = before.map(|gate| Arc::clone(&gate.meter)).unwrap_or_default();
        let arn = Arn::gateway(&gateway.scope, &gateway.id);
        let attached = Arc::new(Attached::of(&arn, resource_policy, tags)?);
        let deliveries = Deliveries::new(&gateway.scope, log_groups);
        let gate = Gate::new(gateway.clone(), catalogue, guard, role, limits, interceptors, challenge);
        Ok(gate.counted_by(meter).open_to(attached).delivered_to(deliveries))
    }

    async fn upstream(&self, scope: &Scope, target: &Target) -> Result<UpstreamEntry, StoreError> {
        Ok(match &target.upstream {
            Upstream::Lambda { function } => {
                let prepared = self.function(scope, function).await?;
                UpstreamEntry::Lambda { function: function.clone(), prepared }
            }
            Upstream::Mcp(server) => UpstreamEntry::Mcp(McpEntry::of(target, server)),
            Upstream::OpenApi | Upstream::ApiGateway { .. } | Upstream::Smithy { .. } => UpstreamEntry::Rest,
            Upstream::Http(service) => UpstreamEntry::Http(service.clone()),
        })
    }

    /// The function of this ARN, if there is one here.
    async fn function(&self, scope: &Scope, arn: &Arn) -> Result<Option<Arc<Prepared>>, StoreError> {
        match FunctionName::parse(arn.as_str(), scope) {
            Some(name) => self.functions.find_named(&name).await,
            None => Ok(None),
        }
    }

    async fn interceptors(&self, gateway: &Gateway) -> Result<Interceptors, StoreError> {
        let mut interceptors = Interceptors::default();
        for given in &gateway.interceptors {
            let interceptor = Interceptor {
                function: given.function.clone(),
                prepared: self.function(&gateway.scope, &given.function).await?,
                pass_headers: given.pass_headers,
                without_response_body: given.without_response_body,
            };
            if given.on_request {
                interceptors.request = Some(interceptor.clone());
            }
            if given.on_response {
                interceptors.response = Some(interceptor);
            }
        }
        Ok(interceptors)
    }

    /// Policies about which the role may not ask decide nothing, where that is required.
    fn held_to_the_role(&self, guard: Guard, gateway: &Gateway, role: &RoleAccess) -> Guard {
        let (Guard::Policies { mode, .. }, Some(attached)) = (&guard, &gateway.policy) else { return guard };
        if self.guard_role == GuardRole::Advised {
            return guard;
        }
        let own = Arn::gateway(&gateway.scope, &gateway.id);
        let lacking = role.lacks_for_policies(&own, &attached.engine, self.clock.now());
        if lacking.is_empty() {
            return guard;
        }
        let problem = format!("the role {} lacks {}", gateway.role, lacking.join(", "));
        Guard::Policies { mode: *mode, rules: Rules::Broken(problem.into()), watched: None, ground: None }
    }

    async fn challenge(&self, reading: &mut Reading, gateway: &Gateway) -> Result<Challenge, StoreError> {
        let named = match &gateway.authorizer {
            Authorizer::CustomJwt(jwt) => self.names.pool_of_discovery_url(&jwt.discovery_url),
            Authorizer::AwsIam | Authorizer::None => None,
        };
        let local = match named {
            Some(pool) => reading.has_pool(&pool).await?.then_some(pool),
            None => None,
        };
        Ok(challenge::of(gateway, &self.names, local.as_ref()))
    }
}

/// Where a gateway is: as a change of it says, or as it is served.
fn scope_of(changes: &[Change], present: &Snapshot, id: &GatewayId) -> Option<Scope> {
    let told = changes.iter().find(|change| {
        matches!(change.kind, ChangeKind::Gateway | ChangeKind::Target) && change.id == id.as_str()
    });
    told.map(|change| change.scope.clone())
        .or_else(|| present.gate(id.as_str()).map(|gate| gate.gateway.scope.clone()))
}

fn names(function: &Arn, scope: &Scope, name: &str) -> bool {
    FunctionName::parse(function.as_str(), scope)
        .is_some_and(|called| called.scope == *scope && called.name == name)
}
