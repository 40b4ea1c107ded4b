//! `portcullis account`: accounts beside the first one.

use domain::{AccessKeyId, AccountId, Random};
use serde_json::json;
use store::{Account, StoreError};

use super::open::{block_on, open};
use crate::bootstrap::{event, random_secret, root_key};
use crate::command_line::{Account as Arguments, AccountVerb};
use crate::terminal::{Failure, say, table};

/// Makes or lists accounts.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        AccountVerb::Create { settings, id, name, json } => block_on(async {
            let opened = open(&settings).await?;
            let id = match id {
                Some(id) => AccountId::parse(&id).map_err(|error| Failure::usage(error.to_string()))?,
                None => random_account(&*opened.random)?,
            };
            let key = root_key(
                &id,
                AccessKeyId::mint(&*opened.random),
                random_secret(&*opened.random),
                &*opened.clock,
            );
            let account = Account { id: id.clone(), name, created_at: opened.clock.now() };
            let mut tx = opened.store.begin().await?;
            tx.insert_account(&account).await.map_err(|error| match error {
                StoreError::Exists => {
                    Failure::usage(format!("the account {id} exists already: choose another --id"))
                }
                error => error.into(),
            })?;
            tx.insert_access_key(&key).await?;
            tx.commit(&event("account.create", &id, &*opened.clock, &*opened.random)).await?;
            let secret = key.secret.expose();
            if json {
                let made = json!({ "accountId": id, "accessKeyId": key.id, "secretAccessKey": secret });
                return say(made);
            }
            say(format!("account             {id}"))?;
            say(format!("access key id       {}", key.id))?;
            say(format!("secret access key   {secret}"))?;
            say("The secret is not shown again.")
        }),
        AccountVerb::List { settings, json } => block_on(async {
            let opened = open(&settings).await?;
            let accounts = opened.store.read().await?.accounts().await?;
            if json {
                let listed: Vec<_> = accounts
                    .iter()
                    .map(|it| json!({ "accountId": it.id, "name": it.name, "createdAt": it.created_at.to_string() }))
                    .collect();
                return say(json!(listed));
            }
            let mut shown = table(&["ACCOUNT", "NAME", "CREATED"]);
            for account in accounts {
                shown.add_row([account.id.to_string(), account.name, account.created_at.to_string()]);
            }
            say(shown)
        }),
    }
}

fn random_account(random: &dyn Random) -> Result<AccountId, Failure> {
    let digits = format!("{}{}", random.text(1, b"123456789"), random.text(11, b"0123456789"));
    AccountId::parse(&digits).map_err(|error| Failure::new(error.to_string()))
}
