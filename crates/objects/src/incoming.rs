//! A body on its way in: bounded in size and time, proven against its signature, its encoding taken off.

use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use crate::authenticate::Payload;
use crate::authorize::Call;
use crate::aws_chunked::Decoder;
use crate::fault::{Failure, Fault};

/// How long the next bytes of a body may take.
const IDLE: Duration = Duration::from_secs(30);
/// How long a whole body may take; shorter than what is not kept is left unswept.
pub(crate) const WHOLE: Duration = Duration::from_secs(30 * 60);

/// A body on its way in.
pub(crate) struct Incoming<B> {
    body: B,
    proof: Proof,
    /// What came and was not yet given out.
    waiting: Bytes,
    /// How many bytes must still come.
    left: u64,
    until: Instant,
}

enum Proof {
    Unsigned,
    Signed { expected: String, hash: digest::Context },
    Chunked(Box<Decoder>),
}

impl<B> Incoming<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    /// A body of at most `limit` bytes; how many they are must be said beforehand.
    pub(crate) fn new(call: &Call<'_>, body: B, payload: Payload, limit: u64) -> Result<Self, Failure> {
        let header = match &payload {
            Payload::Chunked { .. } => "x-amz-decoded-content-length",
            Payload::Signed(_) | Payload::Unsigned => "content-length",
        };
        let known = call.header(header).map(str::parse::<u64>);
        let declared = match (known, body.size_hint().exact()) {
            (Some(Ok(declared)), _) => declared,
            (None, Some(exact)) if !matches!(payload, Payload::Chunked { .. }) => exact,
            _ => {
                return Err(Failure::new(
                    "MissingContentLength",
                    format!("You must provide the {header} HTTP header."),
                ));
            }
        };
        if declared > limit {
            return Err(Fault::new(
                "EntityTooLarge",
                "Your proposed upload exceeds the maximum allowed size",
            )
            .with("ProposedSize", declared.to_string())
            .with("MaxSizeAllowed", limit.to_string())
            .into());
        }
        let proof = match payload {
            Payload::Unsigned => Proof::Unsigned,
            Payload::Signed(expected) => {
                Proof::Signed { expected, hash: digest::Context::new(&digest::SHA256) }
            }
            Payload::Chunked { signatures, trailer } => {
                Proof::Chunked(Box::new(Decoder::new(signatures, trailer)))
            }
        };
        Ok(Self { body, proof, waiting: Bytes::new(), left: declared, until: Instant::now() + WHOLE })
    }

    /// The next piece; `None` at the end of a body that is whole and proven. Until then nothing may be made of it.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if !self.waiting.is_empty() {
                let piece = match &mut self.proof {
                    Proof::Chunked(decoder) => decoder.decode(&mut self.waiting)?,
                    Proof::Unsigned | Proof::Signed { .. } => Some(std::mem::take(&mut self.waiting)),
                };
                if let Some(piece) = piece {
                    self.left = self.left.checked_sub(piece.len() as u64).ok_or_else(incomplete)?;
                    if let Proof::Signed { hash, .. } = &mut self.proof {
                        hash.update(&piece);
                    }
                    return Ok(Some(piece));
                }
            }
            match self.receive().await? {
                Some(bytes) => self.waiting = bytes,
                None => return self.end().map(|()| None),
            }
        }
    }

    /// The headers that came after a chunked body.
    pub(crate) fn trailers(&self) -> &[(String, String)] {
        match &self.proof {
            Proof::Chunked(decoder) => &decoder.trailers,
            Proof::Unsigned | Proof::Signed { .. } => &[],
        }
    }

    /// The whole body, for documents.
    pub(crate) async fn whole(mut self) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    async fn receive(&mut self) -> Result<Option<Bytes>, Failure> {
        let slow = || {
            Failure::new(
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the timeout period.",
            )
        };
        let patience = (Instant::now() + IDLE).min(self.until);
        loop {
            let frame = tokio::time::timeout_at(patience, self.body.frame()).await.map_err(|_| slow())?;
            match frame {
                None => return Ok(None),
                // The client broke off.
                Some(Err(_)) => return Err(incomplete()),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data()
                        && !bytes.is_empty()
                    {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    fn end(&mut self) -> Result<(), Failure> {
        match &mut self.proof {
            Proof::Unsigned => {}
            Proof::Signed { expected, hash } => {
                let actual = hex::encode(hash.clone().finish());
                if actual != *expected {
                    return Err(Fault::new(
                        "XAmzContentSHA256Mismatch",
                        "The provided 'x-amz-content-sha256' header does not match what was computed.",
                    )
                    .with("ClientComputedContentSHA256", expected.clone())
                    .with("S3ComputedContentSHA256", actual)
                    .into());
                }
            }
            Proof::Chunked(decoder) => decoder.finish()?,
        }
        if self.left == 0 { Ok(()) } else { Err(incomplete()) }
    }
}

fn incomplete() -> Failure {
    Failure::new(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}
