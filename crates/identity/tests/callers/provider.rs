//! The built-in provider: what the token endpoint grants, refuses, signs and leaves in the audit trail.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use domain::{
    AccountId, Actor, Arn, AuditEvent, AuditKind, ClientId, ClientOrigin, Decision, Document, FixedClock,
    Outcome, PoolClient, PoolDomain, PreTokenTrigger, Random, Region, RequestId, ResourceServer,
    ResourceServerScope, Scope, Secret, SystemRandom, ThirdParties, TriggerVersion, UserPool, UserPoolId,
};
use egress::{Client, Reach};
use identity::issuer::Issuers;
use identity::provider::{
    Answered, IssuerStyle, Names, PoolHint, Provider, TokenAnswer, TokenRequest, TriggerError, Triggers,
    generate_key, rotate_key,
};
use identity::token::KeySet;
use serde_json::{Value, json};
use store::{AuditFilter, AuditLog};
use tokio::runtime::Handle;

use crate::support::idp::{Answer, Idp};
use crate::support::{Database, NOW, PUBLIC_URL, clock, issuers, names, scope};

pub(crate) const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdef";
const FORM: &str = "application/x-www-form-urlencoded";

/// A pool with a key of its own.
pub(crate) async fn new_pool(database: &Database) -> UserPool {
    new_pool_in(database, scope()).await
}

async fn new_pool_in(database: &Database, scope: Scope) -> UserPool {
    let pool = UserPool {
        id: UserPoolId::mint(&SystemRandom, scope.region.as_str()),
        scope,
        name: "people".to_owned(),
        settings: Document("{}".to_owned()),
        deletion_protected: false,
        pre_token: None,
        third_parties: ThirdParties::default(),
        created_at: NOW,
        updated_at: NOW,
        revision: 1,
    };
    let key = generate_key(&SystemRandom, &pool.id, NOW).unwrap();
    database
        .write(async |tx| {
            tx.insert_user_pool(&pool).await?;
            tx.insert_signing_key(&pool.scope, &key).await
        })
        .await;
    pool
}

