//! Reads the headers of a message that somebody else wrote, as far as who sends it to whom about what.
//!
//! Only the headers are read, at most 64 KiB of them: what the message holds is nobody's business here. Sources: RFC 5322,
//! sections 2.1 and 3.6; RFC 2047.

use mail_parser::{Address, HeaderName, HeaderValue, MessageParser};

use crate::message::Message;

/// The most bytes that the headers of a message may have.
const MOST_BYTES: usize = 64 * 1024;

/// The headers besides `From` that say who sends a message. Some readers show them.
const OTHER_SENDERS: [(&str, HeaderName<'static>); 3] = [
    ("Sender", HeaderName::Sender),
    ("Resent-From", HeaderName::ResentFrom),
    ("Resent-Sender", HeaderName::ResentSender),
];

/// Somebody whom the headers name as who sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// What should be `local@domain`.
    pub address: String,
    /// What is shown before it, decoded.
    pub name: Option<String>,
}

/// What the headers of a message say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// `From`.
    pub from: Option<Sender>,
    /// `Sender`, `Resent-From` and `Resent-Sender`, as far as they are there.
    pub other_senders: Vec<Sender>,
    /// `To`.
    pub to: Vec<String>,
    /// `Cc`.
    pub cc: Vec<String>,
    /// `Bcc`.
    pub bcc: Vec<String>,
    /// `Subject`, decoded.
    pub subject: Option<String>,
}

/// Why headers cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadersError {
    /// They are too long, or do not end.
    #[error("the headers of the message have more than {MOST_BYTES} bytes, or do not end with an empty line")]
    Length,
    /// There are none.
    #[error("the message has no headers")]
    Missing,
    /// There are several of one that there may be one of.
    #[error("the message has the header `{0}` more than once")]
    Twice(&'static str),
    /// One names several senders, or nobody who could be read.
    #[error("the header `{0}` of the message must name one address")]
    Senders(&'static str),
    /// A line is no header and goes on with none: some readers take it for the end of the headers.
    #[error("a line of the headers of the message is no header: `Name: value` is one")]
    Line,
}

impl Headers {
    /// Reads the headers of a message.
    ///
    /// # Errors
    /// [`HeadersError`] when there are none, too many, or some that different readers would read differently.
    pub fn read(message: &Message) -> Result<Self, HeadersError> {
        let head = head(message.bytes())?;
        if !fields(head).all(is_field) {
            return Err(HeadersError::Line);
        }
        // Two of them are read differently by different readers: what is checked must be what is shown.
        let others = OTHER_SENDERS.map(|(name, _)| name);
        for name in others.into_iter().chain(["From", "To", "Cc", "Bcc", "Subject"]) {
            if fields(head).filter(|field| is_named(field, name)).count() > 1 {
                return Err(HeadersError::Twice(name));
            }
        }
        let parsed = MessageParser::default().parse_headers(head).ok_or(HeadersError::Missing)?;
        let sender = |name, header| match fields(head).any(|field| is_named(field, name)) {
            true => {
                let named = parsed.header(header).and_then(HeaderValue::as_address);
                only(named).map(Some).ok_or(HeadersError::Senders(name))
            }
            false => Ok(None),
        };
        let mut other_senders = Vec::new();
        for (name, header) in OTHER_SENDERS {
            other_senders.extend(sender(name, header)?);
        }
        Ok(Self {
            from: sender("From", HeaderName::From)?,
            other_senders,
            to: addresses(parsed.to()),
            cc: addresses(parsed.cc()),
            bcc: addresses(parsed.bcc()),
            subject: parsed.subject().map(str::to_owned),
        })
    }
}

/// The message without its `Bcc` header, which its recipients must not see.
#[must_use]
pub fn without_bcc(message: &Message) -> Message {
    let message = message.bytes();
    let Ok(head) = head(message) else { return Message::of_lines(message.to_vec()) };
    let mut kept: Vec<u8> = fields(head).filter(|field| !is_named(field, "Bcc")).flatten().copied().collect();
    kept.extend_from_slice(message.get(head.len()..).unwrap_or_default());
    Message::of_lines(kept)
}

/// The headers, up to the empty line.
fn head(message: &[u8]) -> Result<&[u8], HeadersError> {
    let bounded = message.get(..message.len().min(MOST_BYTES)).unwrap_or_default();
    let mut at = 0;
    for line in bounded.split_inclusive(|byte| *byte == b'\n') {
        if line == b"\r\n" {
            return bounded.get(..at).filter(|head| !head.is_empty()).ok_or(HeadersError::Missing);
        }
        at += line.len();
    }
    // A message may be headers alone.
    if at == message.len() && !message.is_empty() { Ok(message) } else { Err(HeadersError::Length) }
}

/// The fields of the headers: a line, with those that go on with it.
fn fields(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            let goes_on = matches!(line.first(), Some(b' ' | b'\t'));
            if end > 0 && !goes_on {
                break;
            }
            end += line.len();
        }
        let (field, others) = rest.split_at_checked(end)?;
        rest = others;
        Some(field)
    })
}

fn is_named(field: &[u8], name: &str) -> bool {
    named(field).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether a field is one: a name of printable ASCII, a colon.
fn is_field(field: &[u8]) -> bool {
    named(field).is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))
}

