//! `portcullis token`: what a token says, and why a gateway accepts it or does not.
//!
//! The verdict is the gateway's own: the verbs ask the code that the gateway asks, with the rules that the database has and
//! the documents that the issuer serves now. A signature is never printed, and neither is a token.

pub(super) mod decoded;
mod report;

use std::io::Read as _;
use std::sync::Arc;

use domain::Authorizer;
use identity::advice::{Case, advise};
use identity::issuer::Issuers;
use identity::token::MAX_TOKEN;

use super::open::{block_on, open};
use super::target::find_gateway;
use crate::command_line::{Token as Arguments, TokenAtGateway, TokenVerb};
use crate::terminal::{Failure, say};
use decoded::Decoded;
use report::Report;

/// Shows a token, or judges it.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        TokenVerb::Decode { token, json } => {
            let decoded = Decoded::of(&read(&token)?)?;
            if json { say(decoded.json()) } else { decoded.show() }
        }
        TokenVerb::Verify(asked) => judge(&asked, Depth::Verdict),
        TokenVerb::Why(asked) => judge(&asked, Depth::Everything),
    }
}

/// How much is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Verdict,
    Everything,
}

fn judge(asked: &TokenAtGateway, depth: Depth) -> Result<(), Failure> {
    let token = read(&asked.token)?;
    let report = block_on(async {
        let opened = open(&asked.settings).await?;
        let gateway = find_gateway(&mut opened.store.read().await?, &asked.gateway).await?;
        let Authorizer::CustomJwt(authorizer) = &gateway.authorizer else {
            return Err(Failure::usage(format!(
                "the gateway {} has the authorizer {}, which looks at no tokens: only CUSTOM_JWT does",
                gateway.id,
                gateway.authorizer.type_name()
            )));
        };
        let (client, names) = (opened.client()?, Arc::new(opened.names()));
        let issuers = Issuers::new(opened.store.clone(), client, Arc::clone(&opened.clock), names);
        let inspection = issuers.inspect(authorizer, &token).await;
        let now = opened.clock.now();
        let hints = advise(&Case { given: &token, inspection: &inspection, authorizer, now });
        Ok(Report::new(&gateway.id.to_string(), authorizer, &inspection, hints, &token, now))
    })?;
    match (asked.json, depth) {
        (true, Depth::Verdict) => say(report.verdict_json())?,
        (true, Depth::Everything) => say(report.json())?,
        (false, Depth::Verdict) => report.show_verdict()?,
        (false, Depth::Everything) => report.show()?,
    }
    match report.refusal() {
        None => Ok(()),
        Some(reason) => Err(Failure::new(format!("the gateway {} refuses it: {reason}", asked.gateway))),
    }
}

/// The token itself. What is pasted with its scheme or a line break at its end is meant well.
pub(super) fn read(given: &str) -> Result<String, Failure> {
    let text = match given {
        "-" => from_standard_input()?,
        given => given.to_owned(),
    };
    let text = text.trim();
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => text,
    };
    if token.is_empty() {
        return Err(Failure::usage("there is no token: give it, or write - and send it to standard input"));
    }
    Ok(token.to_owned())
}

/// Enough to see that it is too long, and no more.
fn from_standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    let most = u64::try_from(MAX_TOKEN * 2).unwrap_or(u64::MAX);
    std::io::stdin()
        .take(most)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
    Ok(text)
}
