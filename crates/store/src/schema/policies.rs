//! What came to the tables of policies after their first version.

/// What may be known of a policy whose document is sealed, the gateway that it names (empty for none) and how many bytes
/// its statement has. Rows of before have none of these until they are written again.
pub(super) const POLICY_SUMMARIES: &str = "
ALTER TABLE policies ADD COLUMN summary TEXT;
ALTER TABLE policies ADD COLUMN gateway TEXT;
ALTER TABLE policies ADD COLUMN size BIGINT;
";

/// Policies that are written from plain language, until they expire. A summary may be known although the document is
/// sealed.
pub(super) const POLICY_GENERATIONS: &str = "
CREATE TABLE policy_generations (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    engine TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    revision BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    summary TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, engine, id),
    UNIQUE (account, region, engine, name)
);
CREATE INDEX policy_generations_by_end ON policy_generations (expires_at);
CREATE INDEX policy_generations_by_status ON policy_generations (status);
";
