//! The tables, and how an older database becomes a present one.
//!
//! One script a version, run in one transaction each; `{bytes}` and `{serial}` are the two words in which SQLite and
//! PostgreSQL differ. Every table of resources is keyed by account and region; what belongs to no region has the
//! region `aws-global`.

mod audit_chains;
mod credentials;
mod keys;
mod logs;
mod objects;
mod policies;
mod pool_users;
mod principals;
mod recordings;
mod replicas;
mod runtimes;
mod shared;
mod third_parties;
mod web_identity;

use audit_chains::AUDIT_CHAINS;
use credentials::{CREDENTIALS, FEDERATION, SECRETS, WORKLOADS};
use keys::KEYS;
use logs::LOGS;
use objects::OBJECTS;
use policies::{POLICY_GENERATIONS, POLICY_SUMMARIES};
use pool_users::POOL_USERS;
use principals::PRINCIPALS;
use recordings::RECORDINGS;
use replicas::REPLICAS;
use runtimes::AGENT_RUNTIMES;
use shared::{MCP_SESSIONS, RATE_LEASES};
use third_parties::THIRD_PARTIES;
use web_identity::WEB_IDENTITY;

use crate::StoreError;
use crate::backend::{Connection, params};

/// Each version's script; a version is its place in the list, from one.
const SCRIPTS: &[&str] = &[
    VERSION_1,
    OBJECTS,
    CREDENTIALS,
    RATE_LIMITS,
    FUNCTION_VERSIONS,
    WORKLOADS,
    SECRETS,
    POOL_USERS,
    FEDERATION,
    THIRD_PARTIES,
    KEYS,
    WEB_IDENTITY,
    POLICY_SUMMARIES,
    RECORDINGS,
    POLICY_GENERATIONS,
    AUDIT_CHAINS,
    PRINCIPALS,
    AGENT_RUNTIMES,
    LOGS,
    REPLICAS,
    MCP_SESSIONS,
    RATE_LEASES,
];

/// The version that this Portcullis writes.
pub(crate) fn known() -> i64 {
    i64::try_from(SCRIPTS.len()).unwrap_or(i64::MAX)
}

/// The version of the database; zero for an empty one.
pub(crate) async fn found(connection: &mut Connection<'_>) -> Result<i64, StoreError> {
    connection
        .run_script("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        .await?;
    let rows = connection.fetch("SELECT value FROM meta WHERE name = $1", params!["schema"]).await?;
    let Some(row) = rows.first() else { return Ok(0) };
    row.text(0)?.parse().map_err(|_| StoreError::Corrupt {
        table: "meta",
        detail: "the schema version is no number".to_owned(),
    })
}

/// Brings the database to the known version, inside the caller's transaction.
pub(crate) async fn migrate(connection: &mut Connection<'_>) -> Result<(), StoreError> {
    migrate_to(connection, known()).await
}

/// The same to an earlier version, for rows that were written under it. A database that is there already is not taken back.
pub(crate) async fn migrate_to(connection: &mut Connection<'_>, wanted: i64) -> Result<(), StoreError> {
    let found = found(connection).await?;
    if found > known() {
        return Err(StoreError::Newer { found, known: known() });
    }
    let (bytes, serial) = match connection {
        Connection::Sqlite(_) => ("BLOB", "INTEGER PRIMARY KEY AUTOINCREMENT"),
        Connection::Postgres(_) => ("BYTEA", "BIGSERIAL PRIMARY KEY"),
    };
    let missing = |(version, _): &(i64, &&str)| (found + 1..=wanted).contains(version);
    for (version, script) in (1_i64..).zip(SCRIPTS).filter(missing) {
        let script = script.replace("{bytes}", bytes).replace("{serial}", serial);
        connection.run_script(&script).await?;
        let version = version.to_string();
        connection.execute("DELETE FROM meta WHERE name = $1", params!["schema"]).await?;
        connection
            .execute("INSERT INTO meta (name, value) VALUES ($1, $2)", params!["schema", &version])
            .await?;
    }
    Ok(())
}

/// Versions and aliases of functions; a resource policy belongs to a function, a version or an alias (its qualifier, which
/// is empty for the function).
const FUNCTION_VERSIONS: &str = "
CREATE TABLE function_versions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    version BIGINT NOT NULL,
    code TEXT NOT NULL,
    environment {bytes} NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, function, version)
);
CREATE INDEX function_versions_by_code ON function_versions (code);

