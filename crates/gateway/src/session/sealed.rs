//! The id of a session: what was agreed, sealed. It opens for the gateway and the caller that it was sealed for alone, so
//! that whoever else has it has nothing.
//!
//! Layout of what is sealed: eight bytes of when it ends (milliseconds since the epoch), sixteen that are random, the
//! capabilities as JSON. The id is the seal in base64 (2025-11-25, "Session Management": visible ASCII alone).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Random, Timestamp};
use mcp::Capabilities;
use store::{Store, StoreError};

/// The longest id that is looked at, in characters: more than capabilities that are kept come to.
const LONGEST: usize = 8 * 1024;

/// What the id of a session says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    /// When it ends.
    pub(super) until: Timestamp,
    /// What its client can do.
    pub(super) capabilities: Capabilities,
}

impl Sealed {
    /// The id of a new session.
    pub(super) fn seal(&self, store: &Store, random: &dyn Random, owner: &str) -> Result<String, StoreError> {
        let mut plain = self.until.millis().to_be_bytes().to_vec();
        let mut own = [0; 16];
        random.fill(&mut own);
        plain.extend_from_slice(&own);
        plain.extend_from_slice(self.capabilities.as_json().as_bytes());
        Ok(URL_SAFE_NO_PAD.encode(store.seal_mcp_session(owner, &plain)?))
    }

    /// What an id says; nothing if it was not sealed for this owner.
    pub(super) fn open(store: &Store, id: &str, owner: &str) -> Option<Self> {
        if id.len() > LONGEST {
            return None;
        }
        let plain = store.open_mcp_session(owner, &URL_SAFE_NO_PAD.decode(id).ok()?).ok()?;
        let (until, rest) = plain.split_first_chunk::<8>()?;
        let (_, capabilities) = rest.split_first_chunk::<16>()?;
        let capabilities = Capabilities::read(std::str::from_utf8(capabilities).ok()?).ok()?;
        Some(Self { until: Timestamp::from_millis(i64::from_be_bytes(*until)), capabilities })
    }
}

/// What a gateway and one of its callers are together, as sessions are sealed for them and rows name them.
pub(super) fn owner(gateway: &str, caller: &str) -> String {
    hash(&format!("{gateway}\n{caller}"))
}

/// How a session is called where others may read it: nobody gets its id from that.
pub(super) fn name(id: &str) -> String {
    hash(id)
}

fn hash(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}
