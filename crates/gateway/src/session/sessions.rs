//! The sessions that this replica has seen. They are no more than a cache: one that is not here is opened out of its id,
//! and its row, if it has one, is read once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use domain::{Random, Timestamp};
use store::{Change, ChangeKind, McpSessionState, Store, StoreError};

use super::sealed::{Sealed, name};
use super::{Session, held};

/// The most sessions that are remembered at once.
const MOST: usize = 100_000;

/// All sessions of MCP clients with gateways that keep them.
pub struct Sessions {
    store: Store,
    known: Mutex<HashMap<String, Arc<Session>>>,
    /// How often the change feed has told of a session: what was read before is looked at again.
    told: AtomicU64,
}

impl Sessions {
    /// The sessions whose rows are in `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, known: Mutex::default(), told: AtomicU64::new(0) }
    }

    /// Takes notice of a change. A session that was ended or changed at another replica is read again before it is used.
    pub fn note(&self, change: &Change) {
        if change.kind != ChangeKind::McpSession {
            return;
        }
        self.told.fetch_add(1, Ordering::AcqRel);
        if let Some(session) = held(&self.known).get(&change.id) {
            session.told.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Opens a session, and gives its id.
    pub(super) fn open(
        &self,
        owner: String,
        sealed: Sealed,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        let id = sealed.seal(&self.store, random, &owner)?;
        // Nobody else has its id yet, so nothing can be known of it.
        let session = Session::new(name(&id), owner, sealed, McpSessionState::default());
        self.remember(session, now);
        Ok(id)
    }

    /// The session of this id, if it lives and is this owner's.
    pub(super) async fn find(
        &self,
        id: &str,
        owner: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        let name = name(id);
        let known = held(&self.known).get(&name).map(Arc::clone);
        let session = match known {
            Some(session) => session,
            None => match self.read(id, name, owner, now).await? {
                Some(session) => session,
                None => return Ok(None),
            },
        };
        if session.owner != owner || session.until <= now {
            return Ok(None);
        }
        session.refresh(&self.store).await?;
        let ended = held(&session.state).ended;
        Ok((!ended).then_some(session))
    }

    /// A session that was opened elsewhere, or before this process began.
    async fn read(
        &self,
        id: &str,
        name: String,
        owner: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        // Before the store is asked anything: a stranger's id must cost nothing but its opening.
        let Some(sealed) = Sealed::open(&self.store, id, owner).filter(|sealed| now < sealed.until) else {
            return Ok(None);
        };
        let told = self.told.load(Ordering::Acquire);
        let state = self.store.mcp_session(&name).await?;
        let session = self.remember(Session::new(name, owner.to_owned(), sealed, state), now);
        if self.told.load(Ordering::Acquire) != told {
            // The feed may have told of it before it was here to be told.
            session.told.fetch_add(1, Ordering::AcqRel);
        }
        Ok(Some(session))
    }

    /// Keeps a session, unless somebody else was faster, and gives the one that is kept.
    fn remember(&self, session: Session, now: Timestamp) -> Arc<Session> {
        let mut known = held(&self.known);
        if known.len() >= MOST {
            known.retain(|_, session| now < session.until);
        }
        if known.len() >= MOST {
            // One that nobody uses now is found again when it is asked for.
            known.retain(|_, session| Arc::strong_count(session) > 1);
        }
        let name = session.name.clone();
        Arc::clone(known.entry(name).or_insert_with(|| Arc::new(session)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::{AccountId, Region, Scope, SystemRandom};
    use mcp::Capabilities;
    use store::MasterKey;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn sealed() -> Sealed {
        let capabilities = Capabilities::read(r#"{"sampling":{}}"#).unwrap();
        Sealed { until: NOW.plus(Duration::from_secs(900)), capabilities }
    }

    /// Two replicas on one database.
    async fn replicas(folder: &tempfile::TempDir) -> [Sessions; 2] {
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let master = MasterKey::generate(&SystemRandom);
        let open = async || Store::open(&url, &master, Arc::new(SystemRandom)).await.unwrap();
        [Sessions::new(open().await), Sessions::new(open().await)]
    }

    #[tokio::test]
    async fn a_session_goes_on_at_another_replica_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = replicas(&folder).await;
        let id = one.open("ada".to_owned(), sealed(), &SystemRandom, NOW).unwrap();
        assert!(id.bytes().all(|byte| byte.is_ascii_graphic()));
        let found = other.find(&id, "ada", NOW).await.unwrap().unwrap();
        assert_eq!(found.capabilities, sealed().capabilities);
        for replica in [&one, &other] {
            assert!(replica.find(&id, "eve", NOW).await.unwrap().is_none());
            assert!(replica.find(id.get(1..).unwrap(), "ada", NOW).await.unwrap().is_none());
            assert!(replica.find(&id, "ada", NOW.plus(Duration::from_secs(900))).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn what_is_ended_or_changed_at_one_is_so_at_the_other_when_the_feed_has_told() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = replicas(&folder).await;
        let scope = Scope { account: AccountId::first(), region: Region::parse("us-west-2").unwrap() };
        let id = one.open("ada".to_owned(), sealed(), &SystemRandom, NOW).unwrap();
        let (here, there) = (
            one.find(&id, "ada", NOW).await.unwrap().unwrap(),
            other.find(&id, "ada", NOW).await.unwrap().unwrap(),
        );
        let level = McpSessionState { ended: false, level: Some("error".to_owned()) };
        assert!(one.store.put_mcp_session(&scope, here.key(), &level, NOW).await.unwrap());
        let tell = async |replica: &Sessions| {
            for change in replica.store.changes_since(0).await.unwrap() {
                replica.note(&change);
            }
        };
        assert!(held(&there.state).level.is_none());
        tell(&other).await;
        let found = other.find(&id, "ada", NOW).await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&found, &there), "what waits for its client goes on waiting");
        assert_eq!(held(&found.state).level.as_deref(), Some("error"));

        let ended = McpSessionState { ended: true, level: None };
        assert!(one.store.put_mcp_session(&scope, here.key(), &ended, NOW).await.unwrap());
        // It is not brought back by a change that somebody made at the same moment.
        assert!(other.store.put_mcp_session(&scope, there.key(), &level, NOW).await.unwrap());
        for replica in [&one, &other] {
            tell(replica).await;
            assert!(replica.find(&id, "ada", NOW).await.unwrap().is_none());
        }
        let [third, _] = [Sessions::new(one.store.clone()), other];
        assert!(third.find(&id, "ada", NOW).await.unwrap().is_none());
    }
}
