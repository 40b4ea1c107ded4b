//! Who signs: lasting keys, sessions of roles, and what is remembered of them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{
    AccessKey, AccessKeyId, AccessKeyStatus, AccountId, Document, FixedClock, Holder, Principal, Role,
    Secret, SystemRandom, User,
};
use identity::principal::{Credentials, Identity, Lasts, PrincipalError, Principals, issue};

use crate::support::{Database, NOW, clock};

const HOUR: Duration = Duration::from_secs(3600);
const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

struct Scene {
    database: Database,
    clock: Arc<FixedClock>,
    principals: Principals,
}

impl Scene {
    async fn new() -> Self {
        let (database, clock) = (Database::new().await, clock());
        let principals = Principals::new(database.store.clone(), clock.clone());
        Self { database, clock, principals }
    }

    /// A key of the account itself or of a user.
    async fn key(&self, holder: Holder) -> AccessKey {
        let key = AccessKey {
            id: AccessKeyId::mint(&SystemRandom),
            secret: Secret::new("the secret of a key"),
            account: AccountId::first(),
            holder,
            status: AccessKeyStatus::Active,
            created_at: NOW,
        };
        self.database.write(async |tx| tx.insert_access_key(&key).await).await;
        key
    }

    async fn user(&self, name: &str) -> User {
        let user = User {
            account: AccountId::first(),
            name: name.to_owned(),
            path: "/team/".to_owned(),
            id: User::mint_id(&SystemRandom),
            created_at: NOW,
            tags: std::collections::BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
            boundary: None,
        };
        self.database.write(async |tx| tx.insert_user(&user).await).await;
        user
    }

    async fn role(&self, name: &str) -> Role {
        let role = Role {
            account: AccountId::first(),
            name: name.to_owned(),
            path: "/".to_owned(),
            id: Role::mint_id(&SystemRandom),
            description: None,
            trust_policy: Document("{}".to_owned()),
            max_session_seconds: 3600,
            created_at: NOW,
            tags: std::collections::BTreeMap::new(),
            boundary: None,
        };
        self.database.write(async |tx| tx.insert_role(&role).await).await;
        role
    }

    async fn allow(&self, holder: &Holder) {
        let document = Document(ALLOW.to_owned());
        let account = AccountId::first();
        self.database.write(async |tx| tx.put_inline_policy(&account, holder, "all", &document).await).await;
    }

    async fn delete_role(&self, role: &Role) {
        self.database.write(async |tx| tx.delete_role(&role.account, &role.name).await).await;
    }

    fn session(&self, role: &Role, policies: &[&str]) -> Credentials {
        let policies = policies.iter().map(|policy| Document((*policy).to_owned())).collect();
        issue(
            &self.database.store,
            &SystemRandom,
            role,
            "work",
            policies,
            domain::SessionFacts::default(),
            Lasts::from(NOW, HOUR),
        )
        .unwrap()
    }

    async fn find(&self, key: &AccessKeyId, token: Option<&str>) -> Result<Arc<Identity>, PrincipalError> {
        self.principals.find(key.as_str(), token).await
    }

    async fn open(&self, session: &Credentials) -> Result<Arc<Identity>, PrincipalError> {
        self.find(&session.access_key, Some(session.session_token.expose())).await
    }
}

fn is_unknown(found: &Result<Arc<Identity>, PrincipalError>) -> bool {
    matches!(found, Err(PrincipalError::Unknown))
}

fn is_expired(found: &Result<Arc<Identity>, PrincipalError>) -> bool {
    matches!(found, Err(PrincipalError::Expired))
}

#[tokio::test]
async fn a_lasting_key_is_its_holders() {
    let scene = Scene::new().await;
    let root = scene.key(Holder::Root).await;
    let found = scene.find(&root.id, None).await.unwrap();
    assert_eq!((&found.caller.principal, found.caller.expires_at), (&Principal::Root, None));
    assert!(found.secret.matches("the secret of a key"));
    assert!(found.policies.is_empty() && found.session_policies.is_none());

    let user = scene.user("Ann").await;
    scene.allow(&Holder::User("Ann".to_owned())).await;
    // The store folds names; the holder is the user, as the user is written.
    let key = scene.key(Holder::User("ANN".to_owned())).await;
    let found = scene.find(&key.id, None).await.unwrap();
    assert_eq!(found.caller.arn().as_str(), "arn:aws:iam::000000000000:user/team/Ann");
    assert_eq!(found.caller.principal.unique_id(&AccountId::first()), user.id);
    assert_eq!(found.policies.len(), 1);
    assert!(scene.principals.is_known(key.id.as_str(), None).await.unwrap());
}

