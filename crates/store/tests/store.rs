//! The store on both databases: SQLite always, PostgreSQL when `PORTCULLIS_TEST_POSTGRES` names a server on which
//! databases may be made (`cargo xtask test` starts one).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and asks its environment for a server"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{
    AccessKey, AccessKeyId, AccessKeyStatus, AccountId, Arn, AuditEvent, AuthorizationSession,
    AuthorizationStatus, Authorizer, ClientId, ClientOrigin, CredentialKind, CredentialProvider,
    CredentialSettings, Document, Function, FunctionRuntime, Gateway, GatewayId, GatewayStatus, Holder,
    KmsKey, KmsKeyState, OAuth2Discovery, OAuth2Settings, Offers, Outbound, Pace, PolicyAttachment,
    PolicyEngineId, PolicyMode, PoolClient, Propagation, RateLimit, Region, RequestId, Scope, Secret,
    SystemRandom, Target, TargetId, TargetStatus, Ticket, TicketKind, Timestamp, TokenVault, Upstream,
    UserPoolId, UserToken, Vendor, WorkloadIdentity,
};
use store::{
    AuditFilter, Belongings, Change, ChangeKind, Delivery, DeliveryDestination, DeliverySource, LogSetting,
    MasterKey, McpSessionKey, McpSessionState, OtherReplicas, Page, RateAsk, Recorded, Registrations,
    Remembered, Store, StoreError,
};

/// A database of its own for one test.
struct Place {
    url: String,
    master: MasterKey,
    folder: tempfile::TempDir,
}

impl Place {
    async fn open(&self) -> Store {
        Store::open(&self.url, &self.master, Arc::new(SystemRandom)).await.unwrap()
    }
}

async fn places() -> Vec<Place> {
    let place = |url: Option<String>| {
        let folder = tempfile::tempdir().unwrap();
        let url = url.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("test.db").display()));
        Place { url, master: MasterKey::generate(&SystemRandom), folder }
    };
    let mut places = vec![place(None)];
    if let Ok(server) = std::env::var("PORTCULLIS_TEST_POSTGRES") {
        let name = format!("test_{}", RequestId::mint(&SystemRandom).as_str().replace('-', ""));
        let options: sqlx::postgres::PgConnectOptions = server.parse().unwrap();
        let pool = sqlx::PgPool::connect_with(options).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        places.push(place(Some(format!("{base}/{name}"))));
    }
    places
}

fn scope() -> Scope {
    Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() }
}

fn event(action: &str) -> AuditEvent {
    AuditEvent::of_system(action, &scope(), Timestamp::from_seconds(1_763_717_400), &SystemRandom)
}

fn recorded(events: &[AuditEvent]) -> Vec<Recorded> {
    events.iter().map(|event| Recorded { event: event.clone(), recording: None }).collect()
}

fn gateway(name: &str) -> Gateway {
    Gateway {
        id: GatewayId::mint(&SystemRandom, name),
        scope: scope(),
        name: name.to_owned(),
        description: None,
        role: Arn::parse("arn:aws:iam::000000000000:role/R").unwrap(),
        protocol_type: None,
        mcp: None,
        authorizer: Authorizer::None,
        policy: None,
        interceptors: Vec::new(),
        interceptors_given: None,
        workload_identity: None,
        exception_level: None,
        kms_key: None,
        status: GatewayStatus::Creating,
        status_reasons: Vec::new(),
        created_at: Timestamp::from_seconds(1),
        updated_at: Timestamp::from_seconds(1),
        revision: 1,
    }
}

fn target(gateway: &Gateway, name: &str) -> Target {
    Target {
        id: TargetId::mint(&SystemRandom),
        gateway: gateway.id.clone(),
        scope: gateway.scope.clone(),
        name: name.to_owned(),
        description: None,
        configuration: Document("{}".to_owned()),
        credentials: Document("[]".to_owned()),
        upstream: Upstream::OpenApi,
        outbound: Outbound::default(),
        metadata: None,
        propagation: Propagation::default(),
        tools: Vec::new(),
        offers: Offers::default(),
        held: None,
        status: TargetStatus::Ready,
        status_reasons: Vec::new(),
        last_synchronized_at: None,
        created_at: Timestamp::from_seconds(1),
        updated_at: Timestamp::from_seconds(1),
        revision: 1,
    }
}

fn rate_limit(gateway: &Gateway) -> RateLimit {
    RateLimit {
        id: "limit".to_owned(),
        gateway: gateway.id.clone(),
        scope: gateway.scope.clone(),
        description: None,
        dimension_keys: Vec::new(),
        entries: Vec::new(),
        created_at: Timestamp::from_seconds(1),
        updated_at: Timestamp::from_seconds(1),
        revision: 1,
    }
}

#[tokio::test]
async fn what_is_committed_is_found_again_after_a_restart() {
    for place in places().await {
        let made = gateway("one");
        {
            let store = place.open().await;
            let mut tx = store.begin().await.unwrap();
            tx.insert_gateway(&made).await.unwrap();
            tx.commit(&event("bedrock-agentcore:CreateGateway")).await.unwrap();
            store.close().await;
        }
        let store = place.open().await;
        let mut tx = store.read().await.unwrap();
        assert_eq!(tx.gateway(&made.scope, &made.id).await.unwrap().as_ref(), Some(&made));
        assert_eq!(
            tx.gateway_by_name(&made.scope, "one").await.unwrap().map(|it| it.id),
            Some(made.id.clone())
        );
        assert_eq!(tx.gateways(&made.scope, Page::ALL).await.unwrap().len(), 1);
        let elsewhere = Scope { region: Region::parse("eu-west-1").unwrap(), ..scope() };
        assert!(tx.gateway(&elsewhere, &made.id).await.unwrap().is_none());
        let events = store.events(&AuditFilter::default(), 10).await.unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].event.action, "bedrock-agentcore:CreateGateway");
        assert_eq!(store.unsettled().await.unwrap().gateways.len(), 1);
    }
}

