//! Holds a request against the constraints of its model, and finds all its faults at once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{OnceLock, RwLock};

use aws_shapes::{Member, Schema};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use regex::Regex;
use serde_json::{Map, Value};

/// One fault of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// Where it is: `/authorizerConfiguration/customJWTAuthorizer/discoveryUrl`.
    pub name: String,
    /// What is wrong with it.
    pub message: String,
}

/// No request gets more faults than this: the rest repeats itself.
const MOST_FAULTS: usize = 50;

/// All faults of `value` against `schema`, in the order of the schema. Members that are `null` count as absent and are
/// taken out; members that the schema does not know are left alone, as AWS leaves them.
pub fn check(schema: &Schema, value: &mut Value) -> Vec<FieldFault> {
    let mut inspection = Inspection { path: String::new(), faults: Vec::new() };
    inspection.value(schema, value);
    inspection.faults
}

/// The end of the year 9999, in seconds since the epoch.
const LATEST: f64 = 253_402_300_800.0;

#[expect(clippy::cast_possible_truncation, reason = "the number of seconds was bounded before")]
fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

struct Inspection {
    path: String,
    faults: Vec<FieldFault>,
}

impl Inspection {
    fn value(&mut self, schema: &Schema, value: &mut Value) {
        if self.is_full() {
            return;
        }
        match schema {
            Schema::Structure(members) => match value {
                Value::Object(object) => self.structure(members, object),
                _ => self.wrong("must be an object"),
            },
            Schema::Union(members) => match value {
                Value::Object(object) => self.union(members, object),
                _ => self.wrong("must be an object"),
            },
            Schema::List { element, min, max, .. } => match value {
                Value::Array(elements) => {
                    self.length(elements.len(), *min, *max);
                    for (at, inner) in elements.iter_mut().enumerate() {
                        if self.is_full() {
                            break;
                        }
                        self.under(&at.to_string(), |this| this.element(element, inner));
                    }
                }
                _ => self.wrong("must be a list"),
            },
            Schema::Map { key, value: inner, min, max } => match value {
                Value::Object(object) => {
                    self.length(object.len(), *min, *max);
                    for (name, entry) in object.iter_mut() {
                        if self.is_full() {
                            break;
                        }
                        self.under(name, |this| {
                            this.value(key, &mut Value::String(name.clone()));
                            this.element(inner, entry);
                        });
                    }
                }
                _ => self.wrong("must be a map"),
            },
            Schema::NotHonoured => self.wrong("is not supported by Portcullis yet: leave it out"),
            Schema::Timestamp(_) => self.moment(value),
            scalar => self.scalar(scalar, value),
        }
    }

    /// A moment as clients write it, seconds since the epoch or RFC 3339, becomes the milliseconds that types hold.
    fn moment(&mut self, value: &mut Value) {
        let moment = match value {
            Value::Number(seconds) => seconds.as_f64().filter(|seconds| seconds.abs() < LATEST).map(millis),
            Value::String(text) => Timestamp::parse(text).map(Timestamp::millis),
            _ => None,
        };
        match moment {
            Some(moment) => *value = moment.into(),
            None => self.wrong("must be a timestamp"),
        }
    }

    fn element(&mut self, schema: &Schema, value: &mut Value) {
        if value.is_null() { self.wrong("must not be null") } else { self.value(schema, value) }
    }

    fn structure(&mut self, members: &[Member], object: &mut Map<String, Value>) {
        object.retain(|_, value| !value.is_null());
        for member in members {
            self.under(member.name, |this| match object.get_mut(member.name) {
                Some(value) => this.value(member.schema, value),
                None if member.required => this.wrong("must not be null"),
                None => {}
            });
        }
    }

    fn union(&mut self, members: &[Member], object: &mut Map<String, Value>) {
        object.retain(|name, value| !value.is_null() && members.iter().any(|member| member.name == name));
        let names: Vec<_> = members
            .iter()
            .filter(|member| !matches!(member.schema, Schema::NotHonoured))
            .map(|member| member.name)
            .collect();
        if object.len() != 1 {
            self.wrong(&format!("must have exactly one of the members [{}]", names.join(", ")));
        }
        self.structure(members, object);
    }

