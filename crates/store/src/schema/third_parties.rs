//! The table of clients that registered themselves.

/// When such a client came, from where, and until when it is kept; the client itself is among the others.
pub(super) const THIRD_PARTIES: &str = "
CREATE TABLE pool_registrations (
    client TEXT PRIMARY KEY,
    pool TEXT NOT NULL,
    source TEXT NOT NULL,
    used BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX pool_registrations_by_pool ON pool_registrations (pool, created_at);
CREATE INDEX pool_registrations_by_age ON pool_registrations (expires_at);
";
