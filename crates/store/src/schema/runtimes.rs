//! The tables of agent runtimes.

/// Runtimes, their versions with sealed environments, their endpoints, the archives of agents by digest, and whose each
/// session is. A session stands under the hash of its runtime and id, and its owner under a hash, too.
pub(super) const AGENT_RUNTIMES: &str = "
CREATE TABLE agent_runtimes (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, id)
);
CREATE UNIQUE INDEX agent_runtimes_by_name ON agent_runtimes (account, region, name);
CREATE INDEX agent_runtimes_by_id ON agent_runtimes (id);

CREATE TABLE agent_runtime_versions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    runtime TEXT NOT NULL,
    number BIGINT NOT NULL,
    code TEXT,
    environment {bytes} NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, runtime, number)
);
CREATE INDEX agent_runtime_versions_by_code ON agent_runtime_versions (code);

CREATE TABLE agent_runtime_endpoints (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    runtime TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, runtime, name)
);

CREATE TABLE agent_code (sha256 TEXT PRIMARY KEY, archive {bytes} NOT NULL);

CREATE TABLE agent_sessions (
    session TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    principal TEXT NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX agent_sessions_by_end ON agent_sessions (until);
";
