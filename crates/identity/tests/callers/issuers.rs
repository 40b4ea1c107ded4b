//! Issuers that move, fail, lie and are asked too often: what is fetched, when, and by whom.

use std::sync::Arc;
use std::time::Duration;

use domain::{FixedClock, SystemRandom, UserPool, UserPoolId};
use egress::{Client, Network, Reach};
use identity::issuer::{Issuers, VerifyError};
use identity::provider::{IssuerStyle, Names, revoke_former_keys, rotate_key};
use identity::token::{Claims, TokenError};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::provider::{new_pool, sign_for};
use crate::support::idp::{Answer, Idp};
use crate::support::keys::{Key, attacker, p256, rsa, second_rsa};
use crate::support::token::{claims, claims_with, header, token};
use crate::support::{Database, NOW, PUBLIC_URL, client, clock, issuers, names};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Issuers that trust one issuer elsewhere.
struct Scene {
    idp: Idp,
    clock: Arc<FixedClock>,
    issuers: Arc<Issuers>,
    _database: Database,
}

impl Scene {
    async fn new(keys: &[&Key]) -> Self {
        let (idp, database, clock) = (Idp::with_keys(keys).await, Database::new().await, clock());
        let issuers = Arc::new(issuers(&database, &client(), &clock));
        Self { idp, clock, issuers, _database: database }
    }

    /// A token that outlives every test.
    fn token(&self, key: &Key) -> String {
        let exp = json!({ "exp": NOW.seconds() + 24 * 3600 });
        token(&header(key), &claims_with(&self.idp.issuer(), exp), key)
    }

    /// A token of a key that nobody has.
    fn forged(&self, id: usize) -> String {
        let header = json!({ "alg": "RS256", "kid": format!("random-{id}") });
        token(&header, &claims(&self.idp.issuer()), attacker())
    }

    async fn verify(&self, token: &str) -> Result<Claims, VerifyError> {
        self.issuers.verify(&self.idp.discovery_url(), token).await
    }

    /// Asks with another caller, who hangs up while the issuer is silent.
    async fn verify_and_hang_up(&self, token: String) {
        let verifying = self.verify(&token);
        assert!(
            tokio::time::timeout(Duration::from_millis(20), verifying).await.is_err(),
            "nobody is silent"
        );
    }

    /// A caller of its own.
    fn caller(&self, token: String) -> impl Future<Output = Result<Claims, VerifyError>> + use<> {
        let (issuers, url) = (Arc::clone(&self.issuers), self.idp.discovery_url());
        async move { issuers.verify(&url, &token).await }
    }

    /// Publishes these keys, and holds them back until it is told.
    fn publish_and_hold(&self, keys: &[&Key]) -> watch::Sender<bool> {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        let (let_go, held) = watch::channel(false);
        self.idp.serve_keys(Answer::Held(held, json!({ "keys": keys }).to_string()));
        let_go
    }

