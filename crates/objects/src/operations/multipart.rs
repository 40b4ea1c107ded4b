//! CreateMultipartUpload, CompleteMultipartUpload, AbortMultipartUpload.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::{Bucket, Checksum, Object, RequestId, Segment, Upload, UploadPart};
use http::{Response, StatusCode};
use md5::{Digest as _, Md5};
use store::Tx;

use super::{answered, bare, still_there};
use crate::authenticate::Payload;
use crate::authorize::Call;
use crate::checksum::Algorithm;
use crate::conditions;
use crate::fault::{Failure, Fault};
use crate::headers;
use crate::outgoing::{Body, Pieces};
use crate::xml::{Element, Xml};

/// The greatest number of a part.
pub(super) const MOST_PARTS: u32 = 10_000;

pub(super) async fn create(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let (bucket, authorized) = call.authorize().await?;
    let algorithm = call.header("x-amz-checksum-algorithm").map(|name| {
        Algorithm::by_name(name)
            .ok_or_else(|| Failure::new("InvalidRequest", "Checksum algorithm provided is unsupported."))
    });
    let algorithm = algorithm.transpose()?;
    let composite = match (call.header("x-amz-checksum-type"), algorithm) {
        (None, algorithm) => algorithm.is_some_and(Algorithm::composite_by_default),
        (Some("COMPOSITE"), Some(algorithm)) if algorithm.composite_by_default() => true,
        (Some("FULL_OBJECT"), Some(algorithm)) if algorithm.can_be_whole() => false,
        _ => {
            return Err(Failure::new(
                "InvalidRequest",
                "The checksum type cannot be used with the checksum algorithm.",
            ));
        }
    };
    let upload = Upload {
        id: RequestId::mint(&*call.setup.random).as_str().replace('-', ""),
        bucket: bucket.name.clone(),
        key: call.target.key.clone(),
        begun_at: call.now,
        algorithm: algorithm.map(|algorithm| algorithm.name().to_owned()),
        composite,
        attributes: headers::attributes(call)?,
    };
    let mut tx = authorized.begin().await?;
    still_there(tx.bucket(&bucket.name).await?.as_ref(), &bucket)?;
    let most = call.setup.limits.uploads;
    if tx.count_uploads(&bucket.name).await? >= most {
        return Err(Fault::new(
            "InvalidRequest",
            format!(
                "The bucket has {most} multipart uploads that have begun, which is the most it may have: complete or abort some. ListMultipartUploads names them."
            ),
        )
        .with("BucketName", bucket.name)
        .into());
    }
    tx.insert_upload(&upload).await?;
    authorized.commit(tx).await?;
    let mut xml = Xml::answer("InitiateMultipartUploadResult");
    xml.leaf("Bucket", &upload.bucket);
    xml.leaf("Key", &upload.key);
    xml.leaf("UploadId", &upload.id);
    let mut response = answered(xml.end("InitiateMultipartUploadResult"));
    if let Some(algorithm) = algorithm {
        let kind = if composite { "COMPOSITE" } else { "FULL_OBJECT" };
        for (name, value) in [("x-amz-checksum-algorithm", algorithm.name()), ("x-amz-checksum-type", kind)] {
            response.headers_mut().insert(name, http::HeaderValue::from_static(value));
        }
    }
    Ok(response)
}

pub(super) async fn abort(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let (bucket, authorized) = call.authorize().await?;
    let mut tx = authorized.begin().await?;
    let upload = begun(call, &bucket, &mut tx).await?;
    tx.delete_upload(&upload.id, &[], call.now).await?;
    authorized.commit(tx).await?;
    Ok(bare(StatusCode::NO_CONTENT))
}

/// Makes an object of the parts that the request lists, in one transaction with the end of the upload.
pub(super) async fn complete<B>(call: &Call<'_>, body: B, payload: Payload) -> Result<Response<Body>, Failure>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let (bucket, authorized) = call.authorize().await?;
    let incoming = crate::incoming::Incoming::new(call, body, payload, super::MAX_DOCUMENT)?;
    let listed = Element::read(&incoming.whole().await?, "CompleteMultipartUpload")?;
    let (upload, parts) = {
        let mut tx = authorized.read().await?;
        let upload = begun(call, &bucket, &mut tx).await?;
        let parts = tx.parts(&upload.id, 0, i64::from(MOST_PARTS)).await?;
        (upload, parts)
    };
    let parts = chosen(call, &listed, parts)?;
    let segments: Vec<Segment> = parts.iter().map(|part| part.segment.clone()).collect();
    let checksum = checksum(call, &upload, &parts, &segments).await?;
    let now = call.setup.clock.now();
    let mut tx = authorized.begin().await?;
    begun(call, &bucket, &mut tx).await?;
    // A part that was written again meanwhile is another.
    let present: HashMap<u32, UploadPart> = tx
        .parts(&upload.id, 0, i64::from(MOST_PARTS))
        .await?
        .into_iter()
        .map(|part| (part.number, part))
        .collect();
    if let Some(part) = parts.iter().find(|part| present.get(&part.number) != Some(*part)) {
        return Err(invalid_part(part.number));
    }
    let there = tx.object(&bucket.name, &upload.key).await?;
    conditions::hold_for_writing(call, there.as_ref())?;
    let object = Object {
        bucket: bucket.name,
        key: upload.key.clone(),
        segments,
        etag: etag(&parts),
        modified_at: now,
        checksum,
        attributes: upload.attributes,
    };
    tx.put_object(&object).await?;
    tx.delete_upload(&upload.id, &object.segments, now).await?;
    authorized.commit(tx).await?;
    let mut xml = Xml::answer("CompleteMultipartUploadResult");
    xml.leaf("Location", &format!("/{}/{}", object.bucket, object.key));
    xml.leaf("Bucket", &object.bucket);
    xml.leaf("Key", &object.key);
    xml.leaf("ETag", &headers::quoted(&object.etag));
    if let Some(checksum) = &object.checksum
        && let Some(algorithm) = Algorithm::by_name(&checksum.algorithm)
    {
        xml.leaf(algorithm.element(), &checksum.value);
        xml.leaf("ChecksumType", if checksum.composite { "COMPOSITE" } else { "FULL_OBJECT" });
    }
    Ok(answered(xml.end("CompleteMultipartUploadResult")))
}