/// What stands before the colon of a field, without the spaces and tabs that old messages have there (RFC 5322, 4.5).
fn named(field: &[u8]) -> Option<&[u8]> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    let mut name = field.get(..colon)?;
    while let [rest @ .., b' ' | b'\t'] = name {
        name = rest;
    }
    Some(name)
}

/// The one address of a header.
fn only(header: Option<&Address<'_>>) -> Option<Sender> {
    let mut all = header?.iter();
    let (one, None) = (all.next()?, all.next()) else { return None };
    Some(Sender { address: one.address()?.to_owned(), name: one.name().map(str::to_owned) })
}

fn addresses(header: Option<&Address<'_>>) -> Vec<String> {
    let all = header.into_iter().flat_map(Address::iter);
    all.filter_map(|one| {
        let address = one.address()?;
        Some(match one.name() {
            Some(name) => format!("{name} <{address}>"),
            None => address.to_owned(),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &[u8] = b"From: =?utf-8?q?=C3=84gents?= <agents@example.com>\r\nTo: a@example.com,\r\n \"B, C\" <b@example.com>\r\nbcc: hidden@example.com,\r\n\tother@example.com\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\nTo: body@example.com\r\n";

    fn read(message: &[u8]) -> Result<Headers, HeadersError> {
        Headers::read(&Message::read(message).unwrap())
    }

    fn sender(address: &str, name: Option<&str>) -> Sender {
        Sender { address: address.to_owned(), name: name.map(str::to_owned) }
    }

    #[test]
    fn headers_say_who_writes_to_whom_about_what() {
        let headers = read(RAW).unwrap();
        assert_eq!(headers.from, Some(sender("agents@example.com", Some("\u{c4}gents"))));
        assert_eq!(headers.to, ["a@example.com", "B, C <b@example.com>"]);
        assert_eq!(headers.bcc, ["hidden@example.com", "other@example.com"]);
        assert_eq!(headers.subject.as_deref(), Some("Gr\u{fc}\u{df}e"));
    }

    #[test]
    fn what_is_hidden_is_taken_out_and_nothing_else() {
        let without = without_bcc(&Message::read(RAW).unwrap());
        let without = String::from_utf8(without.bytes().to_vec()).unwrap();
        assert!(!without.contains("hidden") && !without.contains("other@"), "{without}");
        assert_eq!(without.len(), RAW.len() - "bcc: hidden@example.com,\r\n\tother@example.com\r\n".len());
        assert!(without.ends_with("\r\n\r\nTo: body@example.com\r\n"));
    }

    #[test]
    fn what_cannot_be_read_in_one_way_is_refused() {
        assert_eq!(read(b""), Err(HeadersError::Length));
        assert_eq!(read(b"\r\nbody"), Err(HeadersError::Missing));
        let long = [b"Subject: ".as_slice(), &vec![b'x'; MOST_BYTES], b"\r\n\r\n"].concat();
        assert_eq!(read(&long), Err(HeadersError::Length));
        let twice = b"From: a@example.com\r\nfrom : b@example.com\r\n\r\n";
        assert_eq!(read(twice), Err(HeadersError::Twice("From")));
        assert_eq!(
            read(b"Sender: a@b.org\nFrom: a@b.org\nSENDER: c@b.org\n\n"),
            Err(HeadersError::Twice("Sender"))
        );
        for line in [
            "From a@example.com",
            " From: ceo@example.com",
            "no header",
            ": x",
            "\u{e4}: x",
            "Subject",
            "\u{c}:Bcc: x",
            "Bcc\u{c}: x",
        ] {
            let message = format!("{line}\r\nFrom: a@example.com\r\n\r\n");
            assert_eq!(read(message.as_bytes()), Err(HeadersError::Line), "{line}");
        }
    }

    #[test]
    fn a_bare_line_end_hides_no_header() {
        let headers =
            read(b"From: a@example.com\rSender: b@example.com\nBcc: c@example.com\r\rTo: body@example.com")
                .unwrap();
        assert_eq!(headers.from, Some(sender("a@example.com", None)));
        assert_eq!(headers.other_senders, [sender("b@example.com", None)]);
        assert_eq!((headers.bcc, headers.to), (vec!["c@example.com".to_owned()], vec![]));
    }

    #[test]
    fn a_header_names_one_sender() {
        let of = |from: &str| read(format!("From: {from}\r\nTo: b@example.com\r\n\r\n").as_bytes());
        let named = |name| Ok(Some(sender("a@example.com", Some(name))));
        assert_eq!(of("a@example.com (CEO)").map(|it| it.from), named("CEO"));
        assert_eq!(of("=?utf-8?q?C=45O?= <a@example.com>").map(|it| it.from), named("CEO"));
        for several in [
            "Bot <a@example.com>, CEO <ceo@example.com>",
            "a@example.com,\r\n ceo@example.com",
            "Team: a@example.com, ceo@example.com;",
            "CEO, a@example.com",
            "",
        ] {
            assert_eq!(of(several), Err(HeadersError::Senders("From")), "{several}");
        }
        let resent = b"From: a@example.com\r\nResent-From: a@example.com, b@example.com\r\n\r\n";
        assert_eq!(read(resent), Err(HeadersError::Senders("Resent-From")));
    }
}