#[tokio::test]
async fn a_key_that_nobody_active_holds_is_unknown() {
    let scene = Scene::new().await;
    assert!(is_unknown(&scene.find(&AccessKeyId::mint(&SystemRandom), None).await));
    assert!(is_unknown(&scene.find(&AccessKeyId::from_text(""), None).await));
    assert!(is_unknown(&scene.find(&AccessKeyId::from_text("' OR 1=1 --"), None).await));
    assert!(!scene.principals.is_known("AKIAAAAAAAAAAAAAAAAA", None).await.unwrap());

    let inactive = scene.key(Holder::Root).await;
    let account = AccountId::first();
    scene
        .database
        .write(async |tx| tx.set_access_key_status(&account, &inactive.id, AccessKeyStatus::Inactive).await)
        .await;
    assert!(is_unknown(&scene.find(&inactive.id, None).await));

    let orphan = scene.key(Holder::User("nobody".to_owned())).await;
    assert!(is_unknown(&scene.find(&orphan.id, None).await));
    // A lasting key has no token, and a token does not make it a session's.
    let key = scene.key(Holder::Root).await;
    assert!(is_unknown(&scene.find(&key.id, Some("AAAA")).await));
}

#[tokio::test]
async fn a_role_holds_no_lasting_key() {
    let scene = Scene::new().await;
    let role = scene.role("worker").await;
    let key = scene.key(Holder::Role(role.name)).await;
    // Whatever it is, it is not the account itself.
    assert!(scene.find(&key.id, None).await.is_err());
}

#[tokio::test]
async fn what_was_forgotten_is_read_again() {
    let scene = Scene::new().await;
    let key = scene.key(Holder::User("ann".to_owned())).await;
    assert!(is_unknown(&scene.find(&key.id, None).await));
    scene.user("ann").await;
    // Strangers are not remembered: they would fill the memory.
    assert!(scene.find(&key.id, None).await.unwrap().policies.is_empty());
    scene.allow(&Holder::User("ann".to_owned())).await;
    assert!(scene.find(&key.id, None).await.unwrap().policies.is_empty(), "it was remembered");
    scene.principals.forget();
    assert_eq!(scene.find(&key.id, None).await.unwrap().policies.len(), 1);
    let account = AccountId::first();
    scene
        .database
        .write(async |tx| tx.set_access_key_status(&account, &key.id, AccessKeyStatus::Inactive).await)
        .await;
    assert!(scene.find(&key.id, None).await.is_ok(), "it was remembered");
    scene.principals.forget();
    assert!(is_unknown(&scene.find(&key.id, None).await));
}

#[tokio::test]
async fn a_session_is_its_roles() {
    let scene = Scene::new().await;
    let role = scene.role("worker").await;
    scene.allow(&Holder::Role(role.name.clone())).await;
    let session = scene.session(&role, &[]);
    assert!(session.access_key.is_temporary());
    let found = scene.open(&session).await.unwrap();
    assert_eq!(found.caller, session.caller);
    assert_eq!(found.caller.arn().as_str(), "arn:aws:sts::000000000000:assumed-role/worker/work");
    assert_eq!(found.caller.expires_at, Some(NOW.plus(HOUR)));
    assert!(found.secret.matches(session.secret.expose()));
    assert_eq!(found.policies.len(), 1);
    assert!(found.session_policies.is_none());
    // A session policy narrows; it does not replace.
    let narrowed = scene.open(&scene.session(&role, &[ALLOW])).await.unwrap();
    assert_eq!(narrowed.policies.len(), 1);
    assert_eq!(narrowed.session_policies.as_ref().unwrap().len(), 1);
    // One that cannot be read allows nothing, rather than everything.
    let broken = scene.open(&scene.session(&role, &["{"])).await;
    assert!(matches!(broken, Err(PrincipalError::Policy { .. })));
}

