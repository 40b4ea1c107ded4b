//! Rate limits between AWS's shapes and the domain: what a limit must be to be counted in one way and no other.

use std::collections::HashSet;

use aws_shapes::bedrock_agentcore_control::{
    CreateGatewayRateLimitResponse, GatewayRateLimitDetail, GatewayRateLimitStatus, LimitEntry as WireEntry,
    Period as WirePeriod, RateConfig,
};
use domain::{LimitEntry, Period, Rate, RateLimit};

use crate::fault::{Failure, invalid};

/// The greatest rate (API type `RateConfig`).
const MOST: f64 = 10_000_000.0;
/// The value of a dimension that stands for any.
const ANY: &str = "*";

/// Checks what requests are told apart by.
///
/// # Errors
/// AWS's ValidationException.
pub(super) fn check_keys(keys: &[String]) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    for key in keys {
        if key == "qualifiedModelId" {
            return Err(invalid(
                "dimensionKeys",
                "The dimension qualifiedModelId is not supported by Portcullis: its gateways serve no models.",
            ));
        }
        // Names of headers are the same in every case.
        let same =
            if key.starts_with("$.context.request.header.") { key.to_ascii_lowercase() } else { key.clone() };
        if !seen.insert(same) {
            return Err(invalid("dimensionKeys", format!("The dimension {key} is named twice.")));
        }
    }
    Ok(())
}

/// Limits as the domain knows them.
///
/// # Errors
/// AWS's ValidationException about the first that cannot be counted.
pub(super) fn read_entries(keys: &[String], given: Vec<WireEntry>) -> Result<Vec<LimitEntry>, Failure> {
    let mut seen = HashSet::new();
    given
        .into_iter()
        .map(|entry| {
            let values = values(keys, &entry)?;
            if !seen.insert(values) {
                return Err(refused("Two entries limit the same values of the dimensions."));
            }
            if entry.requests.is_none() && entry.connections.is_none() {
                return Err(refused("An entry must limit requests or connections."));
            }
            Ok(LimitEntry {
                requests: read_rate(entry.requests)?,
                connections: read_rate(entry.connections)?,
                dimensions: entry.dimensions,
            })
        })
        .collect()
}

/// The values of an entry in the order of the keys. Once one is any, all that follow must be: a limit for any target
/// and one tool would not say whose count it is.
fn values(keys: &[String], entry: &WireEntry) -> Result<Vec<String>, Failure> {
    let exactly = entry.dimensions.len() == keys.len();
    let values: Option<Vec<_>> = keys.iter().map(|key| entry.dimensions.get(key).cloned()).collect();
    let values = values.filter(|_| exactly).ok_or_else(|| {
        refused(format!(
            "The dimensions of every entry must be exactly the dimensionKeys: {}.",
            keys.join(", ")
        ))
    })?;
    let mut trailing = values.iter().skip_while(|value| *value != ANY);
    if trailing.any(|value| value != ANY) {
        return Err(refused(
            "The wildcard * may stand for the last dimensionKeys only: every key after one with * must have * too.",
        ));
    }
    Ok(values)
}

fn read_rate(given: Option<Vec<RateConfig>>) -> Result<Option<Rate>, Failure> {
    let Some(RateConfig { rate, period }) = given.and_then(|rates| rates.into_iter().next()) else {
        return Ok(None);
    };
    if !(0.0..=MOST).contains(&rate) {
        return Err(refused("A rate must be between 0 and 10,000,000, inclusive."));
    }
    let period = match period {
        WirePeriod::Second => Period::Second,
        WirePeriod::Minute => Period::Minute,
    };
    Ok(Some(Rate { rate, period }))
}

fn refused(message: impl Into<String>) -> Failure {
    invalid("entries", message)
}

/// A rate limit as GetGatewayRateLimit shows it.
pub(super) fn describe(limit: &RateLimit) -> CreateGatewayRateLimitResponse {
    CreateGatewayRateLimitResponse {
        rate_limit_id: limit.id.clone(),
        gateway_identifier: limit.gateway.to_string(),
        description: limit.description.clone(),
        dimension_keys: limit.dimension_keys.clone(),
        entries: limit.entries.iter().map(wire_entry).collect(),
        status: GatewayRateLimitStatus::Active,
        created_at: limit.created_at,
        updated_at: limit.updated_at,
    }
}

/// A rate limit as lists and batches show it.
pub(super) fn detail(limit: &RateLimit) -> GatewayRateLimitDetail {
    describe(limit)
}

fn wire_entry(entry: &LimitEntry) -> WireEntry {
    WireEntry {
        dimensions: entry.dimensions.clone(),
        requests: entry.requests.map(wire_rate),
        connections: entry.connections.map(wire_rate),
    }
}

fn wire_rate(rate: Rate) -> Vec<RateConfig> {
    let period = match rate.period {
        Period::Second => WirePeriod::Second,
        Period::Minute => WirePeriod::Minute,
    };
    vec![RateConfig { rate: rate.rate, period }]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn entry(values: &[(&str, &str)]) -> WireEntry {
        let dimensions: BTreeMap<_, _> =
            values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let requests = Some(vec![RateConfig { rate: 1.0, period: WirePeriod::Second }]);
        WireEntry { dimensions, requests, connections: None }
    }

    fn problem(keys: &[&str], entries: Vec<WireEntry>) -> String {
        let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        match check_keys(&keys).and_then(|()| read_entries(&keys, entries)) {
            Ok(_) => String::new(),
            Err(Failure::Fault(fault)) => fault.message,
            Err(Failure::Internal(cause)) => panic!("{cause}"),
        }
    }

    #[test]
    fn wildcards_come_last_in_the_order_of_the_keys() {
        let keys = ["targetName", "toolName"];
        assert_eq!(problem(&keys, vec![entry(&[("targetName", "t"), ("toolName", "*")])]), "");
        assert_eq!(problem(&keys, vec![entry(&[("targetName", "*"), ("toolName", "*")])]), "");
        let refused = problem(&keys, vec![entry(&[("targetName", "*"), ("toolName", "x")])]);
        assert!(refused.contains("wildcard"), "{refused}");
        // The keys' own order counts, not the alphabet.
        let turned = ["toolName", "targetName"];
        assert_eq!(problem(&turned, vec![entry(&[("targetName", "*"), ("toolName", "x")])]), "");
    }

    #[test]
    fn entries_have_the_keys_and_no_others_and_differ() {
        let keys = ["toolName"];
        for wrong in
            [vec![entry(&[("targetName", "t")])], vec![entry(&[("toolName", "x"), ("targetName", "t")])]]
        {
            assert!(problem(&keys, wrong).contains("exactly the dimensionKeys"));
        }
        let twice = vec![entry(&[("toolName", "x")]), entry(&[("toolName", "x")])];
        assert!(problem(&keys, twice).contains("same values"));
        assert!(problem(&["toolName", "toolName"], vec![]).contains("twice"));
        let header = ["$.context.request.header.X-A", "$.context.request.header.x-a"];
        assert!(problem(&header, vec![]).contains("twice"));
        assert!(problem(&["qualifiedModelId"], vec![]).contains("serve no models"));
    }

    #[test]
    fn a_rate_is_in_its_bounds() {
        for (rate, sound) in [(0.0, true), (MOST, true), (-0.5, false), (MOST + 1.0, false)] {
            let requests = Some(vec![RateConfig { rate, period: WirePeriod::Minute }]);
            let entry = WireEntry { requests, ..entry(&[("toolName", "x")]) };
            assert_eq!(problem(&["toolName"], vec![entry]).is_empty(), sound, "{rate}");
        }
    }
}