#[tokio::test]
async fn what_is_not_committed_leaves_nothing_behind() {
    for place in places().await {
        let store = place.open().await;
        let before = *store.changed().borrow();
        let mut tx = store.begin().await.unwrap();
        tx.insert_gateway(&gateway("one")).await.unwrap();
        drop(tx);
        let mut tx = store.read().await.unwrap();
        assert!(tx.all_gateways().await.unwrap().is_empty());
        assert!(store.events(&AuditFilter::default(), 10).await.unwrap().is_empty());
        assert!(store.changes_since(0).await.unwrap().is_empty());
        assert_eq!(*store.changed().borrow(), before);
    }
}

#[tokio::test]
async fn a_name_is_taken_once_and_a_stale_write_is_refused() {
    for place in places().await {
        let store = place.open().await;
        let mut made = gateway("one");
        let mut tx = store.begin().await.unwrap();
        tx.insert_gateway(&made).await.unwrap();
        tx.commit(&event("a")).await.unwrap();

        let mut tx = store.begin().await.unwrap();
        assert!(matches!(tx.insert_gateway(&gateway("one")).await, Err(StoreError::Exists)));
        drop(tx);

        let mut other = made.clone();
        let mut tx = store.begin().await.unwrap();
        made.description = Some("first".to_owned());
        tx.update_gateway(&mut made).await.unwrap();
        tx.commit(&event("b")).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert!(matches!(tx.update_gateway(&mut other).await, Err(StoreError::Stale)));
    }
}

#[tokio::test]
async fn the_feed_tells_every_change_in_order() {
    for place in places().await {
        let store = place.open().await;
        let mut changed = store.changed();
        let engine = PolicyEngineId::from_text("engine-0123456789");
        let mut one = gateway("one");
        let mut tx = store.begin().await.unwrap();
        tx.insert_gateway(&one).await.unwrap();
        tx.commit(&event("a")).await.unwrap();
        one.policy = Some(PolicyAttachment {
            engine: Arn::policy_engine(&one.scope, &engine),
            mode: PolicyMode::Enforce,
        });
        let mut tx = store.begin().await.unwrap();
        tx.update_gateway(&mut one).await.unwrap();
        tx.commit(&event("b")).await.unwrap();

        changed.changed().await.unwrap();
        let last = *changed.borrow();
        let changes = store.changes_since(0).await.unwrap();
        assert_eq!(changes.len(), 2);
        assert_eq!(
            changes[1],
            Change { seq: last, scope: scope(), kind: ChangeKind::Gateway, id: one.id.to_string() }
        );
        assert!(store.changes_since(last).await.unwrap().is_empty());
        let mut tx = store.read().await.unwrap();
        assert_eq!(tx.gateways_of_engine(&scope(), &engine).await.unwrap(), [one]);
    }
}

#[tokio::test]
async fn secrets_are_sealed_in_the_database() {
    const CANARY: &str = "canary-0f3a9c-secret";
    for place in places().await {
        let store = place.open().await;
        let key = AccessKey {
            id: AccessKeyId::mint(&SystemRandom),
            secret: Secret::new(CANARY),
            account: AccountId::first(),
            holder: Holder::User("Alice".to_owned()),
            status: AccessKeyStatus::Active,
            created_at: Timestamp::from_seconds(1),
        };
        let function = Function {
            name: "f".to_owned(),
            scope: scope(),
            version: domain::LATEST.to_owned(),
            last_version: 0,
            description: String::new(),
            runtime: FunctionRuntime::Python(13),
            handler: "a.b".to_owned(),
            role: Arn::parse("arn:aws:iam::000000000000:role/R").unwrap(),
            timeout_seconds: 3,
            memory_mib: 128,
            code_sha256: "sha".to_owned(),
            code_size: 3,
            updated_at: Timestamp::from_seconds(1),
            revision_id: "r".to_owned(),
            revision: 1,
        };
        let environment = BTreeMap::from([("TOKEN".to_owned(), Secret::new(CANARY))]);
        let mut tx = store.begin().await.unwrap();
        tx.insert_access_key(&key).await.unwrap();
        tx.insert_function(&function, &environment, b"zip").await.unwrap();
        tx.commit(&event("a")).await.unwrap();

        let mut tx = store.read().await.unwrap();
        let found = tx.access_key(&key.id).await.unwrap().unwrap();
        assert!(found.secret.matches(CANARY));
        assert_eq!(tx.access_keys(&key.account, &Holder::User("ALICE".to_owned())).await.unwrap().len(), 1);
        let found = tx.function_environment(&function).await.unwrap();
        assert!(found["TOKEN"].matches(CANARY));
        assert_eq!(tx.function_code("sha").await.unwrap().as_deref(), Some(&b"zip"[..]));
        drop(tx);
        store.close().await;

        for entry in std::fs::read_dir(place.folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
        }
        let stranger = MasterKey::generate(&SystemRandom);
        let opened = Store::open(&place.url, &stranger, Arc::new(SystemRandom)).await;
        assert!(matches!(opened, Err(StoreError::Unsealable)));
    }
}

