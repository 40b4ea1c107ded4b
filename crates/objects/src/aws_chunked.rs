//! The `aws-chunked` encoding: each chunk with its length and, where the body is signed, its signature; headers after
//! the last one.
//!
//! Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in
//! Multiple Chunks (Chunked Upload)" and "Trailing headers".

use aws::sigv4::ChunkSignatures;
use aws_lc_rs::digest;
use bytes::{Buf as _, Bytes};

use crate::fault::Failure;

/// The longest line: a length, a signature, or a trailing header.
const LONGEST_LINE: usize = 1024;
/// How many trailing headers there may be.
const MOST_TRAILERS: usize = 8;

/// Takes the encoding off a body.
pub(crate) struct Decoder {
    signatures: Option<Box<ChunkSignatures>>,
    expects_trailer: bool,
    state: State,
    /// A line that is not yet whole.
    line: Vec<u8>,
    /// The trailing headers, by their lower-case names.
    pub(crate) trailers: Vec<(String, String)>,
    /// The trailing headers, as they are signed.
    signed_trailers: String,
}

enum State {
    /// At the line that begins a chunk.
    Length,
    /// In a chunk.
    Data { left: u64, hash: digest::Context, signature: String },
    /// At the empty line that ends a chunk.
    End,
    /// At a trailing header, or the empty line that ends them.
    Trailer { proven: bool },
    /// At the end of the body.
    Done,
}

impl Decoder {
    pub(crate) fn new(signatures: Option<Box<ChunkSignatures>>, expects_trailer: bool) -> Self {
        Self {
            signatures,
            expects_trailer,
            state: State::Length,
            line: Vec::new(),
            trailers: Vec::new(),
            signed_trailers: String::new(),
        }
    }

    /// Takes as much of `input` as makes one piece of the body; `None` when more input is needed. Pieces of a chunk are
    /// given out before the chunk is proven: nothing may be made of them before [`Decoder::finish`].
    pub(crate) fn decode(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Failure> {
        loop {
            if let State::Data { left, hash, .. } = &mut self.state
                && *left > 0
            {
                if input.is_empty() {
                    return Ok(None);
                }
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let piece = input.split_to(most);
                *left -= piece.len() as u64;
                if self.signatures.is_some() {
                    hash.update(&piece);
                }
                return Ok(Some(piece));
            }
            if matches!(self.state, State::Data { .. }) {
                self.end_of_chunk()?;
                continue;
            }
            if matches!(self.state, State::Done) {
                return if input.is_empty() { Ok(None) } else { Err(malformed()) };
            }
            let Some(line) = self.read_line(input)? else { return Ok(None) };
            self.take_line(&line)?;
        }
    }

    /// The body has ended: it must have ended here.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        match self.state {
            State::Done => Ok(()),
            _ => Err(Failure::new(
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            )),
        }
    }

    fn read_line(&mut self, input: &mut Bytes) -> Result<Option<String>, Failure> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(input.len(), |at| at + 1);
        if self.line.len() + taken > LONGEST_LINE {
            return Err(malformed());
        }
        self.line.extend_from_slice(input.get(..taken).unwrap_or_default());
        input.advance(taken);
        if end.is_none() {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        String::from_utf8(line.to_vec()).map(Some).map_err(|_| malformed())
    }

    fn take_line(&mut self, line: &str) -> Result<(), Failure> {
        match self.state {
            State::Length => self.begin_chunk(line),
            State::End if line.is_empty() => {
                self.state = State::Length;
                Ok(())
            }
            State::Trailer { proven } => self.take_trailer(line, proven),
            _ => Err(malformed()),
        }
    }

    fn begin_chunk(&mut self, line: &str) -> Result<(), Failure> {
        let (length, extension) = line.split_once(';').unwrap_or((line, ""));
        let sound =
            !length.is_empty() && length.len() <= 15 && length.bytes().all(|byte| byte.is_ascii_hexdigit());
        let left = if sound {
            u64::from_str_radix(length, 16).map_err(|_| malformed())?
        } else {
            return Err(malformed());
        };
        let signature = match (&self.signatures, extension.strip_prefix("chunk-signature=")) {
            (Some(_), Some(signature)) => signature.to_owned(),
            (None, None) => String::new(),
            _ => return Err(malformed()),
        };
        self.state = State::Data { left, hash: digest::Context::new(&digest::SHA256), signature };
        if left == 0 {
            // The last chunk: it has no empty line of its own.
            self.prove_chunk()?;
            self.state = State::Trailer { proven: false };
        }
        Ok(())
    }

    fn end_of_chunk(&mut self) -> Result<(), Failure> {
        self.prove_chunk()?;
        self.state = State::End;
        Ok(())
    }

    fn prove_chunk(&mut self) -> Result<(), Failure> {
        let State::Data { hash, signature, .. } = std::mem::replace(&mut self.state, State::End) else {
            return Ok(());
        };
        let holds = self
            .signatures
            .as_mut()
            .is_none_or(|signatures| signatures.proves_chunk(hash.finish().as_ref(), &signature));
        if holds { Ok(()) } else { Err(mismatch()) }
    }

    fn take_trailer(&mut self, line: &str, proven: bool) -> Result<(), Failure> {
        if line.is_empty() {
            let unproven = self.signatures.is_some() && self.expects_trailer && !proven;
            if unproven {
                return Err(mismatch());
            }
            self.state = State::Done;
            return Ok(());
        }
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if !self.expects_trailer || proven || self.trailers.len() >= MOST_TRAILERS {
            return Err(malformed());
        }
        if name == "x-amz-trailer-signature" {
            let signatures = self.signatures.as_mut().ok_or_else(malformed)?;
            if !signatures.proves_trailer(self.signed_trailers.as_bytes(), value) {
                return Err(mismatch());
            }
            self.state = State::Trailer { proven: true };
        } else {
            self.signed_trailers.push_str(&format!("{name}:{value}\n"));
            self.trailers.push((name, value.to_owned()));
        }
        Ok(())
    }
}

