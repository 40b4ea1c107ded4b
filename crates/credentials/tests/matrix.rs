//! The outbound matrix against a real store: what each way of a target puts on a request, and who is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use credentials::{Brought, Credential, Credentials, Need, RoleAccess};
use domain::{
    AccessKeyId, AccountId, Arn, Caller, Clock as _, FixedClock, Outbound, Principal, Region, Scope, Secret,
    Signing, SystemRandom, Timestamp,
};
use http::Request;
use identity::principal::Principals;
use identity::provider::{IssuerStyle, Names, Provider};
use mcp::upstream::Dress as _;
use store::{AuditLog, MasterKey, Store};
use tokio::runtime::Handle;

const NOW: Timestamp = Timestamp::from_seconds(1_763_717_400);

struct Scene {
    store: Store,
    clock: Arc<FixedClock>,
    credentials: Credentials,
    scope: Scope,
    gateway: Arn,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let random = Arc::new(SystemRandom);
        let clock = Arc::new(FixedClock::at(NOW));
        let store = Store::open(&url, &MasterKey::generate(&SystemRandom), random.clone()).await.unwrap();
        let names = Arc::new(Names::new("http://127.0.0.1:4848", IssuerStyle::Public));
        let audit = AuditLog::start(store.clone(), &Handle::current());
        let provider = Provider::new(store.clone(), Arc::clone(&names), clock.clone(), random.clone(), audit);
        let client = egress::Client::new(egress::Reach::default()).unwrap();
        let outbound = identity::outbound::Outbound::new(
            store.clone(),
            client,
            clock.clone(),
            random.clone(),
            names,
            Arc::new(provider),
        );
        let credentials = Credentials::new(Arc::new(outbound), store.clone(), clock.clone(), random);
        let scope = Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() };
        let gateway =
            Arn::parse("arn:aws:bedrock-agentcore:us-west-2:000000000000:gateway/g-1234567890").unwrap();
        Self { store, clock, credentials, scope, gateway, _folder: folder }
    }

    async fn of(
        &self,
        outbound: &Outbound,
        role: &RoleAccess,
        service: Option<&str>,
        brought: Brought<'_>,
    ) -> Result<Credential, String> {
        let (scope, gateway) = (&self.scope, &self.gateway);
        let need = Need { scope, gateway, role, outbound, service, brought };
        self.credentials.of(&need).await.map_err(|refused| refused.to_string())
    }
}

fn role() -> RoleAccess {
    let principal = Principal::AssumedRole {
        role: "gateway".to_owned(),
        path: "/".to_owned(),
        id: "AROAEXAMPLE".to_owned(),
        session: "gateway-g-1".to_owned(),
    };
    let caller = Caller {
        account: AccountId::first(),
        principal,
        access_key: AccessKeyId::from_text("gateway"),
        session_policies: Vec::new(),
        issued_at: None,
        expires_at: None,
        session: domain::SessionFacts::default(),
    };
    RoleAccess::Session { caller: Box::new(caller), permissions: Arc::default() }
}

fn dressed(credential: &Credential) -> Request<Bytes> {
    let mut request = Request::get("https://api.example/a").body(Bytes::new()).unwrap();
    credential.dress(&mut request).unwrap();
    request
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
    request.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_roles_session_is_kept_until_shortly_before_its_end_and_is_one_that_we_accept() {
    let scene = Scene::new().await;
    let way = Outbound::GatewayRole(Signing { service: None, region: Some("eu-west-1".to_owned()) });
    let token = async || {
        let credential = scene.of(&way, &role(), Some("s3"), Brought::default()).await.unwrap();
        let request = dressed(&credential);
        assert!(header(&request, "authorization").contains("/eu-west-1/s3/aws4_request"));
        let (_, key) = header(&request, "authorization").split_once("Credential=").unwrap();
        let key = key.split('/').next().unwrap().to_owned();
        let token = header(&request, "x-amz-security-token").to_owned();
        let echoed = format!("you sent {token}");
        assert!(!credential.mask().unwrap().text(&echoed).contains(&token));
        (key, token)
    };
    let first = token().await;
    assert_eq!(token().await, first);
    scene.clock.advance(Duration::from_secs(54 * 60));
    assert_eq!(token().await, first);
    scene.clock.advance(Duration::from_secs(60));
    assert_ne!(token().await, first, "a session that ends in five minutes is used no longer");
    // It is the role's session: unknown here, because this role is not in the store, and for no other reason.
    let principals = Principals::new(scene.store.clone(), scene.clock.clone());
    let found = principals.find(&first.0, Some(&first.1)).await.err().unwrap();
    assert_eq!(found.to_string(), "the access key is not known");
    assert!(scene.clock.now() > NOW);
}

#[tokio::test]
async fn without_a_service_the_call_of_a_role_is_unsigned() {
    let scene = Scene::new().await;
    let way = Outbound::GatewayRole(Signing::default());
    let credential = scene.of(&way, &role(), None, Brought::default()).await.unwrap();
    assert!(dressed(&credential).headers().is_empty());
    let none = RoleAccess::None("the role does not trust".into());
    let refused = scene.of(&way, &none, Some("execute-api"), Brought::default()).await.err().unwrap();
    assert_eq!(refused, "the role does not trust");
}

#[tokio::test]
async fn what_the_caller_brought_is_used_where_the_target_says_so() {
    let scene = Scene::new().await;
    let signing = aws::sigv4::Credentials {
        access_key_id: "AKIAEXAMPLE".to_owned(),
        secret: Secret::new("the-secret-of-the-caller"),
        session_token: None,
    };
    let token = Secret::new("the-token-of-the-caller");
    let both = Brought { signing: Some(&signing), token: Some(&token), ..Brought::default() };

    let caller = Outbound::CallerIam(Signing { service: Some("lambda".to_owned()), region: None });
    let credential = scene.of(&caller, &role(), None, both).await.unwrap();
    let request = dressed(&credential);
    assert!(header(&request, "authorization").contains("Credential=AKIAEXAMPLE/20251121/us-west-2/lambda/"));
    assert_eq!(credential.mask().unwrap().text("the-secret-of-the-caller"), "[masked]");
    assert!(scene.of(&caller, &role(), None, Brought::default()).await.is_err());

    let passed = Outbound::JwtPassthrough;
    let credential = scene.of(&passed, &role(), None, both).await.unwrap();
    assert_eq!(header(&dressed(&credential), "authorization"), "Bearer the-token-of-the-caller");
    assert_eq!(credential.mask().unwrap().text("the-token-of-the-caller"), "[masked]");
    assert!(scene.of(&passed, &role(), None, Brought::default()).await.is_err());

    let none = scene.of(&Outbound::None, &role(), Some("s3"), both).await.unwrap();
    assert!(dressed(&none).headers().is_empty());
}
