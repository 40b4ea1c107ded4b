//! What comes of pools and clients: tokens, and the keys that verify them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{
    Actor as AuditActor, AuditKind, Clock, FixedClock, Random, Region, RequestId, SystemRandom, UserPoolId,
};
use identity::issuer::{Issuers, VerifyError};
use identity::provider::{
    IssuerStyle, Names, PoolHint, PoolKeys, PoolKeysError, Provider, TokenAnswer, TokenRequest,
    revoke_former_keys, rotate_key,
};
use identity::token::TokenError;
use serde_json::{Value, json};
use store::AuditLog;
use tokio::runtime::Handle;

use crate::support::{PUBLIC_URL, World};
use crate::{call, machine, make_pool, make_server, with};

/// A pool with a client, and the provider that issues for it.
struct Scene {
    world: World,
    pool: String,
    client: Value,
    clock: Arc<FixedClock>,
    provider: Provider,
    issuers: Issuers,
    audit: AuditLog,
}

impl Scene {
    async fn on(world: World, change: Value) -> Self {
        let root = world.root();
        let pool = make_pool(&root, "p").await;
        make_server(&root, &pool).await;
        let made = call(&root, "CreateUserPoolClient", with(&machine(&pool), change)).await.good();
        let clock = Arc::new(FixedClock::at(world.now()));
        let names = Arc::new(Names::new(PUBLIC_URL, IssuerStyle::Public));
        let store = world.store().clone();
        let audit = AuditLog::start(store.clone(), &Handle::current());
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let provider = Provider::new(store.clone(), Arc::clone(&names), clock.clone(), random, audit.clone());
        let client = egress::Client::new(egress::Reach::default()).unwrap();
        let issuers = Issuers::new(store, client, clock.clone(), names);
        Self { client: made["UserPoolClient"].clone(), world, pool, clock, provider, issuers, audit }
    }

    fn id(&self) -> UserPoolId {
        UserPoolId::from_text(&self.pool)
    }

    /// Asks for a token as the documents' curl does.
    async fn ask(&self, hint: PoolHint, secret: &str, scope: &str) -> TokenAnswer {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", self.client["ClientId"].as_str().unwrap())
            .append_pair("client_secret", secret)
            .append_pair("scope", scope)
            .finish();
        let request = TokenRequest {
            hint,
            authorization: None,
            content_type: Some("application/x-www-form-urlencoded"),
            body: body.as_bytes(),
            source_ip: None,
            request_id: &RequestId::mint(&SystemRandom),
        };
        self.provider.token(request).await
    }

