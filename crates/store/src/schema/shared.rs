//! The tables of what replicas share beside resources: sessions of MCP's clients, those with servers behind them, and what
//! was taken of rates.

pub(super) const MCP_SESSIONS: &str = "
CREATE TABLE mcp_sessions (
    session TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    ended BIGINT NOT NULL,
    level TEXT NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX mcp_sessions_by_owner ON mcp_sessions (owner);
CREATE INDEX mcp_sessions_by_end ON mcp_sessions (until);

CREATE TABLE mcp_upstream_sessions (
    session TEXT NOT NULL,
    upstream TEXT NOT NULL,
    owner TEXT NOT NULL,
    revision BIGINT NOT NULL,
    sealed {bytes} NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (session, upstream)
);
CREATE INDEX mcp_upstream_sessions_by_owner ON mcp_upstream_sessions (owner, until);
CREATE INDEX mcp_upstream_sessions_by_end ON mcp_upstream_sessions (until);
";

/// `paid` is in nanoseconds since the epoch, `until` in milliseconds.
pub(super) const RATE_LEASES: &str = "
CREATE TABLE rate_counts (name TEXT PRIMARY KEY, paid BIGINT NOT NULL);
CREATE INDEX rate_counts_by_end ON rate_counts (paid);

CREATE TABLE rate_seats (replica TEXT PRIMARY KEY, knows BIGINT NOT NULL, until BIGINT NOT NULL);
";
