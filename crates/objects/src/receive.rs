//! Takes in the bytes of an object or a part: into a blob of the store, with everything that the client said about them
//! held against what came.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::{Checksum, RequestId};
use md5::{Digest as _, Md5};
use store::BlobWriter;

use crate::authenticate::Payload;
use crate::authorize::Call;
use crate::checksum::{Algorithm, Hasher};
use crate::fault::{Failure, Fault};
use crate::incoming::Incoming;

/// Bytes that came whole and as they were sent. They are kept by what is made of them.
pub(crate) struct Received {
    pub(crate) writer: BlobWriter,
    /// Their MD5, in hexadecimal: the entity tag.
    pub(crate) etag: String,
    pub(crate) checksum: Option<Checksum>,
}

/// The digests that are made of bytes on their way.
pub(crate) struct Digests {
    md5: Md5,
    checksum: Option<(Algorithm, Hasher)>,
}

impl Digests {
    pub(crate) fn new(algorithm: Option<Algorithm>) -> Self {
        Self { md5: Md5::new(), checksum: algorithm.map(|algorithm| (algorithm, algorithm.hasher())) }
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.md5.update(piece);
        if let Some((_, hasher)) = &mut self.checksum {
            hasher.update(piece);
        }
    }

    /// The MD5, and the checksum.
    pub(crate) fn finish(self) -> (Vec<u8>, Option<Checksum>) {
        let checksum = self.checksum.map(|(algorithm, hasher)| Checksum {
            algorithm: algorithm.name().to_owned(),
            value: hasher.text(),
            composite: false,
        });
        (self.md5.finalize().to_vec(), checksum)
    }
}

/// A new blob.
pub(crate) fn blob(call: &Call<'_>) -> BlobWriter {
    BlobWriter::new(&call.setup.store, RequestId::mint(&*call.setup.random).as_str().to_owned())
}

/// Takes in a body. `algorithm` is the one that a checksum is made by even when the client sends none.
pub(crate) async fn receive<B>(
    call: &Call<'_>,
    body: B,
    payload: Payload,
    algorithm: Option<Algorithm>,
) -> Result<Received, Failure>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let claims = Claims::of(call)?;
    let mut incoming = Incoming::new(call, body, payload, call.setup.limits.object_bytes)?;
    let mut digests = Digests::new(claims.algorithm.or(algorithm));
    let mut writer = blob(call);
    while let Some(piece) = incoming.next().await? {
        digests.update(&piece);
        writer.write(&piece, call.setup.clock.now()).await?;
    }
    let (md5, checksum) = digests.finish();
    claims.hold(&md5, checksum.as_ref(), incoming.trailers())?;
    Ok(Received { writer, etag: hex::encode(md5), checksum })
}

/// What the client says about the body before it comes.
pub(crate) struct Claims {
    md5: Option<String>,
    /// The checksum's algorithm, wherever its value is.
    algorithm: Option<Algorithm>,
    /// Its value, if that is not yet to come.
    value: Option<String>,
}

impl Claims {
    pub(crate) fn of(call: &Call<'_>) -> Result<Self, Failure> {
        let invalid = |message: &str| Failure::new("InvalidRequest", message);
        let mut found = Algorithm::ALL
            .into_iter()
            .filter_map(|algorithm| Some((algorithm, call.header(algorithm.header())?.to_owned())));
        let (first, second) = (found.next(), found.next());
        if second.is_some() {
            return Err(invalid(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        let named = call.header("x-amz-sdk-checksum-algorithm").map(|name| {
            Algorithm::by_name(name)
                .ok_or_else(|| invalid("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"))
        });
        let named = named.transpose()?;
        let trailing = call.header("x-amz-trailer").map(|name| {
            Algorithm::by_header(name.trim())
                .ok_or_else(|| invalid("The value specified in the x-amz-trailer header is not supported"))
        });
        let trailing = trailing.transpose()?;
        if first.is_some() && trailing.is_some() {
            return Err(invalid("Expecting a single x-amz-checksum- header"));
        }
        let algorithm = first.as_ref().map(|(algorithm, _)| *algorithm).or(trailing);
        if let (Some(named), Some(sent)) = (named, algorithm)
            && named != sent
        {
            return Err(invalid("Value for x-amz-sdk-checksum-algorithm header is invalid."));
        }
        Ok(Self {
            md5: call.header("content-md5").map(str::to_owned),
            algorithm: algorithm.or(named),
            value: first.map(|(_, value)| value),
        })
    }

    /// Holds the claims against what came.
    pub(crate) fn hold(
        &self,
        md5: &[u8],
        checksum: Option<&Checksum>,
        trailers: &[(String, String)],
    ) -> Result<(), Failure> {
        if let Some(claimed) = &self.md5 {
            let digest = STANDARD.decode(claimed).ok().filter(|digest| digest.len() == 16);
            let digest = digest
                .ok_or_else(|| Failure::new("InvalidDigest", "The Content-MD5 you specified was invalid."))?;
            if digest != md5 {
                return Err(Fault::new(
                    "BadDigest",
                    "The Content-MD5 you specified did not match what we received.",
                )
                .with("ExpectedDigest", claimed.clone())
                .with("CalculatedDigest", STANDARD.encode(md5))
                .into());
            }
        }
        let Some(algorithm) = self.algorithm else { return Ok(()) };
        let trailing = trailers.iter().find(|(name, _)| name == algorithm.header()).map(|(_, value)| value);
        let Some(claimed) = self.value.as_ref().or(trailing) else { return Ok(()) };
        if checksum.is_some_and(|checksum| checksum.value == *claimed) {
            return Ok(());
        }
        Err(Failure::new(
            "BadDigest",
            format!("The {} you specified did not match the calculated checksum.", algorithm.name()),
        ))
    }
}

impl Claims {
    /// Holds the claims against a document that is in memory.
    pub(crate) fn hold_document(&self, document: &[u8]) -> Result<(), Failure> {
        let mut digests = Digests::new(self.algorithm);
        digests.update(document);
        let (md5, checksum) = digests.finish();
        self.hold(&md5, checksum.as_ref(), &[])
    }
}
