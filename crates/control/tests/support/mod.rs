//! A control plane for one test: its own database, a clock that stands still, and actors who sign what they send.
//!
//! ```text
//! let world = World::new().await;
//! let made = world.root().call("iam", "CreateUser", json!({"UserName": "ann"})).await.good();
//! let ann = world.user("ann", Some(json!({"Version": "2012-10-17", "Statement": [...]}))).await;
//! ann.call("iam", "GetRole", json!({"RoleName": "r"})).await.refused(404, "NoSuchEntity");
//! ```
//!
//! Parameters and answers are written by the names of AWS's models, whatever the protocol; a `Payload` is base64.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

mod answered;
mod wire;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_shapes::{SERVICES, ServiceSpec};
use control::{ControlPlane, Quotas, Setup, common_policies};
use domain::{
    AccessKey, AccessKeyId, AccessKeyStatus, AccountId, AuditEvent, Clock, FixedClock, Holder, RequestId,
    Scope, Secret, SystemRandom, Timestamp,
};
use functions::Functions;
use identity::issuer::Issuers;
use identity::principal::Principals;
use identity::provider::{IssuerStyle, Names, Provider};
use objects::Objects;
use serde_json::{Value, json};
use store::{Account, AuditFilter, AuditLog, ChangeKind, MasterKey, Store};
use tokio::runtime::Handle;
use tokio::sync::watch;

pub use answered::Answered;

/// The account that exists from the start.
pub const ACCOUNT: &str = "000000000000";
/// The region that actors sign for unless they are told otherwise.
pub const REGION: &str = "us-west-2";
/// What time it is at the start: 2025-11-21T09:30:00Z.
pub const NOW: Timestamp = Timestamp::from_seconds(1_763_717_400);
/// The URL under which the installation is reached.
pub const PUBLIC_URL: &str = "http://127.0.0.1:4848";

/// One installation.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    plane: ControlPlane,
    store: Store,
    clock: Arc<FixedClock>,
    audit: AuditLog,
    root: (String, String),
    folder: tempfile::TempDir,
}

