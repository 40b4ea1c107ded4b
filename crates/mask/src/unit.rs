//! What one character of a text is, however it is escaped.
//!
//! Percent-encoding (RFC 3986, section 2.1; `+` of the WHATWG's form encoding; once or several times) is taken back first, then
//! the escapes of JSON strings (RFC 8259, section 7) with any number of backslashes, so that a JSON document inside a JSON string
//! inside a URL reads like its text. Characters that encodings exchange for each other become one: the space, `+` and `-`;
//! `/` and `_`. Line ends are left out, since base64 and keys are wrapped at various widths.
//!
//! The same reading is applied to secrets and to what may hold them. An escape is at most [`LONGEST`] bytes; longer ones are none.

/// The most bytes that are one character.
pub(crate) const LONGEST: usize = 64;

/// How often a percent sign may have been percent-encoded again.
const DEEPEST: usize = 4;

/// What the next bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// These many bytes are one character, which is `text` in UTF-8; empty for what is left out.
    Taken { length: usize, text: Text },
    /// It depends on what follows.
    Unfinished,
}

/// Up to four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Text {
    bytes: [u8; 4],
    length: usize,
}

impl Text {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn of(character: char) -> Self {
        let mut bytes = [0; 4];
        let length = character.encode_utf8(&mut bytes).len();
        Self { bytes, length }
    }

    fn byte(byte: u8) -> Self {
        match fold(byte) {
            Some(byte) => Self { bytes: [byte, 0, 0, 0], length: 1 },
            None => Self::default(),
        }
    }
}

/// The byte that stands for all that it is exchanged with, or nothing for a line end.
pub(crate) fn fold(byte: u8) -> Option<u8> {
    match byte {
        b'\r' | b'\n' => None,
        b' ' | b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        _ => Some(byte),
    }
}

/// Whether the byte begins nothing longer than itself.
pub(crate) fn is_plain(byte: u8) -> bool {
    byte != b'\\' && byte != b'%'
}

/// Reads one character off the front of `bytes`, which are not empty. With `LONGEST` bytes it never remains unfinished.
pub(crate) fn next(bytes: &[u8]) -> Unit {
    let Some(first) = bytes.first() else { return Unit::Unfinished };
    if is_plain(*first) {
        return Unit::Taken { length: 1, text: Text::byte(*first) };
    }
    let within = bytes.get(..LONGEST).unwrap_or(bytes);
    match (Reader { bytes: within, at: 0 }).character() {
        Some((length, text)) => Unit::Taken { length, text },
        None if bytes.len() < LONGEST => Unit::Unfinished,
        None if *first == b'\\' => {
            // Half of the backslashes at once, so that a long run of them does not take long.
            let run = within.iter().take(LONGEST / 2).take_while(|byte| **byte == b'\\').count();
            Unit::Taken { length: run, text: Text::default() }
        }
        None => Unit::Taken { length: 1, text: Text::byte(*first) },
    }
}

/// Every method answers `None` when the bytes end too early.
struct Reader<'bytes> {
    bytes: &'bytes [u8],
    at: usize,
}

