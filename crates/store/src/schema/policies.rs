//! What came to the tables of policies after their first version.

/// What may be known of a policy whose document is sealed. Rows of before have none until they are written again.
pub(super) const POLICY_SUMMARIES: &str = "
ALTER TABLE policies ADD COLUMN summary TEXT;
";
