//! A bucket of S3, or of anything that speaks it: an object of JSON Lines for each batch.
//!
//! The object's key says which events are in it: `{prefix}{year}/{month}/{day}/{chain}-{first place}-{last place}.jsonl`.
//! A batch that is delivered again has the same key or lies inside of others, so nothing is overwritten by something else.

use std::sync::Arc;
use std::time::Duration;

use aws::sigv4::{Credentials, sign};
use bytes::Bytes;
use domain::{Clock, Region};
use egress::Client;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use store::ChainedEvent;

use super::{SinkError, lines};

/// How much of an answer is read, in bytes.
const ANSWER: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

/// Where objects are put.
#[derive(Clone)]
pub struct S3Place {
    /// The URL of the service, without a path.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// What keys begin with.
    pub prefix: String,
    /// The region that is signed for.
    pub region: Region,
    /// Who signs.
    pub credentials: Credentials,
}

/// A bucket.
pub struct S3Sink {
    place: S3Place,
    client: Client,
    clock: Arc<dyn Clock>,
    chain: String,
}

impl S3Sink {
    /// A bucket for the events of a chain.
    #[must_use]
    pub fn new(place: S3Place, client: Client, clock: Arc<dyn Clock>, chain: &str) -> Self {
        Self { place, client, clock, chain: chain.to_owned() }
    }

    pub(super) async fn deliver(&mut self, events: &[ChainedEvent]) -> Result<(), SinkError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let S3Place { endpoint, bucket, prefix, region, credentials } = &self.place;
        let day: String = first.event.time.to_string().chars().take(10).collect();
        let key =
            format!("{prefix}{}/{}-{}-{}.jsonl", day.replace('-', "/"), self.chain, first.place, last.place);
        let url = format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/'));
        let failed = |why: String| SinkError(format!("{url}: {why}"));
        let body = Bytes::from(lines(events)?);
        let mut request = Request::put(&url)
            .header(CONTENT_TYPE, "application/x-ndjson")
            .body(body)
            .map_err(|error| failed(error.to_string()))?;
        sign(&mut request, credentials, "s3", region, self.clock.now())
            .map_err(|error| failed(error.to_string()))?;
        let answer = self.client.exchange(request.map(Full::new), ANSWER, PATIENCE).await;
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        if answer.status.is_success() {
            return Ok(());
        }
        let told = String::from_utf8_lossy(&answer.body);
        let code = told.split("<Code>").nth(1).and_then(|rest| rest.split("</Code>").next());
        Err(failed(format!("answers {} {}", answer.status.as_u16(), code.unwrap_or_default())))
    }
}