    fn scalar(&mut self, schema: &Schema, value: &Value) {
        match (schema, value) {
            (Schema::Text { min, max, pattern, .. }, Value::String(text)) => {
                self.length(text.chars().count(), *min, *max);
                if let Some(pattern) = pattern.filter(|pattern| !matches(pattern, text)) {
                    self.wrong(&format!("must satisfy regular expression pattern: {pattern}"));
                }
            }
            (Schema::Enumeration { values, not_honoured }, Value::String(text)) => {
                if not_honoured.contains(&text.as_str()) {
                    let honoured = values.join(", ");
                    self.wrong(&format!(
                        "value {text} is not supported by Portcullis yet: use one of [{honoured}]"
                    ));
                } else if !values.contains(&text.as_str()) {
                    self.wrong(&format!("must satisfy enum value set: [{}]", values.join(", ")));
                }
            }
            (Schema::Text { .. } | Schema::Enumeration { .. }, _) => self.wrong("must be a string"),
            (Schema::Integer { min, max }, value) => match value.as_i64() {
                Some(number) => self.range(number, *min, *max),
                None => self.wrong("must be an integer"),
            },
            (Schema::Number, Value::Number(_)) | (Schema::Boolean, Value::Bool(_)) => {}
            (Schema::Number, _) => self.wrong("must be a number"),
            (Schema::Boolean, _) => self.wrong("must be a boolean"),
            (Schema::Blob { max }, Value::String(text)) => {
                let decoded_length = STANDARD.decode(text).map(|bytes| bytes.len());
                match decoded_length {
                    Ok(length) => self.length(length, None, *max),
                    Err(_) => self.wrong("must be base64"),
                }
            }
            (Schema::Blob { .. }, _) => self.wrong("must be base64"),
            _ => self.wrong("must be a value of the service's model"),
        }
    }

    fn length(&mut self, length: usize, min: Option<u64>, max: Option<u64>) {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        let too_short = min.is_some_and(|min| length < min);
        let too_long = max.is_some_and(|max| length > max);
        if too_short || too_long {
            let bounds = match (min, max) {
                (Some(min), Some(max)) => format!("between {min} and {max}, inclusive"),
                (Some(min), None) => format!("greater than or equal to {min}"),
                (None, max) => format!("less than or equal to {}", max.unwrap_or_default()),
            };
            self.report(&format!("Value with length {length}"), &format!("Member must have length {bounds}"));
        }
    }

    fn range(&mut self, number: i64, min: Option<i64>, max: Option<i64>) {
        if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
            let bounds = match (min, max) {
                (Some(min), Some(max)) => format!("between {min} and {max}, inclusive"),
                (Some(min), None) => format!("greater than or equal to {min}"),
                (None, max) => format!("less than or equal to {}", max.unwrap_or_default()),
            };
            self.report("Value", &format!("Member must be {bounds}"));
        }
    }

    fn wrong(&mut self, what: &str) {
        self.report("Value", &format!("Member {what}"));
    }

    fn report(&mut self, subject: &str, constraint: &str) {
        if self.is_full() {
            return;
        }
        let name = if self.path.is_empty() { "/".to_owned() } else { self.path.clone() };
        let message = format!("{subject} at '{name}' failed to satisfy constraint: {constraint}");
        self.faults.push(FieldFault { name, message });
    }

    /// Whether as many faults are known as are told.
    fn is_full(&self) -> bool {
        self.faults.len() >= MOST_FAULTS
    }

    fn under(&mut self, segment: &str, inspect: impl FnOnce(&mut Self)) {
        let parent = self.path.len();
        let _ = write!(self.path, "/{segment}");
        inspect(self);
        self.path.truncate(parent);
    }
}

/// Whether the whole text matches a pattern of a model. Models write patterns without anchors and mean the whole text.
fn matches(pattern: &'static str, text: &str) -> bool {
    static COMPILED: OnceLock<RwLock<HashMap<&'static str, Option<Regex>>>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(RwLock::default);
    if let Some(known) = compiled.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(pattern) {
        return known.as_ref().is_some_and(|regex| regex.is_match(text));
    }
    let regex = compile(pattern).ok();
    let holds = regex.as_ref().is_some_and(|regex| regex.is_match(text));
    compiled.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(pattern, regex);
    holds
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!(r"\A(?:{})\z", in_ascii(pattern)))
}

/// The models' patterns are Java's, whose `\w`, `\d` and `\s` know ASCII only.
fn in_ascii(pattern: &str) -> String {
    let mut written = String::with_capacity(pattern.len());
    let mut in_class = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let escaped = characters.next();
                let class = match escaped {
                    Some('w') => Some("A-Za-z0-9_"),
                    Some('d') => Some("0-9"),
                    Some('s') => Some(r" \t\n\x0B\f\r"),
                    _ => None,
                };
                match class {
                    Some(class) if in_class => written.push_str(class),
                    Some(class) => written.push_str(&format!("[{class}]")),
                    None => {
                        written.push(character);
                        written.extend(escaped);
                    }
                }
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        written.push(character);
    }
    written
}

