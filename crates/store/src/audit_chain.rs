//! The hash chain of a replica: every event's digest covers the event and the digest before it, and the end of the chain is
//! signed.
//!
//! An event enters its chain in the transaction that writes it, while the writer has its turn: there is no event without a
//! link, at whatever moment a process dies. The key that signs is derived from the data key, which is sealed by a master
//! key that is not in the database: whoever can only write to the database can make digests, but no signed end. An older
//! end with its signature could be put back, which is what checkpoints outside the database are for: copies of signed
//! ends, as [`ChainHead`] gives them.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use domain::Timestamp;
use sqlx::AssertSqlSafe;

use crate::audit::Entry;
use crate::backend::{Param, Row, batches, numbered_rows, params};
use crate::{Store, StoreError, Tx};

/// What keys of chains are derived for.
pub(crate) const KEYS: &str = "audit_chains";
/// How many events one statement appends at most: enough to spread its cost, few enough for every database's parameters.
const ROWS: usize = 64;
/// How many columns each has.
const COLUMNS: usize = 8;
/// How many events from before the chains are taken in at once.
const TAKEN_IN: i64 = 1_000;

/// The digest of an event and of everything before it in its chain: SHA-256 (FIPS 180-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub(crate) [u8; 32]);

impl Digest {
    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok().map(|()| Self(bytes))
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// What the first event of a chain follows.
    pub(crate) fn origin(chain: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(b"portcullis audit chain 1\n");
        context.update(chain.as_bytes());
        Self::finished(context)
    }

    /// The digest of the event that follows at a place.
    pub(crate) fn then(self, chain: &str, place: i64, row: &EventRow<'_>) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(b"portcullis audit record 1\n");
        context.update(&self.0);
        context.update(&place.to_be_bytes());
        context.update(&row.time.to_be_bytes());
        // Each text after its length, so that none can take over a part of another.
        for text in [chain, row.account, row.region, row.kind, row.document] {
            context.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(text.as_bytes());
        }
        Self::finished(context)
    }

    fn finished(context: Context) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// The columns of an event that its digest covers: all but its place in the table.
pub(crate) struct EventRow<'a> {
    pub(crate) time: i64,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) document: &'a str,
}

/// A chain that this process writes, with its key.
pub(crate) struct Chain {
    name: Arc<str>,
    key: Ed25519KeyPair,
}

impl Chain {
    pub(crate) fn new(name: &str, seed: &[u8]) -> Result<Self, StoreError> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| StoreError::Unsealable)?;
        Ok(Self { name: name.into(), key })
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.key.public_key().as_ref());
        PublicKey(bytes)
    }

    fn head(&self, place: i64, time: Timestamp, digest: Digest) -> ChainHead {
        let mut head = ChainHead {
            chain: self.name.to_string(),
            kind: HeadKind::End,
            place,
            time,
            digest,
            signature: Vec::new(),
        };
        head.signature = self.key.sign(head.signed_text().as_bytes()).as_ref().to_vec();
        head
    }

    pub(crate) fn closing(&self, place: i64, time: Timestamp, digest: Digest) -> ChainHead {
        let mut head = ChainHead { kind: HeadKind::Closed, ..self.head(place, time, digest) };
        head.signature = self.key.sign(head.signed_text().as_bytes()).as_ref().to_vec();
        head
    }
}

/// The key that checks the signatures of a chain (Ed25519, RFC 8032).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(crate) [u8; 32]);

impl PublicKey {
    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Digest::parse(text).map(|digest| Self(digest.0))
    }

    /// Whether this key signed a statement about a chain.
    #[must_use]
    pub fn signed(&self, head: &ChainHead) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        key.verify(head.signed_text().as_bytes(), &head.signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// What a signed statement about a chain says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadKind {
    /// The chain reached this place.
    End,
    /// Retention took everything away up to this place.
    Closed,
}