impl World {
    /// An installation on SQLite, with one account and the key of its root.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self::on(&url, folder).await
    }

    /// One on each database: PostgreSQL when `PORTCULLIS_TEST_POSTGRES` names a server on which databases may be made.
    pub async fn on_each_database() -> Vec<Self> {
        let mut worlds = vec![Self::new().await];
        if let Ok(server) = std::env::var("PORTCULLIS_TEST_POSTGRES") {
            let name = format!("test_{}", RequestId::mint(&SystemRandom).as_str().replace('-', ""));
            let options: sqlx::postgres::PgConnectOptions = server.parse().unwrap();
            let pool = sqlx::PgPool::connect_with(options).await.unwrap();
            let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
            sqlx::raw_sql(create).execute(&pool).await.unwrap();
            let (base, _) = server.rsplit_once('/').unwrap();
            worlds.push(Self::on(&format!("{base}/{name}"), tempfile::tempdir().unwrap()).await);
        }
        worlds
    }

    async fn on(url: &str, folder: tempfile::TempDir) -> Self {
        let random = Arc::new(SystemRandom);
        let clock = Arc::new(FixedClock::at(NOW));
        let runtime = Handle::current();
        let store = Store::open(url, &MasterKey::generate(&SystemRandom), random.clone()).await.unwrap();
        let names = Arc::new(Names::new(PUBLIC_URL, IssuerStyle::Public));
        let reach = egress::Reach { loopback: true, ..egress::Reach::default() };
        let client = egress::Client::new(reach).unwrap();
        let audit = AuditLog::start(store.clone(), &runtime);
        let principals = Arc::new(Principals::new(store.clone(), clock.clone()));
        let issuers =
            Arc::new(Issuers::new(store.clone(), client.clone(), clock.clone(), Arc::clone(&names)));
        let provider = Arc::new(Provider::new(
            store.clone(),
            Arc::clone(&names),
            clock.clone(),
            random.clone(),
            audit.clone(),
        ));
        let settings = compute::Settings::new(
            folder.path().join("compute"),
            runtime.clone(),
            clock.clone(),
            random.clone(),
        );
        let outbound = Arc::new(identity::outbound::Outbound::new(
            store.clone(),
            client.clone(),
            clock.clone(),
            random.clone(),
            Arc::clone(&names),
            Arc::clone(&provider),
        ));
        let credentials = Arc::new(credentials::Credentials::new(
            Arc::clone(&outbound),
            store.clone(),
            clock.clone(),
            random.clone(),
        ));
        let functions = Functions::new(
            store.clone(),
            compute::Supervisor::new(settings).unwrap(),
            clock.clone(),
            random.clone(),
            PUBLIC_URL.to_owned(),
        );
        let (reached, in_force) = watch::channel(0);
        let follower = Follower {
            store: store.clone(),
            principals: Arc::clone(&principals),
            issuers: Arc::clone(&issuers),
            provider: Arc::clone(&provider),
            functions: functions.clone(),
            reached,
        };
        runtime.spawn(follower.follow());
        let objects = Objects::new(objects::Setup {
            store: store.clone(),
            principals: Arc::clone(&principals),
            audit: audit.clone(),
            clock: clock.clone(),
            random: random.clone(),
            hosts: Vec::new(),
            region: domain::Region::parse(REGION).unwrap(),
            limits: objects::Limits::default(),
        });
        let plane = ControlPlane::new(Setup {
            fetches: telemetry::Fetches::default(),
            telemetry: telemetry::Telemetry::off(),
            store: store.clone(),
            objects: objects.clone(),
            principals,
            issuers,
            provider,
            functions,
            outbound,
            trusted_issuers: Vec::new(),
            credentials,
            prover: prover::Prover::new(prover::SolverSettings::default()),
            generator: Arc::new(generation::ControlledEnglish),
            relay: None,
            client,
            audit: audit.clone(),
            names,
            clock: clock.clone(),
            random,
            quotas: Quotas::default(),
            largest_payload: 6 * 1024 * 1024,
            guard_role: credentials::GuardRole::default(),
            pins: control::pinning::Pins::default(),
            in_force,
            replica: None,
            runtime,
        });
        let mut tx = store.begin().await.unwrap();
        for policy in common_policies() {
            tx.put_common_policy(&policy).await.unwrap();
        }
        tx.commit(&system_event("policies.put")).await.unwrap();
        let root = root_of(&store, ACCOUNT).await;
        Self(Arc::new(Inner { plane, store, clock, audit, root, folder }))
    }

    /// The root of the account that exists from the start.
    pub fn root(&self) -> Actor {
        let (id, secret) = &self.0.root;
        self.actor(id, secret, None)
    }

    /// Another account, by its root.
    pub async fn account(&self, number: &str) -> Actor {
        let (id, secret) = root_of(&self.0.store, number).await;
        self.actor(&id, &secret, None)
    }

    /// A new user of the first account, with this inline policy.
    pub async fn user(&self, name: &str, policy: Option<Value>) -> Actor {
        self.root().makes_user(name, policy).await
    }

    /// Whoever has these credentials.
    pub fn actor(&self, id: &str, secret: &str, session_token: Option<&str>) -> Actor {
        let key = Key {
            id: id.to_owned(),
            secret: secret.to_owned(),
            session_token: session_token.map(str::to_owned),
        };
        Actor { world: self.clone(), key: Some(key), region: REGION.to_owned() }
    }

    /// Someone who does not sign.
    pub fn anonymous(&self) -> Actor {
        Actor { world: self.clone(), key: None, region: REGION.to_owned() }
    }

    /// Someone who signs with a key that nobody holds.
    pub fn stranger(&self) -> Actor {
        self.actor("AKIAAAAAAAAAAAAAAAAA", "a secret that nobody knows", None)
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.0.clock.advance(duration);
    }

    /// The present moment of this world.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The database, to look behind the API.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The control plane itself.
    pub fn plane(&self) -> &ControlPlane {
        &self.0.plane
    }

    /// A folder that lives as long as this world.
    pub fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// Every audit event so far.
    pub async fn events(&self) -> Vec<AuditEvent> {
        self.0.audit.flush().await;
        let events = self.0.store.events(&AuditFilter::default(), i64::MAX).await.unwrap();
        events.into_iter().map(|stored| stored.event).collect()
    }

    /// The last audit event of an action, such as `iam:CreateRole`.
    pub async fn event(&self, action: &str) -> AuditEvent {
        let found = self.events().await.into_iter().rfind(|event| event.action == action);
        found.unwrap_or_else(|| panic!("there is no audit event of {action}"))
    }
}

/// Someone who calls.
#[derive(Clone)]
pub struct Actor {
    world: World,
    key: Option<Key>,
    region: String,
}

#[derive(Clone)]
struct Key {
    id: String,
    secret: String,
    session_token: Option<String>,
}

impl Actor {
    /// Calls an operation of a service, by its signing name or its model's.
    pub async fn call(&self, service: &str, operation: &str, params: Value) -> Answered {
        let service = find_service(service);
        let operation = service.operations.iter().copied().find(|known| known.name == operation);
        let operation = operation.unwrap_or_else(|| panic!("{} does not promise it", service.name));
        let mut request = wire::request(service, operation, &params);
        if let Some(key) = &self.key {
            wire::sign(&mut request, service, key, &self.region, self.world.now());
        }
        let answer = self.world.0.plane.answer(request).await;
        // Refusals are recorded in batches: written now, they stand in the trail in the order of the calls.
        self.world.0.audit.flush().await;
        Answered::read(service, operation, answer)
    }

