//! Whole databases, copied: from and to SQLite, and PostgreSQL when `PORTCULLIS_TEST_POSTGRES` names a server.

#![allow(clippy::disallowed_methods, reason = "tests ask their environment for a server")]

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{AccountId, AuditEvent, Random, RequestId, Scope, SystemRandom, Timestamp};

use super::rows::{self, Cell, Cells, Pages};
use super::tables::{self, Kind, Numbered, Table};
use super::{Backup, Copied, CopyError, migrate};
use crate::backend::{Connection, params};
use crate::database::Database;
use crate::seal::Sealer;
use crate::{Master, MasterKey, NoCheckpoints, Store, StoreError, look, schema};

/// Columns that may be nothing, each of another kind.
const NOTHING: &[(&str, &str)] = &[
    ("gateways", "engine"),
    ("policies", "size"),
    ("pool_clients", "secret"),
    ("log_groups", "retention_days"),
];
/// Where a copy has a row more: its own audit event, and the end of the chain that it is in.
const NOTED: &[&str] = &["audit_events", "audit_chains"];

struct Place {
    url: String,
    _folder: tempfile::TempDir,
}

fn random() -> Arc<dyn Random> {
    Arc::new(SystemRandom)
}

/// A place for a new database of each kind there is.
async fn places() -> Vec<Place> {
    let place = |url: Option<String>| {
        let folder = tempfile::tempdir().unwrap();
        let url = url.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("copy.db").display()));
        Place { url, _folder: folder }
    };
    let mut places = vec![place(None)];
    if let Ok(server) = std::env::var("PORTCULLIS_TEST_POSTGRES") {
        let name = format!("copy_{}", RequestId::mint(&SystemRandom).as_str().replace('-', ""));
        let options: sqlx::postgres::PgConnectOptions = server.parse().unwrap();
        let pool = sqlx::PgPool::connect_with(options).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        places.push(place(Some(format!("{base}/{name}"))));
    }
    places
}

fn event(action: &str) -> AuditEvent {
    let scope = Scope::global(&AccountId::first());
    AuditEvent::of_system(action, &scope, Timestamp::from_seconds(1_763_717_400), &SystemRandom)
}

/// A row that differs from others in every column, with what texts and bytes may hold.
fn sample(table: &Table, number: i64) -> Cells {
    let cell = |column: &tables::Column| {
        let may_be_nothing = NOTHING.contains(&(table.name.as_str(), column.name.as_str()));
        match column.kind {
            _ if number == 3 && may_be_nothing => Cell::Nothing,
            Kind::Int => Cell::Int(number * 1_000_000_000_007),
            Kind::Text if number == 2 => Cell::Text(String::from("{\"é\":\"\\u0000 '\u{1F511}\n\"}")),
            Kind::Text => Cell::Text(format!("{} {} {number}", table.name, column.name)),
            Kind::Bytes if number == 2 => Cell::Bytes((0..=255).collect()),
            Kind::Bytes => Cell::Bytes(format!("{} {number}", column.name).into_bytes()),
        }
    };
    table.columns.iter().map(cell).collect()
}

async fn new_store(url: &str, key: &MasterKey) -> Store {
    Store::open(url, key, random()).await.unwrap()
}

/// A database with rows in each of its tables.
async fn full(url: &str, key: &MasterKey) -> Store {
    let store = new_store(url, key).await;
    store.begin().await.unwrap().commit(&event("first")).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for table in tables::of_version(schema::known()).await.unwrap() {
        let samples: Vec<Cells> = (1..=3).map(|number| sample(&table, number)).collect();
        match table.name.as_str() {
            "meta" => {}
            // An event of no chain is one from before there were chains, and of a chain must be in its place.
            "audit_events" | "audit_chains" => {}
            _ => rows::write(&mut tx, &table, &samples).await.unwrap(),
        }
    }
    tx.end().await.unwrap();
    store
}