fn malformed() -> Failure {
    Failure::new("InvalidRequest", "The body is not encoded as aws-chunked has it.")
}

fn mismatch() -> Failure {
    Failure::new(
        "SignatureDoesNotMatch",
        "The signature of a chunk of the body is not the one that we calculated. Check your key and signing method.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in a body, and its trailing headers.
    type Decoded = (Vec<u8>, Vec<(String, String)>);

    /// Decodes a body that comes in pieces of `size` bytes.
    fn decoded(body: &[u8], size: usize) -> Result<Decoded, Failure> {
        let mut decoder = Decoder::new(None, true);
        let mut out = Vec::new();
        for piece in body.chunks(size) {
            let mut input = Bytes::copy_from_slice(piece);
            while let Some(piece) = decoder.decode(&mut input)? {
                out.extend_from_slice(&piece);
            }
        }
        decoder.finish()?;
        Ok((out, decoder.trailers))
    }

    #[test]
    fn a_body_is_the_same_however_it_is_cut() {
        let body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        for size in 1..=body.len() {
            let (text, trailers) = decoded(body, size).unwrap();
            assert_eq!(text, b"hello world");
            assert_eq!(trailers, [("x-amz-checksum-crc32".to_owned(), "DUoRhQ==".to_owned())]);
        }
    }

    #[test]
    fn what_is_not_sound_is_refused() {
        for body in [
            &b"5\r\nhello\r\n"[..],
            b"5\r\nhelloX\r\n0\r\n\r\n",
            b"g\r\n",
            b"-5\r\nhello\r\n0\r\n\r\n",
            b"\r\n",
            b"ffffffffffffffffff\r\n",
            b"5;chunk-signature=00\r\nhello\r\n0\r\n\r\n",
            b"0\r\n\r\nmore",
            b"0\r\nno colon\r\n\r\n",
            &[b'0'; 4096],
        ] {
            assert!(decoded(body, 7).is_err(), "{:?}", String::from_utf8_lossy(body));
        }
        let many = format!("0\r\n{}\r\n", "a:b\r\n".repeat(MOST_TRAILERS + 1));
        assert!(decoded(many.as_bytes(), 100).is_err());
    }
}
