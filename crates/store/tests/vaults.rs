//! Token vaults and the keys that they are under, on a real database.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::{
    AccountId, Actor, AuditEvent, AuditKind, CredentialKind, CredentialProvider, CredentialSettings,
    Decision, EventId, KmsKey, KmsKeyState, Outcome, Policy, PolicyEnforcement, PolicyEngine, PolicyEngineId,
    PolicyId, PolicyStatus, PolicyValidation, Region, RequestId, Scope, Secret, SystemRandom, Timestamp,
    TokenVault,
};
use store::{
    KeyCommand, KeyWork, Master, MasterKey, Page, Store, StoreError, VaultRotation, has_data_key, rewrap,
};

const KIND: CredentialKind = CredentialKind::ApiKey;

struct Place {
    url: String,
    master: MasterKey,
    _folder: tempfile::TempDir,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    Place { url, master: MasterKey::generate(&SystemRandom), _folder: folder }
}

impl Place {
    async fn open(&self) -> Store {
        Store::open(&self.url, &self.master, Arc::new(SystemRandom)).await.unwrap()
    }

    async fn sql(&self, sql: &'static str) {
        let pool = sqlx::SqlitePool::connect(&self.url).await.unwrap();
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
        pool.close().await;
    }
}

fn scope() -> Scope {
    Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() }
}

fn event(action: &str) -> AuditEvent {
    AuditEvent {
        event_id: EventId::mint(&SystemRandom),
        time: Timestamp::from_seconds(1_763_717_400),
        kind: AuditKind::Control,
        scope: scope(),
        actor: Actor::System,
        source_ip: None,
        action: action.to_owned(),
        resource: None,
        tool: None,
        decision: Decision::Allow,
        policies: Vec::new(),
        reason: None,
        log_only: None,
        outcome: Outcome::Success,
        error: None,
        latency_us: 1,
        request_id: RequestId::mint(&SystemRandom),
    }
}

fn provider(name: &str) -> CredentialProvider {
    CredentialProvider {
        scope: scope(),
        name: name.to_owned(),
        id: RequestId::mint(&SystemRandom).to_string(),
        settings: CredentialSettings::ApiKey,
        external: None,
        secret_suffix: "abcdef".to_owned(),
        secret: Some(Secret::new(format!("secret-of-{name}"))),
        created_at: Timestamp::from_seconds(1),
        updated_at: Timestamp::from_seconds(1),
        revision: 1,
    }
}

fn kms_key() -> KmsKey {
    KmsKey {
        scope: scope(),
        id: KmsKey::mint_id(&SystemRandom),
        description: String::new(),
        tags: BTreeMap::new(),
        state: KmsKeyState::Enabled,
        created_at: Timestamp::from_seconds(1),
        gone_at: None,
    }
}

async fn insert(store: &Store, names: &[&str]) {
    let mut tx = store.begin().await.unwrap();
    for name in names {
        tx.insert_credential_provider(&provider(name)).await.unwrap();
    }
    tx.commit(&event("insert")).await.unwrap();
}

async fn opens(store: &Store, name: &str) -> bool {
    let found = store.read().await.unwrap().credential_provider(&scope(), KIND, name).await.unwrap().unwrap();
    found.secret.is_some_and(|secret| secret.matches(&format!("secret-of-{name}")))
}

async fn put(store: &Store, key: Option<&KmsKey>) -> Result<(), StoreError> {
    let mut tx = store.begin().await.unwrap();
    let vault =
        TokenVault { scope: scope(), key: key.map(KmsKey::arn), changed_at: Timestamp::from_seconds(2) };
    tx.put_token_vault(&vault).await?;
    tx.commit(&event("put")).await
}

async fn write(store: &Store, key: &KmsKey) {
    let mut tx = store.begin().await.unwrap();
    tx.update_kms_key(key).await.unwrap();
    tx.commit(&event("key")).await.unwrap();
}