/// A token of a pool's newest key that claims whatever one likes.
pub(crate) async fn sign_for(database: &Database, pool: &UserPool, claims: &Value) -> String {
    let keys = database.store.read().await.unwrap().signing_keys(&pool.id).await.unwrap();
    let pair = KeyPair::from_pkcs8(&STANDARD.decode(keys[0].private_key.expose()).unwrap()).unwrap();
    let header = json!({ "alg": "RS256", "kid": keys[0].id });
    crate::support::token::raw(header.to_string().as_bytes(), claims.to_string().as_bytes(), |message| {
        let mut signature = vec![0; pair.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
        signature
    })
}

/// A pool with a confidential client, and the provider that issues for it.
struct Scene {
    database: Database,
    clock: Arc<FixedClock>,
    audit: AuditLog,
    provider: Provider,
    pool: UserPool,
    client: PoolClient,
}

impl Scene {
    async fn new() -> Self {
        Self::styled(IssuerStyle::Public).await
    }

    async fn styled(style: IssuerStyle) -> Self {
        let (database, clock) = (Database::new().await, clock());
        let pool = new_pool(&database).await;
        let server = ResourceServer {
            pool: pool.id.clone(),
            identifier: "tools".to_owned(),
            name: "Tools".to_owned(),
            scopes: ["read", "write", "invoke"]
                .map(|name| ResourceServerScope { name: name.to_owned(), description: String::new() })
                .to_vec(),
        };
        let scope = pool.scope.clone();
        database.write(async |tx| tx.insert_resource_server(&scope, &server).await).await;
        let audit = AuditLog::start(database.store.clone(), &Handle::current());
        let provider = Provider::new(
            database.store.clone(),
            Arc::new(Names::new(PUBLIC_URL, style)),
            clock.clone(),
            Arc::new(SystemRandom),
            audit.clone(),
        );
        let client = client_of(&pool);
        database.write(async |tx| tx.insert_pool_client(&client).await).await;
        Self { database, clock, audit, provider, pool, client }
    }

    /// A client like the first, but for something.
    async fn another(&self, change: impl FnOnce(&mut PoolClient)) -> PoolClient {
        let mut client = client_of(&self.pool);
        change(&mut client);
        self.database.write(async |tx| tx.insert_pool_client(&client).await).await;
        client
    }

    fn hint(&self) -> PoolHint {
        PoolHint::Id(self.pool.id.clone())
    }

    fn at(&self, label: &str) -> PoolHint {
        PoolHint::Domain { label: label.to_owned(), region: self.pool.scope.region.clone() }
    }

    /// Asks as the client does, by the body.
    async fn ask(&self, form: &[(&str, &str)]) -> TokenAnswer {
        self.ask_at(self.hint(), form).await
    }

    async fn ask_at(&self, hint: PoolHint, form: &[(&str, &str)]) -> TokenAnswer {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("grant_type", "client_credentials")
            .append_pair("client_id", self.client.id.as_str())
            .append_pair("client_secret", SECRET)
            .extend_pairs(form);
        self.send(hint, None, Some(FORM), &body.finish()).await
    }

    /// Asks with nothing but this body.
    async fn post(&self, body: &str) -> TokenAnswer {
        self.send(self.hint(), None, Some(FORM), body).await
    }

    /// Asks by the Authorization header.
    async fn basic(&self, authorization: &str, body: &str) -> TokenAnswer {
        self.send(self.hint(), Some(authorization), Some(FORM), body).await
    }

    async fn send(
        &self,
        hint: PoolHint,
        authorization: Option<&str>,
        content_type: Option<&str>,
        body: &str,
    ) -> TokenAnswer {
        let request = TokenRequest {
            hint,
            authorization,
            content_type,
            body: body.as_bytes(),
            source_ip: Some("192.0.2.7".to_owned()),
            request_id: &RequestId::mint(&SystemRandom),
        };
        self.provider.token(request).await
    }

    fn by_body(&self, client: &PoolClient) -> String {
        format!("grant_type=client_credentials&client_id={}&client_secret={SECRET}", client.id)
    }

    fn by_header(&self, id: &str, secret: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    }

    /// The events of the token endpoint, the latest last.
    async fn events(&self) -> Vec<AuditEvent> {
        self.audit.flush().await;
        let events = self.database.store.events(&AuditFilter::default(), 1_000).await.unwrap();
        events.into_iter().map(|stored| stored.event).filter(|event| event.kind == AuditKind::Token).collect()
    }

    async fn last_event(&self) -> AuditEvent {
        self.events().await.pop().unwrap()
    }
}

pub(crate) fn client_of(pool: &UserPool) -> PoolClient {
    PoolClient {
        id: ClientId::mint(&SystemRandom),
        pool: pool.id.clone(),
        scope: pool.scope.clone(),
        name: "machine".to_owned(),
        origin: ClientOrigin::Administrator,
        secret: Some(Secret::new(SECRET)),
        flows: vec!["client_credentials".to_owned()],
        scopes: vec!["tools/read".to_owned(), "tools/invoke".to_owned()],
        oauth_enabled: true,
        sign_in_flows: Vec::new(),
        callback_urls: Vec::new(),
        logout_urls: Vec::new(),
        access_token_seconds: 3600,
        id_token_seconds: 3600,
        refresh_token_seconds: 86_400,
        settings: Document("{}".to_owned()),
        created_at: NOW,
        updated_at: NOW,
        revision: 1,
    }
}

#[track_caller]
fn granted(answer: &TokenAnswer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let members: BTreeSet<_> = answer.body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(["access_token", "expires_in", "token_type"]));
    assert_eq!(answer.body["token_type"], "Bearer");
    assert!(!answer.challenge);
    part(token_of(answer), 1)
}

#[track_caller]
fn refused(answer: &TokenAnswer, status: u16, error: &str) -> String {
    assert_eq!((answer.status, answer.body["error"].as_str()), (status, Some(error)), "{}", answer.body);
    assert_eq!(answer.challenge, status == 401);
    assert!(answer.body.get("access_token").is_none());
    let description = answer.body["error_description"].as_str().unwrap().to_owned();
    // RFC 6749, section 5.2, names the characters that a description may hold.
    let legal = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    assert!(description.bytes().all(legal), "{description}");
    assert!(description.len() < 300, "{description}");
    description
}

fn token_of(answer: &TokenAnswer) -> &str {
    answer.body["access_token"].as_str().unwrap()
}

