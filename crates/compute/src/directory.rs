//! Reads the central directory of a zip archive just far enough to bound it.
//!
//! The zip library keeps a record of each entry and silently lets a later entry replace an earlier one of the
//! same name. So before it sees an archive, its entries are counted here and their names compared. What is
//! ambiguous about where the directory is gets refused, so that both readers see the same one. Source:
//! APPNOTE.TXT of PKWARE, 4.3.12 to 4.3.16.

use std::collections::HashSet;

use crate::package::PackageError;

const END: &[u8] = b"PK\x05\x06";
const END_64_LOCATOR: &[u8] = b"PK\x06\x07";
const END_64: &[u8] = b"PK\x06\x06";
const HEADER: &[u8] = b"PK\x01\x02";
const END_LENGTH: usize = 22;
const LONGEST_COMMENT: usize = 65_535;

/// Checks that the archive has one directory, with 1 to `limit` entries of different names.
pub(crate) fn check(archive: &[u8], limit: u64) -> Result<(), PackageError> {
    let end = find_end(archive)?;
    let (entries, start) = extent(archive, end).ok_or_else(|| damaged("its directory is damaged"))?;
    match entries {
        0 => return Err(PackageError::Empty),
        entries if entries > limit => return Err(PackageError::TooManyEntries { entries, limit }),
        _ => {}
    }
    let mut names = HashSet::new();
    let mut position = start;
    for _ in 0..entries {
        let (name, next) =
            header(archive, position).ok_or_else(|| damaged("its directory ends too early"))?;
        if !names.insert(name) {
            return Err(PackageError::Duplicate { entry: String::from_utf8_lossy(name).into_owned() });
        }
        position = next;
    }
    Ok(())
}

/// The end record is the one whose comment reaches exactly to the end of the file.
fn find_end(archive: &[u8]) -> Result<usize, PackageError> {
    let last = archive.len().checked_sub(END_LENGTH).ok_or_else(|| damaged("it is too short"))?;
    let first = last.saturating_sub(LONGEST_COMMENT);
    let mut candidates = (first..=last).rev().filter(|at| bytes(archive, *at, 4) == Some(END));
    let end = candidates.next().ok_or_else(|| damaged("it has no directory"))?;
    let comment = u16_at(archive, end + 20).map_or(0, usize::from);
    if end + END_LENGTH + comment == archive.len() {
        Ok(end)
    } else {
        Err(damaged("something follows its end"))
    }
}

/// How many entries there are, and where the first one's header is.
fn extent(archive: &[u8], end: usize) -> Option<(u64, usize)> {
    let locator = end.checked_sub(20);
    if let Some(locator) = locator.filter(|at| bytes(archive, *at, 4) == Some(END_64_LOCATOR)) {
        let at = usize::try_from(u64_at(archive, locator + 8)?).ok()?;
        if bytes(archive, at, 4)? != END_64 {
            return None;
        }
        let size = usize::try_from(u64_at(archive, at + 40)?).ok()?;
        return Some((u64_at(archive, at + 32)?, at.checked_sub(size)?));
    }
    let size = usize::try_from(u32_at(archive, end + 12)?).ok()?;
    Some((u64::from(u16_at(archive, end + 10)?), end.checked_sub(size)?))
}

/// The name in the header at `position`, and where the next header is.
fn header(archive: &[u8], position: usize) -> Option<(&[u8], usize)> {
    if bytes(archive, position, 4)? != HEADER {
        return None;
    }
    let length = |offset| u16_at(archive, position + offset).map(usize::from);
    let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
    let start = position + 46;
    Some((bytes(archive, start, name)?, start + name + extra + comment))
}

fn bytes(archive: &[u8], start: usize, length: usize) -> Option<&[u8]> {
    archive.get(start..start.checked_add(length)?)
}

fn u16_at(archive: &[u8], at: usize) -> Option<u16> {
    bytes(archive, at, 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(archive: &[u8], at: usize) -> Option<u32> {
    bytes(archive, at, 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(archive: &[u8], at: usize) -> Option<u64> {
    bytes(archive, at, 8)?.try_into().ok().map(u64::from_le_bytes)
}

fn damaged(reason: &str) -> PackageError {
    PackageError::NotAnArchive { reason: reason.to_owned() }
}
