//! `portcullis audit query`: the events that filters let through, the newest first. What is read is shown at once and kept
//! nowhere, however long the trail is; only a table waits for its rows.

use clap::Args;
use domain::{Actor, AuditEvent};
use store::AuditFilter;

use super::csv;
use super::filter::Filters;
use super::line::{decision, line_of_json, outcome, plain, who};
use crate::command_line::Settings;
use crate::terminal::{Failure, remark, say, table};
use crate::verbs::open::{block_on, open};

/// How many events are read at once.
const PAGE: i64 = 1_000;
/// How many rows a table is made of; its columns are as wide as these need.
const ROWS: usize = 100;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    filters: Filters,
    /// How many at most
    #[arg(short = 'n', long, default_value_t = 100, value_name = "COUNT")]
    limit: usize,
    /// Print one JSON object a line
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV
    #[arg(long)]
    csv: bool,
    /// Print the claims of the newest event's token, as far as the trail has them, for `policy what-can --claims`
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    claims: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { settings, filters, limit, json, csv, claims } = arguments;
    let limit = if claims { 1 } else { limit };
    block_on(async {
        let opened = open(&settings).await?;
        let mut shown = if claims { Shown::Claims } else { Shown::begin(json, csv)? };
        let mut range = filters.range(&opened.store, &*opened.clock).await?;
        let mut count = 0;
        while count < limit {
            let page = opened.store.events_back(&range, PAGE).await?;
            let Some(oldest) = page.last() else { break };
            range = AuditFilter { before: Some(oldest.seq), ..range };
            for stored in page.iter().filter(|it| filters.pass(&it.event, &*opened.clock)).take(limit - count)
            {
                count += 1;
                shown.take(&stored.event)?;
            }
        }
        shown.end(count == limit)
    })
}

/// How events are shown.
enum Shown {
    Json,
    Csv,
    Claims,
    Table(Vec<AuditEvent>),
}

impl Shown {
    fn begin(json: bool, csv: bool) -> Result<Self, Failure> {
        if csv {
            say(csv::head())?;
            return Ok(Self::Csv);
        }
        Ok(if json { Self::Json } else { Self::Table(Vec::new()) })
    }

    fn take(&mut self, event: &AuditEvent) -> Result<(), Failure> {
        match self {
            Self::Json => say(line_of_json(event)?),
            Self::Csv => say(csv::row(event)),
            Self::Claims => say(claims(event)?),
            Self::Table(rows) => {
                rows.push(event.clone());
                if rows.len() < ROWS { Ok(()) } else { show(&std::mem::take(rows)) }
            }
        }
    }

    fn end(self, is_cut: bool) -> Result<(), Failure> {
        if let Self::Table(rows) = self {
            show(&rows)?;
            if is_cut {
                remark("there may be more: see --limit");
            }
            if let Some(hint) = rows.iter().find_map(could_more) {
                remark(hint);
            }
        }
        Ok(())
    }
}

fn show(events: &[AuditEvent]) -> Result<(), Failure> {
    if events.is_empty() {
        return Ok(());
    }
    let mut shown = table(&["TIME", "DECISION", "OUTCOME", "WHO", "ACTION", "TOOL OR RESOURCE", "ERROR"]);
    for event in events {
        let about = event.tool.as_deref().or(event.resource.as_deref()).unwrap_or_default();
        shown.add_row([
            event.time.to_string(),
            decision(event.decision).to_owned(),
            outcome(event.outcome).to_owned(),
            plain(&who(&event.actor)),
            plain(&event.action),
            plain(about),
            plain(event.error.as_deref().unwrap_or_default()),
        ]);
    }
    say(shown)
}

/// How it is found out what else the caller of a tool could have done.
fn could_more(event: &AuditEvent) -> Option<String> {
    event.tool.as_ref()?;
    let gateway = plain(event.resource.as_deref()?.rsplit_once('/')?.1);
    let what_can = format!("portcullis policy what-can --gateway {gateway}");
    let command = match &event.actor {
        Actor::Iam { arn, .. } => format!("{what_can} --role '{}'", plain(arn)),
        Actor::Token { .. } => {
            let id = plain(event.event_id.as_str());
            format!(
                "portcullis audit query --id {id} --claims > claims.json; {what_can} --claims claims.json"
            )
        }
        Actor::Client { .. } | Actor::System | Actor::Anonymous => return None,
    };
    Some(format!("what a caller could have done besides: {command}"))
}

/// The claims of a token, as far as the trail has them: a file for `policy what-can --claims`.
fn claims(event: &AuditEvent) -> Result<String, Failure> {
    let token = event.call.as_ref().and_then(|call| call.token.as_ref());
    let token = token.ok_or_else(|| Failure::new("the event is not of a caller with a token"))?;
    serde_json::to_string_pretty(&token.claims).map_err(|error| Failure::new(error.to_string()))
}