#[tokio::test]
async fn a_secret_that_is_moved_to_another_row_does_not_open() {
    let place = place();
    let store = place.open().await;
    insert(&store, &["one", "two"]).await;
    place
        .sql(
            "UPDATE credential_providers SET secret = (SELECT secret FROM credential_providers WHERE name = 'one') \
             WHERE name = 'two'",
        )
        .await;
    assert!(opens(&store, "one").await);
    let moved = store.read().await.unwrap().credential_provider(&scope(), KIND, "two").await;
    assert!(matches!(moved, Err(StoreError::Unsealable)));
}

#[tokio::test]
async fn a_vault_under_a_key_of_its_owner_opens_while_the_key_may_be_used() {
    let place = place();
    let store = place.open().await;
    insert(&store, &["one"]).await;
    let mut key = kms_key();
    let mut tx = store.begin().await.unwrap();
    tx.insert_kms_key(&key).await.unwrap();
    tx.commit(&event("key")).await.unwrap();
    put(&store, Some(&key)).await.unwrap();
    assert!(opens(&store, "one").await);

    for state in [KmsKeyState::Disabled, KmsKeyState::PendingDeletion] {
        key.state = state;
        write(&store, &key).await;
        assert!(!opens(&store, "one").await);
        let why = store.read().await.unwrap().vault_obstacle(&scope()).await.unwrap();
        assert!(why.contains(key.arn().as_str()) && why.contains(state.in_words()), "{why}");
        // Neither can anything be sealed, nor the vault be put under another key.
        let mut tx = store.begin().await.unwrap();
        let refused = tx.insert_credential_provider(&provider("new")).await;
        assert!(matches!(refused, Err(StoreError::KeyUnusable(_))), "{refused:?}");
        drop(tx);
        assert!(matches!(put(&store, None).await, Err(StoreError::KeyUnusable(_))));
    }
    key.state = KmsKeyState::Enabled;
    write(&store, &key).await;
    assert!(opens(&store, "one").await);
    let mut tx = store.begin().await.unwrap();
    tx.delete_kms_key(&key).await.unwrap();
    tx.commit(&event("key")).await.unwrap();
    assert!(!opens(&store, "one").await);

    let mut tx = store.begin().await.unwrap();
    let vault = TokenVault { scope: scope(), key: None, changed_at: Timestamp::from_seconds(3) };
    tx.reset_token_vault(&vault).await.unwrap();
    tx.commit(&event("reset")).await.unwrap();
    assert!(!opens(&store, "one").await);
    let why = store.read().await.unwrap().vault_obstacle(&scope()).await.unwrap();
    assert!(why.contains("update the credential provider"), "{why}");
    insert(&store, &["two"]).await;
    assert!(opens(&store, "two").await);
    assert_eq!(store.read().await.unwrap().token_vault(&scope()).await.unwrap(), Some(vault));
}

#[tokio::test]
async fn a_rotation_is_taken_up_where_it_was_left_and_nothing_is_closed_meanwhile() {
    let place = place();
    let store = place.open().await;
    let names = ["a", "b", "c", "d", "e"];
    insert(&store, &names).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.begin_vault_rotation(&scope()).await.unwrap(), VaultRotation::Begun);
    tx.commit(&event("rotate")).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let batch = tx.continue_vault_rotation(&scope(), 2).await.unwrap();
    assert_eq!((batch.sealed, batch.left), (2, 3));
    tx.commit(&event("rotate")).await.unwrap();
    store.close().await;

    let store = place.open().await;
    for name in names {
        assert!(opens(&store, name).await, "{name}");
    }
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.begin_vault_rotation(&scope()).await.unwrap(), VaultRotation::TakenUp);
    let batch = tx.continue_vault_rotation(&scope(), 10).await.unwrap();
    assert_eq!((batch.sealed, batch.left), (3, 0));
    tx.commit(&event("rotate")).await.unwrap();
    for name in names {
        assert!(opens(&store, name).await, "{name}");
    }
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.vaults_in_use().await.unwrap(), [scope()]);
    assert_eq!(tx.begin_vault_rotation(&scope()).await.unwrap(), VaultRotation::Begun);
}

