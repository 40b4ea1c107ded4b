//! UploadPart, ListParts, ListMultipartUploads.

use bytes::Bytes;
use domain::UploadPart;
use http::{HeaderValue, Response, StatusCode};

use super::multipart::{MOST_PARTS, begun};
use super::{answered, bare, buckets, still_there};
use crate::authenticate::Payload;
use crate::authorize::Call;
use crate::checksum::Algorithm;
use crate::fault::Failure;
use crate::headers::quoted;
use crate::outgoing::Body;
use crate::receive::receive;
use crate::xml::Xml;

/// How many entries a page has at most.
const PAGE: u32 = 1_000;

pub(super) async fn upload<B>(call: &Call<'_>, body: B, payload: Payload) -> Result<Response<Body>, Failure>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let (bucket, authorized) = call.authorize().await?;
    let number = call.query.get("partNumber").and_then(|text| text.parse::<u32>().ok());
    let number = number.filter(|number| (1..=MOST_PARTS).contains(number)).ok_or_else(|| {
        Failure::new(
            "InvalidArgument",
            format!("Part number must be an integer between 1 and {MOST_PARTS}, inclusive"),
        )
    })?;
    let upload = begun(call, &bucket, &mut authorized.read().await?).await?;
    let algorithm = upload.algorithm.as_deref().and_then(Algorithm::by_name);
    let received = receive(call, body, payload, algorithm).await?;
    if let (Some(algorithm), Some(checksum)) = (algorithm, &received.checksum)
        && checksum.algorithm != algorithm.name()
    {
        return Err(Failure::new(
            "InvalidRequest",
            format!("Checksum Type mismatch occurred, expected checksum Type: {}", algorithm.name()),
        ));
    }
    let now = call.setup.clock.now();
    let mut tx = authorized.begin().await?;
    // It may have been completed or given up while the part came.
    begun(call, &bucket, &mut tx).await?;
    let part = UploadPart {
        number,
        segment: received.writer.keep(&mut tx, now).await?,
        etag: received.etag,
        checksum: received.checksum,
        modified_at: now,
    };
    tx.put_part(&upload.id, &part).await?;
    authorized.commit(tx).await?;
    let mut response = bare(StatusCode::OK);
    if let Ok(etag) = HeaderValue::from_str(&quoted(&part.etag)) {
        response.headers_mut().insert(http::header::ETAG, etag);
    }
    if let Some(checksum) = &part.checksum
        && let Some(algorithm) = Algorithm::by_name(&checksum.algorithm)
        && let Ok(value) = HeaderValue::from_str(&checksum.value)
    {
        response.headers_mut().insert(algorithm.header(), value);
    }
    Ok(response)
}

pub(super) async fn list(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let (bucket, authorized) = call.authorize().await?;
    let most = call.query.number("max-parts", PAGE)?;
    let after = call.query.filled("part-number-marker").unwrap_or("0");
    let after: u32 = after
        .parse()
        .map_err(|_| Failure::new("InvalidArgument", "Provided part-number-marker not an integer"))?;
    let mut tx = authorized.read().await?;
    let upload = begun(call, &bucket, &mut tx).await?;
    let mut parts = tx.parts(&upload.id, after, i64::from(most) + 1).await?;
    let more = parts.len() > most as usize;
    parts.truncate(most as usize);
    let mut xml = Xml::answer("ListPartsResult");
    xml.leaf("Bucket", &bucket.name);
    xml.leaf("Key", &upload.key);
    xml.leaf("UploadId", &upload.id);
    if let Some(algorithm) = &upload.algorithm {
        xml.leaf("ChecksumAlgorithm", algorithm);
        xml.leaf("ChecksumType", if upload.composite { "COMPOSITE" } else { "FULL_OBJECT" });
    }
    buckets::owner(&mut xml, call);
    xml.leaf("StorageClass", "STANDARD");
    xml.leaf("PartNumberMarker", &after.to_string());
    if let (true, Some(last)) = (more, parts.last()) {
        xml.leaf("NextPartNumberMarker", &last.number.to_string());
    }
    xml.leaf("MaxParts", &most.to_string());
    xml.leaf("IsTruncated", if more { "true" } else { "false" });
    for part in &parts {
        xml.open("Part");
        xml.leaf("PartNumber", &part.number.to_string());
        xml.leaf("LastModified", &part.modified_at.to_string());
        xml.leaf("ETag", &quoted(&part.etag));
        xml.leaf("Size", &part.segment.size.to_string());
        if let Some(checksum) = &part.checksum
            && let Some(algorithm) = Algorithm::by_name(&checksum.algorithm)
        {
            xml.leaf(algorithm.element(), &checksum.value);
        }
        xml.close("Part");
    }
    Ok(answered(xml.end("ListPartsResult")))
}

/// ListMultipartUploads, by keys and ids; delimiters are not honoured here.
pub(super) async fn uploads(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let (bucket, authorized) = call.authorize().await?;
    let query = call.query;
    let most = query.number("max-uploads", PAGE)?;
    let prefix = query.get("prefix").unwrap_or_default();
    let key = query.get("key-marker").unwrap_or_default();
    // Without an id, everything of the key itself is before the page.
    let id = match query.filled("upload-id-marker") {
        Some(id) => id,
        None if key.is_empty() => "",
        None => "~",
    };
    let mut tx = authorized.read().await?;
    still_there(tx.bucket(&bucket.name).await?.as_ref(), &bucket)?;
    let mut uploads = tx.uploads(&bucket.name, prefix, (key, id), i64::from(most) + 1).await?;
    let more = uploads.len() > most as usize;
    uploads.truncate(most as usize);
    let encoded = |text: &str| match query.get("encoding-type") {
        Some(_) => {
            percent_encoding::percent_encode(text.as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string()
        }
        None => text.to_owned(),
    };
    let mut xml = Xml::answer("ListMultipartUploadsResult");
    xml.leaf("Bucket", &bucket.name);
    xml.leaf("KeyMarker", &encoded(key));
    xml.leaf("UploadIdMarker", query.get("upload-id-marker").unwrap_or_default());
    if let (true, Some(last)) = (more, uploads.last()) {
        xml.leaf("NextKeyMarker", &encoded(&last.key));
        xml.leaf("NextUploadIdMarker", &last.id);
    }
    xml.leaf("Prefix", &encoded(prefix));
    xml.leaf("MaxUploads", &most.to_string());
    if query.has("encoding-type") {
        xml.leaf("EncodingType", "url");
    }
    xml.leaf("IsTruncated", if more { "true" } else { "false" });
    for upload in &uploads {
        xml.open("Upload");
        xml.leaf("Key", &encoded(&upload.key));
        xml.leaf("UploadId", &upload.id);
        buckets::owner(&mut xml, call);
        xml.leaf("StorageClass", "STANDARD");
        xml.leaf("Initiated", &upload.begun_at.to_string());
        xml.close("Upload");
    }
    Ok(answered(xml.end("ListMultipartUploadsResult")))
}
