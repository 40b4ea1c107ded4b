//! AWS's event stream: each event is a message with its own length, headers and two checksums.
//!
//! ```text
//! total length (4) │ headers' length (4) │ CRC-32 of both (4) │ headers │ payload │ CRC-32 of all before (4)
//! a header: name's length (1) │ name │ 7 (a string) │ value's length (2) │ value
//! ```
//!
//! Numbers are big-endian; the checksum is that of gzip. Source: Smithy, "Amazon Event Stream specification".

use crc::{CRC_32_ISO_HDLC, Crc};
use serde_json::Value;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
/// The number of the kind of header whose value is a string.
const STRING: u8 = 7;

/// An event of the stream.
pub(crate) fn event(kind: &str, payload: &Value) -> Vec<u8> {
    message(
        &[(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")],
        payload.to_string().as_bytes(),
    )
}

/// The error with which a stream ends. `kind` is the stream's member, such as `modelStreamErrorException`.
pub(crate) fn exception(kind: &str, payload: &Value) -> Vec<u8> {
    message(
        &[(":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception")],
        payload.to_string().as_bytes(),
    )
}

fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    for (name, value) in headers {
        written.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        written.extend_from_slice(name.as_bytes());
        written.push(STRING);
        written.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        written.extend_from_slice(value.as_bytes());
    }
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut whole = Vec::with_capacity(16 + written.len() + payload.len());
    whole.extend_from_slice(&length(16 + written.len() + payload.len()));
    whole.extend_from_slice(&length(written.len()));
    whole.extend_from_slice(&CRC.checksum(&whole).to_be_bytes());
    whole.extend_from_slice(&written);
    whole.extend_from_slice(payload);
    whole.extend_from_slice(&CRC.checksum(&whole).to_be_bytes());
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of the specification's test suite (`payload_one_str_header`).
    #[test]
    fn a_message_is_as_the_specification_has_it() {
        let whole = message(&[("content-type", "application/json")], b"{'foo':'bar'}");
        let expected = "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e\
                        7b27666f6f273a27626172277d8d9c08b1";
        let found: String = whole.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, expected);
    }
}
