//! IAM identities: who holds an access key, with which policies, and the sessions of roles.
//!
//! What the store says of a key is remembered until anything in IAM changes, so that a signed call costs no query. A
//! session is not kept anywhere: its token is the session, sealed (`session.rs`).

mod session;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{AccessKeyId, AccessKeyStatus, AccountId, Caller, Clock, Document, Holder, Principal, Secret};
use iam::{Named, Policy, PolicyKind};
use store::{Store, StoreError, Tx};

pub use session::{Credentials, Lasts, issue, issue_again};

/// How many identities are remembered at most.
const MOST: usize = 10_000;

/// All identities that can sign.
pub struct Principals {
    store: Store,
    clock: Arc<dyn Clock>,
    known: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    /// Counts how often everything was forgotten, so that an answer that was read before is not kept after.
    epoch: u64,
    by_key: HashMap<(String, Option<String>), Arc<Identity>>,
}

/// An identity that can sign, with what it may do.
pub struct Identity {
    /// Who it is.
    pub caller: Caller,
    /// What proves it.
    pub secret: Secret,
    /// The policies of the user or the role.
    pub policies: Vec<Named>,
    /// The policies that narrow its session; `None` where nothing does.
    pub session_policies: Option<Vec<Named>>,
}

impl Principals {
    /// The identities in `store`.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, known: Mutex::default() }
    }

    /// The identity behind an access key, and the token that belongs to it if it is a session's.
    ///
    /// # Errors
    /// [`PrincipalError::Unknown`] when there is none, [`PrincipalError::Expired`] when its session has ended.
    pub async fn find(
        &self,
        key: &str,
        session_token: Option<&str>,
    ) -> Result<Arc<Identity>, PrincipalError> {
        let name = (key.to_owned(), session_token.map(str::to_owned));
        let (epoch, remembered) = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            (known.epoch, known.by_key.get(&name).map(Arc::clone))
        };
        let identity = match remembered {
            Some(identity) => identity,
            None => self.read(&AccessKeyId::from_text(key), session_token, epoch, name).await?,
        };
        if identity.caller.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return Err(PrincipalError::Expired);
        }
        Ok(identity)
    }

    /// Whether an access key exists, whatever signed with it: for bounding what strangers may send.
    ///
    /// # Errors
    /// [`PrincipalError::Store`] when the store fails.
    pub async fn is_known(&self, key: &str, session_token: Option<&str>) -> Result<bool, PrincipalError> {
        match self.find(key, session_token).await {
            Ok(_) => Ok(true),
            Err(PrincipalError::Unknown | PrincipalError::Expired) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forgets everything, because something in IAM changed.
    pub fn forget(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.epoch += 1;
        known.by_key.clear();
    }

    async fn read(
        &self,
        key: &AccessKeyId,
        session_token: Option<&str>,
        epoch: u64,
        name: (String, Option<String>),
    ) -> Result<Arc<Identity>, PrincipalError> {
        let identity = match session_token {
            Some(token) => {
                // Before the store is asked anything: a stranger's token must cost nothing but its opening.
                let (caller, secret) = session::open(&self.store, key, token)?;
                let mut tx = self.store.read().await?;
                let policies = session_role_policies(&mut tx, &caller).await?;
                Identity { session_policies: session_policies(&caller)?, caller, secret, policies }
            }
            // The key of a session is worth nothing without its token.
            None if key.is_temporary() => return Err(PrincipalError::Unknown),
            None => lasting(&mut self.store.read().await?, key).await?,
        };
        let identity = Arc::new(identity);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch == epoch {
            if known.by_key.len() >= MOST {
                known.by_key.clear();
            }
            known.by_key.insert(name, Arc::clone(&identity));
        }
        Ok(identity)
    }
}

async fn lasting(tx: &mut Tx, id: &AccessKeyId) -> Result<Identity, PrincipalError> {
    let key = tx.access_key(id).await?.ok_or(PrincipalError::Unknown)?;
    if key.status != AccessKeyStatus::Active {
        return Err(PrincipalError::Unknown);
    }
    let principal = match &key.holder {
        Holder::User(name) => {
            let user = tx.user(&key.account, name).await?.ok_or(PrincipalError::Unknown)?;
            Principal::User { name: user.name, path: user.path, id: user.id }
        }
        Holder::Root => Principal::Root,
        // A role has sessions, and no lasting key.
        Holder::Role(_) => return Err(PrincipalError::Unknown),
    };
    let policies = policies_of(tx, &key.account, &key.holder).await?;
    let caller = Caller {
        account: key.account,
        principal,
        access_key: key.id,
        session_policies: Vec::new(),
        issued_at: None,
        expires_at: None,
    };
    Ok(Identity { caller, secret: key.secret, policies, session_policies: None })
}

/// The policies of the role behind a session, if it is still the role that was assumed.
async fn session_role_policies(tx: &mut Tx, caller: &Caller) -> Result<Vec<Named>, PrincipalError> {
    let Principal::AssumedRole { role, id, .. } = &caller.principal else {
        return Err(PrincipalError::Unknown);
    };
    let present = tx.role(&caller.account, role).await?;
    if present.is_none_or(|present| present.id != *id) {
        return Err(PrincipalError::Unknown);
    }
    policies_of(tx, &caller.account, &Holder::Role(role.clone())).await
}

fn session_policies(caller: &Caller) -> Result<Option<Vec<Named>>, PrincipalError> {
    if caller.session_policies.is_empty() {
        return Ok(None);
    }
    let policies =
        caller.session_policies.iter().map(|document| named("the session policy".to_owned(), document));
    policies.collect::<Result<_, _>>().map(Some)
}

/// The policies of a user or a role, written into it and attached to it, compiled.
///
/// # Errors
/// [`PrincipalError::Policy`] when a stored policy cannot be read, which then allows nothing.
pub async fn policies_of(
    tx: &mut Tx,
    account: &AccountId,
    holder: &Holder,
) -> Result<Vec<Named>, PrincipalError> {
    let mut policies = Vec::new();
    for (name, document) in tx.inline_policies(account, holder).await? {
        policies.push(named(
            format!("the inline policy {name} of {} {}", holder.kind(), holder.name()),
            &document,
        )?);
    }
    for policy in tx.attached_policies(account, holder).await? {
        policies.push(named(policy.arn.to_string(), &policy.document)?);
    }
    Ok(policies)
}

fn named(name: String, document: &Document) -> Result<Named, PrincipalError> {
    match Policy::parse(&document.0, PolicyKind::Identity) {
        Ok(policy) => Ok(Named { name, policy: Arc::new(policy) }),
        Err(error) => Err(PrincipalError::Policy { name, detail: error.to_string() }),
    }
}

/// Why an identity is not known.
#[derive(Debug, thiserror::Error)]
pub enum PrincipalError {
    /// Nobody active holds this key, or the token is not of this key.
    #[error("the access key is not known")]
    Unknown,
    /// The session has ended.
    #[error("the session has ended")]
    Expired,
    /// A stored policy cannot be read.
    #[error("{name} cannot be read: {detail}")]
    Policy {
        /// Which policy.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