    /// The same one, signing for another region.
    pub fn in_region(&self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self.clone() }
    }

    /// The id of the key that this one signs with.
    pub fn access_key_id(&self) -> &str {
        self.key.as_ref().map_or("", |key| &key.id)
    }

    /// Makes a user in this one's account, with this inline policy.
    pub async fn makes_user(&self, name: &str, policy: Option<Value>) -> Actor {
        self.call("iam", "CreateUser", json!({"UserName": name})).await.good();
        if let Some(policy) = policy {
            let params =
                json!({"UserName": name, "PolicyName": "inline", "PolicyDocument": policy.to_string()});
            self.call("iam", "PutUserPolicy", params).await.good();
        }
        let made = self.call("iam", "CreateAccessKey", json!({"UserName": name})).await.good();
        let text = |member: &str| made["AccessKey"][member].as_str().unwrap().to_owned();
        self.world.actor(&text("AccessKeyId"), &text("SecretAccessKey"), None)
    }

    /// Makes a role in this one's account and gives its ARN.
    pub async fn makes_role(&self, name: &str, trust: Value, policy: Option<Value>) -> String {
        let params = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
        let made = self.call("iam", "CreateRole", params).await.good();
        if let Some(policy) = policy {
            let params =
                json!({"RoleName": name, "PolicyName": "inline", "PolicyDocument": policy.to_string()});
            self.call("iam", "PutRolePolicy", params).await.good();
        }
        made["Role"]["Arn"].as_str().unwrap().to_owned()
    }

    /// Assumes a role with these parameters of `AssumeRole`, and whoever that makes of this one.
    pub async fn assumes(&self, params: Value) -> Actor {
        let made = self.call("sts", "AssumeRole", params).await.good();
        let text = |member: &str| made["Credentials"][member].as_str().unwrap().to_owned();
        let token = text("SessionToken");
        self.world.actor(&text("AccessKeyId"), &text("SecretAccessKey"), Some(&token))
    }
}

/// A policy of one statement that allows `action` on `resource`.
pub fn allow(action: &str, resource: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}],
    })
}

/// A trust policy for one kind of principal: `trust("Service", "lambda.amazonaws.com")`.
pub fn trust(kind: &str, principal: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {kind: principal}, "Action": "sts:AssumeRole"}],
    })
}

fn find_service(name: &str) -> &'static ServiceSpec {
    let found = SERVICES.iter().copied().find(|service| service.name == name || service.signing_name == name);
    found.unwrap_or_else(|| panic!("there is no service {name}"))
}

/// Makes an account and a key of its root.
async fn root_of(store: &Store, number: &str) -> (String, String) {
    let id = AccountId::parse(number).unwrap();
    let key = AccessKey {
        id: AccessKeyId::mint(&SystemRandom),
        secret: Secret::new(format!("the secret of the root of {number}")),
        account: id.clone(),
        holder: Holder::Root,
        status: AccessKeyStatus::Active,
        created_at: NOW,
    };
    let mut tx = store.begin().await.unwrap();
    tx.insert_account(&Account { id, name: format!("account {number}"), created_at: NOW }).await.unwrap();
    tx.insert_access_key(&key).await.unwrap();
    tx.commit(&system_event("account.create")).await.unwrap();
    (key.id.to_string(), key.secret.expose().to_owned())
}

fn system_event(action: &str) -> AuditEvent {
    AuditEvent::of_system(action, &Scope::global(&AccountId::first()), NOW, &SystemRandom)
}

/// What the composition root does with the change feed: forget what changed, then say how far it came.
struct Follower {
    store: Store,
    principals: Arc<Principals>,
    issuers: Arc<Issuers>,
    provider: Arc<Provider>,
    functions: Functions,
    reached: watch::Sender<i64>,
}

impl Follower {
    async fn follow(self) {
        let mut changed = self.store.changed();
        let mut reached = 0;
        loop {
            let Ok(changes) = self.store.changes_since(reached).await else { return };
            for change in changes {
                match change.kind {
                    ChangeKind::Iam => self.principals.forget(),
                    ChangeKind::UserPool => {
                        let pool = domain::UserPoolId::from_text(change.id);
                        self.issuers.forget_pool(&pool);
                        self.provider.forget_pool(&pool);
                    }
                    ChangeKind::Function => self.functions.forget(&change.scope, &change.id),
                    _ => {}
                }
                reached = change.seq;
            }
            self.reached.send_replace(reached);
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}