impl Reader<'_> {
    fn character(mut self) -> Option<(usize, Text)> {
        let mut byte = self.octet()?;
        if byte != b'\\' {
            return Some((self.at, Text::byte(byte)));
        }
        loop {
            while byte == b'\\' {
                byte = self.octet()?;
            }
            if byte != b'u' {
                return Some((self.at, escaped(byte)));
            }
            match self.code_unit()? {
                // A backslash written as a number is one of the run; a percent sign may begin an escape of its own.
                Escape::Octet(b'\\') => byte = b'\\',
                Escape::Octet(b'%') => match self.behind_sign()? {
                    b'\\' => byte = b'\\',
                    other => return Some((self.at, Text::byte(other))),
                },
                Escape::Octet(other) => return Some((self.at, Text::byte(other))),
                Escape::Character(text) => return Some((self.at, text)),
            }
        }
    }

    /// What follows `\u`; when it is no hexadecimal number, the letter stands for itself.
    fn code_unit(&mut self) -> Option<Escape> {
        let letter = self.at;
        let Some(first) = self.four_digits()? else {
            self.at = letter;
            return Some(Escape::Octet(b'u'));
        };
        if !(0xd800..0xdc00).contains(&first) {
            return Some(scalar(first));
        }
        let alone = self.at;
        if let Some(second) = self.second_half()? {
            return Some(scalar(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)));
        }
        self.at = alone;
        Some(scalar(first))
    }

    /// The second of two escapes that are one character (RFC 8259, section 7).
    fn second_half(&mut self) -> Option<Option<u32>> {
        let mut byte = self.octet()?;
        if byte != b'\\' {
            return Some(None);
        }
        while byte == b'\\' {
            byte = self.octet()?;
        }
        if byte != b'u' {
            return Some(None);
        }
        Some(self.four_digits()?.filter(|second| (0xdc00..0xe000).contains(second)))
    }

    fn four_digits(&mut self) -> Option<Option<u32>> {
        let mut value = 0;
        for _ in 0..4 {
            let Some(digit) = digit(self.octet()?) else { return Some(None) };
            value = value * 16 + digit;
        }
        Some(Some(value))
    }

    /// One byte, percent-encoded any number of times up to [`DEEPEST`].
    fn octet(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        if byte == b'%' { self.behind_sign() } else { Some(byte) }
    }

    /// The byte that a percent sign begins, which is the sign itself when no digits follow.
    fn behind_sign(&mut self) -> Option<u8> {
        let mut sign_ends = self.at;
        for _ in 0..DEEPEST {
            let Some(value) = self.pair()? else { break };
            if value != b'%' {
                return Some(value);
            }
            sign_ends = self.at;
        }
        self.at = sign_ends;
        Some(b'%')
    }

    /// Two hexadecimal digits.
    fn pair(&mut self) -> Option<Option<u8>> {
        let Some(high) = self.percent_digit()? else { return Some(None) };
        let Some(low) = self.percent_digit()? else { return Some(None) };
        Some(u8::try_from(high * 16 + low).ok())
    }

    /// A digit, which some encode as they encode every byte.
    fn percent_digit(&mut self) -> Option<Option<u32>> {
        let mut byte = *self.bytes.get(self.at)?;
        self.at += 1;
        if byte == b'%' {
            let Some(high) = digit(*self.bytes.get(self.at)?) else { return Some(None) };
            let Some(low) = digit(*self.bytes.get(self.at + 1)?) else { return Some(None) };
            self.at += 2;
            byte = u8::try_from(high * 16 + low).unwrap_or_default();
        }
        Some(digit(byte))
    }
}

fn digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

/// What an escape with a number is.
enum Escape {
    Octet(u8),
    Character(Text),
}

fn escaped(letter: u8) -> Text {
    match letter {
        b'n' | b'r' => Text::default(),
        b't' => Text::byte(b'\t'),
        b'b' => Text::byte(0x08),
        b'f' => Text::byte(0x0c),
        other => Text::byte(other),
    }
}

/// The character of a code point; what is none is read as the replacement character.
fn scalar(value: u32) -> Escape {
    match u8::try_from(value) {
        Ok(byte) if byte.is_ascii() => Escape::Octet(byte),
        _ => Escape::Character(Text::of(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (usize, String) {
        match next(text.as_bytes()) {
            Unit::Taken { length, text } => (length, String::from_utf8(text.bytes().to_vec()).unwrap()),
            Unit::Unfinished => (0, String::new()),
        }
    }

    #[test]
    fn a_character_is_read_however_it_is_written() {
        for (written, length, character) in [
            ("a", 1, "a"),
            ("%41b", 3, "A"),
            ("%2541b", 5, "A"),
            ("%zz", 1, "%"),
            ("%25zz", 3, "%"),
            (r"\/", 2, "/"),
            (r#"\\\""#, 4, "\""),
            (r"\u0041", 6, "A"),
            (r"\\u00e9", 7, "é"),
            (r"\ud83d\ude00", 12, "😀"),
            (r"\uD83Dx", 6, "\u{fffd}"),
            ("%5C%22", 6, "\""),
            ("%5c%75%30%30%65%39", 18, "é"),
            (r"\u005ca", 7, "a"),
            (r"\u002541", 8, "A"),
            (r"\n", 2, ""),
            ("\n", 1, ""),
            ("%0D", 3, ""),
            ("_", 1, "/"),
            ("%20", 3, "+"),
            ("%25%34%31", 9, "A"),
        ] {
            assert_eq!(read(written), (length, character.to_owned()), "{written}");
        }
    }

    #[test]
    fn what_depends_on_more_bytes_waits_but_not_for_ever() {
        for unfinished in ["%", "%4", "%25", r"\", r"\\", r"\u", r"\u004", r"\ud83d", r"\ud83d\u"] {
            assert_eq!(next(unfinished.as_bytes()), Unit::Unfinished, "{unfinished}");
        }
        assert_eq!(read(&r"\".repeat(LONGEST)), (LONGEST / 2, String::new()));
        assert_eq!(read(&format!("%{}", "25".repeat(40))), (9, "%".to_owned()));
    }
}
