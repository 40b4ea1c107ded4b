//! Whether the audit trail is what was written: every chain is walked from what retention closed to its signed end, and held
//! against the checkpoints that are kept outside the database.
//!
//! An event that was changed no longer has its digest; one that is gone leaves a gap in the places; one that was put in has
//! no place, or a place after the end; a tail that is gone leaves the signed end behind, and where that was put back too, a
//! checkpoint. What a crash can have lost was never in a chain, so a crash leaves no finding.

use std::collections::BTreeSet;
use std::iter::Peekable;

use crate::audit_chain::{ChainEnds, ChainHead, Digest, EventRow, HeadKind, PublicKey};
use crate::audit_findings::{Checkpoints, Finding, Fraud, Verified};
use crate::backend::{Row, params};
use crate::{Store, StoreError, Tx};

/// The numbers that events have in their table: whoever reads the trail begins before the first and ends before the last.
const NUMBERS: std::ops::Range<i64> = 1..i64::MAX;
/// How many events are read at once.
const PAGE: i64 = 1_000;

impl Store {
    /// Walks every chain and tells of each finding; answers what was looked at.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn verify_trail(
        &self,
        checkpoints: &dyn Checkpoints,
        mut tell: impl FnMut(Finding),
    ) -> Result<Vec<Verified>, StoreError> {
        // One moment of the database for everything.
        let mut tx = self.read().await?;
        let ends = tx.chain_ends().await?;
        let mut names: BTreeSet<String> = ends.iter().map(|it| it.end.chain.clone()).collect();
        names.extend(checkpoints.chains());
        for row in tx.fetch("SELECT DISTINCT chain FROM audit_events WHERE chain <> ''", params![]).await? {
            names.insert(row.text(0)?);
        }
        let mut verified = Vec::new();
        for name in names {
            let key = self.chain_key(&name)?;
            let known = ends.iter().find(|it| it.end.chain == name).cloned();
            verified.push(tx.verify_chain(&name, key, known, checkpoints.of(&name), &mut tell).await?);
        }
        if !ends.is_empty() {
            tx.find_unchained(&mut tell).await?;
        }
        Ok(verified)
    }
}

impl Tx {
    async fn verify_chain(
        &mut self,
        name: &str,
        key: PublicKey,
        ends: Option<ChainEnds>,
        outside: Box<dyn Iterator<Item = ChainHead> + '_>,
        tell: &mut dyn FnMut(Finding),
    ) -> Result<Verified, StoreError> {
        let mut walk = Walk::begin(name, key, ends, outside, tell);
        // Whoever tampers chooses places and numbers: none is so small that it is not looked at.
        let mut after = None;
        loop {
            let rows = match after {
                None => {
                    let sql = "SELECT place, seq, time, account, region, kind, document, digest FROM audit_events \
                               WHERE chain <> '' AND chain = $1 ORDER BY place, seq LIMIT $2";
                    self.fetch(sql, params![name, PAGE]).await?
                }
                Some((place, seq)) => {
                    let sql = "SELECT place, seq, time, account, region, kind, document, digest FROM audit_events \
                               WHERE chain <> '' AND chain = $1 AND (place, seq) > ($2, $3) \
                               ORDER BY place, seq LIMIT $4";
                    self.fetch(sql, params![name, place, seq, PAGE]).await?
                }
            };
            for row in &rows {
                after = Some((row.int(0)?, row.int(1)?));
                walk.step(row)?;
            }
            if rows.is_empty() {
                return Ok(walk.end());
            }
        }
    }

    /// Events without a chain, where there are chains: nobody but a server writes events, and a server chains them.
    async fn find_unchained(&mut self, tell: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let rows = match after {
                None => {
                    let sql = "SELECT seq, document FROM audit_events WHERE chain = '' ORDER BY seq LIMIT $1";
                    self.fetch(sql, params![PAGE]).await?
                }
                Some(seq) => {
                    let sql = "SELECT seq, document FROM audit_events WHERE chain = '' AND seq > $1 \
                               ORDER BY seq LIMIT $2";
                    self.fetch(sql, params![seq, PAGE]).await?
                }
            };
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                let seq = row.int(0)?;
                after = Some(seq);
                tell(Finding {
                    fraud: Fraud::Inserted,
                    chain: String::new(),
                    place: None,
                    seq: Some(seq),
                    event: event_id(&row.text(1)?),
                    detail: "it belongs to no chain".to_owned(),
                });
            }
        }
    }
}

