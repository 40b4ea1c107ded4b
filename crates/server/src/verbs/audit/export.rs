//! `portcullis audit export`: events for other programs, the oldest first, into a file or to standard output. Events are
//! written as they are read, so that a long trail needs no memory.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use domain::AuditEvent;

use super::csv;
use super::filter::Filters;
use super::line::line_of_json;
use crate::command_line::Settings;
use crate::terminal::Failure;
use crate::verbs::open::{block_on, open};

/// How many events are read at once.
const PAGE: i64 = 1_000;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    filters: Filters,
    /// How events are written
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Write into this file, which must not be there yet [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line, as the trail has it
    Jsonl,
    /// A table for spreadsheets
    Csv,
    /// A file as CloudTrail delivers it: an object with `Records`
    Cloudtrail,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { settings, filters, format, output } = arguments;
    let named =
        output.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    let failed = |error: std::io::Error| Failure::new(format!("cannot write to {named}: {error}"));
    block_on(async {
        let opened = open(&settings).await?;
        let mut range = filters.range(&opened.store, &*opened.clock).await?;
        let mut writer: BufWriter<Box<dyn Write>> = BufWriter::new(match &output {
            Some(path) => Box::new(
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?,
            ),
            None => Box::new(std::io::stdout()),
        });
        let mut written = Written { format, any: false };
        writer.write_all(written.head().as_bytes()).map_err(failed)?;
        loop {
            let events = opened.store.events(&range, PAGE).await?;
            for stored in events.iter().filter(|it| filters.pass(&it.event, &*opened.clock)) {
                let text = written.record(&stored.event)?;
                writer.write_all(text.as_bytes()).map_err(failed)?;
            }
            match events.last() {
                Some(last) => range.after = last.seq,
                None => break,
            }
        }
        writer.write_all(written.foot().as_bytes()).map_err(failed)?;
        writer.flush().map_err(failed)
    })
}

/// What the file is made of.
struct Written {
    format: Format,
    any: bool,
}

impl Written {
    fn head(&self) -> String {
        match self.format {
            Format::Jsonl => String::new(),
            Format::Csv => format!("{}\r\n", csv::head()),
            Format::Cloudtrail => "{\"Records\":[".to_owned(),
        }
    }

    fn record(&mut self, event: &AuditEvent) -> Result<String, Failure> {
        let first = !std::mem::replace(&mut self.any, true);
        Ok(match self.format {
            Format::Jsonl => format!("{}\n", line_of_json(event)?),
            Format::Csv => format!("{}\r\n", csv::row(event)),
            Format::Cloudtrail => {
                format!("{}{}", if first { "\n" } else { ",\n" }, control::cloudtrail::record(event))
            }
        })
    }

    fn foot(&self) -> &'static str {
        if self.format == Format::Cloudtrail { "\n]}\n" } else { "" }
    }
}
