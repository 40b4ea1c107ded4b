//! What was found out about a token before a gateway, rule by rule, for people and for scripts.

use domain::{ClaimMatch, JwtAuthorizer, Timestamp};
use identity::advice::Hint;
use identity::issuer::{Finding, Inspection, Step, VerifyError};
use identity::token::{Claims, Rejection};
use serde_json::{Value, json};

use super::decoded::Decoded;
use crate::terminal::{Failure, say, table, visible};

/// One rule.
struct Line {
    rule: String,
    good: bool,
    found: String,
    expected: String,
}

/// What there is to say.
pub(super) struct Report {
    gateway: String,
    subject: Option<String>,
    status: u16,
    reason: Option<String>,
    lines: Vec<Line>,
    hints: Vec<Hint>,
    claims: Value,
    now: Timestamp,
}

impl Report {
    pub(super) fn new(
        gateway: &str,
        authorizer: &JwtAuthorizer,
        inspection: &Inspection,
        hints: Vec<Hint>,
        token: &str,
        now: Timestamp,
    ) -> Self {
        let refusal = inspection.refusal();
        let scene = Scene { authorizer, inspection, header: Decoded::of(token).ok(), now };
        Self {
            gateway: gateway.to_owned(),
            subject: inspection.claims.as_ref().and_then(|claims| claims.subject.clone()),
            status: refusal.map_or(200, status),
            reason: refusal.and_then(Finding::reason),
            lines: inspection.findings.iter().map(|finding| scene.line(finding)).collect(),
            hints,
            claims: inspection.claims.as_ref().map_or(Value::Null, |claims| claims.all.clone().into()),
            now,
        }
    }

    /// Why the gateway refuses the token; `None` when it accepts it.
    pub(super) fn refusal(&self) -> Option<String> {
        self.reason.as_ref().map(|reason| visible(reason))
    }

    pub(super) fn verdict_json(&self) -> Value {
        json!({
            "gateway": self.gateway,
            "accepted": self.reason.is_none(),
            "status": self.status,
            "reason": self.reason,
            "subject": self.subject,
        })
    }

    pub(super) fn json(&self) -> Value {
        let rules: Vec<_> = self
            .lines
            .iter()
            .map(|line| {
                json!({ "rule": line.rule, "holds": line.good, "found": line.found, "expected": line.expected })
            })
            .collect();
        let hints: Vec<_> =
            self.hints.iter().map(|hint| json!({ "code": hint.code, "text": hint.text })).collect();
        let mut report = self.verdict_json();
        if let Some(report) = report.as_object_mut() {
            report.insert("rules".to_owned(), rules.into());
            report.insert("hints".to_owned(), hints.into());
            report.insert("claims".to_owned(), self.claims.clone());
            report.insert("clock".to_owned(), self.now.to_string().into());
        }
        report
    }

    pub(super) fn show_verdict(&self) -> Result<(), Failure> {
        match (&self.reason, &self.subject) {
            (None, Some(subject)) => {
                say(format!("The gateway {} accepts it: its subject is {}.", self.gateway, visible(subject)))
            }
            (None, None) => say(format!("The gateway {} accepts it.", self.gateway)),
            (Some(_), _) => say(format!("The gateway {} answers it with {}.", self.gateway, self.status)),
        }
    }

    pub(super) fn show(&self) -> Result<(), Failure> {
        let mut shown = table(&["RULE", "VERDICT", "FOUND", "EXPECTED"]);
        for line in &self.lines {
            let verdict = if line.good { "holds" } else { "FAILS" };
            shown.add_row([
                visible(&line.rule),
                verdict.to_owned(),
                visible(&line.found),
                visible(&line.expected),
            ]);
        }
        say(shown)?;
        self.show_verdict()?;
        self.hints.iter().try_for_each(|hint| say(format!("hint ({}): {}", hint.code, visible(&hint.text))))
    }
}

/// With what the gateway answers (RFC 6750, section 3.1).
fn status(refusal: &Finding) -> u16 {
    match refusal {
        Finding::Step(_, Err(VerifyError::Issuer(_))) => 503,
        Finding::Rule(Rejection::Scope, _) => 403,
        _ => 401,
    }
}

/// What the lines are written from.
struct Scene<'a> {
    authorizer: &'a JwtAuthorizer,
    inspection: &'a Inspection,
    header: Option<Decoded>,
    now: Timestamp,
}