CREATE TABLE function_aliases (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, function, name)
);

CREATE TABLE function_permissions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, function, qualifier, id)
);
INSERT INTO function_permissions (account, region, function, qualifier, id, document)
    SELECT account, region, function, '', id, document FROM function_statements;
DROP TABLE function_statements;
";

const VERSION_1: &str = "
CREATE TABLE sealed_meta (name TEXT PRIMARY KEY, value {bytes} NOT NULL);

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE access_keys (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    holder_kind TEXT NOT NULL,
    holder TEXT NOT NULL,
    status TEXT NOT NULL,
    secret {bytes} NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX access_keys_by_holder ON access_keys (account, holder_kind, holder);

CREATE TABLE users (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, name)
);

CREATE TABLE roles (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, name)
);

CREATE TABLE managed_policies (
    arn TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (account, name)
);

CREATE TABLE inline_policies (
    account TEXT NOT NULL,
    holder_kind TEXT NOT NULL,
    holder TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, holder_kind, holder, name)
);

CREATE TABLE attached_policies (
    account TEXT NOT NULL,
    holder_kind TEXT NOT NULL,
    holder TEXT NOT NULL,
    arn TEXT NOT NULL,
    PRIMARY KEY (account, holder_kind, holder, arn)
);
CREATE INDEX attached_policies_by_arn ON attached_policies (arn);

CREATE TABLE gateways (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    engine TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, id),
    UNIQUE (account, region, name)
);
CREATE INDEX gateways_by_engine ON gateways (engine);

CREATE TABLE targets (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    gateway TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, gateway, id),
    UNIQUE (account, region, gateway, name)
);

CREATE TABLE policy_engines (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, id),
    UNIQUE (account, region, name)
);

CREATE TABLE policies (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    engine TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, engine, id),
    UNIQUE (account, region, name)
);

CREATE TABLE tags (
    arn TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (arn, name)
);

CREATE TABLE idempotency (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    operation TEXT NOT NULL,
    token TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    resource TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, operation, token)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE user_pools (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL UNIQUE,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, id)
);

CREATE TABLE pool_domains (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    domain TEXT NOT NULL,
    pool TEXT NOT NULL,
    PRIMARY KEY (region, domain)
);
CREATE INDEX pool_domains_by_pool ON pool_domains (pool);

CREATE TABLE resource_servers (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    pool TEXT NOT NULL,
    identifier TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (pool, identifier)
);

CREATE TABLE pool_clients (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    pool TEXT NOT NULL,
    id TEXT PRIMARY KEY,
    revision BIGINT NOT NULL,
    secret {bytes},
    document TEXT NOT NULL
);
CREATE INDEX pool_clients_by_pool ON pool_clients (pool, id);

CREATE TABLE signing_keys (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    pool TEXT NOT NULL,
    id TEXT NOT NULL,
    private_key {bytes} NOT NULL,
    modulus TEXT NOT NULL,
    exponent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (pool, id)
);

CREATE TABLE functions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    revision BIGINT NOT NULL,
    code TEXT NOT NULL,
    environment {bytes} NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX functions_by_code ON functions (code);

CREATE TABLE function_code (sha256 TEXT PRIMARY KEY, archive {bytes} NOT NULL);

CREATE TABLE function_statements (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, function, id)
);

CREATE TABLE mail (
    seq {serial},
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    document TEXT NOT NULL
);

CREATE TABLE audit_events (
    seq {serial},
    time BIGINT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    document TEXT NOT NULL
);

CREATE TABLE changes (
    seq {serial},
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL
);
";

const RATE_LIMITS: &str = "
CREATE TABLE rate_limits (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    gateway TEXT NOT NULL,
    id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, gateway, id)
);
";

#[cfg(test)]
mod tests {
    use super::*;

    /// The versions before this one never ran beside another.
    const FIRST_BESIDE_ANOTHER: usize = 20;

    #[test]
    fn scripts_take_nothing_away_that_the_version_before_uses() {
        for (version, script) in (1..).zip(SCRIPTS).skip(FIRST_BESIDE_ANOTHER - 1) {
            for statement in script.split(';') {
                let words = statement.to_uppercase();
                let adds_column = words.contains("ADD COLUMN");
                let bare = adds_column && words.contains("NOT NULL") && !words.contains("DEFAULT");
                let takes = ["DROP ", "RENAME "].iter().any(|word| words.contains(word));
                assert!(!takes && !bare, "version {version}: {statement}");
            }
        }
    }
}
