//! Backups: a file that is not what was written is not read to its end as a backup, and breaks nothing.
//!
//! An input is a list of changes to a backup that was made here, and, by itself, a file that is none. Each change has a
//! byte that says what is done (a byte is changed, some are cut out, some are put in, or what stands elsewhere is
//! repeated), two of where, and one that says with what.
#![no_main]

use std::sync::{Arc, LazyLock};

use domain::{SystemRandom, Timestamp};
use libfuzzer_sys::fuzz_target;
use store::{Backup, CopyError, Master, MasterKey, Store};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

/// A key, and a backup of a new database under it.
static MADE: LazyLock<(Master, Vec<u8>)> = LazyLock::new(|| {
    let key = MasterKey::generate(&SystemRandom);
    let folder = std::env::temp_dir().join(format!("portcullis-fuzz-backup-{}", std::process::id()));
    // One that was killed may have left it.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).expect("it is ours");
    let url = format!("sqlite:{}", folder.join("a.db").display());
    let file = RUNTIME.block_on(async {
        let store = Store::open(&url, &key, Arc::new(SystemRandom)).await.expect("a new database");
        let mut file = Vec::new();
        store.back_up(&mut file, Timestamp::from_seconds(1), &mut |_| ()).await.expect("it can be copied");
        store.close().await;
        file
    });
    std::fs::remove_dir_all(&folder).expect("it is ours");
    let master = Master::Key(key);
    read(&file, &master).expect("what was written is read");
    (master, file)
});

fuzz_target!(|input: &[u8]| {
    let (master, made) = &*MADE;
    assert!(read(input, master).is_err(), "nobody knows the key");
    let changed = changed(made, input);
    if changed != *made {
        assert!(read(&changed, master).is_err(), "a change is not noticed");
    }
});

fn read(file: &[u8], master: &Master) -> Result<(), CopyError> {
    RUNTIME.block_on(async {
        let backup = Backup::open(file, master).await?;
        backup.check(&mut |_| ()).await.map(drop)
    })
}

fn changed(made: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut file = made.to_vec();
    for change in changes.chunks_exact(4) {
        let [what, high, low, with] = change else { continue };
        let at = usize::from(u16::from_be_bytes([*high, *low])) % file.len().max(1);
        let end = (at + usize::from(*with)).min(file.len());
        match what % 4 {
            0 => file.get_mut(at).into_iter().for_each(|byte| *byte ^= with),
            1 => drop(file.drain(at..end)),
            2 => drop(file.splice(at..at, std::iter::repeat_n(*with, usize::from(*what) / 4))),
            _ => {
                let piece = file.get(at..end).unwrap_or_default().to_vec();
                let place = usize::from(*what) * 256 % file.len().max(1);
                drop(file.splice(place..place, piece));
            }
        }
    }
    file
}
