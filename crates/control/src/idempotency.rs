//! Client tokens: the same creation with the same token is done once, and every retry gets what was made the first time
//! (AWS API reference, `clientToken`). A token that comes back with another request is refused.

use std::time::Duration;

use aws::Fault;
use aws_lc_rs::digest;
use domain::Timestamp;
use serde::Serialize;
use store::{Remembered, Tx};

use crate::context::Context;
use crate::fault::Failure;

/// How long a token is remembered.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// A creation that may be a retry.
pub(crate) struct Attempt {
    token: Option<String>,
    fingerprint: String,
}

impl Attempt {
    /// The attempt to do `request`, whose own token was taken out of it. `place` is what the request's path named.
    pub(crate) fn new<T: Serialize>(
        token: Option<String>,
        place: &str,
        request: &T,
    ) -> Result<Self, Failure> {
        let mut whole = place.as_bytes().to_vec();
        whole.push(0);
        serde_json::to_writer(&mut whole, request).map_err(|error| Failure::internal(&error))?;
        let fingerprint = digest::digest(&digest::SHA256, &whole);
        Ok(Self { token, fingerprint: hex::encode(fingerprint) })
    }

    /// The id of what the first attempt made, if this is a retry.
    pub(crate) async fn made_before(
        &self,
        context: &Context,
        tx: &mut Tx,
    ) -> Result<Option<String>, Failure> {
        let Some(token) = &self.token else { return Ok(None) };
        let found = tx.remembered(&context.scope, context.action, token, oldest(context.now)).await?;
        match found {
            Some(found) if found.fingerprint != self.fingerprint => Err(Fault::new(
                "ValidationException",
                "The client token was used before for a request with other parameters. Use a new one.",
            )
            .with_reason("IdempotentParameterMismatchException")
            .into()),
            found => Ok(found.map(|found| found.resource)),
        }
    }

    /// Remembers what this attempt made.
    pub(crate) async fn made(&self, context: &Context, tx: &mut Tx, id: &str) -> Result<(), Failure> {
        if let Some(token) = &self.token {
            let what = Remembered { fingerprint: self.fingerprint.clone(), resource: id.to_owned() };
            tx.remember(&context.scope, context.action, token, &what, (context.now, oldest(context.now)))
                .await?;
        }
        Ok(())
    }
}

fn oldest(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.millis().saturating_sub(i64::try_from(LIFE.as_millis()).unwrap_or(i64::MAX)))
}
