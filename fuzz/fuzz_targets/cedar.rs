//! Cedar as tenants write it: whatever comes breaks nothing; a file is cut into statements that are in it, in their order;
//! and what is laid out anew means what it meant, and is laid out already.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(file) = std::str::from_utf8(input) else { return };
    let pieces = policy::split(file);
    let mut end = 0;
    for piece in &pieces {
        assert!(piece.offset >= end, "statements overlap");
        end = piece.offset + piece.text.len();
        assert_eq!(file.get(piece.offset..end), Some(piece.text));
        let _ = (policy::resource_scope(piece.text), policy::named_gateways(piece.text));
        let normal = policy::normalised(piece.text);
        assert!(normal.is_none() || policy::keep_shallow(piece.text).is_ok());
    }
    let Ok(laid_out) = policy::format(file) else { return };
    let meant = |file: &str| -> Vec<_> {
        policy::split(file).iter().map(|piece| policy::normalised(piece.text)).collect()
    };
    assert_eq!(meant(&laid_out), meant(file), "it means something else");
    assert_eq!(policy::format(&laid_out).as_ref(), Ok(&laid_out), "it is never laid out");
});
