//! `portcullis pool`: the keys of user pools, and what strangers may do in them.

use clap::{Args, Subcommand};
use domain::{DocumentHosts, ThirdParties, UserPoolId};
use identity::provider::{
    PoolKeysError, ThirdPartyChange, ThirdPartyError, change_third_parties, revoke_former_keys, rotate_key,
};

use super::open::{block_on, open};
use crate::command_line::Settings;
use crate::terminal::{Failure, say};

#[derive(Args)]
pub(crate) struct Pool {
    #[command(subcommand)]
    verb: PoolVerb,
}

#[derive(Subcommand)]
enum PoolVerb {
    /// Give a user pool a new key to sign with; what the former keys signed is still accepted
    RotateKey {
        #[command(flatten)]
        settings: Settings,
        /// The pool's id
        pool: String,
    },
    /// Say what clients may do that no administrator of a user pool made, such as MCP clients; or show what holds
    ThirdParties(ThirdPartiesOf),
    /// Take a user pool's former keys away: what they signed is no longer accepted
    RevokeFormerKeys {
        #[command(flatten)]
        settings: Settings,
        /// The pool's id
        pool: String,
    },
}

#[derive(Args)]
struct ThirdPartiesOf {
    #[command(flatten)]
    settings: Settings,
    /// The pool's id
    pool: String,
    /// Whether clients may register themselves (RFC 7591)
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"])]
    registration: Option<String>,
    /// Whose metadata documents are clients: `off`, `any`, or hosts, with commas between them
    #[arg(long, value_name = "off|any|HOST,…")]
    client_documents: Option<String>,
    /// A scope that they may ask for; repeat it for several. Without it: openid, email, profile
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
}

/// Changes the keys of a pool.
pub(crate) fn run(arguments: Pool) -> Result<(), Failure> {
    block_on(async {
        match arguments.verb {
            PoolVerb::RotateKey { settings, pool } => {
                let opened = open(&settings).await?;
                let pool = UserPoolId::from_text(pool);
                let keys = rotate_key(&opened.store, &*opened.clock, &*opened.random, &pool).await?;
                opened.in_force().await?;
                say(format!(
                    "{pool} signs with the key {}. What its {} signed is still accepted, until `portcullis pool revoke-former-keys {pool}`.",
                    keys.signing,
                    former(keys.former.len())
                ))
            }
            PoolVerb::ThirdParties(arguments) => third_parties(arguments).await,
            PoolVerb::RevokeFormerKeys { settings, pool } => {
                let opened = open(&settings).await?;
                let pool = UserPoolId::from_text(pool);
                let keys = revoke_former_keys(&opened.store, &*opened.clock, &*opened.random, &pool).await?;
                opened.in_force().await?;
                say(format!(
                    "{pool} signs with the key {}. What its {} signed is no longer accepted.",
                    keys.signing,
                    former(keys.former.len())
                ))
            }
        }
    })
}

async fn third_parties(arguments: ThirdPartiesOf) -> Result<(), Failure> {
    let documents = arguments.client_documents.as_deref().map(hosts).transpose()?;
    let change = ThirdPartyChange {
        registration: arguments.registration.map(|word| word == "on"),
        documents,
        scopes: (!arguments.scopes.is_empty()).then_some(arguments.scopes),
    };
    let opened = open(&arguments.settings).await?;
    let pool = UserPoolId::from_text(arguments.pool);
    let rules = change_third_parties(&opened.store, &*opened.clock, &*opened.random, &pool, change).await?;
    opened.in_force().await?;
    say(describe(&pool, &rules))
}

fn hosts(text: &str) -> Result<DocumentHosts, Failure> {
    match text {
        "off" => return Ok(DocumentHosts::None),
        "any" => return Ok(DocumentHosts::Any),
        _ => {}
    }
    let named: Vec<String> = text.split(',').map(|host| host.trim().to_ascii_lowercase()).collect();
    let is_host = |host: &String| {
        !matches!(host.as_str(), "" | "any" | "off")
            && host
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b':' | b'[' | b']'))
    };
    match named.iter().find(|host| !is_host(host)) {
        Some(wrong) => Err(Failure::usage(format!(
            "`{wrong}` is no host: --client-documents takes `off`, `any`, or hosts such as app.example.com, with commas between them"
        ))),
        None => Ok(DocumentHosts::Named(named)),
    }
}

fn describe(pool: &UserPoolId, rules: &ThirdParties) -> String {
    let registration =
        if rules.registration { "may register themselves" } else { "may not register themselves" };
    let documents = match &rules.documents {
        DocumentHosts::None => "metadata documents are not read".to_owned(),
        DocumentHosts::Any => "metadata documents of every public host are read".to_owned(),
        DocumentHosts::Named(hosts) => format!("metadata documents of {} are read", hosts.join(", ")),
    };
    let scopes = if rules.scopes.is_empty() { "nothing".to_owned() } else { rules.scopes.join(", ") };
    format!("{pool}: clients {registration}; {documents}; they may ask for {scopes}.")
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

impl From<ThirdPartyError> for Failure {
    fn from(error: ThirdPartyError) -> Self {
        match error {
            ThirdPartyError::UnknownPool(_) | ThirdPartyError::UnknownScope(_) => {
                Self::usage(error.to_string())
            }
            error @ ThirdPartyError::Store(_) => Self::new(error.to_string()),
        }
    }
}
