//! What is shown to others' services: keys and tokens of credential providers, from pools of our own and from servers that
//! are slow, wrong and hostile.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{
    AccessKeyId, Arn, AuditKind, AuthorizationServer, Caller, ClientAuthentication, CredentialKind,
    CredentialProvider, CredentialSettings, Decision, EventId, FixedClock, OAuth2Discovery, OAuth2Settings,
    PoolDomain, Principal, Region, ResourceServer, ResourceServerScope, Scope, Secret, SystemRandom,
    Timestamp, Vendor,
};
use iam::{Named, Policy, PolicyKind};
use identity::outbound::{Ask, Brought, Grant, Granted, Need, OAuthNeed, Outbound, Refusal, Role, may_use};
use identity::provider::Provider;
use serde_json::json;
use store::{AuditFilter, AuditLog};
use tokio::runtime::Handle;

use crate::provider::{SECRET, client_of, new_pool};
use crate::support::token_server::{Answer, TokenServer};
use crate::support::{Database, NOW, PUBLIC_URL, client, clock, issuers, names, scope};

/// A vault with one OAuth2 provider, `as`, of a server on this machine.
struct Scene {
    database: Database,
    clock: Arc<FixedClock>,
    audit: AuditLog,
    outbound: Arc<Outbound>,
    server: TokenServer,
}

impl Scene {
    async fn new() -> Self {
        let (database, clock, server) = (Database::new().await, clock(), TokenServer::start().await);
        let audit = AuditLog::start(database.store.clone(), &Handle::current());
        let random = Arc::new(SystemRandom);
        let store = database.store.clone();
        let provider = Provider::new(store.clone(), names(), clock.clone(), random.clone(), audit.clone());
        let outbound = Outbound::new(store, client(), clock.clone(), random, names(), Arc::new(provider));
        let scene = Self { database, clock, audit, outbound: Arc::new(outbound), server };
        scene.server.answers(Answer::token("the-token", 3600));
        scene.has("as", &given(&scene.server.url("/token"), None), "the-client", None).await;
        scene
    }

    /// Makes an OAuth2 provider.
    async fn has(
        &self,
        name: &str,
        discovery: &OAuth2Discovery,
        client_id: &str,
        authentication: Option<ClientAuthentication>,
    ) {
        let settings = OAuth2Settings {
            vendor: Vendor::Custom,
            discovery: discovery.clone(),
            client_id: client_id.to_owned(),
            authentication,
            on_behalf_of: None,
            client_key: None,
        };
        self.makes(provider(name, CredentialSettings::OAuth2(settings))).await;
    }

    async fn makes(&self, provider: CredentialProvider) {
        self.database.write(async |tx| tx.insert_credential_provider(&provider).await).await;
    }

    async fn asks(&self, name: &str) -> Result<Granted, Refusal> {
        self.asks_for(name, &[], &BTreeMap::new()).await
    }

    async fn asks_for(
        &self,
        name: &str,
        scopes: &[&str],
        parameters: &BTreeMap<String, String>,
    ) -> Result<Granted, Refusal> {
        let scopes: Vec<_> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let need = OAuthNeed { grant: Grant::ClientCredentials, scopes: &scopes, parameters };
        self.outbound.credential(&ask(&arn(name), Need::OAuth(need))).await
    }

    async fn token(&self, name: &str) -> Secret {
        token(self.asks(name).await)
    }

    fn times_asked(&self) -> usize {
        self.server.asked().len()
    }
}

fn provider(name: &str, settings: CredentialSettings) -> CredentialProvider {
    CredentialProvider {
        scope: scope(),
        name: name.to_owned(),
        id: EventId::mint(&SystemRandom).to_string(),
        settings,
        external: None,
        secret_suffix: "abcdef".to_owned(),
        secret: Some(Secret::new(SECRET)),
        created_at: NOW,
        updated_at: NOW,
        revision: 1,
    }
}

fn given(token_endpoint: &str, methods: Option<&[&str]>) -> OAuth2Discovery {
    OAuth2Discovery::Metadata(AuthorizationServer {
        issuer: "https://as.example".to_owned(),
        authorization_endpoint: "https://as.example/authorize".to_owned(),
        token_endpoint: token_endpoint.to_owned(),
        response_types: None,
        authentication_methods: methods.map(|it| it.iter().map(|it| (*it).to_owned()).collect()),
    })
}

