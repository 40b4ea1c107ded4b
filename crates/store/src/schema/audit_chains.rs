//! The chains of the audit trail.

/// Every event's place in its chain with its digest, and of every chain its signed end and the signed end of what retention
/// took away. Events that are older than the chains have the chain `''` until the first chain takes them in. The second
/// index is for those who look for management events among very many others.
pub(super) const AUDIT_CHAINS: &str = "
ALTER TABLE audit_events ADD COLUMN chain TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit_events ADD COLUMN digest {bytes};
CREATE UNIQUE INDEX audit_events_by_place ON audit_events (chain, place) WHERE chain <> '';
CREATE INDEX audit_events_of_control ON audit_events (account, seq) WHERE kind = 'control';

CREATE TABLE audit_chains (
    name TEXT PRIMARY KEY,
    place BIGINT NOT NULL,
    time BIGINT NOT NULL,
    digest {bytes} NOT NULL,
    signature {bytes} NOT NULL,
    closed_place BIGINT NOT NULL,
    closed_time BIGINT NOT NULL,
    closed_digest {bytes} NOT NULL,
    closed_signature {bytes} NOT NULL
);
";