/// A part of a token: 0 for its header, 1 for its claims.
fn part(token: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_claims_exactly_what_cognitos_claims() {
    let scene = Scene::new().await;
    let answer = scene.ask(&[]).await;
    let claims = granted(&answer);
    let id = scene.client.id.as_str();
    assert_eq!(
        claims,
        json!({
            "sub": id,
            "token_use": "access",
            "scope": "tools/read tools/invoke",
            "auth_time": NOW.seconds(),
            "iss": format!("{PUBLIC_URL}/{}", scene.pool.id),
            "exp": NOW.seconds() + 3600,
            "iat": NOW.seconds(),
            "version": 2,
            "jti": claims["jti"],
            "client_id": id,
        })
    );
    assert_eq!(answer.body["expires_in"], 3600);
    let header = part(token_of(&answer), 0);
    let set = scene.provider.key_set(&scene.pool.id).await.unwrap().unwrap();
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &set["keys"][0]["kid"]));
    let again = granted(&scene.ask(&[]).await);
    assert_ne!(again["jti"], claims["jti"]);
}

#[tokio::test]
async fn a_token_lives_as_long_as_its_client_says() {
    let scene = Scene::new().await;
    for seconds in [300, 86_400] {
        let client = scene.another(|client| client.access_token_seconds = seconds).await;
        let answer = scene.post(&scene.by_body(&client)).await;
        let claims = granted(&answer);
        assert_eq!(claims["exp"], NOW.seconds() + i64::from(seconds));
        assert_eq!(answer.body["expires_in"], seconds);
    }
    scene.clock.advance(Duration::from_secs(50));
    assert_eq!(granted(&scene.ask(&[]).await)["iat"], NOW.seconds() + 50);
}

#[tokio::test]
async fn the_errors_are_rfc_6749s() {
    let scene = Scene::new().await;
    let id = scene.client.id.as_str();
    let credentials = format!("client_id={id}&client_secret={SECRET}");
    for (body, error, word) in [
        // Section 5.2: unsupported_grant_type.
        (format!("grant_type=password&{credentials}"), "unsupported_grant_type", "password"),
        (format!("grant_type=authorization_code&code=x&{credentials}"), "unauthorized_client", "code"),
        (format!("grant_type=CLIENT_CREDENTIALS&{credentials}"), "unsupported_grant_type", "CLIENT"),
        // invalid_request: something is missing, or given twice.
        (credentials.clone(), "invalid_request", "grant_type is missing"),
        (format!("grant_type=&{credentials}"), "invalid_request", "grant_type is missing"),
        ("grant_type=client_credentials".to_owned(), "invalid_request", "client_id is missing"),
        ("grant_type=client_credentials&client_id=".to_owned(), "invalid_request", "client_id is missing"),
        (String::new(), "invalid_request", "client_id is missing"),
        (
            format!("grant_type=client_credentials&grant_type=client_credentials&{credentials}"),
            "invalid_request",
            "`grant_type` is given more than once",
        ),
        (
            format!("grant_type=client_credentials&{credentials}&client_secret={SECRET}"),
            "invalid_request",
            "`client_secret` is given more than once",
        ),
        (
            format!("grant_type=client_credentials&{credentials}&scope=tools/read&sc%6fpe=tools/read"),
            "invalid_request",
            "`scope` is given more than once",
        ),
        (
            format!("grant_type=client_credentials&{credentials}&x=1&x=2"),
            "invalid_request",
            "`x` is given more than once",
        ),
        // invalid_scope.
        (
            format!("grant_type=client_credentials&{credentials}&scope=tools/write"),
            "invalid_scope",
            "`tools/write`",
        ),
        (
            format!("grant_type=client_credentials&{credentials}&scope=tools/read+tools/delete"),
            "invalid_scope",
            "`tools/delete`",
        ),
        (format!("grant_type=client_credentials&{credentials}&scope=openid"), "invalid_scope", "`openid`"),
        (
            format!("grant_type=client_credentials&{credentials}&scope=tools/read,tools/invoke"),
            "invalid_scope",
            "`tools/read,tools/invoke`",
        ),
        (
            format!("grant_type=client_credentials&{credentials}&scope=Tools/Read"),
            "invalid_scope",
            "`Tools/Read`",
        ),
    ] {
        let answer = scene.post(&body).await;
        let description = refused(&answer, 400, error);
        assert!(description.contains(word), "{body}: {description}");
    }
}

