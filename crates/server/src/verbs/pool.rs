//! `portcullis pool`: the keys of user pools.

use domain::UserPoolId;
use identity::provider::{PoolKeysError, revoke_former_keys, rotate_key};

use super::open::{block_on, open};
use crate::command_line::{Pool, PoolVerb};
use crate::terminal::{Failure, say};

/// Changes the keys of a pool.
pub(crate) fn run(arguments: Pool) -> Result<(), Failure> {
    block_on(async {
        match arguments.verb {
            PoolVerb::RotateKey { settings, pool } => {
                let opened = open(&settings).await?;
                let pool = UserPoolId::from_text(pool);
                let keys = rotate_key(&opened.store, &*opened.clock, &*opened.random, &pool).await?;
                say(format!(
                    "{pool} signs with the key {}. What its {} signed is still accepted, until `portcullis pool revoke-former-keys {pool}`.",
                    keys.signing,
                    former(keys.former.len())
                ))
            }
            PoolVerb::RevokeFormerKeys { settings, pool } => {
                let opened = open(&settings).await?;
                let pool = UserPoolId::from_text(pool);
                let keys = revoke_former_keys(&opened.store, &*opened.clock, &*opened.random, &pool).await?;
                say(format!(
                    "{pool} signs with the key {}. What its {} signed is no longer accepted.",
                    keys.signing,
                    former(keys.former.len())
                ))
            }
        }
    })
}

fn former(count: usize) -> String {
    if count == 1 { "former key".to_owned() } else { format!("{count} former keys") }
}

impl From<PoolKeysError> for Failure {
    fn from(error: PoolKeysError) -> Self {
        match error {
            PoolKeysError::UnknownPool(_) => Self::usage(error.to_string()),
            error => Self::new(error.to_string()),
        }
    }
}
