//! `POST /oauth2/register`: a client registers itself (RFC 7591), where the pool's administrators allow that.
//!
//! Anybody may ask, so what is kept is bounded: so many in a minute, from one address and in all, and so many in a pool, of
//! which those that were never used make room. A client that is not used within a day is forgotten, and one that is not
//! used any more is forgotten with its last refresh token.

use std::time::Duration;

use domain::{ClientId, ClientOrigin, Outcome, PoolClient, Timestamp};
use serde_json::{Value, json};
use store::StoreError;

use super::client_authentication::Refusal;
use super::client_metadata::ClientMetadata;
use super::third_party::{REFRESH_LIFE, third_party};
use super::trail::Trail;
use super::{Provider, TokenAnswer, TokenRequest};

/// The largest registration, in bytes.
const MAX_BODY: usize = 16 * 1024;
/// How many clients of a pool may have registered themselves.
const MOST: i64 = 500;
/// How many may do so in a minute, and from one address.
const A_MINUTE: i64 = 60;
const A_MINUTE_FROM_THERE: i64 = 20;
/// How long a client is kept that is not used.
const UNUSED_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a client that is not used has its place in any case, in seconds: a person may be signing in.
const SAFE_SECONDS: i64 = 15 * 60;

impl Provider {
    /// Registers a client, and leaves its audit event.
    pub async fn register(&self, request: TokenRequest<'_>) -> TokenAnswer {
        let mut trail = Trail::begin(self, "register", request.source_ip.clone(), request.request_id);
        let done = self.try_register(&request, &mut trail).await;
        match done {
            Ok(body) => TokenAnswer { status: 201, body, challenge: false },
            Err((status, refusal)) => {
                let outcome = if refusal.internal { Outcome::Failure } else { Outcome::Refused };
                self.record(trail, Some((refusal.error, &refusal.description, outcome))).await;
                let answer = TokenAnswer::from(refusal);
                TokenAnswer { status: status.unwrap_or(answer.status), ..answer }
            }
        }
    }

    async fn try_register(
        &self,
        request: &TokenRequest<'_>,
        trail: &mut Trail,
    ) -> Result<Value, (Option<u16>, Refusal)> {
        let ours = |error: StoreError| (None, Refusal::from(error));
        let unknown = || (Some(404), Refusal::new("invalid_request", "there is no such pool"));
        let pool = self.find(&request.hint).await.map_err(ours)?.ok_or_else(unknown)?;
        trail.saw_pool(&pool);
        if !pool.third_parties.registration {
            let told =
                "clients cannot register themselves here: ask an administrator of the pool for a client";
            return Err((Some(403), Refusal::new("access_denied", told)));
        }
        let metadata = read(request).map_err(|refusal| (None, refusal))?;
        let now = self.clock.now();
        let origin = ClientOrigin::Registration;
        let client = third_party(ClientId::mint(&*self.random), origin, &metadata, &pool, now);
        let source = request.source_ip.as_deref().unwrap_or_default();
        let mut tx = self.store.begin().await.map_err(ours)?;
        tx.sweep_registrations(now).await.map_err(ours)?;
        let before = |seconds: i64| Timestamp::from_seconds(now.seconds() - seconds);
        let counted = tx.count_registrations(&pool.id, source, before(60)).await.map_err(ours)?;
        let many = "too many clients register themselves: try again in a minute";
        if counted.from_there >= A_MINUTE_FROM_THERE || counted.lately >= A_MINUTE {
            return Err((Some(429), Refusal::new("temporarily_unavailable", many)));
        }
        if counted.all >= MOST {
            let room = tx.make_room_for_registration(&pool.id, before(SAFE_SECONDS)).await.map_err(ours)?;
            if !room {
                return Err((Some(429), Refusal::new("temporarily_unavailable", many)));
            }
        }
        tx.insert_registration(&client, source, now.plus(UNUSED_LIFE)).await.map_err(ours)?;
        trail.client = Some(client.id.to_string());
        self.commit(tx, trail).await.map_err(ours)?;
        Ok(told(&client))
    }
}

/// How long a client that registered itself is kept after a sign-in by it.
pub(super) fn kept_until(now: Timestamp) -> Timestamp {
    now.plus(Duration::from_secs(u64::from(REFRESH_LIFE)))
}

fn read(request: &TokenRequest<'_>) -> Result<ClientMetadata, Refusal> {
    let kind = request.content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("application/json") {
        return Err(Refusal::new("invalid_client_metadata", "Content-Type must be application/json"));
    }
    if request.body.len() > MAX_BODY {
        return Err(Refusal::new("invalid_client_metadata", "the metadata is larger than 16 KiB"));
    }
    let metadata = strict_json::parse(request.body).map_err(|_| {
        Refusal::new("invalid_client_metadata", "the body is no JSON, or names a member twice")
    })?;
    ClientMetadata::read(&metadata).map_err(|error| {
        let (code, why) = error.told();
        Refusal::new(code, why)
    })
}

/// What was registered, which may be less than was asked for (RFC 7591, section 3.2.1).
fn told(client: &PoolClient) -> Value {
    json!({
        "client_id": client.id,
        "client_id_issued_at": client.created_at.seconds(),
        "client_name": client.name,
        "redirect_uris": client.callback_urls,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": client.scopes.join(" "),
    })
}
