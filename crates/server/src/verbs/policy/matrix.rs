//! `portcullis policy matrix`: roles by tools, and what each may do with each.

use std::path::PathBuf;

use clap::Args;
use policy::{Access, Principal};
use serde_json::{Map, Value, json};

use super::caller::{document, object, of_claims, of_role};
use super::explain::Candidates;
use super::population;
use super::sources::{Ground, Sources};
use super::unconsidered::unconsidered;
use super::verdict::Verdict;
use super::what_can::access;
use crate::terminal::{Failure, remark, say, table, visible};
use crate::verbs::input;
use crate::verbs::open::block_on;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    candidates: Candidates,
    /// A file of roles: an object of names with their claims, or with {"role": ARN} for one that signs; JSON or YAML
    /// [default: the clients of the gateway's user pool that act for themselves]
    #[arg(long, value_name = "FILE")]
    roles: Option<PathBuf>,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let (ground, roles, unconsidered) = block_on(async {
        let ground = arguments.sources.ground().await?;
        let roles = match &arguments.roles {
            Some(file) => of_file(&file.display().to_string(), &input::read(file)?)?,
            None => of_pool(&ground).await?,
        };
        // Whoever names the roles knows whom they leave out.
        let unconsidered = match &arguments.roles {
            Some(_) => Vec::new(),
            None => unconsidered(ground.store.as_ref()).await?,
        };
        Ok((ground, roles, unconsidered))
    })?;
    let policies = arguments.candidates.of(&ground)?;
    let engine = ground.guarded(&policies)?.engine(&policies)?;
    let tools: Vec<&str> = engine.tools().collect();
    let rows: Vec<(String, Vec<Access>)> = roles
        .iter()
        .map(|(name, principal)| {
            (name.clone(), engine.outlooks(principal).iter().map(|outlook| outlook.access).collect())
        })
        .collect();
    if arguments.json {
        say(as_json(&tools, &rows, &unconsidered))?;
        return Ok(Verdict::Good);
    }
    unconsidered.iter().for_each(|who| remark(format!("not considered: {who}")));
    if arguments.csv {
        let head = std::iter::once("tool").chain(rows.iter().map(|(name, _)| name.as_str()));
        say(head.map(cell).collect::<Vec<_>>().join(","))?;
        tools.iter().enumerate().try_for_each(|(place, tool)| {
            let accesses = rows.iter().map(|(_, row)| row.get(place).map_or("", |it| access(*it)));
            say(std::iter::once(*tool).chain(accesses).map(cell).collect::<Vec<_>>().join(","))
        })?;
        return Ok(Verdict::Good);
    }
    let names: Vec<String> = rows.iter().map(|(name, _)| visible(name)).collect();
    let head: Vec<&str> = std::iter::once("TOOL").chain(names.iter().map(String::as_str)).collect();
    let mut shown = table(&head);
    for (place, tool) in tools.iter().enumerate() {
        let accesses = rows.iter().map(|(_, row)| row.get(place).map_or("", |it| access(*it)).to_owned());
        shown.add_row(std::iter::once(visible(tool)).chain(accesses));
    }
    say(shown)?;
    Ok(Verdict::Good)
}

/// Roles that a file names.
fn of_file(name: &str, text: &str) -> Result<Vec<(String, Principal)>, Failure> {
    let roles = object(name, document(name, text)?)?;
    roles
        .into_iter()
        .map(|(role, value)| {
            let claims = object(&format!("{name}, {role}"), value)?;
            let principal = match (claims.len(), claims.get("role").and_then(Value::as_str)) {
                (1, Some(arn)) if arn.starts_with("arn:") => of_role(arn)?,
                _ => of_claims(&claims)?,
            };
            Ok((role, principal))
        })
        .collect()
}

/// The clients of the gateway's user pool.
async fn of_pool(ground: &Ground) -> Result<Vec<(String, Principal)>, Failure> {
    let known = match &ground.store {
        Some(found) => population::clients(found).await?,
        None => Err("there is no user pool beside files".to_owned()),
    };
    let members =
        known.map_err(|why| Failure::usage(format!("say with --roles whose rights to show: {why}")))?;
    members.into_iter().map(|member| Ok((member.name, of_claims(&member.claims)?))).collect()
}

fn as_json(tools: &[&str], rows: &[(String, Vec<Access>)], unconsidered: &[String]) -> Value {
    let roles: Map<String, Value> = rows
        .iter()
        .map(|(name, row)| {
            let of_tools = tools.iter().zip(row).map(|(tool, it)| ((*tool).to_owned(), access(*it).into()));
            (name.clone(), Value::Object(of_tools.collect()))
        })
        .collect();
    json!({ "tools": tools, "roles": roles, "notConsidered": unconsidered })
}

/// A field as RFC 4180 has it, with nothing in it that a terminal would take for a command. What a spreadsheet would take
/// for a formula begins with an apostrophe, also after spaces.
fn cell(text: &str) -> String {
    let text = match text.trim_start().starts_with(['=', '+', '-', '@']) {
        true => format!("'{}", visible(text)),
        false => visible(text),
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_is_text_to_spreadsheets_and_terminals() {
        for (name, written) in [
            ("clerk", "clerk"),
            ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("  =1", "'  =1"),
            ("\t=1", "'\\t=1"),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("two\nlines", "two\\nlines"),
        ] {
            assert_eq!(cell(name), written);
        }
    }
}