/// Every table that the database has, whatever is thought to be there, with its rows.
async fn dump(store: &Store) -> BTreeMap<String, Vec<Cells>> {
    let mut tx = store.read().await.unwrap();
    let mut connection = tx.connection();
    let sql = match connection {
        Connection::Sqlite(_) => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        }
        Connection::Postgres(_) => {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public'"
        }
    };
    let names = connection.fetch(sql, params![]).await.unwrap();
    let known = tables::of_version(schema::known()).await.unwrap();
    let mut found = BTreeMap::new();
    for name in names.iter().map(|row| row.text(0).unwrap()) {
        let Some(table) = known.iter().find(|it| it.name == name) else {
            assert!(tables::OF_THE_MOMENT.contains(&name.as_str()), "{name} is not copied");
            continue;
        };
        let (mut pages, mut all) = (Pages::of(table), Vec::new());
        loop {
            let page = pages.next(&mut tx).await.unwrap();
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        assert_eq!(all.len() as u64, rows::count(&mut tx, table).await.unwrap(), "{name}");
        // PostgreSQL orders texts as people do, and SQLite by their bytes.
        all.sort_by_key(|row| format!("{row:?}"));
        found.insert(name, all);
    }
    found
}

fn assert_copied(from: &BTreeMap<String, Vec<Cells>>, to: &BTreeMap<String, Vec<Cells>>) {
    assert_eq!(from.keys().collect::<Vec<_>>(), to.keys().collect::<Vec<_>>());
    for (name, rows) in from {
        let copied = &to[name];
        if NOTED.contains(&name.as_str()) {
            assert_eq!(copied.len(), rows.len() + 1, "{name}");
            assert!(rows.iter().all(|row| copied.contains(row)), "{name}");
        } else {
            assert_eq!(copied, rows, "{name}");
        }
        let filled = if name == "meta" || NOTED.contains(&name.as_str()) { 1 } else { 3 };
        assert!(rows.len() >= filled, "{name} has no rows, so that nothing is known of it");
    }
}

async fn back_up(store: &Store) -> Vec<u8> {
    let (mut file, mut last) = (Vec::new(), None);
    let now = Timestamp::from_seconds(1_763_717_500);
    let copied = store.back_up(&mut file, now, &mut |step| last = Some(step)).await.unwrap();
    let last = last.unwrap();
    assert_eq!((last.done, last.of), (copied.rows, copied.rows));
    file
}

async fn restore(file: &[u8], key: &MasterKey, url: &str) -> Result<Copied, CopyError> {
    let backup = Backup::open(file, &Master::Key(key.clone())).await?;
    backup.restore(url, &random(), "restored", &event("database.restore"), &mut |_| ()).await
}

#[tokio::test]
async fn a_backup_has_every_row_of_every_table_and_restores_into_either_database() {
    let key = MasterKey::generate(&SystemRandom);
    for from in places().await {
        let store = full(&from.url, &key).await;
        let file = back_up(&store).await;
        let expected = dump(&store).await;
        let texts = [b"PORTCULLIS BACKUP".as_slice(), b"gateways", b"audit_events", b"first"];
        let seen = |text: &&[u8]| file.windows(text.len()).any(|window| window == *text);
        assert_eq!(texts.iter().filter(|text| seen(text)).count(), 1, "only the magic is in the clear");
        for to in places().await {
            let checked = Backup::open(file.as_slice(), &Master::Key(key.clone())).await.unwrap();
            let checked = checked.check(&mut |_| ()).await.unwrap();
            assert_eq!(restore(&file, &key, &to.url).await.unwrap(), checked);
            let restored = new_store(&to.url, &key).await;
            assert_copied(&expected, &dump(&restored).await);
            let verified = restored.verify_trail(&NoCheckpoints, |finding| panic!("{finding:?}"));
            assert_eq!(verified.await.unwrap().len(), 2);
        }
    }
}

