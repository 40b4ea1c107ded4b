//! Code packages: whatever comes breaks nothing; what is found in bounds is in them, and what is unpacked is what was
//! checked, in its folder.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use compute::package::{Bounds, check_within, unpack_within};
use libfuzzer_sys::fuzz_target;

const BOUNDS: Bounds = Bounds { bytes: 64 * 1024, entries: 32 };

/// A folder with nothing in it but that into which is unpacked.
static ROOM: LazyLock<PathBuf> = LazyLock::new(|| {
    let room = std::env::temp_dir().join(format!("portcullis-fuzz-{}", std::process::id()));
    fs::create_dir(&room).expect("it is ours");
    room
});

fuzz_target!(|input: &[u8]| {
    let Ok(contents) = check_within(BOUNDS, input) else { return };
    assert!(contents.files <= BOUNDS.entries && contents.unpacked_bytes <= BOUNDS.bytes);
    let folder = ROOM.join("unpacked");
    fs::create_dir(&folder).expect("it was removed");
    if let Ok(unpacked) = unpack_within(BOUNDS, input, &folder) {
        assert_eq!(unpacked, contents, "another package is unpacked than was checked");
        let (files, bytes) = found(&folder);
        assert!(
            files <= contents.files && bytes <= contents.unpacked_bytes,
            "more is there than was checked"
        );
    }
    fs::remove_dir_all(&folder).expect("it is ours");
    assert!(fs::read_dir(&*ROOM).is_ok_and(|mut it| it.next().is_none()), "something is beside the folder");
});

/// How many files and links there are, and how many bytes the files have.
fn found(folder: &Path) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder).expect("it is a folder").flatten() {
        let kind = entry.file_type().expect("it is there");
        if kind.is_dir() {
            let inside = found(&entry.path());
            (files, bytes) = (files + inside.0, bytes + inside.1);
        } else {
            files += 1;
            bytes += if kind.is_file() { entry.metadata().map_or(0, |it| it.len()) } else { 0 };
        }
    }
    (files, bytes)
}
