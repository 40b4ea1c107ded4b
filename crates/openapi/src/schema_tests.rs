//! Schemas of both dialects, as tools have them.

use serde_json::json;

use super::*;

fn document(version: &str, schemas: &Value) -> Document {
    Document::new(json!({"openapi": version, "components": {"schemas": schemas}})).unwrap()
}

fn converted(version: &str, schema: &Value) -> Value {
    Schemas::new(&document(version, &json!({})), Purpose::Input).convert(schema).unwrap()
}

#[test]
fn a_choice_that_nothing_can_be_is_left_out() {
    for (schema, expected) in [
        (json!({"type": "array", "enum": ["a", "b"]}), json!({"type": "array"})),
        (json!({"type": "string", "enum": [1, 2], "nullable": true}), json!({"type": ["string", "null"]})),
        (json!({"type": "string", "enum": ["a", 2]}), json!({"type": "string", "enum": ["a", 2]})),
        (json!({"enum": [1]}), json!({"enum": [1]})),
    ] {
        assert_eq!(converted("3.0.3", &schema), expected);
    }
}

#[test]
fn the_words_of_3_0_become_those_of_3_1() {
    for (schema, expected) in [
        (json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]})),
        (
            json!({"type": "string", "nullable": true, "enum": ["a"]}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ),
        (
            json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}),
            json!({"type": "integer", "exclusiveMinimum": 1}),
        ),
        (
            json!({"type": "integer", "maximum": 1, "exclusiveMaximum": false}),
            json!({"type": "integer", "maximum": 1}),
        ),
        (
            json!({"allOf": [{"type": "string"}], "nullable": true}),
            json!({"anyOf": [{"allOf": [{"type": "string"}]}, {"type": "null"}]}),
        ),
        (
            json!({"type": "string", "format": "binary"}),
            json!({"type": "string", "format": "binary", "contentEncoding": "base64"}),
        ),
        (json!({"type": "string", "x-other": 1, "xml": {}, "discriminator": {}}), json!({"type": "string"})),
    ] {
        assert_eq!(converted("3.0.3", &schema), expected, "{schema}");
    }
    let modern =
        json!({"type": ["string", "null"], "exclusiveMinimum": 3, "const": null, "prefixItems": [true, {}]});
    assert_eq!(converted("3.1.0", &modern), modern);
}

#[test]
fn words_that_do_not_fit_are_left_out() {
    let wild = json!({
        "type": "any", "required": true, "items": [{"type": "string"}], "minimum": "3", "enum": [], "allOf": [],
        "properties": {"a": {"type": "string", "required": false}, "b": 7}, "default": "x".repeat(5000),
    });
    assert_eq!(converted("3.0.0", &wild), json!({"properties": {"a": {"type": "string"}, "b": {}}}));
}

#[test]
fn properties_of_the_other_direction_are_left_out() {
    let schema = json!({
        "required": ["id", "name"],
        "properties": {"id": {"readOnly": true}, "name": {}, "secret": {"writeOnly": true}},
    });
    assert_eq!(
        converted("3.0.0", &schema),
        json!({"required": ["name"], "properties": {"name": {}, "secret": {}}})
    );
    let document = document("3.0.0", &json!({}));
    let output = Schemas::new(&document, Purpose::Output).convert(&schema).unwrap();
    assert_eq!(output, json!({"required": ["id", "name"], "properties": {"id": {}, "name": {}}}));
}

#[test]
fn references_become_definitions_and_recursion_stays_finite() {
    let document = document(
        "3.0.0",
        &json!({
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}, "of": {"$ref": "#/components/schemas/a~1b"}}},
            "a/b": {"type": "integer"},
        }),
    );
    let mut schemas = Schemas::new(&document, Purpose::Input);
    let first =
        schemas.convert(&json!({"$ref": "#/components/schemas/Node", "description": "the tree"})).unwrap();
    assert_eq!(first, json!({"$ref": "#/$defs/Node", "description": "the tree"}));
    assert_eq!(
        Value::Object(schemas.definitions().unwrap()),
        json!({
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "of": {"$ref": "#/$defs/a_1b"}}},
            "a_1b": {"type": "integer"},
        })
    );
}

#[test]
fn what_cannot_be_followed_or_never_ends_is_refused() {
    let document = document("3.1.0", &json!({}));
    for reference in ["#/components/schemas/None", "file.yaml", "http://127.0.0.1/x", "#anchor"] {
        let mut schemas = Schemas::new(&document, Purpose::Input);
        assert!(schemas.convert(&json!({"items": {"$ref": reference}})).is_err(), "{reference}");
    }
    let deep = (0..70).fold(json!({}), |inner, _| json!({"items": inner}));
    assert!(Schemas::new(&document, Purpose::Input).convert(&deep).unwrap_err().contains("deeper"));
}

#[test]
fn many_definitions_of_one_name_are_named_in_time() {
    let started = std::time::Instant::now();
    let groups: Map<String, Value> = (0..20_000)
        .map(|number| (format!("g{number}"), json!({"same": {"type": "integer"}, "same_3": {}})))
        .collect();
    let document = document("3.1.0", &Value::Object(groups));
    let mut schemas = Schemas::new(&document, Purpose::Input);
    for number in 0..20_000 {
        for last in ["same_3", "same"] {
            let reference = format!("#/components/schemas/g{number}/{last}");
            schemas.convert(&json!({"$ref": reference})).unwrap();
        }
    }
    let definitions = schemas.definitions().unwrap_err();
    assert!(definitions.contains("more than 50000 parts"), "{definitions}");
    let mut schemas = Schemas::new(&document, Purpose::Input);
    for (group, last, name) in
        [(0, "same", "same"), (1, "same", "same_2"), (0, "same_3", "same_3"), (2, "same", "same_4")]
    {
        let reference = json!({"$ref": format!("#/components/schemas/g{group}/{last}")});
        assert_eq!(schemas.convert(&reference).unwrap(), json!({"$ref": format!("#/$defs/{name}")}));
    }
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

#[test]
fn a_text_that_many_definitions_hold_is_not_copied_without_end() {
    let inner = json!({"type": "string", "description": "x".repeat(1_000_000)});
    let nested = (0..20).fold(inner, |inner, _| json!({"items": inner}));
    let document = document("3.1.0", &json!({"A": nested}));
    let mut schemas = Schemas::new(&document, Purpose::Input);
    for level in 0..20 {
        let reference = format!("#/components/schemas/A{}", "/items".repeat(level));
        schemas.convert(&json!({"$ref": reference})).unwrap();
    }
    assert!(schemas.definitions().unwrap_err().contains("more than 8388608 bytes"));
}