#[tokio::test]
async fn a_database_moves_into_either_other() {
    let key = MasterKey::generate(&SystemRandom);
    for from in places().await {
        let store = full(&from.url, &key).await.on_chain("elsewhere").unwrap();
        let expected = dump(&store).await;
        for to in places().await {
            let master = Master::Key(key.clone());
            let noted = event("database.migrate");
            let moved = migrate(&store, &master, &to.url, &random(), &noted, &mut |_| ()).await.unwrap();
            assert_eq!(moved.len(), expected.len());
            assert!(moved.iter().all(|it| it.rows == expected[&it.table].len() as u64));
            assert_copied(&expected, &dump(&new_store(&to.url, &key).await).await);
            let again = migrate(&store, &master, &to.url, &random(), &noted, &mut |_| ()).await;
            assert!(matches!(again, Err(CopyError::NotEmpty(_))), "{again:?}");
        }
    }
}

#[tokio::test]
async fn a_damaged_backup_a_wrong_key_and_a_full_database_leave_everything_as_it_was() {
    let key = MasterKey::generate(&SystemRandom);
    for place in places().await {
        let source = places().await.remove(0);
        let store = full(&source.url, &key).await;
        let file = back_up(&store).await;
        for at in [0, 30, 90, 200, file.len() / 2, file.len() - 1] {
            let mut damaged = file.clone();
            damaged[at] ^= 4;
            assert!(restore(&damaged, &key, &place.url).await.is_err(), "byte {at}");
            assert!(restore(&file[..at], &key, &place.url).await.is_err(), "cut at {at}");
        }
        let stranger = MasterKey::generate(&SystemRandom);
        let refused = restore(&file, &stranger, &place.url).await;
        assert!(matches!(refused, Err(CopyError::WrongKey)), "{refused:?}");
        assert_eq!(look(&place.url, &random()).await.unwrap().schema, 0);
        let occupied = new_store(&place.url, &stranger).await;
        let before = dump(&occupied).await;
        let refused = restore(&file, &key, &place.url).await;
        assert!(matches!(refused, Err(CopyError::NotEmpty(_))), "{refused:?}");
        assert_eq!(dump(&occupied).await, before);
    }
}

#[tokio::test]
async fn numbers_go_on_where_they_were() {
    let key = MasterKey::generate(&SystemRandom);
    for (from, to) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let (mut sources, mut targets) = (places().await, places().await);
        if from.max(to) >= sources.len() {
            continue;
        }
        let (source, target) = (sources.remove(from), targets.remove(to));
        let store = new_store(&source.url, &key).await;
        let mut tx = store.begin().await.unwrap();
        let insert = "INSERT INTO changes (account, region, kind, id) VALUES ('a', 'r', 'k', 'i')";
        for _ in 0..5 {
            tx.execute(insert, params![]).await.unwrap();
        }
        // The last ones are gone, as retention takes them; whoever saw them must not see their numbers again.
        tx.execute("DELETE FROM changes WHERE seq > 3", params![]).await.unwrap();
        tx.end().await.unwrap();
        restore(&back_up(&store).await, &key, &target.url).await.unwrap();
        let restored = new_store(&target.url, &key).await;
        let mut tx = restored.begin().await.unwrap();
        tx.execute(insert, params![]).await.unwrap();
        assert_eq!(tx.last_change().await.unwrap(), 6, "{from} to {to}");
        // A table that never had a row begins as it would have.
        let insert =
            "INSERT INTO mail (account, region, id, created_at, document) VALUES ('a', 'r', 'i', 1, '{}')";
        tx.execute(insert, params![]).await.unwrap();
        let first = tx.fetch_one("SELECT seq FROM mail", params![]).await.unwrap().unwrap();
        assert_eq!(first.int(0).unwrap(), 1);
    }
}