/// One chain, on the way from its beginning to its end.
struct Walk<'a> {
    name: &'a str,
    key: PublicKey,
    ends: Option<ChainEnds>,
    outside: Peekable<Box<dyn Iterator<Item = ChainHead> + 'a>>,
    /// The place up to which the last checkpoint agreed.
    agreed: i64,
    checkpoint: Option<i64>,
    closed_outside: i64,
    events: i64,
    place: i64,
    seq: i64,
    digest: Digest,
    tell: &'a mut dyn FnMut(Finding),
}

impl<'a> Walk<'a> {
    fn begin(
        name: &'a str,
        key: PublicKey,
        ends: Option<ChainEnds>,
        outside: Box<dyn Iterator<Item = ChainHead> + 'a>,
        tell: &'a mut dyn FnMut(Finding),
    ) -> Self {
        let closed = ends.as_ref().map(|it| it.closed.clone());
        let (place, digest) = closed.map_or((0, Digest::origin(name)), |it| (it.place, it.digest));
        let mut walk = Self {
            name,
            key,
            ends,
            outside: outside.peekable(),
            agreed: place,
            checkpoint: None,
            closed_outside: 0,
            events: 0,
            place,
            seq: i64::MIN,
            digest,
            tell,
        };
        match walk.ends.clone() {
            None => walk.find(
                Fraud::Removed,
                None,
                "the database knows nothing of this chain's end: its row in audit_chains is gone".to_owned(),
            ),
            Some(ends) => {
                if !key.signed(&ends.closed) {
                    let detail = format!(
                        "what says that retention closed it up to place {place} is not signed with the chain's key"
                    );
                    walk.find(Fraud::Forged, None, detail);
                }
                if !key.signed(&ends.end) {
                    let detail =
                        format!("its end at place {} is not signed with the chain's key", ends.end.place);
                    walk.find(Fraud::Forged, None, detail);
                }
                walk.hold(place, digest, None);
            }
        }
        walk
    }

    fn step(&mut self, row: &Row) -> Result<(), StoreError> {
        let (place, seq, time) = (row.int(0)?, row.int(1)?, row.int(2)?);
        let (account, region, kind, document) = (row.text(3)?, row.text(4)?, row.text(5)?, row.text(6)?);
        let named = (place, seq, event_id(&document));
        self.events += 1;
        let end = self.ends.as_ref().map(|ends| (ends.closed.place, ends.end.place));
        if let Some((closed, end)) = end {
            if place <= closed {
                self.find(
                    Fraud::Inserted,
                    Some(named),
                    format!("retention closed the chain up to place {closed}"),
                );
                return Ok(());
            }
            if place > end {
                self.find(Fraud::Inserted, Some(named), format!("the chain's signed end is at place {end}"));
                return Ok(());
            }
        }
        if place <= self.place {
            let detail = "another event has its place".to_owned();
            self.find(Fraud::Inserted, Some(named), detail);
            return Ok(());
        }
        let mut before = Some(self.digest);
        if place != self.place + 1 {
            self.gone(self.place + 1, place - 1, &named);
            before = self.checkpoint_at(place - 1);
        }
        if !NUMBERS.contains(&seq) {
            let detail =
                format!("its number in the table, {seq}, is none that is given, and readers pass over it");
            self.find(Fraud::Reordered, Some(named.clone()), detail);
        } else if seq <= self.seq {
            let detail = format!(
                "its number in the table, {seq}, is not after that of the event before it, {}",
                self.seq
            );
            self.find(Fraud::Reordered, Some(named.clone()), detail);
        }
        let covered = EventRow { time, account: &account, region: &region, kind: &kind, document: &document };
        let right = before.map(|before| before.then(self.name, place, &covered));
        let stored = row.maybe_bytes(7)?.and_then(|bytes| Digest::read(&bytes));
        if right.is_some() && right != stored {
            let detail = "it and its digest do not follow from the event before: it was changed, or the one before it was changed together with its digest";
            self.find(Fraud::Edited, Some(named.clone()), detail.to_owned());
        }
        self.digest = stored.or(right).unwrap_or(self.digest);
        (self.place, self.seq) = (place, seq);
        self.hold(place, self.digest, Some(&named));
        Ok(())
    }

