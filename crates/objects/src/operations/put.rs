//! PutObject.

use bytes::Bytes;
use domain::Object;
use http::{Response, StatusCode};

use super::{bare, still_there, written};
use crate::authenticate::Payload;
use crate::authorize::Call;
use crate::conditions;
use crate::fault::Failure;
use crate::headers;
use crate::outgoing::Body;
use crate::receive::receive;

pub(super) async fn object<B>(call: &Call<'_>, body: B, payload: Payload) -> Result<Response<Body>, Failure>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let (bucket, authorized) = call.authorize().await?;
    let attributes = headers::attributes(call)?;
    let key = &call.target.key;
    // Looked at twice: before the body comes, so that it need not, and when it is there.
    let present = {
        let mut tx = authorized.read().await?;
        still_there(tx.bucket(&bucket.name).await?.as_ref(), &bucket)?;
        tx.object(&bucket.name, key).await?
    };
    conditions::hold_for_writing(call, present.as_ref())?;
    let received = receive(call, body, payload, None).await?;
    let now = call.setup.clock.now();
    let mut tx = authorized.begin().await?;
    still_there(tx.bucket(&bucket.name).await?.as_ref(), &bucket)?;
    let present = tx.object(&bucket.name, key).await?;
    conditions::hold_for_writing(call, present.as_ref())?;
    let object = Object {
        bucket: bucket.name,
        key: key.clone(),
        segments: vec![received.writer.keep(&mut tx, now).await?],
        etag: received.etag,
        modified_at: now,
        checksum: received.checksum,
        attributes,
    };
    tx.put_object(&object).await?;
    authorized.commit(tx).await?;
    Ok(written(&object, bare(StatusCode::OK)))
}
