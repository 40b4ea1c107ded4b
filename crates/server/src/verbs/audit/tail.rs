//! `portcullis audit tail`: the last events, and those that come.

use std::collections::VecDeque;
use std::time::Duration;

use clap::Args;
use domain::Clock;
use store::{AuditFilter, Store};

use super::filter::Filters;
use super::line::{line, line_of_json};
use crate::command_line::Settings;
use crate::terminal::{Failure, say};
use crate::verbs::open::{block_on, open};

/// How often new events are looked for.
const INTERVAL: Duration = Duration::from_millis(300);
/// How many events are read at once.
const PAGE: i64 = 1_000;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    filters: Filters,
    /// How many of the last events to show
    #[arg(short = 'n', long, default_value_t = 20, value_name = "COUNT")]
    lines: u32,
    /// Go on with the events that come
    #[arg(short, long)]
    follow: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { settings, filters, lines, follow, json } = arguments;
    block_on(async {
        let opened = open(&settings).await?;
        let mut range = filters.range(&opened.store, &*opened.clock).await?;
        range.after = place_before_last(&opened.store, &filters, &range, lines, &*opened.clock).await?;
        loop {
            let events = opened.store.events(&range, PAGE).await?;
            for stored in &events {
                range.after = stored.seq;
                if filters.pass(&stored.event, &*opened.clock) {
                    say(if json { line_of_json(&stored.event)? } else { line(&stored.event) })?;
                }
            }
            match (follow, events.is_empty()) {
                (false, true) => return Ok(()),
                (true, true) => tokio::time::sleep(INTERVAL).await,
                (_, false) => {}
            }
        }
    })
}

/// The place before the last `count` events that the filters let through.
async fn place_before_last(
    store: &Store,
    filters: &Filters,
    range: &AuditFilter,
    count: u32,
    clock: &dyn Clock,
) -> Result<i64, Failure> {
    if filters.is_open() && range.account.is_none() {
        return Ok(store.place_before_last(i64::from(count)).await?);
    }
    let wanted = usize::try_from(count).unwrap_or(usize::MAX);
    let (mut range, mut last) = (range.clone(), VecDeque::new());
    while last.len() < wanted {
        let page = store.events_back(&range, PAGE).await?;
        let Some(oldest) = page.last() else { break };
        range.before = Some(oldest.seq);
        last.extend(page.iter().filter(|it| filters.pass(&it.event, clock)).map(|it| it.seq));
    }
    last.truncate(wanted);
    match last.back() {
        Some(first) => Ok(first - 1),
        // None of what is there: only what comes.
        None => Ok(store.place_before_last(0).await?.max(range.after)),
    }
}
