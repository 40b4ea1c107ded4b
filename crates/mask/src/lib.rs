//! Takes secrets out of bytes that leave.
//!
//! An upstream that is called with a credential may send it back: in a result, an error, a header it echoes. A [`Mask`]
//! knows the secrets that a call may carry and finds them as they are, inside JSON strings at any depth, percent-encoded,
//! in base64 and hexadecimal (also as the end of `user:secret`, and percent-encoded inside, as RFC 6749, section 2.3.1, has
//! it), in any mixture of escapes, as XML and HTML write it, and across the cuts of a stream. It works on bytes and knows no
//! format, so it cannot be led astray by a document that is malformed.
//!
//! Two automata read side by side. One compares the bytes as they are; the other compares what is left when escapes are
//! taken back ([`unit`]), on both sides alike, so that however a character is written it is the same character. It takes
//! some texts for a secret that are none (`a-b` for `a b`): that errs on the side of silence.
//!
//! What it does not find: secrets of less than [`SHORTEST`] bytes, which would mask words; secrets that were compressed,
//! encrypted, cut up or written backwards, base64 within base64. Secrets with hardly anything but backslashes, percent
//! signs and line ends, many of these in a row, or what reads like percent-encoding are found in the usual spellings only;
//! in XML and HTML, all secrets are. Whoever has the secret and wants it out gets it out.

mod automaton;
mod forms;
mod stream;
mod unit;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use domain::Secret;

use automaton::Automaton;
pub use stream::Masker;

/// Secrets of fewer bytes than this are not masked.
pub const SHORTEST: usize = 8;

/// The secrets to take out. Cloning it is cheap; making it costs time and memory in proportion to the secrets' bytes.
#[derive(Clone)]
pub struct Mask(Vec<Arc<Automata>>);

/// What is looked for as it stands, and what is looked for with escapes taken back.
struct Automata {
    exact: Automaton,
    loose: Automaton,
}

impl Mask {
    /// A mask for these secrets. Those of less than [`SHORTEST`] bytes are left out.
    pub fn new<'secret>(secrets: impl IntoIterator<Item = &'secret Secret>) -> Self {
        let mut automata = Automata { exact: Automaton::new(), loose: Automaton::new() };
        for secret in secrets {
            forms::add(secret, &mut automata.exact, &mut automata.loose);
        }
        automata.exact.finish();
        automata.loose.finish();
        Self(vec![Arc::new(automata)])
    }

    /// A mask for the secrets of both. It costs nothing to make; reading with it takes as long as with one after the
    /// other, but secrets that overlap are taken out as a whole.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let parts = self.0.iter().chain(&other.0);
        Self(parts.cloned().collect())
    }

    /// Whether there is nothing to mask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|part| part.exact.is_empty() && part.loose.is_empty())
    }

    /// The bytes without the secrets; borrowed when there are none in them.
    #[must_use]
    pub fn bytes<'bytes>(&self, bytes: &'bytes [u8]) -> Cow<'bytes, [u8]> {
        if self.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut stream = self.stream();
        let mut masked = Vec::new();
        for piece in bytes.chunks(PIECE) {
            stream.push_into(piece, &mut masked);
        }
        stream.finish_into(&mut masked);
        if stream.has_masked() { Cow::Owned(masked) } else { Cow::Borrowed(bytes) }
    }

    /// The text without the secrets; borrowed when there are none in it.
    #[must_use]
    pub fn text<'text>(&self, text: &'text str) -> Cow<'text, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(masked) => Cow::Owned(match String::from_utf8(masked) {
                Ok(masked) => masked,
                Err(broken) => String::from_utf8_lossy(broken.as_bytes()).into_owned(),
            }),
        }
    }

    /// Masks a body that comes in pieces.
    #[must_use]
    pub fn stream(&self) -> Masker {
        Masker::new(self)
    }
}

/// How much of a whole body is looked at in one go, which bounds what is held twice.
const PIECE: usize = 64 * 1024;

impl fmt::Debug for Mask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Mask")
    }
}
