//! Clients whose id is the address of their metadata (draft-ietf-oauth-client-id-metadata-document): the document is
//! fetched, held against its address, and remembered for a while.
//!
//! Whoever asks for a sign-in names the address, so nothing is dialled that the pool's administrators did not name, or that
//! has no public address; little is read, few are asked at once, and nobody learns why a document could not be had.

use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::{Clock, DocumentHosts, Timestamp};
use egress::{Client, EgressError};
use quick_cache::sync::Cache;
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use super::client_metadata::ClientMetadata;

/// The longest address, in bytes.
const LONGEST_ADDRESS: usize = 2_000;
/// The largest document that is read, in bytes (the draft recommends 5 KB).
const MAX_DOCUMENT: usize = 10 * 1024;
/// How long one document may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a document is used without a question.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// How long it is used when it cannot be had again.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after a failure the next attempt waits.
const FAILURE_PAUSE: Duration = Duration::from_secs(30);
/// How many documents are remembered.
const REMEMBERED: usize = 256;
/// How many are fetched at once, and in a minute.
const AT_ONCE: usize = 4;
const A_MINUTE: u32 = 60;

/// Reads client metadata documents.
pub struct ClientDocuments {
    /// For hosts that administrators name, which may be private ones that the configuration allows.
    client: Client,
    /// For all others.
    public: Client,
    clock: Arc<dyn Clock>,
    known: Cache<String, Kept>,
    turns: Semaphore,
    window: Mutex<(i64, u32)>,
}

#[derive(Clone)]
struct Kept {
    metadata: Option<Arc<ClientMetadata>>,
    /// When that was fetched.
    fetched: Timestamp,
    /// When it was last asked for.
    asked: Timestamp,
}

/// Why a client's metadata cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DocumentError {
    /// The pool does not let clients of this host in.
    NotAllowed,
    /// There is none, or none that is sound.
    Unusable,
    /// Too many are asked for.
    Busy,
}

impl DocumentError {
    /// What a person is told, who may be a stranger.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::NotAllowed => "The application that sent you here is not known.",
            Self::Unusable => {
                "What the application says of itself (client_id) cannot be read, or is not sound."
            }
            Self::Busy => "Too many applications are asked about. Try again in a minute.",
        }
    }
}

impl ClientDocuments {
    /// A reader that keeps to what `client` may dial.
    ///
    /// # Errors
    /// [`EgressError::Tls`] when TLS cannot be set up.
    pub fn new(client: Client, clock: Arc<dyn Clock>) -> Result<Self, EgressError> {
        let public = Client::new(egress::Reach::default())?;
        Ok(Self {
            client,
            public,
            clock,
            known: Cache::new(REMEMBERED),
            turns: Semaphore::new(AT_ONCE),
            window: Mutex::default(),
        })
    }

    /// The metadata of a client, by its id.
    pub(super) async fn read(
        &self,
        hosts: &DocumentHosts,
        id: &str,
    ) -> Result<Arc<ClientMetadata>, DocumentError> {
        let url = address(id).ok_or(DocumentError::Unusable)?;
        let client = match hosts {
            DocumentHosts::None => return Err(DocumentError::NotAllowed),
            DocumentHosts::Any => &self.public,
            DocumentHosts::Named(hosts) if hosts.contains(&authority(&url)) => &self.client,
            DocumentHosts::Named(_) => return Err(DocumentError::NotAllowed),
        };
        let now = self.clock.now();
        // What was had from a host that one pool names is nothing to a pool that lets public hosts in.
        let key = format!("{} {id}", if *hosts == DocumentHosts::Any { "public" } else { "named" });
        let known = self.known.get(&key);
        if let Some(kept) = &known {
            match &kept.metadata {
                Some(metadata) if now.since(kept.fetched) < FRESH => return Ok(Arc::clone(metadata)),
                metadata if now.since(kept.asked) < FAILURE_PAUSE => {
                    return metadata.clone().ok_or(DocumentError::Unusable);
                }
                _ => {}
            }
        }
        let former = known.filter(|kept| kept.metadata.is_some() && now.since(kept.fetched) < STALE);
        let fetched = self.fetch(client, id, former.is_some(), now).await;
        if fetched == Err(DocumentError::Busy) {
            return former.and_then(|kept| kept.metadata).ok_or(DocumentError::Busy);
        }
        let kept = match (&fetched, former) {
            (Ok(metadata), _) => Kept { metadata: Some(Arc::clone(metadata)), fetched: now, asked: now },
            (Err(_), Some(former)) => Kept { asked: now, ..former },
            (Err(_), None) => Kept { metadata: None, fetched: now, asked: now },
        };
        self.known.insert(key, kept.clone());
        kept.metadata.ok_or(DocumentError::Unusable)
    }