#[tokio::test]
async fn batches_of_events_are_appended_whole() {
    for place in places().await {
        let store = place.open().await;
        let events: Vec<_> = (0..150).map(|at| event(&format!("call-{at}"))).collect();
        store.append_events(&recorded(&events)).await.unwrap();
        let found = store.events(&AuditFilter::default(), 1000).await.unwrap();
        assert_eq!(found.iter().map(|it| it.event.clone()).collect::<Vec<_>>(), events);
        let start = store.place_before_last(10).await.unwrap();
        let last = store.events(&AuditFilter { after: start, ..AuditFilter::default() }, 1000).await.unwrap();
        assert_eq!(last.len(), 10);
        assert_eq!(store.place_before_last(1000).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_token_is_remembered_for_its_time() {
    for place in places().await {
        let store = place.open().await;
        let what = Remembered { fingerprint: "f".to_owned(), resource: "g-1".to_owned() };
        let times = (Timestamp::from_seconds(100), Timestamp::from_seconds(0));
        let mut tx = store.begin().await.unwrap();
        tx.remember(&scope(), "CreateGateway", "token", &what, times).await.unwrap();
        tx.commit(&event("a")).await.unwrap();
        let mut tx = store.read().await.unwrap();
        let found =
            tx.remembered(&scope(), "CreateGateway", "token", Timestamp::from_seconds(50)).await.unwrap();
        assert_eq!(found, Some(what));
        let late =
            tx.remembered(&scope(), "CreateGateway", "token", Timestamp::from_seconds(101)).await.unwrap();
        assert_eq!(late, None);
        let other =
            tx.remembered(&scope(), "CreatePolicy", "token", Timestamp::from_seconds(50)).await.unwrap();
        assert_eq!(other, None);
    }
}

#[tokio::test]
async fn what_belongs_to_gateways_is_read_for_many_at_once_and_each_gets_its_own() {
    for place in places().await {
        let store = place.open().await;
        let mut key = KmsKey {
            scope: scope(),
            id: KmsKey::mint_id(&SystemRandom),
            description: String::new(),
            tags: BTreeMap::new(),
            state: KmsKeyState::Enabled,
            created_at: Timestamp::from_seconds(1),
            gone_at: None,
        };
        let (rich, poor) = (gateway("rich"), gateway("poor"));
        let sealed = Gateway { kms_key: Some(key.arn()), ..gateway("sealed") };
        // Ids are never given twice; what is elsewhere is not read all the same.
        let elsewhere = Scope { region: Region::parse("eu-west-1").unwrap(), ..scope() };
        let namesake = Gateway { scope: elsewhere.clone(), ..rich.clone() };
        let arn = Arn::gateway(&scope(), &rich.id);
        let document = Document(r#"{"Statement": []}"#.to_owned());
        let tags = BTreeMap::from([("team".to_owned(), "blue".to_owned())]);

        let mut tx = store.begin().await.unwrap();
        tx.insert_kms_key(&key).await.unwrap();
        for gateway in [&rich, &poor, &sealed] {
            tx.insert_gateway(gateway).await.unwrap();
        }
        for (gateway, name) in [(&rich, "one"), (&rich, "two"), (&sealed, "three"), (&namesake, "four")] {
            tx.insert_target(&target(gateway, name)).await.unwrap();
        }
        tx.insert_rate_limit(&rate_limit(&rich)).await.unwrap();
        tx.put_resource_policy(&scope(), &arn, &document).await.unwrap();
        tx.put_tags(&scope(), &arn, &tags).await.unwrap();
        let (arn_of_sealed, others) =
            (Arn::gateway(&scope(), &sealed.id), BTreeMap::from([("team".to_owned(), "red".to_owned())]));
        tx.put_tags(&scope(), &arn_of_sealed, &others).await.unwrap();
        let source = |log_type: &str| DeliverySource {
            name: log_type.to_owned(),
            resource: arn.clone(),
            log_type: log_type.to_owned(),
        };
        let destination = DeliveryDestination {
            name: "place".to_owned(),
            log_group: Some("group".to_owned()),
            resource: None,
        };
        tx.put_log_setting(&scope(), LogSetting::Destination, "place", &destination).await.unwrap();
        for kind in ["APPLICATION_LOGS", "TRACES"] {
            tx.put_log_setting(&scope(), LogSetting::Source, kind, &source(kind)).await.unwrap();
            let delivery =
                Delivery { id: kind.to_owned(), source: kind.to_owned(), destination: "place".to_owned() };
            tx.put_log_setting(&scope(), LogSetting::Delivery, kind, &delivery).await.unwrap();
        }
        tx.commit(&event("gateways")).await.unwrap();

        let names = |belongings: &Belongings| -> Vec<String> {
            let mut names: Vec<_> = belongings.targets.iter().map(|it| it.name.clone()).collect();
            names.sort();
            names
        };
        let ids = [&poor.id, &sealed.id, &rich.id];
        let mut tx = store.read().await.unwrap();
        let [of_poor, of_sealed, of_rich] = tx.belongings(&scope(), &ids).await.unwrap().try_into().unwrap();
        let of_poor: Belongings = of_poor.unwrap();
        assert!(names(&of_poor).is_empty() && of_poor.rate_limits.is_empty() && of_poor.tags.is_empty());
        assert!(of_poor.resource_policy.is_none() && of_poor.log_groups.is_empty());
        let of_sealed = of_sealed.unwrap();
        assert_eq!(names(&of_sealed), ["three"]);
        assert_eq!(of_sealed.tags, others);
        assert!(of_sealed.rate_limits.is_empty() && of_sealed.resource_policy.is_none());
        let of_rich = of_rich.unwrap();
        assert_eq!(names(&of_rich), ["one", "two"]);
        assert_eq!(of_rich.rate_limits, [rate_limit(&rich)]);
        assert_eq!(of_rich.resource_policy, Some(document));
        assert_eq!(of_rich.tags, tags);
        assert_eq!(of_rich.log_groups, ["group"]);
        let of_namesake = tx.belongings(&elsewhere, &[&rich.id]).await.unwrap().pop().unwrap().unwrap();
        assert_eq!(names(&of_namesake), ["four"]);
        assert!(of_namesake.rate_limits.is_empty() && of_namesake.tags.is_empty());
        assert!(tx.belongings(&scope(), &[]).await.unwrap().is_empty());
        let twice = tx.belongings(&scope(), &[&rich.id, &poor.id, &rich.id]).await;
        assert!(matches!(twice, Err(StoreError::Refused(_))), "{twice:?}");
        drop(tx);

        // A key that cannot be used is the matter of those who are sealed under it.
        key.state = KmsKeyState::Disabled;
        let mut tx = store.begin().await.unwrap();
        tx.update_kms_key(&key).await.unwrap();
        tx.commit(&event("key")).await.unwrap();
        let mut tx = store.read().await.unwrap();
        let [of_poor, of_sealed, of_rich] = tx.belongings(&scope(), &ids).await.unwrap().try_into().unwrap();
        assert!(of_poor.is_ok());
        assert!(matches!(of_sealed, Err(StoreError::KeyUnusable(_))));
        assert_eq!(names(&of_rich.unwrap()), ["one", "two"]);
    }
}

#[tokio::test]
async fn policies_are_written_attached_and_detached() {
    for place in places().await {
        let store = place.open().await;
        let account = AccountId::first();
        let holder = Holder::Role("R".to_owned());
        let document = Document("{}".to_owned());
        let arn = Arn::parse("arn:aws:iam::aws:policy/Common").unwrap();
        let policy = domain::ManagedPolicy {
            arn: arn.clone(),
            id: "ANPA".to_owned(),
            name: "Common".to_owned(),
            path: "/".to_owned(),
            description: None,
            document: document.clone(),
            created_at: Timestamp::from_seconds(1),
            version: domain::ManagedPolicy::FIRST,
            versions: Vec::new(),
            versions_made: domain::ManagedPolicy::FIRST,
            updated_at: None,
            tags: BTreeMap::new(),
        };
        let mut tx = store.begin().await.unwrap();
        tx.put_common_policy(&policy).await.unwrap();
        tx.put_common_policy(&policy).await.unwrap();
        tx.put_inline_policy(&account, &holder, "p", &document).await.unwrap();
        tx.put_inline_policy(&account, &holder, "p", &Document("[]".to_owned())).await.unwrap();
        tx.attach_policy(&account, &holder, &arn).await.unwrap();
        tx.attach_policy(&account, &holder, &arn).await.unwrap();
        tx.commit(&event("a")).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let inline = tx.inline_policies(&account, &holder).await.unwrap();
        assert_eq!(inline, [("p".to_owned(), Document("[]".to_owned()))]);
        assert_eq!(tx.attached_policies(&account, &holder).await.unwrap(), [policy]);
        assert_eq!(tx.count_attachments(&account, &arn).await.unwrap(), 1);
        tx.detach_policy(&account, &holder, &arn).await.unwrap();
        assert!(matches!(tx.detach_policy(&account, &holder, &arn).await, Err(StoreError::Stale)));
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_says_so() {
    let master = MasterKey::generate(&SystemRandom);
    for url in ["mysql://x", "sqlite:/nonexistent/folder/x.db", "postgres://nobody@127.0.0.1:1/x"] {
        let opened = Store::open(url, &master, Arc::new(SystemRandom)).await;
        assert!(matches!(opened, Err(StoreError::Unavailable(_))), "{url}");
    }
}

fn provider(name: &str, secret: &str) -> CredentialProvider {
    CredentialProvider {
        scope: scope(),
        name: name.to_owned(),
        id: RequestId::mint(&SystemRandom).to_string(),
        settings: CredentialSettings::ApiKey,
        external: None,
        secret_suffix: "abcdef".to_owned(),
        secret: Some(Secret::new(secret)),
        created_at: Timestamp::from_seconds(1),
        updated_at: Timestamp::from_seconds(1),
        revision: 1,
    }
}

#[tokio::test]
async fn credential_providers_are_kept_sealed_and_told_of() {
    const KIND: CredentialKind = CredentialKind::ApiKey;
    for place in places().await {
        let store = place.open().await;
        let mut tx = store.begin().await.unwrap();
        tx.insert_credential_provider(&provider("key", "the-first-secret")).await.unwrap();
        tx.insert_credential_provider(&provider("other", "of-another")).await.unwrap();
        tx.commit(&event("bedrock-agentcore:CreateApiKeyCredentialProvider")).await.unwrap();
        let seen = store.changes_since(0).await.unwrap();
        let of_provider = |change: &Change| {
            change.kind == ChangeKind::CredentialProvider && change.id == "apikeycredentialprovider/key"
        };
        assert!(of_provider(&seen[0]), "{seen:?}");

        let mut tx = store.begin().await.unwrap();
        assert!(matches!(
            tx.insert_credential_provider(&provider("key", "again")).await,
            Err(StoreError::Exists)
        ));
        drop(tx);

        let mut tx = store.begin().await.unwrap();
        let mut found = tx.credential_provider(&scope(), KIND, "key").await.unwrap().unwrap();
        assert!(found.secret.as_ref().unwrap().matches("the-first-secret"));
        let mut stale = found.clone();
        found.secret = Some(Secret::new("the-second-secret"));
        tx.update_credential_provider(&mut found).await.unwrap();
        assert_eq!(found.revision, 2);
        assert!(matches!(tx.update_credential_provider(&mut stale).await, Err(StoreError::Stale)));
        tx.commit(&event("bedrock-agentcore:UpdateApiKeyCredentialProvider")).await.unwrap();

        let mut tx = store.read().await.unwrap();
        let found = tx.credential_provider(&scope(), KIND, "key").await.unwrap().unwrap();
        assert!(found.secret.unwrap().matches("the-second-secret"));
        assert!(tx.credential_provider(&scope(), CredentialKind::OAuth2, "key").await.unwrap().is_none());
        let elsewhere = Scope { region: Region::parse("eu-west-1").unwrap(), ..scope() };
        assert!(tx.credential_provider(&elsewhere, KIND, "key").await.unwrap().is_none());
        let listed = tx.credential_providers(&scope(), KIND, Page::ALL).await.unwrap();
        assert_eq!(listed.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["key", "other"]);
        assert!(listed.iter().all(|it| it.secret.is_none()));
        let rest = tx.credential_providers(&scope(), KIND, Page { after: "key", limit: 9 }).await.unwrap();
        assert_eq!(rest.len(), 1);
        drop(tx);

        // What is read without its secret cannot be written without it.
        let mut tx = store.begin().await.unwrap();
        assert!(tx.update_credential_provider(&mut listed[0].clone()).await.is_err());
        tx.delete_credential_provider(&scope(), KIND, "key").await.unwrap();
        assert!(matches!(tx.delete_credential_provider(&scope(), KIND, "key").await, Err(StoreError::Stale)));
        tx.commit(&event("bedrock-agentcore:DeleteApiKeyCredentialProvider")).await.unwrap();
        assert!(store.changes_since(0).await.unwrap().last().is_some_and(of_provider));
        store.close().await;
        for file in std::fs::read_dir(place.folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            for secret in ["the-first-secret", "the-second-secret", "of-another"] {
                assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
            }
        }
    }
}

#[tokio::test]
async fn a_database_of_the_first_version_gets_the_tables_of_the_later_ones() {
    let place = places().await.remove(0);
    place.open().await.close().await;
    let pool = sqlx::SqlitePool::connect(&place.url).await.unwrap();
    // Everything that later versions brought is taken away, and what they took away is there again.
    let back = "DROP TABLE buckets; DROP TABLE objects; DROP TABLE uploads; DROP TABLE upload_parts; \
         DROP TABLE blobs; DROP TABLE blob_chunks; DROP TABLE credential_providers; DROP TABLE rate_limits; \
         DROP TABLE pool_users; DROP TABLE pool_groups; DROP TABLE pool_members; DROP TABLE pool_attempts; \
         DROP TABLE pool_tickets; DROP TABLE function_versions; DROP TABLE function_aliases; DROP TABLE function_permissions; \
         DROP TABLE pool_registrations; DROP TABLE secrets; DROP TABLE secret_values; DROP TABLE workload_identities; \
         DROP TABLE authorization_sessions; DROP TABLE user_tokens; \
         DROP TABLE kms_keys; DROP TABLE kms_aliases; DROP TABLE token_vaults; DROP TABLE vault_keys; \
         DROP TABLE user_groups; DROP TABLE group_members; DROP TABLE oidc_providers; \
         DROP TABLE access_key_uses; DROP TABLE resource_policies; DROP TABLE web_identity_issuers; DROP TABLE recorded_calls; ALTER TABLE policies DROP COLUMN summary; \
         ALTER TABLE policies DROP COLUMN gateway; ALTER TABLE policies DROP COLUMN size; DROP TABLE policy_generations; \
         DROP TABLE audit_chains; DROP INDEX audit_events_by_place; DROP INDEX audit_events_of_control; \
         ALTER TABLE audit_events DROP COLUMN chain; ALTER TABLE audit_events DROP COLUMN place; \
         ALTER TABLE audit_events DROP COLUMN digest; \
         DROP TABLE agent_runtimes; DROP TABLE agent_runtime_versions; DROP TABLE agent_runtime_endpoints; \
         DROP TABLE agent_code; DROP TABLE agent_sessions; \
         DROP TABLE replicas; DROP TABLE works; DROP TABLE mcp_sessions; DROP TABLE mcp_upstream_sessions; DROP TABLE rate_counts; DROP TABLE rate_seats; \
         DROP TABLE log_groups; DROP TABLE log_streams; DROP TABLE log_events; DROP TABLE log_settings; \
         CREATE TABLE function_statements (account TEXT NOT NULL, region TEXT NOT NULL, \
         function TEXT NOT NULL, id TEXT NOT NULL, document TEXT NOT NULL, \
         PRIMARY KEY (account, region, function, id)); \
         UPDATE meta SET value = '1' WHERE name = 'schema'";
    sqlx::raw_sql(back).execute(&pool).await.unwrap();
    pool.close().await;
    let store = place.open().await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_credential_provider(&provider("key", "a-secret")).await.unwrap();
    tx.commit(&event("bedrock-agentcore:CreateApiKeyCredentialProvider")).await.unwrap();
}

fn ticket(hash: &str, kind: TicketKind, family: &str, expires_at: i64) -> Ticket {
    Ticket {
        hash: hash.to_owned(),
        kind,
        pool: UserPoolId::from_text("us-west-2_pool"),
        client: "client".to_owned(),
        user: "ada".to_owned(),
        family: family.to_owned(),
        spent: false,
        expires_at: Timestamp::from_seconds(expires_at),
        details: "{}".to_owned(),
    }
}

#[tokio::test]
async fn a_ticket_is_spent_once_and_taken_back_with_its_family() {
    for place in places().await {
        let store = place.open().await;
        let (pool, now) = (UserPoolId::from_text("us-west-2_pool"), Timestamp::from_seconds(10));
        let mut tx = store.begin().await.unwrap();
        for one in [
            ticket("old", TicketKind::Code, "past", 5),
            ticket("code", TicketKind::Code, "one", 60),
            ticket("token", TicketKind::Refresh, "one", 600),
            ticket("other", TicketKind::Refresh, "two", 600),
        ] {
            tx.insert_ticket(&one, now).await.unwrap();
        }
        tx.commit(&event("login")).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert!(tx.ticket(&pool, TicketKind::Code, "old", now).await.unwrap().is_none());
        assert!(tx.ticket(&pool, TicketKind::Refresh, "code", now).await.unwrap().is_none());
        let elsewhere = UserPoolId::from_text("us-west-2_other");
        assert!(tx.ticket(&elsewhere, TicketKind::Code, "code", now).await.unwrap().is_none());
        let code = tx.ticket(&pool, TicketKind::Code, "code", now).await.unwrap().unwrap();
        tx.spend_ticket(&code).await.unwrap();
        assert!(matches!(tx.spend_ticket(&code).await, Err(StoreError::Stale)));
        assert!(tx.ticket(&pool, TicketKind::Code, "code", now).await.unwrap().unwrap().spent);
        assert!(tx.family_lives(&pool, "one", now).await.unwrap());
        tx.revoke_family(&pool, "one").await.unwrap();
        assert!(!tx.family_lives(&pool, "one", now).await.unwrap());
        assert!(tx.family_lives(&pool, "two", now).await.unwrap());
        tx.revoke_user(&pool, "ADA").await.unwrap();
        assert!(!tx.family_lives(&pool, "two", now).await.unwrap());
        tx.commit(&event("revoke")).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_guesses_waits_longer_each_time() {
    for place in places().await {
        let store = place.open().await;
        let pool = UserPoolId::from_text("us-west-2_pool");
        let at = Timestamp::from_millis;
        let may = |name: &'static str, now: i64| {
            let (store, pool) = (store.clone(), pool.clone());
            async move { store.may_attempt(&pool, name, 5, at(now)).await.unwrap() }
        };
        for _ in 0..5 {
            assert!(may("ada", 1_000_000).await);
        }
        assert!(!may("ADA", 1_000_999).await);
        assert!(may("bob", 1_000_999).await);
        assert!(may("ada", 1_001_000).await);
        assert!(!may("ada", 1_002_999).await);
        assert!(may("ada", 1_003_000).await);
        // What is long ago is forgotten, and so is what a right password or an administrator ends.
        assert!(may("ada", 1_003_000 + 15 * 60_000 + 1).await);
        let mut tx = store.begin().await.unwrap();
        tx.forget_attempts(&pool, "Ada").await.unwrap();
        tx.commit(&event("login")).await.unwrap();
        assert!(may("ada", 1_003_001 + 15 * 60_000).await);
    }
}

fn session(request: &str, expires_at: i64) -> AuthorizationSession {
    AuthorizationSession {
        request: request.to_owned(),
        session: format!("session-of-{request}"),
        handle: "the-handle".to_owned(),
        scope: scope(),
        status: AuthorizationStatus::Waiting,
        expires_at: Timestamp::from_seconds(expires_at),
        details: Secret::new("the-details"),
    }
}

#[tokio::test]
async fn a_session_is_found_while_it_lasts_and_each_step_is_taken_once() {
    for place in places().await {
        let store = place.open().await;
        let now = Timestamp::from_seconds(100);
        let mut tx = store.begin().await.unwrap();
        tx.insert_authorization_session(&session("one", 700), now).await.unwrap();
        tx.insert_authorization_session(&session("short", 101), now).await.unwrap();
        tx.commit(&event("bedrock-agentcore:GetResourceOauth2Token")).await.unwrap();

        let mut tx = store.read().await.unwrap();
        let mut found = tx.authorization_session_of_request("one", now).await.unwrap().unwrap();
        assert!(found.details.matches("the-details") && found.status == AuthorizationStatus::Waiting);
        let elsewhere = Scope { region: Region::parse("eu-west-1").unwrap(), ..scope() };
        assert!(tx.authorization_session(&scope(), "session-of-one", now).await.unwrap().is_some());
        assert!(tx.authorization_session(&elsewhere, "session-of-one", now).await.unwrap().is_none());
        assert!(tx.authorization_session(&scope(), "one", now).await.unwrap().is_none());
        for late in [700, 701] {
            let late = Timestamp::from_seconds(late);
            assert!(tx.authorization_session_of_request("one", late).await.unwrap().is_none());
            assert!(tx.authorization_session(&scope(), "session-of-one", late).await.unwrap().is_none());
        }
        drop(tx);

        let mut tx = store.begin().await.unwrap();
        found.status = AuthorizationStatus::Exchanging;
        tx.advance_authorization_session(&found, AuthorizationStatus::Waiting).await.unwrap();
        let again = tx.advance_authorization_session(&found, AuthorizationStatus::Waiting).await;
        assert!(matches!(again, Err(StoreError::Stale)));
        // The next one takes away what is over.
        tx.insert_authorization_session(&session("two", 900), Timestamp::from_seconds(101)).await.unwrap();
        assert!(tx.authorization_session_of_request("short", now).await.unwrap().is_none());
        for number in 0..20_i64 {
            let next = session(&format!("next-{number}"), 1_000 + number);
            tx.insert_authorization_session(&next, Timestamp::from_seconds(101)).await.unwrap();
        }
        let mut left = 0;
        for number in 0..20 {
            let request = format!("next-{number}");
            left += usize::from(tx.authorization_session_of_request(&request, now).await.unwrap().is_some());
        }
        assert_eq!(left, 16);
        assert!(tx.authorization_session_of_request("next-3", now).await.unwrap().is_none());
        assert!(tx.authorization_session_of_request("two", now).await.unwrap().is_none());
        tx.commit(&event("authorization_code")).await.unwrap();
    }
}

#[tokio::test]
async fn tokens_of_people_are_refreshed_by_one_and_end_with_their_provider_and_workload() {
    let token = |handle: &str, provider: &str, workload: &str| UserToken {
        handle: handle.to_owned(),
        scope: scope(),
        provider: provider.to_owned(),
        workload: workload.to_owned(),
        revision: 1,
        tokens: Secret::new("the-tokens"),
    };
    let at = Timestamp::from_seconds;
    for place in places().await {
        let store = place.open().await;
        let mut tx = store.begin().await.unwrap();
        for kept in [token("a", "one", "x"), token("b", "two", "x"), token("c", "two", "y")] {
            tx.put_user_token(&kept).await.unwrap();
        }
        tx.commit(&event("bedrock-agentcore:CompleteResourceTokenAuth")).await.unwrap();

        let mut found = store.read().await.unwrap().user_token(&scope(), "a").await.unwrap().unwrap();
        assert!(store.lease_user_token(&found, at(10), at(30)).await.unwrap());
        assert!(!store.lease_user_token(&found, at(29), at(49)).await.unwrap());
        assert!(store.lease_user_token(&found, at(30), at(50)).await.unwrap());
        store.release_user_token(&found, at(32)).await.unwrap();
        assert!(!store.lease_user_token(&found, at(31), at(51)).await.unwrap());
        let mut tx = store.begin().await.unwrap();
        found.tokens = Secret::new("the-next-tokens");
        tx.update_user_token(&found).await.unwrap();
        assert!(matches!(tx.update_user_token(&found).await, Err(StoreError::Stale)));
        assert!(matches!(tx.delete_user_token(&found).await, Err(StoreError::Stale)));
        tx.commit(&event("refresh_token")).await.unwrap();
        // Whoever read the former ones may not refresh them.
        assert!(!store.lease_user_token(&found, at(100), at(120)).await.unwrap());
        let mut tx = store.begin().await.unwrap();
        let next = tx.user_token(&scope(), "a").await.unwrap().unwrap();
        assert!(next.tokens.matches("the-next-tokens") && next.revision == 2);
        tx.put_user_token(&token("a", "one", "x")).await.unwrap();
        assert_eq!(tx.user_token(&scope(), "a").await.unwrap().unwrap().revision, 3);

        let client = CredentialProvider { settings: oauth2(), ..provider("two", "the-secret") };
        tx.insert_credential_provider(&client).await.unwrap();
        tx.delete_credential_provider(&scope(), CredentialKind::OAuth2, "two").await.unwrap();
        for (handle, is_there) in [("a", true), ("b", false), ("c", false)] {
            assert_eq!(tx.user_token(&scope(), handle).await.unwrap().is_some(), is_there, "{handle}");
        }
        let workload = WorkloadIdentity {
            scope: scope(),
            name: "x".to_owned(),
            id: "1".to_owned(),
            return_urls: Vec::new(),
            generation: 1,
            linked_to: None,
            created_at: at(1),
            updated_at: at(1),
            revision: 1,
        };
        tx.insert_workload_identity(&workload).await.unwrap();
        tx.delete_workload_identity(&workload).await.unwrap();
        assert!(tx.user_token(&scope(), "a").await.unwrap().is_none());
    }
}

fn oauth2() -> CredentialSettings {
    CredentialSettings::OAuth2(OAuth2Settings {
        vendor: Vendor::Custom,
        discovery: OAuth2Discovery::Url("https://as.example/.well-known/openid-configuration".to_owned()),
        client_id: "client".to_owned(),
        authentication: None,
        on_behalf_of: None,
        client_key: None,
    })
}

#[tokio::test]
async fn a_rotation_seals_tokens_of_people_and_open_sessions_anew_and_a_reset_forgets_them() {
    for place in places().await {
        let store = place.open().await;
        let now = Timestamp::from_seconds(100);
        let kept = UserToken {
            handle: "a".to_owned(),
            scope: scope(),
            provider: "one".to_owned(),
            workload: "x".to_owned(),
            revision: 1,
            tokens: Secret::new("the-tokens"),
        };
        let mut tx = store.begin().await.unwrap();
        tx.put_user_token(&kept).await.unwrap();
        tx.insert_authorization_session(&session("one", 700), now).await.unwrap();
        tx.begin_vault_rotation(&scope()).await.unwrap();
        let batch = tx.continue_vault_rotation(&scope(), 1).await.unwrap();
        assert_eq!((batch.sealed, batch.left), (1, 1));
        let batch = tx.continue_vault_rotation(&scope(), 1).await.unwrap();
        assert_eq!((batch.sealed, batch.left), (1, 0));
        tx.commit(&event("rotate")).await.unwrap();

        // The former key is gone, and both open.
        let mut tx = store.begin().await.unwrap();
        assert!(tx.user_token(&scope(), "a").await.unwrap().unwrap().tokens.matches("the-tokens"));
        assert!(tx.authorization_session_of_request("one", now).await.unwrap().is_some());
        let vault = TokenVault { scope: scope(), key: None, changed_at: now };
        tx.reset_token_vault(&vault).await.unwrap();
        assert!(tx.user_token(&scope(), "a").await.unwrap().is_none());
        assert!(tx.authorization_session_of_request("one", now).await.unwrap().is_none());
        tx.commit(&event("reset")).await.unwrap();
    }
}

fn registered(id: &str, at: i64) -> PoolClient {
    PoolClient {
        id: ClientId::from_text(id),
        pool: UserPoolId::from_text("us-west-2_pool"),
        scope: scope(),
        name: "a stranger".to_owned(),
        origin: ClientOrigin::Registration,
        secret: None,
        flows: vec!["code".to_owned()],
        scopes: Vec::new(),
        oauth_enabled: true,
        sign_in_flows: Vec::new(),
        callback_urls: Vec::new(),
        logout_urls: Vec::new(),
        access_token_seconds: 3_600,
        id_token_seconds: 3_600,
        refresh_token_seconds: 3_600,
        settings: Document("{}".to_owned()),
        created_at: Timestamp::from_seconds(at),
        updated_at: Timestamp::from_seconds(at),
        revision: 1,
    }
}

#[tokio::test]
async fn clients_that_registered_themselves_are_counted_and_swept() {
    for place in places().await {
        let store = place.open().await;
        let (pool, at) = (UserPoolId::from_text("us-west-2_pool"), Timestamp::from_seconds);
        let mut tx = store.begin().await.unwrap();
        for (id, created, source) in [("one", 10, "here"), ("two", 20, "here"), ("three", 30, "there")] {
            tx.insert_registration(&registered(id, created), source, at(created + 100)).await.unwrap();
        }
        let counted = tx.count_registrations(&pool, "here", at(15)).await.unwrap();
        assert_eq!(counted, Registrations { all: 3, lately: 2, from_there: 1 });
        tx.use_registration(&ClientId::from_text("one"), at(500)).await.unwrap();
        // The oldest that was not used makes room, and only where it is old enough.
        assert!(!tx.make_room_for_registration(&pool, at(20)).await.unwrap());
        assert!(tx.make_room_for_registration(&pool, at(40)).await.unwrap());
        assert!(tx.pool_client(&ClientId::from_text("two")).await.unwrap().is_none());
        tx.sweep_registrations(at(130)).await.unwrap();
        assert!(tx.pool_client(&ClientId::from_text("three")).await.unwrap().is_none());
        assert!(tx.pool_client(&ClientId::from_text("one")).await.unwrap().is_some());
        tx.sweep_registrations(at(500)).await.unwrap();
        assert_eq!(tx.count_registrations(&pool, "here", at(0)).await.unwrap(), Registrations::default());
        assert!(tx.pool_client(&ClientId::from_text("one")).await.unwrap().is_none());
        tx.commit(&event("register")).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_is_its_first_callers_for_the_longest_life_of_its_processes() {
    for place in places().await {
        let store = place.open().await;
        let at = |seconds: u64| Timestamp::default().plus(Duration::from_secs(seconds));
        let hold = async |who: &str, now: u64, until: u64| {
            store.hold_agent_session("s", [who, who], at(now), at(until)).await.unwrap()
        };
        assert!(hold("alice", 0, 7_200).await);
        // By a version whose processes live shorter.
        assert!(hold("alice", 60, 400).await);
        assert!(!hold("mallory", 500, 900).await);
        assert!(store.keeps_agent_session("s", "alice", at(7_000)).await.unwrap());
        assert!(hold("mallory", 7_201, 7_300).await && !hold("alice", 7_202, 9_000).await);
    }
}

#[tokio::test]
async fn a_rate_is_taken_by_all_replicas_together() {
    for place in places().await {
        let (one, other) = (place.open().await, place.open().await);
        let pace = Pace { interval: 1_000_000_000, ahead: 10_000_000_000 };
        let now = 1_000_000_000_000;
        let ask = |wanted, refund, owed| RateAsk { name: "n", pace, wanted, refund, owed };
        let granted = async |store: &Store, ask, now| store.take_rates(&[ask], now).await.unwrap()[0].granted;
        assert_eq!(granted(&one, ask(7, 0, 0), now).await, 7);
        assert_eq!(granted(&other, ask(7, 0, 0), now).await, 3);
        assert_eq!(granted(&one, ask(1, 0, 0), now).await, 0);
        assert_eq!(granted(&one, ask(0, 2_000_000_000, 0), now).await, 0);
        assert_eq!(granted(&other, ask(7, 0, 0), now).await, 2);
        // What was let through alone counts from when it is known.
        assert_eq!(granted(&one, ask(7, 0, 4_000_000_000), now + pace.ahead).await, 6);
    }
}

#[tokio::test]
async fn replicas_know_of_each_other_until_they_are_not_heard_of() {
    for place in places().await {
        let store = place.open().await;
        let at = |seconds: u64| Timestamp::default().plus(Duration::from_secs(seconds));
        let sit =
            async |who: &str, now: u64| store.keep_rate_seat(who, 0, (at(now), at(now + 3))).await.unwrap();
        assert_eq!(sit("a", 100).await, OtherReplicas { live: 0, until: None });
        assert_eq!(sit("b", 101).await, OtherReplicas { live: 1, until: Some(at(103)) });
        assert_eq!(sit("b", 103).await, OtherReplicas { live: 0, until: Some(at(103)) });
        store.leave_rate_seat("b", Some(at(104))).await.unwrap();
        assert_eq!(sit("a", 105).await, OtherReplicas { live: 0, until: Some(at(104)) });
        // One that was always alone leaves nothing that others would have to wait for.
        store.leave_rate_seat("b", None).await.unwrap();
        assert_eq!(sit("a", 106).await, OtherReplicas { live: 0, until: None });
    }
}

#[tokio::test]
async fn a_session_with_a_server_is_opened_once_and_replaced_by_whoever_is_first() {
    for place in places().await {
        let (one, other) = (place.open().await, place.open().await);
        let at = |seconds: u64| Timestamp::default().plus(Duration::from_secs(seconds));
        let key = McpSessionKey { session: "s", owner: "o", until: at(100) };
        let keep = async |store: &Store, agreed: &str, former| {
            let kept = store.keep_upstream_session(key, "u", (agreed.as_bytes(), former), at(1)).await;
            let kept = kept.unwrap().unwrap();
            (kept.revision, String::from_utf8(kept.agreed.to_vec()).unwrap())
        };
        assert!(one.upstream_session("s", "u").await.unwrap().is_none());
        assert_eq!(keep(&one, "first", None).await, (1, "first".to_owned()));
        assert_eq!(keep(&other, "second", None).await, (1, "first".to_owned()));
        assert_eq!(keep(&other, "third", Some(1)).await, (2, "third".to_owned()));
        assert_eq!(keep(&one, "fourth", Some(1)).await, (2, "third".to_owned()));
        // The end of the session is theirs.
        let ended = McpSessionState { ended: true, level: None };
        assert!(one.put_mcp_session(&scope(), key, &ended, at(2)).await.unwrap());
        assert!(other.upstream_session("s", "u").await.unwrap().is_none());
        assert_eq!(other.mcp_session("s").await.unwrap(), ended);
    }
}
