//! Calls that wait for their client: an upstream of the former era asked the client for something in the middle of a
//! call, and a client of 2026-07-28 answers by calling again.
//!
//! The call stays open meanwhile. What the client gets as `requestState` is a random name of it; whoever brings it back
//! must be the same caller and ask for the same thing (2026-07-28, "Multi Round-Trip Requests", "Server Requirements").

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use domain::{Random, Timestamp};
use mask::Mask;
use mcp::upstream::Exchange;

/// How long a client may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// The most calls that may wait at once.
const MOST: usize = 1_000;
/// The most of one caller.
const MOST_OF_CALLER: usize = 16;
/// The largest question that is kept, in bytes.
const MAX_QUESTION: usize = 64 * 1024;
/// What our names begin with.
pub(crate) const PREFIX: &str = "portcullis-";

/// All calls that wait.
#[derive(Default)]
pub(crate) struct Suspensions(Mutex<HashMap<String, Suspended>>);

/// A call that waits.
pub(crate) struct Suspended {
    pub(crate) exchange: Exchange,
    /// The id of the request that the upstream made.
    pub(crate) request: String,
    /// Its method.
    pub(crate) method: String,
    /// Its parameters.
    pub(crate) params: Option<String>,
    /// Who calls what with which arguments.
    pub(crate) fingerprint: [u8; 32],
    /// What must not come back of what the upstream was shown.
    pub(crate) mask: Option<Mask>,
    /// Who calls.
    pub(crate) caller: String,
    /// Until when it waits: ten minutes from the question, however often the client comes back without an answer.
    pub(crate) until: Timestamp,
}

/// Until when a call waits that begins to wait now.
pub(crate) fn until(now: Timestamp) -> Timestamp {
    now.plus(PATIENCE)
}

impl Suspensions {
    /// Keeps a call, and names it; `None` when too many wait.
    pub(crate) fn keep(&self, call: Suspended, random: &dyn Random, now: Timestamp) -> Option<String> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|_, call| now < call.until);
        let of_caller = calls.values().filter(|waiting| waiting.caller == call.caller).count();
        let question = call.params.as_ref().map_or(0, String::len);
        if calls.len() >= MOST || of_caller >= MOST_OF_CALLER || question > MAX_QUESTION {
            return None;
        }
        let mut bytes = [0; 24];
        random.fill(&mut bytes);
        let name = format!("{PREFIX}{}", hex::encode(bytes));
        calls.insert(name.clone(), call);
        Some(name)
    }

    /// Lets go of the calls whose clients did not come back.
    pub(crate) fn sweep(&self, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, call| now < call.until);
    }

    /// Takes the call of this name, if it is the caller's and about the same.
    pub(crate) fn take(&self, name: &str, fingerprint: &[u8; 32], now: Timestamp) -> Option<Suspended> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = calls.get(name).is_some_and(|call| now < call.until && call.fingerprint == *fingerprint);
        if fits { calls.remove(name) } else { None }
    }
}

/// What a call that is brought back must agree with.
pub(crate) fn fingerprint(parts: &[&str]) -> [u8; 32] {
    let mut text = String::new();
    for part in parts {
        text.push_str(&format!("{}:{part};", part.len()));
    }
    digest(&SHA256, text.as_bytes()).as_ref().try_into().unwrap_or_default()
}
