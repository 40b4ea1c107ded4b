//! The table of what was recorded of calls.

/// What was recorded of a call besides its audit event, sealed; the event by its id, because events are numbered only when
/// they are written.
pub(super) const RECORDINGS: &str = "
CREATE TABLE recorded_calls (
    event TEXT PRIMARY KEY,
    time BIGINT NOT NULL,
    contents {bytes} NOT NULL
);
CREATE INDEX recorded_calls_by_time ON recorded_calls (time);
";
