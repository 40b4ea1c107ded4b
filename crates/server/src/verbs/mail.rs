//! `portcullis mail`: the outbox. What is sent is kept here, whether or not a relay delivers it too.

use domain::AccountId;
use serde_json::{Value, json};

use super::audit::plain;
use super::open::{block_on, open};
use crate::command_line::{Mail, MailVerb};
use crate::terminal::{Failure, say, table};

/// Lists messages.
pub(crate) fn run(arguments: Mail) -> Result<(), Failure> {
    let MailVerb::List { settings, account, lines, json } = arguments.verb;
    block_on(async {
        let opened = open(&settings).await?;
        let account = match account {
            Some(account) => AccountId::parse(&account).map_err(|error| Failure::usage(error.to_string()))?,
            None => AccountId::first(),
        };
        let mails = opened.store.read().await?.mails(&account, i64::from(lines)).await?;
        let mut shown = table(&["SENT", "FROM", "TO", "SUBJECT"]);
        for mail in mails {
            let message: Value = serde_json::from_str(&mail.message.0).unwrap_or_default();
            if json {
                say(
                    json!({ "messageId": mail.id, "createdAt": mail.created_at.to_string(), "message": message }),
                )?;
                continue;
            }
            let text =
                |place: &str| plain(message.pointer(place).and_then(Value::as_str).unwrap_or_default());
            let to: Vec<_> = message
                .pointer("/Destination/ToAddresses")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            shown.add_row([
                mail.created_at.to_string(),
                text("/Source"),
                plain(&to.join(", ")),
                text("/Message/Subject/Data"),
            ]);
        }
        if json { Ok(()) } else { say(shown) }
    })
}