#[tokio::test]
async fn an_unknown_client_is_told_apart_by_nothing() {
    let scene = Scene::new().await;
    let (id, stranger) = (scene.client.id.as_str(), "0123456789abcdefghijklmnop");
    let mut descriptions = BTreeSet::new();
    for (id, secret) in [
        (id, "wrong".to_owned()),
        (id, String::new()),
        (id, SECRET[1..].to_owned()),
        (id, SECRET.to_uppercase()),
        (id, format!("{SECRET} ")),
        (stranger, SECRET.to_owned()),
        ("' OR 1=1 --", SECRET.to_owned()),
    ] {
        // By the body, with 400.
        let body: String = form_urlencoded::Serializer::new("grant_type=client_credentials".to_owned())
            .append_pair("client_id", id)
            .append_pair("client_secret", &secret)
            .finish();
        descriptions.insert(refused(&scene.post(&body).await, 400, "invalid_client"));
        // By the header, with 401 and a challenge (RFC 6749, section 5.2).
        let answer = scene.basic(&scene.by_header(id, &secret), "grant_type=client_credentials").await;
        descriptions.insert(refused(&answer, 401, "invalid_client"));
    }
    // Without any secret.
    let body = format!("grant_type=client_credentials&client_id={id}");
    descriptions.insert(refused(&scene.post(&body).await, 400, "invalid_client"));
    // A client that is not recognised is told nothing about its grant either.
    let body = format!("grant_type=password&client_id={id}&client_secret=wrong");
    descriptions.insert(refused(&scene.post(&body).await, 400, "invalid_client"));
    assert_eq!(descriptions.len(), 1, "{descriptions:?}");
}

#[tokio::test]
async fn a_client_may_authenticate_by_header() {
    let scene = Scene::new().await;
    let id = scene.client.id.as_str();
    let header = scene.by_header(id, SECRET);
    let body = "grant_type=client_credentials";
    granted(&scene.basic(&header, body).await);
    granted(&scene.basic(&header.replace("Basic ", "basic  "), body).await);
    // Section 2.3.1: id and secret are form-encoded first.
    let encoded: String = SECRET.bytes().map(|byte| format!("%{byte:02x}")).collect();
    granted(&scene.basic(&scene.by_header(id, &encoded), body).await);
    // The id may stand in the body as well, if it is the same.
    granted(&scene.basic(&header, &format!("{body}&client_id={id}")).await);
    let other = scene.basic(&header, &format!("{body}&client_id=other")).await;
    refused(&other, 400, "invalid_request");
    // Section 2.3: not more than one method.
    let both = scene.basic(&header, &format!("{body}&client_id={id}&client_secret={SECRET}")).await;
    assert!(refused(&both, 400, "invalid_request").contains("twice"));
    let both = scene.basic(&header, &format!("{body}&client_secret=")).await;
    refused(&both, 400, "invalid_request");
    for wrong in [
        "Basic",
        "Basic !",
        "Basic ",
        &format!("Bearer {}", STANDARD.encode("x")),
        &format!("Basic {}", STANDARD.encode("no colon")),
        &format!("Basic {}", STANDARD.encode(b"\xff:\xff")),
        &format!("Basic {}", STANDARD.encode("%ff:x")),
        &format!("Basic {}", STANDARD.encode(format!("{SECRET}:{id}"))),
        &format!("Basic {}", STANDARD.encode(":")),
    ] {
        refused(&scene.basic(wrong, body).await, 401, "invalid_client");
        // A header that is no good is not made good by a body that is.
        let answer = scene.basic(wrong, &scene.by_body(&scene.client)).await;
        assert_ne!(answer.status, 200, "{wrong}");
    }
}

#[tokio::test]
async fn a_form_is_a_form() {
    let scene = Scene::new().await;
    let body = scene.by_body(&scene.client);
    for kind in [FORM, "Application/X-WWW-Form-Urlencoded; charset=UTF-8"] {
        granted(&scene.send(scene.hint(), None, Some(kind), &body).await);
    }
    for kind in [None, Some(""), Some("application/json"), Some("text/plain"), Some("multipart/form-data")] {
        let answer = scene.send(scene.hint(), None, kind, &body).await;
        assert!(refused(&answer, 400, "invalid_request").contains("Content-Type"));
    }
    let json = json!({ "grant_type": "client_credentials" }).to_string();
    refused(&scene.post(&json).await, 400, "invalid_request");
}

