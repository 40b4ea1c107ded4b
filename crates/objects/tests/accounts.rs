//! Two accounts and one name of a bucket: what is allowed to the one reaches nothing of the other's, whenever the bucket
//! changes hands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use domain::{
    AccessKey, AccessKeyId, AccessKeyStatus, AccountId, Actor, AuditEvent, Decision, Document, FixedClock,
    Holder, Outcome, Region, Scope, Secret, SystemRandom, Timestamp, User,
};
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use identity::principal::Principals;
use objects::{Limits, Location, Objects, ReadError, Setup};
use store::{Account, AuditFilter, AuditLog, MasterKey, Store};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const NOW: Timestamp = Timestamp::from_seconds(1_763_717_400);
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An object store with two accounts.
struct World {
    objects: Objects,
    store: Store,
    audit: AuditLog,
    /// The root of the first account.
    ann: AccessKey,
    /// The root of the other.
    bob: AccessKey,
    /// A user of the first account, whom no policy allows anything.
    eve: AccessKey,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let random = Arc::new(SystemRandom);
        let clock = Arc::new(FixedClock::at(NOW));
        let store = Store::open(&url, &MasterKey::generate(&SystemRandom), random.clone()).await.unwrap();
        let ann = key("000000000000", Holder::Root);
        let bob = key("111111111111", Holder::Root);
        let eve = key("000000000000", Holder::User("eve".to_owned()));
        let mut tx = store.begin().await.unwrap();
        for root in [&ann, &bob] {
            let account =
                Account { id: root.account.clone(), name: root.account.to_string(), created_at: NOW };
            tx.insert_account(&account).await.unwrap();
        }
        let user = User {
            account: eve.account.clone(),
            name: "eve".to_owned(),
            path: "/".to_owned(),
            id: User::mint_id(&SystemRandom),
            created_at: NOW,
            tags: std::collections::BTreeMap::new(),
            boundary: None,
        };
        tx.insert_user(&user).await.unwrap();
        for key in [&ann, &bob, &eve] {
            tx.insert_access_key(key).await.unwrap();
        }
        tx.commit(&made()).await.unwrap();
        let audit = AuditLog::start(store.clone(), &tokio::runtime::Handle::current());
        let objects = Objects::new(Setup {
            store: store.clone(),
            principals: Arc::new(Principals::new(store.clone(), clock.clone())),
            audit: audit.clone(),
            clock,
            random,
            hosts: Vec::new(),
            region: region(),
            limits: Limits { uploads: 2, ..Limits::default() },
        });
        Self { objects, store, audit, ann, bob, eve, _folder: folder }
    }

    /// The status and the document of an answer.
    async fn ask(&self, key: &AccessKey, method: &str, path: &str, body: &str) -> (StatusCode, String) {
        let request = signed(key, method, path, body).map(Full::new);
        read(self.objects.answer(request, PEER).await).await
    }

    async fn done(&self, key: &AccessKey, method: &str, path: &str, body: &str) -> String {
        let (status, document) = self.ask(key, method, path, body).await;
        assert!(status.is_success(), "{method} {path}: {document}");
        document
    }

    /// Sends a request whose body stands still before its last byte, and comes back when the store waits for that.
    async fn begin(&self, key: &AccessKey, method: &str, path: &str, body: &str) -> Begun {
        let (sender, receiver) = mpsc::channel(1);
        let (head, whole) = signed(key, method, path, body).into_parts();
        let request = Request::from_parts(head, Slow(receiver));
        let objects = self.objects.clone();
        let answer = tokio::spawn(async move { read(objects.answer(request, PEER).await).await });
        let last = whole.slice(whole.len() - 1..);
        sender.send(whole.slice(..whole.len() - 1)).await.unwrap();
        // There is room again when the first piece was taken.
        drop(sender.reserve().await.unwrap());
        Begun { sender, last, answer }
    }

    /// Takes the name `bucket` from Ann and gives it to Bob.
    async fn change_hands(&self) {
        self.done(&self.ann, "DELETE", "/bucket", "").await;
        self.done(&self.bob, "PUT", "/bucket", "").await;
    }

    async fn events(&self, action: &str) -> Vec<AuditEvent> {
        self.audit.flush().await;
        let events = self.store.events(&AuditFilter::default(), 1_000).await.unwrap();
        events.into_iter().map(|stored| stored.event).filter(|event| event.action == action).collect()
    }
}

