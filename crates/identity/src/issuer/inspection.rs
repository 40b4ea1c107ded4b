//! What is seen while a token is judged.
//!
//! A token is judged in one way and by one piece of code. What differs is the witness: the gateway's is strict and ends
//! the judgement at the first step that fails; that of a person who debugs notes every step, and what follows a failure is
//! looked at all the same.

use std::sync::Arc;

use domain::JwtAuthorizer;

use super::{Keys, VerifyError};
use crate::token::{self, Claims, Rejection, TokenError};

/// A step of the judgement. They are taken in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Whether it is a compact JWS whose header is accepted.
    Form,
    /// Whether the keys of the issuer behind the discovery URL can be had.
    Keys,
    /// Whether one of them signed it.
    Signature,
    /// Whether its payload is a JSON object.
    Payload,
    /// Whether a claim that every token must have is right.
    Claim(&'static str),
    /// Whether `iss` is the issuer behind the discovery URL.
    Issuer,
}

/// Sees what comes of each step.
pub(super) trait Witness {
    /// Takes the outcome of a step. `None` is a failure after which to go on as far as that is possible.
    fn saw<T, E: Into<VerifyError>>(
        &mut self,
        step: Step,
        outcome: Result<T, E>,
    ) -> Result<Option<T>, VerifyError>;
}

/// Ends the judgement at the first failure.
pub(super) struct Strict;

impl Witness for Strict {
    fn saw<T, E: Into<VerifyError>>(
        &mut self,
        _: Step,
        outcome: Result<T, E>,
    ) -> Result<Option<T>, VerifyError> {
        outcome.map(Some).map_err(Into::into)
    }
}

/// Notes everything.
#[derive(Default)]
pub(super) struct Notes(Vec<(Step, Result<(), VerifyError>)>);

impl Witness for Notes {
    fn saw<T, E: Into<VerifyError>>(
        &mut self,
        step: Step,
        outcome: Result<T, E>,
    ) -> Result<Option<T>, VerifyError> {
        match outcome {
            Ok(value) => {
                self.0.push((step, Ok(())));
                Ok(Some(value))
            }
            Err(error) => {
                self.0.push((step, Err(error.into())));
                Ok(None)
            }
        }
    }
}

/// What a judgement leads to.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) claims: Option<Claims>,
    pub(super) keys: Option<Arc<Keys>>,
}

/// Everything that is to be said about a token before an authorizer.
pub struct Inspection {
    /// Every step and rule, in the order in which the gateway takes them. The first that failed is the gateway's reason.
    pub findings: Vec<Finding>,
    /// What it claims; nothing of it is proven unless the findings say so.
    pub claims: Option<Claims>,
    /// The issuers that the gateway expects, when they are known.
    pub issuers: Vec<String>,
    /// The ids of the issuer's keys.
    pub key_ids: Vec<String>,
    /// Where the issuer gives tokens, as far as it says.
    pub token_endpoint: Option<String>,
}

/// What was looked at, and what came of it.
#[derive(Clone, Debug)]
pub enum Finding {
    /// A step of the verification.
    Step(Step, Result<(), VerifyError>),
    /// A rule of the authorizer.
    Rule(Rejection, Outcome),
}

/// Whether a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does.
    Holds,
    /// It does not.
    Fails,
}

impl Finding {
    /// Whether the token was found to be good here.
    #[must_use]
    pub fn is_good(&self) -> bool {
        match self {
            Self::Step(_, outcome) => outcome.is_ok(),
            Self::Rule(_, outcome) => *outcome == Outcome::Holds,
        }
    }

    /// Why it was not.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Step(_, Err(error)) => Some(error.to_string()),
            Self::Rule(rejection, Outcome::Fails) => Some(rejection.to_string()),
            _ => None,
        }
    }
}

impl Inspection {
    pub(super) fn new(notes: Notes, judged: Judged, authorizer: &JwtAuthorizer) -> Self {
        let mut findings: Vec<_> =
            notes.0.into_iter().map(|(step, outcome)| Finding::Step(step, outcome)).collect();
        if let Some(claims) = &judged.claims {
            findings.extend(token::rules(claims, authorizer).map(|(rule, holds)| {
                Finding::Rule(rule.rejection(), if holds { Outcome::Holds } else { Outcome::Fails })
            }));
        }
        let keys = judged.keys.as_deref();
        Self {
            findings,
            claims: judged.claims,
            issuers: keys.map(|keys| keys.issuers.clone()).unwrap_or_default(),
            key_ids: keys.into_iter().flat_map(|keys| keys.set.ids()).map(str::to_owned).collect(),
            token_endpoint: keys.and_then(|keys| keys.token_endpoint.clone()),
        }
    }

    /// What the gateway refuses the token for: the first finding that is not good. `None` when it accepts it.
    #[must_use]
    pub fn refusal(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| !finding.is_good())
    }

    /// Why a step failed, if it did.
    #[must_use]
    pub fn failure(&self, wanted: Step) -> Option<&VerifyError> {
        self.findings.iter().find_map(|finding| match finding {
            Finding::Step(step, Err(error)) if *step == wanted => Some(error),
            _ => None,
        })
    }

    /// Why a step failed, when it is the token's fault.
    #[must_use]
    pub fn fault(&self, wanted: Step) -> Option<&TokenError> {
        match self.failure(wanted) {
            Some(VerifyError::Token(error)) => Some(error),
            _ => None,
        }
    }
}
