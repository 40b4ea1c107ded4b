//! Mail addresses as SES's requests carry them: `local@domain`, or `Display name <local@domain>` (RFC 5322, section
//! 3.4). What is refused is what could not be an address, or would smuggle a header into the message.

/// The longest address with its display name, in characters (SES API reference).
const LONGEST: usize = 320;

/// An address, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// `local@domain`.
    pub(super) bare: &'a str,
    /// What stands before it, without quotes.
    pub(super) display: Option<&'a str>,
}

impl<'a> Address<'a> {
    /// Takes an address apart.
    ///
    /// The error is SES's text.
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        if text.chars().count() > LONGEST {
            return Err("Address length is more than 320 characters long");
        }
        if text.chars().any(char::is_control) {
            return Err("Address contains control characters");
        }
        let (display, bare) = match text.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((display, bare)) => (display.trim().trim_matches('"'), bare),
            None => ("", text.trim()),
        };
        let (local, domain) = bare.rsplit_once('@').ok_or("Missing final '@domain'")?;
        if local.is_empty() || local.contains(char::is_whitespace) {
            return Err("Local address contains control or whitespace");
        }
        if domain.is_empty() {
            return Err("Missing final '@domain'");
        }
        if !domain.chars().all(|character| character.is_alphanumeric() || "-.[]:".contains(character)) {
            return Err("Domain contains illegal character");
        }
        if domain.starts_with('.') || domain.ends_with('.') {
            return Err("Domain starts or ends with dot");
        }
        Ok(Self { bare, display: (!display.is_empty()).then_some(display) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_domain_and_perhaps_a_name() {
        assert_eq!(Address::parse("a@example.com"), Ok(Address { bare: "a@example.com", display: None }));
        assert_eq!(
            Address::parse("\"Ann Other\" <a@example.com>"),
            Ok(Address { bare: "a@example.com", display: Some("Ann Other") })
        );
        assert_eq!(Address::parse("<a@b.org>"), Ok(Address { bare: "a@b.org", display: None }));
    }

    #[test]
    fn what_is_no_address_is_named() {
        let long = format!("{}@example.com", "a".repeat(320));
        for (wrong, text) in [
            ("", "Missing final '@domain'"),
            ("nobody", "Missing final '@domain'"),
            ("nobody@", "Missing final '@domain'"),
            ("@example.com", "Local address contains control or whitespace"),
            ("a b@example.com", "Local address contains control or whitespace"),
            ("a@exa mple.com", "Domain contains illegal character"),
            ("a@example.com.", "Domain starts or ends with dot"),
            ("a@example.com\r\nBcc: b@example.com", "Address contains control characters"),
            (&long, "Address length is more than 320 characters long"),
        ] {
            assert_eq!(Address::parse(wrong), Err(text), "{wrong}");
        }
    }
}