/// A request whose body has not come to its end.
struct Begun {
    sender: mpsc::Sender<Bytes>,
    last: Bytes,
    answer: JoinHandle<(StatusCode, String)>,
}

impl Begun {
    async fn end(self) -> (StatusCode, String) {
        self.sender.send(self.last).await.unwrap();
        drop(self.sender);
        self.answer.await.unwrap()
    }
}

struct Slow(mpsc::Receiver<Bytes>);

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

fn region() -> Region {
    Region::parse("us-west-2").unwrap()
}

fn key(account: &str, holder: Holder) -> AccessKey {
    AccessKey {
        id: AccessKeyId::mint(&SystemRandom),
        secret: Secret::new(format!("the secret of {} in {account}", holder.kind())),
        account: AccountId::parse(account).unwrap(),
        holder,
        status: AccessKeyStatus::Active,
        created_at: NOW,
    }
}

fn made() -> AuditEvent {
    AuditEvent::of_system("account.create", &Scope::global(&AccountId::first()), NOW, &SystemRandom)
}

fn signed(key: &AccessKey, method: &str, path: &str, body: &str) -> Request<Bytes> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:4848{path}"))
        .header("content-length", body.len())
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap();
    let credentials = aws::sigv4::Credentials {
        access_key_id: key.id.to_string(),
        secret: key.secret.clone(),
        session_token: None,
    };
    aws::sigv4::sign(&mut request, &credentials, "s3", &region(), NOW).unwrap();
    request
}

async fn read(response: http::Response<objects::Body>) -> (StatusCode, String) {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

/// What an element of an answer says.
fn said<'a>(document: &'a str, element: &str) -> &'a str {
    let (_, after) = document.split_once(&format!("<{element}>")).expect(document);
    after.split_once('<').unwrap().0
}

#[tokio::test]
async fn an_object_does_not_land_in_a_bucket_that_took_the_name() {
    let world = World::new().await;
    world.done(&world.ann, "PUT", "/bucket", "").await;
    let put = world.begin(&world.ann, "PUT", "/bucket/key", "of Ann").await;
    world.change_hands().await;
    let (status, document) = put.end().await;
    assert_eq!((status, said(&document, "Code")), (StatusCode::NOT_FOUND, "NoSuchBucket"));
    let listed = world.done(&world.bob, "GET", "/bucket?list-type=2", "").await;
    assert_eq!(said(&listed, "KeyCount"), "0");
    // The same, and nobody takes the name.
    world.done(&world.bob, "DELETE", "/bucket", "").await;
    world.done(&world.ann, "PUT", "/bucket", "").await;
    let put = world.begin(&world.ann, "PUT", "/bucket/key", "of Ann").await;
    assert_eq!(put.end().await.0, StatusCode::OK);
    assert_eq!(world.done(&world.ann, "GET", "/bucket/key", "").await, "of Ann");
}

#[tokio::test]
async fn nothing_is_deleted_from_a_bucket_that_took_the_name_and_each_refusal_is_recorded() {
    let world = World::new().await;
    world.done(&world.ann, "PUT", "/bucket", "").await;
    let keys = "<Delete><Object><Key>key</Key></Object><Object><Key>other</Key></Object></Delete>";
    let delete = world.begin(&world.ann, "POST", "/bucket?delete", keys).await;
    world.change_hands().await;
    world.done(&world.bob, "PUT", "/bucket/key", "of Bob").await;
    let (status, document) = delete.end().await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(document.matches("<Code>NoSuchBucket</Code>").count(), 2, "{document}");
    assert_eq!(world.done(&world.bob, "GET", "/bucket/key", "").await, "of Bob");
    let events = world.events("s3:DeleteObject").await;
    let told: Vec<_> =
        events.iter().map(|event| (event.resource.as_deref().unwrap(), event.error.as_deref())).collect();
    let refused = Some("NoSuchBucket");
    assert_eq!(told, [("arn:aws:s3:::bucket/key", refused), ("arn:aws:s3:::bucket/other", refused)]);
    assert!(events.iter().all(|event| event.outcome == Outcome::Refused && event.decision == Decision::None));

    // A user whom nothing is allowed is refused each key by IAM.
    world.done(&world.ann, "PUT", "/own", "").await;
    let document = world.done(&world.eve, "POST", "/own?delete", keys).await;
    assert_eq!(document.matches("<Code>AccessDenied</Code>").count(), 2, "{document}");
    let events = world.events("s3:DeleteObject").await;
    let denied: Vec<_> = events.iter().filter(|event| event.decision == Decision::Deny).collect();
    assert_eq!(denied.len(), 2);
    assert!(matches!(&denied[1].actor, Actor::Iam { arn, .. } if arn.ends_with("user/eve")));
    assert_eq!(denied[1].resource.as_deref(), Some("arn:aws:s3:::own/other"));
}

