//! The tables of what replicas share beside resources: sessions of MCP's clients, and those with servers behind them.

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