fn arn(name: &str) -> Arn {
    Arn::credential_provider(&scope(), CredentialKind::OAuth2, name)
}

/// Asks as a gateway of the first account does.
fn ask<'a>(provider: &'a Arn, need: Need<'a>) -> Ask<'a> {
    static SCOPE: LazyLock<Scope> = LazyLock::new(scope);
    Ask { scope: &SCOPE, provider, need, workload: None, user: None, brought: Brought::default() }
}

fn plain() -> OAuthNeed<'static> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    OAuthNeed { grant: Grant::ClientCredentials, scopes: &[], parameters: &NONE }
}

#[track_caller]
fn token(granted: Result<Granted, Refusal>) -> Secret {
    match granted {
        Ok(Granted::Token { secret, .. }) => secret,
        Ok(_) => panic!("this is no token"),
        Err(refusal) => panic!("{refusal}"),
    }
}

#[track_caller]
fn refusal<T>(granted: Result<T, Refusal>) -> String {
    let refusal = granted.err().unwrap();
    let told = format!("{refusal} {refusal:?}");
    assert!(!told.contains(SECRET), "{told}");
    refusal.to_string()
}

// --- tokens of our own pools ------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_pool_of_our_own_gives_tokens_by_all_its_names() {
    let scene = Scene::new().await;
    let pool = new_pool(&scene.database).await;
    let machine = client_of(&pool);
    let tools = ResourceServer {
        pool: pool.id.clone(),
        identifier: "tools".to_owned(),
        name: "Tools".to_owned(),
        scopes: vec![ResourceServerScope { name: "read".to_owned(), description: String::new() }],
    };
    let domain = PoolDomain { domain: "my-tools".to_owned(), pool: pool.id.clone(), scope: scope() };
    let write = async |tx: &mut store::Tx| {
        tx.insert_resource_server(&scope(), &tools).await?;
        tx.insert_pool_client(&machine).await?;
        tx.insert_pool_domain(&domain).await
    };
    scene.database.write(write).await;
    let id = &pool.id;
    let issuers = issuers(&scene.database, &client(), &scene.clock);
    let discovery = |base: &str| format!("{base}/{id}/.well-known/openid-configuration");
    let public = discovery(PUBLIC_URL);
    // Nobody listens at the public URL, and AWS's hosts are not to be left for: all of these are this process.
    for (name, discovery) in [
        ("public", OAuth2Discovery::Url(public.clone())),
        ("aws", OAuth2Discovery::Url(discovery("https://cognito-idp.us-west-2.amazonaws.com"))),
        ("endpoint", given(&format!("{PUBLIC_URL}/{id}/oauth2/token"), None)),
        ("client", given(&format!("{PUBLIC_URL}/oauth2/token"), Some(&["client_secret_post"]))),
        ("domain", given("https://my-tools.auth.us-west-2.amazoncognito.com/oauth2/token", None)),
    ] {
        scene.has(name, &discovery, machine.id.as_str(), None).await;
        let got = token(scene.asks_for(name, &["tools/read"], &BTreeMap::new()).await);
        issuers.verify(&public, got.expose()).await.unwrap();
        let again = token(scene.asks_for(name, &["tools/read"], &BTreeMap::new()).await);
        assert!(got.same_as(&again), "{name}");
    }
    scene.audit.flush().await;
    let events = scene.database.store.events(&AuditFilter::default(), 100).await.unwrap();
    let of_tokens: Vec<_> =
        events.into_iter().map(|it| it.event).filter(|event| event.kind == AuditKind::Token).collect();
    assert_eq!(of_tokens.len(), 5);
    assert!(of_tokens.iter().all(|event| event.decision == Decision::Allow));

    let told = refusal(scene.asks_for("public", &["tools/write"], &BTreeMap::new()).await);
    assert!(told.contains("status 400 and `invalid_scope`: look at the scopes of the target"), "{told}");
    scene.has("stranger", &OAuth2Discovery::Url(public), "nobody", None).await;
    let told = refusal(scene.asks("stranger").await);
    assert!(told.contains("status 401 and `invalid_client`: look at clientId"), "{told}");
}