#[tokio::test]
async fn a_client_that_may_not_is_unauthorized() {
    let scene = Scene::new().await;
    let disabled = scene.another(|client| client.oauth_enabled = false).await;
    let without_flows = scene.another(|client| client.flows = Vec::new()).await;
    let for_people = scene.another(|client| client.flows = vec!["code".to_owned()]).await;
    for client in [disabled, without_flows, for_people] {
        let answer = scene.post(&scene.by_body(&client)).await;
        refused(&answer, 400, "unauthorized_client");
        let event = scene.last_event().await;
        assert_eq!((event.outcome, event.error.as_deref()), (Outcome::Refused, Some("unauthorized_client")));
    }
}

#[tokio::test]
async fn a_public_client_gets_no_token_of_its_own() {
    let scene = Scene::new().await;
    let public = scene.another(|client| client.secret = None).await;
    let id = &public.id;
    for body in [
        format!("grant_type=client_credentials&client_id={id}"),
        format!("grant_type=client_credentials&client_id={id}&client_secret="),
        format!("grant_type=client_credentials&client_id={id}&client_secret={SECRET}"),
    ] {
        refused(&scene.post(&body).await, 400, "invalid_client");
    }
    let header = scene.by_header(id.as_str(), "");
    refused(&scene.basic(&header, "grant_type=client_credentials").await, 401, "invalid_client");
}

#[tokio::test]
async fn scopes_are_granted_as_they_were_asked_for() {
    let scene = Scene::new().await;
    for (asked, expected) in [
        ("", "tools/read tools/invoke"),
        ("  ", "tools/read tools/invoke"),
        ("tools/invoke", "tools/invoke"),
        ("tools/invoke tools/read", "tools/invoke tools/read"),
        (" tools/read  tools/invoke ", "tools/read tools/invoke"),
        ("tools/read tools/read tools/read", "tools/read"),
    ] {
        assert_eq!(granted(&scene.ask(&[("scope", asked)]).await)["scope"], expected, "`{asked}`");
    }
    // What no resource server has any more is neither granted nor asked for in vain.
    let stale =
        scene.another(|client| client.scopes = vec!["gone/read".to_owned(), "tools/read".to_owned()]).await;
    assert_eq!(granted(&scene.post(&scene.by_body(&stale)).await)["scope"], "tools/read");
    let answer = scene.post(&format!("{}&scope=gone/read", scene.by_body(&stale))).await;
    refused(&answer, 400, "invalid_scope");
    let bare = scene.another(|client| client.scopes = Vec::new()).await;
    assert_eq!(granted(&scene.post(&scene.by_body(&bare)).await)["scope"], "");
}

#[tokio::test]
async fn a_pool_is_found_by_each_of_its_names() {
    let scene = Scene::new().await;
    let domain = PoolDomain {
        domain: "my-agents".to_owned(),
        pool: scene.pool.id.clone(),
        scope: scene.pool.scope.clone(),
    };
    scene.database.write(async |tx| tx.insert_pool_domain(&domain).await).await;
    let label = scene.pool.id.host_label();
    for hint in [
        scene.hint(),
        PoolHint::Id(UserPoolId::from_text(label.as_str())),
        scene.at(&label),
        scene.at(&label.to_uppercase()),
        scene.at("my-agents"),
        scene.at("My-Agents"),
        PoolHint::OfTheClient,
    ] {
        let found = scene.ask_at(hint.clone(), &[]).await;
        let claims = granted(&found);
        assert_eq!(claims["iss"], format!("{PUBLIC_URL}/{}", scene.pool.id), "{hint:?}");
    }
    let elsewhere = Region::parse("eu-west-1").unwrap();
    for hint in [
        PoolHint::Id(UserPoolId::from_text("us-west-2_stranger1")),
        PoolHint::Id(UserPoolId::from_text("")),
        scene.at("stranger"),
        PoolHint::Domain { label: "my-agents".to_owned(), region: elsewhere.clone() },
        PoolHint::Domain { label, region: elsewhere },
    ] {
        let answer = scene.ask_at(hint.clone(), &[]).await;
        assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_client")), "{hint:?}");
    }
}

