//! Who calls, for verbs that ask about one caller: by a token, by claims, or by the role that signs.

use std::path::PathBuf;

use clap::Args;
use domain::Arn;
use policy::Principal;
use serde_json::{Map, Value};

use crate::terminal::Failure;
use crate::verbs::input;
use crate::verbs::token;
use crate::verbs::token::decoded::Decoded;

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Caller {
    /// The caller's token, believed in everything; - reads it from standard input, where no list of processes shows it
    #[arg(long, value_name = "JWT")]
    token: Option<String>,
    /// A file with the claims of a token: JSON or YAML
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
    /// The ARN of the role or user that signs
    #[arg(long, value_name = "ARN")]
    role: Option<String>,
}

impl Caller {
    /// The caller as policies see it. A token is not verified: `portcullis token why` does that.
    pub(super) fn principal(&self) -> Result<Principal, Failure> {
        match (&self.token, &self.claims, &self.role) {
            (Some(token), ..) => of_claims(&Decoded::of(&token::read(token)?)?.claims),
            (_, Some(file), _) => {
                let name = file.display().to_string();
                of_claims(&object(&name, document(&name, &input::read(file)?)?)?)
            }
            (_, _, Some(arn)) => of_role(arn),
            _ => Err(Failure::usage("say who calls: with --token, --claims or --role")),
        }
    }
}

/// A caller with a token that has these claims.
pub(super) fn of_claims(claims: &Map<String, Value>) -> Result<Principal, Failure> {
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    Principal::oauth(subject, claims).map_err(|error| Failure::new(error.to_string()))
}

/// A caller who signs. A role is known to policies by the sessions that it opens.
pub(super) fn of_role(text: &str) -> Result<Principal, Failure> {
    let parsed = |text: &str| {
        Arn::parse(text).map_err(|_| Failure::usage(format!("`{text}` is no ARN of a role or a user")))
    };
    let arn = parsed(text)?;
    let name = arn.resource().strip_prefix("role/").map(|path| path.rsplit('/').next().unwrap_or(path));
    let session = match (arn.service(), arn.account(), name) {
        ("iam", account, Some(name)) => parsed(&format!("arn:aws:sts::{account}:assumed-role/{name}"))?,
        _ => arn,
    };
    Principal::iam(&session).map_err(|error| Failure::new(error.to_string()))
}

/// The caller, as Cedar writes it.
pub(super) fn described(principal: &Principal) -> String {
    format!("{}::{}", principal.kind().entity_type(), Value::from(principal.id()))
}

/// JSON or YAML.
pub(super) fn document(name: &str, text: &str) -> Result<Value, Failure> {
    openapi::read_document(text, input::MAX_FILE).map_err(|error| Failure::usage(format!("{name}: {error}")))
}

/// An object with members.
pub(super) fn object(name: &str, value: Value) -> Result<Map<String, Value>, Failure> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(Failure::usage(format!("{name}: claims are an object, such as {{\"sub\": \"ann\"}}"))),
    }
}
