//! What the fuzz targets share: how an input is cut into parts, and arguments that fit a tool's schema and mean harm.
//!
//! The targets are in `fuzz_targets/`, one file each, and each says what must hold for every input. `cargo xtask fuzz`
//! runs them.

mod arguments;

pub use arguments::Choices;

/// What stands between the parts of an input, on a line of its own, so that seeds are texts.
pub const BETWEEN: &str = "\n%%%\n";

/// The parts of an input, which are texts; `None` when it is none.
pub fn parts(input: &[u8]) -> Option<impl Iterator<Item = &str>> {
    Some(std::str::from_utf8(input).ok()?.split(BETWEEN))
}
