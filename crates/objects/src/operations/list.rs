//! ListObjects and ListObjectsV2: keys in the order of their bytes, those with a common prefix up to a delimiter as one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Object;
use http::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use store::{KeyRange, StoreError, Tx};

use super::{answered, buckets, still_there};
use crate::authorize::Call;
use crate::fault::Failure;
use crate::headers::quoted;
use crate::operation::Operation;
use crate::outgoing::Body;
use crate::xml::Xml;

/// How many entries a page has at most.
const PAGE: u32 = 1_000;
/// What `encoding-type=url` leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/');

/// One page of a list.
#[derive(Default)]
struct Found {
    objects: Vec<Object>,
    prefixes: Vec<String>,
    /// The last entry, where there are more: the next page begins after it.
    more_after: Option<String>,
}

pub(super) async fn objects(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let (bucket, authorized) = call.authorize().await?;
    let query = call.query;
    let second = call.operation == Operation::ListObjectsV2;
    let most = query.number("max-keys", PAGE)?;
    let prefix = query.get("prefix").unwrap_or_default();
    let delimiter = query.get("delimiter").unwrap_or_default();
    let token = query.get("continuation-token").map(from_token).transpose()?;
    let given = if second { query.get("start-after") } else { query.get("marker") };
    let after = token.as_deref().or(given).unwrap_or_default();
    let mut tx = authorized.read().await?;
    still_there(tx.bucket(&bucket.name).await?.as_ref(), &bucket)?;
    let found = find(&mut tx, &bucket.name, (prefix, delimiter), after, most as usize).await?;

    let encodes = match query.get("encoding-type") {
        None => false,
        Some("url") => true,
        Some(_) => {
            return Err(Failure::new("InvalidArgument", "Invalid Encoding Method specified in Request"));
        }
    };
    let text = |text: &str| {
        if encodes { percent_encode(text.as_bytes(), PLAIN).to_string() } else { text.to_owned() }
    };
    let mut xml = Xml::answer("ListBucketResult");
    xml.leaf("Name", &bucket.name);
    xml.leaf("Prefix", &text(prefix));
    if !delimiter.is_empty() {
        xml.leaf("Delimiter", &text(delimiter));
    }
    xml.leaf("MaxKeys", &most.to_string());
    if encodes {
        xml.leaf("EncodingType", "url");
    }
    xml.leaf("IsTruncated", if found.more_after.is_some() { "true" } else { "false" });
    if second {
        xml.leaf("KeyCount", &(found.objects.len() + found.prefixes.len()).to_string());
        if let Some(token) = query.get("continuation-token") {
            xml.leaf("ContinuationToken", token);
        }
        if let Some(start) = query.get("start-after") {
            xml.leaf("StartAfter", &text(start));
        }
        if let Some(last) = &found.more_after {
            xml.leaf("NextContinuationToken", &URL_SAFE_NO_PAD.encode(last));
        }
    } else {
        xml.leaf("Marker", &text(after));
        if let (Some(last), false) = (&found.more_after, delimiter.is_empty()) {
            xml.leaf("NextMarker", &text(last));
        }
    }
    for object in &found.objects {
        xml.open("Contents");
        xml.leaf("Key", &text(&object.key));
        xml.leaf("LastModified", &object.modified_at.to_string());
        xml.leaf("ETag", &quoted(&object.etag));
        if let Some(checksum) = &object.checksum {
            xml.leaf("ChecksumAlgorithm", &checksum.algorithm);
            xml.leaf("ChecksumType", if checksum.composite { "COMPOSITE" } else { "FULL_OBJECT" });
        }
        xml.leaf("Size", &object.size().to_string());
        if !second || query.get("fetch-owner") == Some("true") {
            buckets::owner(&mut xml, call);
        }
        xml.leaf("StorageClass", "STANDARD");
        xml.close("Contents");
    }
    for prefix in &found.prefixes {
        xml.open("CommonPrefixes");
        xml.leaf("Prefix", &text(prefix));
        xml.close("CommonPrefixes");
    }
    Ok(answered(xml.end("ListBucketResult")))
}

fn from_token(token: &str) -> Result<String, Failure> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| Failure::new("InvalidArgument", "The continuation token provided is incorrect"))
}

/// Finds a page. A common prefix is passed over by looking on after the last key that can begin with it, so that the
/// cost is in what is answered and not in what lies under it.
async fn find(
    tx: &mut Tx,
    bucket: &str,
    (prefix, delimiter): (&str, &str),
    after: &str,
    most: usize,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    if most == 0 {
        return Ok(found);
    }
    let until = successor(prefix.as_bytes());
    let mut from = first_after(prefix, delimiter, after);
    loop {
        let range = KeyRange { from: &from, until: until.as_deref() };
        let room = most - found.objects.len() - found.prefixes.len() + 1;
        let limit = i64::try_from(room).unwrap_or(i64::MAX);
        let page = tx.objects(bucket, range, limit).await?;
        let whole = page.len() == room;
        let mut skip: Option<Vec<u8>> = None;
        for object in page {
            if skip.as_deref().is_some_and(|skip| object.key.as_bytes() < skip) {
                continue;
            }
            if found.objects.len() + found.prefixes.len() == most {
                let last =
                    [found.objects.last().map(|last| last.key.clone()), found.prefixes.last().cloned()];
                found.more_after = last.into_iter().flatten().max();
                return Ok(found);
            }
            from = object.key.as_bytes().to_vec();
            from.push(0);
            match common_prefix(&object.key, prefix, delimiter) {
                Some(common) => {
                    skip = successor(common.as_bytes());
                    found.prefixes.push(common);
                }
                None => found.objects.push(object),
            }
        }
        if !whole {
            return Ok(found);
        }
        if let Some(skip) = skip {
            from = from.max(skip);
        }
    }
}

/// Where a page begins: after a key, and after everything under it where it is a common prefix itself.
fn first_after(prefix: &str, delimiter: &str, after: &str) -> Vec<u8> {
    if after.is_empty() || after < prefix {
        return prefix.as_bytes().to_vec();
    }
    let is_common = common_prefix(after, prefix, delimiter).is_some_and(|common| common == after);
    match successor(after.as_bytes()) {
        Some(next) if is_common => next,
        _ => [after.as_bytes(), &[0]].concat(),
    }
}

/// The prefix of a key up to the first delimiter after the list's own prefix, and with it.
fn common_prefix(key: &str, prefix: &str, delimiter: &str) -> Option<String> {
    if delimiter.is_empty() {
        return None;
    }
    let at = key.strip_prefix(prefix)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len()).map(str::to_owned)
}

/// The first bytes after everything that begins with `prefix`; `None` where there is no end.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if last < 0xFF {
            bytes.push(last + 1);
            return Some(bytes);
        }
    }
    None
}