    async fn token(&self) -> String {
        let answer =
            self.ask(PoolHint::Id(self.id()), self.client["ClientSecret"].as_str().unwrap(), "").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    /// Verifies a token at the discovery URL that the documents write out.
    async fn verify(&self, token: &str) -> Result<identity::token::Claims, VerifyError> {
        let url = format!(
            "https://cognito-idp.us-west-2.amazonaws.com/{}/.well-known/openid-configuration",
            self.pool
        );
        self.issuers.verify(&url, token).await
    }

    /// Rotates, and lets everyone know as the change feed does.
    async fn rotate(&self) -> PoolKeys {
        let rotated = rotate_key(self.world.store(), &*self.clock, &SystemRandom, &self.id()).await;
        self.forget();
        rotated.unwrap()
    }

    /// Revokes, and lets everyone know.
    async fn revoke(&self) -> PoolKeys {
        let revoked = revoke_former_keys(self.world.store(), &*self.clock, &SystemRandom, &self.id()).await;
        self.forget();
        revoked.unwrap()
    }

    fn forget(&self) {
        self.provider.forget_pool(&self.id());
        self.issuers.forget_pool(&self.id());
    }

    /// The ids of the keys that the pool publishes.
    async fn published(&self) -> Vec<String> {
        let set = self.provider.key_set(&self.id()).await.unwrap().unwrap();
        let keys = set["keys"].as_array().unwrap();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

/// A part of a token: 0 for its header, 1 for its claims.
fn part(token: &str, at: usize) -> Value {
    let encoded = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_claims_what_cognitos_claims_and_nothing_else() {
    for world in World::on_each_database().await {
        let scene = Scene::on(world, json!({})).await;
        let token = scene.token().await;
        let claims = part(&token, 1);
        // The sample of the AgentCore documents.
        let sample =
            ["sub", "token_use", "scope", "auth_time", "iss", "exp", "iat", "version", "jti", "client_id"];
        let known: BTreeSet<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(known, BTreeSet::from(sample));
        assert_eq!(
            claims,
            json!({
                "sub": scene.client["ClientId"],
                "token_use": "access",
                "scope": "gateway-resource-server/read gateway-resource-server/write",
                "auth_time": 1_763_717_400,
                "iss": format!("{PUBLIC_URL}/{}", scene.pool),
                "exp": 1_763_721_000,
                "iat": 1_763_717_400,
                "version": 2,
                "jti": claims["jti"],
                "client_id": scene.client["ClientId"],
            })
        );
        assert_eq!(claims["jti"].as_str().unwrap().len(), 36);
        let header = part(&token, 0);
        assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &json!(scene.published().await[0])));
        let verified = scene.verify(&token).await.unwrap();
        assert_eq!(Value::Object(verified.all), claims);
        scene.audit.flush().await;
        let events = scene.world.events().await;
        let event = events.iter().rfind(|event| event.kind == AuditKind::Token).unwrap();
        let client_id = scene.client["ClientId"].as_str().unwrap().to_owned();
        assert_eq!(event.actor, AuditActor::Client { client_id });
    }
}

#[tokio::test]
async fn a_token_lives_as_long_as_its_client_says() {
    let minutes = json!({"AccessTokenValidity": 5, "TokenValidityUnits": {"AccessToken": "minutes"}});
    let scene = Scene::on(World::new().await, minutes).await;
    let token = scene.token().await;
    assert_eq!(part(&token, 1)["exp"], 1_763_717_700);
    scene.clock.advance(Duration::from_secs(300));
    scene.verify(&token).await.unwrap();
    scene.clock.advance(Duration::from_secs(60));
    let refused = scene.verify(&token).await;
    assert!(matches!(refused, Err(VerifyError::Token(TokenError::Claim("exp", _)))), "{refused:?}");
}

#[tokio::test]
async fn a_pool_is_found_by_its_label_and_by_its_domain() {
    let scene = Scene::on(World::new().await, json!({})).await;
    let secret = scene.client["ClientSecret"].as_str().unwrap();
    let region = Region::parse("us-west-2").unwrap();
    let at = |label: &str| PoolHint::Domain { label: label.to_owned(), region: region.clone() };
    let label = scene.pool.replace('_', "");
    assert_eq!(scene.ask(at(&label), secret, "").await.status, 200);
    assert_eq!(scene.ask(at("my-agents"), secret, "").await.body["error"], "invalid_client");
    let root = scene.world.root();
    let domain = json!({"UserPoolId": scene.pool, "Domain": "my-agents"});
    call(&root, "CreateUserPoolDomain", domain).await.good();
    assert_eq!(scene.ask(at("my-agents"), secret, "").await.status, 200);
    // Another pool's domain is no way to this client.
    let other = make_pool(&root, "other").await;
    let domain = json!({"UserPoolId": other, "Domain": "my-robots"});
    call(&root, "CreateUserPoolDomain", domain).await.good();
    assert_eq!(scene.ask(at("my-robots"), secret, "").await.body["error"], "invalid_client");
}

#[tokio::test]
async fn what_the_api_takes_away_is_granted_no_more() {
    let scene = Scene::on(World::new().await, json!({})).await;
    let root = scene.world.root();
    let secret = scene.client["ClientSecret"].as_str().unwrap();
    let hint = || PoolHint::Id(scene.id());
    let granted = scene.ask(hint(), secret, "gateway-resource-server/write").await;
    let token = granted.body["access_token"].as_str().unwrap();
    assert_eq!(part(token, 1)["scope"], "gateway-resource-server/write");
    let params = json!({
        "UserPoolId": scene.pool,
        "Identifier": "gateway-resource-server",
        "Name": "n",
        "Scopes": [{"ScopeName": "read", "ScopeDescription": "d"}],
    });
    call(&root, "UpdateResourceServer", params).await.good();
    let refused = scene.ask(hint(), secret, "gateway-resource-server/write").await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_scope")));
    assert_eq!(part(&scene.token().await, 1)["scope"], "gateway-resource-server/read");
    assert_eq!(scene.ask(hint(), "a guess", "").await.body["error"], "invalid_client");
    let one = json!({"UserPoolId": scene.pool, "ClientId": scene.client["ClientId"]});
    call(&root, "UpdateUserPoolClient", one.clone()).await.good();
    assert_eq!(scene.ask(hint(), secret, "").await.body["error"], "unauthorized_client");
    call(&root, "DeleteUserPoolClient", one).await.good();
    assert_eq!(scene.ask(hint(), secret, "").await.body["error"], "invalid_client");
}

#[tokio::test]
async fn a_rotated_key_signs_and_the_former_one_still_verifies_until_it_is_revoked() {
    for world in World::on_each_database().await {
        let scene = Scene::on(world, json!({})).await;
        let before = scene.token().await;
        let first = scene.published().await;
        // The clock stands still: the new key signs all the same.
        let second = scene.rotate().await;
        assert_eq!(second.former, first);
        assert_eq!(scene.published().await, [second.signing.clone(), first[0].clone()]);
        let after = scene.token().await;
        assert_eq!(part(&after, 0)["kid"], second.signing.as_str());
        scene.verify(&before).await.unwrap();
        scene.verify(&after).await.unwrap();
        let revoked = scene.revoke().await;
        assert_eq!(revoked, second);
        assert_eq!(scene.published().await, std::slice::from_ref(&second.signing));
        let refused = scene.verify(&before).await;
        assert!(matches!(refused, Err(VerifyError::Token(TokenError::UnknownKey))), "{refused:?}");
        scene.verify(&after).await.unwrap();
        scene.verify(&scene.token().await).await.unwrap();
        assert_eq!(scene.revoke().await.former, [""; 0]);
        let arn = format!("arn:aws:cognito-idp:us-west-2:000000000000:userpool/{}", scene.pool);
        for action in ["pool.rotate-key", "pool.revoke-former-keys"] {
            let event = scene.world.event(action).await;
            assert_eq!(event.actor, AuditActor::System);
            assert_eq!((event.resource.as_ref(), event.time), (Some(&arn), scene.clock.now()));
        }
    }
}

#[tokio::test]
async fn keys_of_a_pool_that_is_not_there_are_not_changed() {
    let world = World::new().await;
    let (clock, pool) = (FixedClock::at(world.now()), UserPoolId::from_text("us-west-2_abcdefghi"));
    let refused = rotate_key(world.store(), &clock, &SystemRandom, &pool).await;
    assert!(matches!(refused, Err(PoolKeysError::UnknownPool(_))));
    let refused = revoke_former_keys(world.store(), &clock, &SystemRandom, &pool).await;
    assert!(matches!(refused, Err(PoolKeysError::UnknownPool(_))));
}

#[tokio::test]
async fn a_deleted_pool_issues_and_verifies_nothing() {
    let scene = Scene::on(World::new().await, json!({})).await;
    let token = scene.token().await;
    call(&scene.world.root(), "DeleteUserPool", json!({"UserPoolId": scene.pool})).await.good();
    scene.provider.forget_pool(&scene.id());
    scene.issuers.forget_pool(&scene.id());
    let secret = scene.client["ClientSecret"].as_str().unwrap();
    let refused = scene.ask(PoolHint::OfTheClient, secret, "").await;
    assert_eq!(refused.body["error"], "invalid_client");
    assert!(scene.verify(&token).await.is_err());
    assert!(scene.provider.key_set(&scene.id()).await.unwrap().is_none());
}