impl Scene<'_> {
    fn line(&self, finding: &Finding) -> Line {
        let (rule, found, expected) = match finding {
            Finding::Step(step, _) => self.step(*step, finding),
            Finding::Rule(rejection, _) => self.rule(rejection),
        };
        Line { rule, good: finding.is_good(), found, expected }
    }

    fn step(&self, step: Step, finding: &Finding) -> (String, String, String) {
        let reason = || finding.reason().unwrap_or_default();
        let or_reason = |text: String| if finding.is_good() { text } else { reason() };
        let (rule, found, expected) = match step {
            Step::Form => ("form", or_reason(self.key()), "a signed token; RS, PS, ES or EdDSA".to_owned()),
            Step::Keys => (
                "issuer's keys",
                or_reason(words(&self.inspection.key_ids)),
                self.authorizer.discovery_url.clone(),
            ),
            Step::Signature => (
                "signature",
                if finding.is_good() { self.key() } else { format!("{}: {}", self.key(), reason()) },
                format!("one of the keys {}", words(&self.inspection.key_ids)),
            ),
            Step::Payload => ("payload", or_reason("a JSON object".to_owned()), "a JSON object".to_owned()),
            Step::Claim(name) => return self.claim(name, &reason()),
            Step::Issuer => ("issuer", self.found("iss"), words(&self.inspection.issuers)),
        };
        (rule.to_owned(), found, expected)
    }

    /// A claim that every token must have right, before the clock.
    fn claim(&self, name: &str, reason: &str) -> (String, String, String) {
        let now = self.now;
        let expected = match name {
            "iss" => "a text".to_owned(),
            "sub" => "a text, if anything".to_owned(),
            "exp" => format!("after {now}, less 60 s"),
            _ => format!("not after {now} and 60 s, if anything"),
        };
        let found = match date(self.claims(), name) {
            Some(date) => format!("{} ({date})", self.found(name)),
            None => self.found(name),
        };
        let found = if reason.is_empty() { found } else { format!("{found}: {reason}") };
        (name.to_owned(), found, expected)
    }

    fn rule(&self, rule: &Rejection) -> (String, String, String) {
        let (name, claim, expected) = match rule {
            Rejection::IdToken => ("ID token", "token_use", "allowedAudience, where it is \"id\"".to_owned()),
            Rejection::Audience => ("allowedAudience", "aud", words(&self.authorizer.allowed_audience)),
            Rejection::Client => ("allowedClients", "client_id", words(&self.authorizer.allowed_clients)),
            Rejection::Scope => {
                let claim = match self.claims() {
                    Some(claims) if !claims.all.contains_key("scope") => "scp",
                    _ => "scope",
                };
                ("allowedScopes", claim, words(&self.authorizer.allowed_scopes))
            }
            Rejection::CustomClaim(name) => {
                let rules = self.authorizer.custom_claims.iter().filter(|rule| rule.name == *name);
                let expected: Vec<_> = rules.map(|rule| expectation(&rule.matches)).collect();
                return (format!("customClaims {name}"), self.found(name), expected.join(" and "));
            }
        };
        (name.to_owned(), format!("{claim} {}", self.found(claim)), expected)
    }

    fn claims(&self) -> Option<&Claims> {
        self.inspection.claims.as_ref()
    }

    fn found(&self, claim: &str) -> String {
        let value = self.claims().and_then(|claims| claims.all.get(claim));
        value.map_or_else(|| "nothing".to_owned(), ToString::to_string)
    }

    /// Algorithm and key as the header has them.
    fn key(&self) -> String {
        let member = |name: &str| {
            let value = self.header.as_ref().and_then(|decoded| decoded.header.get(name));
            value.map_or_else(|| "nothing".to_owned(), ToString::to_string)
        };
        format!("alg {}, kid {}", member("alg"), member("kid"))
    }
}

fn date(claims: Option<&Claims>, name: &str) -> Option<Timestamp> {
    let seconds = claims?.all.get(name)?.as_i64()?;
    (0..=253_402_300_799).contains(&seconds).then(|| Timestamp::from_seconds(seconds))
}

fn expectation(rule: &ClaimMatch) -> String {
    match rule {
        ClaimMatch::Equals(text) => format!("the text {}", Value::from(text.as_str())),
        ClaimMatch::Contains(text) => format!("a list with {}", Value::from(text.as_str())),
        ClaimMatch::ContainsAny(texts) => format!("a list with one of {}", words(texts)),
    }
}

/// Texts, as JSON writes them.
fn words(texts: &[String]) -> String {
    match texts {
        [] => "none".to_owned(),
        texts => {
            texts.iter().map(|text| Value::from(text.as_str()).to_string()).collect::<Vec<_>>().join(", ")
        }
    }
}
