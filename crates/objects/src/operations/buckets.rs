//! ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation.

use bytes::Bytes;
use domain::{Arn, Bucket, Region, Scope};
use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};
use store::{Page, StoreError};

use super::{answered, bare, document, still_there};
use crate::authenticate::Payload;
use crate::authorize::Call;
use crate::fault::{Failure, Fault};
use crate::outgoing::Body;
use crate::xml::{Element, Xml};

/// How many buckets a page has at most.
const PAGE: u32 = 1_000;

pub(super) async fn list(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let authorized = call.decide(call.operation.action(), Arn::bucket("*"), call.account())?;
    let most = call.query.number("max-buckets", PAGE)?.max(1);
    let after = call.query.filled("continuation-token").unwrap_or_default();
    let prefix = call.query.filled("prefix").unwrap_or_default();
    let mut tx = authorized.read().await?;
    let mut buckets = tx.buckets(call.account(), Page { after, limit: i64::from(PAGE) }).await?;
    buckets.retain(|bucket| bucket.name.starts_with(prefix));
    let more = buckets.len() > most as usize;
    buckets.truncate(most as usize);
    let mut xml = Xml::answer("ListAllMyBucketsResult");
    owner(&mut xml, call);
    xml.open("Buckets");
    for bucket in &buckets {
        xml.open("Bucket");
        xml.leaf("Name", &bucket.name);
        xml.leaf("CreationDate", &bucket.created_at.to_string());
        xml.leaf("BucketRegion", bucket.scope.region.as_str());
        xml.leaf("BucketArn", Arn::bucket(&bucket.name).as_str());
        xml.close("Bucket");
    }
    xml.close("Buckets");
    if let (true, Some(last)) = (more, buckets.last()) {
        xml.leaf("ContinuationToken", &last.name);
    }
    Ok(answered(xml.end("ListAllMyBucketsResult")))
}

pub(super) async fn create<B>(call: &Call<'_>, body: B, payload: Payload) -> Result<Response<Body>, Failure>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let name = &call.target.bucket;
    let authorized = call.decide(call.operation.action(), Arn::bucket(name), call.account())?;
    check_name(name)?;
    let region = match document(call, body, payload).await?.as_slice() {
        b"" => call.region.clone(),
        written => constraint(written, &call.region)?,
    };
    let bucket = Bucket {
        name: name.clone(),
        scope: Scope { account: call.account().clone(), region },
        created_at: call.now,
    };
    let mut tx = authorized.begin().await?;
    if let Some(present) = tx.bucket(name).await? {
        let (code, message) = if present.scope.account == bucket.scope.account {
            (
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            )
        } else {
            (
                "BucketAlreadyExists",
                "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
            )
        };
        return Err(Fault::new(code, message).with("BucketName", name.clone()).into());
    }
    let most = call.setup.limits.buckets;
    if tx.buckets(call.account(), Page::ALL).await?.len() >= most {
        return Err(Failure::new(
            "TooManyBuckets",
            format!("You have attempted to create more buckets than allowed: an account may have {most}."),
        ));
    }
    tx.insert_bucket(&bucket).await.map_err(|error| match error {
        StoreError::Exists => {
            Failure::new("BucketAlreadyExists", "The requested bucket name is not available.")
        }
        error => error.into(),
    })?;
    authorized.commit(tx).await?;
    let mut response = bare(StatusCode::OK);
    if let Ok(location) = HeaderValue::from_str(&format!("/{name}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn head(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let (bucket, _) = call.authorize().await?;
    let mut response = bare(StatusCode::OK);
    if let Ok(region) = HeaderValue::from_str(bucket.scope.region.as_str()) {
        response.headers_mut().insert("x-amz-bucket-region", region);
    }
    Ok(response)
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let (bucket, authorized) = call.authorize().await?;
    let mut tx = authorized.begin().await?;
    still_there(tx.bucket(&bucket.name).await?.as_ref(), &bucket)?;
    if !tx.is_empty_bucket(&bucket.name).await? {
        return Err(Fault::new("BucketNotEmpty", "The bucket you tried to delete is not empty")
            .with("BucketName", bucket.name)
            .into());
    }
    tx.delete_bucket(&bucket.name, call.now).await?;
    authorized.commit(tx).await?;
    Ok(bare(StatusCode::NO_CONTENT))
}

pub(super) async fn location(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let (bucket, _) = call.authorize().await?;
    let mut xml = Xml::answer("LocationConstraint");
    // As S3 has it: the first region is not named.
    let text = match bucket.scope.region.as_str() {
        "us-east-1" => String::new(),
        region => region.to_owned(),
    };
    xml.text(&text);
    Ok(answered(xml.end("LocationConstraint")))
}

/// The caller's account, as S3's documents name owners.
pub(super) fn owner(xml: &mut Xml, call: &Call<'_>) {
    xml.open("Owner");
    xml.leaf("ID", call.account().as_str());
    xml.close("Owner");
}

fn constraint(written: &[u8], signed_for: &Region) -> Result<Region, Failure> {
    let configuration = Element::read(written, "CreateBucketConfiguration")?;
    if let Some(other) = configuration.children.iter().find(|child| child.name != "LocationConstraint") {
        return Err(Failure::not_implemented(&format!(
            "the element `{}` of CreateBucketConfiguration",
            other.name
        )));
    }
    match configuration.child("LocationConstraint").unwrap_or_default() {
        "" => Ok(signed_for.clone()),
        "EU" => Region::parse("eu-west-1").map_err(|error| Failure::internal(&error)),
        name => Region::parse(name).map_err(|_| {
            Failure::new("InvalidLocationConstraint", "The specified location-constraint is not valid")
        }),
    }
}

/// Source: Amazon S3 User Guide, "General purpose bucket naming rules".
fn check_name(name: &str) -> Result<(), Failure> {
    let letter_or_digit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let ends = [bytes.first(), bytes.last()].into_iter().flatten().all(|byte| letter_or_digit(*byte));
    let sound = (3..=63).contains(&bytes.len())
        && ends
        && bytes.iter().all(|byte| letter_or_digit(*byte) || matches!(byte, b'-' | b'.'))
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if sound {
        return Ok(());
    }
    Err(Fault::new(
        "InvalidBucketName",
        "The specified bucket is not valid: a name has 3 to 63 lower-case letters, digits, dots and hyphens, begins and ends with a letter or a digit, and is no IP address.",
    )
    .with("BucketName", name)
    .into())
}
