//! The tables of whoever signs in to user pools.

/// Who signs in to user pools. Passwords are hashed and sealed; what a sign-in hands out is kept as a hash alone.
pub(super) const POOL_USERS: &str = "
CREATE TABLE pool_users (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    pool TEXT NOT NULL,
    name TEXT NOT NULL,
    revision BIGINT NOT NULL,
    password {bytes},
    document TEXT NOT NULL,
    PRIMARY KEY (pool, name)
);

CREATE TABLE pool_groups (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    pool TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (pool, name)
);

CREATE TABLE pool_members (
    pool TEXT NOT NULL,
    member TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (pool, member, name)
);

CREATE TABLE pool_attempts (
    pool TEXT NOT NULL,
    name TEXT NOT NULL,
    failures BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (pool, name)
);
CREATE INDEX pool_attempts_by_age ON pool_attempts (last_at);

CREATE TABLE pool_tickets (
    hash TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    pool TEXT NOT NULL,
    client TEXT NOT NULL,
    member TEXT NOT NULL,
    family TEXT NOT NULL,
    spent BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX pool_tickets_by_family ON pool_tickets (family);
CREATE INDEX pool_tickets_by_holder ON pool_tickets (pool, member);
CREATE INDEX pool_tickets_by_age ON pool_tickets (expires_at);
";
