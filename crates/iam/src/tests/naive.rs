//! A second evaluator, written from the documents and from nothing of the first: it reads the JSON anew for every
//! question, puts variables in place by text, and says each rule as plainly as can be. What the two disagree about is a
//! mistake in one of them.

use std::collections::HashMap;
use std::net::IpAddr;

use domain::Principal;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::cases::Rule;
use super::*;

/// A question with its policies as they are written.
pub(super) struct Naive {
    identity: Vec<Value>,
    boundary: Option<Vec<Value>>,
    session: Option<Vec<Value>>,
    resource: Vec<Value>,
    is_trust: bool,
    who: Who,
    action: String,
    on: String,
    keys: HashMap<String, Value>,
}

impl Naive {
    pub(super) fn of(rule: &Rule, asked: &Ask, given: &Map<String, Value>) -> Self {
        Self {
            identity: rule.identity.clone(),
            boundary: rule.boundary.clone(),
            session: rule.session.clone(),
            resource: rule.trust.clone().or_else(|| rule.resource.clone()).unwrap_or_default(),
            is_trust: rule.trust.is_some(),
            who: asked.who.clone(),
            action: asked.action.clone(),
            on: asked.resource.clone(),
            keys: keys_of(&asked.who, given),
        }
    }

    pub(super) fn decide(&self) -> Effect {
        let nothing = Vec::new();
        let is_root = matches!(&self.who, Who::Caller(caller) if caller.principal == Principal::Root);
        let is_named = matches!(self.who, Who::Caller(_)) && !is_root;
        // Policies of their own count for users and sessions alone.
        let (own, boundary, session) = if is_named {
            (&self.identity, self.boundary.as_ref(), self.session.as_ref())
        } else {
            (&nothing, None, None)
        };
        let everything =
            own.iter().chain(boundary.into_iter().flatten()).chain(session.into_iter().flatten());
        if everything.into_iter().any(|statement| self.says(statement, "Deny"))
            || self.resource.iter().any(|it| self.says(it, "Deny") && self.names(it, "Deny") > 0)
        {
            return Effect::ExplicitDeny;
        }
        let any = |statements: &Vec<Value>| statements.iter().any(|statement| self.says(statement, "Allow"));
        let allowing = self.resource.iter().filter(|statement| self.says(statement, "Allow"));
        let consent = allowing.map(|statement| self.names(statement, "Allow")).max().unwrap_or(0);
        let within = boundary.is_none_or(any) && session.is_none_or(any);
        let by_own = any(own) && within;
        let is_home = self.on.split(':').nth(4).is_none_or(|account| account.is_empty() || account == HOME);
        let allowed = match (&self.who, is_home) {
            (Who::Service(_) | Who::Federated(_) | Who::Nobody, _) => consent > 0,
            (Who::Caller(_), true) if is_root => !self.is_trust || consent > 0,
            (Who::Caller(_), false) if is_root => consent > 0,
            (Who::Caller(_), true) => {
                consent == 3 || (consent == 2 && within) || (by_own && (!self.is_trust || consent > 0))
            }
            (Who::Caller(_), false) => consent > 0 && by_own,
        };
        if allowed { Effect::Allow } else { Effect::ImplicitDeny }
    }

    /// Whether a statement has this effect and speaks about the question, whoever asks.
    fn says(&self, statement: &Value, effect: &str) -> bool {
        let has = |name: &str| statement.get(name).is_some();
        let action = |list: &Value| texts(list).iter().any(|it| self.is_action(it));
        let resource = |list: &Value| texts(list).iter().any(|it| self.is_resource(it));
        statement["Effect"] == effect
            && (if has("Action") { action(&statement["Action"]) } else { !action(&statement["NotAction"]) })
            && (if has("Resource") {
                resource(&statement["Resource"])
            } else {
                !has("NotResource") || !resource(&statement["NotResource"])
            })
            && statement.get("Condition").and_then(Value::as_object).into_iter().flatten().all(
                |(operator, keys)| {
                    keys.as_object()
                        .unwrap()
                        .iter()
                        .all(|(key, wanted)| self.holds(operator, key, &texts(wanted)))
                },
            )
    }

    fn is_action(&self, pattern: &str) -> bool {
        let (pattern, action) = (pattern.to_lowercase(), self.action.to_lowercase());
        pattern == "*" || glob(&pattern, &action)
    }