/// A signed statement about a chain: how far it reached, or how far retention closed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// The chain's name.
    pub chain: String,
    /// What is stated.
    pub kind: HeadKind,
    /// The place of the last event that it is about. The first event has place 1, so this is their number too.
    pub place: i64,
    /// When that event's request arrived.
    pub time: Timestamp,
    /// The digest of that event.
    pub digest: Digest,
    /// The signature over all this.
    pub signature: Vec<u8>,
}

impl ChainHead {
    fn signed_text(&self) -> String {
        let kind = match self.kind {
            HeadKind::End => "end",
            HeadKind::Closed => "closed",
        };
        let Self { chain, place, digest, .. } = self;
        format!("portcullis audit {kind} 1\n{chain}\n{place}\n{}\n{digest}\n", self.time.millis())
    }
}

/// Both statements about a chain that the database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainEnds {
    /// How far it reached.
    pub end: ChainHead,
    /// How far retention closed it; place 0 when it did not.
    pub closed: ChainHead,
}

impl Store {
    /// The same store, whose events go into another chain. Names of chains are 1 to 64 letters, digits, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when no key can be derived for it.
    pub fn on_chain(&self, name: &str) -> Result<Self, StoreError> {
        Ok(self.with_chain(Arc::new(Chain::new(name, &*self.chain_seed(name)?)?)))
    }

    /// The name of the chain that this process writes.
    #[must_use]
    pub fn chain_name(&self) -> &str {
        self.chain().name()
    }

    /// The key that checks the signatures of a chain.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when no key can be derived for it.
    pub fn chain_key(&self, name: &str) -> Result<PublicKey, StoreError> {
        Ok(Chain::new(name, &*self.chain_seed(name)?)?.public_key())
    }

    /// What the database says of its chains, by their names.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn chain_ends(&self) -> Result<Vec<ChainEnds>, StoreError> {
        self.read().await?.chain_ends().await
    }
}

impl Tx {
    /// Appends events to the chain of this process.
    pub(crate) async fn append_linked(&mut self, entries: &[&Entry]) -> Result<(), StoreError> {
        let Some(last) = entries.last() else { return Ok(()) };
        let chain = Arc::clone(self.store().chain());
        let (mut place, mut digest) = self.end_of(&chain).await?;
        for batch in batches(entries, ROWS, !self.store().is_postgres()) {
            let mut links = Vec::with_capacity(batch.len());
            for entry in batch {
                place += 1;
                let row = entry.row();
                digest = digest.then(chain.name(), place, &row);
                links.push((row, entry.document(), place, digest));
            }
            let mut values: Vec<Param<'_>> = Vec::with_capacity(batch.len() * COLUMNS);
            for (row, document, place, digest) in &links {
                values.extend_from_slice(params![
                    row.time,
                    row.account,
                    row.region,
                    row.kind,
                    *document,
                    chain.name(),
                    *place,
                    digest.0.as_slice()
                ]);
            }
            let statement = insert(batch.len(), self.store().is_postgres());
            self.connection().execute(AssertSqlSafe(statement), &values).await?;
        }
        self.put_end(&chain.head(place, last.time(), digest)).await?;
        self.note_appended();
        Ok(())
    }

    /// Where the chain ends, which is made when it is not there. The first chain of a database takes in the events that
    /// were there before there were chains.
    async fn end_of(&mut self, chain: &Chain) -> Result<(i64, Digest), StoreError> {
        let found = self
            .fetch_one("SELECT place, digest FROM audit_chains WHERE name = $1", params![chain.name()])
            .await?;
        if let Some(row) = found {
            return Ok((row.int(0)?, digest_at(&row, 1)?));
        }
        let first = self.fetch_one("SELECT 1 FROM audit_chains LIMIT 1", params![]).await?.is_none();
        let origin = Digest::origin(chain.name());
        let closed = chain.closing(0, Timestamp::default(), origin);
        let end = chain.head(0, Timestamp::default(), origin);
        self.execute(
            "INSERT INTO audit_chains (name, place, time, digest, signature, closed_place, closed_time, closed_digest, \
             closed_signature) VALUES ($1, 0, 0, $2, $3, 0, 0, $2, $4)",
            params![chain.name(), origin.0.as_slice(), &end.signature, &closed.signature],
        )
        .await?;
        if first { self.take_in(chain, origin).await } else { Ok((0, origin)) }
    }

