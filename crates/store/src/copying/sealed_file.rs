//! The file of a backup: a header, then chunks that are sealed one by one.
//!
//! The header (all numbers big-endian) is the magic line, the format's version, its length, and then: the schema's
//! version, the moment in milliseconds, how many rows follow, 32 random bytes, and the data key and the master key as
//! the database holds them, each after its length; a length of zero is no master key. A chunk is a byte that says whether
//! it is the last, its length, and its seal (`seal.rs`), with at most [`CHUNK`] bytes in it. The key of the seals is
//! derived from the data key and the random bytes, and so is of this file alone; each is bound to the digest of the
//! header, to the chunk's number and to whether it is the last: a file that was cut, reordered, changed or put together
//! from others does not open.

use std::io::{Read, Write};

use aws_lc_rs::digest::{SHA256, digest};
use domain::{Random, Timestamp};
use zeroize::Zeroizing;

use super::CopyError;
use crate::StoreError;
use crate::master::WrappedKeys;
use crate::seal::{RowKeys, Sealer};

/// What keys of backups are derived for.
pub(crate) const BACKUPS: &str = "backups";

const MAGIC: &[u8] = b"PORTCULLIS BACKUP\n";
const FORMAT: u32 = 1;
/// The largest header behind its length, in bytes: a wrapped master key may have 64 KiB.
const MOST_HEADER: usize = 256 * 1024;
/// How many bytes are sealed together.
const CHUNK: usize = 1024 * 1024;
/// What a seal adds, at most.
const SEAL: usize = 64;
const SALT: usize = 32;

/// What a backup says of itself.
pub(super) struct Header {
    pub(super) schema: i64,
    pub(super) made_at: Timestamp,
    pub(super) rows: u64,
    pub(super) keys: WrappedKeys,
}

/// What the seals of a file are bound to: its header and its key.
pub(super) struct Binding {
    salt: [u8; SALT],
    header: String,
}

impl Binding {
    fn sealer(&self, backups: &RowKeys) -> Result<Sealer, StoreError> {
        backups.of(&hex::encode(self.salt))
    }

    fn place(&self, number: u64, last: u8) -> String {
        format!("backup|{}|{number}|{last}", self.header)
    }
}

impl Header {
    /// Writes the header of a new file.
    pub(super) fn write(&self, to: &mut dyn Write, random: &dyn Random) -> Result<Binding, CopyError> {
        let mut salt = [0; SALT];
        random.fill(&mut salt);
        let mut body = Vec::new();
        body.extend_from_slice(&self.schema.to_be_bytes());
        body.extend_from_slice(&self.made_at.millis().to_be_bytes());
        body.extend_from_slice(&self.rows.to_be_bytes());
        body.extend_from_slice(&salt);
        for key in [self.keys.data_key.as_slice(), self.keys.master_key.as_deref().unwrap_or_default()] {
            body.extend_from_slice(&length(key.len())?.to_be_bytes());
            body.extend_from_slice(key);
        }
        let mut written = MAGIC.to_vec();
        written.extend_from_slice(&FORMAT.to_be_bytes());
        written.extend_from_slice(&length(body.len())?.to_be_bytes());
        written.append(&mut body);
        to.write_all(&written)?;
        Ok(Binding { salt, header: hex::encode(digest(&SHA256, &written)) })
    }

    /// Reads the header of a file.
    pub(super) fn read(from: &mut dyn Read) -> Result<(Self, Binding), CopyError> {
        let mut written = vec![0; MAGIC.len()];
        from.read_exact(&mut written).map_err(|error| cut_off(error, CopyError::NoBackup))?;
        if written != MAGIC {
            return Err(CopyError::NoBackup);
        }
        let damaged = || CopyError::Damaged("its header is not whole".to_owned());
        let mut number = || {
            let mut bytes = [0; 4];
            from.read_exact(&mut bytes).map_err(|error| cut_off(error, damaged()))?;
            written.extend_from_slice(&bytes);
            Ok::<_, CopyError>(u32::from_be_bytes(bytes))
        };
        let format = number()?;
        if format > FORMAT {
            return Err(CopyError::NewerFormat { found: format, known: FORMAT });
        }
        let size = usize::try_from(number()?).ok().filter(|size| *size <= MOST_HEADER && format == FORMAT);
        let mut body = vec![0; size.ok_or_else(damaged)?];
        from.read_exact(&mut body).map_err(|error| cut_off(error, damaged()))?;
        written.extend_from_slice(&body);
        let (header, salt) = Self::parse(&body).ok_or_else(damaged)?;
        Ok((header, Binding { salt, header: hex::encode(digest(&SHA256, &written)) }))
    }

