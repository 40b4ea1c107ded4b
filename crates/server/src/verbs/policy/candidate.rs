//! The policies that might be in force: those of files, or those that are, with some more and without some.

use std::path::PathBuf;

use clap::Args;
use policy::{Schema, Validation, check};

use super::files::read_statements;
use super::sources::Standing;
use crate::terminal::{Failure, visible};

#[derive(Args)]
pub(super) struct Candidate {
    /// The policies that would be in force, and no others: files, folders with *.cedar, or - for standard input
    /// [default: those in force]
    #[arg(value_name = "NEW")]
    files: Vec<PathBuf>,
    /// Add the policies of this file or folder to those in force
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    with: Vec<PathBuf>,
    /// Leave this policy out of those in force: its name or id
    #[arg(long, value_name = "POLICY", conflicts_with = "files")]
    without: Vec<String>,
}

impl Candidate {
    /// The statements, which must be ones that would be accepted.
    pub(super) fn statements(
        &self,
        in_force: &[Standing],
        schema: &Schema,
    ) -> Result<Vec<Standing>, Failure> {
        if !self.files.is_empty() {
            return accepted(read_statements(&self.files)?, schema);
        }
        let mut policies = in_force.to_vec();
        for unwanted in &self.without {
            let before = policies.len();
            policies.retain(|policy| policy.name != *unwanted && policy.id.as_str() != unwanted);
            if policies.len() == before {
                return Err(Failure::usage(format!(
                    "no policy `{}` is in force: GetPolicy shows names and ids",
                    visible(unwanted)
                )));
            }
        }
        if !self.with.is_empty() {
            for policy in accepted(read_statements(&self.with)?, schema)? {
                if policies.iter().any(|other| other.id == policy.id) {
                    return Err(Failure::usage(format!(
                        "a policy `{}` is in force already: leave it out with --without, or name the new one with @id(\"…\")",
                        visible(&policy.name)
                    )));
                }
                policies.push(policy);
            }
        }
        Ok(policies)
    }
}

/// Nothing is rehearsed that could not be in force.
pub(super) fn accepted(policies: Vec<Standing>, schema: &Schema) -> Result<Vec<Standing>, Failure> {
    let mut problems = Vec::new();
    for policy in &policies {
        if let Err(found) = check(&policy.statement, schema, Validation::IgnoreAllFindings) {
            let told = |problem: &policy::Problem| visible(&format!("{}: {problem}", policy.name));
            problems.extend(found.iter().map(told));
        }
    }
    match problems.is_empty() {
        true => Ok(policies),
        false => Err(Failure::usage(format!("the policies cannot be in force\n{}", problems.join("\n")))),
    }
}
