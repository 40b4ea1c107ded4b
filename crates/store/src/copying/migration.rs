//! Copies one database into another, without a file between them.

use std::sync::Arc;

use domain::{AuditEvent, Random};

use super::backup::total;
use super::restoring::{emptied, settle, target};
use super::rows::{self, Pages};
use super::{CopyError, Step, Watcher, tables};
use crate::master::{self, Master};
use crate::{Store, schema};

/// How many rows of a table were copied, and are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The table.
    pub table: String,
    /// How many rows.
    pub rows: u64,
}

/// Fills an empty database with everything that is in another one, in one transaction, and notes `event` on the source's
/// chain there. Nobody writes to the source meanwhile: its writers wait for their turn, which this takes.
///
/// # Errors
/// [`CopyError::NotEmpty`] when something is in the target, and [`CopyError`] as the databases have it; then nothing is
/// in the target that was not there before.
pub async fn migrate(
    source: &Store,
    master: &Master,
    to: &str,
    random: &Arc<dyn Random>,
    event: &AuditEvent,
    watcher: &mut Watcher<'_>,
) -> Result<Vec<Counted>, CopyError> {
    let tables = tables::of_version(schema::known()).await?;
    let turn = source.begin().await?;
    let mut from = source.read().await?;
    let keys = from.wrapped_keys().await?;
    let data_key = master::unwrapped(master, &keys).await?;
    let store = target(to, random, &data_key, source.chain_name()).await?;
    let copied = async {
        let of = total(&mut from, &tables).await?;
        let mut tx = emptied(&store, &tables, schema::known()).await?;
        let mut counted = Vec::with_capacity(tables.len());
        let mut done = 0;
        for table in &tables {
            let mut pages = Pages::of(table);
            loop {
                let page = pages.next(&mut from).await?;
                if page.is_empty() {
                    break;
                }
                rows::write(&mut tx, table, &page).await?;
                done += u64::try_from(page.len()).unwrap_or(0);
                watcher(Step { done, of });
            }
            let rows = rows::count(&mut from, table).await?;
            settle(&mut tx, table, rows, rows::last_number(&mut from, table).await?).await?;
            counted.push(Counted { table: table.name.clone(), rows });
        }
        tx.commit(event).await?;
        Ok(counted)
    };
    let copied = copied.await;
    store.close().await;
    drop(turn);
    copied
}