#[cfg(test)]
mod tests {
    use aws_shapes::SERVICES;
    use aws_shapes::bedrock_agentcore_control as agentcore;
    use serde_json::json;

    use super::*;

    fn faults(mut value: Value) -> Vec<String> {
        let schema = agentcore::CREATE_GATEWAY.input.unwrap();
        check(schema, &mut value).into_iter().map(|fault| fault.message).collect()
    }

    fn sound() -> Value {
        json!({
            "name": "my-gateway",
            "roleArn": "arn:aws:iam::123456789012:role/MyRole",
            "authorizerType": "NONE",
            "unknown": "is ignored",
            "description": null,
        })
    }

    #[test]
    fn a_sound_request_has_no_faults() {
        assert_eq!(faults(sound()), Vec::<String>::new());
    }

    #[test]
    fn all_faults_are_found_at_once_in_awss_words() {
        let mut value = sound();
        value["name"] = json!("x".repeat(60));
        value["roleArn"] = json!("nope");
        value["authorizerType"] = json!("SOME");
        value["domainOverride"] = json!("gateway.example.com");
        let found = faults(value);
        assert_eq!(
            found,
            [
                "Value at '/name' failed to satisfy constraint: Member must satisfy regular expression pattern: ([0-9a-zA-Z][-]?){1,48}",
                "Value at '/roleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+",
                "Value at '/authorizerType' failed to satisfy constraint: Member must satisfy enum value set: [CUSTOM_JWT, AWS_IAM, NONE]",
                "Value at '/domainOverride' failed to satisfy constraint: Member is not supported by Portcullis yet: leave it out",
            ]
        );
    }

    #[test]
    fn required_types_unions_and_values_not_honoured_are_checked() {
        assert!(
            faults(json!({}))[0].contains("'/name' failed to satisfy constraint: Member must not be null")
        );
        assert!(faults(json!([]))[0].contains("'/' failed to satisfy constraint: Member must be an object"));
        let mut value = sound();
        value["authorizerType"] = json!("AUTHENTICATE_ONLY");
        value["authorizerConfiguration"] = json!({});
        value["protocolConfiguration"] = json!({"mcp": {"supportedVersions": [1]}});
        value["kmsKeyArn"] = json!("arn:aws:kms:us-west-2:123456789012:key/k");
        let found = faults(value).join("\n");
        assert!(
            found.contains("value AUTHENTICATE_ONLY is not supported by Portcullis yet: use one of"),
            "{found}"
        );
        assert!(found.contains("exactly one of the members [customJWTAuthorizer]"), "{found}");
        assert!(found.contains("'/protocolConfiguration/mcp/supportedVersions/0'"), "{found}");
        assert!(found.contains("'/kmsKeyArn'"), "{found}");
    }

    #[test]
    fn words_and_digits_are_ascii() {
        assert!(matches(r"[\w+=,.@-]+", "Role_1.a@b"));
        assert!(!matches(r"[\w+=,.@-]+", "Rôle"));
        assert!(matches(r"\d{12}", "123456789012"));
        assert!(!matches(r"\d{12}", "１２３４５６７８９０１２"));
        assert!(matches(r"[^\s]+", "no-space") && !matches(r"[^\s]+", "a space"));
    }

    #[test]
    fn every_pattern_of_the_surface_compiles() {
        fn walk(schema: &'static Schema, depth: usize, seen: &mut usize) {
            match schema {
                Schema::Text { pattern: Some(pattern), .. } => {
                    compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
                    *seen += 1;
                }
                Schema::Structure(members) | Schema::Union(members) if depth < 12 => {
                    members.iter().for_each(|member| walk(member.schema, depth + 1, seen));
                }
                Schema::List { element, .. } if depth < 12 => walk(element, depth + 1, seen),
                Schema::Map { key, value, .. } if depth < 12 => {
                    walk(key, depth + 1, seen);
                    walk(value, depth + 1, seen);
                }
                _ => {}
            }
        }
        let mut seen = 0;
        for operation in SERVICES.iter().flat_map(|service| service.operations) {
            operation.input.into_iter().for_each(|schema| walk(schema, 0, &mut seen));
        }
        assert!(seen > 100, "{seen}");
    }
}