#[tokio::test]
async fn a_client_is_of_one_pool() {
    let scene = Scene::new().await;
    let other = new_pool(&scene.database).await;
    refused(&scene.ask_at(PoolHint::Id(other.id.clone()), &[]).await, 400, "invalid_client");
    let event = scene.last_event().await;
    // The attempt is its owner's affair, who can see it.
    assert_eq!(event.scope, scene.pool.scope);
    assert_eq!(event.actor, Actor::Client { client_id: scene.client.id.to_string() });
}

#[tokio::test]
async fn a_domain_prefix_does_not_stand_in_another_pools_way() {
    let scene = Scene::new().await;
    let squatter =
        new_pool_in(&scene.database, Scope { account: AccountId::parse("111111111111").unwrap(), ..scope() })
            .await;
    let label = scene.pool.id.host_label();
    let domain =
        PoolDomain { domain: label.clone(), pool: squatter.id.clone(), scope: squatter.scope.clone() };
    scene.database.write(async |tx| tx.insert_pool_domain(&domain).await).await;
    granted(&scene.ask_at(scene.at(&label), &[]).await);
}

#[tokio::test]
async fn tokens_verify_by_every_name_of_the_pool() {
    for style in [IssuerStyle::Public, IssuerStyle::Aws] {
        let scene = Scene::styled(style).await;
        let (id, region) = (&scene.pool.id, &scene.pool.scope.region);
        let answer = scene.ask(&[]).await;
        let claims = granted(&answer);
        let aws = format!("https://cognito-idp.{region}.amazonaws.com/{id}");
        let public = format!("{PUBLIC_URL}/{id}");
        assert_eq!(claims["iss"], if style == IssuerStyle::Aws { aws.as_str() } else { public.as_str() });
        // Nothing may be dialled: the pool is in this process.
        let names = Arc::new(Names::new(PUBLIC_URL, style));
        let nowhere = Client::new(Reach::default()).unwrap();
        let issuers = Issuers::new(scene.database.store.clone(), nowhere, scene.clock.clone(), names);
        for base in [&aws, &public] {
            let url = format!("{base}/.well-known/openid-configuration");
            let verified = issuers.verify(&url, token_of(&answer)).await.unwrap();
            assert_eq!(Value::Object(verified.all), claims, "{url}");
        }
        let metadata = scene.provider.metadata(id).await.unwrap().unwrap();
        assert_eq!(metadata["issuer"], claims["iss"]);
        assert_eq!(metadata["jwks_uri"], format!("{public}/.well-known/jwks.json"));
        assert_eq!(metadata["token_endpoint"], format!("{public}/oauth2/token"));
    }
}

#[tokio::test]
async fn strangers_verify_tokens_by_what_is_published() {
    let scene = Scene::new().await;
    let set = scene.provider.key_set(&scene.pool.id).await.unwrap().unwrap();
    let members: BTreeSet<_> = set["keys"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(["alg", "e", "kid", "kty", "n", "use"]));
    assert!(!KeySet::parse(set.to_string().as_bytes()).unwrap().is_empty());
    // An installation elsewhere, to which this is any issuer: metadata and keys, over the wire.
    let wire = Idp::start().await;
    let names = Arc::new(Names::new(&wire.url(""), IssuerStyle::Public));
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let provider =
        Provider::new(scene.database.store.clone(), names, scene.clock.clone(), random, scene.audit.clone());
    let mut metadata = provider.metadata(&scene.pool.id).await.unwrap().unwrap();
    metadata["jwks_uri"] = wire.url("/keys").into();
    wire.describe(&metadata);
    wire.serve_keys(Answer::Json(set.to_string()));
    let body = scene.by_body(&scene.client);
    let request = TokenRequest {
        hint: scene.hint(),
        authorization: None,
        content_type: Some(FORM),
        body: body.as_bytes(),
        source_ip: None,
        request_id: &RequestId::mint(&SystemRandom),
    };
    let answer = provider.token(request).await;
    let elsewhere = Database::new().await;
    let issuers = issuers(&elsewhere, &crate::support::client(), &scene.clock);
    let url = wire.url(&format!("/{}/.well-known/openid-configuration", scene.pool.id));
    issuers.verify(&url, token_of(&answer)).await.unwrap();
    assert_eq!(wire.asked(), (1, 1));
}

