//! The tables of the object store.

/// The object store. Keys are bytes, because objects are listed in the order of their keys' bytes, which the text of
/// PostgreSQL follows only by some collations.
pub(super) const OBJECTS: &str = "
CREATE TABLE buckets (
    name TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX buckets_by_account ON buckets (account, name);

CREATE TABLE objects (
    bucket TEXT NOT NULL,
    name {bytes} NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (bucket, name)
);

CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    bucket TEXT NOT NULL,
    name {bytes} NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX uploads_by_bucket ON uploads (bucket, name, id);

CREATE TABLE upload_parts (
    upload TEXT NOT NULL,
    number BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (upload, number)
);

CREATE TABLE blobs (
    id TEXT PRIMARY KEY,
    kept BIGINT NOT NULL,
    since BIGINT NOT NULL
);
CREATE INDEX blobs_by_age ON blobs (kept, since);

CREATE TABLE blob_chunks (
    blob TEXT NOT NULL,
    place BIGINT NOT NULL,
    bytes {bytes} NOT NULL,
    PRIMARY KEY (blob, place)
);
";