#[tokio::test]
async fn an_older_backup_is_brought_up_to_date_and_a_newer_one_is_refused() {
    let key = MasterKey::generate(&SystemRandom);
    for to in places().await {
        let from = places().await.remove(0);
        let store = Store::unopened(Database::open(&from.url).await.unwrap(), &random()).unwrap();
        let mut tx = store.begin().await.unwrap();
        schema::migrate_to(&mut tx.connection(), 1).await.unwrap();
        let sealed =
            Sealer::under(&key).unwrap().seal(&SystemRandom, "sealed_meta|data_key", &[9; 32]).unwrap();
        let insert = "INSERT INTO sealed_meta (name, value) VALUES ('data_key', $1)";
        tx.execute(insert, params![&sealed]).await.unwrap();
        let insert = "INSERT INTO function_statements (account, region, function, id, document) \
                      VALUES ('a', 'r', 'f', 'i', '{}')";
        tx.execute(insert, params![]).await.unwrap();
        tx.end().await.unwrap();
        let store = store.opened_by(&[9; 32]).unwrap();
        let mut file = Vec::new();
        let now = Timestamp::from_seconds(1);
        store.back_up_as(1, &mut file, now, &mut |_| ()).await.unwrap();
        assert_eq!(restore(&file, &key, &to.url).await.unwrap().schema, 1);
        assert_eq!(look(&to.url, &random()).await.unwrap().schema, schema::known());
        let restored = new_store(&to.url, &key).await;
        let mut tx = restored.read().await.unwrap();
        let found = tx.fetch("SELECT id, qualifier FROM function_permissions", params![]).await.unwrap();
        let found: Vec<_> = found.iter().map(|row| (row.text(0).unwrap(), row.text(1).unwrap())).collect();
        assert_eq!(found, [("i".to_owned(), String::new())]);
    }
    let mut newer = Vec::new();
    let keys = crate::master::WrappedKeys { data_key: vec![0], master_key: None };
    let schema = schema::known() + 1;
    let header = super::sealed_file::Header { schema, made_at: Timestamp::from_seconds(1), rows: 0, keys };
    header.write(&mut newer, &SystemRandom).unwrap();
    let refused = Backup::open(newer.as_slice(), &Master::Key(key)).await.map(|_| ());
    assert!(matches!(refused, Err(CopyError::NewerSchema { .. })), "{refused:?}");
}

#[tokio::test]
async fn pages_are_small_where_rows_are_large() {
    let key = MasterKey::generate(&SystemRandom);
    for place in places().await {
        let store = new_store(&place.url, &key).await;
        let known = tables::of_version(schema::known()).await.unwrap();
        let table = known.iter().find(|table| table.name == "blob_chunks").unwrap();
        let mut tx = store.begin().await.unwrap();
        for number in 0..612 {
            let bytes = vec![1; if number < 600 { 10 } else { 400_000 }];
            let blob = Cell::Text(if number < 600 { "small" } else { "large" }.to_owned());
            rows::write(&mut tx, table, &[vec![blob, Cell::Int(number), Cell::Bytes(bytes)]]).await.unwrap();
        }
        let (mut pages, mut sizes) = (Pages::of(table), Vec::new());
        loop {
            let page = pages.next(&mut tx).await.unwrap();
            if page.is_empty() {
                break;
            }
            sizes.push(page.len());
        }
        // The large ones come first, and two of them are most of a megabyte.
        assert_eq!(sizes[..14], [1, 2, 2, 2, 2, 2, 2, 4, 8, 16, 32, 64, 128, 256]);
        assert_eq!(sizes.iter().sum::<usize>(), 612);
    }
}

#[tokio::test]
async fn nothing_is_made_by_a_look() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");
    let found = look(&format!("sqlite:{}", path.display()), &random()).await.unwrap();
    assert_eq!((found.schema, found.known, found.server), (0, schema::known(), None));
    assert!(!path.exists());
    let refused = look("mysql://x", &random()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    let numbered = |table: &Table| table.columns.iter().any(|it| it.numbered == Numbered::ByDatabase);
    let known = tables::of_version(schema::known()).await.unwrap();
    assert_eq!(known.iter().filter(|table| numbered(table)).count(), 4);
}