/// The upload that the request names, in the bucket that was decided about.
pub(super) async fn begun(call: &Call<'_>, bucket: &Bucket, tx: &mut Tx) -> Result<Upload, Failure> {
    let id = call.query.get("uploadId").unwrap_or_default();
    still_there(tx.bucket(&bucket.name).await?.as_ref(), bucket)?;
    tx.upload(&bucket.name, &call.target.key, id).await?.ok_or_else(|| {
        Fault::new(
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
        )
        .with("UploadId", id)
        .into()
    })
}

/// The parts that a request lists, held against those that are there.
fn chosen(call: &Call<'_>, listed: &Element, parts: Vec<UploadPart>) -> Result<Vec<UploadPart>, Failure> {
    let mut present: HashMap<u32, UploadPart> = parts.into_iter().map(|part| (part.number, part)).collect();
    let mut chosen: Vec<UploadPart> = Vec::new();
    let mut size = 0_u64;
    for element in listed.children.iter().filter(|child| child.name == "Part") {
        let number = element.child("PartNumber").and_then(|text| text.trim().parse::<u32>().ok());
        let number = number.ok_or_else(|| Failure::new("MalformedXML", "Each Part needs a PartNumber."))?;
        if chosen.last().is_some_and(|last| last.number >= number) {
            return Err(Failure::new(
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            ));
        }
        let part = present.remove(&number).ok_or_else(|| invalid_part(number))?;
        let claimed = element.child("ETag").map(|etag| etag.trim().trim_matches('"'));
        let checksums_hold = Algorithm::ALL.into_iter().all(|algorithm| {
            element.child(algorithm.element()).is_none_or(|claimed| {
                part.checksum.as_ref().is_some_and(|checksum| {
                    checksum.algorithm == algorithm.name() && checksum.value == claimed.trim()
                })
            })
        });
        if claimed != Some(part.etag.as_str()) || !checksums_hold {
            return Err(invalid_part(number));
        }
        size += part.segment.size;
        chosen.push(part);
    }
    let limits = &call.setup.limits;
    let all_but_last = chosen.len().saturating_sub(1);
    if let Some(small) = chosen.iter().take(all_but_last).find(|part| part.segment.size < limits.part_bytes) {
        return Err(Fault::new(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
        )
        .with("ProposedSize", small.segment.size.to_string())
        .with("MinSizeAllowed", limits.part_bytes.to_string())
        .with("PartNumber", small.number.to_string())
        .into());
    }
    if chosen.is_empty() {
        return Err(Failure::new("MalformedXML", "You must specify at least one part"));
    }
    if size > limits.object_bytes {
        return Err(Fault::new("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
            .with("ProposedSize", size.to_string())
            .with("MaxSizeAllowed", limits.object_bytes.to_string())
            .into());
    }
    Ok(chosen)
}

/// The MD5 of the MD5s of the parts, and how many they are.
fn etag(parts: &[UploadPart]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(hex::decode(&part.etag).unwrap_or_default());
    }
    format!("{}-{}", hex::encode(md5.finalize()), parts.len())
}

/// The object's checksum: of those of its parts, or of its bytes, which are read once more for it.
async fn checksum(
    call: &Call<'_>,
    upload: &Upload,
    parts: &[UploadPart],
    segments: &[Segment],
) -> Result<Option<Checksum>, Failure> {
    let Some(algorithm) = upload.algorithm.as_deref().and_then(Algorithm::by_name) else { return Ok(None) };
    let mut hasher = algorithm.hasher();
    if upload.composite {
        for part in parts {
            let checksum = part.checksum.as_ref().filter(|checksum| checksum.algorithm == algorithm.name());
            let value = checksum.and_then(|checksum| STANDARD.decode(&checksum.value).ok());
            hasher.update(&value.ok_or_else(|| invalid_part(part.number))?);
        }
    } else {
        let size = segments.iter().map(|segment| segment.size).sum();
        let mut pieces = Pieces::new(&call.setup.store, segments.to_vec(), 0, size);
        while let Some(piece) = pieces.next().await? {
            hasher.update(&piece);
        }
    }
    let mut value = hasher.text();
    if upload.composite {
        value.push_str(&format!("-{}", parts.len()));
    }
    if let Some(claimed) = call.header(algorithm.header())
        && claimed != value
        && format!("{claimed}-{}", parts.len()) != value
    {
        return Err(Failure::new(
            "BadDigest",
            format!("The {} you specified did not match the calculated checksum.", algorithm.name()),
        ));
    }
    Ok(Some(Checksum { algorithm: algorithm.name().to_owned(), value, composite: upload.composite }))
}

fn invalid_part(number: u32) -> Failure {
    Fault::new(
        "InvalidPart",
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag or checksum may not match the part's.",
    )
    .with("PartNumber", number.to_string())
    .into()
}
