//! The change feed: what changed, in the order of the commits.
//!
//! A reader that remembers the last sequence number it saw misses nothing and sees nothing twice. Writers are
//! serialised (SQLite has one; on PostgreSQL every writing transaction takes one advisory lock), so the order of the
//! numbers is the order in which the changes came into force.

use domain::{AccountId, Region, Scope};

use crate::backend::params;
use crate::{Store, StoreError, Tx};

/// What kind of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// A gateway, by its id.
    Gateway,
    /// A target, by the id of its gateway.
    Target,
    /// A policy engine or a policy, by the id of the engine.
    PolicyEngine,
    /// A user, role, managed policy, access key or an attachment, by whatever names it.
    Iam,
    /// A user pool, or what is in it, by the pool's id.
    UserPool,
    /// A function or its resource policy, by its name.
    Function,
    /// A credential provider, as `{kind}/{name}`.
    CredentialProvider,
    /// An agent runtime, or what is in it, by its id.
    AgentRuntime,
    /// A session of an MCP client, by the hash of its id.
    McpSession,
    /// Something that only the control plane reads.
    Other,
}

impl ChangeKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Target => "target",
            Self::PolicyEngine => "policy_engine",
            Self::Iam => "iam",
            Self::UserPool => "user_pool",
            Self::Function => "function",
            Self::CredentialProvider => "credential_provider",
            Self::AgentRuntime => "agent_runtime",
            Self::McpSession => "mcp_session",
            Self::Other => "other",
        }
    }

    /// A kind that this version does not know is one it need not react to.
    fn parse(text: &str) -> Self {
        match text {
            "gateway" => Self::Gateway,
            "target" => Self::Target,
            "policy_engine" => Self::PolicyEngine,
            "iam" => Self::Iam,
            "user_pool" => Self::UserPool,
            "function" => Self::Function,
            "credential_provider" => Self::CredentialProvider,
            "agent_runtime" => Self::AgentRuntime,
            "mcp_session" => Self::McpSession,
            _ => Self::Other,
        }
    }
}

/// One row of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the feed.
    pub seq: i64,
    /// Whose it is and where.
    pub scope: Scope,
    /// What kind of thing changed.
    pub kind: ChangeKind,
    /// Which one.
    pub id: String,
}

impl Tx {
    /// Notes in the feed that something changed; the row is seen when the transaction is committed.
    pub(crate) async fn note_change(
        &mut self,
        scope: &Scope,
        kind: ChangeKind,
        id: &str,
    ) -> Result<(), StoreError> {
        self.wrote_change = true;
        self.execute(
            "INSERT INTO changes (account, region, kind, id) VALUES ($1, $2, $3, $4)",
            params![scope.account.as_str(), scope.region.as_str(), kind.as_str(), id],
        )
        .await?;
        Ok(())
    }

    /// The place of the last change.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn last_change(&mut self) -> Result<i64, StoreError> {
        let rows = self.fetch("SELECT COALESCE(MAX(seq), 0) FROM changes", params![]).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }
}

impl Store {
    /// The changes after `seq`, in order, at most 1,000 of them.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails, [`StoreError::Lost`] when `seq` itself is not in the feed any more: then what
    /// comes after it is not all that changed.
    pub async fn changes_since(&self, seq: i64) -> Result<Vec<Change>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx
            .fetch(
                "SELECT seq, account, region, kind, id FROM changes WHERE seq >= $1 ORDER BY seq LIMIT 1001",
                params![seq],
            )
            .await?;
        let known = usize::from(seq > 0);
        if known == 1 && rows.first().map(|row| row.int(0)).transpose()? != Some(seq) {
            return Err(StoreError::Lost);
        }
        rows.iter()
            .skip(known)
            .map(|row| {
                let corrupt = |error: domain::InvalidScope| StoreError::Corrupt {
                    table: "changes",
                    detail: error.to_string(),
                };
                Ok(Change {
                    seq: row.int(0)?,
                    scope: Scope {
                        account: AccountId::parse(&row.text(1)?).map_err(corrupt)?,
                        region: Region::parse(&row.text(2)?).map_err(corrupt)?,
                    },
                    kind: ChangeKind::parse(&row.text(3)?),
                    id: row.text(4)?,
                })
            })
            .collect()
    }
}
