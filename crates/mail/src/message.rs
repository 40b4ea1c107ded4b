//! A message in the one form in which every reader sees the same lines: each ends with CRLF, and there is no other CR or
//! LF, and no NUL (RFC 5321, section 2.3.8; RFC 5322, section 2.3).
//!
//! A relay that takes a bare LF for the end of a line sees the end of the message where others see text, and takes what
//! follows for commands. So nothing is read, kept or handed over but a [`Message`].

/// A message whose lines all end with CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(Vec<u8>);

/// Why bytes are no message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// There is a NUL in them.
    #[error("the message contains a NUL byte: encode what is not text, in base64 for one")]
    Nul,
}

impl Message {
    /// Reads what somebody wrote. A CR or an LF by itself ends a line, and is written as one that does.
    ///
    /// # Errors
    /// [`MessageError::Nul`].
    pub fn read(written: &[u8]) -> Result<Self, MessageError> {
        let mut lines = Vec::with_capacity(written.len());
        let mut after_cr = false;
        for byte in written {
            match byte {
                0 => return Err(MessageError::Nul),
                b'\r' => lines.extend_from_slice(b"\r\n"),
                b'\n' if after_cr => {}
                b'\n' => lines.extend_from_slice(b"\r\n"),
                other => lines.push(*other),
            }
            after_cr = *byte == b'\r';
        }
        Ok(Self(lines))
    }

    /// As it goes over the wire, before dots are doubled.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same without some of its lines, taken out whole.
    pub(crate) fn of_lines(lines: Vec<u8>) -> Self {
        Self(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(written: &[u8]) -> Vec<u8> {
        Message::read(written).unwrap().bytes().to_vec()
    }

    #[test]
    fn every_line_ends_with_crlf_and_nothing_else_is_changed() {
        assert_eq!(read(b"a\r\n\r\nb\r\n"), b"a\r\n\r\nb\r\n");
        assert_eq!(read(b"a\n\nb\n"), b"a\r\n\r\nb\r\n");
        assert_eq!(read(b"a\r\rb\r"), b"a\r\n\r\nb\r\n");
        assert_eq!(read(b"a\r\r\nb"), b"a\r\n\r\nb");
        assert_eq!(read(b"a\n\rb"), b"a\r\n\r\nb");
        assert_eq!(read("\u{e4}\u{85}\u{2028}".as_bytes()), "\u{e4}\u{85}\u{2028}".as_bytes());
        assert_eq!(read(b""), b"");
    }

    #[test]
    fn no_end_of_a_message_is_left_that_only_some_readers_see() {
        for end in [
            "\n.\n",
            "\n.\r\n",
            "\r\n.\n",
            "\r.\r",
            "\r.\r\n",
            "\r\n.\r",
            "\n\r.\r\n",
            "\r\r\n.\r\r\n",
            "\n.\r",
        ] {
            let lines = read(format!("x{end}MAIL FROM:<a@example.com>{end}").as_bytes());
            let text = String::from_utf8(lines).unwrap().replace("\r\n", "");
            assert!(!text.contains(['\r', '\n']), "{end:?}: {text:?}");
        }
    }

    #[test]
    fn a_nul_is_refused_in_headers_and_body() {
        assert_eq!(Message::read(b"Subject: a\0b\r\n\r\nx"), Err(MessageError::Nul));
        assert_eq!(Message::read(b"Subject: a\r\n\r\n\0"), Err(MessageError::Nul));
    }
}
