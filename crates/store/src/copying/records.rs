//! How tables and their rows are written down in a backup.
//!
//! For each table: `T`, its name, of each column the name and the kind, and an empty name; then `R` and a row, column by
//! column, for every row; then `E`, how many rows that were, and the last number that the database gave. After the last
//! table: `Z`. Lengths have two bytes for names and four for values, numbers have eight, all big-endian.

use std::io::Read;

use super::CopyError;
use super::rows::{Cell, Cells};
use super::sealed_file::{ChunkReader, ChunkWriter};
use super::tables::{Kind, Table};
use crate::StoreError;

const TABLE: u8 = b'T';
const ROW: u8 = b'R';
const TABLE_END: u8 = b'E';
const END: u8 = b'Z';

/// What follows in a table: a row, or its end.
pub(super) enum Next {
    Row(Cells),
    End { rows: u64, last_number: i64 },
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Text => b't',
            Self::Int => b'i',
            Self::Bytes => b'b',
        }
    }
}

impl ChunkWriter<'_> {
    pub(super) fn begin(&mut self, table: &Table) -> Result<(), CopyError> {
        self.put(&description(table)?)
    }

    pub(super) fn row(&mut self, row: &Cells) -> Result<(), CopyError> {
        self.put(&[ROW])?;
        for cell in row {
            match cell {
                Cell::Nothing => self.put(b"-")?,
                Cell::Int(number) => {
                    self.put(b"i")?;
                    self.put(&number.to_be_bytes())?;
                }
                Cell::Text(text) => self.value(b"t", text.as_bytes())?,
                Cell::Bytes(bytes) => self.value(b"b", bytes)?,
            }
        }
        Ok(())
    }

    pub(super) fn end(&mut self, rows: u64, last_number: i64) -> Result<(), CopyError> {
        self.put(&[TABLE_END])?;
        self.put(&rows.to_be_bytes())?;
        self.put(&last_number.to_be_bytes())
    }

    pub(super) fn end_all(mut self) -> Result<(), CopyError> {
        self.put(&[END])?;
        self.finish()
    }

    fn value(&mut self, kind: &[u8], bytes: &[u8]) -> Result<(), CopyError> {
        let too_large = |_| StoreError::Refused("a value has more than 4 GiB".to_owned());
        let length = u32::try_from(bytes.len()).map_err(too_large)?;
        self.put(kind)?;
        self.put(&length.to_be_bytes())?;
        self.put(bytes)
    }
}

impl<R: Read> ChunkReader<R> {
    /// Reads the beginning of a table, which must be this one.
    pub(super) fn begun(&mut self, table: &Table) -> Result<(), CopyError> {
        let expected = description(table)?;
        if self.take(expected.len())? == expected {
            Ok(())
        } else {
            Err(damaged(&format!("the table `{}` is not where it must be", table.name)))
        }
    }

    /// Reads what follows in a table.
    pub(super) fn next(&mut self, table: &Table) -> Result<Next, CopyError> {
        match self.array()? {
            [ROW] => {
                let cells = table.columns.iter().map(|column| self.cell(column.kind));
                Ok(Next::Row(cells.collect::<Result<_, _>>()?))
            }
            [TABLE_END] => Ok(Next::End {
                rows: u64::from_be_bytes(self.array()?),
                last_number: i64::from_be_bytes(self.array()?),
            }),
            _ => Err(damaged(&format!("a row of `{}` does not begin as one", table.name))),
        }
    }

    /// Sees that there are no more tables.
    pub(super) fn ended(mut self) -> Result<(), CopyError> {
        match self.array()? {
            [END] => self.finish(),
            _ => Err(damaged("there are tables that the schema does not have")),
        }
    }

    fn cell(&mut self, kind: Kind) -> Result<Cell, CopyError> {
        let [code] = self.array()?;
        if code == b'-' {
            return Ok(Cell::Nothing);
        }
        if code != kind.code() {
            return Err(damaged("a value is not of its column's kind"));
        }
        if kind == Kind::Int {
            return Ok(Cell::Int(i64::from_be_bytes(self.array()?)));
        }
        let length = u32::from_be_bytes(self.array()?);
        let bytes = self.take(usize::try_from(length).map_err(|_| damaged("a value is too large"))?)?;
        match kind {
            Kind::Text => {
                String::from_utf8(bytes).map(Cell::Text).map_err(|_| damaged("a text is not Unicode"))
            }
            Kind::Bytes | Kind::Int => Ok(Cell::Bytes(bytes)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CopyError> {
        <[u8; N]>::try_from(self.take(N)?).map_err(|_| damaged("a number is not whole"))
    }
}

/// A table as it begins in a backup: so that a backup is only ever read as what it was written as.
fn description(table: &Table) -> Result<Vec<u8>, StoreError> {
    let too_long = |_| StoreError::Refused(format!("the names of `{}` are too long", table.name));
    let mut written = vec![TABLE];
    let mut name = |name: &str, kind: Option<Kind>| {
        written.extend_from_slice(&u16::try_from(name.len()).map_err(too_long)?.to_be_bytes());
        written.extend_from_slice(name.as_bytes());
        written.extend(kind.map(Kind::code));
        Ok::<_, StoreError>(())
    };
    name(&table.name, None)?;
    for column in &table.columns {
        name(&column.name, Some(column.kind))?;
    }
    // No column has an empty name: nothing more of the table follows.
    name("", None)?;
    Ok(written)
}

fn damaged(why: &str) -> CopyError {
    CopyError::Damaged(why.to_owned())
}
