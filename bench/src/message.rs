//! As much of HTTP/1.1 as a client needs that must cost little: the head of an answer, found in what was received.

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// The status.
    pub(crate) status: u16,
    /// How many bytes the head has, its empty line with it.
    pub(crate) length: usize,
    /// How many bytes the body has; `None` when it comes in chunks.
    pub(crate) body: Option<usize>,
    lines: &'a [u8],
}

impl<'a> Head<'a> {
    /// The head of an answer; `None` when it is not whole yet.
    ///
    /// # Errors
    /// When it is none, or does not say how long its body is.
    pub(crate) fn read(received: &'a [u8]) -> Result<Option<Self>, &'static str> {
        let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let lines = received.get(..end).unwrap_or_default();
        let status = lines.strip_prefix(b"HTTP/1.1 ").and_then(|rest| number(rest.get(..3)?));
        let status = status.ok_or("the answer is no HTTP/1.1")?;
        let mut head =
            Self { status: u16::try_from(status).unwrap_or(u16::MAX), length: end + 4, body: None, lines };
        head.body = match head.header(b"content-length") {
            Some(text) => Some(number(text).ok_or("the answer's Content-Length is no number")?),
            None if head.header(b"transfer-encoding") == Some(b"chunked") => None,
            None => return Err("the answer has no Content-Length"),
        };
        Ok(Some(head))
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &[u8]) -> Option<&'a [u8]> {
        let lines = self.lines.split(|byte| *byte == b'\n').skip(1);
        let mut found = lines.filter_map(|line| {
            let (given, rest) = line.split_at_checked(name.len())?;
            given.eq_ignore_ascii_case(name).then_some(rest.strip_prefix(b":")?)
        });
        found.next().map(<[u8]>::trim_ascii)
    }
}

/// Takes the chunks that are whole out of what was received from `at` on, and puts their bytes behind `body`; gives where
/// the next one begins, or that there is none.
///
/// # Errors
/// When they are no chunks.
pub(crate) fn take_chunks(
    received: &[u8],
    mut at: usize,
    body: &mut Vec<u8>,
) -> Result<Chunks, &'static str> {
    loop {
        let rest = received.get(at..).unwrap_or_default();
        let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else {
            return Ok(Chunks::Next(at));
        };
        let digits = rest.get(..line).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).map_err(|_| "a chunk has no size")?;
        let Some(chunk) = rest.get(line + 2..line + 4 + size) else { return Ok(Chunks::Next(at)) };
        body.extend_from_slice(chunk.get(..size).unwrap_or_default());
        if size == 0 {
            return Ok(Chunks::Over);
        }
        at += line + 4 + size;
    }
}

/// How far a body in chunks is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// The next chunk begins here.
    Next(usize),
    /// It is whole.
    Over,
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_they_arrive() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length:  5\r\n\r\nhello";
        for length in 0..answer.len() - 5 {
            assert_eq!(Head::read(&answer[..length]), Ok(None));
        }
        let head = Head::read(answer).unwrap().unwrap();
        assert_eq!((head.status, head.length, head.body), (200, answer.len() - 5, Some(5)));
        assert_eq!(head.header(b"content-type"), Some(&b"text/plain"[..]));
        assert_eq!(head.header(b"content"), None);
    }

    #[test]
    fn chunks_are_read_as_they_arrive() {
        let answer =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
        let head = Head::read(answer).unwrap().unwrap();
        assert_eq!(head.body, None);
        let (mut at, mut body) = (head.length, Vec::new());
        for length in head.length..answer.len() {
            match take_chunks(&answer[..length], at, &mut body).unwrap() {
                Chunks::Next(next) => at = next,
                Chunks::Over => panic!("it is not whole"),
            }
        }
        assert_eq!((take_chunks(answer, at, &mut body), &body[..]), (Ok(Chunks::Over), &b"hello!"[..]));
        assert!(take_chunks(b"x\r\n", 0, &mut body).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for answer in [&b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n"[..], b"HTTP/1.1 200 OK\r\n\r\n"] {
            assert!(Head::read(answer).is_err());
        }
    }
}
