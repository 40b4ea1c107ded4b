//! What a writer says about an object in headers, and how its readers are told.

use domain::{Attributes, Object};
use http::header::{ACCEPT_RANGES, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::authorize::Call;
use crate::checksum::Algorithm;
use crate::dates;
use crate::fault::Failure;
use crate::operation::OVERRIDES;

/// The headers that are kept with an object and given back.
const KEPT: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];
/// The most user metadata, in bytes of names and values.
const MOST_METADATA: usize = 2 * 1024;
/// The longest of the other headers, in bytes.
const LONGEST: usize = 1024;
const METADATA: &str = "x-amz-meta-";

/// What stands for something that is not here, unless it has one of these values.
const NOT_HERE: &[(&str, &[&str])] = &[
    ("x-amz-acl", &["private", "bucket-owner-full-control", "bucket-owner-read"]),
    ("x-amz-storage-class", &["STANDARD"]),
    ("x-amz-grant-full-control", &[]),
    ("x-amz-grant-read", &[]),
    ("x-amz-grant-read-acp", &[]),
    ("x-amz-grant-write", &[]),
    ("x-amz-grant-write-acp", &[]),
    ("x-amz-bucket-object-lock-enabled", &["false", "False"]),
    ("x-amz-object-lock-mode", &[]),
    ("x-amz-object-lock-retain-until-date", &[]),
    ("x-amz-object-lock-legal-hold", &["OFF"]),
    ("x-amz-server-side-encryption", &[]),
    ("x-amz-server-side-encryption-aws-kms-key-id", &[]),
    ("x-amz-server-side-encryption-customer-algorithm", &[]),
    ("x-amz-copy-source-server-side-encryption-customer-algorithm", &[]),
    ("x-amz-tagging", &[]),
    ("x-amz-tagging-directive", &["COPY"]),
    ("x-amz-website-redirect-location", &[]),
    ("x-amz-write-offset-bytes", &[]),
    ("x-amz-object-ownership", &["BucketOwnerEnforced"]),
];

/// Refuses what asks for something that is not here, rather than to take it and do nothing.
pub(crate) fn refuse_foreign(headers: &HeaderMap) -> Result<(), Failure> {
    for (name, harmless) in NOT_HERE {
        if let Some(value) = headers.get(*name)
            && !value.to_str().is_ok_and(|value| harmless.contains(&value))
        {
            return Err(Failure::not_implemented(&format!("what the header `{name}` asks for")));
        }
    }
    Ok(())
}

/// Reads what a writer says about an object.
pub(crate) fn attributes(call: &Call<'_>) -> Result<Attributes, Failure> {
    let mut attributes = Attributes::default();
    for name in KEPT {
        let Some(value) = call.header(name) else { continue };
        // The transfer's encoding is not the object's.
        let kept: Vec<&str> = value
            .split(',')
            .map(str::trim)
            .filter(|part| *name != "content-encoding" || !part.eq_ignore_ascii_case("aws-chunked"))
            .collect();
        let value = if *name == "content-encoding" { kept.join(",") } else { value.to_owned() };
        if value.len() > LONGEST {
            return Err(Failure::new("InvalidArgument", format!("The header {name} is too long.")));
        }
        if !value.is_empty() {
            attributes.headers.insert((*name).to_owned(), value);
        }
    }
    let mut size = 0;
    for (name, value) in &call.head.headers {
        let Some(name) = name.as_str().strip_prefix(METADATA) else { continue };
        let value = value.to_str().map_err(|_| {
            Failure::new("InvalidArgument", "User metadata must be US-ASCII: encode other text.")
        })?;
        size += name.len() + value.len();
        if size > MOST_METADATA {
            return Err(Failure::new(
                "MetadataTooLarge",
                "Your metadata headers exceed the maximum allowed metadata size",
            ));
        }
        attributes
            .metadata
            .entry(name.to_owned())
            .and_modify(|known| known.push_str(&format!(",{value}")))
            .or_insert_with(|| value.to_owned());
    }
    Ok(attributes)
}

/// Tells a reader about an object.
pub(crate) fn describe(call: &Call<'_>, object: &Object, headers: &mut HeaderMap) {
    let mut put = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    };
    put(CONTENT_TYPE.as_str(), "binary/octet-stream");
    for (name, value) in &object.attributes.headers {
        put(name, value);
    }
    for (parameter, name) in OVERRIDES {
        if let Some(value) = call.query.filled(parameter) {
            put(name, value);
        }
    }
    for (name, value) in &object.attributes.metadata {
        put(&format!("{METADATA}{name}"), value);
    }
    put(ETAG.as_str(), &quoted(&object.etag));
    put(LAST_MODIFIED.as_str(), &dates::http(object.modified_at));
    put(ACCEPT_RANGES.as_str(), "bytes");
}

/// Tells of an object's checksum.
pub(crate) fn describe_checksum(object: &Object, headers: &mut HeaderMap) {
    let Some(checksum) = &object.checksum else { return };
    let Some(algorithm) = Algorithm::by_name(&checksum.algorithm) else { return };
    if let Ok(value) = HeaderValue::from_str(&checksum.value) {
        headers.insert(algorithm.header(), value);
        headers.insert(
            "x-amz-checksum-type",
            HeaderValue::from_static(if checksum.composite { "COMPOSITE" } else { "FULL_OBJECT" }),
        );
    }
}

/// An entity tag as headers have it.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}