#[tokio::test]
async fn policies_of_an_engine_with_a_key_are_sealed_and_wait_for_it() {
    let place = place();
    let store = place.open().await;
    let mut key = kms_key();
    let now = Timestamp::from_seconds(1);
    let engine = PolicyEngine {
        id: PolicyEngineId::mint(&SystemRandom, "engine"),
        scope: scope(),
        name: "engine".to_owned(),
        description: None,
        kms_key: Some(key.arn()),
        status: PolicyStatus::Active,
        status_reasons: Vec::new(),
        created_at: now,
        updated_at: now,
        revision: 1,
    };
    let policy = |name: &str| Policy {
        id: PolicyId::mint(&SystemRandom, name),
        engine: engine.id.clone(),
        scope: scope(),
        name: name.to_owned(),
        description: None,
        statement: "a-statement".to_owned(),
        in_force: None,
        validation: PolicyValidation::default(),
        enforcement: PolicyEnforcement::default(),
        asked_enforcement: PolicyEnforcement::default(),
        status: PolicyStatus::Creating,
        status_reasons: Vec::new(),
        created_at: now,
        updated_at: now,
        revision: 1,
    };
    let (mut one, two) = (policy("one"), policy("two"));
    let mut tx = store.begin().await.unwrap();
    tx.insert_kms_key(&key).await.unwrap();
    tx.insert_policy_engine(&engine).await.unwrap();
    tx.insert_policy(&one).await.unwrap();
    tx.insert_policy(&two).await.unwrap();
    tx.update_policy(&mut one).await.unwrap();
    tx.commit(&event("policies")).await.unwrap();
    let of_engine = async || {
        let mut tx = store.read().await.unwrap();
        tx.policies(&scope(), &engine.id, Page::ALL).await
    };
    assert_eq!(of_engine().await.unwrap().len(), 2);
    assert_eq!(store.unsettled().await.unwrap().policies.len(), 2);
    let pool = sqlx::SqlitePool::connect(&place.url).await.unwrap();
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT document FROM policies").fetch_all(&pool).await.unwrap();
    assert!(
        kept.iter().all(|it| it.starts_with("{\"sealedUnder\":") && !it.contains("a-statement")),
        "{kept:?}"
    );
    key.state = KmsKeyState::Disabled;
    write(&store, &key).await;
    assert!(matches!(of_engine().await, Err(StoreError::KeyUnusable(_))));
    // What may be known without the statements is still known.
    let mut tx = store.read().await.unwrap();
    let summaries = tx.policy_summaries(&scope(), &engine.id, Page::ALL).await.unwrap();
    assert_eq!(summaries.len(), 2);
    assert_eq!(tx.policy_summary(&scope(), &engine.id, &two.id).await.unwrap(), Some(two.summary()));
    assert_eq!(tx.policy_count(&scope(), &engine.id).await.unwrap(), 2);
    drop(tx);
    // A server that starts now starts, and leaves them as they are.
    assert!(store.unsettled().await.unwrap().policies.is_empty());
    key.state = KmsKeyState::Enabled;
    write(&store, &key).await;
    sqlx::query("UPDATE policies SET document = (SELECT document FROM policies WHERE name = 'one') WHERE name = 'two'")
        .execute(&pool)
        .await
        .unwrap();
    assert!(matches!(of_engine().await, Err(StoreError::Unsealable)));
}

/// Wraps by adding a letter, and fails when it is told to.
#[derive(Default)]
struct Letter {
    fails: AtomicBool,
}