    async fn fetch(
        &self,
        client: &Client,
        id: &str,
        is_known: bool,
        now: Timestamp,
    ) -> Result<Arc<ClientMetadata>, DocumentError> {
        let _turn = self.turns.try_acquire().map_err(|_| DocumentError::Busy)?;
        // Whoever asks for many that nobody knows does not shut out those who are known.
        if !is_known && !self.may_fetch(now) {
            return Err(DocumentError::Busy);
        }
        let body = client.fetch(id, MAX_DOCUMENT, PATIENCE).await.map_err(|error| {
            tracing::info!(client.id = %id, %error, "A client's metadata document cannot be fetched.");
            DocumentError::Unusable
        })?;
        let read = strict_json::parse(&body).map_err(|_| "it is no JSON").and_then(|body| sound(id, &body));
        read.map(Arc::new).map_err(|why| {
            tracing::info!(client.id = %id, error = why, "A client's metadata document is not sound.");
            DocumentError::Unusable
        })
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        let minute = now.seconds() / 60;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.0 != minute {
            *window = (minute, 0);
        }
        window.1 += 1;
        window.1 <= A_MINUTE
    }
}

/// Whether a client's id is the address of its metadata.
pub(super) fn is_address(id: &str) -> bool {
    id.starts_with("https://")
}

/// The address that a client's id is (draft, section 3): `https`, with a path, and written in the one way that it has, so
/// that two ids never mean one document.
fn address(id: &str) -> Option<Url> {
    if id.len() > LONGEST_ADDRESS || !is_address(id) {
        return None;
    }
    let url = Url::parse(id).ok()?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (plain && url.path() != "/" && url.as_str() == id).then_some(url)
}

/// The host of an address, with its port where that is not 443.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Holds a document against its address (draft, section 4.1).
fn sound(id: &str, document: &Value) -> Result<ClientMetadata, &'static str> {
    if document.get("client_id").and_then(Value::as_str) != Some(id) {
        return Err("its client_id is not its address");
    }
    if document.get("client_secret").is_some() || document.get("client_secret_expires_at").is_some() {
        return Err("it has a client_secret, which everybody can read");
    }
    match document.get("token_endpoint_auth_method") {
        None | Some(Value::Null) => {}
        Some(method) if method == "none" => {}
        Some(_) => return Err("its token_endpoint_auth_method is not none"),
    }
    ClientMetadata::read(document).map_err(|error| error.told().1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_is_an_address_that_is_written_in_one_way() {
        for good in ["https://app.example/client.json", "https://app.example:8443/a/b?c=d"] {
            assert!(address(good).is_some(), "{good}");
        }
        for bad in [
            "http://app.example/client.json",
            "https://app.example",
            "https://app.example/",
            "https://app.example/a/../client.json",
            "https://app.example/client.json#x",
            "https://me@app.example/client.json",
            "https://APP.example/client.json",
            "https://app.example:443/client.json",
            "https://0x7f.1/client.json",
        ] {
            assert!(address(bad).is_none(), "{bad}");
        }
        assert_eq!(authority(&Url::parse("https://app.example:8443/x").unwrap()), "app.example:8443");
    }

    #[test]
    fn a_document_says_its_own_address_and_no_secret() {
        let id = "https://app.example/client.json";
        let document =
            json!({ "client_id": id, "client_name": "App", "redirect_uris": ["https://app.example/cb"] });
        assert_eq!(sound(id, &document).unwrap().name, "App");
        let with = |name: &str, value: Value| {
            let mut changed = document.clone();
            changed[name] = value;
            sound(id, &changed)
        };
        assert!(with("client_id", json!("https://app.example/client")).is_err());
        assert!(with("client_secret", json!("s")).is_err());
        assert!(with("token_endpoint_auth_method", json!("client_secret_post")).is_err());
        assert!(with("token_endpoint_auth_method", json!("none")).is_ok());
        assert!(with("redirect_uris", json!(["http://app.example/cb"])).is_err());
    }
}