#[tokio::test]
async fn a_bucket_of_another_account_is_answered_like_one_that_is_not_there() {
    let world = World::new().await;
    world.done(&world.bob, "PUT", "/theirs", "").await;
    world.done(&world.bob, "PUT", "/theirs/key", "of Bob").await;
    // What a policy says about other accounts in particular is not told either.
    let fence = Document(
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:ResourceAccount": "000000000000"}}}]}"#
            .to_owned(),
    );
    let mut tx = world.store.begin().await.unwrap();
    tx.put_inline_policy(&world.eve.account, &world.eve.holder, "fence", &fence).await.unwrap();
    tx.commit(&made()).await.unwrap();
    let keys = "<Delete><Object><Key>key</Key></Object></Delete>";
    for (method, rest, body) in [
        ("GET", "", ""),
        ("GET", "/key", ""),
        ("PUT", "/key", "mine"),
        ("DELETE", "/key", ""),
        ("DELETE", "", ""),
        ("POST", "?delete", keys),
        ("POST", "/key?uploads", ""),
    ] {
        let (status, theirs) = world.ask(&world.eve, method, &format!("/theirs{rest}"), body).await;
        let (as_none, none) = world.ask(&world.eve, method, &format!("/nobody{rest}"), body).await;
        assert_eq!((status, as_none), (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN), "{method} {rest}");
        assert_eq!(
            said(&theirs, "Message").replace("theirs", "nobody"),
            said(&none, "Message"),
            "{method} {rest}"
        );
        // Nor may the root of an account anything with what is another's.
        let (status, _) = world.ask(&world.ann, method, &format!("/theirs{rest}"), body).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {rest}");
    }
    assert_eq!(world.done(&world.bob, "GET", "/theirs/key", "").await, "of Bob");
}

#[tokio::test]
async fn another_room_reads_only_from_the_bucket_that_was_decided_about() {
    let world = World::new().await;
    let at = Location::parse("s3://bucket/key").unwrap();
    world.done(&world.ann, "PUT", "/bucket", "").await;
    let decided = world.objects.bucket("bucket").await.unwrap();
    world.change_hands().await;
    world.done(&world.bob, "PUT", "/bucket/key", "of Bob").await;
    for decided in [decided.as_ref(), None] {
        let refused = world.objects.read(&at, decided, 100).await;
        assert!(matches!(refused, Err(ReadError::NoSuchBucket(_))), "{refused:?}");
    }
    let decided = world.objects.bucket("bucket").await.unwrap();
    assert_eq!(world.objects.read(&at, decided.as_ref(), 100).await.unwrap(), "of Bob");
}

#[tokio::test]
async fn uploads_that_begin_and_do_not_end_are_bounded() {
    let world = World::new().await;
    for bucket in ["bucket", "other"] {
        world.done(&world.ann, "PUT", &format!("/{bucket}"), "").await;
    }
    let first = world.done(&world.ann, "POST", "/bucket/key?uploads", "").await;
    world.done(&world.ann, "POST", "/bucket/key?uploads", "").await;
    let (status, document) = world.ask(&world.ann, "POST", "/bucket/more?uploads", "").await;
    assert_eq!((status, said(&document, "Code")), (StatusCode::BAD_REQUEST, "InvalidRequest"));
    assert!(said(&document, "Message").contains("2 multipart uploads"), "{document}");
    // Another bucket has its own, and one that was aborted makes room.
    world.done(&world.ann, "POST", "/other/key?uploads", "").await;
    let id = said(&first, "UploadId");
    world.done(&world.ann, "DELETE", &format!("/bucket/key?uploadId={id}"), "").await;
    world.done(&world.ann, "POST", "/bucket/more?uploads", "").await;
}