    fn parse(body: &[u8]) -> Option<(Self, [u8; SALT])> {
        let (schema, rest) = body.split_first_chunk()?;
        let (made_at, rest) = rest.split_first_chunk()?;
        let (rows, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (data_key, rest) = after_its_length(rest)?;
        let (master_key, rest) = after_its_length(rest)?;
        let header = Self {
            schema: i64::from_be_bytes(*schema),
            made_at: Timestamp::from_millis(i64::from_be_bytes(*made_at)),
            rows: u64::from_be_bytes(*rows),
            keys: WrappedKeys {
                data_key: data_key.to_vec(),
                master_key: (!master_key.is_empty()).then(|| master_key.to_vec()),
            },
        };
        rest.is_empty().then_some((header, *salt))
    }
}

fn after_its_length(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn length(bytes: usize) -> Result<u32, CopyError> {
    let refused =
        |_| StoreError::Refused(format!("{bytes} bytes are more than a backup can hold in one place"));
    Ok(u32::try_from(bytes).map_err(refused)?)
}

/// An end that comes too early is a damage of the file, and everything else one of the disk.
fn cut_off(error: std::io::Error, damage: CopyError) -> CopyError {
    if error.kind() == std::io::ErrorKind::UnexpectedEof { damage } else { error.into() }
}

/// Seals what is written to it.
pub(super) struct ChunkWriter<'w> {
    to: &'w mut dyn Write,
    random: &'w dyn Random,
    binding: Binding,
    sealer: Sealer,
    number: u64,
    waiting: Vec<u8>,
}

impl<'w> ChunkWriter<'w> {
    pub(super) fn new(
        to: &'w mut dyn Write,
        random: &'w dyn Random,
        backups: &RowKeys,
        binding: Binding,
    ) -> Result<Self, CopyError> {
        let sealer = binding.sealer(backups)?;
        Ok(Self { to, random, binding, sealer, number: 0, waiting: Vec::with_capacity(CHUNK) })
    }

    /// Adds bytes.
    pub(super) fn put(&mut self, mut bytes: &[u8]) -> Result<(), CopyError> {
        while !bytes.is_empty() {
            if self.waiting.len() == CHUNK {
                self.seal(0)?;
            }
            let (now, rest) = bytes.split_at_checked(CHUNK - self.waiting.len()).unwrap_or((bytes, &[]));
            self.waiting.extend_from_slice(now);
            bytes = rest;
        }
        Ok(())
    }

    /// Writes the last chunk.
    pub(super) fn finish(mut self) -> Result<(), CopyError> {
        self.seal(1)?;
        self.to.flush()?;
        Ok(())
    }

    fn seal(&mut self, last: u8) -> Result<(), CopyError> {
        let place = self.binding.place(self.number, last);
        let sealed = self.sealer.seal(self.random, &place, &self.waiting)?;
        self.to.write_all(&[last])?;
        self.to.write_all(&length(sealed.len())?.to_be_bytes())?;
        self.to.write_all(&sealed)?;
        self.number += 1;
        self.waiting.clear();
        Ok(())
    }
}

/// Opens what a [`ChunkWriter`] sealed.
pub(super) struct ChunkReader<R> {
    from: R,
    binding: Binding,
    sealer: Sealer,
    number: u64,
    open: Zeroizing<Vec<u8>>,
    /// How much of it was taken.
    taken: usize,
    ended: bool,
}

impl<R: Read> ChunkReader<R> {
    pub(super) fn new(from: R, backups: &RowKeys, binding: Binding) -> Result<Self, CopyError> {
        let sealer = binding.sealer(backups)?;
        Ok(Self { from, binding, sealer, number: 0, open: Zeroizing::default(), taken: 0, ended: false })
    }

