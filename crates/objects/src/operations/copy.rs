//! CopyObject: the bytes are copied chunk by chunk, so that each object has its own.

use domain::{Arn, Object};
use http::Response;
use percent_encoding::percent_decode_str;

use super::get::present;
use super::{answered, still_there};
use crate::authorize::Call;
use crate::checksum::Algorithm;
use crate::conditions;
use crate::fault::Failure;
use crate::headers;
use crate::outgoing::{Body, Pieces};
use crate::receive::{Digests, blob};
use crate::xml::Xml;

pub(super) async fn object(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let (bucket, authorized) = call.authorize().await?;
    let (from_bucket, from_key) = source(call.header("x-amz-copy-source").unwrap_or_default())?;
    let found = call.setup.store.read().await?.bucket(&from_bucket).await?;
    let owner = found.as_ref().map_or(call.account(), |found| &found.scope.account);
    let readable = call.decide("s3:GetObject", Arn::object(&from_bucket, &from_key), owner)?;
    let from = call.present(found, &from_bucket)?;
    let found = {
        let mut tx = readable.read().await?;
        still_there(tx.bucket(&from.name).await?.as_ref(), &from)?;
        tx.object(&from.name, &from_key).await?
    };
    let original = present(call, &from, found, &from_key)?;
    conditions::hold_for_copying(call, &original)?;
    let replaces = match call.header("x-amz-metadata-directive") {
        None | Some("COPY") => false,
        Some("REPLACE") => true,
        Some(_) => return Err(Failure::new("InvalidArgument", "Unknown metadata directive.")),
    };
    if from.name == bucket.name && from_key == call.target.key && !replaces {
        return Err(Failure::new(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    let asked = call.header("x-amz-checksum-algorithm").and_then(Algorithm::by_name);
    let kept = original.checksum.as_ref().and_then(|checksum| Algorithm::by_name(&checksum.algorithm));
    let mut digests = Digests::new(asked.or(kept));
    let mut writer = blob(call);
    let size = original.size();
    let mut pieces = Pieces::new(&call.setup.store, original.segments.clone(), 0, size);
    while let Some(piece) = pieces.next().await? {
        digests.update(&piece);
        writer.write(&piece, call.setup.clock.now()).await?;
    }
    let (md5, checksum) = digests.finish();
    let now = call.setup.clock.now();
    let mut tx = authorized.begin().await?;
    still_there(tx.bucket(&bucket.name).await?.as_ref(), &bucket)?;
    let there = tx.object(&bucket.name, &call.target.key).await?;
    conditions::hold_for_writing(call, there.as_ref())?;
    let copy = Object {
        bucket: bucket.name,
        key: call.target.key.clone(),
        segments: vec![writer.keep(&mut tx, now).await?],
        etag: hex::encode(md5),
        modified_at: now,
        checksum,
        attributes: if replaces { headers::attributes(call)? } else { original.attributes },
    };
    tx.put_object(&copy).await?;
    authorized.commit(tx).await?;
    let mut xml = Xml::answer("CopyObjectResult");
    xml.leaf("LastModified", &copy.modified_at.to_string());
    xml.leaf("ETag", &headers::quoted(&copy.etag));
    if let Some((checksum, algorithm)) =
        copy.checksum.as_ref().and_then(|checksum| Some((checksum, Algorithm::by_name(&checksum.algorithm)?)))
    {
        xml.leaf(algorithm.element(), &checksum.value);
        xml.leaf("ChecksumType", "FULL_OBJECT");
    }
    Ok(answered(xml.end("CopyObjectResult")))
}

/// `bucket/key` or `/bucket/key`, percent-encoded.
fn source(header: &str) -> Result<(String, String), Failure> {
    let invalid = || {
        Failure::new(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )
    };
    if header.contains("?versionId=") {
        return Err(Failure::not_implemented("versions of objects"));
    }
    let decoded = percent_decode_str(header).decode_utf8().map_err(|_| invalid())?;
    let (bucket, key) = decoded.strip_prefix('/').unwrap_or(&decoded).split_once('/').ok_or_else(invalid)?;
    if bucket.is_empty() || key.is_empty() || key.len() > 1024 || key.contains('\0') {
        return Err(invalid());
    }
    Ok((bucket.to_owned(), key.to_owned()))
}
