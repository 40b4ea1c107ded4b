//! Rate limits: a request that would be one too many is turned away before anything is looked up for it.
//!
//! All limits of a gateway bind together. In each, the row with the exact values of the request wins over the one with
//! wildcards, and the one with fewer wildcards over the one with more; every value that a wildcard stands for is counted
//! for itself. A request without a target or a tool is not counted by limits that tell those apart; any other value
//! that a request lacks counts as a value of its own, which only `*` meets, so that nobody escapes by leaving it out.
//!
//! Source: "Rate limits" of the AgentCore gateway API (`CreateGatewayRateLimit`); the JSON-RPC code is that of "MCP
//! protocol contract".

mod count;
mod key;
mod lease;
mod quota;
mod share;
mod stage;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use domain::{Clock, LimitEntry, Pace, RateLimit, Timestamp};

pub(crate) use count::Open;
use count::{A_WHILE, Allowance, Counts, Uncounted};
pub(crate) use key::{Facts, Key, claim};
pub use lease::Leases;
pub(crate) use quota::Quotas;
pub use quota::Traffic;
pub(crate) use stage::{body, check, count_request, principal, refuse};

/// How often a request asks for what it lacks: others may have been faster.
const TRIES: usize = 4;

/// The limits of a gateway.
#[derive(Clone, Default)]
pub(crate) struct Limits(Vec<Arc<Limit>>);

/// One limit, and what was counted so far.
struct Limit {
    id: String,
    /// As it was made; a limit that is still the same keeps its counts when the configuration is read again.
    entries: Vec<LimitEntry>,
    dimension_keys: Vec<String>,
    keys: Vec<Key>,
    /// The rows of each number of wildcards, by the values before them.
    rows: Vec<HashMap<Vec<String>, Allowance>>,
    counts: Counts,
}

/// A request that is one too many.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Throttled {
    /// The limit.
    pub(crate) limit: String,
    /// When it is worth another try; `None` when it never is.
    pub(crate) after: Option<Duration>,
}

/// Why a request is not let through yet.
enum Refused<'a> {
    Throttled(Throttled),
    /// One has to be taken first.
    Short(&'a Limit, count::Name, Pace),
}

impl Limits {
    /// The limits of these rows; those that are what they were keep counting. What is counted is shared with other replicas
    /// by `leases`.
    pub(crate) fn of(limits: Vec<RateLimit>, before: Option<&Self>, leases: &Leases) -> Self {
        let same = |limit: &RateLimit| {
            let known = before?.0.iter().find(|known| known.id == limit.id)?;
            let unchanged = known.entries == limit.entries && known.dimension_keys == limit.dimension_keys;
            unchanged.then(|| Arc::clone(known))
        };
        let kept = |limit| same(&limit).unwrap_or_else(|| Arc::new(Limit::new(limit, leases)));
        Self(limits.into_iter().map(kept).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What requests are told apart by.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().flat_map(|limit| &limit.keys)
    }

    /// Counts a request that these facts describe. What it holds open is held until the guards are dropped.
    /// Where other replicas count too, a request may have to wait until one is taken of all of theirs.
    pub(crate) async fn admit(&self, facts: &Facts<'_>, clock: &dyn Clock) -> Result<Vec<Open>, Throttled> {
        let mut lacking = String::new();
        for _ in 0..TRIES {
            match self.count(facts, clock.now()) {
                Ok(open) => return Ok(open),
                Err(Refused::Throttled(throttled)) => return Err(throttled),
                Err(Refused::Short(limit, name, pace)) => {
                    lacking.clone_from(&limit.id);
                    if !limit.counts.take(name, pace).await {
                        break;
                    }
                }
            }
        }
        Err(Throttled { limit: lacking, after: Some(A_WHILE) })
    }

    fn count(&self, facts: &Facts<'_>, now: Timestamp) -> Result<Vec<Open>, Refused<'_>> {
        let mut counted: Vec<(&Limit, count::Counted)> = Vec::new();
        for limit in &self.0 {
            let Some((allowance, name)) = limit.row(facts) else { continue };
            match limit.counts.add(name, allowance, now) {
                Ok(one) => counted.push((limit, one)),
                Err(uncounted) => {
                    // A request that is turned away takes nothing of the other limits.
                    for (other, one) in counted {
                        other.counts.take_back(&one);
                    }
                    return Err(match uncounted {
                        Uncounted::Throttled(after) => {
                            Refused::Throttled(Throttled { limit: limit.id.clone(), after })
                        }
                        Uncounted::Short(name, pace) => Refused::Short(limit, name, pace),
                    });
                }
            }
        }
        Ok(counted.into_iter().filter_map(|(limit, one)| limit.counts.hold(&one)).collect())
    }
}

impl Limit {
    fn new(limit: RateLimit, leases: &Leases) -> Self {
        let counts = Counts::new(tag(&limit), leases);
        let width = limit.dimension_keys.len();
        let mut rows = vec![HashMap::new(); width + 1];
        for entry in &limit.entries {
            let values: Vec<_> = limit
                .dimension_keys
                .iter()
                .map_while(|key| entry.dimensions.get(key).filter(|value| *value != "*").cloned())
                .collect();
            if let Some(rows) = rows.get_mut(width.saturating_sub(values.len())) {
                rows.insert(values, Allowance::of(entry));
            }
        }
        Self {
            id: limit.id,
            keys: limit.dimension_keys.iter().map(|key| Key::parse(key)).collect(),
            entries: limit.entries,
            dimension_keys: limit.dimension_keys,
            rows,
            counts,
        }
    }

    /// The row that is about a request, and what its count is called.
    fn row(&self, facts: &Facts<'_>) -> Option<(&Allowance, count::Name)> {
        let mut values = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            let value = facts.value(key);
            if value.is_none() && key.must_be_there() {
                return None;
            }
            values.push(value);
        }
        for (wild, rows) in self.rows.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let exact = values.get(..self.keys.len().saturating_sub(wild))?;
            if let Some(allowance) = find(rows, exact, &mut Vec::new()) {
                let names = values.iter().map(|value| value.as_ref().and_then(|value| value.first()));
                return Some((allowance, count::name(wild, names)));
            }
        }
        None
    }
}

/// What a limit is called at all replicas: one that is changed is another one, as it is here.
fn tag(limit: &RateLimit) -> count::Name {
    let written =
        serde_json::json!([limit.gateway, limit.id, limit.dimension_keys, limit.entries]).to_string();
    digest(&SHA256, written.as_bytes()).as_ref().try_into().unwrap_or_default()
}

/// The row with these values. A value may be known by several names.
fn find<'r>(
    rows: &'r HashMap<Vec<String>, Allowance>,
    values: &[Option<Vec<String>>],
    so_far: &mut Vec<String>,
) -> Option<&'r Allowance> {
    let Some((first, rest)) = values.split_first() else { return rows.get(so_far) };
    for name in first.as_ref()? {
        so_far.push(name.clone());
        let found = find(rows, rest, so_far);
        so_far.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}

#[cfg(test)]
mod tests;
