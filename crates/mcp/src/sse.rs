//! Server-sent events (WHATWG HTML, section 9.2), as far as MCP uses them: the data of each event, put together from
//! however the bytes arrive.

/// Puts events together.
#[derive(Default)]
pub struct Events {
    /// Bytes of a line that is not whole yet.
    line: Vec<u8>,
    /// The data lines of the event that is not whole yet.
    data: Vec<u8>,
    has_data: bool,
    /// Whether the last line ended in a carriage return, whose line feed may still come.
    after_return: bool,
}

impl Events {
    /// Takes more bytes; gives the data of the events that are whole now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        for byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    whole.extend(self.end_line(&line));
                }
                byte => self.line.push(*byte),
            }
        }
        whole
    }

    /// How many bytes wait for the rest of their event.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.line.len() + self.data.len()
    }

    fn end_line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        if line.is_empty() {
            return std::mem::take(&mut self.has_data).then(|| std::mem::take(&mut self.data));
        }
        // A line without a colon is a field's name, and its value is empty.
        let data = match line.strip_prefix(b"data") {
            Some(b"") => Some(&b""[..]),
            named => named.and_then(|rest| rest.strip_prefix(b":")),
        };
        if let Some(data) = data {
            if self.has_data {
                self.data.push(b'\n');
            }
            self.has_data = true;
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_what_the_standard_says() {
        let stream = b"data\ndata: a\ndatabase: b\ndata:  c\n\ndata\n\nretry\n\n";
        assert_eq!(Events::default().push(stream), [b"\na\n c".to_vec(), b"".to_vec()]);
    }

    #[test]
    fn events_are_whole_however_they_arrive() {
        let stream =
            b": hello\nevent: message\r\ndata: {\"a\":\r\ndata:1}\r\n\r\nid: 5\n\ndata: two\r\rdata: rest";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let found: Vec<_> = stream.chunks(size).flat_map(|chunk| events.push(chunk)).collect();
            assert_eq!(found, [b"{\"a\":\n1}".to_vec(), b"two".to_vec()], "in pieces of {size}");
            assert_eq!(events.waiting(), "data: rest".len());
        }
    }
}
