//! `portcullis policy schema`: what policies may talk about.

use clap::Args;

use super::sources::Sources;
use super::verdict::Verdict;
use crate::terminal::{Failure, remark, say, visible};
use crate::verbs::open::block_on;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    sources: Sources,
    /// Print Cedar's JSON form of the schema
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let schema = block_on(arguments.sources.ground())?.schema()?;
    if arguments.json {
        let json = schema.to_json().map_err(|error| Failure::new(error.to_string()))?;
        say(json)?;
    } else {
        say(schema.to_cedar().trim_end())?;
    }
    for unreadable in schema.unreadable() {
        let what = match unreadable.argument.as_str() {
            "" => "the arguments".to_owned(),
            argument => format!("argument `{argument}`"),
        };
        remark(visible(&format!(
            "{what} of {} cannot be read by a policy: {}",
            unreadable.tool, unreadable.why
        )));
    }
    Ok(Verdict::Good)
}
