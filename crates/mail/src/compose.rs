//! Writes a message with its headers and its body (RFC 5322, RFC 2045), encoded so that every relay passes it on.

use std::time::{Duration, SystemTime};

use domain::Timestamp;
use lettre::message::{Mailbox, MultiPart, SinglePart};

use crate::message::Message;

/// Somebody with an address, and perhaps a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person<'a> {
    /// `local@domain`.
    pub address: &'a str,
    /// What is shown before it.
    pub name: Option<&'a str>,
}

/// What is to be written. Whom it goes to blindly is not in it: the envelope says that.
pub struct Letter<'a> {
    /// `Message-ID`, without angle brackets.
    pub id: &'a str,
    /// `Date`.
    pub date: Timestamp,
    /// `From`.
    pub from: Person<'a>,
    /// `To`.
    pub to: Vec<Person<'a>>,
    /// `Cc`.
    pub cc: Vec<Person<'a>>,
    /// `Reply-To`.
    pub reply_to: Vec<Person<'a>>,
    /// `Subject`.
    pub subject: &'a str,
    /// The body as plain text.
    pub text: Option<&'a str>,
    /// The body as HTML.
    pub html: Option<&'a str>,
}

/// Why a message cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// An address is none by the rules of mail.
    #[error("`{0}` is no address that mail can be sent to")]
    Address(String),
    /// It has no body, or one that cannot be written.
    #[error("the message cannot be written: {0}")]
    Message(String),
}

/// The message as it goes over the wire.
///
/// # Errors
/// [`ComposeError`] when an address is none, or the body has a NUL that stays one.
pub fn compose(letter: &Letter<'_>) -> Result<Message, ComposeError> {
    let millis = u64::try_from(letter.date.millis()).unwrap_or_default();
    let mut message = lettre::Message::builder()
        .message_id(Some(format!("<{}>", letter.id)))
        .date(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
        .from(mailbox(letter.from)?)
        .subject(letter.subject);
    for person in &letter.to {
        message = message.to(mailbox(*person)?);
    }
    for person in &letter.cc {
        message = message.cc(mailbox(*person)?);
    }
    for person in &letter.reply_to {
        message = message.reply_to(mailbox(*person)?);
    }
    // A message to nobody openly still has an envelope, which is the relay's business.
    let envelope = lettre::address::Envelope::new(None, vec![mailbox(letter.from)?.email])
        .map_err(|error| ComposeError::Message(error.to_string()))?;
    let message = message.envelope(envelope);
    let written = match (letter.text, letter.html) {
        (Some(text), Some(html)) => {
            message.multipart(MultiPart::alternative_plain_html(text.to_owned(), html.to_owned()))
        }
        (Some(text), None) => message.singlepart(SinglePart::plain(text.to_owned())),
        (None, Some(html)) => message.singlepart(SinglePart::html(html.to_owned())),
        (None, None) => return Err(ComposeError::Message("it has no body".to_owned())),
    };
    let written = written.map_err(|error| ComposeError::Message(error.to_string()))?;
    Message::read(&written.formatted()).map_err(|error| ComposeError::Message(error.to_string()))
}

fn mailbox(person: Person<'_>) -> Result<Mailbox, ComposeError> {
    let address = person.address.parse().map_err(|_| ComposeError::Address(person.address.to_owned()))?;
    Ok(Mailbox::new(person.name.map(str::to_owned), address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_has_its_headers_and_both_bodies_and_no_header_is_smuggled_in() {
        let person = |address| Person { address, name: None };
        let letter = Letter {
            id: "one@example.com",
            date: Timestamp::from_seconds(1_700_000_000),
            from: Person { address: "agents@example.com", name: Some("Agents \u{e4}") },
            to: vec![person("a@example.com")],
            cc: vec![person("c@example.com")],
            reply_to: vec![],
            subject: "Gr\u{fc}\u{df}e\r\nBcc: evil@example.com",
            text: Some("plain"),
            html: Some("<p>rich</p>"),
        };
        let written = String::from_utf8(compose(&letter).unwrap().bytes().to_vec()).unwrap();
        let (head, body) = written.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Message-ID: <one@example.com>\r\n"), "{head}");
        assert!(head.contains("To: a@example.com\r\n") && head.contains("Cc: c@example.com\r\n"), "{head}");
        assert!(head.contains("Date: Tue, 14 Nov 2023 22:13:20"), "{head}");
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(body.contains("plain") && body.contains("<p>rich</p>"), "{body}");
        assert!(compose(&Letter { to: vec![person("nobody@")], ..letter }).is_err());
    }
}
