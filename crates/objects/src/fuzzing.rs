//! The parsers of the room, for the fuzz targets alone: nothing of it is in a server (`cfg(fuzzing)` is set by
//! cargo-fuzz).

use bytes::Bytes;

use crate::aws_chunked::Decoder;
use crate::xml::{Element, Xml};

/// A document that S3 reads, written again as it was understood; `None` when it is refused.
#[must_use]
pub fn understood(document: &[u8], root: &str) -> Option<String> {
    let read = Element::read(document, root).ok()?;
    let mut written = Xml::document(root, None);
    contents(&read, &mut written);
    Some(written.end(root))
}

fn contents(element: &Element, to: &mut Xml) {
    to.text(&element.text);
    for child in &element.children {
        to.open(&child.name);
        contents(child, to);
        to.close(&child.name);
    }
}

/// The trailing headers of a body, by their lower-case names.
pub type Trailers = Vec<(String, String)>;

/// What is in a body that is encoded as `aws-chunked` without signatures and comes in these pieces, and its trailing
/// headers; `None` when it is refused.
#[must_use]
pub fn unchunked<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> Option<(Vec<u8>, Trailers)> {
    let (mut decoder, mut body) = (Decoder::new(None, true), Vec::new());
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(decoded) = decoder.decode(&mut input).ok()? {
            body.extend_from_slice(&decoded);
        }
    }
    decoder.finish().ok()?;
    Some((body, decoder.trailers))
}
