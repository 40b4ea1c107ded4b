//! What the object store reads: of a document that is understood, the same is understood when it is written again; a
//! chunked body does not depend on how its bytes arrive, and what is encoded is read as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use objects::fuzzing::{Trailers, unchunked, understood};

/// The documents that S3 reads.
const ROOTS: [&str; 3] = ["Delete", "CompleteMultipartUpload", "CreateBucketConfiguration"];

fuzz_target!(|input: &[u8]| {
    for root in ROOTS {
        if let Some(written) = understood(input, root) {
            let again = understood(written.as_bytes(), root).expect("what was written can be read");
            assert_eq!(written, again);
        }
    }
    let whole = decoded(input, input.len());
    for size in [1, 2, 7, 64] {
        assert_eq!(decoded(input, size), whole, "in pieces of {size}");
    }
    if let Some((body, trailers)) = whole {
        assert!(body.len() <= input.len() && trailers.len() <= 8);
    }
    let sizes = input.first().map_or(1, |first| usize::from(*first).max(1));
    assert_eq!(decoded(&encoded(input, sizes), 11), Some((input.to_vec(), Trailers::new())));
});

fn decoded(body: &[u8], size: usize) -> Option<(Vec<u8>, Trailers)> {
    unchunked(body.chunks(size.max(1)))
}

/// A body as a client would encode it, in chunks of this size.
fn encoded(body: &[u8], size: usize) -> Vec<u8> {
    let mut encoded = Vec::new();
    for chunk in body.chunks(size) {
        encoded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        encoded.extend_from_slice(chunk);
        encoded.extend_from_slice(b"\r\n");
    }
    encoded.extend_from_slice(b"0\r\n\r\n");
    encoded
}
