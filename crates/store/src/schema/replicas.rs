//! The tables of servers that share a database.

/// Replicas with their leases, by the database's clock in milliseconds, and the place in the change feed that each serves;
/// which of them does a piece of background work.
pub(super) const REPLICAS: &str = "
CREATE TABLE replicas (
    id TEXT PRIMARY KEY,
    started_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    confirmed BIGINT NOT NULL
);

CREATE TABLE works (
    work TEXT PRIMARY KEY,
    replica TEXT NOT NULL
);
";
