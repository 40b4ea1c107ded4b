//! Limits under a clock that is told the time: who is counted with whom, when another try is worth it, what is kept.

use std::collections::BTreeMap;

use domain::{AccountId, GatewayId, Period, Rate, Region, Scope};
use http::HeaderMap;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

fn after(millis: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(millis))
}

fn per(rate: f64, period: Period) -> Option<Rate> {
    Some(Rate { rate, period })
}

fn entry(values: &[(&str, &str)], requests: Option<Rate>, connections: Option<Rate>) -> LimitEntry {
    let dimensions = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    LimitEntry { dimensions, requests, connections }
}

fn limit(id: &str, keys: &[&str], entries: Vec<LimitEntry>) -> RateLimit {
    RateLimit {
        id: id.to_owned(),
        gateway: GatewayId::from_text("g-1"),
        scope: Scope {
            account: AccountId::parse("123456789012").unwrap(),
            region: Region::parse("us-west-2").unwrap(),
        },
        description: None,
        dimension_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        entries,
        created_at: NOW,
        updated_at: NOW,
        revision: 1,
    }
}

/// A caller with these claims who calls this tool.
struct Request {
    tool: Option<[&'static str; 2]>,
    claims: BTreeMap<String, String>,
    headers: HeaderMap,
    body: serde_json::Value,
}

fn calling(tool: &'static str, own: &'static str) -> Request {
    Request {
        tool: Some([tool, own]),
        claims: BTreeMap::new(),
        headers: HeaderMap::new(),
        body: json!({"params": {"name": tool}}),
    }
}

impl Request {
    fn by(mut self, subject: &str) -> Self {
        self.claims.insert("sub".to_owned(), subject.to_owned());
        self
    }

