//! GetObject and HeadObject.

use domain::{Arn, Bucket, Object};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderValue, Response, StatusCode};

use super::still_there;
use crate::authorize::Call;
use crate::conditions;
use crate::fault::{Failure, Fault};
use crate::headers;
use crate::operation::Operation;
use crate::outgoing::Body;

pub(super) async fn object(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let (bucket, authorized) = call.authorize().await?;
    let found = {
        let mut tx = authorized.read().await?;
        still_there(tx.bucket(&bucket.name).await?.as_ref(), &bucket)?;
        tx.object(&bucket.name, &call.target.key).await?
    };
    let object = present(call, &bucket, found, &call.target.key)?;
    conditions::hold_for_reading(call, &object)?;
    let size = object.size();
    let range = match call.header("range") {
        Some(range) => wanted(range, size)?,
        None => None,
    };
    let (offset, length) = range.unwrap_or((0, size));
    let mut response = Response::new(Body::empty());
    headers::describe(call, &object, response.headers_mut());
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let text = format!("bytes {offset}-{}/{size}", offset + length.saturating_sub(1));
        if let Ok(text) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(CONTENT_RANGE, text);
        }
    } else if call.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled")) {
        headers::describe_checksum(&object, response.headers_mut());
    }
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    if call.operation == Operation::GetObject {
        *response.body_mut() = Body::object(&call.setup.store, object.segments, offset, length);
    }
    Ok(response)
}

/// An object as it was found, or S3's error: who may not list the bucket does not learn whether a key is there.
pub(super) fn present(
    call: &Call<'_>,
    bucket: &Bucket,
    found: Option<Object>,
    key: &str,
) -> Result<Object, Failure> {
    if let Some(object) = found {
        return Ok(object);
    }
    if call.may("s3:ListBucket", &Arn::bucket(&bucket.name), &bucket.scope.account) {
        return Err(Fault::new("NoSuchKey", "The specified key does not exist.").with("Key", key).into());
    }
    let because = "because no identity-based policy allows the s3:ListBucket action";
    let (caller, resource) = (call.identity.caller.arn(), Arn::bucket(&bucket.name));
    Err(Failure::new(
        "AccessDenied",
        crate::read::denial(caller.as_str(), "s3:ListBucket", resource.as_str(), because),
    ))
}

/// The offset and the length that a `Range` header wants (RFC 9110, section 14.1.2). One that is not understood, or
/// wants several ranges, is passed over.
fn wanted(range: &str, size: u64) -> Result<Option<(u64, u64)>, Failure> {
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let found = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Some((first, last.min(size.saturating_sub(1)))),
        (Some(first), None) if last.trim().is_empty() => Some((first, size.saturating_sub(1))),
        (None, Some(most)) if first.trim().is_empty() => {
            // The last so many bytes; of none, there are none.
            Some((if most == 0 { size } else { size.saturating_sub(most) }, size.saturating_sub(1)))
        }
        _ => return Ok(None),
    };
    match found {
        Some((first, last)) if first < size => Ok(Some((first, last - first + 1))),
        _ => Err(Fault::new("InvalidRange", "The requested range is not satisfiable")
            .with("RangeRequested", range)
            .with("ActualObjectSize", size.to_string())
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_has_them() {
        for (range, found) in [
            ("bytes=0-0", Some((0, 1))),
            ("bytes=2-5", Some((2, 4))),
            ("bytes=2-500", Some((2, 8))),
            ("bytes=9-", Some((9, 1))),
            ("bytes=-3", Some((7, 3))),
            ("bytes=-30", Some((0, 10))),
            ("bytes=5-2", None),
            ("bytes=a-b", None),
            ("items=0-1", None),
            ("bytes=0-1,3-4", None),
        ] {
            assert_eq!(wanted(range, 10).unwrap(), found, "{range}");
        }
        for (range, size) in
            [("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-1", 0)]
        {
            assert!(wanted(range, size).is_err(), "{range}");
        }
    }
}