    /// The next `count` bytes. Memory is taken as they come, and not as a length says.
    pub(super) fn take(&mut self, count: usize) -> Result<Vec<u8>, CopyError> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let rest = self.open.get(self.taken..).unwrap_or_default();
            if rest.is_empty() {
                self.next_chunk()?;
                continue;
            }
            let missing = count - taken.len();
            let now = rest.get(..missing).unwrap_or(rest);
            taken.extend_from_slice(now);
            self.taken += now.len();
        }
        Ok(taken)
    }

    /// Sees that nothing follows.
    pub(super) fn finish(mut self) -> Result<(), CopyError> {
        let rest = self.open.get(self.taken..).unwrap_or_default();
        let more = !rest.is_empty() || !self.ended || self.from.read(&mut [0])? != 0;
        if more { Err(CopyError::Damaged("something follows its end".to_owned())) } else { Ok(()) }
    }

    fn next_chunk(&mut self) -> Result<(), CopyError> {
        let number = self.number;
        if self.ended {
            return Err(CopyError::Damaged("its rows do not end where it does".to_owned()));
        }
        let cut = || CopyError::Damaged(format!("it ends in chunk {number}"));
        let wrong = || CopyError::Damaged(format!("chunk {number} is not what was written"));
        let mut head = [0; 5];
        self.from.read_exact(&mut head).map_err(|error| cut_off(error, cut()))?;
        let [last, size @ ..] = head;
        let size = usize::try_from(u32::from_be_bytes(size)).ok().filter(|size| *size <= CHUNK + SEAL);
        let mut sealed = vec![0; size.ok_or_else(wrong)?];
        self.from.read_exact(&mut sealed).map_err(|error| cut_off(error, cut()))?;
        let place = self.binding.place(number, last);
        self.open = self.sealer.open(&place, &sealed).map_err(|_| wrong())?;
        self.taken = 0;
        self.ended = last == 1;
        self.number += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use domain::SystemRandom;

    use super::*;

    fn keys() -> RowKeys {
        RowKeys::derive(&[7; 32], BACKUPS)
    }

    fn file(body: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let keys = WrappedKeys { data_key: vec![1, 2], master_key: None };
        let header = Header { schema: 3, made_at: Timestamp::from_millis(4), rows: 5, keys };
        let binding = header.write(&mut file, &SystemRandom).unwrap();
        let mut writer = ChunkWriter::new(&mut file, &SystemRandom, &self::keys(), binding).unwrap();
        writer.put(body).unwrap();
        writer.finish().unwrap();
        file
    }

    fn read(mut file: &[u8], count: usize) -> Result<Vec<u8>, CopyError> {
        let (_, binding) = Header::read(&mut file)?;
        let mut reader = ChunkReader::new(file, &keys(), binding)?;
        let body = reader.take(count)?;
        reader.finish().map(|()| body)
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 17] {
            let body: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            // An empty body has a chunk too, which nobody asks for.
            let asked = body.len().max(1);
            let read = read(&file(&body), asked);
            if size == 0 {
                assert!(read.is_err());
            } else {
                assert_eq!(read.unwrap(), body);
            }
        }
        let written = file(b"x");
        let (header, _) = Header::read(&mut written.as_slice()).unwrap();
        assert_eq!((header.schema, header.made_at.millis(), header.rows), (3, 4, 5));
        assert_eq!((header.keys.data_key, header.keys.master_key), (vec![1, 2], None));
    }

    #[test]
    fn every_change_of_a_byte_and_every_cut_is_noticed() {
        let written = file(b"a body");
        for at in 0..written.len() {
            for bit in 0..8 {
                let mut changed = written.clone();
                changed[at] ^= 1 << bit;
                assert!(read(&changed, 6).is_err(), "byte {at} bit {bit}");
            }
            assert!(read(&written[..at], 6).is_err(), "cut at {at}");
        }
        let mut longer = written.clone();
        longer.push(0);
        assert!(matches!(read(&longer, 6), Err(CopyError::Damaged(why)) if why.contains("follows")));
    }

    #[test]
    fn chunks_stay_in_their_places_and_in_their_file() {
        let size = 2 * CHUNK + 1;
        let (written, other) = (file(&vec![1; size]), file(&vec![1; size]));
        let start = written.len() - (5 + 29 + 1) - 2 * (5 + 29 + CHUNK);
        let chunk = 5 + 29 + CHUNK;
        let part = |file: &[u8], number: usize| file[start + number * chunk..][..chunk].to_vec();
        let whole = |chunks: &[Vec<u8>]| {
            let mut file = written[..start].to_vec();
            chunks.iter().for_each(|it| file.extend_from_slice(it));
            file.extend_from_slice(&written[start + 2 * chunk..]);
            file
        };
        let (first, second) = (part(&written, 0), part(&written, 1));
        assert!(read(&whole(&[first.clone(), second.clone()]), size).is_ok());
        assert!(read(&whole(&[second.clone(), first.clone()]), size).is_err());
        assert!(read(&whole(&[first.clone(), first.clone()]), size).is_err());
        assert!(read(&whole(std::slice::from_ref(&first)), 1 + CHUNK).is_err());
        assert!(read(&whole(&[part(&other, 0), second.clone()]), size).is_err());
        let mut early = first;
        early[0] = 1;
        let mut file = written[..start].to_vec();
        file.extend_from_slice(&early);
        assert!(read(&file, CHUNK).is_err());
    }

    #[test]
    fn what_is_no_backup_or_newer_is_told_apart() {
        assert!(matches!(
            Header::read(&mut b"SQLite format 3\0 and more".as_slice()),
            Err(CopyError::NoBackup)
        ));
        assert!(matches!(Header::read(&mut b"".as_slice()), Err(CopyError::NoBackup)));
        let mut newer = file(b"x");
        newer[MAGIC.len() + 3] = 2;
        assert!(matches!(
            Header::read(&mut newer.as_slice()),
            Err(CopyError::NewerFormat { found: 2, known: 1 })
        ));
        let mut vast = file(b"x");
        vast[MAGIC.len() + 4] = 0xFF;
        assert!(matches!(Header::read(&mut vast.as_slice()), Err(CopyError::Damaged(_))));
    }
}
