//! What is taken from a model: the service, its operations and their schemas, or a refusal that says what to do.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use serde_json::{Value, json};
use smithy::{Options, Protocol, import};

fn model(protocol: &str) -> Value {
    json!({"smithy": "1.0", "shapes": {
        "t#S": {"type": "service", "version": "2020-01-01", "operations": [{"target": "t#Put"}, {"target": "t#Watch"}],
            "resources": [{"target": "t#Thing"}], "traits": {protocol: {}, "smithy.api#title": "Things",
            "aws.auth#sigv4": {"name": "sign"}, "aws.api#service": {"arnNamespace": "arn"}}},
        "t#Thing": {"type": "resource", "read": {"target": "t#Read"}, "resources": [{"target": "t#Part"}]},
        "t#Part": {"type": "resource", "list": {"target": "t#List"}, "collectionOperations": [{"target": "t#Put"}], "resources": [{"target": "t#Thing"}]},
        "t#Read": {"type": "operation"}, "t#List": {"type": "operation"},
        "t#Watch": {"type": "operation", "output": {"target": "t#Stream"}},
        "t#Stream": {"type": "structure", "members": {"events": {"target": "t#Events"}}},
        "t#Events": {"type": "union", "members": {"e": {"target": "t#Stream"}}, "traits": {"smithy.api#streaming": {}}},
        "t#Put": {"type": "operation", "input": {"target": "t#In"}, "traits": {"smithy.api#documentation": "<p>Puts <i>it</i>.</p>"}},
        "t#In": {"type": "structure", "members": {
            "name": {"target": "t#Name", "traits": {"smithy.api#required": {}, "smithy.api#documentation": "<p>Its name</p>"}},
            "token": {"target": "smithy.api#String", "traits": {"smithy.api#required": {}, "smithy.api#idempotencyToken": {}}},
            "size": {"target": "t#Size", "traits": {"smithy.api#default": 3}}, "kind": {"target": "t#Kind"}, "data": {"target": "smithy.api#Blob"},
            "when": {"target": "smithy.api#Timestamp"}, "tree": {"target": "t#Tree"}, "choice": {"target": "t#Choice"}, "any": {"target": "smithy.api#Document"},
            "map": {"target": "t#Map"}}},
        "t#Name": {"type": "string", "traits": {"smithy.api#length": {"min": 1, "max": 9}, "smithy.api#pattern": "\\p{L}+"}},
        "t#Size": {"type": "integer", "traits": {"smithy.api#range": {"min": 0, "max": 5}}},
        "t#Kind": {"type": "string", "traits": {"smithy.api#enum": [{"value": "a"}, {"value": "b"}]}},
        "t#Tree": {"type": "structure", "members": {"below": {"target": "t#Trees"}}},
        "t#Trees": {"type": "set", "member": {"target": "t#Tree"}},
        "t#Choice": {"type": "union", "members": {"one": {"target": "smithy.api#Long"}, "two": {"target": "smithy.api#Boolean"}}},
        "t#Map": {"type": "map", "key": {"target": "t#Kind"}, "value": {"target": "smithy.api#Double"}},
    }})
}

