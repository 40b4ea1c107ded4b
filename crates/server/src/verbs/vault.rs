//! `portcullis vault`: the keys under which secrets are sealed.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use domain::{AccountId, Clock, Random, Region, Scope, SystemClock, SystemRandom};
use store::{Store, VaultRotation};

use super::open::{block_on, open};
use crate::bootstrap::event;
use crate::command_line::Settings;
use crate::configuration::Configuration;
use crate::master_key::{self, Target};
use crate::terminal::{Failure, say};

#[derive(Args)]
pub(crate) struct Vault {
    #[command(subcommand)]
    verb: VaultVerb,
}

#[derive(Subcommand)]
enum VaultVerb {
    /// Give token vaults a new data key, and seal their secrets anew while servers run
    Rotate {
        #[command(flatten)]
        settings: Settings,
        /// Only the vaults of this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Only the vaults of this region
        #[arg(long, value_name = "REGION")]
        region: Option<String>,
    },
    /// Put the database under a new master key, where the key is kept now; copy a key file away first, if backups are to stay
    /// readable
    ChangeMasterKey {
        #[command(flatten)]
        settings: Settings,
        /// The former key is in this file, and the new one is where the configuration says
        #[arg(long, value_name = "FILE", conflicts_with = "to_file")]
        from: Option<PathBuf>,
        /// Keep the new key in the file of the data directory, and no longer with the command
        #[arg(long)]
        to_file: bool,
    },
}

/// How many secrets are sealed anew in one transaction, so that a server that runs is not held up.
const BATCH: i64 = 100;

/// Changes keys.
pub(crate) fn run(arguments: Vault) -> Result<(), Failure> {
    match arguments.verb {
        VaultVerb::Rotate { settings, account, region } => block_on(async {
            let account = account.map(|it| AccountId::parse(&it)).transpose();
            let account = account.map_err(|error| Failure::usage(error.to_string()))?;
            let region = region.map(|it| Region::parse(&it)).transpose();
            let region = region.map_err(|error| Failure::usage(error.to_string()))?;
            let opened = open(&settings).await?;
            let vaults = opened.store.read().await?.vaults_in_use().await?;
            let wanted = |scope: &&Scope| {
                account.as_ref().is_none_or(|it| *it == scope.account)
                    && region.as_ref().is_none_or(|it| *it == scope.region)
            };
            let chosen: Vec<_> = vaults.iter().filter(wanted).collect();
            if chosen.is_empty() && (account.is_some() || region.is_some()) {
                return Err(Failure::usage(
                    "no vault of that account and region holds anything: nothing was rotated",
                ));
            }
            for scope in &chosen {
                rotate(&opened.store, scope, &*opened.clock, &*opened.random).await?;
            }
            say(format!("Vaults with a new data key: {}.", chosen.len()))
        }),
        VaultVerb::ChangeMasterKey { settings, from, to_file } => block_on(async {
            let configuration = Configuration::read(&settings)?;
            let random: Arc<dyn Random> = Arc::new(SystemRandom);
            let target = if to_file { Target::File } else { Target::Configured };
            master_key::change(&configuration, &random, &SystemClock, (from.as_deref(), target)).await?;
            say(
                "The database is under the new master key. Servers that run go on; the former key opens backups that were made before.",
            )
        }),
    }
}

/// Rotates the data key of one vault, a few secrets at a time.
async fn rotate(store: &Store, scope: &Scope, clock: &dyn Clock, random: &dyn Random) -> Result<(), Failure> {
    let named = format!("{} in {}", scope.account, scope.region);
    let step = || event("vault.rotate", &scope.account, clock, random);
    let mut tx = store.begin().await?;
    let begun = tx.begin_vault_rotation(scope).await?;
    tx.commit(&step()).await?;
    if begun == VaultRotation::TakenUp {
        say(format!("{named}: a rotation was interrupted, and is taken up."))?;
    }
    let mut sealed = 0;
    loop {
        let mut tx = store.begin().await?;
        let batch = tx.continue_vault_rotation(scope, BATCH).await?;
        tx.commit(&step()).await?;
        sealed += batch.sealed;
        say(format!("{named}: {sealed} sealed anew, {} left.", batch.left))?;
        if batch.left == 0 {
            return Ok(());
        }
    }
}
