//! The operations: one file for those that belong together.

mod buckets;
mod copy;
mod delete;
mod get;
mod list;
mod multipart;
mod parts;
mod put;

use bytes::Bytes;
use domain::{Bucket, Object};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use crate::authenticate::Payload;
use crate::authorize::Call;
use crate::fault::{Failure, Fault};
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::outgoing::Body;

/// The largest document that a request may carry: 10,000 parts with their checksums.
const MAX_DOCUMENT: u64 = 4 * 1024 * 1024;

/// Does what a request asks for.
pub(crate) async fn perform<B>(call: &Call<'_>, body: B, payload: Payload) -> Result<Response<Body>, Failure>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    match call.operation {
        Operation::ListBuckets => buckets::list(call).await,
        Operation::CreateBucket => buckets::create(call, body, payload).await,
        Operation::HeadBucket => buckets::head(call).await,
        Operation::DeleteBucket => buckets::delete(call).await,
        Operation::GetBucketLocation => buckets::location(call).await,
        Operation::ListObjects | Operation::ListObjectsV2 => list::objects(call).await,
        Operation::ListMultipartUploads => parts::uploads(call).await,
        Operation::DeleteObjects => delete::many(call, body, payload).await,
        Operation::GetObject | Operation::HeadObject => get::object(call).await,
        Operation::PutObject => put::object(call, body, payload).await,
        Operation::CopyObject => copy::object(call).await,
        Operation::DeleteObject => delete::one(call).await,
        Operation::CreateMultipartUpload => multipart::create(call).await,
        Operation::UploadPart => parts::upload(call, body, payload).await,
        Operation::CompleteMultipartUpload => multipart::complete(call, body, payload).await,
        Operation::AbortMultipartUpload => multipart::abort(call).await,
        Operation::ListParts => parts::list(call).await,
    }
}

/// The document that a request carries.
async fn document<B>(call: &Call<'_>, body: B, payload: Payload) -> Result<Vec<u8>, Failure>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let claims = crate::receive::Claims::of(call)?;
    let incoming = Incoming::new(call, body, payload, MAX_DOCUMENT)?;
    let document = incoming.whole().await?;
    claims.hold_document(&document)?;
    Ok(document)
}

/// Holds the bucket that a transaction finds against the one that was decided about before it. While IAM is asked and
/// bytes come in, a bucket may be deleted, and its name taken by another account: what was allowed on the one is not
/// allowed on the other. Every transaction on what is in a bucket begins with this.
fn still_there(present: Option<&Bucket>, decided: &Bucket) -> Result<(), Failure> {
    if present == Some(decided) {
        return Ok(());
    }
    let fault = Fault::new("NoSuchBucket", "The specified bucket does not exist");
    Err(fault.with("BucketName", decided.name.clone()).into())
}

/// An answer with a document.
fn answered(document: String) -> Response<Body> {
    let mut response = Response::new(Body::whole(document));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// An answer without a body.
fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer about an object that was written: its entity tag and its checksum.
fn written(object: &Object, mut response: Response<Body>) -> Response<Body> {
    if let Ok(etag) = HeaderValue::from_str(&crate::headers::quoted(&object.etag)) {
        response.headers_mut().insert(http::header::ETAG, etag);
    }
    crate::headers::describe_checksum(object, response.headers_mut());
    response
}
