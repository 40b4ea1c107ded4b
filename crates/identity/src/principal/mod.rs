//! IAM identities: who holds an access key, with which policies, and the sessions of roles and users.
//!
//! What the store says of a key is remembered until anything in IAM changes, so that a signed call costs no query. A
//! session is not kept anywhere: its token is the session, sealed (`session.rs`).

mod service;
mod session;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{
    AccessKeyId, AccessKeyStatus, AccessKeyUse, AccountId, Arn, Caller, Clock, Document, Holder, Principal,
    Region, Secret, SessionFacts, Timestamp,
};
use iam::{Context, Named, Policy, PolicyKind, PolicySets, Requester};
use store::{Store, StoreError, Tx};

pub use service::{NoSession, ServiceRole};
pub use session::{Credentials, Lasts, issue, issue_again};

/// How many identities are remembered at most.
const MOST: usize = 10_000;
/// How long a use of a key stands for those that follow.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// All identities that can sign.
pub struct Principals {
    store: Store,
    clock: Arc<dyn Clock>,
    known: Mutex<Remembered>,
    /// When the last use of a lasting key was written down.
    noted: Mutex<HashMap<AccessKeyId, Timestamp>>,
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
    /// The policies of the user and its groups, or of the role.
    pub policies: Vec<Named>,
    /// The permissions boundary of the user or the role.
    pub boundary: Option<Named>,
    /// The tags of the user or the role.
    pub tags: BTreeMap<String, String>,
    /// The policies that narrow its session; `None` where nothing does.
    pub session_policies: Option<Vec<Named>>,
}

impl Identity {
    /// The condition keys that its requests have because of who it is. Tags of its session stand before those of the
    /// user or the role.
    #[must_use]
    pub fn conditions(&self) -> Context {
        Context::of(&Requester::Iam(&self.caller)).with_tags("aws:PrincipalTag", &self.tags)
    }

    /// The policies that have a say about it, beside that of the resource.
    #[must_use]
    pub fn sets<'a>(&'a self, resource: Option<&'a Named>) -> PolicySets<'a> {
        PolicySets {
            identity: &self.policies,
            boundary: self.boundary.as_ref(),
            session: self.session_policies.as_deref(),
            resource,
        }
    }
}

/// What belongs to a user or a role: its policies, its boundary, its tags.
#[derive(Default)]
pub struct Permissions {
    /// Its policies, written into it and attached to it, and those of its groups.
    pub policies: Vec<Named>,
    /// Its permissions boundary.
    pub boundary: Option<Named>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Permissions {
    /// The condition keys that the requests of a session have because of whose it is.
    #[must_use]
    pub fn conditions(&self, caller: &Caller) -> Context {
        Context::of(&Requester::Iam(caller)).with_tags("aws:PrincipalTag", &self.tags)
    }

    /// The policies that have a say about it, beside that of the resource.
    #[must_use]
    pub fn sets<'a>(&'a self, resource: Option<&'a Named>) -> PolicySets<'a> {
        PolicySets { identity: &self.policies, boundary: self.boundary.as_ref(), session: None, resource }
    }
}

impl Principals {
    /// The identities in `store`.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, known: Mutex::default(), noted: Mutex::default() }
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

