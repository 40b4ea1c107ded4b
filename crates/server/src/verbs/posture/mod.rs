//! `portcullis audit posture`: what the security of an account should not be like, read through AWS's public API.
//!
//! The exit code is for CI: 0 when nothing as grave as `--fail-on` is left, 1 when something is, 2 when the account cannot
//! be read.

mod access;
mod export;
mod table;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use domain::{Clock as _, SystemClock};
use posture::{Baseline, Exceptions, Finding, Inventory, RULES, Severity, collect, examine};

use crate::command_line::Settings;
use crate::terminal::{Failure, remark, say};
use crate::verbs::open::block_on;

/// What is audited, and what is said of it.
#[derive(Args)]
pub(crate) struct Posture {
    #[command(flatten)]
    settings: Settings,
    /// What is audited: `aws`, or a URL that answers for all services [default: the server of the data directory]
    #[arg(long, value_name = "aws|URL")]
    endpoint: Option<String>,
    /// The region [default: that of the environment or of the server]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The exit code is 1 when something at least this grave is found
    #[arg(long, value_enum, default_value_t = FailOn::High)]
    fail_on: FailOn,
    /// Tell only of what is not in this file, which --write-baseline wrote
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what is found to this file
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// Leave out what this file accepts, with a reason and an end
    #[arg(long, value_name = "FILE")]
    exceptions: Option<PathBuf>,
    /// What cannot be read is a failure, too
    #[arg(long)]
    strict: bool,
    /// Export this gateway, to be made anew with an authorizer, instead of auditing
    #[arg(long, value_name = "ID", requires = "export_to")]
    export_gateway: Option<String>,
    /// The folder that the export is written to
    #[arg(long, value_name = "FOLDER")]
    export_to: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Sarif,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Low,
    Medium,
    High,
    Critical,
    Never,
}

impl FailOn {
    fn reached_by(self, severity: Severity) -> bool {
        let least = match self {
            Self::Low => Severity::Low,
            Self::Medium => Severity::Medium,
            Self::High => Severity::High,
            Self::Critical => Severity::Critical,
            Self::Never => return false,
        };
        severity >= least
    }
}

/// Audits.
pub(crate) fn run(arguments: &Posture) -> Result<(), Failure> {
    // What cannot be read is trouble, and no finding.
    let known = Known::read(arguments).map_err(Failure::into_trouble)?;
    let mut inventory =
        block_on(access::with(arguments, async |access| Ok(collect(&access, SystemClock.now()).await)))
            .map_err(Failure::into_trouble)?;
    inventory.prompts_refused = access::prompts_refused(arguments).map_err(Failure::into_trouble)?;
    if let (Some(id), Some(folder)) = (&arguments.export_gateway, &arguments.export_to) {
        return export::write(&inventory, id, folder).map_err(Failure::into_trouble);
    }
    if inventory.unread.iter().any(|it| it.operation == "ListGateways") {
        return Err(access::unreadable(&inventory).into_trouble());
    }
    let (found, accepted) = known.split(examine(RULES, &inventory), &inventory);
    if let Some(file) = &arguments.write_baseline {
        write(file, &Baseline::of(&found).written()).map_err(Failure::into_trouble)?;
    }
    match arguments.format {
        Format::Table => table::print(&found, &accepted, &inventory)?,
        Format::Json => say(posture::json(&found, &accepted, &inventory))?,
        Format::Sarif => say(posture::sarif(RULES, &found))?,
    }
    for over in known.exceptions.over(inventory.now) {
        remark(over);
    }
    for unread in &inventory.unread {
        remark(format!("{} could not be read: {}", unread.operation, unread.why));
    }
    let grave = found.iter().filter(|it| arguments.fail_on.reached_by(it.severity)).count();
    if grave > 0 {
        return Err(Failure::new(format!("{grave} findings are as grave as --fail-on says, or graver")));
    }
    if arguments.strict && !inventory.unread.is_empty() {
        return Err(Failure::new("not everything could be read").into_trouble());
    }
    Ok(())
}

/// What is known already.
struct Known {
    baseline: Baseline,
    exceptions: Exceptions,
}

impl Known {
    fn read(arguments: &Posture) -> Result<Self, Failure> {
        let baseline = match &arguments.baseline {
            Some(file) => Baseline::parse(&read(file)?).map_err(|error| in_file(file, &error))?,
            None => Baseline::default(),
        };
        let exceptions = match &arguments.exceptions {
            Some(file) => Exceptions::parse(&read(file)?).map_err(|error| in_file(file, &error))?,
            None => Exceptions::default(),
        };
        Ok(Self { baseline, exceptions })
    }

    /// What is left to tell, and what was accepted, with the reasons.
    fn split(&self, findings: Vec<Finding>, inventory: &Inventory) -> (Vec<Finding>, Vec<(Finding, String)>) {
        let (mut left, mut accepted) = (Vec::new(), Vec::new());
        for finding in findings.into_iter().filter(|it| !self.baseline.has(it)) {
            match self.exceptions.accept(&finding, inventory.now).map(str::to_owned) {
                Some(reason) => accepted.push((finding, reason)),
                None => left.push(finding),
            }
        }
        (left, accepted)
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", file.display())))
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", file.display())))
}

fn in_file(file: &Path, error: &impl ToString) -> Failure {
    Failure::new(format!("{}: {}", file.display(), error.to_string()))
}