// --- how a server is asked --------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_client_proves_itself_as_it_is_wanted() {
    let scene = Scene::new().await;
    let url = scene.server.url("/token?tenant=t");
    scene.has("basic", &given(&url, Some(&["client_secret_post", "client_secret_basic"])), "id", None).await;
    scene.has("post", &given(&url, Some(&["client_secret_post"])), "id", None).await;
    scene.has("said", &given(&url, None), "id", Some(ClientAuthentication::Post)).await;
    scene.has("neither", &given(&url, Some(&["private_key_jwt"])), "id", None).await;
    let parameters = BTreeMap::from([("audience".to_owned(), "https://api/?a&b".to_owned())]);
    let got = scene.asks_for("basic", &["a/read", "b"], &parameters).await.unwrap();
    assert!(
        matches!(got, Granted::Token { expires, .. } if expires == Some(NOW.plus(Duration::from_secs(3600))))
    );
    let basic = scene.server.asked().pop().unwrap();
    assert!(basic.head.starts_with("POST /token?tenant=t HTTP/1.1\r\n"), "{}", basic.head);
    assert_eq!(
        basic.header("authorization"),
        Some(format!("Basic {}", STANDARD.encode(format!("id:{SECRET}"))).as_str())
    );
    assert_eq!(basic.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(
        basic.body,
        "grant_type=client_credentials&scope=a%2Fread+b&audience=https%3A%2F%2Fapi%2F%3Fa%26b"
    );
    for name in ["post", "said"] {
        scene.token(name).await;
        let post = scene.server.asked().pop().unwrap();
        assert_eq!(post.header("authorization"), None);
        assert_eq!(post.body, format!("grant_type=client_credentials&client_id=id&client_secret={SECRET}"));
    }
    let told = refusal(scene.asks("neither").await);
    assert!(told.contains("neither client_secret_basic nor client_secret_post"), "{told}");
    for name in ["grant_type", "client_id", "client_secret", "scope", "client_assertion"] {
        let parameters = BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        let told = refusal(scene.asks_for("basic", &[], &parameters).await);
        assert!(told.contains(&format!("`{name}` cannot be set")), "{told}");
    }
    assert_eq!(scene.times_asked(), 3);
}

#[tokio::test]
async fn an_endpoint_is_found_by_the_metadata_of_its_issuer_only() {
    let scene = Scene::new().await;
    let discovery = scene.server.url("/t/.well-known/openid-configuration");
    let url = OAuth2Discovery::Url(discovery.clone());
    scene.has("found", &url, "id", None).await;
    let metadata = |issuer: &str, endpoint: &str| {
        let document = json!({
            "issuer": issuer, "token_endpoint": endpoint,
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        });
        Answer::of(200, document.to_string())
    };
    let (issuer, endpoint) = (scene.server.url("/t"), scene.server.url("/token"));
    let no_endpoint = Answer::of(200, json!({ "issuer": issuer }).to_string());
    for (answer, told) in [
        (metadata("https://other.example", &endpoint), "the metadata of another issuer"),
        (metadata(&issuer, "file:///etc/passwd"), "it must begin with https://"),
        (metadata(&issuer, "http://a:b@127.0.0.1/"), "a user, a password or a fragment"),
        (metadata(&issuer, "http://169.254.169.254/token"), "link-local"),
        (metadata(&issuer, "http://10.0.0.1/token"), "private"),
        (no_endpoint, "no token_endpoint"),
        (Answer::of(200, "<html>"), "does not serve a server's metadata"),
        (Answer::of(200, "[".repeat(100_000)), "does not serve a server's metadata"),
        (Answer::of(200, "x".repeat(600_000)), "larger than"),
        (Answer::of(404, ""), "404"),
        (Answer { headers: "location: /elsewhere\r\n", ..Answer::of(302, "") }, "302"),
    ] {
        scene.server.describes(answer);
        let said = refusal(scene.asks("found").await);
        assert!(said.contains(told), "{told}: {said}");
        scene.clock.advance(Duration::from_secs(3));
    }
    assert_eq!(scene.times_asked(), 0);
    scene.server.describes(metadata(&issuer, &endpoint));
    scene.token("found").await;
    assert!(scene.server.asked()[0].body.contains("client_secret="));
    // What was found out is not asked again with each token.
    let looked = scene.server.looked_at();
    token(scene.asks_for("found", &["another"], &BTreeMap::new()).await);
    assert_eq!((scene.times_asked(), scene.server.looked_at()), (2, looked));
    scene.clock.advance(Duration::from_secs(11 * 60));
    token(scene.asks_for("found", &["a-third"], &BTreeMap::new()).await);
    assert_eq!(scene.server.looked_at(), looked + 1);
}

