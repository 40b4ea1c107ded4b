//! The tables of log groups, of what is in them, and of how records get there.

/// Log groups, streams and events; resource policies and X-Ray's settings by name; and delivery: a source is a resource's
/// records, a destination a log group or X-Ray, a delivery ties one to the other.
pub(super) const LOGS: &str = "
CREATE TABLE log_groups (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retention_days BIGINT,
    PRIMARY KEY (account, region, name)
);
CREATE TABLE log_streams (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    log_group TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, log_group, name)
);
CREATE TABLE log_events (
    seq {serial},
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    log_group TEXT NOT NULL,
    stream TEXT NOT NULL,
    time BIGINT NOT NULL,
    taken_at BIGINT NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX log_events_by_group ON log_events (account, region, log_group, time, seq);
CREATE TABLE log_settings (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, kind, name)
);
";
