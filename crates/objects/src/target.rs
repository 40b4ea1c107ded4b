//! What a request is about: a bucket and a key, out of its host and its path, and its parameters.

use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::fault::Failure;

/// How many parameters a request may have.
const MOST_PARAMETERS: usize = 64;
/// The longest key, in bytes.
const LONGEST_KEY: usize = 1024;

/// What a request is about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// The bucket; empty for none.
    pub(crate) bucket: String,
    /// The key; empty for none.
    pub(crate) key: String,
    /// The path with the bucket before it, as it stands on the request line.
    pub(crate) path: String,
}

impl Target {
    /// Reads a request's host and path. `hosts` are the names of this server: under one of them, the label before it is a
    /// bucket.
    pub(crate) fn of(head: &Parts, hosts: &[String]) -> Result<Self, Failure> {
        let host = head
            .uri
            .authority()
            .map(http::uri::Authority::as_str)
            .or_else(|| head.headers.get("host").and_then(|host| host.to_str().ok()))
            .unwrap_or_default();
        let path = match bucket_of_host(host, hosts) {
            Some(bucket) => format!("/{bucket}{}", head.uri.path()),
            None => head.uri.path().to_owned(),
        };
        let (bucket, key) = path
            .strip_prefix('/')
            .unwrap_or(&path)
            .split_once('/')
            .unwrap_or((path.strip_prefix('/').unwrap_or(&path), ""));
        let target = Self { bucket: decoded(bucket)?, key: decoded(key)?, path };
        if target.key.len() > LONGEST_KEY {
            return Err(Failure::Fault(
                crate::Fault::new("KeyTooLongError", "Your key is too long")
                    .with("Size", target.key.len().to_string())
                    .with("MaxSizeAllowed", LONGEST_KEY.to_string()),
            ));
        }
        Ok(target)
    }
}

/// The bucket of `{bucket}.{host}` or of `{bucket}.s3.{region}.amazonaws.com`.
fn bucket_of_host(host: &str, hosts: &[String]) -> Option<String> {
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
    let of_ours = hosts.iter().find_map(|known| host.strip_suffix(known.as_str())?.strip_suffix('.'));
    let of_aws = || {
        let (bucket, region) = host.strip_suffix(".amazonaws.com")?.rsplit_once(".s3")?;
        (region.is_empty() || (region.starts_with(['.', '-']) && region.len() < 40)).then_some(bucket)
    };
    of_ours.or_else(of_aws).filter(|bucket| !bucket.is_empty()).map(str::to_owned)
}

/// Decodes a percent-encoded text of a path or a query.
fn decoded(text: &str) -> Result<String, Failure> {
    let decoded = percent_decode_str(text).decode_utf8();
    let sound = decoded.ok().filter(|text| !text.contains('\0'));
    sound.map(std::borrow::Cow::into_owned).ok_or_else(|| {
        Failure::new("InvalidURI", "Couldn't parse the specified URI: it must be UTF-8, percent-encoded.")
    })
}

/// The parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, Option<String>)>);

impl Query {
    pub(crate) fn parse(query: &str) -> Result<Self, Failure> {
        let mut pairs: Vec<(String, Option<String>)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) =
                pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
            let (name, value) = (decoded(name)?, value.map(decoded).transpose()?);
            if pairs.len() >= MOST_PARAMETERS || pairs.iter().any(|(known, _)| *known == name) {
                return Err(Failure::new(
                    "InvalidArgument",
                    format!("The parameter {name} stands twice, or there are too many parameters."),
                ));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// Whether a parameter is there, with a value or without.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// A parameter's value; one without a value is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_deref().unwrap_or_default())
    }

    /// A parameter's value, if it has one.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// A parameter that is a number of at most `most`, which it is without a value.
    pub(crate) fn number(&self, name: &str, most: u32) -> Result<u32, Failure> {
        let Some(text) = self.filled(name) else { return Ok(most) };
        let number: u32 = text.parse().map_err(|_| {
            Failure::new("InvalidArgument", format!("Provided {name} not an integer or within integer range"))
        })?;
        Ok(number.min(most))
    }

    /// The names of the parameters, but for those by which a request is signed.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let signing = |name: &str| {
            let lower = name.to_ascii_lowercase();
            lower.starts_with("x-amz-") || matches!(name, "AWSAccessKeyId" | "Signature" | "Expires" | "x-id")
                // boto3 repeats there what the older presigned URLs were signed with.
                || matches!(name, "content-type" | "content-md5")
        };
        self.0.iter().map(|(name, _)| name.as_str()).filter(move |name| !signing(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, path: &str) -> Target {
        let request = http::Request::builder().uri(path).header("host", host).body(()).unwrap();
        Target::of(&request.into_parts().0, &["gate.example.com".to_owned()]).unwrap()
    }

    #[test]
    fn buckets_and_keys_are_found_in_hosts_and_paths() {
        for (host, path, bucket, key) in [
            ("127.0.0.1:4848", "/", "", ""),
            ("127.0.0.1:4848", "/b", "b", ""),
            ("127.0.0.1:4848", "/b/", "b", ""),
            ("127.0.0.1:4848", "/b/k", "b", "k"),
            ("127.0.0.1:4848", "/b//a/../k%20%2F%C3%A4", "b", "/a/../k /ä"),
            ("gate.example.com", "/b/k", "b", "k"),
            ("my.b.gate.example.com:443", "/k", "my.b", "k"),
            ("b.s3.us-west-2.amazonaws.com", "/k/l", "b", "k/l"),
            ("b.s3.amazonaws.com", "/", "b", ""),
            ("s3.us-west-2.amazonaws.com", "/b/k", "b", "k"),
        ] {
            let found = target(host, path);
            assert_eq!((found.bucket.as_str(), found.key.as_str()), (bucket, key), "{host} {path}");
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let request = http::Request::builder().uri("/b/%ff").body(()).unwrap();
        assert!(Target::of(&request.into_parts().0, &[]).is_err());
        assert!(Query::parse("a=%00").is_err());
        assert!(Query::parse("prefix=a&prefix=b").is_err());
    }
}