#[tokio::test]
async fn a_session_token_is_worth_nothing_but_whole_and_with_its_key() {
    let scene = Scene::new().await;
    let role = scene.role("worker").await;
    let (session, other) = (scene.session(&role, &[]), scene.session(&role, &[]));
    let token = session.session_token.expose();
    // Without its token, without its key, with another's.
    assert!(is_unknown(&scene.find(&session.access_key, None).await));
    assert!(is_unknown(&scene.find(&other.access_key, Some(token)).await));
    assert!(is_unknown(&scene.find(&AccessKeyId::mint(&SystemRandom), Some(token)).await));
    // Once it is remembered, still not.
    scene.open(&session).await.unwrap();
    assert!(is_unknown(&scene.find(&session.access_key, None).await));
    assert!(is_unknown(&scene.find(&other.access_key, Some(token)).await));
    let joined = AccessKeyId::from_text(format!("{} {token}", session.access_key));
    assert!(is_unknown(&scene.find(&joined, None).await), "a key and its token are not one name");
    // Every byte counts.
    let sealed = STANDARD.decode(token).unwrap();
    for at in 0..sealed.len() {
        let mut touched = sealed.clone();
        touched[at] ^= 1;
        assert!(is_unknown(&scene.find(&session.access_key, Some(&STANDARD.encode(touched))).await), "{at}");
    }
    for wrong in [
        String::new(),
        "AAAA".to_owned(),
        format!("{token}AAAA"),
        format!(" {token}"),
        token[..token.len() - 4].to_owned(),
        token.to_lowercase(),
        "A".repeat(1 << 20),
    ] {
        assert!(is_unknown(&scene.find(&session.access_key, Some(&wrong)).await));
    }
    scene.open(&session).await.unwrap();
}

#[tokio::test]
async fn a_token_of_another_installation_opens_nothing() {
    let (scene, stranger) = (Scene::new().await, Scene::new().await);
    let role = scene.role("worker").await;
    let session = stranger.session(&role, &[]);
    assert!(is_unknown(&scene.open(&session).await));
    // Nor does what was sealed here for another purpose.
    let session = scene.session(&role, &[]);
    let sealed = STANDARD.decode(session.session_token.expose()).unwrap();
    let plain = scene.database.store.open_for("sts|session", &sealed).unwrap();
    let elsewhere = STANDARD.encode(scene.database.store.seal_for("other", &plain).unwrap());
    assert!(is_unknown(&scene.find(&session.access_key, Some(&elsewhere)).await));
}

#[tokio::test]
async fn a_session_ends() {
    let scene = Scene::new().await;
    let role = scene.role("worker").await;
    let (session, unseen) = (scene.session(&role, &[]), scene.session(&role, &[]));
    scene.clock.advance(HOUR - Duration::from_millis(1));
    scene.open(&session).await.unwrap();
    scene.clock.advance(Duration::from_millis(1));
    // Remembered or not.
    assert!(is_expired(&scene.open(&session).await));
    assert!(is_expired(&scene.open(&unseen).await));
    let token = session.session_token.expose();
    assert!(!scene.principals.is_known(session.access_key.as_str(), Some(token)).await.unwrap());
}

#[tokio::test]
async fn a_session_dies_with_its_role_also_when_the_name_lives_on() {
    let scene = Scene::new().await;
    let role = scene.role("worker").await;
    let session = scene.session(&role, &[]);
    scene.open(&session).await.unwrap();
    scene.delete_role(&role).await;
    scene.principals.forget();
    assert!(is_unknown(&scene.open(&session).await));
    let heir = scene.role("worker").await;
    assert_ne!(heir.id, role.id);
    assert!(is_unknown(&scene.open(&session).await));
    scene.open(&scene.session(&heir, &[])).await.unwrap();
}

/// Whether a session is remembered shows when its role is gone and nobody said so.
#[tokio::test]
async fn no_more_than_ten_thousand_are_remembered() {
    let scene = Scene::new().await;
    let (doomed, role) = (scene.role("doomed").await, scene.role("worker").await);
    let first = scene.session(&doomed, &[]);
    scene.open(&first).await.unwrap();
    scene.delete_role(&doomed).await;
    for _ in 0..9_999 {
        scene.open(&scene.session(&role, &[])).await.unwrap();
    }
    assert!(scene.open(&first).await.is_ok(), "ten thousand are remembered");
    scene.open(&scene.session(&role, &[])).await.unwrap();
    assert!(is_unknown(&scene.open(&first).await));
}

#[tokio::test]
async fn a_closed_store_is_an_error_and_no_answer() {
    let scene = Scene::new().await;
    let key = scene.key(Holder::Root).await;
    let role = scene.role("worker").await;
    let session = scene.session(&role, &[]);
    scene.database.store.close().await;
    assert!(matches!(scene.find(&key.id, None).await, Err(PrincipalError::Store(_))));
    assert!(matches!(scene.open(&session).await, Err(PrincipalError::Store(_))));
    assert!(scene.principals.is_known(key.id.as_str(), None).await.is_err());
}