// --- how often it is asked --------------------------------------------------------------------------------------------

#[tokio::test]
async fn however_many_want_a_token_it_is_asked_for_once() {
    let scene = Scene::new().await;
    scene.server.answers(Answer { pause: Duration::from_millis(200), ..Answer::token("one", 3600) });
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let outbound = Arc::clone(&scene.outbound);
            tokio::spawn(async move { outbound.credential(&ask(&arn("as"), Need::OAuth(plain()))).await })
        })
        .collect();
    for one in waiting {
        assert!(token(one.await.unwrap()).matches("one"));
    }
    assert_eq!(scene.times_asked(), 1);
    token(scene.asks_for("as", &["other"], &BTreeMap::new()).await);
    token(scene.asks_for("as", &[], &BTreeMap::from([("a".to_owned(), "b".to_owned())])).await);
    assert_eq!(scene.times_asked(), 3);
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    let scene = Scene::new().await;
    scene.server.answers(Answer::token("long", 3600));
    assert!(scene.token("as").await.matches("long"));
    scene.server.answers(Answer::token("short", 20));
    scene.clock.advance(Duration::from_secs(3539));
    assert!(scene.token("as").await.matches("long"));
    scene.clock.advance(Duration::from_secs(1));
    assert!(scene.token("as").await.matches("short"));
    scene.server.answers(Answer::token("ended", 0));
    scene.clock.advance(Duration::from_secs(17));
    assert!(scene.token("as").await.matches("short"));
    scene.clock.advance(Duration::from_secs(1));
    assert!(scene.token("as").await.matches("ended"));
    scene.server.answers(Answer::of(200, r#"{"access_token":"unsaid","token_type":"bearer"}"#));
    assert!(scene.token("as").await.matches("unsaid"));
    let asked = scene.times_asked();
    scene.clock.advance(Duration::from_secs(299));
    scene.token("as").await;
    assert_eq!(scene.times_asked(), asked);
    scene.clock.advance(Duration::from_secs(1));
    scene.token("as").await;
    assert_eq!(scene.times_asked(), asked + 1);
}

#[tokio::test]
async fn a_server_that_fails_is_left_alone_for_a_moment() {
    let scene = Scene::new().await;
    scene.server.answers(Answer::of(503, ""));
    for _ in 0..20 {
        assert!(refusal(scene.asks("as").await).contains("refused with status 503"));
    }
    assert_eq!(scene.times_asked(), 1);
    scene.clock.advance(Duration::from_secs(2));
    scene.server.answers(Answer::token("again", 3600));
    assert!(scene.token("as").await.matches("again"));
    assert_eq!(scene.times_asked(), 2);
}

#[tokio::test]
async fn who_hangs_up_does_not_take_the_answer_along() {
    let scene = Scene::new().await;
    scene.server.answers(Answer { pause: Duration::from_millis(300), ..Answer::token("late", 3600) });
    for _ in 0..3 {
        let gone = tokio::time::timeout(Duration::from_millis(50), scene.asks("as")).await;
        assert!(gone.is_err());
    }
    assert!(scene.token("as").await.matches("late"));
    assert_eq!(scene.times_asked(), 1);
}

#[tokio::test]
async fn a_token_that_was_refused_is_replaced_but_not_at_each_call() {
    let scene = Scene::new().await;
    scene.server.answers(Answer::token("first", 3600));
    let first = scene.token("as").await;
    scene.server.answers(Answer::token("second", 3600));
    let provider = arn("as");
    let ask = ask(&provider, Need::OAuth(plain()));
    assert!(!scene.outbound.forget(&ask, &first), "it is new: another would not be better");
    assert!(scene.token("as").await.matches("first"));
    scene.clock.advance(Duration::from_secs(5));
    assert!(scene.outbound.forget(&ask, &first));
    assert!(scene.token("as").await.matches("second"));
    // Many calls may have had the first one: their complaints do not cost the second.
    scene.clock.advance(Duration::from_secs(5));
    assert!(scene.outbound.forget(&ask, &first));
    assert!(scene.token("as").await.matches("second"));
    assert_eq!(scene.times_asked(), 2);
}

// --- what it answers --------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_hostile_answer_is_refused_and_not_repeated() {
    let scene = Scene::new().await;
    let echo = format!(r#"{{"error":"{SECRET}","error_description":"{SECRET}"}}"#);
    let mac = r#"{"access_token":"t","token_type":"mac"}"#;
    let split = r#"{"access_token":"t\r\nx-injected: 1","token_type":"Bearer"}"#;
    let elsewhere = "location: http://127.0.0.1:1/steal\r\n";
    for (answer, told) in [
        (Answer::of(400, r#"{"error":"invalid_client"}"#), "status 400 and `invalid_client`"),
        (Answer::of(400, echo.clone()), "refused with status 400"),
        (Answer::of(200, echo), "refused with status 200"),
        (Answer::of(200, mac), "another than Bearer"),
        (Answer::of(200, split), "not fit for a header"),
        (Answer::of(200, "not json"), "no JSON object"),
        (Answer::of(200, "{".repeat(60_000)), "no JSON object"),
        (Answer::of(200, "x".repeat(70_000)), "larger than 65536 bytes"),
        (Answer { headers: elsewhere, ..Answer::of(307, "") }, "a redirect"),
        (Answer { headers: elsewhere, ..Answer::of(302, "") }, "a redirect"),
    ] {
        scene.server.answers(answer);
        let said = refusal(scene.asks("as").await);
        assert!(said.contains(told), "{told}: {said}");
        assert!(said.contains(&scene.server.url("/token")), "{said}");
        scene.clock.advance(Duration::from_secs(2));
    }
    assert_eq!(scene.times_asked(), 10);
}

#[tokio::test]
async fn an_answer_that_never_ends_is_not_waited_for() {
    let scene = Scene::new().await;
    scene.server.answers(Answer { owes: 10, ..Answer::token("never", 3600) });
    let began = std::time::Instant::now();
    assert!(refusal(scene.asks("as").await).contains("no answer within 10 seconds"));
    assert!(began.elapsed() < Duration::from_secs(12));
    scene.has("nobody", &given("http://127.0.0.1:1/token", None), "id", None).await;
    assert!(refusal(scene.asks("nobody").await).contains("cannot be reached"));
}

// --- providers --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_changed_provider_takes_its_tokens_with_it() {
    let scene = Scene::new().await;
    scene.token("as").await;
    let secrets = scene.outbound.secrets_of(&scope(), &arn("as")).await.unwrap();
    assert_eq!(secrets.len(), 2);
    assert!(secrets[0].matches(SECRET) && secrets[1].matches("the-token"));
    let change = async |tx: &mut store::Tx| {
        let found = tx.credential_provider(&scope(), CredentialKind::OAuth2, "as").await?;
        let mut provider = found.unwrap();
        provider.secret = Some(Secret::new("the-secret-after"));
        tx.update_credential_provider(&mut provider).await
    };
    scene.database.write(change).await;
    scene.outbound.forget_provider(&scope(), "oauth2credentialprovider/as");
    scene.server.answers(Answer::token("after", 3600));
    assert!(scene.token("as").await.matches("after"));
    let expected = format!("Basic {}", STANDARD.encode("the-client:the-secret-after"));
    assert_eq!(scene.server.asked()[1].header("authorization"), Some(expected.as_str()));

    let remove = async |tx: &mut store::Tx| {
        tx.delete_credential_provider(&scope(), CredentialKind::OAuth2, "as").await
    };
    scene.database.write(remove).await;
    scene.outbound.forget_provider(&scope(), "oauth2credentialprovider/as");
    let told = refusal(scene.asks("as").await);
    assert!(told.contains("token-vault/default/oauth2credentialprovider/as` does not exist"), "{told}");
    assert!(scene.outbound.secrets_of(&scope(), &arn("as")).await.is_err());
}

#[tokio::test]
async fn an_api_key_is_given_to_those_of_its_place() {
    let scene = Scene::new().await;
    scene.makes(provider("key", CredentialSettings::ApiKey)).await;
    let key = Arn::credential_provider(&scope(), CredentialKind::ApiKey, "key");
    let got = scene.outbound.credential(&ask(&key, Need::ApiKey)).await;
    assert!(matches!(got, Ok(Granted::ApiKey(key)) if key.matches(SECRET)));
    assert!(!scene.outbound.forget(&ask(&key, Need::ApiKey), &Secret::new(SECRET)));
    // The form of AWS's models means the same.
    let acps = Arn::parse(&key.as_str().replace("bedrock-agentcore", "acps")).unwrap();
    assert!(scene.outbound.credential(&ask(&acps, Need::ApiKey)).await.is_ok());

    let told = refusal(scene.outbound.credential(&ask(&key, Need::OAuth(plain()))).await);
    assert!(told.contains("gives an API key"), "{told}");
    let told = refusal(scene.outbound.credential(&ask(&arn("as"), Need::ApiKey)).await);
    assert!(told.contains("gives OAuth2 tokens"), "{told}");
    let elsewhere = Scope { region: Region::parse("eu-west-1").unwrap(), ..scope() };
    let far = Arn::credential_provider(&elsewhere, CredentialKind::ApiKey, "key");
    let told = refusal(scene.outbound.credential(&ask(&far, Need::ApiKey)).await);
    assert!(told.contains("in another account or region"), "{told}");
    let other = Arn::parse("arn:aws:lambda:us-west-2:000000000000:function:f").unwrap();
    let told = refusal(scene.outbound.credential(&ask(&other, Need::ApiKey)).await);
    assert!(told.contains("names no credential provider"), "{told}");
    let need = OAuthNeed { grant: Grant::AuthorizationCode, ..plain() };
    let told = refusal(scene.outbound.credential(&ask(&arn("as"), Need::OAuth(need))).await);
    assert_eq!(told, "the grant type AUTHORIZATION_CODE is not supported: use CLIENT_CREDENTIALS");
    let need = OAuthNeed { grant: Grant::TokenExchange, ..plain() };
    let told = refusal(scene.outbound.credential(&ask(&arn("as"), Need::OAuth(need))).await);
    assert!(told.contains("onBehalfOfTokenExchangeConfig"), "{told}");
    assert_eq!(scene.times_asked(), 0);
}

// --- who may ----------------------------------------------------------------------------------------------------------

#[test]
fn a_role_needs_the_vault_the_provider_and_the_secret() {
    let key = provider("my-key", CredentialSettings::ApiKey);
    let caller = Caller {
        account: scope().account,
        principal: Principal::AssumedRole {
            role: "GatewayRole".to_owned(),
            path: "/".to_owned(),
            id: "AROAAAAAAAAAAAAAAAAAA".to_owned(),
            session: "gateway-g".to_owned(),
        },
        access_key: AccessKeyId::from_text("gateway"),
        session_policies: Vec::new(),
        issued_at: None,
        expires_at: None,
        session: domain::SessionFacts::default(),
    };
    let gateway = Arn::agentcore(&scope(), "gateway/g");
    let tags = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    let decide = |statements: &[(&str, &str)]| {
        let statements: Vec<_> = statements
            .iter()
            .map(|(action, resource)| json!({"Effect": "Allow", "Action": action, "Resource": resource}))
            .collect();
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let policy = Policy::parse(&text, PolicyKind::Identity).unwrap();
        let policies = vec![Named { name: "p".to_owned(), policy: Arc::new(policy) }];
        let permissions =
            identity::principal::Permissions { policies, ..identity::principal::Permissions::default() };
        may_use(
            Role { caller: &caller, permissions: &permissions, source: &gateway },
            (&key, &tags),
            Timestamp::from_seconds(1),
        )
    };
    let agentcore = "arn:aws:bedrock-agentcore:us-west-2:000000000000:token-vault/default";
    let provider = format!("{agentcore}/apikeycredentialprovider/my-key*");
    let secret = "arn:aws:secretsmanager:us-west-2:000000000000:secret:bedrock-agentcore-identity!default/apikey/my-key-*";
    let get = "bedrock-agentcore:GetResourceApiKey";
    let read = "secretsmanager:GetSecretValue";
    // What the starter toolkit grants.
    assert_eq!(decide(&[(get, agentcore), (get, &provider), (read, secret)]), Ok(()));
    for (statements, action, resource) in [
        (vec![(get, provider.as_str()), (read, secret)], get, "token-vault/default because"),
        (vec![(get, agentcore), (read, secret)], get, "apikeycredentialprovider/my-key because"),
        (vec![(get, agentcore), (get, &provider)], read, "default/apikey/my-key-abcdef because"),
        (vec![("bedrock-agentcore:GetResourceOauth2Token", "*"), (read, "*")], get, "token-vault/default"),
    ] {
        let told = decide(&statements).unwrap_err();
        assert!(told.contains(&format!("is not authorized to perform: {action} on resource: ")), "{told}");
        assert!(told.contains(resource), "{told}");
    }
}