#[test]
fn a_service_becomes_tools() {
    let api = import(&model("aws.protocols#awsJson1_1").to_string(), &Options::default()).unwrap();
    assert_eq!(
        (api.service.as_str(), api.title.as_str(), api.version.as_str()),
        ("t#S", "Things", "2020-01-01")
    );
    assert_eq!((api.protocol, api.signing_name.as_deref()), (Protocol::AwsJson1_1, Some("sign")));
    assert_eq!(api.endpoint("eu-west-1", None).unwrap().authority(), "arn.eu-west-1.amazonaws.com");
    let names: Vec<_> = api.operations.iter().map(|operation| operation.name.as_str()).collect();
    assert_eq!(names, ["List", "Put", "Read"]);
    assert_eq!(api.refused.len(), 1);
    assert_eq!(api.refused[0].why, "streams events (`Events`), which no tool can");
    assert_eq!(api.operations[1].description, "Puts it.");
    assert_eq!(
        api.operations[0].input_schema,
        json!({"type": "object", "properties": {}, "additionalProperties": false})
    );
    assert_eq!(
        api.operations[1].input_schema,
        json!({
            "type": "object", "additionalProperties": false, "required": ["name"], "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 9, "description": "Its name"},
                "token": {"type": "string"},
                "size": {"type": "integer", "minimum": 0, "maximum": 5, "default": 3},
                "kind": {"type": "string", "enum": ["a", "b"]},
                "data": {"type": "string", "contentEncoding": "base64", "description": "Bytes, in base64."},
                "when": {"type": "string", "format": "date-time"},
                "tree": {"$ref": "#/$defs/Tree"},
                "choice": {"type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
                    "properties": {"one": {"type": "integer"}, "two": {"type": "boolean"}}},
                "any": {},
                "map": {"type": "object", "additionalProperties": {"type": "number"}, "propertyNames": {"enum": ["a", "b"]}}},
            "$defs": {"Tree": {"type": "object", "additionalProperties": false, "properties": {
                "below": {"type": "array", "uniqueItems": true, "items": {"$ref": "#/$defs/Tree"}}}}},
        })
    );
}

#[test]
fn operations_are_chosen_by_name() {
    let text = model("aws.protocols#awsJson1_0").to_string();
    let names = |include: &[&str], exclude: &[&str]| {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let options =
            Options { include: list(include), exclude: list(exclude), service: Some("S".to_owned()) };
        let api = import(&text, &options).map_err(|error| error.to_string())?;
        Ok(api.operations.into_iter().map(|operation| operation.name).collect::<Vec<_>>())
    };
    assert_eq!(names(&["Put", "Read"], &["Read"]), Ok(vec!["Put".to_owned()]));
    assert_eq!(names(&[], &["Read", "Watch"]), Ok(vec!["List".to_owned(), "Put".to_owned()]));
    assert_eq!(names(&["Nope"], &[]), Err("the service has no operation `Nope`".to_owned()));
    assert_eq!(
        names(&["Watch"], &[]),
        Err(
            "no operation of the service can be called: `Watch` streams events (`Events`), which no tool can"
                .to_owned()
        )
    );
}

#[test]
fn what_cannot_be_served_is_refused_with_what_to_do() {
    let mut two = model("aws.protocols#restJson1");
    two["shapes"]["t#Other"] = two["shapes"]["t#S"].clone();
    let unknown = Options { service: Some("X".to_owned()), ..Options::default() };
    for (text, options, expected) in [
        ("{".to_owned(), Options::default(), "is not JSON"),
        ("{\"smithy\":\"2.0\",\"smithy\":\"2.0\"}".to_owned(), Options::default(), "duplicate member"),
        ("{\"openapi\":\"3.0.0\"}".to_owned(), Options::default(), "is not a Smithy model"),
        ("{\"smithy\":\"3\",\"shapes\":{}}".to_owned(), Options::default(), "version `3`"),
        ("{\"smithy\":\"2\",\"shapes\":{}}".to_owned(), Options::default(), "has no service shape"),
        (two.to_string(), Options::default(), "choose one of `t#Other`, `t#S`"),
        (two.to_string(), unknown, "has no service `X`; it has `t#Other`, `t#S`"),
        (model("aws.protocols#awsQuery").to_string(), Options::default(), "speaks `aws.protocols#awsQuery`"),
        (model("x#y").to_string(), Options::default(), "speaks no protocol that it names"),
        (model("aws.protocols#restJson1").to_string(), Options::default(), "has no `http` trait"),
        (" ".repeat(11_000_000), Options::default(), "is too large: it has 11000000 bytes"),
    ] {
        let error = import(&text, &options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
