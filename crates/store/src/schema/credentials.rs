//! The tables of identities that agents have, and of what they are given.

pub(super) const CREDENTIALS: &str = "
CREATE TABLE credential_providers (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    revision BIGINT NOT NULL,
    secret {bytes} NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, kind, name)
);
";

pub(super) const WORKLOADS: &str = "
CREATE TABLE workload_identities (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
";

/// Secrets with their versions, and what each version holds, sealed.
pub(super) const SECRETS: &str = "
CREATE TABLE secrets (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    gone_at BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX secrets_by_end ON secrets (gone_at);

CREATE TABLE secret_values (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    value {bytes} NOT NULL,
    PRIMARY KEY (account, region, name, version)
);
";

/// Sessions in which people are asked to consent, and the tokens that came of them, sealed.
pub(super) const FEDERATION: &str = "
CREATE TABLE authorization_sessions (
    request TEXT PRIMARY KEY,
    session TEXT NOT NULL UNIQUE,
    handle TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    status TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    details {bytes} NOT NULL
);
CREATE INDEX authorization_sessions_by_handle ON authorization_sessions (handle);
CREATE INDEX authorization_sessions_by_age ON authorization_sessions (expires_at);

CREATE TABLE user_tokens (
    handle TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    provider TEXT NOT NULL,
    workload TEXT NOT NULL,
    revision BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    tokens {bytes} NOT NULL
);
CREATE INDEX user_tokens_by_provider ON user_tokens (account, region, provider);
CREATE INDEX user_tokens_by_workload ON user_tokens (account, region, workload);
";
