//! Rate limits of a gateway: how much each caller, tool or claim may do in a second or a minute.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{GatewayId, Scope, Timestamp};

/// A rate limit (API type `GatewayRateLimitDetail`). All limits of a gateway bind together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Its identifier, unique in its gateway.
    pub id: String,
    /// The gateway it belongs to.
    pub gateway: GatewayId,
    /// Whose it is and where.
    pub scope: Scope,
    /// What people say about it.
    pub description: Option<String>,
    /// What requests are told apart by: `targetName`, `toolName`, `$.context.jwt.sub` and so on. Fixed at creation.
    pub dimension_keys: Vec<String>,
    /// The limits, by the values of the dimensions.
    pub entries: Vec<LimitEntry>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

/// One limit (API type `LimitEntry`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitEntry {
    /// The values that it is about, by dimension; `*` is any, each counted for itself.
    pub dimensions: BTreeMap<String, String>,
    /// How many requests.
    pub requests: Option<Rate>,
    /// How many open connections.
    pub connections: Option<Rate>,
}

/// So many in so long (API type `RateConfig`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// How many, 0 to 10,000,000; 0 lets nothing through.
    pub rate: f64,
    /// In how long.
    pub period: Period,
}

/// A span of time (API type `Period`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Period {
    /// A second.
    Second,
    /// A minute.
    Minute,
}