#[tokio::test]
async fn a_rotated_key_signs_and_is_published() {
    let scene = Scene::new().await;
    let before = part(token_of(&scene.ask(&[]).await), 0);
    let store = &scene.database.store;
    let rotated = rotate_key(store, &*scene.clock, &SystemRandom, &scene.pool.id).await.unwrap();
    scene.provider.forget_pool(&scene.pool.id);
    let after = part(token_of(&scene.ask(&[]).await), 0);
    assert_eq!(after["kid"], rotated.signing.as_str());
    let set = scene.provider.key_set(&scene.pool.id).await.unwrap().unwrap();
    let published: Vec<_> = set["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    assert_eq!(published, [&after["kid"], &before["kid"]]);
}

#[tokio::test]
async fn every_request_leaves_an_event_and_no_secret() {
    let scene = Scene::new().await;
    let id = scene.client.id.to_string();
    granted(&scene.ask(&[]).await);
    let event = scene.last_event().await;
    assert_eq!(event.actor, Actor::Client { client_id: id.clone() });
    assert_eq!((event.decision, event.outcome), (Decision::Allow, Outcome::Success));
    assert_eq!(event.action, "client_credentials");
    assert_eq!(event.scope, scene.pool.scope);
    let arn = format!("arn:aws:cognito-idp:us-west-2:000000000000:userpool/{}", scene.pool.id);
    assert_eq!(event.resource.as_deref(), Some(arn.as_str()));
    assert_eq!(event.source_ip.as_deref(), Some("192.0.2.7"));
    assert_eq!((event.time, event.error, event.reason), (NOW, None, None));

    // Each way to put a secret where it does not belong.
    let stranger = "s".repeat(26);
    let bodies = [
        format!("grant_type=client_credentials&client_id={id}&client_secret=guess-{SECRET}"),
        format!("grant_type=client_credentials&client_id={SECRET}&client_secret={id}"),
        format!("grant_type=client_credentials&client_id={SECRET}"),
        format!("grant_type=client_credentials&client_id={stranger}&client_secret={SECRET}"),
        format!("grant_type=client_credentials&client_id={id}&client_secret={SECRET}&client_secret={SECRET}"),
        format!("client_id={id}&client_secret={SECRET}"),
        String::new(),
    ];
    for body in &bodies {
        assert_ne!(scene.post(body).await.status, 200, "{body}");
    }
    let swapped = scene.by_header(SECRET, &id);
    assert_ne!(scene.basic(&swapped, "grant_type=client_credentials").await.status, 200);
    let long = format!("grant_type=client_credentials&client_id={}", "i".repeat(60_000));
    assert_ne!(scene.post(&long).await.status, 200);
    let long = format!("{0}=1&{0}=2", "n".repeat(30_000));
    refused(&scene.post(&long).await, 400, "invalid_request");
    let strange = "grant_type=%22%5C%0d%0a%E2%82%AC%60&".to_owned() + &bodies[5];
    refused(&scene.post(&strange).await, 400, "unsupported_grant_type");

    let events = scene.events().await;
    assert_eq!(events.len(), 1 + bodies.len() + 4);
    for event in &events {
        let written = serde_json::to_string(event).unwrap();
        assert!(!written.contains(SECRET) && !written.contains("guess"), "{written}");
        assert!(written.len() < 1_500, "{written}");
    }
    for event in &events[1..] {
        assert_eq!((event.decision, event.outcome), (Decision::Deny, Outcome::Refused));
        assert!(event.error.is_some() && event.reason.is_some());
    }
    // Who guesses a client's secret is seen by the client's account; a stranger is seen by the first.
    assert_eq!(events[1].actor, Actor::Client { client_id: id });
    assert_eq!((&events[1].scope, events[1].resource.as_deref()), (&scene.pool.scope, Some(arn.as_str())));
    assert_eq!(events[2].actor, Actor::Anonymous);
    assert_eq!(events[4].actor, Actor::Client { client_id: stranger });
    assert_eq!(events[4].scope, Scope::global(&AccountId::first()));
}

#[tokio::test]
async fn a_closed_store_is_told_as_an_outage() {
    for warm in [false, true] {
        let scene = Scene::new().await;
        if warm {
            granted(&scene.ask(&[]).await);
        }
        scene.audit.flush().await;
        scene.database.store.close().await;
        for hint in [scene.hint(), scene.at("label"), PoolHint::OfTheClient] {
            let answer = scene.ask_at(hint, &[]).await;
            let description = refused(&answer, 503, "temporarily_unavailable");
            assert!(!description.contains("pool"), "{description}");
        }
        assert!(scene.provider.metadata(&scene.pool.id).await.is_err());
        assert!(scene.provider.key_set(&scene.pool.id).await.is_err());
        let url = format!("{PUBLIC_URL}/{}/.well-known/openid-configuration", scene.pool.id);
        let issuers = Issuers::new(
            scene.database.store.clone(),
            crate::support::client(),
            scene.clock.clone(),
            names(),
        );
        assert!(issuers.probe(&url).await.is_err());
    }
}

#[tokio::test]
async fn a_pool_that_lost_its_keys_is_a_server_error() {
    let scene = Scene::new().await;
    let keys = scene.database.store.read().await.unwrap().signing_keys(&scene.pool.id).await.unwrap();
    let (scope, pool) = (scene.pool.scope.clone(), scene.pool.id.clone());
    scene.database.write(async |tx| tx.delete_signing_key(&scope, &pool, &keys[0].id).await).await;
    refused(&scene.ask(&[]).await, 500, "server_error");
    let event = scene.last_event().await;
    assert_eq!((event.outcome, event.error.as_deref()), (Outcome::Failure, Some("server_error")));
}

#[tokio::test]
async fn a_pool_that_is_not_here_publishes_nothing() {
    let scene = Scene::new().await;
    for id in ["us-west-2_stranger1", "", "../etc", "' OR 1=1 --"] {
        let id = UserPoolId::from_text(id);
        assert!(scene.provider.metadata(&id).await.unwrap().is_none());
        assert!(scene.provider.key_set(&id).await.unwrap().is_none());
    }
    let label = UserPoolId::from_text(scene.pool.id.host_label());
    let metadata = scene.provider.metadata(&label).await.unwrap().unwrap();
    assert_eq!(metadata["issuer"], format!("{PUBLIC_URL}/{}", scene.pool.id));
}

/// A function that gives every client a department, or refuses.
struct Departments(Option<&'static str>);

impl Triggers for Departments {
    fn invoke<'a>(&'a self, _: &'a UserPool, _: &'a Arn, event: Bytes) -> Answered<'a> {
        Box::pin(async move {
            let event: Value = serde_json::from_slice(&event).unwrap();
            assert_eq!(event["triggerSource"], "TokenGeneration_ClientCredentials");
            let Some(department) = self.0 else { return Err(TriggerError::failed("nobody\nworks here")) };
            let claims = json!({ "department": department, "client_id": "forged" });
            let access = json!({ "claimsToAddOrOverride": claims, "scopesToSuppress": ["tools/invoke"] });
            let answer = json!({
                "response": { "claimsAndScopeOverrideDetails": { "accessTokenGeneration": access } }
            });
            Ok(answer.to_string().into())
        })
    }
}

#[tokio::test]
async fn a_pool_whose_function_does_not_run_gives_no_tokens() {
    let mut scene = Scene::new().await;
    let function = Arn::function(&scene.pool.scope, "departments");
    scene.pool.pre_token = Some(PreTokenTrigger { function, version: TriggerVersion::V3 });
    let mut pool = scene.pool.clone();
    scene.database.write(async |tx| tx.update_user_pool(&mut pool).await).await;
    let told = refused(&scene.ask(&[]).await, 400, "invalid_request");
    assert!(told.contains("PreTokenGeneration invocation failed"), "{told}");

    scene.provider = scene.provider.with_triggers(Arc::new(Departments(Some("tools"))));
    let claims = granted(&scene.ask(&[]).await);
    assert_eq!((&claims["department"], &claims["scope"]), (&json!("tools"), &json!("tools/read")));
    assert_eq!(claims["client_id"], scene.client.id.as_str());

    scene.provider = scene.provider.with_triggers(Arc::new(Departments(None)));
    let told = refused(&scene.ask(&[]).await, 400, "invalid_request");
    assert!(told.contains("nobody works here"), "{told}");
}