    async fn take_in(&mut self, chain: &Chain, origin: Digest) -> Result<(i64, Digest), StoreError> {
        let (mut place, mut digest) = (0, origin);
        loop {
            let rows = self
                .fetch(
                    "SELECT seq, time, account, region, kind, document FROM audit_events WHERE chain = '' \
                     ORDER BY seq LIMIT $1",
                    params![TAKEN_IN],
                )
                .await?;
            if rows.is_empty() {
                return Ok((place, digest));
            }
            for row in rows {
                let (account, region) = (row.text(2)?, row.text(3)?);
                let (kind, document) = (row.text(4)?, row.text(5)?);
                let time = row.int(1)?;
                place += 1;
                let covered =
                    EventRow { time, account: &account, region: &region, kind: &kind, document: &document };
                digest = digest.then(chain.name(), place, &covered);
                self.change_one(
                    "UPDATE audit_events SET chain = $1, place = $2, digest = $3 WHERE seq = $4",
                    params![chain.name(), place, digest.0.as_slice(), row.int(0)?],
                )
                .await?;
            }
        }
    }

    async fn put_end(&mut self, head: &ChainHead) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE audit_chains SET place = $1, time = $2, digest = $3, signature = $4 WHERE name = $5",
            params![
                head.place,
                head.time.millis(),
                head.digest.0.as_slice(),
                &head.signature,
                head.chain.as_str()
            ],
        )
        .await
    }

    pub(crate) async fn chain_ends(&mut self) -> Result<Vec<ChainEnds>, StoreError> {
        let rows = self
            .fetch(
                "SELECT name, place, time, digest, signature, closed_place, closed_time, closed_digest, \
                 closed_signature FROM audit_chains ORDER BY name",
                params![],
            )
            .await?;
        let head = |row: &Row, kind, at: usize| {
            Ok::<_, StoreError>(ChainHead {
                chain: row.text(0)?,
                kind,
                place: row.int(at)?,
                time: Timestamp::from_millis(row.int(at + 1)?),
                digest: digest_at(row, at + 2)?,
                signature: row.bytes(at + 3)?,
            })
        };
        rows.iter()
            .map(|row| {
                Ok(ChainEnds { end: head(row, HeadKind::End, 1)?, closed: head(row, HeadKind::Closed, 5)? })
            })
            .collect()
    }
}

pub(crate) fn digest_at(row: &Row, at: usize) -> Result<Digest, StoreError> {
    let corrupt =
        || StoreError::Corrupt { table: "audit_chains", detail: "a digest has not 32 bytes".to_owned() };
    Digest::read(&row.bytes(at)?).ok_or_else(corrupt)
}

/// The statement that appends so many rows. It holds nothing but parameters: numbered for PostgreSQL, and not for SQLite,
/// which goes through all numbers for each that it is asked for. And SQLite need not be able to take back a part of a
/// transaction, for which it would copy each page that the statement changes: an error ends all of it. (Of a full disk SQLite
/// ends the transaction itself, and `Database::open_as` replaces the connection.)
fn insert(rows: usize, is_numbered: bool) -> String {
    let (insert, values) = if is_numbered {
        ("INSERT", numbered_rows(rows, COLUMNS))
    } else {
        ("INSERT OR FAIL", vec![format!("({})", ["?"; COLUMNS].join(", ")); rows].join(", "))
    };
    format!(
        "{insert} INTO audit_events (time, account, region, kind, document, chain, place, digest) VALUES {values}"
    )
}