    /// Writes down that a lasting key was used, once a minute at most. A use that cannot be written down is no reason to
    /// refuse a call.
    pub async fn note_use(&self, identity: &Identity, now: Timestamp, service: &str, region: &Region) {
        let key = &identity.caller.access_key;
        if key.is_temporary() {
            return;
        }
        {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.get(key).is_some_and(|last| now < last.plus(NOTED_EVERY)) {
                return;
            }
            if noted.len() >= MOST {
                noted.clear();
            }
            noted.insert(key.clone(), now);
        }
        let last = AccessKeyUse { at: now, service: service.to_owned(), region: region.to_string() };
        if let Err(error) = self.store.note_access_key_use(key, &last).await {
            tracing::warn!(%error, "The last use of an access key cannot be written down.");
        }
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
                let own = permissions_behind(&mut tx, &caller).await?;
                identity(session_policies(&mut tx, &caller).await?, caller, secret, own)
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
    let (principal, own) = match &key.holder {
        Holder::User(name) => {
            let user = tx.user(&key.account, name).await?.ok_or(PrincipalError::Unknown)?;
            let own = permissions_of(tx, &key.account, &key.holder).await?;
            (Principal::User { name: user.name, path: user.path, id: user.id }, own)
        }
        Holder::Root => (Principal::Root, Permissions::default()),
        // A role has sessions, and no lasting key; a group has members.
        Holder::Role(_) | Holder::Group(_) => return Err(PrincipalError::Unknown),
    };
    let caller = Caller {
        account: key.account,
        principal,
        access_key: key.id,
        session_policies: Vec::new(),
        issued_at: None,
        expires_at: None,
        session: SessionFacts::default(),
    };
    Ok(identity(None, caller, key.secret, own))
}

fn identity(
    session_policies: Option<Vec<Named>>,
    caller: Caller,
    secret: Secret,
    Permissions { policies, boundary, tags }: Permissions,
) -> Identity {
    Identity { caller, secret, policies, boundary, tags, session_policies }
}

/// What belongs to the role or the user behind a session, if it is still the one that the session was opened for.
async fn permissions_behind(tx: &mut Tx, caller: &Caller) -> Result<Permissions, PrincipalError> {
    let account = &caller.account;
    let (holder, wanted, present) = match &caller.principal {
        Principal::AssumedRole { role, id, .. } => {
            let present = tx.role(account, role).await?.map(|present| present.id);
            (Holder::Role(role.clone()), id, present)
        }
        Principal::User { name, id, .. } => {
            let present = tx.user(account, name).await?.map(|present| present.id);
            (Holder::User(name.clone()), id, present)
        }
        Principal::Root => return Ok(Permissions::default()),
    };
    if present.as_ref() != Some(wanted) {
        return Err(PrincipalError::Unknown);
    }
    permissions_of(tx, account, &holder).await
}

/// What narrows a session: the policies that came with it, and managed ones as they are now.
async fn session_policies(tx: &mut Tx, caller: &Caller) -> Result<Option<Vec<Named>>, PrincipalError> {
    let given =
        caller.session_policies.iter().map(|document| named("the session policy".to_owned(), document));
    let mut policies = given.collect::<Result<Vec<_>, _>>()?;
    for arn in &caller.session.policies {
        policies.push(limit_of(tx, arn).await?);
    }
    Ok((!policies.is_empty()).then_some(policies))
}

/// What belongs to a user or a role. A boundary that is not there any more allows nothing, as on AWS.
///
/// # Errors
/// [`PrincipalError::Policy`] when a stored policy cannot be read, which then allows nothing.
pub async fn permissions_of(
    tx: &mut Tx,
    account: &AccountId,
    holder: &Holder,
) -> Result<Permissions, PrincipalError> {
    let mut policies = policies_of(tx, account, holder).await?;
    let (boundary, tags) = match holder {
        Holder::User(name) => {
            for group in tx.groups_of(account, name).await? {
                policies.extend(policies_of(tx, account, &Holder::Group(group.name)).await?);
            }
            let user = tx.user(account, name).await?.ok_or(PrincipalError::Unknown)?;
            (user.boundary, user.tags)
        }
        Holder::Role(name) => {
            let role = tx.role(account, name).await?.ok_or(PrincipalError::Unknown)?;
            (role.boundary, role.tags)
        }
        Holder::Root | Holder::Group(_) => (None, BTreeMap::new()),
    };
    let boundary = match boundary {
        Some(arn) => Some(limit_of(tx, &arn).await?),
        None => None,
    };
    Ok(Permissions { policies, boundary, tags })
}

/// A managed policy that limits somebody.
async fn limit_of(tx: &mut Tx, arn: &Arn) -> Result<Named, PrincipalError> {
    /// What is left of a policy that was deleted.
    const NOTHING: &str =
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "NotAction": "*", "Resource": "*"}}"#;
    let document = match tx.managed_policy(arn).await? {
        Some(policy) => policy.document,
        None => Document(NOTHING.to_owned()),
    };
    named(arn.to_string(), &document)
}

/// The policies of a user, a group or a role, written into it and attached to it, compiled.
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

impl PrincipalError {
    /// [`StoreError::outage`], where that is why.
    #[must_use]
    pub fn outage(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.outage(),
            Self::Unknown | Self::Expired | Self::Policy { .. } => None,
        }
    }
}