    fn at(&self, limits: &Limits, now: Timestamp) -> Result<Vec<Open>, Throttled> {
        let facts = Facts {
            target: self.tool.and_then(|[name, _]| name.split_once("___")).map(|(target, _)| target),
            tool: self.tool,
            principal: None,
            claims: &self.claims,
            headers: &self.headers,
            body: Some(self.body.clone()),
        };
        limits.count(&facts, now).map_err(|refused| match refused {
            Refused::Throttled(throttled) => throttled,
            Refused::Short(..) => panic!("this replica is alone"),
        })
    }
}

fn one(limit: RateLimit) -> Limits {
    Limits::of(vec![limit], None, &Leases::default())
}

#[test]
fn a_rate_is_kept_and_recovers() {
    let limits =
        one(limit("l", &["toolName"], vec![entry(&[("toolName", "*")], per(2.0, Period::Second), None)]));
    let call = calling("T___a", "a");
    assert!(call.at(&limits, NOW).is_ok());
    assert!(call.at(&limits, NOW).is_ok());
    let throttled = call.at(&limits, NOW).err().unwrap();
    assert_eq!(throttled, Throttled { limit: "l".to_owned(), after: Some(Duration::from_millis(500)) });
    assert!(call.at(&limits, after(499)).is_err());
    assert!(call.at(&limits, after(500)).is_ok());
    assert!(call.at(&limits, after(500)).is_err());
    // Each value for itself.
    assert!(calling("T___b", "b").at(&limits, NOW).is_ok());
    // A clock that is set back does not lock anybody out for longer.
    let earlier = Timestamp::from_seconds(1);
    assert!(call.at(&limits, earlier).is_err());
    assert!(call.at(&limits, earlier.plus(Duration::from_secs(1))).is_ok());
}

#[test]
fn rates_under_one_and_great_ones_are_kept() {
    let limits =
        one(limit("l", &["toolName"], vec![entry(&[("toolName", "*")], per(0.5, Period::Second), None)]));
    let call = calling("T___a", "a");
    assert!(call.at(&limits, NOW).is_ok());
    assert!(call.at(&limits, after(1_999)).is_err());
    assert!(call.at(&limits, after(2_000)).is_ok());
    let limits =
        one(limit("l", &["toolName"], vec![entry(&[("toolName", "*")], per(1000.0, Period::Minute), None)]));
    assert_eq!((0..1100).filter(|_| call.at(&limits, NOW).is_ok()).count(), 1000);
}

#[test]
fn exact_rows_win_and_nothing_blocks() {
    let keys = ["$.context.jwt.sub", "toolName"];
    let row = |sub: &str, tool: &str, rate: f64| {
        entry(&[(keys[0], sub), (keys[1], tool)], per(rate, Period::Minute), None)
    };
    let limits = one(limit("l", &keys, vec![row("*", "*", 1.0), row("ada", "*", 2.0), row("ada", "a", 0.0)]));
    let blocked = calling("T___a", "a").by("ada").at(&limits, NOW).err().unwrap();
    assert_eq!(blocked.after, None, "a rate of nothing never lets anything through");
    let other = calling("T___b", "b").by("ada");
    assert!(
        other.at(&limits, NOW).is_ok() && other.at(&limits, NOW).is_ok() && other.at(&limits, NOW).is_err()
    );
    let bob = calling("T___a", "a").by("bob");
    assert!(bob.at(&limits, NOW).is_ok() && bob.at(&limits, NOW).is_err());
}

#[test]
fn nobody_escapes_by_saying_nothing() {
    let keys = ["$.context.request.header.x-tenant"];
    let limits = one(limit("l", &keys, vec![entry(&[(keys[0], "*")], per(1.0, Period::Minute), None)]));
    let mut call = calling("T___a", "a");
    assert!(call.at(&limits, NOW).is_ok() && call.at(&limits, NOW).is_err());
    call.headers.insert("x-tenant", "t".parse().unwrap());
    assert!(call.at(&limits, NOW).is_ok());
    // But what has no tool is not a call of one.
    let limits =
        one(limit("l", &["toolName"], vec![entry(&[("toolName", "*")], per(0.0, Period::Minute), None)]));
    call.tool = None;
    assert!(call.at(&limits, NOW).is_ok());
}

#[test]
fn limits_bind_together_and_a_refused_request_costs_nothing() {
    let any = |key: &str, rate: f64| entry(&[(key, "*")], per(rate, Period::Minute), None);
    let limits = Limits::of(
        vec![
            limit("wide", &["targetName"], vec![any("targetName", 3.0)]),
            limit("narrow", &["toolName"], vec![any("toolName", 1.0)]),
        ],
        None,
        &Leases::default(),
    );
    let a = calling("T___a", "a");
    assert!(a.at(&limits, NOW).is_ok());
    for _ in 0..10 {
        assert_eq!(a.at(&limits, NOW).err().unwrap().limit, "narrow");
    }
    assert!(calling("T___b", "b").at(&limits, NOW).is_ok());
    assert!(calling("T___c", "c").at(&limits, NOW).is_ok());
    assert_eq!(calling("T___d", "d").at(&limits, NOW).err().unwrap().limit, "wide");
}

#[test]
fn what_is_open_is_counted_until_it_ends() {
    let limits =
        one(limit("l", &["toolName"], vec![entry(&[("toolName", "*")], None, per(2.0, Period::Second))]));
    let call = calling("T___a", "a");
    let first = call.at(&limits, NOW).unwrap();
    let _second = call.at(&limits, NOW).unwrap();
    assert!(call.at(&limits, after(60_000)).is_err());
    drop(first);
    assert!(call.at(&limits, NOW).is_ok());
}

#[test]
fn counts_outlive_a_new_reading_of_the_same_limit() {
    let row = |rate| vec![entry(&[("toolName", "*")], per(rate, Period::Minute), None)];
    let limits = one(limit("l", &["toolName"], row(1.0)));
    let call = calling("T___a", "a");
    assert!(call.at(&limits, NOW).is_ok());
    let again = Limits::of(vec![limit("l", &["toolName"], row(1.0))], Some(&limits), &Leases::default());
    assert!(call.at(&again, NOW).is_err());
    let changed = Limits::of(vec![limit("l", &["toolName"], row(2.0))], Some(&limits), &Leases::default());
    assert!(call.at(&changed, NOW).is_ok());
}

#[test]
fn values_are_found_by_paths_and_names() {
    let keys = ["$.context.request.body.params.name"];
    let limits = one(limit("l", &keys, vec![entry(&[(keys[0], "T___a")], per(0.0, Period::Second), None)]));
    assert!(calling("T___a", "a").at(&limits, NOW).is_err());
    assert!(calling("T___b", "b").at(&limits, NOW).is_ok());
    let claims = json!({"a.b": "whole", "a": {"b": "path", "c": {"d": 7}}, "groups": ["x"]});
    let claims = claims.as_object().unwrap();
    assert_eq!(claim(claims, "a.b").as_deref(), Some("whole"));
    assert_eq!(claim(claims, "a.c.d").as_deref(), Some("7"));
    assert_eq!(claim(claims, "groups").as_deref(), Some("[\"x\"]"));
    assert_eq!(claim(claims, "a.d"), None);
}

#[test]
fn what_is_remembered_is_bounded_and_forgotten_when_paid() {
    let keys = ["$.context.jwt.sub"];
    let limits = one(limit("l", &keys, vec![entry(&[(keys[0], "*")], per(1.0, Period::Minute), None)]));
    let mut call = calling("T___a", "a");
    for number in 0..65_536 {
        call = call.by(&number.to_string());
        assert!(call.at(&limits, NOW).is_ok());
    }
    let late = calling("T___a", "a").by("late");
    assert!(late.at(&limits, NOW).is_err(), "there is no room");
    assert!(late.at(&limits, after(60_000)).is_ok(), "what was paid for is forgotten");
}
