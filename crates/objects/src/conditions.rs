//! Conditional requests: `If-Match` and its kin (RFC 9110, section 13), for reading, for writing, and for the source of
//! a copy.

use domain::{Object, Timestamp};

use crate::authorize::Call;
use crate::dates;
use crate::fault::{Failure, Fault};

/// Holds the conditions of a reader against the object.
pub(crate) fn hold_for_reading(call: &Call<'_>, object: &Object) -> Result<(), Failure> {
    let date = |name: &str| call.header(name).and_then(dates::from_http);
    let modified = whole_seconds(object.modified_at);
    match (call.header("if-match"), date("if-unmodified-since")) {
        (Some(tags), _) if !names(tags, &object.etag) => return Err(failed("If-Match")),
        (None, Some(moment)) if modified > moment => return Err(failed("If-Unmodified-Since")),
        _ => {}
    }
    let same = match (call.header("if-none-match"), date("if-modified-since")) {
        (Some(tags), _) => names(tags, &object.etag),
        (None, Some(moment)) => modified <= moment,
        (None, None) => false,
    };
    if same { Err(Failure::new("NotModified", "Not Modified")) } else { Ok(()) }
}

/// Holds the conditions of a writer against the object that is there now.
pub(crate) fn hold_for_writing(call: &Call<'_>, present: Option<&Object>) -> Result<(), Failure> {
    if let Some(tags) = call.header("if-none-match") {
        if tags.trim() != "*" {
            return Err(Failure::not_implemented(
                "If-None-Match with an entity tag where objects are written",
            ));
        }
        if present.is_some() {
            return Err(failed("If-None-Match"));
        }
    }
    match (call.header("if-match"), present) {
        (Some(_), None) => Err(Fault::new("NoSuchKey", "The specified key does not exist.")
            .with("Key", call.target.key.clone())
            .into()),
        (Some(tags), Some(object)) if !names(tags, &object.etag) => Err(failed("If-Match")),
        _ => Ok(()),
    }
}

/// Holds the conditions of a copy against its source.
pub(crate) fn hold_for_copying(call: &Call<'_>, source: &Object) -> Result<(), Failure> {
    let tags = |name: &str| call.header(name).map(|tags| names(tags, &source.etag));
    let date = |name: &str| call.header(name).and_then(dates::from_http);
    let modified = whole_seconds(source.modified_at);
    let holds = tags("x-amz-copy-source-if-match").unwrap_or(true)
        && !tags("x-amz-copy-source-if-none-match").unwrap_or(false)
        && date("x-amz-copy-source-if-unmodified-since").is_none_or(|moment| modified <= moment)
        && date("x-amz-copy-source-if-modified-since").is_none_or(|moment| modified > moment);
    if holds { Ok(()) } else { Err(failed("x-amz-copy-source-If")) }
}

/// Whether a list of entity tags names this one.
fn names(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_matches('"') == etag)
}

/// What HTTP's dates can say.
fn whole_seconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_seconds(moment.seconds())
}

fn failed(condition: &str) -> Failure {
    Fault::new("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        .with("Condition", condition)
        .into()
}
