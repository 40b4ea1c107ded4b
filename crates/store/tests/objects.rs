//! The object store on both databases, as `tests/store.rs` has them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and asks its environment for a server"
)]

use std::sync::Arc;
use std::time::Duration;

use domain::{
    AccountId, Actor, Attributes, AuditEvent, AuditKind, Bucket, Decision, EventId, Object, Outcome, Region,
    RequestId, Scope, Segment, SystemRandom, Timestamp, Upload, UploadPart,
};
use store::{AuditFilter, BlobWriter, CHUNK, KeyRange, MasterKey, Page, Store, StoreError};

const NOW: Timestamp = Timestamp::from_seconds(1_763_717_400);

struct Place {
    store: Store,
    _folder: tempfile::TempDir,
}

async fn places() -> Vec<Place> {
    let mut urls = vec![None];
    if let Ok(server) = std::env::var("PORTCULLIS_TEST_POSTGRES") {
        let name = format!("test_{}", RequestId::mint(&SystemRandom).as_str().replace('-', ""));
        let options: sqlx::postgres::PgConnectOptions = server.parse().unwrap();
        let pool = sqlx::PgPool::connect_with(options).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
        urls.push(Some(format!("{}/{name}", server.rsplit_once('/').unwrap().0)));
    }
    let mut places = Vec::new();
    for url in urls {
        let folder = tempfile::tempdir().unwrap();
        let url = url.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("test.db").display()));
        let master = MasterKey::generate(&SystemRandom);
        let store = Store::open(&url, &master, Arc::new(SystemRandom)).await.unwrap();
        places.push(Place { store, _folder: folder });
    }
    places
}

fn scope() -> Scope {
    Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() }
}

