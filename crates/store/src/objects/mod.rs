//! The object store: buckets, objects, uploads in parts, and the blobs that their bytes are in.
//!
//! A blob is written chunk by chunk, in a small transaction each, while nothing points at it. The transaction that
//! makes an object marks its blobs as kept; whatever is not kept, because its writer broke off or its object is gone,
//! is swept after a while. So a crash leaves no half object, and nobody who reads an object has it taken away under
//! their hands.

mod blobs;
mod buckets;
mod entries;
mod uploads;

pub use blobs::{BlobWriter, CHUNK};
pub use entries::KeyRange;