impl KeyCommand for Letter {
    fn wrap<'a>(&'a self, key: &'a MasterKey) -> KeyWork<'a, Vec<u8>> {
        Box::pin(async move { Ok(format!("w{}", *key.to_text()).into_bytes()) })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a [u8]) -> KeyWork<'a, MasterKey> {
        Box::pin(async move {
            if self.fails.load(Ordering::Relaxed) {
                return Err(StoreError::MasterKey("it ended with status 1".to_owned()));
            }
            let text = std::str::from_utf8(wrapped).ok().and_then(|text| text.strip_prefix('w'));
            text.and_then(MasterKey::from_text).ok_or_else(|| StoreError::MasterKey("no key".to_owned()))
        })
    }
}

#[tokio::test]
async fn a_command_keeps_the_master_key_and_gives_it_back() {
    let place = place();
    let random: Arc<dyn domain::Random> = Arc::new(SystemRandom);
    assert!(!has_data_key(&place.url, &random).await.unwrap());
    let command = Arc::new(Letter::default());
    let by_command = Master::Command(command.clone());
    let store = Store::open_with(&place.url, &by_command, Arc::clone(&random)).await.unwrap();
    insert(&store, &["one"]).await;
    store.close().await;
    assert!(has_data_key(&place.url, &random).await.unwrap());

    command.fails.store(true, Ordering::Relaxed);
    let refused = Store::open_with(&place.url, &by_command, Arc::clone(&random)).await;
    assert!(matches!(refused, Err(StoreError::MasterKey(_))));
    command.fails.store(false, Ordering::Relaxed);
    let refused = Store::open(&place.url, &place.master, Arc::clone(&random)).await;
    assert!(matches!(refused, Err(StoreError::MasterKey(_))));

    let store = Store::open_with(&place.url, &by_command, Arc::clone(&random)).await.unwrap();
    assert!(opens(&store, "one").await);
    let by_key = Master::Key(place.master.clone());
    rewrap(&store, &by_command, &by_key, &event("change")).await.unwrap();
    // The server that runs goes on.
    insert(&store, &["two"]).await;
    store.close().await;
    let store = place.open().await;
    assert!(opens(&store, "one").await && opens(&store, "two").await);
    let stranger = Master::Key(MasterKey::generate(&SystemRandom));
    assert!(matches!(
        rewrap(&store, &stranger, &by_key, &event("change")).await,
        Err(StoreError::Unsealable)
    ));
    rewrap(&store, &by_key, &by_command, &event("change")).await.unwrap();
    store.close().await;
    let store = Store::open_with(&place.url, &by_command, random).await.unwrap();
    assert!(opens(&store, "two").await);
}

#[tokio::test]
async fn a_secret_of_a_former_version_opens_and_is_sealed_anew_by_a_rotation() {
    let place = place();
    let store = place.open().await;
    let mut one = provider("one");
    insert(&store, &["two"]).await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_credential_provider(&one).await.unwrap();
    tx.commit(&event("insert")).await.unwrap();
    // As versions before vaults had keys of their own wrote it: by the server's key, for the row.
    let row = format!(
        "credential_providers|{}|{}|{}|one|{}|secret",
        scope().account,
        scope().region,
        KIND.as_str(),
        one.id
    );
    let former = store.seal_for(&row, b"secret-of-one").unwrap();
    let pool = sqlx::SqlitePool::connect(&place.url).await.unwrap();
    sqlx::query("UPDATE credential_providers SET secret = ?1 WHERE name = 'one'")
        .bind(former)
        .execute(&pool)
        .await
        .unwrap();
    assert!(opens(&store, "one").await);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.begin_vault_rotation(&scope()).await.unwrap(), VaultRotation::Begun);
    assert_eq!(tx.continue_vault_rotation(&scope(), 10).await.unwrap().sealed, 2);
    tx.commit(&event("rotate")).await.unwrap();
    assert!(opens(&store, "one").await);
    one.secret = Some(Secret::new("secret-of-one"));
    let mut tx = store.begin().await.unwrap();
    tx.update_credential_provider(&mut one).await.unwrap();
    tx.commit(&event("update")).await.unwrap();
    assert!(opens(&store, "one").await);
}
