//! Retention: old events are taken away from the beginning of their chain, and the chain is closed up to there by a signed
//! statement of how many they were, when the last of them was, and which digest the rest follows.
//!
//! What is taken away is checked first: a beginning that does not verify stays, because it is evidence.

use domain::{AuditEvent, Timestamp};

use crate::audit_chain::{ChainEnds, ChainHead, Digest, EventRow, digest_at};
use crate::backend::params;
use crate::{Store, StoreError};

/// How many events are taken away in one transaction, so that other writers get their turn.
const TAKEN: i64 = 2_000;

/// What one step of retention did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retired {
    /// So many events were taken away, and the chain is closed up to here.
    Closed {
        /// The place of the first event that was taken away.
        first: i64,
        /// The signed statement.
        closed: ChainHead,
    },
    /// Nothing was taken away: the chain does not verify at this place.
    Kept {
        /// The chain.
        chain: String,
        /// The place.
        place: i64,
    },
}

impl Store {
    /// Takes events away that are older than `before`, a few thousand at most from each chain; answers what was done. `event`
    /// makes the audit event of each step. It is done when the answer has no [`Retired::Closed`].
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; what was taken away until then is gone, and its chain is closed.
    pub async fn retire_events(
        &self,
        before: Timestamp,
        event: impl Fn(i64, &ChainHead) -> AuditEvent,
    ) -> Result<Vec<Retired>, StoreError> {
        let mut done = Vec::new();
        for ends in self.chain_ends().await? {
            done.extend(self.retire_from(&ends.end.chain, before, &event).await?);
        }
        Ok(done)
    }

    async fn retire_from(
        &self,
        name: &str,
        before: Timestamp,
        event: &impl Fn(i64, &ChainHead) -> AuditEvent,
    ) -> Result<Option<Retired>, StoreError> {
        let mut tx = self.begin().await?;
        let ends = tx.chain_ends().await?.into_iter().find(|it| it.end.chain == name);
        let Some(ChainEnds { closed, .. }) = ends else { return Ok(None) };
        if !self.chain_key(name)?.signed(&closed) {
            return Ok(Some(Retired::Kept { chain: name.to_owned(), place: closed.place }));
        }
        let rows = tx
            .fetch(
                "SELECT place, time, account, region, kind, document, digest FROM audit_events \
                 WHERE chain <> '' AND chain = $1 ORDER BY place LIMIT $2",
                params![name, TAKEN],
            )
            .await?;
        let (mut place, mut digest, mut last) = (closed.place, closed.digest, closed.time);
        for row in &rows {
            let time = row.int(1)?;
            if time >= before.millis() {
                break;
            }
            let (account, region, kind, document) = (row.text(2)?, row.text(3)?, row.text(4)?, row.text(5)?);
            let covered =
                EventRow { time, account: &account, region: &region, kind: &kind, document: &document };
            let right: Digest = digest.then(name, place + 1, &covered);
            if row.int(0)? != place + 1 || digest_at(row, 6).ok() != Some(right) {
                return Ok(Some(Retired::Kept { chain: name.to_owned(), place: place + 1 }));
            }
            (place, digest, last) = (place + 1, right, last.max(Timestamp::from_millis(time)));
        }
        if place == closed.place {
            return Ok(None);
        }
        let signer = self.on_chain(name)?;
        let statement = signer.chain().closing(place, last, digest);
        tx.execute(
            "DELETE FROM audit_events WHERE chain <> '' AND chain = $1 AND place <= $2",
            params![name, place],
        )
        .await?;
        tx.change_one(
            "UPDATE audit_chains SET closed_place = $1, closed_time = $2, closed_digest = $3, closed_signature = $4 \
             WHERE name = $5",
            params![place, last.millis(), digest.0.as_slice(), &statement.signature, name],
        )
        .await?;
        let first = closed.place + 1;
        tx.commit(&event(first, &statement)).await?;
        Ok(Some(Retired::Closed { first, closed: statement }))
    }
}