    fn is_resource(&self, pattern: &str) -> bool {
        if pattern == "*" {
            return true;
        }
        let Some(pattern) = self.filled(pattern, true) else { return false };
        let (pattern, on): (Vec<_>, Vec<_>) =
            (pattern.splitn(6, ':').collect(), self.on.splitn(6, ':').collect());
        pattern.len() == on.len() && pattern.iter().zip(on).all(|(pattern, part)| glob(pattern, part))
    }

    /// A text with its variables put in place; nothing if one has no value. Wildcards in values are marked as plain.
    fn filled(&self, text: &str, wild: bool) -> Option<String> {
        let mut done = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (inside, left) = after.split_once('}')?;
            done.push_str(before);
            let value = match inside {
                "*" | "?" | "$" => inside.to_owned(),
                _ => {
                    let (key, default) =
                        inside.split_once(',').map_or((inside, None), |(k, d)| (k, Some(d.trim())));
                    match (self.keys.get(&key.trim().to_lowercase()), default) {
                        (Some(Value::String(value)), _) => value.clone(),
                        (_, Some(default)) => default.trim_matches('\'').to_owned(),
                        _ => return None,
                    }
                }
            };
            done.push_str(&if wild { value.replace('*', "\u{1}").replace('?', "\u{2}") } else { value });
            rest = left;
        }
        done.push_str(rest);
        Some(done)
    }

    fn holds(&self, operator: &str, key: &str, wanted: &[String]) -> bool {
        let found = self.keys.get(&key.to_lowercase());
        let (set, operator) = match operator.split_once(':') {
            Some((set, operator)) => (set, operator),
            None => ("", operator),
        };
        let (if_exists, operator) = match operator.strip_suffix("IfExists") {
            Some(operator) => (true, operator),
            None => (false, operator),
        };
        if operator == "Null" {
            let is_null = found.is_none_or(|value| texts(value).iter().all(String::is_empty));
            return wanted.iter().any(|wanted| *wanted == is_null.to_string());
        }
        let is_negated = operator.contains("Not");
        let one = |value: &String| self.compares(operator, value, wanted);
        match (set, found) {
            ("ForAllValues", None) => true,
            ("ForAllValues", Some(values)) => {
                texts(values).iter().all(String::is_empty) || texts(values).iter().all(one)
            }
            ("ForAnyValue", None) => false,
            ("ForAnyValue", Some(values)) => {
                texts(values).iter().any(|value| !value.is_empty()) && texts(values).iter().any(one)
            }
            (_, None) => if_exists || is_negated,
            (_, Some(Value::Array(_))) => false,
            (_, Some(value)) => one(&texts(value)[0]),
        }
    }

    fn compares(&self, operator: &str, value: &String, wanted: &[String]) -> bool {
        let filled = |wild| wanted.iter().filter_map(move |wanted| self.filled(wanted, wild));
        let number = |text: &str| text.parse::<f64>().ok();
        let date = |text: &str| crate::condition::is_date(text).then(|| moment(text));
        let ordered = |left: Option<f64>, rights: Vec<Option<f64>>| {
            let Some(left) = left else { return false };
            let compare = |right: f64| match operator.trim_start_matches("Numeric").trim_start_matches("Date")
            {
                "Equals" | "NotEquals" => left == right,
                "LessThan" => left < right,
                "LessThanEquals" => left <= right,
                "GreaterThan" => left > right,
                "GreaterThanEquals" => left >= right,
                other => panic!("{other}"),
            };
            let matched = rights.iter().flatten().any(|right| compare(*right));
            if operator.contains("Not") { !matched && rights.iter().all(Option::is_some) } else { matched }
        };
        match operator {
            "StringEquals" => filled(false).any(|it| it == *value),
            "StringNotEquals" => !filled(false).any(|it| it == *value),
            "StringEqualsIgnoreCase" => filled(false).any(|it| it.to_lowercase() == value.to_lowercase()),
            "StringNotEqualsIgnoreCase" => !filled(false).any(|it| it.to_lowercase() == value.to_lowercase()),
            "StringLike" => filled(true).any(|it| glob(&it, value)),
            "StringNotLike" => !filled(true).any(|it| glob(&it, value)),
            "Bool" => filled(false).any(|it| {
                ["true", "false"].contains(&value.to_lowercase().as_str())
                    && it.to_lowercase() == value.to_lowercase()
            }),
            "BinaryEquals" => wanted.iter().any(|it| it.trim_end_matches('=') == value.trim_end_matches('=')),
            "IpAddress" => value.parse().is_ok_and(|address| wanted.iter().any(|it| in_range(it, address))),
            "NotIpAddress" => {
                value.parse().is_ok_and(|address| !wanted.iter().any(|it| in_range(it, address)))
            }
            "ArnEquals" | "ArnLike" | "ArnNotEquals" | "ArnNotLike" => {
                let parts: Vec<_> = value.splitn(6, ':').collect();
                let matched = filled(true).any(|it| {
                    let pattern: Vec<_> = it.splitn(6, ':').collect();
                    it == "*"
                        || (pattern.len() == 6
                            && pattern.iter().zip(&parts).all(|(one, part)| glob(one, part)))
                });
                parts.len() == 6 && matched != operator.contains("Not")
            }
            _ if operator.starts_with("Numeric") => {
                ordered(number(value), wanted.iter().map(|it| number(it)).collect())
            }
            _ if operator.starts_with("Date") => {
                ordered(date(value), wanted.iter().map(|it| date(it)).collect())
            }
            other => panic!("{other} is not known"),
        }
    }

    /// How a statement of the resource's names the one who asks: 0 not at all, 1 by the account, 2 by the role, 3 itself
    /// or everybody.
    fn names(&self, statement: &Value, effect: &str) -> u8 {
        let rank = |element: &Value| match element {
            Value::String(_) => 3,
            Value::Object(kinds) => {
                let named =
                    kinds.iter().flat_map(|(kind, list)| texts(list).into_iter().map(move |it| (kind, it)));
                named.map(|(kind, name)| self.rank(kind, &name)).max().unwrap_or(0)
            }
            _ => panic!("{element}"),
        };
        match (statement.get("Principal"), statement.get("NotPrincipal")) {
            (Some(named), _) => rank(named),
            (None, Some(spared)) if effect == "Deny" => {
                if rank(spared) == 3 && !self.is_bounded() {
                    0
                } else {
                    3
                }
            }
            (None, Some(spared)) => {
                if rank(spared) > 0 {
                    0
                } else {
                    3
                }
            }
            (None, None) => 0,
        }
    }

    /// Whether there is a boundary, which only users and roles can have.
    fn is_bounded(&self) -> bool {
        let can_be = matches!(&self.who, Who::Caller(caller) if caller.principal != Principal::Root);
        can_be && self.boundary.is_some()
    }

    fn rank(&self, kind: &str, name: &str) -> u8 {
        match (kind, &self.who) {
            (_, _) if name == "*" => 3,
            ("Service", Who::Service(own)) | ("Federated", Who::Federated(own)) if name == *own => 3,
            ("AWS", Who::Caller(caller)) => {
                let account = caller.account.as_str();
                let is_account = name == account || name == format!("arn:aws:iam::{account}:root");
                let role = caller.principal.role_arn(&caller.account).map(String::from);
                // An account's number and the ARN of its root are one name, and the root's own.
                let is_root = caller.principal == Principal::Root;
                if String::from(caller.arn()) == name || (is_root && is_account) {
                    3
                } else if role.as_deref() == Some(name) {
                    2
                } else {
                    u8::from(is_account)
                }
            }
            _ => 0,
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

/// `*` and `?`, by trying everything. The marks of `filled` stand for the characters themselves.
fn glob(pattern: &str, text: &str) -> bool {
    fn rest(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', after @ ..], _) => (0..=text.len()).any(|at| rest(after, &text[at..])),
            (['?', after @ ..], [_, left @ ..]) => rest(after, left),
            (['\u{1}', after @ ..], ['*', left @ ..]) | (['\u{2}', after @ ..], ['?', left @ ..]) => {
                rest(after, left)
            }
            ([one, after @ ..], [other, left @ ..]) => one == other && rest(after, left),
            _ => false,
        }
    }
    rest(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

fn in_range(range: &str, address: IpAddr) -> bool {
    let (network, bits) =
        range.split_once('/').unwrap_or((range, if range.contains(':') { "128" } else { "32" }));
    let bits: u32 = bits.parse().unwrap();
    match (network.parse().unwrap(), address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let cut = |it: std::net::Ipv4Addr| u64::from(u32::from(it)) >> (32 - bits);
            cut(network) == cut(address)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let text = |it: std::net::Ipv6Addr| format!("{:0128b}", u128::from(it));
            let cut = |it| text(it).chars().take(bits as usize).collect::<String>();
            cut(network) == cut(address)
        }
        _ => false,
    }
}

/// A date of the cases, in seconds. What is a date is not this evaluator's question.
fn moment(text: &str) -> f64 {
    if let Ok(seconds) = text.parse() {
        return seconds;
    }
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let timestamp: jiff::Timestamp = whole.parse().unwrap();
    timestamp.as_second() as f64
}

/// The keys that requests have because of who makes them, and those that are given.
fn keys_of(who: &Who, given: &Map<String, Value>) -> HashMap<String, Value> {
    let mut keys = HashMap::new();
    let mut put = |key: &str, value: &str| keys.insert(key.to_lowercase(), json!(value));
    match who {
        Who::Caller(caller) => {
            let arn = caller.principal.role_arn(&caller.account).unwrap_or_else(|| caller.arn());
            put("aws:PrincipalArn", arn.as_str());
            put("aws:PrincipalAccount", caller.account.as_str());
            put("aws:userid", &caller.principal.unique_id(&caller.account));
            put("aws:PrincipalIsAWSService", "false");
            match &caller.principal {
                Principal::Root => {
                    put("aws:PrincipalType", "Account");
                }
                Principal::User { name, .. } => {
                    put("aws:PrincipalType", "User");
                    put("aws:username", name);
                }
                Principal::AssumedRole { .. } => {
                    put("aws:PrincipalType", "AssumedRole");
                }
            }
        }
        Who::Service(name) => {
            put("aws:PrincipalIsAWSService", "true");
            put("aws:PrincipalServiceName", name);
        }
        Who::Federated(_) => {
            put("aws:PrincipalIsAWSService", "false");
        }
        Who::Nobody => {
            put("aws:PrincipalIsAWSService", "false");
            put("aws:PrincipalType", "Anonymous");
        }
    }
    keys.extend(given.iter().map(|(key, value)| (key.to_lowercase(), value.clone())));
    keys
}

const ACTIONS: [&str; 7] =
    ["*", "s3:*", "S3:get*", "s3:GetObject", "s3:Get?bject", "lambda:InvokeFunction", "*:Get*"];
const RESOURCES: [&str; 7] = [
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3::111122223333:bucket/*",
    "arn:aws:s3::111122223333:bucket/${k:color}",
    "arn:aws:s3::111122223333:bucket/${k:none, 'key'}",
    "arn:aws:s3::*:bucket/${aws:username}",
    "arn:aws:lambda:*:*:function:f",
];
const OPERATORS: [&str; 16] = [
    "StringEquals",
    "StringNotEquals",
    "StringLike",
    "StringNotLike",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericGreaterThanEquals",
    "Bool",
    "IpAddress",
    "NotIpAddress",
    "ArnLike",
    "ArnNotEquals",
    "BinaryEquals",
];
const WANTED: [&str; 10] = [
    "red",
    "r*",
    "RED",
    "${k:color}",
    "${k:none, 'red'}",
    "${aws:username}",
    "7",
    "true",
    "10.0.0.0/8",
    "arn:aws:iam::111122223333:*",
];
const VALUES: [&str; 9] =
    ["red", "Red", "", "*", "7", "7.0", "TRUE", "10.1.2.3", "arn:aws:iam::111122223333:user/eve"];
const PRINCIPALS: [&str; 8] = [
    r#""*""#,
    r#"{"AWS": "111122223333"}"#,
    r#"{"AWS": "arn:aws:iam::111122223333:root"}"#,
    r#"{"AWS": "arn:aws:iam::111122223333:user/eve"}"#,
    r#"{"AWS": ["arn:aws:iam::111122223333:role/R", "444455556666"]}"#,
    r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/R/s"}"#,
    r#"{"Service": "s3.amazonaws.com"}"#,
    r#"{"AWS": "444455556666"}"#,
];
const KEYS: [&str; 4] = ["k:color", "K:Color", "k:many", "k:none"];

fn condition() -> impl Strategy<Value = Value> {
    let set = select(&["", "ForAllValues:", "ForAnyValue:"]);
    let end = select(&["", "IfExists"]);
    let compared = (set, select(&OPERATORS), end, select(&KEYS), vec(select(&WANTED), 1..3));
    let compared = compared.prop_filter_map("ranges are ranges", |(set, operator, end, key, wanted)| {
        // A value that is not of the operator's type is each evaluator's own affair.
        let wanted: Vec<_> = wanted.into_iter().filter(|it| fits(operator, it)).collect();
        (!wanted.is_empty()).then(|| json!({format!("{set}{operator}{end}"): {key: wanted}}))
    });
    prop_oneof![
        2 => Just(json!({})),
        4 => compared,
        1 => (select(&KEYS), select(&["true", "false"])).prop_map(|(key, wanted)| json!({"Null": {key: wanted}})),
    ]
}

fn fits(operator: &str, wanted: &str) -> bool {
    match operator {
        _ if operator.starts_with("Numeric") => wanted == "7",
        "IpAddress" | "NotIpAddress" => wanted.contains('/'),
        "ArnLike" | "ArnNotEquals" => wanted.starts_with("arn:"),
        _ => true,
    }
}

fn statement(is_resource: bool) -> impl Strategy<Value = Value> {
    let effect = select(&["Allow", "Allow", "Deny"]);
    let (negated_action, negated_resource) = (prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let about = (effect, vec(select(&ACTIONS), 1..3), vec(select(&RESOURCES), 1..3), condition());
    let whom = (select(&PRINCIPALS), prop::bool::weighted(0.2));
    (about, negated_action, negated_resource, whom).prop_map(
        move |(about, not_action, not_resource, whom)| {
            let (effect, actions, resources, condition) = about;
            let mut statement = Map::from_iter([("Effect".to_owned(), json!(effect))]);
            statement.insert(if not_action { "NotAction" } else { "Action" }.to_owned(), json!(actions));
            statement
                .insert(if not_resource { "NotResource" } else { "Resource" }.to_owned(), json!(resources));
            statement.insert("Condition".to_owned(), condition);
            if is_resource {
                let principal: Value = serde_json::from_str(whom.0).unwrap();
                statement.insert(if whom.1 { "NotPrincipal" } else { "Principal" }.to_owned(), principal);
            }
            Value::Object(statement)
        },
    )
}

fn questions() -> impl Strategy<Value = Naive> {
    let who = prop_oneof![
        3 => Just(user(HOME, "eve")),
        3 => Just(session(HOME, "R", "s")),
        1 => Just(root(HOME)),
        1 => Just(Who::Service("s3.amazonaws.com")),
        1 => Just(Who::Nobody),
    ];
    let policies = (
        vec(statement(false), 0..4),
        proptest::option::weighted(0.4, vec(statement(false), 1..3)),
        proptest::option::weighted(0.4, vec(statement(false), 1..3)),
        vec(statement(true), 0..3),
    );
    let on = select(&[
        "arn:aws:s3::111122223333:bucket/key",
        "arn:aws:s3::444455556666:bucket/key",
        "arn:aws:s3:::bucket/red",
        "arn:aws:s3::111122223333:bucket/red",
        "arn:aws:s3::111122223333:bucket/eve",
    ]);
    let keys = (proptest::option::of(select(&VALUES)), proptest::option::of(vec(select(&VALUES), 1..3)));
    (who, policies, on, keys).prop_map(|(who, (identity, boundary, session, resource), on, (color, many))| {
        let mut given = Map::new();
        if let Some(color) = color {
            given.insert("k:color".to_owned(), json!(color));
        }
        if let Some(many) = many {
            given.insert("k:many".to_owned(), json!(many));
        }
        let keys = keys_of(&who, &given);
        let (action, on) = ("s3:GetObject".to_owned(), on.to_owned());
        Naive { identity, boundary, session, resource, is_trust: false, who, action, on, keys }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_096) })]

    #[test]
    fn both_evaluators_agree(question in questions()) {
        let joined = |statements: &[Value]| statements.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        let mut asked = Ask::by(question.who.clone()).to(&question.action).on(&question.on);
        let keys: Map<String, Value> = question.keys.clone().into_iter().collect();
        asked.context = cases::context(Context::new(), &keys);
        if !question.identity.is_empty() {
            asked = asked.holding(&joined(&question.identity));
        }
        if let Some(statements) = &question.boundary {
            asked = asked.bounded_by(&joined(statements));
        }
        if let Some(statements) = &question.session {
            asked = asked.in_session(&joined(statements));
        }
        if !question.resource.is_empty() {
            asked = asked.resource_says(&joined(&question.resource));
        }
        let verdict = asked.verdict();
        prop_assert_eq!(verdict.effect, question.decide(), "{}\n{:#?}", verdict, asked.put(|question, _| question.context.clone()));
    }
}

impl std::fmt::Debug for Naive {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let policies = json!({"identity": self.identity, "boundary": self.boundary, "session": self.session, "resource": self.resource});
        write!(
            out,
            "{:?} asks for {} on {} with {:?} under {policies:#}",
            self.who, self.action, self.on, self.keys
        )
    }
}