fn event(action: &str) -> AuditEvent {
    AuditEvent {
        event_id: EventId::mint(&SystemRandom),
        time: NOW,
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

fn object(key: &str, segments: Vec<Segment>) -> Object {
    Object {
        bucket: "bucket".to_owned(),
        key: key.to_owned(),
        segments,
        etag: "e".to_owned(),
        modified_at: NOW,
        checksum: None,
        attributes: Attributes::default(),
    }
}

fn upload(id: &str) -> Upload {
    Upload {
        id: id.to_owned(),
        bucket: "bucket".to_owned(),
        key: "key".to_owned(),
        begun_at: NOW,
        algorithm: None,
        composite: false,
        attributes: Attributes::default(),
    }
}

async fn make_bucket(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let bucket = Bucket { name: "bucket".to_owned(), scope: scope(), created_at: NOW };
    tx.insert_bucket(&bucket).await.unwrap();
    tx.commit(&event("s3:CreateBucket")).await.unwrap();
}

/// A blob with bytes in it, not kept.
async fn blob(store: &Store, bytes: &[u8]) -> BlobWriter {
    let mut writer = BlobWriter::new(store, RequestId::mint(&SystemRandom).as_str().to_owned());
    // In pieces that do not divide a chunk.
    for piece in bytes.chunks(700_001) {
        writer.write(piece, NOW).await.unwrap();
    }
    writer
}

async fn put(store: &Store, key: &str, bytes: &[u8]) -> Segment {
    let writer = blob(store, bytes).await;
    let mut tx = store.begin().await.unwrap();
    let segment = writer.keep(&mut tx, NOW).await.unwrap();
    tx.put_object(&object(key, vec![segment.clone()])).await.unwrap();
    tx.commit(&event("s3:PutObject")).await.unwrap();
    segment
}

async fn bytes_of(store: &Store, segment: &Segment) -> Vec<u8> {
    let mut bytes = Vec::new();
    for place in 0..segment.size.div_ceil(CHUNK as u64) {
        bytes.extend_from_slice(&store.chunk(&segment.blob, place).await.unwrap());
    }
    bytes
}

fn later() -> Timestamp {
    NOW.plus(Duration::from_secs(1))
}

#[tokio::test]
async fn bytes_come_back_as_they_went_in_whatever_their_number() {
    for place in places().await {
        let store = &place.store;
        make_bucket(store).await;
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let segment = put(store, "key", &bytes).await;
            assert_eq!(segment.size, size as u64);
            assert_eq!(bytes_of(store, &segment).await, bytes, "{size}");
            let found = store.read().await.unwrap().object("bucket", "key").await.unwrap().unwrap();
            assert_eq!((found.size(), found.segments), (size as u64, vec![segment]));
        }
        assert_eq!(store.events(&AuditFilter::default(), 100).await.unwrap().len(), 7);
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_no_object_and_is_swept() {
    for place in places().await {
        let store = &place.store;
        make_bucket(store).await;
        let kept = put(store, "kept", b"kept").await;
        // One breaks off before its transaction, one within it.
        drop(blob(store, &vec![1; 2 * CHUNK + 5]).await);
        let writer = blob(store, &vec![2; 2 * CHUNK]).await;
        let mut tx = store.begin().await.unwrap();
        let segment = writer.keep(&mut tx, NOW).await.unwrap();
        tx.put_object(&object("half", vec![segment.clone()])).await.unwrap();
        drop(tx);
        assert!(store.read().await.unwrap().object("bucket", "half").await.unwrap().is_none());
        assert_eq!(store.sweep_blobs(NOW).await.unwrap(), 0, "too young");
        assert_eq!(store.sweep_blobs(later()).await.unwrap(), 2);
        assert!(matches!(store.chunk(&segment.blob, 0).await, Err(StoreError::Stale)));
        assert_eq!(bytes_of(store, &kept).await, b"kept");
    }
}

#[tokio::test]
async fn who_is_swept_while_writing_cannot_keep_half() {
    for place in places().await {
        let store = &place.store;
        make_bucket(store).await;
        let mut writer = blob(store, &vec![1; CHUNK + 1]).await;
        assert_eq!(store.sweep_blobs(later()).await.unwrap(), 1);
        assert!(matches!(writer.write(&vec![1; CHUNK], NOW).await, Err(StoreError::Stale)));
        let mut tx = store.begin().await.unwrap();
        assert!(matches!(writer.keep(&mut tx, NOW).await, Err(StoreError::Stale)));
    }
}

#[tokio::test]
async fn what_is_replaced_or_deleted_can_be_read_until_it_is_swept() {
    for place in places().await {
        let store = &place.store;
        make_bucket(store).await;
        let first = put(store, "key", b"first").await;
        let second = put(store, "key", b"second").await;
        assert_eq!(bytes_of(store, &first).await, b"first");
        assert_eq!(store.sweep_blobs(later()).await.unwrap(), 1);
        assert!(store.chunk(&first.blob, 0).await.is_err());
        let mut tx = store.begin().await.unwrap();
        assert!(tx.delete_object("bucket", "key", NOW).await.unwrap());
        assert!(!tx.delete_object("bucket", "key", NOW).await.unwrap());
        assert!(tx.is_empty_bucket("bucket").await.unwrap());
        tx.commit(&event("s3:DeleteObject")).await.unwrap();
        assert_eq!(bytes_of(store, &second).await, b"second");
        assert_eq!(store.sweep_blobs(later()).await.unwrap(), 1);
        assert!(store.chunk(&second.blob, 0).await.is_err());
    }
}

#[tokio::test]
async fn keys_are_listed_in_the_order_of_their_bytes() {
    for place in places().await {
        let store = &place.store;
        make_bucket(store).await;
        // Neither the order of a language nor that of UTF-16.
        let ordered = ["A", "Z", "a", "a/b", "a0", "b", "z", "ä", "\u{FFFD}", "\u{1F600}"];
        for key in ordered.iter().rev() {
            put(store, key, b"").await;
        }
        let mut tx = store.read().await.unwrap();
        let keys = |objects: Vec<Object>| objects.into_iter().map(|object| object.key).collect::<Vec<_>>();
        let all = KeyRange { from: b"", until: None };
        assert_eq!(keys(tx.objects("bucket", all, 100).await.unwrap()), ordered);
        let some = KeyRange { from: b"a", until: Some(b"b") };
        assert_eq!(keys(tx.objects("bucket", some, 100).await.unwrap()), ["a", "a/b", "a0"]);
        assert_eq!(keys(tx.objects("bucket", some, 2).await.unwrap()), ["a", "a/b"]);
        assert!(tx.objects("other", all, 100).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn parts_become_an_object_or_are_let_go() {
    for place in places().await {
        let store = &place.store;
        make_bucket(store).await;
        let mut tx = store.begin().await.unwrap();
        tx.insert_upload(&upload("u1")).await.unwrap();
        tx.insert_upload(&upload("u2")).await.unwrap();
        tx.commit(&event("s3:PutObject")).await.unwrap();
        let mut parts = Vec::new();
        for (number, text) in [(1, "first"), (2, "unused"), (3, "third"), (1, "again")] {
            let writer = blob(store, text.as_bytes()).await;
            let mut tx = store.begin().await.unwrap();
            let segment = writer.keep(&mut tx, NOW).await.unwrap();
            let part =
                UploadPart { number, segment, etag: text.to_owned(), checksum: None, modified_at: NOW };
            tx.put_part("u1", &part).await.unwrap();
            tx.commit(&event("s3:PutObject")).await.unwrap();
            parts.push(part);
        }
        let mut tx = store.begin().await.unwrap();
        let found: Vec<_> =
            tx.parts("u1", 0, 10).await.unwrap().into_iter().map(|part| (part.number, part.etag)).collect();
        assert_eq!(found, [(1, "again".to_owned()), (2, "unused".to_owned()), (3, "third".to_owned())]);
        assert_eq!(tx.parts("u1", 1, 1).await.unwrap()[0].number, 2);
        let segments = vec![parts[3].segment.clone(), parts[2].segment.clone()];
        tx.put_object(&object("key", segments.clone())).await.unwrap();
        tx.delete_upload("u1", &segments, NOW).await.unwrap();
        assert!(tx.upload("bucket", "key", "u1").await.unwrap().is_none());
        assert!(tx.upload("bucket", "other", "u2").await.unwrap().is_none(), "of another key");
        assert_eq!(tx.count_uploads("bucket").await.unwrap(), 1);
        assert_eq!(tx.count_uploads("other").await.unwrap(), 0);
        let left = tx.uploads("bucket", "k", ("", ""), 10).await.unwrap();
        assert_eq!(left.iter().map(|upload| upload.id.as_str()).collect::<Vec<_>>(), ["u2"]);
        assert!(tx.uploads("bucket", "l", ("", ""), 10).await.unwrap().is_empty());
        tx.commit(&event("s3:PutObject")).await.unwrap();
        // The part that was written twice, and the one that was not listed.
        assert_eq!(store.sweep_blobs(later()).await.unwrap(), 2);
        assert_eq!(bytes_of(store, &segments[0]).await, b"again");
        assert_eq!(bytes_of(store, &segments[1]).await, b"third");
    }
}

#[tokio::test]
async fn a_bucket_name_is_taken_once_and_goes_with_its_uploads() {
    for place in places().await {
        let store = &place.store;
        make_bucket(store).await;
        let other = Scope { account: AccountId::parse("111111111111").unwrap(), ..scope() };
        let again = Bucket { name: "bucket".to_owned(), scope: other.clone(), created_at: NOW };
        let mut tx = store.begin().await.unwrap();
        assert!(matches!(tx.insert_bucket(&again).await, Err(StoreError::Exists)));
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.buckets(&AccountId::first(), Page::ALL).await.unwrap().len(), 1);
        assert!(tx.buckets(&other.account, Page::ALL).await.unwrap().is_empty());
        tx.insert_upload(&upload("u")).await.unwrap();
        tx.delete_bucket("bucket", NOW).await.unwrap();
        assert!(tx.bucket("bucket").await.unwrap().is_none());
        assert!(tx.upload("bucket", "key", "u").await.unwrap().is_none());
        tx.commit(&event("s3:DeleteBucket")).await.unwrap();
    }
}
