//! A token as it stands, believed in nothing: its header and its claims, also where no gateway would read it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Timestamp;
use identity::token::MAX_TOKEN;
use serde_json::{Map, Value, json};

use crate::terminal::{Failure, say, visible};

/// The claims that are dates.
const DATES: [&str; 5] = ["exp", "nbf", "iat", "auth_time", "updated_at"];

/// A token taken apart.
pub(in crate::verbs) struct Decoded {
    pub(super) header: Map<String, Value>,
    pub(in crate::verbs) claims: Map<String, Value>,
    signature_bytes: usize,
}

impl Decoded {
    /// Takes a token apart, with all leave that is possible.
    pub(in crate::verbs) fn of(token: &str) -> Result<Self, Failure> {
        if token.len() > MAX_TOKEN {
            return Err(Failure::new("it is longer than 32 KiB, which no gateway reads"));
        }
        let parts: Vec<_> = token.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else {
            return Err(Failure::new(format!(
                "it is no signed token: it has {} parts, and not three. One of five is encrypted, one of one is opaque; \
                 `portcullis token why` says more",
                parts.len()
            )));
        };
        let part = |name: &str, part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok();
            bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
                Failure::new(format!("its {name} is no JSON object in base64url: it was cut or changed"))
            })
        };
        Ok(Self {
            header: part("header", header)?,
            claims: part("payload", payload)?,
            signature_bytes: signature.trim_end_matches('=').len() * 3 / 4,
        })
    }

    pub(super) fn json(&self) -> Value {
        let dates: Map<String, Value> = DATES
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), date(self.claims.get(name)?)?.to_string().into())))
            .collect();
        json!({
            "header": self.header,
            "claims": self.claims,
            "dates": dates,
            "signatureBytes": self.signature_bytes,
            "verified": false,
        })
    }

    pub(super) fn show(&self) -> Result<(), Failure> {
        say("HEADER")?;
        members(&self.header)?;
        say("CLAIMS")?;
        members(&self.claims)?;
        say(format!("SIGNATURE\n  {} bytes, not shown and not verified", self.signature_bytes))
    }
}

fn members(object: &Map<String, Value>) -> Result<(), Failure> {
    let widest = object.keys().map(|name| name.chars().count()).max().unwrap_or_default();
    for (name, value) in object {
        let read = match DATES.contains(&name.as_str()).then(|| date(value)).flatten() {
            Some(date) => format!("  ({date})"),
            None => String::new(),
        };
        say(format!("  {:<widest$}  {}{read}", visible(name), visible(&value.to_string())))?;
    }
    Ok(())
}

fn date(value: &Value) -> Option<Timestamp> {
    let seconds = value.as_i64().filter(|seconds| (0..=253_402_300_799).contains(seconds))?;
    Some(Timestamp::from_seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(header), encode(payload), encode("the signature"))
    }

    #[test]
    fn what_no_gateway_reads_is_shown_without_its_signature() {
        let token = token(r#"{"alg":"HS256"}"#, r#"{"sub":"ada","exp":1763717400}"#);
        let shown = Decoded::of(&token).ok().unwrap().json();
        assert_eq!(shown["header"]["alg"], "HS256");
        assert_eq!(shown["claims"]["sub"], "ada");
        assert_eq!(shown["dates"]["exp"], "2025-11-21T09:30:00.000Z");
        assert_eq!(shown["signatureBytes"], 13);
        assert!(!shown.to_string().contains(token.rsplit('.').next().unwrap()));
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_repeated() {
        for given in ["quoted", "a.b.c", "quoted.quoted", "a.b.c.d.e", &"x".repeat(MAX_TOKEN + 1)] {
            let failure = Decoded::of(given).err().unwrap().to_string();
            assert!(!failure.contains("quoted"), "{failure}");
        }
    }
}