    fn end(mut self) -> Verified {
        let (mut closed, mut end) = (0, self.place);
        if let Some(ends) = self.ends.clone() {
            (closed, end) = (ends.closed.place, ends.end.place);
            if self.place < end {
                let detail = format!("places {} to {end} are missing from its end", self.place + 1);
                self.find_at(Fraud::Truncated, self.place + 1, detail);
            } else if ends.end.digest != self.digest {
                let detail = "its signed end has another digest than its last event: the last event was changed together with its digest";
                self.find_at(Fraud::Edited, self.place, detail.to_owned());
            }
            if self.closed_outside > closed {
                let detail = format!(
                    "a checkpoint says that retention had closed it up to place {}, and the database says {closed}",
                    self.closed_outside
                );
                self.find_at(Fraud::SetBack, closed, detail);
            }
        }
        let mut beyond: Option<ChainHead> = None;
        while let Some(checkpoint) = self.next_checkpoint(i64::MAX) {
            if checkpoint.place > end && beyond.as_ref().is_none_or(|it| it.place < checkpoint.place) {
                beyond = Some(checkpoint);
            }
        }
        if let Some(ChainHead { place, time, .. }) = beyond {
            let detail = format!(
                "a checkpoint outside the database says that it had reached place {place} with an event of {time}, and it ends at place {end}"
            );
            self.find_at(Fraud::Truncated, end + 1, detail);
        }
        let Self { name, key, events, checkpoint, .. } = self;
        Verified { chain: name.to_owned(), key, events, closed, end, checkpoint }
    }

    /// Holds what the database has at a place against the checkpoints up to there.
    fn hold(&mut self, place: i64, digest: Digest, named: Option<&Named>) {
        while let Some(checkpoint) = self.next_checkpoint(place) {
            if checkpoint.place == place {
                if checkpoint.digest == digest {
                    self.agreed = place;
                } else {
                    let detail = format!(
                        "a checkpoint outside the database has another digest for place {place}: an event of the places {} to {place} was changed, and the digests after it were made anew",
                        self.agreed + 1
                    );
                    self.find(Fraud::Edited, named.cloned(), detail);
                }
            }
        }
    }

    /// The next checkpoint that is not about a later place than this one. One about an earlier place than its forerunner
    /// shows that the database was put back.
    fn next_checkpoint(&mut self, up_to: i64) -> Option<ChainHead> {
        loop {
            if self.outside.peek()?.place > up_to {
                return None;
            }
            let checkpoint = self.outside.next()?;
            if !self.key.signed(&checkpoint) {
                let detail = format!(
                    "a checkpoint outside the database about place {} is not signed with the chain's key",
                    checkpoint.place
                );
                self.find_at(Fraud::Forged, checkpoint.place, detail);
                continue;
            }
            if checkpoint.kind == HeadKind::Closed {
                self.closed_outside = self.closed_outside.max(checkpoint.place);
                continue;
            }
            if let Some(former) = self.checkpoint.filter(|former| *former > checkpoint.place) {
                let detail = format!(
                    "after a checkpoint about place {former} comes one about place {}",
                    checkpoint.place
                );
                self.find_at(Fraud::SetBack, checkpoint.place, detail);
            }
            self.checkpoint = Some(checkpoint.place);
            return Some(checkpoint);
        }
    }

    /// What a checkpoint says of a place whose event is gone.
    fn checkpoint_at(&mut self, place: i64) -> Option<Digest> {
        let mut found = None;
        while let Some(checkpoint) = self.next_checkpoint(place) {
            if checkpoint.place == place {
                found = Some(checkpoint.digest);
            }
        }
        found
    }

    fn gone(&mut self, first: i64, last: i64, before: &Named) {
        let what = if first == last {
            format!("the event at place {first} is missing")
        } else {
            format!("the events at places {first} to {last} are missing")
        };
        let event = before.2.as_deref().unwrap_or("?");
        let detail = format!("{what}, before the event {event} with number {}", before.1);
        self.find_at(Fraud::Removed, first, detail);
    }

    fn find(&mut self, fraud: Fraud, named: Option<Named>, detail: String) {
        let (place, seq, event) = match named {
            Some((place, seq, event)) => (Some(place), Some(seq), event),
            None => (None, None, None),
        };
        (self.tell)(Finding { fraud, chain: self.name.to_owned(), place, seq, event, detail });
    }

    fn find_at(&mut self, fraud: Fraud, place: i64, detail: String) {
        let chain = self.name.to_owned();
        (self.tell)(Finding { fraud, chain, place: Some(place), seq: None, event: None, detail });
    }
}

/// An event's place, number and id.
type Named = (i64, i64, Option<String>);

/// The id that an event has by its row, which may be anything by now.
fn event_id(document: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_str(document).ok()?;
    let id = document.get("eventId")?.as_str()?;
    Some(id.chars().take(64).collect())
}