    /// Waits until the issuer's keys were asked for so often.
    async fn asked_for_keys(&self, times: usize) {
        while self.idp.asked().1 < times {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn is_unknown_key(met: &Result<Claims, VerifyError>) -> bool {
    matches!(met, Err(VerifyError::Token(TokenError::UnknownKey)))
}

fn is_issuers_fault(met: &Result<Claims, VerifyError>) -> bool {
    matches!(met, Err(VerifyError::Issuer(_)))
}

#[tokio::test]
async fn a_new_key_is_accepted_without_a_restart() {
    let scene = Scene::new(&[rsa()]).await;
    scene.verify(&scene.token(rsa())).await.unwrap();
    scene.idp.publish(&[rsa(), second_rsa()]);
    // The keys were fetched this very moment, so an unknown one is not looked for again.
    assert!(is_unknown_key(&scene.verify(&scene.token(second_rsa())).await));
    assert_eq!(scene.idp.asked(), (1, 1));
    scene.clock.advance(29 * SECOND);
    assert!(is_unknown_key(&scene.verify(&scene.token(second_rsa())).await));
    assert_eq!(scene.idp.asked(), (1, 1));
    scene.clock.advance(SECOND);
    scene.verify(&scene.token(second_rsa())).await.unwrap();
    assert_eq!(scene.idp.asked(), (2, 2));
    scene.verify(&scene.token(rsa())).await.unwrap();
    assert_eq!(scene.idp.asked(), (2, 2));
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_after_ten_minutes() {
    let scene = Scene::new(&[rsa(), second_rsa()]).await;
    scene.verify(&scene.token(second_rsa())).await.unwrap();
    scene.idp.publish(&[rsa()]);
    scene.clock.advance(10 * MINUTE - SECOND);
    scene.verify(&scene.token(second_rsa())).await.unwrap();
    assert_eq!(scene.idp.asked(), (1, 1));
    scene.clock.advance(SECOND);
    assert!(is_unknown_key(&scene.verify(&scene.token(second_rsa())).await));
    assert_eq!(scene.idp.asked(), (2, 2));
    scene.verify(&scene.token(rsa())).await.unwrap();
}

#[tokio::test]
async fn an_issuer_that_moves_its_keys_is_followed() {
    let scene = Scene::new(&[rsa()]).await;
    scene.verify(&scene.token(rsa())).await.unwrap();
    let elsewhere = Idp::with_keys(&[p256()]).await;
    scene.idp.describe(&json!({ "issuer": scene.idp.issuer(), "jwks_uri": elsewhere.url("/keys") }));
    scene.clock.advance(30 * SECOND);
    scene.verify(&scene.token(p256())).await.unwrap();
    assert!(is_unknown_key(&scene.verify(&scene.token(rsa())).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_random_kids_cause_one_fetch() {
    let scene = Scene::new(&[rsa()]).await;
    scene.verify(&scene.token(rsa())).await.unwrap();
    for window in 1..=3 {
        scene.clock.advance(30 * SECOND);
        let callers = (0..1_000).map(|id| scene.caller(scene.forged(id % 50 + window * 50)));
        for met in callers.collect::<JoinSet<_>>().join_all().await {
            assert!(is_unknown_key(&met));
        }
        assert_eq!(scene.idp.asked(), (1 + window, 1 + window));
        // And those who are whom they say are served meanwhile.
        scene.verify(&scene.token(rsa())).await.unwrap();
    }
}

#[tokio::test]
async fn random_kids_at_an_issuer_that_is_down_cause_one_fetch_in_five_seconds() {
    let scene = Scene::new(&[rsa()]).await;
    scene.verify(&scene.token(rsa())).await.unwrap();
    scene.idp.fail(&Answer::Status(503));
    scene.clock.advance(30 * SECOND);
    for second in 0..10 {
        for id in 0..20 {
            assert!(is_unknown_key(&scene.verify(&scene.forged(id)).await));
        }
        assert_eq!(scene.idp.asked(), (2 + second / 5, 1));
        scene.clock.advance(SECOND);
    }
    scene.verify(&scene.token(rsa())).await.unwrap();
}

#[tokio::test]
async fn callers_who_hang_up_do_not_make_the_issuer_be_asked_again() {
    let scene = Scene::new(&[rsa()]).await;
    scene.verify(&scene.token(rsa())).await.unwrap();
    scene.clock.advance(30 * SECOND);
    let let_go = scene.publish_and_hold(&[rsa(), second_rsa()]);
    for id in 0..10 {
        scene.verify_and_hang_up(scene.forged(id)).await;
    }
    let_go.send_replace(true);
    // What they caused goes on without them, once, and is of use to others.
    scene.verify(&scene.token(second_rsa())).await.unwrap();
    assert_eq!(scene.idp.asked(), (2, 2));
}

#[tokio::test]
async fn first_callers_who_hang_up_do_not_make_the_issuer_be_asked_again() {
    let scene = Scene::new(&[]).await;
    let let_go = scene.publish_and_hold(&[rsa()]);
    for id in 0..10 {
        scene.verify_and_hang_up(scene.forged(id)).await;
    }
    let_go.send_replace(true);
    scene.verify(&scene.token(rsa())).await.unwrap();
    assert_eq!(scene.idp.asked(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_first_callers_share_one_fetch() {
    let scene = Scene::new(&[rsa()]).await;
    let let_go = scene.publish_and_hold(&[rsa()]);
    let callers: JoinSet<_> = (0..200).map(|_| scene.caller(scene.token(rsa()))).collect();
    scene.asked_for_keys(1).await;
    let_go.send_replace(true);
    for met in callers.join_all().await {
        met.unwrap();
    }
    assert_eq!(scene.idp.asked(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_first_callers_share_one_failure() {
    let scene = Scene::new(&[rsa()]).await;
    scene.idp.fail(&Answer::Status(500));
    let callers = (0..200).map(|_| scene.caller(scene.token(rsa())));
    for met in callers.collect::<JoinSet<_>>().join_all().await {
        assert!(is_issuers_fault(&met));
    }
    assert_eq!(scene.idp.asked(), (1, 0));
}

#[tokio::test]
async fn an_outage_is_bridged_for_an_hour() {
    let scene = Scene::new(&[rsa()]).await;
    let good = scene.token(rsa());
    scene.verify(&good).await.unwrap();
    let metadata = Answer::Json(scene.idp.metadata().to_string());
    scene.idp.fail(&Answer::Status(503));
    // Fresh for ten minutes: nobody is asked.
    scene.clock.advance(10 * MINUTE - SECOND);
    scene.verify(&good).await.unwrap();
    assert_eq!(scene.idp.asked(), (1, 1));
    // Stale after that: the issuer is asked, in vain, and not again for five seconds.
    scene.clock.advance(SECOND);
    for _ in 0..5 {
        scene.verify(&good).await.unwrap();
    }
    assert_eq!(scene.idp.asked(), (2, 1));
    scene.clock.advance(5 * SECOND);
    scene.verify(&good).await.unwrap();
    assert_eq!(scene.idp.asked(), (3, 1));
    // A forged token gains nothing by the outage.
    assert!(is_unknown_key(&scene.verify(&scene.forged(0)).await));
    scene.clock.advance(50 * MINUTE - 6 * SECOND);
    scene.verify(&good).await.unwrap();
    // After an hour nothing can be said about any token.
    scene.clock.advance(SECOND);
    for _ in 0..5 {
        assert!(is_issuers_fault(&scene.verify(&good).await));
    }
    assert!(is_issuers_fault(&scene.verify(&scene.forged(1)).await));
    assert_eq!(scene.idp.asked().1, 1);
    // And it heals by itself.
    scene.idp.serve_metadata(metadata);
    scene.idp.publish(&[rsa()]);
    assert!(is_issuers_fault(&scene.verify(&good).await), "not before the pause is over");
    scene.clock.advance(5 * SECOND);
    scene.verify(&good).await.unwrap();
}

#[tokio::test]
async fn an_issuer_whose_documents_go_bad_is_bridged_like_one_that_is_down() {
    let scene = Scene::new(&[rsa()]).await;
    let good = scene.token(rsa());
    scene.verify(&good).await.unwrap();
    scene.idp.describe(&json!({ "issuer": "https://other.example", "jwks_uri": scene.idp.url("/keys") }));
    scene.clock.advance(30 * MINUTE);
    scene.verify(&good).await.unwrap();
    scene.clock.advance(30 * MINUTE);
    assert!(is_issuers_fault(&scene.verify(&good).await));
}

#[tokio::test]
async fn nobody_waits_for_a_slow_issuer_whose_keys_may_still_be_used() {
    let scene = Scene::new(&[rsa()]).await;
    let good = scene.token(rsa());
    scene.verify(&good).await.unwrap();
    scene.idp.fail(&Answer::Silence);
    scene.clock.advance(11 * MINUTE);
    let first = tokio::spawn(scene.caller(good.clone()));
    while scene.idp.asked().0 < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..10 {
        let met = tokio::time::timeout(SECOND, scene.verify(&good)).await;
        met.expect("an answer at once").unwrap();
    }
    // The one who asks has the stale keys in the end, too.
    first.await.unwrap().unwrap();
    assert_eq!(scene.idp.asked(), (2, 1));
}

#[tokio::test]
async fn the_pause_after_a_failure_begins_when_it_has_failed() {
    let scene = Scene::new(&[rsa()]).await;
    let good = scene.token(rsa());
    scene.idp.fail(&Answer::Silence);
    let waiting = tokio::spawn(scene.caller(good.clone()));
    while scene.idp.asked().0 == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The issuer's silence lasts longer than the pause.
    scene.clock.advance(6 * SECOND);
    assert!(is_issuers_fault(&waiting.await.unwrap()));
    assert!(is_issuers_fault(&scene.verify(&good).await));
    assert_eq!(scene.idp.asked(), (1, 0));
}

/// What becomes of a discovery URL that this installation may not dial.
async fn refusal(reach: Reach, url: &str) -> String {
    let (database, clock) = (Database::new().await, clock());
    let issuers = issuers(&database, &Client::new(reach).unwrap(), &clock);
    match issuers.verify(url, &token(&header(rsa()), &claims(url), rsa())).await {
        Err(VerifyError::Issuer(error)) => error.to_string(),
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn what_may_not_be_dialled_is_not() {
    let everything: Vec<Network> = ["0.0.0.0/0", "::/0"].map(|all| all.parse().unwrap()).to_vec();
    for host in [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[::169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "0.0.0.0",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
    ] {
        let url = format!("http://{host}/.well-known/openid-configuration");
        let reach = Reach { allowed: everything.clone(), loopback: true };
        let refused = refusal(reach, &url).await;
        assert!(refused.contains("is never dialled"), "{host}: {refused}");
    }
    for host in ["10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "[fd12::1]", "[::ffff:10.0.0.1]"] {
        let url = format!("https://{host}/.well-known/openid-configuration");
        let refused = refusal(Reach { allowed: Vec::new(), loopback: true }, &url).await;
        assert!(refused.contains("is a private address"), "{host}: {refused}");
    }
}

#[tokio::test]
async fn this_machine_is_dialled_only_when_that_is_allowed() {
    let idp = Idp::with_keys(&[rsa()]).await;
    let path = "/Tenant/.well-known/openid-configuration";
    let port = idp.url("").rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433"] {
        let refused = refusal(Reach::default(), &format!("http://{host}:{port}{path}")).await;
        assert!(refused.contains("is a loopback address"), "{host}: {refused}");
    }
    assert_eq!(idp.connections(), 0);
    let (database, clock) = (Database::new().await, clock());
    let issuers = issuers(&database, &client(), &clock);
    let good = token(&header(rsa()), &claims(&idp.issuer()), rsa());
    issuers.verify(&idp.discovery_url(), &good).await.unwrap();
    assert_eq!(idp.connections(), 2);
}

#[tokio::test]
async fn what_is_no_discovery_url_is_not_believed() {
    let scene = Scene::new(&[rsa()]).await;
    let good = scene.token(rsa());
    for path in [
        "/Tenant/.well-known/openid-configuration.evil/openid-configuration",
        "/Tenant/openid-configuration",
        "/Tenant/.well-known/openid-configuration/Other/openid-configuration",
    ] {
        let met = scene.issuers.verify(&scene.idp.url(path), &good).await;
        let Err(VerifyError::Issuer(error)) = met else { panic!("{path}: {met:?}") };
        assert!(error.to_string().contains("is no discovery URL"), "{path}: {error}");
    }
    // RFC 8414's place for the same metadata.
    let url = scene.idp.url("/.well-known/openid-configuration/Tenant");
    scene.idp.describe(&scene.idp.metadata());
    scene.issuers.verify(&url, &good).await.unwrap();
}

#[tokio::test]
async fn one_issuers_tokens_are_worth_nothing_at_another() {
    let scene = Scene::new(&[rsa()]).await;
    // The neighbour has stolen nothing but the public key, and publishes it as its own.
    let neighbour = Idp::with_keys(&[rsa()]).await;
    let good = scene.token(rsa());
    scene.verify(&good).await.unwrap();
    let met = scene.issuers.verify(&neighbour.discovery_url(), &good).await;
    assert!(matches!(met, Err(VerifyError::Token(TokenError::Claim("iss", _)))), "{met:?}");
}

/// Issuers that have a pool of their own.
struct Local {
    database: Database,
    pool: UserPool,
    clock: Arc<FixedClock>,
    issuers: Issuers,
}

impl Local {
    async fn new() -> Self {
        let (database, clock) = (Database::new().await, clock());
        let pool = new_pool(&database).await;
        // Nothing may be dialled: what is verified is verified in this process.
        let issuers = issuers(&database, &Client::new(Reach::default()).unwrap(), &clock);
        Self { database, pool, clock, issuers }
    }

    async fn token(&self) -> String {
        let issuer = format!("{PUBLIC_URL}/{}", self.pool.id);
        sign_for(&self.database, &self.pool, &claims(&issuer)).await
    }

    async fn verify(&self, token: &str) -> Result<Claims, VerifyError> {
        let url = format!("{PUBLIC_URL}/{}/.well-known/openid-configuration", self.pool.id);
        self.issuers.verify(&url, token).await
    }

    /// Rotates on another replica: the change feed has not told of it here.
    async fn rotate(&self) {
        rotate_key(&self.database.store, &*self.clock, &SystemRandom, &self.pool.id).await.unwrap();
    }

    async fn revoke(&self) {
        revoke_former_keys(&self.database.store, &*self.clock, &SystemRandom, &self.pool.id).await.unwrap();
    }

    fn forged(&self, id: usize) -> String {
        let header = json!({ "alg": "RS256", "kid": format!("random-{id}") });
        token(&header, &claims(&format!("{PUBLIC_URL}/{}", self.pool.id)), attacker())
    }
}

#[tokio::test]
async fn a_pools_new_key_is_known_before_the_change_feed_tells_of_it() {
    let local = Local::new().await;
    let before = local.token().await;
    local.verify(&before).await.unwrap();
    local.rotate().await;
    local.verify(&local.token().await).await.unwrap();
    local.verify(&before).await.unwrap();
    local.revoke().await;
    local.issuers.forget_pool(&local.pool.id);
    assert!(is_unknown_key(&local.verify(&before).await));
    local.verify(&local.token().await).await.unwrap();
}

#[tokio::test]
async fn random_kids_do_not_make_the_store_be_read_for_each() {
    let local = Local::new().await;
    local.verify(&local.token().await).await.unwrap();
    assert!(is_unknown_key(&local.verify(&local.forged(0)).await));
    // That was this second's look: a new key is not seen by another. This is how the look is noticed from outside.
    local.rotate().await;
    let after = local.token().await;
    for id in 0..100 {
        assert!(is_unknown_key(&local.verify(&local.forged(id)).await));
    }
    assert!(is_unknown_key(&local.verify(&after).await));
    local.clock.advance(SECOND);
    local.verify(&after).await.unwrap();
    // The change feed needs no second.
    assert!(is_unknown_key(&local.verify(&local.forged(1)).await));
    local.rotate().await;
    local.issuers.forget_pool(&local.pool.id);
    local.verify(&local.token().await).await.unwrap();
}

#[tokio::test]
async fn a_pool_that_is_not_here_gets_no_alias() {
    let local = Local::new().await;
    let id = &local.pool.id;
    for url in [
        // Another region's host does not know this pool.
        format!("https://cognito-idp.eu-west-1.amazonaws.com/{id}"),
        format!("https://cognito-idp.us-west-2.amazonaws.com.evil.example/{id}"),
        format!("http://cognito-idp.us-west-2.amazonaws.com/{id}"),
        format!("https://cognito-idp.us-west-2.amazonaws.com/x/{id}"),
        format!("https://evil.example/cognito-idp.us-west-2.amazonaws.com/{id}"),
        format!("{PUBLIC_URL}.evil.example/{id}"),
        format!("{PUBLIC_URL}9/{id}"),
        format!("https://127.0.0.1:9/{id}"),
    ] {
        let url = format!("{url}/.well-known/openid-configuration");
        assert_eq!(names().pool_of_discovery_url(&url), None, "{url}");
    }
    // A pool that is not here is somebody else's, whatever its name: it is looked for outside.
    let outside = Idp::with_keys(&[rsa()]).await;
    let names = Arc::new(Names::new(&outside.url(""), IssuerStyle::Public));
    let issuers = Issuers::new(local.database.store.clone(), client(), local.clock.clone(), names);
    let good = token(&header(rsa()), &claims(&outside.issuer()), rsa());
    issuers.verify(&outside.discovery_url(), &good).await.unwrap();
    assert_eq!(outside.asked(), (1, 1));
    // And it cannot speak for a pool of ours.
    let forged = token(&header(rsa()), &claims(&outside.url(&format!("/{id}"))), rsa());
    let met = issuers.verify(&outside.discovery_url(), &forged).await;
    assert!(matches!(met, Err(VerifyError::Token(TokenError::Claim("iss", _)))), "{met:?}");
}

#[tokio::test]
async fn a_deleted_pools_tokens_verify_no_more() {
    let local = Local::new().await;
    let good = local.token().await;
    local.verify(&good).await.unwrap();
    let id = UserPoolId::from_text(local.pool.id.as_str());
    let scope = local.pool.scope.clone();
    local.database.write(async |tx| tx.delete_user_pool(&scope, &id).await).await;
    local.issuers.forget_pools();
    assert!(local.verify(&good).await.is_err());
}
