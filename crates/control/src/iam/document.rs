//! Policy documents: held against IAM's grammar and IAM's quotas when they come, and percent-encoded when they go.

use ::iam::{Policy, PolicyKind};
use aws::Fault;
use domain::Document;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::over_quota;
use crate::fault::Failure;

/// RFC 3986's unreserved characters stay, everything else is encoded ("The policy document is URL-encoded compliant
/// with RFC 3986").
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Written into a user or a role, or into a session. How long it may be depends on what else is there.
    Inline,
    /// A managed policy: at most 6,144 characters, in the policy language of 2012.
    Managed,
    /// Who may assume a role: at most 2,048 characters.
    Trust,
}

/// A document as it is kept: as it was written, once it is known to be sound.
///
/// # Errors
/// `MalformedPolicyDocument` with IAM's text, and where and what to do; `LimitExceeded` when it is too long.
pub(crate) fn compile(text: &str, kind: Kind) -> Result<Document, Failure> {
    let parsed = match kind {
        Kind::Inline => Policy::parse(text, PolicyKind::Identity).map(|_| ()),
        Kind::Managed => {
            Policy::parse(text, PolicyKind::Identity).and_then(|policy| policy.require_current_version())
        }
        Kind::Trust => Policy::parse(text, PolicyKind::Trust).map(|_| ()),
    };
    parsed.map_err(|error| Fault::new("MalformedPolicyDocumentException", error.to_string()))?;
    let document = Document(text.to_owned());
    let quota = match kind {
        Kind::Inline => None,
        Kind::Managed => Some(("PolicySize", 6_144)),
        Kind::Trust => Some(("ACLSizePerRole", 2_048)),
    };
    match quota {
        Some((name, most)) if size(&document) > most => {
            Err(over_quota(format!("Cannot exceed quota for {name}: {most}")))
        }
        _ => Ok(document),
    }
}

/// How much of a quota a document takes: its characters but for white space (IAM User Guide, "IAM and AWS STS quotas").
pub(super) fn size(document: &Document) -> usize {
    document.0.chars().filter(|character| !character.is_whitespace()).count()
}

/// A document as answers carry it.
pub(super) fn encoded(document: &Document) -> String {
    utf8_percent_encode(&document.0, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_go_out_percent_encoded() {
        let document = Document("{\"Version\": \"2012-10-17\"} é~".to_owned());
        assert_eq!(encoded(&document), "%7B%22Version%22%3A%20%222012-10-17%22%7D%20%C3%A9~");
    }

    #[test]
    fn white_space_is_free() {
        assert_eq!(size(&Document("{ \"a\":\n\t1 }".to_owned())), 7);
    }
}
