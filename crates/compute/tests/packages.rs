//! Archives: what is unpacked, and what is refused before anything is written.

#[cfg(test)]
mod common;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Cursor, Write};
    use std::os::unix::fs::PermissionsExt;

    use compute::package::{MAX_ENTRIES, PackageError, check, unpack};
    use zip::write::{SimpleFileOptions, ZipWriter};

    use crate::common::{archive, count};

    fn options() -> SimpleFileOptions {
        SimpleFileOptions::default()
    }

    fn write(fill: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        fill(&mut writer);
        writer.finish().unwrap().into_inner()
    }

    /// Both ways of reading it refuse, in the same words, and nothing appears outside the folder.
    fn refuse(archive: &[u8]) -> String {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("in/here");
        fs::create_dir_all(&folder).unwrap();
        let checked = check(archive).unwrap_err();
        let unpacked = unpack(archive, &folder).unwrap_err();
        assert_eq!(checked.to_string(), unpacked.to_string());
        assert_eq!((count(above.path()), count(&above.path().join("in"))), (1, 1));
        checked.to_string()
    }

    #[test]
    fn files_folders_and_links_are_unpacked() {
        let bytes = write(|zip| {
            zip.add_directory("empty/", options()).unwrap();
            zip.start_file("./src//app.py", options().unix_permissions(0o640)).unwrap();
            zip.write_all(b"print()").unwrap();
            zip.start_file("bin/tool", options().unix_permissions(0o6755)).unwrap();
            zip.add_symlink("lib/now", "../src/app.py", options()).unwrap();
            zip.add_symlink("here", "src", options()).unwrap();
        });
        let folder = tempfile::tempdir().unwrap();
        let contents = unpack(&bytes, folder.path()).unwrap();
        assert_eq!((contents.files, check(&bytes).unwrap()), (4, contents));
        let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o7777;
        assert!(folder.path().join("empty").is_dir());
        assert_eq!(mode("src/app.py"), 0o444);
        assert_eq!(mode("bin/tool"), 0o555);
        for path in ["src/app.py", "lib/now", "here/app.py"] {
            assert_eq!(fs::read(folder.path().join(path)).unwrap(), b"print()", "{path}");
        }
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let good = archive(&[("app.py", "x", 0o644)]);
        for (bytes, reason) in [
            (Vec::new(), "it is too short"),
            (b"#!/bin/sh\necho this is no archive\n".to_vec(), "it has no directory"),
            (good[..good.len() - 1].to_vec(), "it has no directory"),
            ([&good[..], b"trailing"].concat(), "something follows its end"),
            ([&good[..20], &good[30..]].concat(), ""),
        ] {
            let error = check(&bytes).unwrap_err();
            let text = error.to_string();
            assert!(
                matches!(error, PackageError::NotAnArchive { .. } | PackageError::Unreadable { .. }),
                "{text}"
            );
            assert!(text.contains(reason), "{text}");
        }
        assert_eq!(refuse(&write(|_| {})), "the archive is empty");
    }

    #[test]
    fn damage_is_noticed() {
        let mut bytes = write(|zip| {
            zip.start_file("app.py", options().compression_method(zip::CompressionMethod::Stored)).unwrap();
            zip.write_all(b"the very text").unwrap();
        });
        let at = bytes.windows(4).position(|window| window == b"very").unwrap();
        bytes[at] = b'V';
        assert!(refuse(&bytes).starts_with("the archive's entry `app.py` cannot be read: "));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for (path, reason) in [
            ("../x", "leads upwards"),
            ("a/../../x", "leads upwards"),
            ("a/..", "leads upwards"),
            ("/etc/passwd", "is absolute"),
            ("a\\..\\x", "holds a backslash"),
            ("C:/x", "begins with a drive letter"),
            ("c:x", "begins with a drive letter"),
            ("a\0b", "holds a NUL character"),
        ] {
            let bytes = renamed(path);
            assert_eq!(refuse(&bytes), format!("the archive holds `{path}`, whose path {reason}"));
        }
        let long = "x".repeat(256);
        assert!(refuse(&renamed(&long)).ends_with("has a part that is too long"));
        assert!(refuse(&renamed(&"x/".repeat(600))).ends_with("is too long"));
    }

    /// An archive with one file of this name: the library that writes archives would tidy it up.
    fn renamed(path: &str) -> Vec<u8> {
        let plain = "n".repeat(path.len());
        let mut bytes = archive(&[(&plain, "x", 0o644)]).to_vec();
        let starts: Vec<_> =
            (0..bytes.len() - plain.len()).filter(|at| bytes[*at..].starts_with(plain.as_bytes())).collect();
        assert_eq!(starts.len(), 2);
        for at in starts {
            bytes[at..at + plain.len()].copy_from_slice(path.as_bytes());
        }
        bytes
    }

    #[test]
    fn links_that_lead_elsewhere_are_refused() {
        for target in ["/etc/passwd", "..", "../../x", "a/../../x", "sub/..", "..\\x", ""] {
            let bytes = write(|zip| zip.add_symlink("link", target, options()).unwrap());
            assert_eq!(
                refuse(&bytes),
                format!("the archive holds the link `link` to `{target}`, which may lead outside")
            );
        }
        // Two links, each within bounds by its text alone.
        let chain = write(|zip| {
            zip.add_symlink("p/q/L", "../../r", options()).unwrap();
            zip.add_symlink("M", "p/q/L/../..", options()).unwrap();
        });
        assert!(refuse(&chain).contains("the link `M`"));
        let through = write(|zip| {
            zip.add_symlink("link", "folder", options()).unwrap();
            zip.start_file("link/x", options()).unwrap();
        });
        assert!(refuse(&through).contains("`link` twice"));
    }

    #[test]
    fn nothing_is_there_twice() {
        let folder_and_file = write(|zip| {
            zip.start_file("a/b", options()).unwrap();
            zip.start_file("a", options()).unwrap();
        });
        assert!(refuse(&folder_and_file).contains("`a` twice"));
        let same_path = write(|zip| {
            zip.start_file("a", options()).unwrap();
            zip.start_file("./a", options()).unwrap();
        });
        assert!(refuse(&same_path).contains("`a` twice"));
        // The same name in the directory twice, which the library would hide from us.
        let mut same_name = write(|zip| {
            zip.start_file("name-1", options()).unwrap();
            zip.start_file("name-2", options()).unwrap();
        });
        for at in 0..same_name.len() - 6 {
            if same_name[at..].starts_with(b"name-2") {
                same_name[at + 5] = b'1';
            }
        }
        assert!(refuse(&same_name).contains("`name-1` twice"));
    }

    #[test]
    fn special_files_are_refused() {
        for kind in [0o010_000, 0o020_000, 0o060_000, 0o140_000] {
            let mut bytes = archive(&[("device", "", 0o644)]).to_vec();
            let header = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
            let mode = (kind | 0o644_u32) << 16;
            bytes[header + 38..header + 42].copy_from_slice(&mode.to_le_bytes());
            assert_eq!(
                refuse(&bytes),
                "the archive holds `device`, which is neither a file nor a folder nor a link"
            );
        }
    }

    #[test]
    fn entries_are_counted_before_they_are_read() {
        let many = |entries: u64| {
            write(|zip| {
                for number in 0..entries {
                    zip.start_file(format!("{number}"), options()).unwrap();
                }
            })
        };
        assert_eq!(check(&many(MAX_ENTRIES)).unwrap().files, MAX_ENTRIES);
        assert!(refuse(&many(MAX_ENTRIES + 1)).starts_with("the archive has 10001 entries"));
    }

    #[test]
    fn encrypted_entries_are_refused() {
        let mut bytes = archive(&[("app.py", "x", 0o644)]).to_vec();
        for (signature, offset) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
            let at = bytes.windows(4).position(|window| window == signature).unwrap();
            bytes[at + offset] |= 1;
        }
        assert!(refuse(&bytes).contains("cannot be read"));
    }
}
